package addresses_test

import (
	"context"
	"net/netip"
	"testing"

	"slipway/internal/addresses"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// TestTakeBeginsWhereTheDiceSay: the same dice give the same addresses, and what is taken is passed over.
func TestTakeBeginsWhereTheDiceSay(t *testing.T) {
	db := state.DB{Store: memory.New(state.Schema())}
	pool := addresses.Pool{Range: netip.MustParsePrefix("10.1.0.0/24"), Draw: func(n uint32) uint32 { return n - 2 }}
	var got []string
	err := db.Update(context.Background(), func(tx store.Tx) error {
		got = nil
		for range 3 {
			ip, err := pool.Take(tx, "i-1")
			if err != nil {
				return err
			}
			got = append(got, ip.String())
		}
		return nil
	})
	if want := "10.1.0.254 10.1.0.1 10.1.0.2"; err != nil || len(got) != 3 || got[0]+" "+got[1]+" "+got[2] != want {
		t.Errorf("Take = %v, %v, want %s", got, err, want)
	}
}
