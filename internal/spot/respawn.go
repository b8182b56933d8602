package spot

import (
	"context"
	"fmt"
	"slices"
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// respawn launches for persistent requests whose instance is gone, and ends those whose time is over.
func (s *Service) respawn(ctx context.Context) error {
	var open []*slipway.SpotRequest
	open = slices.AppendSeq(open, state.SpotRequests.By(s.db.Local(), state.Global, "/open"))
	for r := range state.SpotRequests.By(s.db.Local(), state.Global, "/until") {
		if s.now().After(r.Options.ValidUntil) {
			open = append(open, r)
		}
	}
	for _, r := range open {
		scope := state.Scope{Account: r.Account, Region: r.Region}
		set := func(st, status string) error {
			if r.State == st && r.Status == status {
				return nil
			}
			return s.db.UpdateAlways(ctx, func(tx store.Tx) error {
				return state.SpotRequests.Edit(tx, scope, string(r.ID), func(r *slipway.SpotRequest) error {
					r.Set(st, status, s.now())
					return nil
				})
			})
		}
		if until := r.Options.ValidUntil; !until.IsZero() && s.now().After(until) {
			if err := set("closed", "schedule-expired"); err != nil {
				return err
			}
			continue
		}
		spec := r.Spec
		options := r.Options
		options.Request = r.ID
		spec.Spot = &options
		call := slipway.Call{
			Caller: slipway.Caller{Account: r.Account}, Region: r.Region, RequestID: string(r.ID), Action: "RunInstances",
		}
		_, err := s.admission.Launch(slipway.WithCall(ctx, call), spec)
		switch code := slipway.CodeOf(err); {
		case err == nil:
		case code == slipway.SpotMaxPriceTooLow:
			err = set("open", "price-too-low")
		case code == slipway.InsufficientInstanceCapacity || code == slipway.InsufficientFreeAddressesInSubnet ||
			code == slipway.MaxSpotInstanceCountExceeded:
			err = set("open", "capacity-not-available")
		case code == slipway.InternalError:
			return fmt.Errorf("spot request %s: %w", r.ID, err)
		default:
			s.log.Info("spot request cannot be fulfilled", "request", r.ID, "error", err)
			err = set("failed", "bad-parameters")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
