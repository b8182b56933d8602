package capacity

import (
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// FreeSlots is how many instances each host still keeps room for under a reservation.
func FreeSlots(r store.Reader, c *slipway.CapacityReservation) map[slipway.HostID]int {
	free := map[slipway.HostID]int{}
	for h, n := range c.Hosts {
		free[h] = n
	}
	for in := range state.Instances.By(r, state.Scope{Account: c.Account, Region: c.Region}, "cr/"+string(c.ID)) {
		if free[in.Host]--; free[in.Host] <= 0 {
			delete(free, in.Host)
		}
	}
	return free
}

// EndReservation gives back what a capacity reservation keeps and nobody uses; the instances in it run on.
func EndReservation(tx store.Tx, c *slipway.CapacityReservation, why slipway.CapacityReservationState) error {
	t := slipway.FindInstanceType(c.Type)
	for h, n := range FreeSlots(tx, c) {
		if err := Charge(tx, h, t, -n); err != nil {
			return err
		}
	}
	if err := c.Become(why); err != nil {
		return err
	}
	return state.CapacityReservations.Put(tx, c)
}

// Reserved says whether the instance's room belongs to a capacity reservation that goes on without it.
func Reserved(r store.Reader, in *slipway.Instance) bool {
	if in.CapacityReservation == "" {
		return false
	}
	c := state.CapacityReservations.See(r, state.Scope{Account: in.Account, Region: in.Region}, string(in.CapacityReservation))
	return c != nil && c.State == slipway.CapacityReservationStateActive
}
