package spot

import (
	"context"
	"errors"
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
	var errs []error
	for _, r := range open { // one that fails holds no other up
		if err := s.again(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("spot request %s: %w", r.ID, err))
		}
	}
	return errors.Join(errs...)
}

// again launches for one request, or says why not.
func (s *Service) again(ctx context.Context, r *slipway.SpotRequest) error {
	scope := state.Scope{Account: r.Account, Region: r.Region}
	set := func(st slipway.SpotRequestState, status string) error {
		if r.State == st && r.Status == status {
			return nil
		}
		return s.db.UpdateAlways(ctx, func(tx store.Tx) error {
			return state.SpotRequests.Edit(tx, scope, string(r.ID), func(r *slipway.SpotRequest) error {
				return r.Become(st, status, s.now())
			})
		})
	}
	if until := r.Options.ValidUntil; !until.IsZero() && s.now().After(until) {
		return set(slipway.SpotRequestStateClosed, "schedule-expired")
	}
	spec := r.Spec
	options := r.Options
	options.Request = r.ID
	spec.Spot = &options
	call := slipway.Call{
		Caller: slipway.Caller{Account: r.Account}, Region: r.Region, RequestID: string(r.ID), Action: "RunInstances",
	}
	_, err := s.admission.Launch(slipway.WithCall(ctx, call), spec)
	if err == nil {
		return nil
	}
	switch slipway.CodeOf(err) {
	case slipway.SpotMaxPriceTooLow:
		return set(slipway.SpotRequestStateOpen, "price-too-low")
	case slipway.InsufficientInstanceCapacity, slipway.InsufficientFreeAddressesInSubnet, slipway.MaxSpotInstanceCountExceeded:
		return set(slipway.SpotRequestStateOpen, "capacity-not-available")
	case slipway.InternalError:
		return err
	}
	s.log.Info("spot request cannot be fulfilled", "request", r.ID, "error", err)
	return set(slipway.SpotRequestStateFailed, "bad-parameters")
}
