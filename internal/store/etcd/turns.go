package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"slipway/internal/seal"
	"slipway/internal/store"
)

// One process's transactions take turns: those that wait run one after the other, each on what the ones before it are about
// to write, and commit together as one etcd transaction. So none of them conflicts with another of the same process, and
// what a crowd costs is one commit for each round, not one for each. Only another process can make a round run again.

// maxRound is how many transactions commit together at most.
const maxRound = 256

// turn is one Update's. The function runs on its caller's own goroutine, when it is called.
type turn struct {
	ctx  context.Context
	call chan store.Snapshot // the state to run on
	ran  chan struct{}       // the function has run: o and err say what came of it
	left chan struct{}       // closed when the caller is not there any more
	done chan struct{}       // closed when the outcome is known

	o    *store.Overlay
	err  error
	from int64 // the revision that a refusal must at least rest on; 0: not known yet
}

// Update waits for its turn.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	t := &turn{
		ctx: ctx, call: make(chan store.Snapshot), ran: make(chan struct{}), left: make(chan struct{}),
		done: make(chan struct{}),
	}
	defer close(t.left) // also when fn panics
	select {
	case s.queue <- t:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrConflict, context.Cause(ctx))
	case <-s.ctx.Done():
		return errClosed
	}
	for {
		select {
		case on := <-t.call:
			t.o = store.NewOverlay(on)
			t.err = fn(t.o)
			t.ran <- struct{}{}
		case <-t.done:
			return t.err
		case <-s.ctx.Done():
			return errClosed
		case <-ctx.Done():
			select {
			case <-t.done: // the outcome came first
				return t.err
			default:
				return fmt.Errorf("%w: %w", store.ErrConflict, context.Cause(ctx))
			}
		}
	}
}

var errClosed = errors.New("store: closed")

// run has the caller run its function on a state; false means that the caller has left.
func (t *turn) run(on store.Snapshot) bool {
	select {
	case t.call <- on:
	case <-t.left:
		return false
	}
	select {
	case <-t.ran:
		return true
	case <-t.left: // it panicked
		return false
	}
}

// end tells the caller what came of the commit, or lets the function's own error stand.
func (t *turn) end(err error) {
	if err != nil {
		t.err = err
	}
	close(t.done)
}

func (s *Store) takeTurns(ctx context.Context) {
	var waiting []*turn
	for lost := 0; ; {
		if len(waiting) == 0 {
			select {
			case <-ctx.Done():
				return
			case t := <-s.queue:
				waiting = append(waiting, t)
			}
		}
		for more := true; more && len(waiting) < maxRound; {
			select {
			case t := <-s.queue:
				waiting = append(waiting, t)
			default:
				more = false
			}
		}
		if !s.giveWay(ctx) {
			return
		}
		var won bool
		if waiting, won = s.round(ctx, waiting); won {
			lost = 0
			continue
		}
		lost++ // to another process, which shall not lose to us in turn for ever
		if lost > 2 && !sleep(ctx, time.Duration(rand.Int64N(int64(min(lost, 50))*int64(time.Millisecond)))) {
			return
		}
	}
}

// givenWay is how long a large transaction of another process may hold up this one's.
const givenWay = 3 * time.Second

// giveWay waits while another process stages a transaction, which small ones would otherwise overtake for ever. It answers
// false when ctx ended.
func (s *Store) giveWay(ctx context.Context) bool {
	for s.cache.Undecided() && s.staging.ago() < givenWay {
		if !sleep(ctx, 2*time.Millisecond) {
			return false
		}
	}
	return true
}

// batch is what one round commits.
type batch struct {
	base   int64
	reads  map[string]int64
	ranges map[string]struct{}
	all    bool
	writes map[string][]byte
	size   int
}

// fits says whether a transaction may join within the limits: the fence takes one operation, and guards and the sealing take
// four comparisons besides one for each write.
func (b *batch) fits(o *store.Overlay, limits Limits) bool {
	size := b.size
	for k, v := range o.Writes {
		size += len(k) + len(v) + perWrite
	}
	return len(b.writes)+len(o.Writes) <= limits.Ops-4 && size <= limits.Bytes
}

func (b *batch) add(o *store.Overlay, schema store.Schema) {
	for k, rev := range o.Reads {
		if _, known := b.reads[k]; !known && rev != store.Ahead {
			b.reads[k] = rev
		}
	}
	for p := range o.Ranges {
		b.ranges[p] = struct{}{}
	}
	for t := range o.Terms {
		p := schema.Covers(t)
		b.ranges[p] = struct{}{}
		b.all = b.all || p == ""
	}
	b.all = b.all || o.All
	for k, v := range o.Writes {
		b.writes[k] = v
		b.size += len(k) + len(v) + perWrite
	}
}

// perWrite is what a write takes of a request besides key and value, in bytes.
const perWrite = 64 + seal.Overhead

// round runs those that wait in turn, commits, and tells each what came of it. It returns those whose turn comes again, and
// whether the commit was not lost to another process.
func (s *Store) round(ctx context.Context, waiting []*turn) (again []*turn, won bool) {
	branch := s.cache.Branch()
	b := &batch{base: branch.Revision(), reads: map[string]int64{}, ranges: map[string]struct{}{}, writes: map[string][]byte{}}
	var writers, resting, later []*turn
	var large *turn
	for i, t := range waiting {
		if !t.run(branch) {
			continue
		}
		if t.err != nil || len(t.o.Writes) == 0 {
			resting = append(resting, t)
			continue
		}
		if !b.fits(t.o, s.limits) {
			if len(b.writes) > 0 { // the next round begins with it
				later = waiting[i:]
				break
			}
			large, later = t, waiting[i+1:]
			b.add(t.o, s.schema.Schema)
			break
		}
		b.add(t.o, s.schema.Schema)
		branch.Apply(t.o.Writes)
		writers = append(writers, t)
	}
	if large != nil {
		writers = []*turn{large}
	}
	if len(writers) == 0 {
		return append(s.rest(ctx, b.base, resting), later...), true
	}
	guards, unchanged := s.guards(b, branch.Undecided(), large)
	rev, done, err := s.commit(ctx, b, guards, large)
	if err == nil {
		err = s.reach(ctx, rev)
	}
	if err == nil && !done {
		return append(append(writers, resting...), later...), false
	}
	for _, t := range writers {
		if err != nil {
			t.end(fmt.Errorf("commit: %w", err))
		} else {
			t.end(nil)
		}
	}
	switch {
	case err != nil: // what rested saw what never came
		return append(resting, later...), true
	case unchanged: // the commit has shown that the state was the newest
		for _, t := range resting {
			t.end(nil)
		}
		return later, true
	}
	return append(s.rest(ctx, b.base, resting), later...), true
}

// rest ends the transactions that write nothing: refusals, most of them. Each rests on a state, which must be as new as its
// call; those that ran on an older one run again.
func (s *Store) rest(ctx context.Context, base int64, resting []*turn) (again []*turn) {
	for _, t := range resting {
		if t.from > 0 && base >= t.from {
			t.end(nil)
		} else {
			again = append(again, t)
		}
	}
	if len(again) == 0 {
		return nil
	}
	brief, cancel := context.WithTimeout(ctx, patienceOfOne)
	defer cancel()
	got, err := s.client.Txn(brief).If(s.unchanged(base)...).Commit()
	if err == nil && !got.Succeeded {
		if err = s.reach(ctx, got.Header.Revision); err == nil {
			for _, t := range again {
				t.from = got.Header.Revision
			}
			return again
		}
	}
	for _, t := range again {
		if err != nil {
			t.end(fmt.Errorf("ask etcd whether the state is the newest: %w", err))
		} else {
			t.end(nil)
		}
	}
	return nil
}

// commit answers whether the preconditions held, and the revision that the cache must reach to see the outcome.
func (s *Store) commit(ctx context.Context, b *batch, guards []clientv3.Cmp, large *turn) (int64, bool, error) {
	if err := s.hasRoom(); err != nil {
		return 0, false, err
	}
	if large != nil {
		brief, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return s.commitStaged(brief, large.o, guards)
	}
	ops := make([]clientv3.Op, 0, len(b.writes)+1)
	sealer := s.newSealer(ctx)
	for k, v := range b.writes {
		v, err := sealer.value(k, v)
		if err != nil {
			return 0, false, err
		}
		ops = append(ops, s.op(k, v))
	}
	return s.fenced(ctx, append(guards, sealer.guard()...), ops)
}

// hasRoom says when room ends and when it is back.
func (s *Store) hasRoom() error {
	err := s.room()
	switch full := err != nil; {
	case full && !s.full:
		s.log.Error("no change is taken until there is room; reads go on", "error", err)
	case !full && s.full:
		s.log.Warn("there is room again: changes are taken")
	}
	s.full = err != nil
	return err
}

// guards are the preconditions of a batch. Nobody else having committed covers all of them in two comparisons; where others do
// commit, what was read is told one by one, so that only a real conflict is one. What reads without end cannot be told one by
// one. While another's keys are staged they get their next value without a change of their own, so there too nobody must have
// committed; and what this batch writes must not be staged.
func (s *Store) guards(b *batch, undecided bool, large *turn) (cmps []clientv3.Cmp, unchanged bool) {
	read := func(k string) {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+k), "=", b.reads[k]))
	}
	unchanged = b.all || undecided || s.fence.alone() || len(b.reads)+len(b.ranges)+2 >= s.limits.Ops
	if large != nil { // its envelopes are put under their own conditions, and may lie in what it looked through
		return s.unchanged(b.base), true
	}
	if unchanged {
		cmps = s.unchanged(b.base)
		for k := range b.writes {
			if undecided {
				read(k)
			}
		}
		return cmps, true
	}
	for k := range b.reads {
		read(k)
	}
	for p := range b.ranges {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+p), "<", b.base+1).WithPrefix())
	}
	return cmps, false
}

func (s *Store) op(key string, value []byte) clientv3.Op {
	if value == nil {
		return clientv3.OpDelete(s.prefix + key)
	}
	return clientv3.OpPut(s.prefix+key, string(value))
}
