// Package memory is a store.Store without durability: for tests, which may run it inside a synctest bubble.
package memory

import (
	"context"
	"sync"

	"slipway/internal/store"
)

// Store keeps everything in one process's memory.
type Store struct {
	mu    sync.Mutex
	rev   int64
	cache *store.Cache
}

var _ store.Store = (*Store)(nil)

// New makes an empty store.
func New(schema store.Schema) *Store { return &Store{cache: store.NewCache(schema)} }

// Update runs one transaction at a time, so reads always hold.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := store.NewOverlay(s.cache.Snapshot())
	if err := fn(o); err != nil || len(o.Writes) == 0 {
		return err
	}
	s.rev++
	changes := make([]store.Change, 0, len(o.Writes))
	for k, v := range o.Writes {
		changes = append(changes, store.Change{Key: k, Value: v, Rev: s.rev})
	}
	s.cache.Apply(changes, s.rev, false)
	return nil
}

// Snapshot is the last committed state.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	return s.cache.Snapshot(), context.Cause(ctx)
}

// Local is the last committed state.
func (s *Store) Local() store.Snapshot { return s.cache.Snapshot() }

// Watch reports changed keys.
func (s *Store) Watch(prefix string) *store.Watcher { return s.cache.Watch(prefix) }

// Close does nothing.
func (s *Store) Close() error { return nil }
