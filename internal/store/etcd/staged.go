package etcd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"slipway/internal/store"
)

// A transaction larger than the server's limits is staged: each key is overwritten by an envelope that holds its old and
// its new value under the transaction's id, chunk by chunk. No reader sees the new values until one key, the commit
// point, says "committed"; then all see all of them. Afterwards the envelopes are unwrapped. Whoever finds a staged
// transaction that nobody finished aborts it, so a crash anywhere leaves all of it or none.

const (
	commitPoints = "tx/"
	envelopeMark = 0x01
	pending      = "pending"
	committed    = "committed"
	aborted      = "aborted"
)

// undecided is the revision of a key that is staged: no precondition on it holds until its transaction is decided.
const undecided = -1

// abandonedAfter is how long a staged transaction may stay undecided before others take it for dead.
const abandonedAfter = 20 * time.Second

type envelope struct {
	TX       string
	Old, New []byte // nil: absent
}

// wrap's layout: mark, then id, old and new, each with a length that is 0 for nil and 1+len otherwise. Values stay readable to grep.
func (e envelope) wrap() []byte {
	b := []byte{envelopeMark}
	for _, part := range [][]byte{[]byte(e.TX), e.Old, e.New} {
		if part == nil {
			b = binary.AppendUvarint(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(part))+1)
		b = append(b, part...)
	}
	return b
}

func unwrap(value []byte) (envelope, bool) {
	if len(value) == 0 || value[0] != envelopeMark {
		return envelope{}, false
	}
	parts := [3][]byte{}
	rest := value[1:]
	for i := range parts {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used)+1 {
			return envelope{}, false
		}
		rest = rest[used:]
		if n > 0 {
			parts[i], rest = rest[:n-1:n-1], rest[n-1:]
		}
	}
	return envelope{TX: string(parts[0]), Old: parts[1], New: parts[2]}, true
}

type commitPoint struct {
	State string `json:"state"`
}

// feed turns etcd's raw keys into what readers may see.
type feed struct {
	staged map[string][]stagedKey // by transaction, in the order they came
	points map[string]string      // transaction to state
}

type stagedKey struct {
	key string
	envelope
	rev int64
}

func (f *feed) put(key string, value []byte, rev int64) []store.Change {
	if id, ok := strings.CutPrefix(key, commitPoints); ok {
		var p commitPoint
		if json.Unmarshal(value, &p) != nil {
			return nil
		}
		f.point(id, p.State)
		if p.State != committed {
			return nil
		}
		return f.reveal(id, rev)
	}
	e, ok := unwrap(value)
	if !ok {
		f.forget(key)
		return []store.Change{{Key: key, Value: value, Rev: rev}}
	}
	if f.points[e.TX] == committed {
		return []store.Change{{Key: key, Value: e.New, Rev: rev}}
	}
	if f.staged == nil {
		f.staged = map[string][]stagedKey{}
	}
	f.staged[e.TX] = append(f.staged[e.TX], stagedKey{key, e, rev})
	return nil
}

func (f *feed) point(id, state string) {
	if f.points == nil {
		f.points = map[string]string{}
	}
	f.points[id] = state
}

func (f *feed) reveal(id string, rev int64) []store.Change {
	changes := make([]store.Change, 0, len(f.staged[id]))
	for _, k := range f.staged[id] {
		changes = append(changes, store.Change{Key: k.key, Value: k.New, Rev: k.rev})
	}
	delete(f.staged, id)
	return changes
}

func (f *feed) delete(key string, rev int64) []store.Change {
	if id, ok := strings.CutPrefix(key, commitPoints); ok {
		delete(f.points, id)
		delete(f.staged, id)
		return nil
	}
	f.forget(key)
	return []store.Change{{Key: key, Rev: rev}}
}

// forget drops a staged value that was rolled back or unwrapped.
func (f *feed) forget(key string) {
	for id, keys := range f.staged {
		f.staged[id] = slices.DeleteFunc(keys, func(k stagedKey) bool { return k.key == key })
	}
}

// settle ends a load: what was staged and not committed shows its old value.
func (f *feed) settle() []store.Change {
	var changes []store.Change
	for id, keys := range f.staged {
		if f.points[id] == committed {
			changes = append(changes, f.reveal(id, 0)...)
			continue
		}
		for _, k := range keys {
			if k.Old != nil {
				changes = append(changes, store.Change{Key: k.key, Value: k.Old, Rev: undecided})
			}
		}
	}
	return changes
}

var errLost = errors.New("a precondition did not hold")

func (s *Store) commitStaged(ctx context.Context, o *store.Overlay) (int64, bool, error) {
	id := rand.Text()
	point := s.prefix + commitPoints + id
	began, err := s.client.Put(ctx, point, `{"state":"`+pending+`"}`)
	if err != nil {
		return 0, false, err
	}
	rev, err := s.stage(ctx, id, o)
	if err == nil {
		guards := s.preconditions(o, o.Writes)
		if len(guards) >= s.limits.Ops {
			err = fmt.Errorf("the transaction depends on %d keys that it does not write; etcd allows %d", len(guards), s.limits.Ops-1)
		} else {
			guards = append(guards, clientv3.Compare(clientv3.ModRevision(point), "=", began.Header.Revision))
			var got *clientv3.TxnResponse
			got, err = s.client.Txn(ctx).If(guards...).Then(clientv3.OpPut(point, `{"state":"`+committed+`"}`)).Commit()
			if err == nil && got.Succeeded {
				// Committed, whatever happens now; the janitor unwraps what this does not come to.
				s.wg.Go(func() { s.tidy(context.WithoutCancel(ctx), id, true) })
				return got.Header.Revision, true, nil
			}
			if err == nil {
				rev, err = got.Header.Revision, errLost
			}
		}
	}
	s.abort(context.WithoutCancel(ctx), id)
	if errors.Is(err, errLost) {
		return rev, false, nil
	}
	return 0, false, err
}

// stage writes the envelopes in chunks within the limits.
func (s *Store) stage(ctx context.Context, id string, o *store.Overlay) (int64, error) {
	var cmps []clientv3.Cmp
	var ops []clientv3.Op
	var size int
	var rev int64
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		got, err := s.client.Txn(ctx).If(cmps...).Then(ops...).Commit()
		if err != nil {
			return err
		}
		rev = got.Header.Revision
		cmps, ops, size = cmps[:0], ops[:0], 0
		if !got.Succeeded {
			return errLost
		}
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(o.Writes)) {
		e := envelope{TX: id, New: o.Writes[key]}
		if it := o.Snapshot.Get(key); it != nil {
			e.Old = it.Value
		}
		value := e.wrap()
		if len(ops) >= s.limits.Ops || size+len(value)+len(key) > s.limits.Bytes {
			if err := flush(); err != nil {
				return rev, err
			}
		}
		size += len(value) + len(key) + 64
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+key), "=", o.Reads[key]))
		ops = append(ops, clientv3.OpPut(s.prefix+key, string(value)))
	}
	return rev, flush()
}

// abort decides against a transaction unless it has committed, and puts the old values back.
func (s *Store) abort(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, abandonedAfter)
	defer cancel()
	point := s.prefix + commitPoints + id
	got, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.Value(point), "!=", `{"state":"`+committed+`"}`)).
		Then(clientv3.OpPut(point, `{"state":"`+aborted+`"}`)).
		Commit()
	if err != nil {
		s.log.Warn("staged transaction not aborted yet", "error", err)
		return
	}
	s.tidy(ctx, id, !got.Succeeded)
}

// tidy replaces a decided transaction's envelopes by plain values, then removes the commit point.
func (s *Store) tidy(ctx context.Context, id string, won bool) {
	ctx, cancel := context.WithTimeout(ctx, abandonedAfter)
	defer cancel()
	err := s.eachEnvelope(ctx, func(key string, e envelope, rev int64) error {
		if e.TX != id {
			return nil
		}
		value := e.Old
		if won {
			value = e.New
		}
		_, err := s.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(s.prefix+key), "=", rev)).Then(s.op(key, value)).Commit()
		return err
	})
	if err == nil {
		_, err = s.client.Delete(ctx, s.prefix+commitPoints+id)
	}
	if err != nil {
		s.log.Warn("staged transaction not tidied yet", "error", err)
	}
}

func (s *Store) eachEnvelope(ctx context.Context, fn func(string, envelope, int64) error) error {
	for key, end := s.prefix, clientv3.GetPrefixRangeEnd(s.prefix); ; {
		got, err := s.client.Get(ctx, key, clientv3.WithRange(end), clientv3.WithLimit(pageSize))
		if err != nil {
			return err
		}
		for _, kv := range got.Kvs {
			if len(kv.Value) == 0 || kv.Value[0] != envelopeMark {
				continue
			}
			if e, ok := unwrap(bytes.Clone(kv.Value)); ok {
				if err := fn(s.bare(kv), e, kv.ModRevision); err != nil {
					return err
				}
			}
		}
		if !got.More {
			return nil
		}
		key = string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
	}
}

// janitor ends what crashed processes left staged. It trusts no clock but its own: a transaction is abandoned when it has
// been seen undecided for abandonedAfter.
func (s *Store) janitor(ctx context.Context) {
	seen := map[string]time.Time{}
	tick := time.NewTicker(abandonedAfter / 4)
	defer tick.Stop()
	for {
		s.sweep(ctx, seen, abandonedAfter)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Store) sweep(ctx context.Context, seen map[string]time.Time, patience time.Duration) {
	got, err := s.client.Get(ctx, s.prefix+commitPoints, clientv3.WithPrefix())
	if err != nil {
		return
	}
	there := map[string]bool{}
	for _, kv := range got.Kvs {
		id := strings.TrimPrefix(s.bare(kv), commitPoints)
		there[id] = true
		first, ok := seen[id]
		if !ok {
			first = time.Now()
			seen[id] = first
		}
		if time.Since(first) >= patience {
			s.abort(ctx, id)
		}
	}
	maps.DeleteFunc(seen, func(id string, _ time.Time) bool { return !there[id] })
}
