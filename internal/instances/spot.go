package instances

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// affords checks a spot launch against the price and the account's quota.
func (l *launch) affords() error {
	if l.spec.Spot == nil {
		return nil
	}
	if price := slipway.SpotPrice(l.kind); l.spec.Spot.MaxPrice > 0 && l.spec.Spot.MaxPrice < price {
		return slipway.Errorf(slipway.SpotMaxPriceTooLow, "Your Spot request price of %s is lower than the minimum required Spot request fulfillment price of %s.", trimmed(l.spec.Spot.MaxPrice), trimmed(price))
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

// Read checks a request by itself, as Run does first, for the spot room.
func Read(in *ec2wire.RunInstancesRequest) (slipway.LaunchSpec, error) { return launchSpec(in) }

// RequestSpot makes count spot requests of one instance each, and fulfils what can be fulfilled now. A launch that could never be is refused, and
// nothing is kept of it.
func (s *Service) RequestSpot(ctx context.Context, spec slipway.LaunchSpec, count int32, token string) ([]slipway.SpotRequestID, error) {
	scope := state.Of(ctx)
	spec.Min, spec.Max, spec.ClientToken = 1, 1, ""
	var made []slipway.SpotRequestID
	seen := false
	err := s.db.Update(ctx, func(tx store.Tx) error {
		made, seen = nil, false
		if t := state.Tokens.See(tx, scope, "spot/"+token); token != "" && t != nil {
			seen = true
			for id := range strings.FieldsSeq(t.Result) {
				made = append(made, slipway.SpotRequestID(id))
			}
			return nil
		}
		trial := &launch{s: s, tx: tx, scope: scope, call: slipway.CallFrom(ctx), spec: spec, now: s.now(), notes: map[string]string{}}
		if err := trial.resolve(); err != nil && slipway.CodeOf(err) != slipway.SpotMaxPriceTooLow {
			return err
		}
		if err := trial.judge(ctx, ""); err != nil {
			return err
		}
		kept := trial.spec // what was judged is what is launched when its time has come: names have been resolved
		names := make([]string, 0, count)
		for range count {
			r := &slipway.SpotRequest{
				ID: slipway.NewSpotRequestID(), Account: scope.Account, Region: scope.Region, Options: *spec.Spot, Spec: kept, Created: s.now(), Tags: spec.Tags["spot-instances-request"],
			}
			r.Set("open", "pending-evaluation", s.now())
			if err := state.SpotRequests.Put(tx, r); err != nil {
				return err
			}
			made, names = append(made, r.ID), append(names, string(r.ID))
		}
		if token == "" {
			return nil
		}
		return state.Tokens.Put(tx, &state.Token{Scope: scope, ID: "spot/" + token, Result: strings.Join(names, " "), Created: s.now()})
	})
	if err != nil || seen {
		return made, err
	}
	return made, s.respawn(ctx)
}

func trimmed(price float64) string { return fmt.Sprintf("%g", price) }

// bidFor ties a spot instance to its request: the one that the launch fulfils, or a new one.
func (l *launch) bidFor(in *slipway.Instance) error {
	o := l.spec.Spot
	if o == nil {
		return nil
	}
	r := &slipway.SpotRequest{ID: slipway.NewSpotRequestID(), Account: in.Account, Region: in.Region, Options: *o, Created: l.now, Tags: l.spec.Tags["spot-instances-request"]}
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
	r.Set("active", "fulfilled", l.now)
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
	switch {
	case r.State == "cancelled":
		r.Set("cancelled", status, now)
	case r.Options.Persistent:
		r.Instance = ""
		r.Set("open", status, now)
	default:
		r.Set("closed", status, now)
	}
	return state.SpotRequests.Put(tx, r)
}

// reservedStill says whether the instance's room belongs to a capacity reservation that goes on without it.
func reservedStill(r store.Reader, in *slipway.Instance) bool {
	if in.CapacityReservation == "" {
		return false
	}
	c := state.CapacityReservations.See(r, state.Scope{Account: in.Account, Region: in.Region}, string(in.CapacityReservation))
	return c != nil && c.State == "active"
}

// GiveNotice gives a spot instance notice: its metadata show it at once, and the action is taken when the time has come. away is how
// long the capacity then stays away, for requests that come back.
func (s *Service) GiveNotice(ctx context.Context, id slipway.InstanceID, notice, away time.Duration) error {
	return s.db.UpdateAlways(ctx, func(tx store.Tx) error {
		for seen := range state.Instances.By(tx, state.Global, "/id/"+string(id)) {
			scope := state.Scope{Account: seen.Account, Region: seen.Region}
			in, err := state.Instances.Get(tx, scope, string(id))
			if err != nil {
				return err
			}
			switch {
			case in.Lifecycle != "spot":
				return fmt.Errorf("%s is no spot instance: only those are interrupted", id)
			case in.State != slipway.Running:
				return fmt.Errorf("%s is %s: only running instances are interrupted", id, in.State)
			}
			r, err := state.SpotRequests.Get(tx, scope, string(in.SpotRequest))
			if err != nil {
				return err
			}
			in.Interruption = &slipway.Interruption{Action: r.Options.Interruption, At: s.now().Add(notice), Away: away}
			r.Set(r.State, map[string]string{"stop": "marked-for-stop", "terminate": "marked-for-termination", "hibernate": "marked-for-hibernation"}[r.Options.Interruption], s.now())
			return errors.Join(state.SpotRequests.Put(tx, r), state.Instances.Put(tx, in))
		}
		return fmt.Errorf("there is no instance %s", id)
	})
}

// Tick does what the time has come for: interruptions, persistent spot requests that come back, capacity reservations that end. It is
// called every second and costs what there is to do.
func (s *Service) Tick(ctx context.Context) error {
	return errors.Join(s.interrupt(ctx), s.respawn(ctx), s.expire(ctx))
}

func (s *Service) interrupt(ctx context.Context) error {
	var due []*slipway.Instance
	for in := range state.Instances.By(s.db.Local(), state.Global, "/interrupted") {
		at := in.Interruption.At
		if in.Interruption.Done {
			at = at.Add(in.Interruption.Away)
		}
		if !s.now().Before(at) {
			due = append(due, in)
		}
	}
	for _, seen := range due {
		err := s.db.UpdateAlways(ctx, func(tx store.Tx) error {
			scope := state.Scope{Account: seen.Account, Region: seen.Region}
			in, err := state.Instances.Get(tx, scope, string(seen.ID))
			if err != nil || in.Interruption == nil {
				return nil
			}
			if in.Interruption.Done {
				return s.comeBack(tx, in)
			}
			in.Interruption.Done = true
			if err := s.takeAway(in); err != nil {
				return err
			}
			return state.Instances.Put(tx, in)
		})
		if err != nil {
			return fmt.Errorf("interrupt %s: %w", seen.ID, err)
		}
	}
	return nil
}

// takeAway is an interruption's action.
func (s *Service) takeAway(in *slipway.Instance) error {
	if in.State != slipway.Running && in.State != slipway.Pending {
		return nil
	}
	switch in.Interruption.Action {
	case "terminate":
		in.Wanted = slipway.WantTerminated
		in.TransitionReason = slipway.ReasonSpotInterruption.Code + ": " + slipway.ReasonSpotInterruption.Message
		return in.Become(slipway.ShuttingDown, slipway.ReasonSpotInterruption)
	case "hibernate":
		in.Wanted = slipway.WantHibernated
	default:
		in.Wanted = slipway.WantStopped
	}
	in.TransitionReason = slipway.ReasonSpotStop.Message
	return in.Become(slipway.Stopping, slipway.ReasonSpotStop)
}

// comeBack starts an interrupted instance again once capacity is there.
func (s *Service) comeBack(tx store.Tx, in *slipway.Instance) error {
	if in.State != slipway.Stopped {
		return nil
	}
	scope := state.Scope{Account: in.Account, Region: in.Region}
	r, err := state.SpotRequests.Get(tx, scope, string(in.SpotRequest))
	if err != nil || r.State == "cancelled" {
		in.Interruption = nil
		return state.Instances.Put(tx, in)
	}
	in.Interruption = nil
	r.Set("active", "fulfilled", s.now())
	return errors.Join(s.startAgain(tx, in), state.Instances.Put(tx, in), state.SpotRequests.Put(tx, r))
}

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
				return state.SpotRequests.Edit(tx, scope, string(r.ID), func(r *slipway.SpotRequest) error { r.Set(st, status, s.now()); return nil })
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
		call := slipway.Call{Caller: slipway.Caller{Account: r.Account}, Region: r.Region, RequestID: string(r.ID), Action: "RunInstances"}
		_, err := s.Launch(slipway.WithCall(ctx, call), spec)
		switch code := slipway.CodeOf(err); {
		case err == nil:
		case code == slipway.SpotMaxPriceTooLow:
			err = set("open", "price-too-low")
		case code == slipway.InsufficientInstanceCapacity || code == slipway.InsufficientFreeAddressesInSubnet || code == slipway.MaxSpotInstanceCountExceeded:
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

// expire ends capacity reservations whose end date has come.
func (s *Service) expire(ctx context.Context) error {
	var due []*slipway.CapacityReservation
	for c := range state.CapacityReservations.By(s.db.Local(), state.Global, "/ends") {
		if !s.now().Before(c.Ends) {
			due = append(due, c)
		}
	}
	for _, seen := range due {
		err := s.db.UpdateAlways(ctx, func(tx store.Tx) error {
			c, err := state.CapacityReservations.Get(tx, state.Scope{Account: seen.Account, Region: seen.Region}, string(seen.ID))
			if err != nil || c.State != "active" {
				return err
			}
			return EndReservation(tx, c, "expired")
		})
		if err != nil {
			return err
		}
	}
	return nil
}
