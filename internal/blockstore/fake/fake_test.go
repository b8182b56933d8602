package fake

import (
	"testing"

	"slipway/internal/blockstore"
	"slipway/internal/blockstore/blockstoretest"
)

func TestContract(t *testing.T) {
	blockstoretest.Run(t, func(testing.TB) blockstore.Store { return New() })
}
