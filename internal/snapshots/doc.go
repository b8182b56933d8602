// Package snapshots is the room of EBS snapshots: what a volume held at one moment, who may use it, and copies of it. A
// snapshot's host makes its content; this room must not touch it. Images are made of snapshots, by the room above.
package snapshots

import (
	"context"
	"time"

	"slipway"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the snapshot actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

// named is the id that a request must give.
func named(id *string) (slipway.SnapshotID, error) {
	if shape.Get(id) == "" {
		return "", slipway.Missing("SnapshotId")
	}
	return slipway.ParseSnapshotID(*id)
}

// Own is a snapshot that the caller may change: what it cannot see is not there, what it can only use is not its own.
func Own(ctx context.Context, r store.Reader, id slipway.SnapshotID) (*slipway.Snapshot, error) {
	scope := state.Of(ctx)
	n := state.FindSnapshot(r, scope.Region, string(id))
	switch {
	case n == nil || !n.UsableBy(scope.Account) || n.State == slipway.SnapshotStateDeleting:
		return nil, state.Snapshots.Absent(string(id))
	case n.Account != scope.Account:
		return nil, slipway.Errorf(slipway.AuthFailure,
			"Not authorized for the snapshot '%s': it belongs to another account.", id)
	}
	return n, nil
}

// edit changes one of the caller's snapshots.
func (s *Service) edit(ctx context.Context, id slipway.SnapshotID, change func(store.Tx, *slipway.Snapshot) error) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := Own(ctx, tx, id); err != nil {
			return err
		}
		return state.Snapshots.Edit(tx, state.Shared(state.Of(ctx).Region), string(id),
			func(n *slipway.Snapshot) error { return change(tx, n) })
	})
}
