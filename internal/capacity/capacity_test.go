package capacity_test

import (
	"testing"

	"slipway"
	"slipway/internal/capacity"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/adversary"
)

// TestAReservationKeepsItsRoom: charged when it begins, lent to its instances, and given back but for what they use
// when it ends.
func TestAReservationKeepsItsRoom(t *testing.T) {
	db := state.DB{Store: adversary.New(state.Schema(), 1)}
	s := state.Scope{Account: "111111111111", Region: "us-east-1"}
	micro := slipway.FindInstanceType("t3.micro")
	c := &slipway.CapacityReservation{
		ID: "cr-1", Account: s.Account, Region: s.Region, Type: micro.Name, State: slipway.CapacityReservationStateActive,
		Hosts: map[slipway.HostID]int{"a": 2, "b": 1},
	}
	update := func(fn func(store.Tx) error) {
		t.Helper()
		if err := db.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error {
		for h, n := range c.Hosts {
			if err := state.Hosts.Put(tx, &slipway.Host{ID: h, VCPUs: 4, MemoryMiB: 4096}); err != nil {
				return err
			}
			if err := capacity.Charge(tx, h, micro, n); err != nil {
				return err
			}
		}
		in := &slipway.Instance{
			InstanceIdentity:   slipway.InstanceIdentity{ID: "i-1", Account: s.Account, Region: s.Region},
			InstanceHardware:   slipway.InstanceHardware{Type: micro.Name},
			InstanceStatus:     slipway.InstanceStatus{State: slipway.Running},
			InstanceAssignment: slipway.InstanceAssignment{Host: "a"},
		}
		in.CapacityReservation = c.ID
		if err := state.Instances.Put(tx, in); err != nil {
			return err
		}
		return state.CapacityReservations.Put(tx, c)
	})
	left := func() map[slipway.HostID]int {
		out := map[slipway.HostID]int{}
		for _, h := range capacity.Room(db.Local(), 2) {
			out[h.ID] = h.VCPUs
		}
		return out
	}
	if got := left(); got["a"] != 8-4 || got["b"] != 8-2 {
		t.Errorf("vCPUs left while it is kept: %v, want 4 and 6 of twice four", got)
	}
	if free := capacity.FreeSlots(db.Local(), c); free["a"] != 1 || free["b"] != 1 {
		t.Errorf("slots free: %v, want one on each", free)
	}
	in := state.Instances.See(db.Local(), s, "i-1")
	if !capacity.Reserved(db.Local(), in) {
		t.Error("the instance's room is not the reservation's")
	}
	update(func(tx store.Tx) error {
		return capacity.EndReservation(tx, c, slipway.CapacityReservationStateCancelled)
	})
	if got := left(); got["a"] != 8-2 || got["b"] != 8 {
		t.Errorf("vCPUs left after its end: %v, want what its instance uses gone, 6 and 8", got)
	}
	if capacity.Reserved(db.Local(), in) {
		t.Error("the instance's room is still the reservation's")
	}
}
