package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/vpcs"
)

// TestStateCheck: contradictions are printed and end the command with an error, a directory without a state is not made one.
func TestStateCheck(t *testing.T) {
	dir, err := os.MkdirTemp("", "sw") // a short path, for the socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	check := func(dir string) (string, error) {
		var out strings.Builder
		err := stateCommand(t.Context(), []string{"check", "--state", dir}, &out)
		return out.String(), err
	}
	none := filepath.Join(dir, "none")
	if _, err := check(none); err == nil || !strings.Contains(err.Error(), "there is no state in "+none) {
		t.Errorf("of a directory that is not there: %v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("the directory was made")
	}
	cfg := defaults()
	cfg.State = filepath.Join(dir, "s")
	change := func(how func(state.DB) error) {
		t.Helper()
		db, done, err := open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if err := how(db); err != nil {
			t.Fatal(err)
		}
	}
	var account string
	change(func(db state.DB) error {
		a, _, err := accounts.New(db, time.Now, vpcs.EnsureDefault).Create(t.Context(), slipway.Account{Name: "dev"})
		if err == nil {
			account = a.ID
		}
		return err
	})
	if out, err := check(cfg.State); err != nil || !strings.Contains(out, "agree with each other") {
		t.Errorf("of whole records: %v: %s", err, out)
	}
	change(func(db state.DB) error {
		return db.Update(t.Context(), func(tx store.Tx) error {
			return state.InUse.Put(tx,
				&state.Use{Scope: state.Scope{Account: account, Region: "us-east-1"}, ID: "subnet-1/10.0.0.9", By: "eni-gone"})
		})
	})
	out, err := check(cfg.State)
	if err == nil || !strings.Contains(out, "10.0.0.9 is in use by eni-gone, which is gone") {
		t.Errorf("of an address without its interface: %v: %s", err, out)
	}
}
