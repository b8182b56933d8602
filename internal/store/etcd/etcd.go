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
	cache  *store.Cache
	log    *slog.Logger
	close  func() error
	cancel context.CancelFunc
	wg     sync.WaitGroup

	patience sync.Mutex // held by a transaction that has lost twice, so that a crowd on one key drains in turn
	feed     feed
}

// Open loads everything below prefix and follows it from then on. closer, which may not be nil, ends what client needs.
func Open(ctx context.Context, client *clientv3.Client, prefix string, limits Limits, schema store.Schema, log *slog.Logger, closer func() error) (*Store, error) {
	s := &Store{client: client, prefix: prefix, limits: limits, cache: store.NewCache(schema), log: log, close: closer}
	rev, err := s.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.follow(run, rev+1) })
	s.wg.Go(func() { s.janitor(run) })
	return s, nil
}

// Close stops following and closes the client.
func (s *Store) Close() error {
	s.cancel()
	s.wg.Wait()
	return errors.Join(s.client.Close(), s.close())
}

const pageSize = 2000

// load reads all keys at one revision into an empty feed and brings the cache there.
func (s *Store) load(ctx context.Context) (int64, error) {
	f := feed{staged: map[string][]stagedKey{}}
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
	changes = append(changes, f.settle()...)
	for it := range s.cache.Snapshot().Range("") {
		if !live[it.Key] {
			changes = append(changes, store.Change{Key: it.Key})
		}
	}
	s.feed = f
	s.cache.Apply(changes, rev)
	return rev, nil
}

func (s *Store) bare(kv *mvccpb.KeyValue) string { return string(kv.Key[len(s.prefix):]) }

// follow applies etcd's events to the cache, revision by revision, and loads anew when the history it needs is compacted.
func (s *Store) follow(ctx context.Context, from int64) {
	for ctx.Err() == nil {
		watch := s.client.Watch(clientv3.WithRequireLeader(ctx), s.prefix, clientv3.WithPrefix(), clientv3.WithRev(from), clientv3.WithProgressNotify())
		for got := range watch {
			if err := got.Err(); err != nil {
				s.log.Warn("state watch broke off", "error", err, "revision", from)
				break
			}
			var changes []store.Change
			for _, ev := range got.Events {
				if ev.Type == mvccpb.DELETE {
					changes = append(changes, s.feed.delete(s.bare(ev.Kv), ev.Kv.ModRevision)...)
				} else {
					changes = append(changes, s.feed.put(s.bare(ev.Kv), ev.Kv.Value, ev.Kv.ModRevision)...)
				}
			}
			s.cache.Apply(changes, got.Header.Revision)
			from = got.Header.Revision + 1
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
		if rev, err := s.load(ctx); err == nil {
			from = rev + 1
		}
	}
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
		if err := s.client.RequestProgress(clientv3.WithRequireLeader(ctx)); err != nil {
			return err
		}
	}
}

// Update runs fn on the cache and commits if what it read still holds.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	for attempt := 0; ; attempt++ {
		if attempt == 2 {
			s.patience.Lock()
			defer s.patience.Unlock()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", store.ErrConflict, context.Cause(ctx))
		}
		snapshot := s.cache.Snapshot()
		o := store.NewOverlay(snapshot)
		if err := fn(o); err != nil {
			// The refusal may rest on a state that another server has already changed: look again, at the newest, before saying it.
			fresh, asked := s.Snapshot(ctx)
			if asked != nil || fresh.Revision() == snapshot.Revision() || attempt > 0 {
				return err
			}
			continue
		}
		if len(o.Writes) == 0 {
			return nil
		}
		rev, done, err := s.commit(ctx, o)
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		if err := s.reach(ctx, rev); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		if done {
			return nil
		}
	}
}

// commit answers whether the preconditions held, and the revision that the cache must reach to see the outcome.
func (s *Store) commit(ctx context.Context, o *store.Overlay) (int64, bool, error) {
	guards := s.preconditions(o, nil)
	size := 0
	ops := make([]clientv3.Op, 0, len(o.Writes))
	for k, v := range o.Writes {
		size += len(k) + len(v) + 64
		ops = append(ops, s.op(k, v))
	}
	if len(ops) > s.limits.Ops || len(guards) > s.limits.Ops || size > s.limits.Bytes {
		return s.commitStaged(ctx, o)
	}
	got, err := s.client.Txn(ctx).If(guards...).Then(ops...).Commit()
	if err != nil {
		return 0, false, err
	}
	return got.Header.Revision, got.Succeeded, nil
}

func (s *Store) op(key string, value []byte) clientv3.Op {
	if value == nil {
		return clientv3.OpDelete(s.prefix + key)
	}
	return clientv3.OpPut(s.prefix+key, string(value))
}

// preconditions are the revisions read, less those of keys in without, and the guarded prefixes.
func (s *Store) preconditions(o *store.Overlay, without map[string][]byte) []clientv3.Cmp {
	cmps := make([]clientv3.Cmp, 0, len(o.Reads)+len(o.Guards))
	for k, rev := range o.Reads {
		if _, skip := without[k]; !skip {
			cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+k), "=", rev))
		}
	}
	for p := range o.Guards {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+p), "<", o.Revision()+1).WithPrefix())
	}
	return cmps
}
