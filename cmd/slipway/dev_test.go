package main

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"slipway/internal/accounts"
	"slipway/internal/controlplane"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
	"slipway/internal/vpcs"
)

// dying is a store whose process ends at a commit: before it, or when it is done.
type dying struct {
	store.Store
	after bool
}

var errKilled = errors.New("killed")

func (d dying) Update(ctx context.Context, fn func(store.Tx) error) error {
	if d.after {
		if err := d.Store.Update(ctx, fn); err != nil {
			return err
		}
	}
	return errKilled
}

// TestTheFirstAccountIsOne: wherever a first start is killed, the next one has one account, and its keys are in the file.
func TestTheFirstAccountIsOne(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first func(db store.Store, d *stateDir) store.Store // a start that ends
	}{
		{"before the keys are written", func(db store.Store, d *stateDir) store.Store { d.path += "/absent"; return db }},
		{"before the account is made", func(db store.Store, _ *stateDir) store.Store { return dying{db, false} }},
		{"when the account is made", func(db store.Store, _ *stateDir) store.Store { return dying{db, true} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db, path := memory.New(state.Schema()), t.TempDir()
			start := func(db store.Store, d stateDir) (credentials, error) {
				of := state.DB{Store: db}
				run := &devRun{
					dir: d, db: of, api: &controlplane.ControlPlane{Accounts: accounts.New(of, time.Now, vpcs.EnsureDefault)},
				}
				return run.firstAccount(t.Context())
			}
			dir := stateDir{path: path, who: person{os.Geteuid(), os.Getegid()}}
			killed := dir
			if _, err := start(tt.first(db, &killed), killed); err == nil {
				t.Fatal("the first start came to its end")
			}
			var keys credentials
			for range 2 {
				var err error
				if keys, err = start(db, dir); err != nil {
					t.Fatal(err)
				}
			}
			n := 0
			for a := range state.Accounts.All(state.DB{Store: db}.Local(), state.Global) {
				if n++; a.ID != keys.AccountID || a.Name != "dev" {
					t.Errorf("there is the account %s (%s), and the keys are of %s", a.ID, a.Name, keys.AccountID)
				}
			}
			if n != 1 {
				t.Errorf("there are %d accounts", n)
			}
			if k := state.AccessKeys.See(state.DB{Store: db}.Local(), state.Global, keys.AccessKeyID); k == nil ||
				k.Secret != keys.SecretAccessKey || k.Account != keys.AccountID {
				t.Error("the keys do not sign for the account")
			}
		})
	}
}

// TestDeletedKeysStayDeleted: where somebody has deleted the first account's key, a start makes another account and
// leaves it so.
func TestDeletedKeysStayDeleted(t *testing.T) {
	of := state.DB{Store: memory.New(state.Schema())}
	run := &devRun{
		dir: stateDir{path: t.TempDir(), who: person{os.Geteuid(), os.Getegid()}}, db: of,
		api: &controlplane.ControlPlane{Accounts: accounts.New(of, time.Now, vpcs.EnsureDefault)},
	}
	first, err := run.firstAccount(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = of.Update(t.Context(), func(tx store.Tx) error {
		state.AccessKeys.Delete(tx, state.Global, first.AccessKeyID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	second, err := run.firstAccount(t.Context())
	if err != nil || second.AccountID == first.AccountID ||
		state.AccessKeys.See(of.Local(), state.Global, first.AccessKeyID) != nil {
		t.Errorf("%v %v after %v", second.AccountID, err, first.AccountID)
	}
}
