package instances

import (
	"context"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// sweepAtOnce bounds one transaction.
const sweepAtOnce = 500

// Sweep removes instances that were terminated longer ago than they stay visible. Launches' client tokens outlive
// them: admission sweeps those.
func (s *Service) Sweep(ctx context.Context) error {
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
