package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"slipway/internal/seal"
	"slipway/internal/store"
	"slipway/internal/store/storetest"
)

// embedded is an embedded etcd, as its own process sees it and as a command does over its socket.
func embedded(tb testing.TB) (store.Store, store.Store) {
	dir, socket := tb.TempDir(), filepath.Join(shortDir(tb), "s")
	s, err := Embed(tb.Context(), dir, socket, "/t/", secretive(), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s, dial(tb, "unix://"+socket, "/t/")
}

// cluster starts an etcd as somebody else would run it: its own settings, default limits, a network between.
func cluster(tb testing.TB) string {
	cfg := embed.NewConfig()
	cfg.Dir = tb.TempDir()
	socket := filepath.Join(shortDir(tb), "c")
	client, peer := url.URL{Scheme: "unix", Path: socket}, url.URL{Scheme: "unix", Path: socket + "p"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = "default=" + peer.String()
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	<-e.Server.ReadyNotify()
	return "unix://" + socket
}

func dial(tb testing.TB, endpoint, prefix string) *Store {
	s, err := Dial(tb.Context(), []string{endpoint}, prefix, DefaultLimits, secretive(), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// secretive is a schema to which everything is secret, under a key that all of the tests' stores know.
func secretive() Schema {
	keys, err := seal.Parse([]byte("31bb6c0f37015eff AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"))
	if err != nil {
		panic(err)
	}
	return veiled(keys)
}

func veiled(keys *seal.Ring) Schema {
	s := Sealed(storetest.Schema, keys)
	s.Secret = func(string) bool { return true }
	return s
}

func TestEmbedded(t *testing.T) { storetest.Run(t, embedded) }

func TestClusterWithDefaultLimits(t *testing.T) {
	endpoint := cluster(t)
	n := 0
	storetest.Run(t, func(tb testing.TB) (store.Store, store.Store) {
		n++
		prefix := fmt.Sprintf("/t%d/", n)
		return dial(tb, endpoint, prefix), dial(tb, endpoint, prefix)
	})
}

func TestWhatOneServerAnsweredTheOtherShows(t *testing.T) {
	endpoint := cluster(t)
	a, b := dial(t, endpoint, "/t/"), dial(t, endpoint, "/t/")
	stranger := dial(t, endpoint, "/other/") // moves the revision without our watch hearing of it
	for i := range 20 {
		key := fmt.Sprint("k", i)
		for _, s := range []*Store{a, stranger} {
			if err := s.Update(t.Context(), func(tx store.Tx) error { tx.Put(key, []byte("v")); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		v, err := b.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v.Get(key) == nil {
			t.Fatalf("%s is committed through one server and absent in the other", key)
		}
	}
}

func TestCrashInTheMiddleOfALargeTransactionLeavesNothing(t *testing.T) {
	endpoint := cluster(t)
	s := dial(t, endpoint, "/t/")
	if err := s.Update(t.Context(), func(tx store.Tx) error { tx.Put("k/0001", []byte("old")); return nil }); err != nil {
		t.Fatal(err)
	}
	o := store.NewOverlay(s.Local())
	for i := range 500 {
		o.Put(fmt.Sprintf("k/%04d", i), []byte("new"))
	}
	// The process dies after staging, before the commit point.
	if _, err := s.client.Put(t.Context(), "/t/"+commitPoints+"dead", `{"state":"pending"}`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.stage(t.Context(), "dead", o); err != nil {
		t.Fatal(err)
	}
	for name, reader := range map[string]*Store{
		"a server that saw it": s, "a server that starts now": dial(t, endpoint, "/t/"),
	} {
		v, err := reader.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for it := range v.Range("k/") {
			count++
			if string(it.Value) != "old" {
				t.Errorf("%s shows %s=%s", name, it.Key, it.Value)
			}
		}
		if count != 1 {
			t.Errorf("%s shows %d keys, want the one from before", name, count)
		}
	}
	other := dial(t, endpoint, "/t/")
	seen := map[string]time.Time{}
	other.sweep(t.Context(), seen, 0)
	for _, writer := range []*Store{s, other} {
		if err := writer.Update(t.Context(), func(tx store.Tx) error {
			tx.Put("k/0001", []byte("newer"))
			return nil
		}); err != nil {
			t.Fatalf("after the janitor the keys must be free again: %v", err)
		}
	}
	got, err := s.client.Get(context.Background(), "/t/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(got.Kvs, func(kv *mvccpb.KeyValue) bool {
		return strings.HasPrefix(string(kv.Key), "/t/"+fences) || string(kv.Key) == "/t/"+sealingKey
	})
	if len(left) != 1 {
		t.Errorf("%d keys left in etcd, want 1", len(left))
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add(envelope{TX: "a", Old: []byte("x"), New: nil}.wrap())
	f.Add([]byte{envelopeMark, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) { unwrap(b) })
}
func shortDir(tb testing.TB) string {
	dir, err := os.MkdirTemp("", "sw")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
