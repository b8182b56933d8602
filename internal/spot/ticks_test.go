package spot_test

import (
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/spot"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestOneBadRecordHoldsNoOtherUp: an instance that cannot come back, because its request cannot be read, is said, and the next
// instance's is carried out.
func TestOneBadRecordHoldsNoOtherUp(t *testing.T) {
	w := apitest.New(t)
	market := []string{"InstanceMarketOptions.MarketType", "spot"}
	bad, good := w.Launch("t3.micro", market...), w.Launch("t3.micro", market...)
	if bad > good {
		bad, good = good, bad // the one that fails is looked at first
	}
	w.Await(bad, "running")
	w.Await(good, "running")
	s := state.Scope{Account: w.Keys.Account, Region: w.Region}
	err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		return state.Instances.Edit(tx, s, bad, func(in *slipway.Instance) error {
			in.State, in.Interruption = slipway.Stopped, &slipway.Interruption{Action: "stop", Done: true}
			tx.Put(state.SpotRequests.Key(s, string(in.SpotRequest)), []byte("{half"))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.API.Spot.Tick(t.Context()); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("of the one that cannot: %v", err)
	}
	if err := spot.GiveNotice(t.Context(), w.DB, slipway.InstanceID(good), time.Now(), 0, 0); err != nil {
		t.Fatal(err)
	}
	w.Await(good, "shutting-down") // and no further: what hosts do waits until the account's records can be read
}
