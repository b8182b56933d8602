package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"slipway/internal/await"
	"slipway/internal/seal"
	"slipway/internal/store"
)

// word is what nobody may find.
const word = "opensesame-7d1f"

func keyFile(tb testing.TB) string { return filepath.Join(tb.TempDir(), "secrets.key") }

func ring(tb testing.TB, file string) *seal.Ring {
	tb.Helper()
	r, err := seal.Load(file)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// keyed is a store over a cluster by a key file.
func keyed(tb testing.TB, endpoint, file string) *Store {
	tb.Helper()
	s, err := Dial(tb.Context(), []string{endpoint}, "/t/", DefaultLimits, veiled(ring(tb, file)),
		slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func write(tb testing.TB, s store.Store, pairs ...string) {
	tb.Helper()
	err := s.Update(tb.Context(), func(tx store.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			tx.Put(pairs[i], []byte(pairs[i+1]))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func read(tb testing.TB, s store.Store, key string) string {
	tb.Helper()
	r, err := s.Snapshot(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	it := r.Get(key)
	switch {
	case it == nil:
		return "absent"
	case it.Err != nil:
		return "damaged: " + it.Err.Error()
	}
	return string(it.Value)
}

// dump are all values that etcd has, by key.
func dump(tb testing.TB, s *Store) map[string][]byte {
	tb.Helper()
	got, err := s.client.Get(context.Background(), "", clientv3.WithPrefix())
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string][]byte{}
	for _, kv := range got.Kvs {
		out[string(kv.Key)] = kv.Value
	}
	return out
}

func wantNoWord(tb testing.TB, s *Store, when string) {
	tb.Helper()
	for key, value := range dump(tb, s) {
		if bytes.Contains(value, []byte(word)) {
			tb.Errorf("%s, the value under %s shows the secret", when, key)
		}
	}
}

// TestNothingInEtcdShowsASecret: not its values, small and staged, before a rotation and after it, and none of its files.
func TestNothingInEtcdShowsASecret(t *testing.T) {
	dir, socket := t.TempDir(), filepath.Join(shortDir(t), "s")
	s, err := Embed(t.Context(), dir, socket, "/t/", veiled(ring(t, keyFile(t))), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, "k/0001", word, "k/0002", word)
	wantNoWord(t, s, "after a small transaction")
	o := store.NewOverlay(s.Local())
	for i := range 300 {
		o.Put(fmt.Sprintf("k/%04d", i), []byte(word))
	}
	if _, err := s.client.Put(t.Context(), "/t/"+commitPoints+"dead", `{"state":"pending"}`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.stage(t.Context(), "dead", o); err != nil {
		t.Fatal(err)
	}
	envelopes := 0
	for _, value := range dump(t, s) {
		if _, ok := unwrap(value); ok {
			envelopes++
		}
	}
	if envelopes != 300 {
		t.Fatalf("%d envelopes: nothing is staged", envelopes)
	}
	wantNoWord(t, s, "while a transaction is staged")
	s.abort(t.Context(), "dead", slices.Collect(maps.Keys(o.Writes)))
	wantNoWord(t, s, "after it was aborted")
	if _, err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNoWord(t, s, "after a rotation")
	if got := read(t, s, "k/0001"); got != word {
		t.Errorf("k/0001 = %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("%s shows the secret", path)
		}
		return err
	})
	if err != nil || files < 2 {
		t.Errorf("%d files: %v", files, err)
	}
}

func TestASealedValueThatWasMovedOrChangedIsDamagedAndNotAbsent(t *testing.T) {
	s := keyed(t, cluster(t), keyFile(t))
	write(t, s, "a", word, "b", "other")
	raw := dump(t, s)["/t/a"]
	changed := bytes.Clone(raw)
	changed[len(changed)-1] ^= 1
	for name, bad := range map[string][]byte{"moved from a": raw, "changed": changed, "cut": raw[:5]} {
		if _, err := s.client.Put(t.Context(), "/t/b", string(bad)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, "b"); !strings.HasPrefix(got, "damaged") {
			t.Errorf("%s: b = %q", name, got)
		}
		if _, err := s.Rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "/t/b") {
			t.Errorf("%s: a rotation says %v, want the record's key", name, err)
		}
	}
	if len(ring(t, s.schema.Keys.File()).IDs()) < 2 {
		t.Error("a key was dropped that a damaged record may be sealed under")
	}
	if got := read(t, s, "a"); got != word {
		t.Errorf("a = %q", got)
	}
	write(t, s, "b", "mended")
	if _, err := s.Rotate(t.Context()); err != nil {
		t.Errorf("after the record was mended: %v", err)
	}
}

// TestPlainRecordsOfAnOlderSlipwayAreReadAndSealed: at their next write, and all by a rotation.
func TestPlainRecordsOfAnOlderSlipwayAreReadAndSealed(t *testing.T) {
	endpoint, file := cluster(t), keyFile(t)
	older, err := Dial(t.Context(), []string{endpoint}, "/t/", DefaultLimits,
		func() Schema { s := secretive(); s.Secret = nil; return s }(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	write(t, older, "a", word, "b", word)
	if err := older.Close(); err != nil {
		t.Fatal(err)
	}
	s := keyed(t, endpoint, file)
	if got := read(t, s, "a"); got != word {
		t.Errorf("a = %q", got)
	}
	write(t, s, "a", word+"2")
	n, err := s.Seals(t.Context())
	if err != nil || n.Plain != 1 || len(n.Values) != 1 || n.Values[n.Under] != 1 {
		t.Errorf("%+v, %v: want one sealed and one plain", n, err)
	}
	to, err := s.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, err = s.Seals(t.Context()); err != nil || n.Plain != 0 || n.Values[to] != 2 || len(n.Values) != 1 || n.Under != to {
		t.Errorf("%+v, %v: want two sealed under %s", n, err, to)
	}
	wantNoWord(t, s, "after the rotation")
	if a, b := read(t, s, "a"), read(t, s, "b"); a != word+"2" || b != word {
		t.Errorf("a = %q, b = %q", a, b)
	}
}

// TestAServerWithoutTheKeyIsRefused, at once and by the key's name, and makes no other in its place.
func TestAServerWithoutTheKeyIsRefused(t *testing.T) {
	endpoint, file := cluster(t), keyFile(t)
	s := keyed(t, endpoint, file)
	write(t, s, "a", word)
	under := *s.sealing.under.Load()
	other := keyFile(t)
	if _, err := ring(t, other).First(); err != nil {
		t.Fatal(err)
	}
	for name, lacks := range map[string]string{"no file": keyFile(t), "another's": other} {
		before, _ := os.ReadFile(lacks)
		s, err := Dial(t.Context(), []string{endpoint}, "/t/", DefaultLimits, veiled(ring(t, lacks)),
			slog.New(slog.DiscardHandler))
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), string(under)) || !strings.Contains(err.Error(), lacks) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with the key's name and the file's", name, err)
		}
		if after, _ := os.ReadFile(lacks); !bytes.Equal(after, before) {
			t.Errorf("%s: the file was written", name)
		}
	}
	if _, err := Dial(t.Context(), []string{endpoint}, "/t/", DefaultLimits, veiled(nil),
		slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a store opens that has secrets and no keys")
	}
}

// TestAServerWhoseKeyComesLateReadsOnByItself: of two with files of their own, one is rotated before the other has the key.
func TestAServerWhoseKeyComesLateReadsOnByItself(t *testing.T) {
	endpoint, one, two := cluster(t), keyFile(t), keyFile(t)
	a := keyed(t, endpoint, one)
	write(t, a, "a", word, "n", "1")
	hand := func() {
		b, err := os.ReadFile(one)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(two, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hand()
	b := keyed(t, endpoint, two)
	to, err := a.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, b, "a"); !strings.HasPrefix(got, "damaged") || !strings.Contains(got, string(to)) {
		t.Errorf("without the key a = %q", got)
	}
	err = b.Update(t.Context(), func(tx store.Tx) error { tx.Put("c", []byte("v")); return nil })
	if unknown, ok := errors.AsType[*seal.UnknownKeyError](err); !ok || unknown.ID != to {
		t.Errorf("without the key a write says %v", err)
	}
	hand()
	await.Success(t, 20*time.Second, func() error { return b.Local().Get("a").Err })
	if got := read(t, b, "a"); got != word {
		t.Errorf("when the key has come a = %q", got)
	}
	write(t, b, "c", "v")
	if got := read(t, a, "c"); got != "v" {
		t.Errorf("c = %q", got)
	}
	// Prepared, no server ever lacks the key.
	next, err := a.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := a.Prepare(t.Context()); err != nil || again != next {
		t.Errorf("prepared twice: %s, %v, want %s", again, err, next)
	}
	hand()
	if to, err = a.Rotate(t.Context()); err != nil || to != next {
		t.Errorf("rotated to %s, %v, want the key that was prepared, %s", to, err, next)
	}
	if got := read(t, b, "a"); got != word {
		t.Errorf("a = %q", got)
	}
	write(t, b, "c", "w")
}

// TestRotationsWhileOthersWrite: no write fails, is lost or stays under a key that is dropped, however large it is.
func TestRotationsWhileOthersWrite(t *testing.T) {
	endpoint, file := cluster(t), keyFile(t)
	stores := []*Store{keyed(t, endpoint, file), keyed(t, endpoint, file)}
	write(t, stores[0], "k/0000", "0")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var done [2]atomic.Int64
	for i, s := range stores {
		wg.Go(func() {
			for n := int64(1); ctx.Err() == nil; n++ {
				size := 3
				if n%4 == 0 {
					size = 200 // staged
				}
				err := s.Update(context.Background(), func(tx store.Tx) error {
					for k := range size {
						tx.Put(fmt.Sprintf("k%d/%04d", i, k), strconv.AppendInt(nil, n, 10))
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				done[i].Store(n)
			}
		})
	}
	rotator := keyed(t, endpoint, file)
	var last seal.ID
	for range 4 {
		to, err := rotator.Rotate(t.Context())
		if err != nil {
			t.Error(err)
		}
		if to == last {
			t.Error("a rotation took the key that there was")
		}
		if ids := ring(t, file).IDs(); !slices.Equal(ids, []seal.ID{to}) {
			t.Errorf("the file has %v, want %s alone", ids, to)
		}
		last = to
	}
	stop()
	wg.Wait()
	fresh := keyed(t, endpoint, file)
	for i := range stores {
		n := done[i].Load()
		if got := read(t, fresh, fmt.Sprintf("k%d/0000", i)); n < 4 || got != strconv.FormatInt(n, 10) {
			t.Errorf("writer %d has written %d, and %q is there", i, n, got)
		}
	}
	r, err := fresh.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for it := range r.Damaged("") {
		t.Errorf("%s: %v", it.Key, it.Err)
	}
}

// mortal is a connection that fails for good from its n-th transaction on, before or after that was carried out.
type mortal struct {
	clientv3.KV
	left  atomic.Int64
	after bool
}

var errKilled = errors.New("killed")

func (m *mortal) Put(ctx context.Context, key, val string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	left := m.left.Add(-1)
	if left < 0 || left == 0 && !m.after {
		return nil, errKilled
	}
	got, err := m.KV.Put(ctx, key, val, opts...)
	if left == 0 {
		return nil, errKilled
	}
	return got, err
}

func (m *mortal) Txn(ctx context.Context) clientv3.Txn { return &mortalTxn{m.KV.Txn(ctx), m} }

type mortalTxn struct {
	clientv3.Txn
	m *mortal
}

func (t *mortalTxn) If(c ...clientv3.Cmp) clientv3.Txn  { t.Txn = t.Txn.If(c...); return t }
func (t *mortalTxn) Then(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Then(o...); return t }
func (t *mortalTxn) Else(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Else(o...); return t }
func (t *mortalTxn) Commit() (*clientv3.TxnResponse, error) {
	left := t.m.left.Add(-1)
	if left < 0 || left == 0 && !t.m.after {
		return nil, errKilled
	}
	got, err := t.Txn.Commit()
	if left == 0 {
		return nil, errKilled
	}
	return got, err
}

// TestARotationThatWasKilledIsEndedByTheNext: at each of its writes, before or after it was carried out.
func TestARotationThatWasKilledIsEndedByTheNext(t *testing.T) {
	endpoint := cluster(t)
	file := keyFile(t)
	s := keyed(t, endpoint, file)
	const records = 400 // four writes of a cluster's default size
	for i := range records {
		if i%100 == 0 {
			write(t, s, fmt.Sprintf("k/%04d", i), word)
		}
	}
	pairs := []string{}
	for i := range records {
		pairs = append(pairs, fmt.Sprintf("k/%04d", i), fmt.Sprint(word, i))
	}
	write(t, s, pairs...)
	kills, ended := 0, 0
	for n := int64(0); ended < 2; n++ {
		for _, after := range []bool{false, true} {
			client := connect(t, endpoint)
			m := &mortal{KV: client.KV, after: after}
			m.left.Store(1 << 40)
			client.KV = m
			victim, err := Open(t.Context(), client, "/t/", DefaultLimits, veiled(ring(t, file)),
				slog.New(slog.DiscardHandler), func() error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			m.left.Store(n)
			_, err = victim.Rotate(t.Context())
			victim.Close()
			if err == nil {
				ended++
			} else if kills++; !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			witness := keyed(t, endpoint, file)
			r, err := witness.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range records {
				if it := r.Get(fmt.Sprintf("k/%04d", i)); it == nil || it.Err != nil ||
					string(it.Value) != fmt.Sprint(word, i) {
					t.Fatalf("killed at write %d (%v): k/%04d is %+v", n, after, i, it)
				}
			}
			write(t, s, "beside", fmt.Sprint(n)) // a server that has run on
			witness.Close()
		}
	}
	t.Logf("%d kills survived", kills)
	if kills < 8 {
		t.Errorf("%d kills: a rotation has more writes than that", kills)
	}
	to, err := s.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Seals(t.Context())
	if err != nil || len(c.Values) != 1 || c.Values[to] != records+1 || len(ring(t, file).IDs()) != 1 {
		t.Errorf("%+v, %v, keys %v", c, err, ring(t, file).IDs())
	}
}

// gated is a connection whose n-th transaction from now waits, made up as it is, until it may go on.
type gated struct {
	clientv3.KV
	left          atomic.Int64
	come, release chan struct{}
}

func (g *gated) Txn(ctx context.Context) clientv3.Txn {
	return &gatedTxn{g.KV.Txn(context.WithoutCancel(ctx)), g}
}

type gatedTxn struct {
	clientv3.Txn
	g *gated
}

func (t *gatedTxn) If(c ...clientv3.Cmp) clientv3.Txn  { t.Txn = t.Txn.If(c...); return t }
func (t *gatedTxn) Then(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Then(o...); return t }
func (t *gatedTxn) Else(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Else(o...); return t }
func (t *gatedTxn) Commit() (*clientv3.TxnResponse, error) {
	if t.g.left.Add(-1) == 0 {
		close(t.g.come)
		<-t.g.release
	}
	return t.Txn.Commit()
}

// TestWhatWasSealedUnderTheKeyBeforeIsNotCommitted: a rotation is begun and ended between a write's sealing and its commit.
func TestWhatWasSealedUnderTheKeyBeforeIsNotCommitted(t *testing.T) {
	endpoint, file := cluster(t), keyFile(t)
	rotator := keyed(t, endpoint, file)
	write(t, rotator, "seed", "v")
	for name, tt := range map[string]struct {
		size int
		held int64 // which of its transactions
	}{"small": {1, 1}, "staged, its first piece": {200, 2}, "staged, its last": {200, 3}} {
		t.Run(name, func(t *testing.T) {
			client := connect(t, endpoint)
			g := &gated{KV: client.KV, come: make(chan struct{}), release: make(chan struct{})}
			g.left.Store(1 << 40)
			client.KV = g
			s, err := Open(t.Context(), client, "/t/", DefaultLimits, veiled(ring(t, file)),
				slog.New(slog.DiscardHandler), func() error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			g.left.Store(tt.held)
			written := make(chan error)
			go func() {
				written <- s.Update(t.Context(), func(tx store.Tx) error {
					for i := range tt.size {
						tx.Put(fmt.Sprintf("k/%04d", i), []byte(word))
					}
					return nil
				})
			}()
			<-g.come
			rotated := make(chan error)
			go func() { _, err := rotator.Rotate(t.Context()); rotated <- err }()
			if tt.held < 3 {
				if err := <-rotated; err != nil {
					t.Fatal(err)
				}
				close(g.release)
			} else { // a piece is there already: the rotation waits for the transaction, whose last piece comes too late for its key
				await.Success(t, 20*time.Second, func() error {
					if under := string(dump(t, rotator)["/t/"+sealingKey]); under == string(*s.sealing.under.Load()) &&
						len(ring(t, file).IDs()) == 2 {
						return nil
					}
					return errors.New("the rotation has not begun")
				})
				close(g.release)
				if err := <-rotated; err != nil {
					t.Fatal(err)
				}
			}
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			fresh := keyed(t, endpoint, file)
			for i := range tt.size {
				if got := read(t, fresh, fmt.Sprintf("k/%04d", i)); got != word {
					t.Fatalf("k/%04d = %q", i, got)
				}
			}
			if n, err := fresh.Seals(t.Context()); err != nil || len(n.Values) != 1 {
				t.Errorf("%+v, %v: want one key", n, err)
			}
		})
	}
}
