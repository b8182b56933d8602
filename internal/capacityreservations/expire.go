package capacityreservations

import (
	"context"
	"slipway"
	"slipway/internal/capacity"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Tick ends capacity reservations whose end date has come.
func (s *Service) Tick(ctx context.Context) error {
	var due []*slipway.CapacityReservation
	for c := range state.CapacityReservations.By(s.db.Local(), state.Global, "/ends") {
		if !s.now().Before(c.Ends) {
			due = append(due, c)
		}
	}
	for _, seen := range due {
		err := s.db.UpdateAlways(ctx, func(tx store.Tx) error {
			c, err := state.CapacityReservations.Get(tx, state.Scope{Account: seen.Account, Region: seen.Region},
				string(seen.ID))
			if err != nil || c.State != "active" {
				return err
			}
			return capacity.EndReservation(tx, c, "expired")
		})
		if err != nil {
			return err
		}
	}
	return nil
}
