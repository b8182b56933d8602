package hosts

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/hostapi"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// A record that cannot be read is not absent: nothing that may depend on it changes on the host until it is mended,
// and the error names it.
func TestARecordThatCannotBeReadEndsNothing(t *testing.T) {
	db := state.DB{Store: memory.New(state.Schema())}
	s := New(db, addresses.Pool{}, slog.New(slog.DiscardHandler), time.Now)
	instance := func(account, id string, st slipway.State) *slipway.Instance {
		return &slipway.Instance{
			InstanceIdentity: slipway.InstanceIdentity{
				ID: slipway.InstanceID(id), Account: account, Region: "us-east-1",
			}, InstanceHardware: slipway.InstanceHardware{Type: "t3.nano"},
			InstanceStatus:     slipway.InstanceStatus{State: st},
			InstanceAssignment: slipway.InstanceAssignment{Host: "local", Wanted: slipway.WantRunning},
			InstanceNetwork:    slipway.InstanceNetwork{VPC: slipway.VPCID("vpc-" + account)},
		}
	}
	damaged := instance("111111111111", "i-1", slipway.Running)
	key := state.Instances.Key(state.Scope{Account: "111111111111", Region: "us-east-1"}, "i-1")
	put := func(fn func(tx store.Tx)) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx store.Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put(func(tx store.Tx) {
		for _, in := range []*slipway.Instance{
			damaged, instance("111111111111", "i-2", slipway.Running), instance("222222222222", "i-3", slipway.Running),
			instance("222222222222", "i-4", slipway.Terminated),
		} {
			state.Instances.Put(tx, in)
			state.VPCs.Put(tx, &slipway.VPC{ID: in.VPC, Account: in.Account, Region: in.Region})
		}
	})
	if _, found, err := s.Instance(t.Context(), "local", "i-4"); found || err != nil {
		t.Errorf("a terminated instance: %v, %v, want that it is gone", found, err)
	}
	if _, _, err := s.Instance(t.Context(), "local", "i-9"); !errors.Is(err, hostapi.ErrUnknown) {
		t.Errorf("an instance without a record: %v, want ErrUnknown", err)
	}
	put(func(tx store.Tx) { tx.Put(key, []byte(`{"ID":`)) })

	says := func(what string, err error) {
		t.Helper()
		if u, ok := errors.AsType[*state.Unreadable](err); !ok || !strings.Contains(err.Error(), "i-1") {
			t.Errorf("%s: %v, want the key of what cannot be read", what, err)
		} else if u.Key != key {
			t.Errorf("%s names %s", what, u.Key)
		}
	}
	for _, id := range []slipway.InstanceID{"i-1", "i-2", "i-9"} {
		_, found, err := s.Instance(t.Context(), "local", id)
		says(string(id), err)
		if found {
			t.Errorf("%s is found", id)
		}
	}
	_, _, err := s.Network(t.Context(), "local", "vpc-111111111111")
	says("its network", err)
	if _, found, err := s.Instance(t.Context(), "local", "i-3"); !found || err != nil {
		t.Errorf("another account's instance: %v, %v", found, err)
	}
	says("a decision that looks for instances", db.Update(t.Context(), func(tx store.Tx) error {
		for range state.Instances.All(tx, state.Scope{Account: "111111111111", Region: "us-east-1"}) {
		}
		return nil
	}))
	n := 0
	for range state.Instances.All(db.Local(), state.Scope{Account: "111111111111", Region: "us-east-1"}) {
		n++
	}
	if n != 1 {
		t.Errorf("a listing shows %d of the account's instances, want the one that can be read", n)
	}
	// A record under another's key is damaged too.
	put(func(tx store.Tx) { state.Instances.Put(tx, damaged) })
	if err := state.Whole(db.Local()); err != nil {
		t.Error(err)
	}
	put(func(tx store.Tx) { tx.Put(key, tx.Get(strings.Replace(key, "i-1", "i-2", 1)).Value) })
	if err := state.Whole(db.Local()); err == nil {
		t.Error("a record that belongs under another key is taken for this one's")
	}
}
