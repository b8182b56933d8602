package memory_test

import (
	"testing"

	"slipway/internal/store"
	"slipway/internal/store/memory"
	"slipway/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(testing.TB) (store.Store, store.Store) {
		s := memory.New(storetest.Schema)
		return s, s
	})
}
