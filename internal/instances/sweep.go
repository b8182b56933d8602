package instances

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// sweepAtOnce bounds one transaction.
const sweepAtOnce = 500

// sweepBack is how many days are looked back, in case nobody swept for a while.
const sweepBack = 400

// sweepTokens forgets client tokens that have outlived their instances. Those whose instances live are looked at again
// the day after.
func (s *Service) sweepTokens(ctx context.Context) error {
	var due []*state.Token
	for back := range sweepBack {
		due = slices.AppendSeq(due,
			state.Tokens.By(s.db.Local(), state.Global, "/due/"+state.Day(s.now().AddDate(0, 0, -back))))
	}
	for some := range slices.Chunk(due, sweepAtOnce) {
		err := s.db.Update(ctx, func(tx store.Tx) error {
			for _, seen := range some {
				t := state.Tokens.See(tx, seen.Scope, seen.ID)
				if t == nil || t.Due() > state.Day(s.now()) {
					continue
				}
				if !slices.ContainsFunc(t.Instances, func(id slipway.InstanceID) bool {
					return state.Instances.See(tx, t.Scope, string(id)) != nil
				}) {
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

// Sweep removes instances that were terminated longer ago than they stay visible, and client tokens that have outlived theirs.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.sweepTokens(ctx); err != nil {
		return err
	}
	for {
		removed := 0
		err := s.db.Update(ctx, func(tx store.Tx) error {
			removed = 0
			for in := range state.Instances.By(tx, state.Global, "/terminated") {
				if s.now().Sub(in.TerminatedAt) < terminatedFor {
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

// Drain stops every instance of a host that is about to go, and waits until they have or ctx ends; they are found
// stopped when it is back.
func (s *Service) Drain(ctx context.Context, host slipway.HostID) error {
	changes := s.db.Watch("")
	defer changes.Close()
	if err := s.stopAll(ctx, host); err != nil {
		return err
	}
	for s.moving(host) {
		if _, err := changes.Next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// moving says whether any of a host's instances is on its way to an end.
func (s *Service) moving(host slipway.HostID) bool {
	for in := range state.Instances.By(s.db.Local(), state.Global, "/host/"+string(host)) {
		if in.State == slipway.Stopping || in.State == slipway.ShuttingDown {
			return true
		}
	}
	return false
}

// stopAll wants every running instance of a host stopped, and every pending one.
func (s *Service) stopAll(ctx context.Context, host slipway.HostID) error {
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
			if err := in.Become(slipway.Stopping,
				slipway.Reason{
					Code: "Server.ScheduledStop", Message: "Server.ScheduledStop: slipway was stopped",
				}); err != nil {
				return err
			}
			if err := state.Instances.Put(tx, in); err != nil {
				return err
			}
		}
		return nil
	})
}
