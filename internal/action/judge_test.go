package action

import (
	"context"
	"errors"
	"testing"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// TestJudgedAndDoneAreOne: what a policy says is asked of the records that the transaction finds, though they changed
// after the front asked.
func TestJudgedAndDoneAreOne(t *testing.T) {
	db := state.DB{Store: memory.New(state.Schema())}
	locked := errors.New("locked")
	ask := func(r store.Reader, resources []Resource) error {
		for _, x := range resources {
			if v := state.Volumes.See(r, state.Scope{Account: "1", Region: "us-east-1"}, x.ID); v != nil &&
				v.Tags["locked"] != "" {
				return locked
			}
		}
		return nil
	}
	volume := &slipway.Volume{ID: "vol-12345678", Account: "1", Region: "us-east-1", Tags: slipway.Tags{}}
	put := func() {
		t.Helper()
		if err := db.Store.Update(t.Context(), func(tx store.Tx) error { return state.Volumes.Put(tx, volume) }); err != nil {
			t.Fatal(err)
		}
	}
	read := func(within bool) (context.Context, error) {
		t.Helper()
		a := Do(attach).On(One("volume", func(in *ec2wire.AttachVolumeRequest) *string {
			return in.VolumeId
		})).Bucket(Mutating).Repeats(NoToken)
		if within {
			a = a.Within()
		}
		form, err := ec2query.Resend(map[string]string{"VolumeId": "vol-12345678"})
		if err != nil {
			t.Fatal(err)
		}
		request, err := a.Read(form)
		if err != nil {
			t.Fatal(err)
		}
		ctx := slipway.WithCall(t.Context(),
			slipway.Call{Caller: slipway.Caller{Account: "1"}, Region: "us-east-1", Action: "AttachVolume"})
		return Judged(ctx, db.Local(), a.Rules(), request.Resources, ask)
	}
	nothing := func(store.Tx) error { return nil }

	put()
	ctx, err := read(false)
	if err != nil {
		t.Fatalf("an open volume: %v", err)
	}
	if err := db.Update(ctx, nothing); err != nil {
		t.Errorf("its transaction: %v", err)
	}
	ctx, _ = read(false)
	reading, _ := read(false)
	within, _ := read(true)
	careless, _ := read(true)
	volume.Tags["locked"] = "yes"
	put()
	ran := false
	if err := db.Update(ctx, func(store.Tx) error { ran = true; return nil }); !errors.Is(err, locked) || ran {
		t.Errorf("a volume that was locked after the front had asked: %v, and the work ran: %v", err, ran)
	}
	if _, err := db.Snapshot(reading); !errors.Is(err, locked) {
		t.Errorf("reading it: %v", err)
	}
	err = db.Update(within, func(tx store.Tx) error {
		return Judge(within, tx, []Resource{{Kind: "volume", ID: "vol-12345678"}})
	})
	if !errors.Is(err, locked) {
		t.Errorf("a method that asks by itself: %v", err)
	}
	if err := db.Update(careless, nothing); err == nil || errors.Is(err, locked) {
		t.Errorf("a method that should ask by itself and does not: %v", err)
	}
	if _, err := read(false); !errors.Is(err, locked) {
		t.Errorf("the front: %v", err)
	}
}
