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

type tree struct {
	items *btree.Map[string, *Item]
	index *btree.Map[string, *Item] // term \x00 key
	rev   int64
}

// Change is a key's new value, or its deletion when Value is nil.
type Change struct {
	Key   string
	Value []byte
	Rev   int64
}

// NewCache makes an empty cache at revision 0.
func NewCache(schema Schema) *Cache {
	return &Cache{
		schema:   schema,
		now:      &tree{items: new(btree.Map[string, *Item]), index: new(btree.Map[string, *Item])},
		watchers: map[*Watcher]struct{}{},
	}
}

// Apply brings the cache to rev. A snapshot sees all of the changes or none.
func (c *Cache) Apply(changes []Change, rev int64) {
	made := make([]*Item, len(changes))
	for i, ch := range changes {
		if ch.Value != nil {
			made[i] = &Item{Key: ch.Key, Value: ch.Value, Rev: ch.Rev}
			var terms []string
			made[i].Object, terms = c.schema(ch.Key, ch.Value)
			for j, t := range terms {
				terms[j] = t + "\x00" + ch.Key
			}
			made[i].indexed = terms
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := &tree{items: c.now.items.Copy(), index: c.now.index.Copy(), rev: max(rev, c.now.rev)}
	for i, ch := range changes {
		if old, ok := next.items.Get(ch.Key); ok {
			for _, key := range old.indexed {
				next.index.Delete(key)
			}
		}
		if made[i] == nil {
			next.items.Delete(ch.Key)
			continue
		}
		next.items.Set(ch.Key, made[i])
		for _, key := range made[i].indexed {
			next.index.Set(key, made[i])
		}
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
		w.mu.Lock()
		keys := make([]string, 0, len(w.keys))
		for k := range w.keys {
			keys = append(keys, k)
		}
		clear(w.keys)
		w.mu.Unlock()
		if len(keys) > 0 {
			return keys, nil
		}
	}
}

// Close ends the watch.
func (w *Watcher) Close() {
	w.cache.mu.Lock()
	delete(w.cache.watchers, w)
	w.cache.mu.Unlock()
}
