// Package etcd is the durable store.Store: an embedded etcd, or a cluster that someone runs. Every process keeps the whole
// state in a cache fed by a watch; a transaction reads there and commits by one etcd transaction whose preconditions are
// the revisions it read. What exceeds the server's limits is staged in chunks and becomes visible by one key (staged.go).
package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"slipway/internal/store"
)

// Limits are what the etcd servers accept in one transaction.
type Limits struct {
	Ops   int // operations; etcd's default is 128
	Bytes int // of a request; etcd's default is 1.5 MiB
}

// DefaultLimits fit a cluster whose operator changed nothing.
var DefaultLimits = Limits{Ops: 128, Bytes: 1 << 20}

// Store is a store.Store on etcd.
type Store struct {
	client *clientv3.Client
	prefix string
	limits Limits
	schema Schema
	cache  *store.Cache
	log    *slog.Logger
	close  func() error
	ctx    context.Context // ends with the store
	cancel context.CancelFunc
	wg     sync.WaitGroup

	feed    feed
	sealing sealing
	staging moment // when the feed began to have an undecided transaction
	fence   fence
	queue   chan *turn
	room    func() error // why nothing may be written now: store.ErrFull, or nil
	full    bool         // room said no the last time
}

// Open loads everything below prefix and follows it from then on. closer, which may not be nil, ends what client needs.
func Open(
	ctx context.Context, client *clientv3.Client, prefix string, limits Limits, schema Schema, log *slog.Logger,
	closer func() error,
) (*Store, error) {
	return open(ctx, client, prefix, limits, schema, log, closer, func() error { return nil })
}

// open is Open with what says whether there is room for a write.
func open(
	ctx context.Context, client *clientv3.Client, prefix string, limits Limits, schema Schema, log *slog.Logger,
	closer, room func() error,
) (*Store, error) {
	s := &Store{
		client: client, prefix: prefix, limits: limits, schema: schema, cache: store.NewCache(schema.Schema), log: log, close: closer,
		fence: newFence(), queue: make(chan *turn, maxRound), room: room, sealing: sealing{after: time.After},
	}
	rev, err := s.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	if err := s.mayUnseal(); err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.Background())
	s.ctx, s.cancel = run, cancel
	s.wg.Go(func() { s.follow(run, rev+1) })
	s.wg.Go(func() { s.takeTurns(run) })
	s.wg.Go(func() { s.janitor(run) })
	return s, nil
}

// Close stops following and closes the client.
func (s *Store) Close() error {
	s.cancel()
	s.wg.Wait()
	err := s.client.Close()
	if errors.Is(err, context.Canceled) { // its own context, which it ends: an in-process client always says so
		err = nil
	}
	return errors.Join(err, s.close())
}

const pageSize = 2000

// load reads all keys at one revision into an empty feed and brings the cache there.
func (s *Store) load(ctx context.Context) (int64, error) {
	f := newFeed(s.log)
	var changes []store.Change
	var rev int64
	live := map[string]bool{}
	for key, end := s.prefix, clientv3.GetPrefixRangeEnd(s.prefix); ; {
		opts := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(pageSize)}
		if rev > 0 {
			opts = append(opts, clientv3.WithRev(rev))
		}
		got, err := s.client.Get(ctx, key, opts...)
		if err != nil {
			return 0, err
		}
		if rev == 0 {
			rev = got.Header.Revision
		}
		for _, kv := range got.Kvs {
			live[s.bare(kv)] = true
			changes = append(changes, f.put(s.bare(kv), kv.Value, kv.ModRevision)...)
		}
		if !got.More {
			break
		}
		key = string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
	}
	changes = append(changes, f.decide()...)
	for it := range s.cache.Snapshot().Range("") {
		if !live[it.Key] {
			changes = append(changes, store.Change{Key: it.Key})
		}
	}
	s.feed, s.sealing.locked = f, map[string]store.Change{}
	s.apply(changes, rev)
	return rev, nil
}

// apply brings the cache to rev, and says loudly what cannot be read.
func (s *Store) apply(changes []store.Change, rev int64) {
	under := s.feed.sealing
	s.sealing.under.Store(&under)
	s.unseal(changes)
	undecided := s.feed.undecided()
	if undecided && !s.cache.Undecided() {
		s.staging.set()
	}
	for _, it := range s.cache.Apply(changes, rev, undecided) {
		if _, said := s.sealing.locked[it.Key]; said {
			continue
		}
		s.log.Error("a record cannot be read: what depends on it waits until it is mended", "key", s.prefix+it.Key,
			"revision", it.Rev, "error", it.Err)
	}
}

func (s *Store) bare(kv *mvccpb.KeyValue) string { return string(kv.Key[len(s.prefix):]) }

// follow applies etcd's events to the cache, revision by revision, and loads anew when the history it needs is compacted.
// How far the cache is, only the events' own revisions and progress notices say: the header of an answer that catches up
// carries the store's revision of now, which that answer's events have not reached.
func (s *Store) follow(ctx context.Context, from int64) {
	for pause := minPause; ctx.Err() == nil; {
		broke := errors.New("the stream ended")
		watch := s.client.Watch(clientv3.WithRequireLeader(ctx), s.prefix, clientv3.WithPrefix(),
			clientv3.WithRev(from), clientv3.WithProgressNotify())
		for {
			got, ok := s.next(watch)
			if !ok {
				break
			}
			if err := got.Err(); err != nil {
				broke = err
				break
			}
			rev := from - 1
			if n := len(got.Events); n > 0 {
				rev = got.Events[n-1].Kv.ModRevision
			} else if got.IsProgressNotify() {
				rev = got.Header.Revision
			}
			s.apply(s.changes(got.Events), rev)
			from, pause = max(from, rev+1), minPause
		}
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("state watch broke off: it begins again", "error", broke, "revision", from, "pause", pause)
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, maxPause)
		if !errors.Is(broke, rpctypes.ErrCompacted) {
			continue
		}
		rev, err := s.load(ctx)
		if err != nil {
			s.log.Warn("state not loaded anew yet", "error", err)
			continue
		}
		from = rev + 1
	}
}

// minPause and maxPause bound the pauses between tries to reach etcd.
const minPause, maxPause = 50 * time.Millisecond, 5 * time.Second

// sleep answers false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *Store) changes(events []*clientv3.Event) []store.Change {
	var changes []store.Change
	for _, ev := range events {
		key := s.bare(ev.Kv)
		switch {
		case ev.Type == mvccpb.DELETE:
			changes = append(changes, s.feed.delete(key, ev.Kv.ModRevision)...)
		default:
			s.fence.heard(key)
			changes = append(changes, s.feed.put(key, ev.Kv.Value, ev.Kv.ModRevision)...)
		}
	}
	return changes
}

// Local is the cache as it is.
func (s *Store) Local() store.Snapshot { return s.cache.Snapshot() }

// Watch reports changed keys.
func (s *Store) Watch(prefix string) *store.Watcher { return s.cache.Watch(prefix) }

// Snapshot asks etcd how far it is and waits until the cache has it.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	got, err := s.client.Get(ctx, s.prefix+"\x00", clientv3.WithCountOnly())
	if err != nil {
		return nil, fmt.Errorf("ask etcd for its revision: %w", err)
	}
	if err := s.reach(ctx, got.Header.Revision); err != nil {
		return nil, err
	}
	return s.cache.Snapshot(), nil
}

// reach waits until the cache has rev. In a cluster with other tenants the revision may be theirs, of which our watch
// hears only when it asks for its progress.
func (s *Store) reach(ctx context.Context, rev int64) error {
	for {
		brief, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		err := s.cache.Wait(brief, rev)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.client.RequestProgress(clientv3.WithRequireLeader(ctx)); err != nil && ctx.Err() == nil {
			s.log.Debug("etcd was not asked for its progress", "error", err) // the watch is beginning again: so does this
		}
	}
}
