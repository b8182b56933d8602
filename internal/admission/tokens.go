package admission

import (
	"context"
	"slices"
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// sweepAtOnce bounds one transaction of a sweep.
const sweepAtOnce = 500

// sweepBack is how many days are looked back, in case nobody swept for a while.
const sweepBack = 400

// Sweep forgets client tokens that have outlived their instances. Those whose instances live are looked at again
// the day after.
func (s *Service) Sweep(ctx context.Context) error {
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
