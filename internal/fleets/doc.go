// Package fleets is the room of fleets: one request that finds its capacity in several pools, each a launch template
// with an override. The instances room launches; this one says where to try, in which order, and what came of it. It
// keeps no capacity up: only fleets of the type "instant" are here.
package fleets

import (
	"context"
	"errors"
	"time"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/ec2wire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the fleets' actions.
type Service struct {
	db        state.DB
	admission *admission.Service
	instances Instances
	now       func() time.Time
}

// Instances is what a fleet that is deleted needs of the instances' room.
type Instances interface {
	Terminate(context.Context, *ec2wire.TerminateInstancesRequest) (*ec2wire.TerminateInstancesResult, error)
}

// New makes the room.
func New(db state.DB, a *admission.Service, in Instances, now func() time.Time) *Service {
	return &Service{db, a, in, now}
}

// shownFor is how long a fleet is remembered that was deleted, or none of whose instances is left.
const shownFor = 48 * time.Hour

// Sweep forgets fleets that have been over for long enough.
func (s *Service) Sweep(ctx context.Context) error {
	var over []*slipway.Fleet
	r := s.db.Local()
	for f := range state.Fleets.By(r, state.Global, "/all") {
		if s.now().Sub(f.Created) > shownFor && s.now().Sub(f.Deleted) > shownFor && !lives(r, f) {
			over = append(over, f)
		}
	}
	var failed error
	for _, f := range over {
		failed = errors.Join(failed, s.db.Update(ctx, func(tx store.Tx) error {
			state.Fleets.Delete(tx, scopeOf(f), string(f.ID))
			return nil
		}))
	}
	return failed
}

func scopeOf(f *slipway.Fleet) state.Scope {
	return state.Scope{Account: f.Account, Region: f.Region}
}

// lives says whether any of the fleet's instances has not ended.
func lives(r store.Reader, f *slipway.Fleet) bool { return len(left(r, f)) > 0 }

// left are the fleet's instances that have not ended.
func left(r store.Reader, f *slipway.Fleet) []*slipway.Instance {
	var out []*slipway.Instance
	for _, id := range f.Instances() {
		if in := state.Instances.See(r, scopeOf(f), string(id)); in != nil && in.State != slipway.Terminated {
			out = append(out, in)
		}
	}
	return out
}
