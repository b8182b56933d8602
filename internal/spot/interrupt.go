package spot

import (
	"context"
	"errors"
	"fmt"
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
	"time"
)

// marked are the statuses of requests whose instance has its notice.
var marked = map[string]string{
	"stop": "marked-for-stop", "terminate": "marked-for-termination", "hibernate": "marked-for-hibernation",
}

// GiveNotice gives a spot instance notice: its metadata show it at once, and the action is taken when the time has
// come. away is how long the capacity then stays away, for requests that come back.
func GiveNotice(ctx context.Context, db state.DB, id slipway.InstanceID, now time.Time, notice, away time.Duration) error {
	return db.UpdateAlways(ctx, func(tx store.Tx) error {
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
			in.Interruption = &slipway.Interruption{Action: r.Options.Interruption, At: now.Add(notice), Away: away}
			return errors.Join(r.Become(r.State, marked[r.Options.Interruption], now), state.SpotRequests.Put(tx, r),
				state.Instances.Put(tx, in))
		}
		return fmt.Errorf("there is no instance %s", id)
	})
}

// Tick does what the time has come for: interruptions, and persistent requests that come back. It is called every
// second and costs what there is to do.
func (s *Service) Tick(ctx context.Context) error {
	return errors.Join(s.interrupt(ctx), s.respawn(ctx))
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
	var errs []error
	for _, seen := range due { // one that fails holds no other up
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
			errs = append(errs, fmt.Errorf("interrupt %s: %w", seen.ID, err))
		}
	}
	return errors.Join(errs...)
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
	if err != nil || r.State == slipway.SpotRequestStateCancelled {
		in.Interruption = nil
		return state.Instances.Put(tx, in)
	}
	in.Interruption = nil
	return errors.Join(r.Become(slipway.SpotRequestStateActive, "fulfilled", s.now()), s.instances.StartAgain(tx, in),
		state.Instances.Put(tx, in), state.SpotRequests.Put(tx, r))
}
