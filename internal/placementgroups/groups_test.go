package placementgroups

import (
	"testing"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

func TestAnAccountsOwnQuotaBoundsItsGroups(t *testing.T) {
	db := state.DB{Store: memory.New(state.Schema())}
	defer db.Close()
	err := db.Update(t.Context(), func(tx store.Tx) error {
		return state.Accounts.Put(tx, &slipway.Account{ID: "123456789012", Quotas: map[string]int{"placement-groups": 1}})
	})
	if err != nil {
		t.Fatal(err)
	}
	s := New(db)
	ctx := slipway.WithCall(t.Context(), slipway.Call{Region: "us-east-1", Caller: slipway.Caller{Account: "123456789012"}})
	create := func(name string) error {
		_, err := s.Create(ctx, &ec2wire.CreatePlacementGroupRequest{GroupName: &name, Strategy: shape.Of("cluster")})
		return err
	}
	if err := create("one"); err != nil {
		t.Fatal(err)
	}
	if err := create("two"); err == nil || slipway.CodeOf(err) != slipway.PlacementGroupLimitExceeded {
		t.Errorf("one too many: %v", err)
	}
}
