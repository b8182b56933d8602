package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"slipway/internal/seal"
	"slipway/internal/store"
)

// What the schema calls secret lies sealed in etcd, in envelopes too; the cache above has it as it was put. One key beside the
// records, sealingKey, names the key that is sealed under, and every commit that seals has its value for a precondition: as
// soon as a rotation has named another, nothing more is sealed under the one before, by any server. A value that cannot be
// unsealed is a damaged item: there, loud and never taken for absent.

// sealingKey lies beside the records and is none.
const sealingKey = "sealing"

// Schema is what the store must know of its values' meaning, with the keys that secrets among them are sealed by.
type Schema struct {
	store.Schema
	Keys *seal.Ring // a store whose schema has secrets refuses to open without
}

// Sealed is a schema with the keys that its secrets are sealed by.
func Sealed(s store.Schema, by *seal.Ring) Schema { return Schema{s, by} }

// sealing is what a store knows of its secrets.
type sealing struct {
	under  atomic.Pointer[seal.ID]
	locked map[string]store.Change // for the lack of a key; the goroutine that follows has it
	silent bool                    // the lack has been said
	after  func(time.Duration) <-chan time.Time
}

// mayUnseal refuses a store whose secrets this process could not read or write.
func (s *Store) mayUnseal() error {
	if s.schema.Secret == nil {
		return nil
	}
	if s.schema.Keys == nil {
		return errors.New("the schema has secrets, and no keys to seal them by")
	}
	if under := *s.sealing.under.Load(); under != "" {
		if err := s.schema.Keys.Has(under); err != nil {
			return fmt.Errorf("what is secret among the records cannot be read: %w", err)
		}
	}
	return nil
}

// unseal opens the changes' values in place.
func (s *Store) unseal(changes []store.Change) {
	lacking := 0
	for i := range changes {
		ch := &changes[i]
		delete(s.sealing.locked, ch.Key)
		if _, sealed := seal.Sealed(ch.Value); !sealed {
			continue
		}
		if s.schema.Keys == nil {
			ch.Err = errors.New("it is sealed, and there are no keys")
			continue
		}
		value, err := s.schema.Keys.Unseal(ch.Key, ch.Value)
		if err == nil {
			ch.Value = value
			continue
		}
		ch.Err = err
		if _, unknown := errors.AsType[*seal.UnknownKeyError](err); unknown {
			s.sealing.locked[ch.Key] = *ch
			lacking++
		}
	}
	if lacking > 0 && !s.sealing.silent {
		s.log.Error("records are sealed under a key that is not there: they are read as soon as it is", "records",
			lacking, "file", s.schema.Keys.File())
	}
	s.sealing.silent = len(s.sealing.locked) > 0
}

// tryAgain is how often the key file is looked at for a key that was missing.
const tryAgain = time.Second

// next is the watch's next answer. While it waits, what lacked a key is tried again.
func (s *Store) next(watch clientv3.WatchChan) (clientv3.WatchResponse, bool) {
	for len(s.sealing.locked) > 0 {
		select {
		case got, ok := <-watch:
			return got, ok
		case <-s.sealing.after(tryAgain):
			s.unlock()
		}
	}
	got, ok := <-watch
	return got, ok
}

// unlock shows what can be unsealed by now.
func (s *Store) unlock() {
	var changes []store.Change
	for _, ch := range s.sealing.locked {
		if id, _ := seal.Sealed(ch.Value); s.schema.Keys.Has(id) == nil {
			changes = append(changes, store.Change{Key: ch.Key, Value: ch.Value, Rev: ch.Rev})
		}
	}
	if len(changes) > 0 {
		s.apply(changes, s.cache.Snapshot().Revision())
	}
}

// sealer seals the values of one commit, under one key.
type sealer struct {
	s   *Store
	ctx context.Context
	id  seal.ID // "": nothing secret has come yet
}

func (s *Store) newSealer(ctx context.Context) *sealer { return &sealer{s: s, ctx: ctx} }

// value is what etcd is given. What is sealed already, because it could not be read, stays as it is.
func (z *sealer) value(key string, value []byte) ([]byte, error) {
	if value == nil || z.s.schema.Secret == nil || !z.s.schema.Secret(key) {
		return value, nil
	}
	if _, already := seal.Sealed(value); already {
		return value, nil
	}
	if z.id == "" {
		id, err := z.s.sealUnder(z.ctx)
		if err != nil {
			return nil, err
		}
		z.id = id
	}
	return z.s.schema.Keys.Seal(z.id, key, value)
}

// guard is the precondition that the key which was sealed under is still the one to seal under.
func (z *sealer) guard() []clientv3.Cmp {
	if z.id == "" {
		return nil
	}
	return []clientv3.Cmp{clientv3.Compare(clientv3.Value(z.s.prefix+sealingKey), "=", string(z.id))}
}

// sealUnder is the key to seal under. The first that has something to seal makes it, and names it for all.
func (s *Store) sealUnder(ctx context.Context) (seal.ID, error) {
	if under := *s.sealing.under.Load(); under != "" {
		return under, nil
	}
	id, err := s.schema.Keys.First()
	if err != nil {
		return "", err
	}
	at := s.prefix + sealingKey
	brief, cancel := context.WithTimeout(ctx, patienceOfOne)
	defer cancel()
	got, err := s.client.Txn(brief).If(clientv3.Compare(clientv3.CreateRevision(at), "=", 0)).Then(clientv3.OpPut(at,
		string(id))).Else(clientv3.OpGet(at)).Commit()
	if err != nil {
		return "", fmt.Errorf("name the key of the secrets: %w", err)
	}
	if !got.Succeeded { // somebody else was first
		id = seal.ID(got.Responses[0].GetResponseRange().Kvs[0].Value)
	}
	return id, s.schema.Keys.Has(id)
}

// Seals says what the secrets of a store are sealed under.
type Seals struct {
	Under  seal.ID         // the key that is sealed under now; "": none is yet
	Values map[seal.ID]int // how many are sealed under each, those of unfinished transactions among them
	Plain  int             // how many are not sealed, from before secrets were
}

// Seals counts, at one revision.
func (s *Store) Seals(ctx context.Context) (Seals, error) {
	c, err := s.census(ctx, "")
	return c.Seals, err
}

// census is a look at all that lies in etcd.
type census struct {
	Seals
	staged bool       // envelopes are there that hold what is not sealed under the wanted key
	todo   []resealed // what else is not
}

// resealed is a value that must be sealed anew: as it lies, and the revision of its last change.
type resealed struct {
	key   string
	value []byte
	rev   int64
}

// census looks at one revision, in pages. want is the key that everything should be sealed under; "" keeps no list.
func (s *Store) census(ctx context.Context, want seal.ID) (census, error) {
	c := census{Seals: Seals{Values: map[seal.ID]int{}}}
	count := func(key string, value []byte) (done bool) {
		id, sealed := seal.Sealed(value)
		switch {
		case sealed:
			c.Values[id]++
		case value == nil || s.schema.Secret == nil || !s.schema.Secret(key):
			return true
		default:
			c.Plain++
		}
		return sealed && id == want
	}
	var rev int64
	for key, end := s.prefix, clientv3.GetPrefixRangeEnd(s.prefix); ; {
		opts := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(pageSize)}
		if rev > 0 {
			opts = append(opts, clientv3.WithRev(rev))
		}
		got, err := s.client.Get(ctx, key, opts...)
		if err != nil {
			return c, err
		}
		if rev == 0 {
			rev = got.Header.Revision
		}
		for _, kv := range got.Kvs {
			bare := s.bare(kv)
			if bare == sealingKey {
				c.Under = seal.ID(kv.Value)
				continue
			}
			if strings.HasPrefix(bare, commitPoints) || strings.HasPrefix(bare, fences) {
				continue
			}
			if e, ok := unwrap(kv.Value); ok {
				older, newer := count(bare, e.Old), count(bare, e.New)
				c.staged = c.staged || !older || !newer
				continue
			}
			if !count(bare, kv.Value) && want != "" {
				c.todo = append(c.todo, resealed{bare, kv.Value, kv.ModRevision})
			}
		}
		if !got.More {
			return c, nil
		}
		key = string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
	}
}

// Rotate makes a new key, or takes the one that Prepare or a rotation that broke off has made, seals all secrets under it, and
// drops the others from the file when nothing refers to them. Killed anywhere it leaves a file that has all keys that are
// needed, and is ended by the next.
func (s *Store) Rotate(ctx context.Context) (to seal.ID, err error) {
	unlock, err := s.schema.Keys.Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if to, err = s.nextKey(ctx, false); err != nil {
		return "", err
	}
	if err := s.reseal(ctx, to); err != nil {
		return to, err
	}
	return to, s.schema.Keys.Keep(to)
}

// Prepare only makes the key that the next rotation takes, so that all servers can be given it before.
func (s *Store) Prepare(ctx context.Context) (next seal.ID, err error) {
	unlock, err := s.schema.Keys.Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	return s.nextKey(ctx, true)
}

// nextKey is the newest of the file if it is not yet sealed under, or is and others wait to be dropped; else it is made. ahead
// says that it must be one that is not yet sealed under.
func (s *Store) nextKey(ctx context.Context, ahead bool) (seal.ID, error) {
	got, err := s.client.Get(ctx, s.prefix+sealingKey)
	if err != nil {
		return "", fmt.Errorf("ask etcd for the key of the secrets: %w", err)
	}
	var under seal.ID
	if len(got.Kvs) > 0 {
		under = seal.ID(got.Kvs[0].Value)
	}
	ids := s.schema.Keys.IDs()
	if n := len(ids); n > 0 && (ids[n-1] != under || n > 1 && !ahead) {
		return ids[n-1], nil
	}
	return s.schema.Keys.Add()
}

// reseal seals all secrets under the key next, what lies there in plain too, and returns when nothing in the store refers to
// another key, nor ever will. Others go on reading and writing meanwhile. It may end anywhere, and be begun again. What cannot
// be unsealed stays as it is; the error names it, and then other keys are still referred to.
func (s *Store) reseal(ctx context.Context, next seal.ID) error {
	if err := s.schema.Keys.Has(next); err != nil {
		return err
	}
	if err := s.nameSealing(ctx, next); err != nil {
		return err
	}
	for pause := minPause; ; pause = min(2*pause, time.Second) {
		// At one revision after the naming there is neither an envelope nor a value that refers to another key. No commit
		// that seals under one can follow, and what an envelope held could only have come out before.
		c, err := s.census(ctx, next)
		switch {
		case err != nil:
			return err
		case c.Under != next:
			return fmt.Errorf("another rotation has begun, to the key %s", c.Under)
		case len(c.todo) == 0 && !c.staged:
			return nil
		}
		broken, err := s.resealAll(ctx, next, c.todo)
		if err != nil {
			return err
		}
		if len(broken) > 0 && len(broken) == len(c.todo) && !c.staged {
			return fmt.Errorf("%d records cannot be read, and stay under their keys until they are mended: %w",
				len(broken), broken[0])
		}
		if c.staged && !sleep(ctx, pause) { // a large transaction is on its way, or what a crash left of one
			return context.Cause(ctx)
		}
	}
}

// nameSealing makes next the key that is sealed under, for all servers.
func (s *Store) nameSealing(ctx context.Context, next seal.ID) error {
	got, err := s.client.Put(ctx, s.prefix+sealingKey, string(next))
	if err != nil {
		return fmt.Errorf("name the key of the secrets: %w", err)
	}
	return s.reach(ctx, got.Header.Revision)
}

// resealAll rewrites what has not changed since, as much at once as etcd takes. A value's meaning is the same before and after,
// so no transaction needs to hear of it: one that rests on the revision runs again.
func (s *Store) resealAll(ctx context.Context, next seal.ID, todo []resealed) (broken []error, err error) {
	at := clientv3.Compare(clientv3.Value(s.prefix+sealingKey), "=", string(next))
	ops, size := map[string]clientv3.Op{}, 0
	revs := map[string]int64{}
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		cmps := []clientv3.Cmp{at}
		for key, rev := range revs {
			cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(s.prefix+key), "=", rev))
		}
		got, err := s.client.Txn(ctx).If(cmps...).Then(slices.Collect(maps.Values(ops))...).Commit()
		if err == nil && !got.Succeeded { // one has changed: each by itself
			for key, op := range ops {
				one := clientv3.Compare(clientv3.ModRevision(s.prefix+key), "=", revs[key])
				if _, err = s.client.Txn(ctx).If(at, one).Then(op).Commit(); err != nil {
					break
				}
			}
		}
		clear(ops)
		clear(revs)
		size = 0
		return err
	}
	for _, r := range todo {
		value, err := r.value, error(nil)
		if _, sealed := seal.Sealed(value); sealed {
			if value, err = s.schema.Keys.Unseal(r.key, value); err != nil {
				broken = append(broken, fmt.Errorf("%s: %w", s.prefix+r.key, err))
				continue
			}
		}
		if value, err = s.schema.Keys.Seal(next, r.key, value); err != nil {
			return broken, err
		}
		if n := len(value) + len(r.key) + perWrite; len(ops)+2 >= s.limits.Ops || size+n > s.limits.Bytes ||
			len(ops) >= pageSize {
			if err := flush(); err != nil {
				return broken, err
			}
		}
		size += len(value) + len(r.key) + perWrite
		ops[r.key], revs[r.key] = s.op(r.key, value), r.rev
	}
	return broken, flush()
}
