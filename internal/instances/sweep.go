package instances

import (
	"context"
	"errors"
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// sweepAtOnce bounds one transaction.
const sweepAtOnce = 500

// sweepBack is how many days are looked back, in case nobody swept for a while.
const sweepBack = 400

// sweepTokens forgets client tokens that have outlived their instances. Those whose instances live are looked at again the day after.
func (s *Service) sweepTokens(ctx context.Context) error {
	var due []*state.Token
	for back := range sweepBack {
		due = slices.AppendSeq(due, state.Tokens.By(s.db.Local(), state.Global, "/due/"+state.Day(s.now().AddDate(0, 0, -back))))
	}
	for some := range slices.Chunk(due, sweepAtOnce) {
		err := s.db.Update(ctx, func(tx store.Tx) error {
			for _, seen := range some {
				t := state.Tokens.See(tx, seen.Scope, seen.ID)
				if t == nil || t.Due() > state.Day(s.now()) {
					continue
				}
				if !slices.ContainsFunc(t.Instances, func(id slipway.InstanceID) bool { return state.Instances.See(tx, t.Scope, string(id)) != nil }) {
					state.Tokens.Delete(tx, t.Scope, t.ID)
					continue
				}
				next := *t
				next.Keep = state.Day(s.now().AddDate(0, 0, 1))
				if err := state.Tokens.Put(tx, &next); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trailDays is how long a call's or a reservation's trail can be explained.
const trailDays = 7

// sweepTrails forgets trails of calls and reservations.
func (s *Service) sweepTrails(ctx context.Context) error {
	var due []*state.Timeline
	for back := trailDays + 1; back <= sweepBack; back++ {
		due = slices.AppendSeq(due, state.Timelines.By(s.db.Local(), state.Global, "/day/"+state.Day(s.now().AddDate(0, 0, -back))))
	}
	for some := range slices.Chunk(due, sweepAtOnce) {
		err := s.db.Update(ctx, func(tx store.Tx) error {
			for _, t := range some {
				state.Timelines.Delete(tx, t.Scope, t.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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
