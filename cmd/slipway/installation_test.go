package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

func TestAStoreOfAnotherInstallationIsRefused(t *testing.T) {
	dir := func() stateDir { return stateDir{path: t.TempDir(), who: person{os.Geteuid(), os.Getegid()}} }
	first, other := dir(), dir()
	db, foreign := memory.New(state.Schema()), memory.New(state.Schema())
	identified := func(db store.Store, d stateDir) error {
		return identify(context.Background(), db, d, "the etcd at example:2379")
	}
	for range 2 { // the first time they take one another's identity, the second time they know it
		for _, both := range []struct {
			db  store.Store
			dir stateDir
		}{{db, first}, {foreign, other}} {
			if err := identified(both.db, both.dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := identified(db, dir()); err != nil {
		t.Errorf("a new directory on a store that has records: %v", err)
	}
	before, err := os.ReadFile(first.join("installation"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		db   store.Store
		want string
	}{
		"another's": {foreign, "has the records of the installation"},
		"an empty":  {memory.New(state.Schema()), "is empty"},
	} {
		err := identified(tt.db, first)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--state") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s store: %v, want one line with %q and how to mend it", name, err, tt.want)
		}
		if v, _ := tt.db.Snapshot(t.Context()); name == "an empty" && v.Get(installationKey) != nil {
			t.Error("the empty store was given an identity")
		}
	}
	if after, _ := os.ReadFile(first.join("installation")); string(after) != string(before) {
		t.Error("the directory has changed its identity")
	}
}
