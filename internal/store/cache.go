package store

import (
	"context"
	"iter"
	"sync"

	"github.com/tidwall/btree"
)

// Cache is the state in memory: an ordered copy-on-write tree of items and one of index terms, and its watchers.
// Both stores are built on it; etcd feeds it from a watch.
type Cache struct {
	schema Schema

	mu       sync.Mutex
	now      *tree
	waiters  []waiter
	watchers map[*Watcher]struct{}
}

type waiter struct {
	rev  int64
	done chan struct{}
}

// tree is one state. Once published it is not changed; its copies share what they have in common.
type tree struct {
	items     *btree.Map[string, *Item]
	index     *btree.Map[string, *Item] // term \x00 key
	damaged   *btree.Map[string, *Item]
	rev       int64
	undecided bool // some keys are staged: their next value may appear without a change of their own
}

func (t *tree) copy() *tree {
	return &tree{items: t.items.Copy(), index: t.index.Copy(), damaged: t.damaged.Copy(), rev: t.rev, undecided: t.undecided}
}

// set puts an item in place of what its key had; nil takes it away.
func (t *tree) set(key string, it *Item) {
	if old, ok := t.items.Get(key); ok {
		for _, k := range old.indexed {
			t.index.Delete(k)
		}
		if old.Err != nil {
			t.damaged.Delete(key)
		}
	}
	if it == nil {
		t.items.Delete(key)
		return
	}
	t.items.Set(key, it)
	for _, k := range it.indexed {
		t.index.Set(k, it)
	}
	if it.Err != nil {
		t.damaged.Set(key, it)
	}
}

// Change is a key's new value, or its deletion when Value is nil.
type Change struct {
	Key   string
	Value []byte
	Rev   int64
	Err   error // why Value is not what was put: it is sealed and cannot be opened
}

// NewCache makes an empty cache at revision 0.
func NewCache(schema Schema) *Cache {
	now := &tree{
		items: new(btree.Map[string, *Item]), index: new(btree.Map[string, *Item]), damaged: new(btree.Map[string, *Item]),
	}
	return &Cache{schema: schema, now: now, watchers: map[*Watcher]struct{}{}}
}

// item is a value as the schema reads it.
func (s Schema) item(ch Change) *Item {
	if ch.Value == nil {
		return nil
	}
	it := &Item{Key: ch.Key, Value: ch.Value, Rev: ch.Rev, Err: ch.Err}
	if it.Err != nil {
		return it
	}
	var terms []string
	it.Object, terms, it.Err = s.Decode(ch.Key, ch.Value)
	for i, t := range terms {
		terms[i] = t + "\x00" + ch.Key
	}
	it.indexed = terms
	return it
}

// Apply brings the cache to rev. A snapshot sees all of the changes or none. It answers the changed items that the schema
// could not read. undecided says that staged keys may change without a change of their own.
func (c *Cache) Apply(changes []Change, rev int64, undecided bool) (damaged []*Item) {
	made := make([]*Item, len(changes))
	for i, ch := range changes {
		if made[i] = c.schema.item(ch); made[i] != nil && made[i].Err != nil {
			damaged = append(damaged, made[i])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.now.copy()
	next.rev, next.undecided = max(rev, next.rev), undecided
	for i, ch := range changes {
		next.set(ch.Key, made[i])
	}
	c.now = next
	for w := range c.watchers {
		w.add(changes)
	}
	kept := c.waiters[:0]
	for _, w := range c.waiters {
		if w.rev <= next.rev {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	c.waiters = kept
	return damaged
}

// Wait returns once the cache has reached rev.
func (c *Cache) Wait(ctx context.Context, rev int64) error {
	c.mu.Lock()
	if c.now.rev >= rev {
		c.mu.Unlock()
		return nil
	}
	w := waiter{rev, make(chan struct{})}
	c.waiters = append(c.waiters, w)
	c.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Snapshot is the state as the cache has it.
func (c *Cache) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Branch is a state that goes on from the cache's present one by itself.
func (c *Cache) Branch() *Branch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Branch{tree: c.now.copy(), schema: c.schema}
}

// Branch is the cache's state with transactions that are about to be committed.
type Branch struct {
	*tree
	schema Schema
}

// Ahead is the revision of an item that is only about to be committed.
const Ahead = -2

// Apply adds a transaction's writes.
func (b *Branch) Apply(writes map[string][]byte) {
	for k, v := range writes {
		b.set(k, b.schema.item(Change{Key: k, Value: v, Rev: Ahead}))
	}
}

// Undecided says whether keys are staged by a transaction that has not been decided.
func (b *Branch) Undecided() bool { return b.undecided }

// Undecided is the same of the cache's present state.
func (c *Cache) Undecided() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.undecided
}

// Watch adds a watcher.
func (c *Cache) Watch(prefix string) *Watcher {
	w := &Watcher{prefix: prefix, cache: c, keys: map[string]struct{}{}, signal: make(chan struct{}, 1)}
	c.mu.Lock()
	c.watchers[w] = struct{}{}
	c.mu.Unlock()
	return w
}

func (t *tree) Revision() int64 { return t.rev }

func (t *tree) Get(key string) *Item {
	it, _ := t.items.Get(key)
	return it
}

func (t *tree) Range(prefix string) iter.Seq[*Item] { return scan(t.items, prefix) }

func (t *tree) Indexed(term string) iter.Seq[*Item] { return scan(t.index, term+"\x00") }

func (t *tree) Damaged(prefix string) iter.Seq[*Item] { return scan(t.damaged, prefix) }

func scan(m *btree.Map[string, *Item], prefix string) iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		m.Ascend(prefix, func(key string, it *Item) bool {
			return len(key) >= len(prefix) && key[:len(prefix)] == prefix && yield(it)
		})
	}
}

// Watcher collects the keys that changed until somebody asks. It never holds up a commit, however slow its reader.
type Watcher struct {
	prefix string
	cache  *Cache
	mu     sync.Mutex
	keys   map[string]struct{}
	signal chan struct{}
}

func (w *Watcher) add(changes []Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.keys)
	for _, ch := range changes {
		if len(ch.Key) >= len(w.prefix) && ch.Key[:len(w.prefix)] == w.prefix {
			w.keys[ch.Key] = struct{}{}
		}
	}
	if len(w.keys) > n {
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}

// Next waits for changes and returns the keys changed since the last call, each once, in no order.
func (w *Watcher) Next(ctx context.Context) ([]string, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-w.signal:
		}
		if keys := w.Drain(); len(keys) > 0 {
			return keys, nil
		}
	}
}

// Drain returns the keys changed since the last call without waiting for any.
func (w *Watcher) Drain() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := make([]string, 0, len(w.keys))
	for k := range w.keys {
		keys = append(keys, k)
	}
	clear(w.keys)
	return keys
}

// Close ends the watch.
func (w *Watcher) Close() {
	w.cache.mu.Lock()
	delete(w.cache.watchers, w)
	w.cache.mu.Unlock()
}
