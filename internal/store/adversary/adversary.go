// Package adversary is a store.Store for tests that is as unkind as a store may be: transactions of several callers run
// against each other in an order that a seed gives, their states are late, their commits are lost to others who never
// were, and the outcome of some is never heard. It keeps the contract of storetest to the letter and not a step further.
// Rooms' tests run on it; a serial store proves only that a lonely caller is served.
package adversary

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway/internal/store"
)

// Store is one server's view of a state in memory that several servers fight for.
type Store struct {
	*world
	own int64 // the last revision that this server committed: its transactions begin on no older state
}

// world is what the servers share.
type world struct {
	mu      sync.Mutex
	dice    *rand.Rand
	rev     int64
	cache   *store.Cache
	past    []store.Snapshot // the last few states: a transaction may begin on any of them
	unheard bool             // outcomes get lost
	field   *field           // of Together
}

var _ store.Store = (*Store)(nil)

// New makes an empty store. The seed decides all that is left to chance.
func New(schema store.Schema, seed uint64) *Store {
	w := &world{dice: rand.New(rand.NewPCG(seed, 0)), cache: store.NewCache(schema)}
	w.past = []store.Snapshot{w.cache.Snapshot()}
	return &Store{world: w}
}

// Other is another server of the same state. What this one commits, that one may hear of late.
func (s *Store) Other() *Store { return &Store{world: s.world} }

// Unheard makes Update answer ErrConflict now and then for what it has committed, as it does when its caller's time ends first.
func (s *Store) Unheard() *Store { s.unheard = true; return s }

// late is how many states a transaction may be behind when it begins.
const late = 4

// Run runs a test for each of n seeds, until one fails.
func Run(t *testing.T, schema store.Schema, n int, test func(t *testing.T, s *Store)) {
	t.Helper()
	for seed := range uint64(n) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { test(t, New(schema, seed)) })
		if t.Failed() {
			return // the first seed that fails says enough
		}
	}
}

func (s *world) chance(one, in int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dice.IntN(in) < one
}

// Update runs fn on a state that may be late, lets others come between, and commits if all that it read holds.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	s.mu.Lock()
	called := s.rev // a refusal must rest on a state at least as new
	s.mu.Unlock()
	for attempt := 0; ; attempt++ {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", store.ErrConflict, context.Cause(ctx))
		}
		on := s.Local()
		if attempt > 0 {
			on = s.cache.Snapshot()
		}
		s.between()
		o := store.NewOverlay(on)
		err := fn(o)
		s.between()
		if attempt < 3 && s.chance(1, 6) {
			continue // lost to somebody whom nobody will see
		}
		done, said := s.end(o, err, called)
		if !done {
			continue
		}
		if said == nil && len(o.Writes) > 0 && s.unheard && s.chance(1, 10) {
			return fmt.Errorf("%w: the answer was lost", store.ErrConflict)
		}
		return said
	}
}

func (s *Store) end(o *store.Overlay, err error, called int64) (done bool, said error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cache.Snapshot()
	if err != nil || len(o.Writes) == 0 {
		return o.Revision() >= called || holds(o, now), err
	}
	if !holds(o, now) {
		return false, nil
	}
	s.rev++
	s.own = s.rev
	changes := make([]store.Change, 0, len(o.Writes))
	for k, v := range o.Writes {
		changes = append(changes, store.Change{Key: k, Value: v, Rev: s.rev})
	}
	s.cache.Apply(changes, s.rev, false)
	s.past = append(s.past, s.cache.Snapshot())
	if len(s.past) > late {
		s.past = s.past[1:]
	}
	return true, nil
}

// holds says whether everything that a transaction read is still so.
func holds(o *store.Overlay, now store.Snapshot) bool {
	if o.All {
		return o.Revision() == now.Revision()
	}
	for k, rev := range o.Reads {
		it := now.Get(k)
		if it == nil && rev != 0 || it != nil && it.Rev != rev {
			return false
		}
	}
	versions := func(r store.Reader, prefix, term string) (out []string) {
		items := r.Range(prefix)
		if term != "" {
			items = r.Indexed(term)
		}
		for it := range items {
			out = append(out, fmt.Sprint(it.Key, "@", it.Rev))
		}
		return out
	}
	for p := range o.Ranges {
		if !slices.Equal(versions(o.Snapshot, p, ""), versions(now, p, "")) {
			return false
		}
	}
	for t := range o.Terms {
		if !slices.Equal(versions(o.Snapshot, "", t), versions(now, "", t)) {
			return false
		}
	}
	return true
}

// Snapshot is the newest state.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s.between()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own = s.rev // from now on this server knows as much
	return s.cache.Snapshot(), context.Cause(ctx)
}

// Local may be late.
func (s *Store) Local() store.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := slices.DeleteFunc(slices.Clone(s.past), func(old store.Snapshot) bool { return old.Revision() < s.own })
	return known[s.dice.IntN(len(known))]
}

// Watch reports changed keys.
func (s *Store) Watch(prefix string) *store.Watcher { return s.cache.Watch(prefix) }

// Close does nothing.
func (s *Store) Close() error { return nil }

// field is where the callers of one Together meet: one runs at a time, and gives way wherever the store is asked.
type field struct {
	runs  int // whose turn it is
	turns []chan struct{}
	back  chan bool // true: has ended
}

// between lets another caller go on.
func (s *world) between() {
	s.mu.Lock()
	f := s.field
	s.mu.Unlock()
	if f == nil {
		return
	}
	me := f.runs
	f.back <- false
	<-f.turns[me]
}

// Together runs the callers against each other: before and after each transaction's function, and at each snapshot, the seed
// says who goes on. It returns when all have ended. A caller must not wait for another.
func (s *world) Together(callers ...func()) {
	f := &field{turns: make([]chan struct{}, len(callers)), back: make(chan bool)}
	var wg sync.WaitGroup
	var live []int
	for i, call := range callers {
		f.turns[i] = make(chan struct{})
		live = append(live, i)
		wg.Go(func() {
			<-f.turns[i]
			call()
			f.back <- true
		})
	}
	s.set(f)
	for len(live) > 0 {
		s.mu.Lock()
		at := s.dice.IntN(len(live))
		s.mu.Unlock()
		f.runs = live[at]
		f.turns[f.runs] <- struct{}{}
		if <-f.back {
			live = slices.Delete(live, at, at+1)
		}
	}
	s.set(nil)
	wg.Wait()
}

func (s *world) set(f *field) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.field = f
}

// Keys are what is there under a prefix, for a failure's words.
func (s *world) Keys(prefix string) string {
	var out []string
	for it := range s.cache.Snapshot().Range(prefix) {
		out = append(out, it.Key)
	}
	return strings.Join(out, " ")
}
