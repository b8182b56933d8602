package instances

import (
	"context"
	"errors"
	"slices"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// sweepAtOnce bounds one transaction.
const sweepAtOnce = 500

// tokenLife is how long a client token is remembered after its call, and after the last of its instances is gone: EC2 says a day at least.
const tokenLife = 48 * time.Hour

// sweepTokens forgets client tokens that have outlived their instances.
func (s *Service) sweepTokens(ctx context.Context) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		removed := 0
		for t := range state.Tokens.By(tx, state.Global, "/all") {
			alive := slices.ContainsFunc(t.Instances, func(id slipway.InstanceID) bool { return state.Instances.See(tx, t.Scope, string(id)) != nil })
			if alive || s.now().Sub(t.Created) < tokenLife {
				continue
			}
			if removed++; removed > sweepAtOnce {
				break
			}
			state.Tokens.Delete(tx, t.Scope, t.ID)
		}
		return nil
	})
}

// trailDays is how long a call's or a reservation's trail can be explained.
const trailDays = 7

// sweepTrails forgets trails of calls and reservations; a few days beyond are looked at, in case nobody swept for a while.
func (s *Service) sweepTrails(ctx context.Context) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		removed := 0
		for back := trailDays + 1; back <= trailDays+31; back++ {
			for t := range state.Timelines.By(tx, state.Global, "/day/"+state.Day(s.now().AddDate(0, 0, -back))) {
				if removed++; removed > sweepAtOnce {
					return nil
				}
				state.Timelines.Delete(tx, t.Scope, t.ID)
			}
		}
		return nil
	})
}

// Sweep removes instances that were terminated longer ago than they stay visible, and client tokens that have outlived theirs.
func (s *Service) Sweep(ctx context.Context) error {
	if err := errors.Join(s.sweepTokens(ctx), s.sweepTrails(ctx)); err != nil {
		return err
	}
	for {
		removed := 0
		err := s.db.Update(ctx, func(tx store.Tx) error {
			removed = 0
			for in := range state.Instances.By(tx, state.Global, "/terminated") {
				if s.now().Sub(in.TerminatedAt) < s.cfg.TerminatedFor {
					continue
				}
				if removed++; removed > sweepAtOnce {
					break
				}
				scope := state.Scope{Account: in.Account, Region: in.Region}
				state.Instances.Delete(tx, scope, string(in.ID))
				state.Timelines.Delete(tx, scope, string(in.ID))
			}
			return nil
		})
		if err != nil || removed <= sweepAtOnce {
			return err
		}
	}
}

// StopAll wants every running instance of a host stopped, and every pending one: the host is about to go.
func (s *Service) StopAll(ctx context.Context, host slipway.HostID) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for seen := range state.Instances.By(tx, state.Global, "/host/"+string(host)) {
			if seen.State != slipway.Running && seen.State != slipway.Pending {
				continue
			}
			in, err := state.Instances.Get(tx, state.Scope{Account: seen.Account, Region: seen.Region}, string(seen.ID))
			if err != nil {
				return err
			}
			in.Wanted, in.Force = slipway.WantStopped, true
			if err := in.Become(slipway.Stopping, slipway.Reason{Code: "Server.ScheduledStop", Message: "Server.ScheduledStop: slipway was stopped"}); err != nil {
				return err
			}
			if err := state.Instances.Put(tx, in); err != nil {
				return err
			}
		}
		return nil
	})
}
