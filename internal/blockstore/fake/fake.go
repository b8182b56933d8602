// Package fake is a blockstore.Store that remembers volumes and snapshots and keeps no data. It is what simulated hosts
// and tests use; blockstoretest holds it to the same contract as files.
package fake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"slipway"
	"slipway/internal/blockstore"
)

// Store is made by New.
type Store struct {
	mu        sync.Mutex
	volumes   map[slipway.VolumeID]blockstore.Volume
	snapshots map[slipway.SnapshotID]int // size in GiB
	calls     int
	faults    map[int]error
}

var _ blockstore.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store {
	return &Store{
		volumes: map[slipway.VolumeID]blockstore.Volume{}, snapshots: map[slipway.SnapshotID]int{}, faults: map[int]error{},
	}
}

// FailCall makes the n-th call from now (the first is 1) that changes something fail with err, before it has changed it.
func (s *Store) FailCall(n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[s.calls+n] = err
}

// Calls is how many calls a fault could have hit.
func (s *Store) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Volume is a volume as it is; false when there is none.
func (s *Store) Volume(id slipway.VolumeID) (blockstore.Volume, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.volumes[id]
	return v, ok
}

func (s *Store) do(ctx context.Context, act func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := s.faults[s.calls]; err != nil {
		return err
	}
	return act()
}

func path(id slipway.VolumeID) string {
	return filepath.Join("/simulated/volumes", string(id)+".qcow2")
}

// EnsureVolume remembers the volume, or its new size.
func (s *Store) EnsureVolume(ctx context.Context, v blockstore.Volume) (string, error) {
	return path(v.ID), s.do(ctx, func() error {
		have, ok := s.volumes[v.ID]
		if !ok {
			size, there := s.snapshots[v.Snapshot]
			if v.Snapshot != "" && !there {
				return fmt.Errorf("make %s: %s: %w", v.ID, v.Snapshot, blockstore.ErrNoSnapshot)
			}
			have = v
			have.SizeGiB = max(v.SizeGiB, size)
			if have.SizeGiB == 0 {
				return errors.New("a blank volume needs a size")
			}
		}
		have.SizeGiB = max(have.SizeGiB, v.SizeGiB)
		s.volumes[v.ID] = have
		return nil
	})
}

// GrowVolume remembers a volume's new size.
func (s *Store) GrowVolume(ctx context.Context, id slipway.VolumeID, sizeGiB int) error {
	return s.do(ctx, func() error {
		v, ok := s.volumes[id]
		if !ok {
			return fmt.Errorf("grow %s: %w", id, blockstore.ErrNoVolume)
		}
		if sizeGiB > v.SizeGiB && v.Secret != nil {
			return fmt.Errorf("grow %s: it is encrypted, and EnsureVolume has its secret", id)
		}
		v.SizeGiB = max(v.SizeGiB, sizeGiB)
		s.volumes[id] = v
		return nil
	})
}

// RemoveVolume forgets a volume.
func (s *Store) RemoveVolume(ctx context.Context, id slipway.VolumeID) error {
	return s.do(ctx, func() error { delete(s.volumes, id); return nil })
}

// SnapshotPath is a path at which there is nothing.
func (s *Store) SnapshotPath(id slipway.SnapshotID) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.snapshots[id]
	return filepath.Join("/simulated/snapshots", string(id)+".qcow2"), ok
}

// FinishSnapshot remembers a snapshot.
func (s *Store) FinishSnapshot(ctx context.Context, id slipway.SnapshotID) error {
	return s.add(ctx, id, func() (int, error) { return 1, nil })
}

func (s *Store) add(ctx context.Context, id slipway.SnapshotID, size func() (int, error)) error {
	return s.do(ctx, func() error {
		if _, ok := s.snapshots[id]; ok {
			return nil
		}
		gib, err := size()
		if err == nil {
			s.snapshots[id] = gib
		}
		return err
	})
}

// SnapshotVolume remembers a snapshot of a volume.
func (s *Store) SnapshotVolume(ctx context.Context, v blockstore.Volume, id slipway.SnapshotID) error {
	return s.add(ctx, id, func() (int, error) {
		have, ok := s.volumes[v.ID]
		if !ok {
			return 0, fmt.Errorf("%s: %w", v.ID, blockstore.ErrNoVolume)
		}
		return have.SizeGiB, nil
	})
}

// CopySnapshot remembers a snapshot of a snapshot.
func (s *Store) CopySnapshot(ctx context.Context, from, id slipway.SnapshotID, _, _ []byte) error {
	return s.add(ctx, id, func() (int, error) {
		size, ok := s.snapshots[from]
		if !ok {
			return 0, fmt.Errorf("%s: %w", from, blockstore.ErrNoSnapshot)
		}
		return size, nil
	})
}

// ImportSnapshot remembers a snapshot of any file.
func (s *Store) ImportSnapshot(ctx context.Context, _ string, id slipway.SnapshotID) error {
	return s.add(ctx, id, func() (int, error) { return 1, nil })
}

// ReceiveSnapshot fetches the image and reads its header, as a store with files does, and remembers the size.
func (s *Store) ReceiveSnapshot(ctx context.Context, image blockstore.Received, id slipway.SnapshotID) (int, error) {
	if gib, ok := s.size(id); ok {
		return gib, nil
	}
	f, err := os.CreateTemp("", "slipway-simulated-")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil { // nobody else needs it, and a crash then leaves nothing
		return 0, err
	}
	_, gib, err := image.Take(ctx, f)
	if err != nil {
		return 0, err
	}
	image.Converted(100)
	return gib, s.add(ctx, id, func() (int, error) { return gib, nil })
}

func (s *Store) size(id slipway.SnapshotID) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gib, ok := s.snapshots[id]
	return gib, ok
}

// RemoveSnapshot forgets a snapshot; volumes do not need it here.
func (s *Store) RemoveSnapshot(ctx context.Context, id slipway.SnapshotID) error {
	return s.do(ctx, func() error { delete(s.snapshots, id); return nil })
}

// Volumes lists the volumes.
func (s *Store) Volumes(context.Context) ([]slipway.VolumeID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.volumes)), nil
}

// Snapshots lists the snapshots.
func (s *Store) Snapshots(context.Context) ([]slipway.SnapshotID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.snapshots)), nil
}

// MemoryPath is a path at which there is nothing.
func (s *Store) MemoryPath(id slipway.InstanceID) string {
	return filepath.Join("/simulated/memory", string(id))
}

// AddBootFile keeps nothing.
func (s *Store) AddBootFile(ctx context.Context, _, _ string) error {
	return s.do(ctx, func() error { return nil })
}

// BootFile is a path at which there is nothing.
func (s *Store) BootFile(name string) string {
	if name == "" {
		return ""
	}
	return filepath.Join("/simulated/boot", name)
}
