package capacityreservations

import (
	"context"
	"errors"
	"fmt"
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
	var errs []error
	for _, seen := range due { // one that fails holds no other up
		err := s.db.UpdateAlways(ctx, func(tx store.Tx) error {
			c, err := state.CapacityReservations.Get(tx, state.Scope{Account: seen.Account, Region: seen.Region},
				string(seen.ID))
			if err != nil || c.State != slipway.CapacityReservationStateActive {
				return err
			}
			return capacity.EndReservation(tx, c, slipway.CapacityReservationStateExpired)
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", seen.ID, err))
		}
	}
	return errors.Join(errs...)
}
