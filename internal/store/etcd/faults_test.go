package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"slipway/internal/store"
)

// faulty is a connection that fails some transactions before they come and loses the answers of others.
type faulty struct {
	clientv3.KV
	mu   sync.Mutex
	dice *rand.Rand
	fail atomic.Bool
}

func (f *faulty) Txn(ctx context.Context) clientv3.Txn { return &faultyTxn{f.KV.Txn(ctx), f} }

type faultyTxn struct {
	clientv3.Txn
	f *faulty
}

func (t *faultyTxn) If(c ...clientv3.Cmp) clientv3.Txn  { t.Txn = t.Txn.If(c...); return t }
func (t *faultyTxn) Then(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Then(o...); return t }
func (t *faultyTxn) Else(o ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Else(o...); return t }
func (t *faultyTxn) Commit() (*clientv3.TxnResponse, error) {
	t.f.mu.Lock()
	roll := t.f.dice.IntN(6)
	t.f.mu.Unlock()
	if !t.f.fail.Load() {
		roll = 5
	}
	switch roll {
	case 0:
		return nil, errors.New("the connection is down")
	case 1:
		_, err := t.Txn.Commit()
		return nil, errors.Join(errors.New("the answer is lost"), err)
	}
	return t.Txn.Commit()
}

// unreliable is a store with a faulty connection.
func unreliable(t *testing.T, endpoint string, seed uint64) (*Store, *faulty) {
	client := connect(t, endpoint)
	f := &faulty{KV: client.KV, dice: rand.New(rand.NewPCG(seed, 0))}
	f.fail.Store(true)
	client.KV = f
	return over(t, client), f
}

func connect(t *testing.T, endpoint string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// over is a store over a client whose parts a test has exchanged.
func over(t *testing.T, client *clientv3.Client) *Store {
	s, err := Open(t.Context(), client, "/t/", DefaultLimits, secretive(), slog.New(slog.DiscardHandler), func() error {
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestALostAnswerIsNeitherALostCommitNorASecondOne(t *testing.T) {
	endpoint := cluster(t)
	seed := rand.Uint64()
	a, fa := unreliable(t, endpoint, seed)
	b, fb := unreliable(t, endpoint, seed+1)
	var wg sync.WaitGroup
	var acknowledged atomic.Int64
	for i := range 8 {
		s := a
		if i%2 == 1 {
			s = b
		}
		wg.Go(func() {
			for range 6 {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					n := 0
					if it := tx.Get("n"); it != nil {
						n, _ = strconv.Atoi(string(it.Value))
					}
					tx.Put("n", strconv.AppendInt(nil, int64(n+1), 10))
					return nil
				})
				if err == nil {
					acknowledged.Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					t.Log(err) // a refusal could not be checked: nothing is written then
				}
			}
		})
	}
	wg.Wait()
	fa.fail.Store(false)
	fb.fail.Store(false)
	v, err := b.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.Get("n").Value); got != fmt.Sprint(acknowledged.Load()) {
		t.Errorf("seed %d: n = %s after %d acknowledged increments", seed, got, acknowledged.Load())
	}
}

// late is a watcher whose watches begin only when they are let.
type late struct {
	clientv3.Watcher
	let chan struct{}
}

func (l late) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	<-l.let
	return l.Watcher.Watch(ctx, key, opts...)
}

// A watch that catches up gets batches whose header carries the store's present revision, which the batch has not reached.
func TestAServerThatCatchesUpIsNotStale(t *testing.T) {
	endpoint := cluster(t)
	writer := dial(t, endpoint, "/t/")
	client := connect(t, endpoint)
	gate := late{client.Watcher, make(chan struct{})}
	client.Watcher = gate
	behind := over(t, client)
	const revisions, writers = 6000, 32 // etcd sends 1,000 revisions at a time to a watch that is behind
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < revisions; i += writers {
				if _, err := writer.client.Put(context.Background(), fmt.Sprintf("/t/k%05d", i), "v"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(gate.let)
	v, err := behind.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range v.Range("k") {
		n++
	}
	if n != revisions {
		t.Errorf("a snapshot that claims revision %d shows %d of %d keys", v.Revision(), n, revisions)
	}
}
