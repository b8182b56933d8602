package admission

import (
	"errors"
	"fmt"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// affords checks a spot launch against the price and the account's quota.
func (l *launch) affords() error {
	if l.spec.Spot == nil {
		return nil
	}
	if price := slipway.SpotPrice(l.kind); l.spec.Spot.MaxPrice > 0 && l.spec.Spot.MaxPrice < price {
		return slipway.Errorf(slipway.SpotMaxPriceTooLow,
			"Your Spot request price of %s is lower than the minimum required Spot request fulfillment price of %s.",
			trimmed(l.spec.Spot.MaxPrice), trimmed(price))
	}
	limit := l.limit("spot-instances")
	if limit == 0 {
		return nil
	}
	n := 0
	for range state.Instances.By(l.tx, l.scope, "spot") {
		n++
	}
	if n+int(l.spec.Min) > limit {
		return slipway.Errorf(slipway.MaxSpotInstanceCountExceeded, "Max spot instance count exceeded")
	}
	return nil
}

func trimmed(price float64) string { return fmt.Sprintf("%g", price) }

// bidFor ties a spot instance to its request: the one that the launch fulfils, or a new one.
func (l *launch) bidFor(in *slipway.Instance) error {
	o := l.spec.Spot
	if o == nil {
		return nil
	}
	r := &slipway.SpotRequest{
		ID: slipway.NewSpotRequestID(), Account: in.Account, Region: in.Region, Options: *o, Created: l.now,
		Tags: l.spec.Tags["spot-instances-request"],
	}
	if o.Request != "" {
		var err error
		if r, err = state.SpotRequests.Get(l.tx, l.scope, string(o.Request)); err != nil {
			return err
		}
	} else {
		r.Spec = l.spec
		r.Spec.Min, r.Spec.Max, r.Spec.ClientToken, r.Spec.Hash = 1, 1, "", ""
	}
	in.Lifecycle, in.SpotRequest = "spot", r.ID
	r.Instance, r.Zone = in.ID, in.Zone
	if err := r.Become(slipway.SpotRequestStateActive, "fulfilled", l.now); err != nil {
		return err
	}
	return state.SpotRequests.Put(l.tx, r)
}

// endCommitments settles what hangs on an instance that ends: its spot request.
func endCommitments(tx store.Tx, in *slipway.Instance, now time.Time) error {
	if in.SpotRequest == "" {
		return nil
	}
	r, err := state.SpotRequests.Get(tx, state.Scope{Account: in.Account, Region: in.Region}, string(in.SpotRequest))
	if err != nil || r.Instance != in.ID {
		return nil // swept, or served by another instance by now
	}
	status := "instance-terminated-by-user"
	if in.Interruption != nil {
		status = "instance-terminated-no-capacity"
	}
	next := slipway.SpotRequestStateClosed
	switch {
	case r.State != slipway.SpotRequestStateActive: // it has ended before its instance
		next = r.State
	case r.Options.Persistent:
		r.Instance, next = "", slipway.SpotRequestStateOpen
	}
	return errors.Join(r.Become(next, status, now), state.SpotRequests.Put(tx, r))
}
