package etcd

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"slipway/internal/seal"
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

// wrap's layout: mark, then id, old and new, each with a length that is 0 for nil and 1+len otherwise. Values stay
// readable to grep.
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
	log     *slog.Logger
	staged  map[string]map[string]stagedKey // by transaction and key: every envelope that etcd has
	envelop map[string]string               // key to the transaction whose envelope it has
	points  map[string]string               // transaction to state
	sealing seal.ID                         // the key that secrets are sealed under now; "": none is yet
}

type stagedKey struct {
	envelope
	rev int64
}

func newFeed(log *slog.Logger) feed {
	return feed{log: log, staged: map[string]map[string]stagedKey{}, envelop: map[string]string{}, points: map[string]string{}}
}

// undecided says whether any transaction has staged keys, or may, and is not decided.
func (f *feed) undecided() bool {
	for id := range f.staged {
		if f.points[id] != committed {
			return true
		}
	}
	for _, state := range f.points {
		if state == pending {
			return true
		}
	}
	return false
}

func (f *feed) put(key string, value []byte, rev int64) []store.Change {
	if id, ok := strings.CutPrefix(key, commitPoints); ok {
		var p commitPoint
		if err := json.Unmarshal(value, &p); err != nil {
			f.log.Error("a commit point cannot be read: its transaction stays undecided until it is mended",
				"transaction", id, "error", err)
			return nil
		}
		before := f.points[id]
		f.points[id] = p.State
		if p.State != committed || before == committed {
			return nil
		}
		return f.reveal(id)
	}
	if key == sealingKey {
		f.sealing = seal.ID(value)
		return nil
	}
	if strings.HasPrefix(key, fences) {
		return nil
	}
	f.forget(key)
	e, ok := unwrap(value)
	if !ok {
		return []store.Change{{Key: key, Value: value, Rev: rev}}
	}
	if f.staged[e.TX] == nil {
		f.staged[e.TX] = map[string]stagedKey{}
	}
	f.staged[e.TX][key], f.envelop[key] = stagedKey{e, rev}, e.TX
	if f.points[e.TX] == committed {
		return []store.Change{{Key: key, Value: e.New, Rev: rev}}
	}
	return nil
}

// reveal shows a committed transaction's new values.
func (f *feed) reveal(id string) []store.Change {
	changes := make([]store.Change, 0, len(f.staged[id]))
	for key, k := range f.staged[id] {
		changes = append(changes, store.Change{Key: key, Value: k.New, Rev: k.rev})
	}
	return changes
}

func (f *feed) delete(key string, rev int64) []store.Change {
	if id, ok := strings.CutPrefix(key, commitPoints); ok {
		delete(f.points, id)
		return nil
	}
	if key == sealingKey {
		f.sealing = ""
		return nil
	}
	if strings.HasPrefix(key, fences) {
		return nil
	}
	f.forget(key)
	return []store.Change{{Key: key, Rev: rev}}
}

// forget drops an envelope that was rolled back or unwrapped.
func (f *feed) forget(key string) {
	id, ok := f.envelop[key]
	if !ok {
		return
	}
	delete(f.envelop, key)
	delete(f.staged[id], key)
	if len(f.staged[id]) == 0 {
		delete(f.staged, id)
	}
}

// decide ends a load: what was staged and not committed shows its old value.
func (f *feed) decide() []store.Change {
	var changes []store.Change
	for id, keys := range f.staged {
		if f.points[id] == committed {
			changes = append(changes, f.reveal(id)...)
			continue
		}
		for key, k := range keys {
			if k.Old != nil {
				changes = append(changes, store.Change{Key: key, Value: k.Old, Rev: undecided})
			}
		}
	}
	return changes
}

var errLost = errors.New("a precondition did not hold")

// commitStaged commits one transaction that exceeds the limits. guards make up the precondition.
func (s *Store) commitStaged(ctx context.Context, o *store.Overlay, guards []clientv3.Cmp) (int64, bool, error) {
	id := rand.Text()
	point := s.prefix + commitPoints + id
	// Fenced: from here on, who commits on a state from before this notices, and who commits on a later one knows that keys
	// may be staged.
	began, done, err := s.fenced(ctx, guards, []clientv3.Op{clientv3.OpPut(point, `{"state":"`+pending+`"}`)})
	if err != nil || !done {
		return began, false, err
	}
	rev, err := s.stage(ctx, id, o)
	if err == nil {
		guards = append(guards, clientv3.Compare(clientv3.ModRevision(point), "=", began))
		if rev, done, err = s.fenced(ctx, guards, []clientv3.Op{clientv3.OpPut(point, `{"state":"`+committed+`"}`)}); done {
			// Committed, whatever happens now; the janitor unwraps what this does not come to.
			s.wg.Go(func() { s.tidy(s.ctx, id, true, slices.Collect(maps.Keys(o.Writes))) })
			return rev, true, nil
		}
		if err == nil {
			err = errLost
		}
	}
	s.abort(context.WithoutCancel(ctx), id, slices.Collect(maps.Keys(o.Writes)))
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
	sealer := s.newSealer(ctx)
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		got, err := s.client.Txn(ctx).If(append(cmps, sealer.guard()...)...).Then(ops...).Commit()
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
		e := envelope{TX: id}
		var err error
		if it := o.Snapshot.Get(key); it != nil {
			if e.Old, err = sealer.value(key, it.Value); err != nil {
				return rev, err
			}
		}
		if e.New, err = sealer.value(key, o.Writes[key]); err != nil {
			return rev, err
		}
		value := e.wrap()
		if len(ops)+1 >= s.limits.Ops || size+len(value)+len(key) > s.limits.Bytes {
			if err := flush(); err != nil {
				return rev, err
			}
		}
		size += len(value) + len(key) + perWrite
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+key), "=", o.Reads[key]))
		ops = append(ops, clientv3.OpPut(s.prefix+key, string(value)))
	}
	return rev, flush()
}

// abort decides against a transaction unless it has committed, and puts the old values back.
func (s *Store) abort(ctx context.Context, id string, keys []string) {
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
	s.tidy(ctx, id, !got.Succeeded, keys)
}

// tidy replaces a decided transaction's envelopes under keys by plain values, then removes the commit point.
func (s *Store) tidy(ctx context.Context, id string, won bool, keys []string) {
	ctx, cancel := context.WithTimeout(ctx, abandonedAfter)
	defer cancel()
	for chunk := range slices.Chunk(keys, s.limits.Ops) {
		if err := s.unwrapKeys(ctx, id, chunk, won); err != nil {
			s.log.Warn("staged transaction not tidied yet", "error", err)
			return
		}
	}
	if _, err := s.client.Delete(ctx, s.prefix+commitPoints+id); err != nil {
		s.log.Warn("staged transaction not tidied yet", "error", err)
	}
}

// unwrapKeys unwraps what one transaction can read, together; where one of them has changed meanwhile, each by itself.
func (s *Store) unwrapKeys(ctx context.Context, id string, keys []string, won bool) error {
	reads := make([]clientv3.Op, len(keys))
	for i, key := range keys {
		reads[i] = clientv3.OpGet(s.prefix + key)
	}
	got, err := s.client.Txn(ctx).Then(reads...).Commit()
	if err != nil {
		return err
	}
	var cmps []clientv3.Cmp
	var ops []clientv3.Op
	size := 0
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		got, err := s.client.Txn(ctx).If(cmps...).Then(ops...).Commit()
		if err == nil && !got.Succeeded && len(ops) > 1 {
			for i := range ops {
				if _, err = s.client.Txn(ctx).If(cmps[i]).Then(ops[i]).Commit(); err != nil {
					break
				}
			}
		}
		cmps, ops, size = nil, nil, 0
		return err
	}
	for i, r := range got.Responses {
		kvs := r.GetResponseRange().Kvs
		if len(kvs) == 0 {
			continue
		}
		e, ok := unwrap(kvs[0].Value)
		if !ok || e.TX != id {
			continue
		}
		value := e.Old
		if won {
			value = e.New
		}
		if size+len(value) > s.limits.Bytes {
			if err := flush(); err != nil {
				return err
			}
		}
		size += len(value) + len(keys[i]) + perWrite
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+keys[i]), "=", kvs[0].ModRevision))
		ops = append(ops, s.op(keys[i], value))
	}
	return flush()
}

// envelopesOf finds a transaction's envelopes among all keys: only for what a crashed process has left.
func (s *Store) envelopesOf(ctx context.Context, id string) ([]string, error) {
	var keys []string
	for key, end := s.prefix, clientv3.GetPrefixRangeEnd(s.prefix); ; {
		got, err := s.client.Get(ctx, key, clientv3.WithRange(end), clientv3.WithLimit(pageSize))
		if err != nil {
			return nil, err
		}
		for _, kv := range got.Kvs {
			if e, ok := unwrap(kv.Value); ok && e.TX == id {
				keys = append(keys, s.bare(kv))
			}
		}
		if !got.More {
			return keys, nil
		}
		key = string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
	}
}

// janitor ends what crashed processes left staged. It trusts no clock but its own: a transaction is abandoned when it has
// been seen undecided for abandonedAfter.
func (s *Store) janitor(ctx context.Context) {
	seen := map[string]time.Time{}
	for {
		s.sweep(ctx, seen, abandonedAfter)
		if err := s.dropOldFences(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("old fences not dropped", "error", err)
		}
		if !sleep(ctx, abandonedAfter/4) {
			return
		}
	}
}

func (s *Store) sweep(ctx context.Context, seen map[string]time.Time, patience time.Duration) {
	got, err := s.client.Get(ctx, s.prefix+commitPoints, clientv3.WithPrefix())
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("staged transactions not listed", "error", err)
		}
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
		if time.Since(first) < patience {
			continue
		}
		if keys, err := s.envelopesOf(ctx, id); err == nil {
			s.abort(ctx, id, keys)
		}
	}
	maps.DeleteFunc(seen, func(id string, _ time.Time) bool { return !there[id] })
}
