// Package imports is the room of disk images that come from elsewhere: ImportImage, ImportSnapshot and their tasks. A
// task's host fetches and converts, told by the task's record alone; the image and the snapshots that come of it
// appear with its end. This room opens no file and no connection.
package imports

import (
	"context"
	"time"

	"slipway"
	"slipway/internal/diskimage"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Sources knows where images may come from.
type Sources interface {
	// Check refuses a place that the operator has not opened.
	Check(from slipway.DiskSource) error
}

// Service answers the import actions.
type Service struct {
	db      state.DB
	sources Sources
	now     func() time.Time
}

// New makes the room.
func New(db state.DB, sources Sources, now func() time.Time) *Service {
	return &Service{db, sources, now}
}

// MaxGiB is the largest disk that a task takes: an image's volumes are gp2.
func MaxGiB(id slipway.ImportTaskID) int {
	if id.OfImage() {
		return 16 << 10
	}
	return diskimage.MaxSize >> 30
}

// shownFor is how long a task is described after its end.
const shownFor = 7 * 24 * time.Hour

// Sweep forgets tasks that ended long ago.
func (s *Service) Sweep(ctx context.Context) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for t := range state.ImportTasks.By(tx, state.Global, "/ended") {
			if s.now().Sub(t.Ended) > shownFor {
				state.ImportTasks.Delete(tx, state.Scope{Account: t.Account, Region: t.Region}, string(t.ID))
			}
		}
		return nil
	})
}

// encryption is whether a task's snapshots are to be encrypted.
func encryption(encrypted *bool, key *string) (bool, error) {
	return shape.Get(encrypted), shape.CheckKey(key, encrypted)
}
