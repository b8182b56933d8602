package accounts

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway"
	"slipway/internal/seal"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/etcd"
	"slipway/internal/store/memory"
)

func service(db store.Store, settled *int) *Service {
	return New(state.DB{Store: db}, time.Now, func(store.Tx, state.Scope) (slipway.VPCID, error) {
		*settled++
		return "vpc-0fffffffffffffff6", nil
	})
}

func TestARegionIsFurnishedOnceAndAtItsFirstUse(t *testing.T) {
	n := 0
	s := service(memory.New(state.Schema()), &n)
	a, key, err := s.Create(t.Context(), slipway.Account{Name: "tests"})
	if err != nil {
		t.Fatal(err)
	}
	if n != 0 {
		t.Error("a new account's regions were furnished before anybody came")
	}
	found, ok, err := s.Key(t.Context(), key.ID)
	if err != nil || !ok || found.Secret != key.Secret || found.Caller.ARN != "arn:aws:iam::"+a.ID+":root" {
		t.Errorf("the account's key is found as %+v %v %v", found, ok, err)
	}
	call := func(region string, dry bool) error {
		return s.Prepare(slipway.WithCall(t.Context(), slipway.Call{Caller: found.Caller, Region: region, DryRun: dry}))
	}
	for range 2 {
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			if err := call(region, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n != 2 {
		t.Errorf("two regions were furnished %d times", n)
	}
	if err := call("mars-north-1", false); slipway.CodeOf(err) != slipway.AuthFailure {
		t.Errorf("a region that AWS lacks: %v", err)
	}
	if _, ok, _ := s.Key(t.Context(), "AKIANOBODY"); ok {
		t.Error("a key that nobody made is found")
	}
}

// BenchmarkCreate is one account, durable: an embedded etcd with fsync.
func BenchmarkCreate(b *testing.B) {
	dir, err := os.MkdirTemp("", "sw")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	keys, err := seal.Load(filepath.Join(dir, "secrets.key"))
	if err != nil {
		b.Fatal(err)
	}
	db, err := etcd.Embed(context.Background(), filepath.Join(dir, "etcd"), filepath.Join(dir, "s"), "/b/",
		etcd.Sealed(state.Schema(), keys), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	n := 0
	s := service(db, &n)
	for b.Loop() {
		if _, _, err := s.Create(context.Background(), slipway.Account{Name: "bench"}); err != nil {
			b.Fatal(err)
		}
	}
}
