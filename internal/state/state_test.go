package state_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/adversary"
)

var here = state.Scope{Account: "111111111111", Region: "us-east-1"}

func newDB() state.DB { return state.DB{Store: adversary.New(state.Schema(), 1)} }

func put(t *testing.T, db state.DB, f func(tx store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func volume(id string) *slipway.Volume {
	return &slipway.Volume{ID: slipway.VolumeID(id), Account: here.Account, Region: here.Region, Tags: slipway.Tags{"a": "1"}}
}

func TestKeysComeApart(t *testing.T) {
	key := state.LaunchTemplateVersions.Key(here, "lt-1/2")
	s, id, kind, ok := state.Split(key)
	if !ok || s != here || id != "lt-1/2" || kind != state.LaunchTemplateVersions.Kind() {
		t.Errorf("%s: %v %q %q %v", key, s, id, kind, ok)
	}
	if _, _, _, ok := state.Split("installation"); ok {
		t.Error("what is nobody's record has a scope")
	}
}

// TestATermCoversItsScope: the store takes a search for a read of the prefix alone, so the prefix must hold all that
// the search finds.
func TestATermCoversItsScope(t *testing.T) {
	var own, everywhere string
	schema := state.Schema()
	_, terms, err := schema.Decode(state.Volumes.Key(here, "vol-1"),
		[]byte(`{"ID":"vol-1","Account":"111111111111","Region":"us-east-1","Tags":{"a|b/c":"1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range terms {
		if strings.Contains(term, state.TagTerm("a|b/c", "1")) {
			own = term
		}
		if p := schema.Covers(term); p != "" && p != state.Volumes.Prefix(here) {
			t.Errorf("%q covers %q", term, p)
		}
	}
	if own == "" || schema.Covers(own) != state.Volumes.Prefix(here) {
		t.Errorf("a tag's term %q covers %q", own, schema.Covers(own))
	}
	_, terms, err = schema.Decode(state.Tokens.Key(here, "t"),
		[]byte(`{"Scope":{"Account":"111111111111","Region":"us-east-1"},"ID":"t"}`))
	if err != nil || len(terms) != 1 {
		t.Fatal(terms, err)
	}
	if everywhere = schema.Covers(terms[0]); everywhere != "" {
		t.Errorf("a term of all scopes covers %q alone", everywhere)
	}
}

// TestUnreadableIsNotAbsent: a transaction that may depend on a record that cannot be read ends with its key; who only
// looks sees the others.
func TestUnreadableIsNotAbsent(t *testing.T) {
	for name, value := range map[string]string{
		"damaged": "{half", "under another's key": `{"ID":"vol-other","Account":"111111111111","Region":"us-east-1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB()
			key := state.Volumes.Key(here, "vol-2")
			put(t, db, func(tx store.Tx) error { tx.Put(key, []byte(value)); return state.Volumes.Put(tx, volume("vol-1")) })
			for what, f := range map[string]func(store.Tx) error{
				"itself": func(tx store.Tx) error { state.Volumes.See(tx, here, "vol-2"); return nil },
				"all":    func(tx store.Tx) error { drain(state.Volumes.All(tx, here)); return nil },
				"a term": func(tx store.Tx) error { drain(state.Volumes.By(tx, here, state.TagTerm("a", "1"))); return nil },
				"a change of": func(tx store.Tx) error {
					return state.Volumes.Edit(tx, here, "vol-2", func(*slipway.Volume) error { return nil })
				},
			} {
				err := db.Update(t.Context(), f)
				if u, ok := errors.AsType[*state.Unreadable](err); !ok || u.Key != key {
					t.Errorf("%s: %v, want an error that names %s", what, err, key)
				}
			}
			put(t, db, func(tx store.Tx) error { drain(state.VPCs.All(tx, here)); return nil }) // another table is whole
			r := db.Local()
			if n := drain(state.Volumes.All(r, here)); n != 1 {
				t.Errorf("who looks sees %d volumes, want the one that can be read", n)
			}
			if err := state.Whole(r); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("the state is called whole: %v", err)
			}
			if err := state.WholeScope(r, state.Shared("us-east-1")); err != nil {
				t.Errorf("another scope is not called whole: %v", err)
			}
		})
	}
}

func drain[T any](seq func(func(T) bool)) (n int) {
	for range seq {
		n++
	}
	return n
}

// judge refuses when it is told to, and remembers when it was asked.
type judge struct {
	before, after error
	asked         []string
}

func (j *judge) Before(store.Reader) error { j.asked = append(j.asked, "before"); return j.before }
func (j *judge) After() error              { j.asked = append(j.asked, "after"); return j.after }
func (j *judge) Done()                     { j.asked = append(j.asked, "done") }

func TestNothingCommitsThatWasNotJudged(t *testing.T) {
	no := errors.New("no")
	for name, tt := range map[string]struct {
		j      judge
		dry    bool
		asked  string
		commit bool
	}{
		"allowed":          {asked: "before after done", commit: true},
		"refused before":   {j: judge{before: no}, asked: "before"},
		"refused after":    {j: judge{after: no}, asked: "before after"},
		"allowed, dry":     {dry: true, asked: "before after"},
		"refused, and dry": {j: judge{after: no}, dry: true, asked: "before after"},
		"refused at once":  {j: judge{before: no}, dry: true, asked: "before"},
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB()
			ctx := state.WithJudge(slipway.WithCall(t.Context(), slipway.Call{DryRun: tt.dry}), &tt.j)
			err := db.Update(ctx, func(tx store.Tx) error { return state.Volumes.Put(tx, volume("vol-1")) })
			if got := strings.Join(lastRun(tt.j.asked), " "); got != tt.asked {
				t.Errorf("asked %q, want %q", got, tt.asked)
			}
			if there := state.Volumes.See(db.Local(), here, "vol-1") != nil; there != tt.commit || (err == nil) != tt.commit {
				t.Errorf("committed %v (%v), want %v", there, err, tt.commit)
			}
			if tt.dry && tt.j.before == nil && tt.j.after == nil && slipway.CodeOf(err) != slipway.DryRunOperation {
				t.Errorf("a dry run that would succeed answers %v", err)
			}
		})
	}
}

// lastRun leaves out the runs that a conflict made again.
func lastRun(asked []string) []string {
	for i := len(asked) - 1; i >= 0; i-- {
		if asked[i] == "before" {
			return asked[i:]
		}
	}
	return asked
}

func TestASnapshotIsJudged(t *testing.T) {
	no := errors.New("no")
	db := newDB()
	ctx := state.WithJudge(t.Context(), &judge{before: no})
	for name, ctx := range map[string]context.Context{"of the store": ctx, "of a fresh call": state.Fresh(ctx)} {
		if _, err := db.Snapshot(ctx); !errors.Is(err, no) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnce(t *testing.T) {
	db := newDB()
	once := state.Once{Scope: here, Action: "CreateVolume", Token: "t", Hash: state.HashOf("gp3", 1)}
	put(t, db, func(tx store.Tx) error { return once.Keep(tx, "vol-1", time.Unix(0, 0)) })
	seen := func(o state.Once) (result string, err error) {
		err = db.Update(t.Context(), func(tx store.Tx) error {
			tok, err := o.Seen(tx)
			if tok != nil {
				result = tok.Result
			}
			return err
		})
		return result, err
	}
	other := once
	other.Hash = state.HashOf("gp3", 2)
	elsewhere, nobody := once, once
	elsewhere.Action, nobody.Token = "AllocateHosts", ""
	for name, tt := range map[string]struct {
		once   state.Once
		result string
		code   slipway.Code
	}{
		"equal": {once, "vol-1", ""}, "with other arguments": {other, "", slipway.IdempotentParameterMismatch},
		"of another action": {elsewhere, "", ""}, "without a token": {nobody, "", ""},
	} {
		result, err := seen(tt.once)
		if result != tt.result || (err == nil) != (tt.code == "") || err != nil && slipway.CodeOf(err) != tt.code {
			t.Errorf("%s: %q %v, want %q %s", name, result, err, tt.result, tt.code)
		}
	}
}

// full has no room.
type full struct{ store.Store }

func (full) Update(context.Context, func(store.Tx) error) error { return store.ErrFull }

func TestAFullStoreIsUnavailable(t *testing.T) {
	if err := (state.DB{Store: full{}}).Update(t.Context(), func(store.Tx) error {
		return nil
	}); slipway.CodeOf(err) != slipway.Unavailable {
		t.Errorf("answers %v, want %s", err, slipway.Unavailable)
	}
}
