package store_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/internal/store"
)

// words gives a value's words as its terms; "bad" cannot be read.
var words = store.Schema{
	Decode: func(_ string, value []byte) (any, []string, error) {
		if string(value) == "bad" {
			return nil, nil, errors.New("no words")
		}
		return string(value), strings.Fields(string(value)), nil
	},
	Covers: func(string) string { return "" },
}

func cacheOf(values map[string]string) *store.Cache {
	c := store.NewCache(words)
	var changes []store.Change
	for k, v := range values {
		changes = append(changes, store.Change{Key: k, Value: []byte(v), Rev: 1})
	}
	c.Apply(changes, 1, false)
	return c
}

func keysOf(items func(func(*store.Item) bool)) []string {
	keys := []string{}
	for it := range items {
		keys = append(keys, it.Key)
	}
	return keys
}

func TestTheIndexFollowsItsItems(t *testing.T) {
	c := cacheOf(map[string]string{"a/1": "red round", "a/2": "red", "b/1": "round"})
	before := c.Snapshot()
	damaged := c.Apply([]store.Change{
		{Key: "a/1", Value: []byte("blue round"), Rev: 2}, {Key: "a/2", Rev: 2}, {Key: "b/2", Value: []byte("bad"), Rev: 2},
	}, 2, false)
	now := c.Snapshot()
	for _, tt := range []struct {
		what string
		got  []string
		want []string
	}{
		{"red before", keysOf(before.Indexed("red")), []string{"a/1", "a/2"}},
		{"red now", keysOf(now.Indexed("red")), []string{}},
		{"blue now", keysOf(now.Indexed("blue")), []string{"a/1"}},
		{"round now", keysOf(now.Indexed("round")), []string{"a/1", "b/1"}},
		{"a term that another begins with", keysOf(now.Indexed("roun")), []string{}},
		{"the range", keysOf(now.Range("b/")), []string{"b/1", "b/2"}},
		{"the damaged", keysOf(now.Damaged("b/")), []string{"b/2"}},
		{"the damaged of elsewhere", keysOf(now.Damaged("a/")), []string{}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
	if len(damaged) != 1 || damaged[0].Key != "b/2" {
		t.Errorf("Apply answers the damaged: %v", damaged)
	}
	c.Apply([]store.Change{{Key: "b/2", Value: []byte("mended"), Rev: 3}}, 3, false)
	if left := keysOf(c.Snapshot().Damaged("")); len(left) != 0 {
		t.Errorf("%v are damaged after they were mended", left)
	}
}

func TestATransactionRemembersWhatItRead(t *testing.T) {
	values := map[string]string{}
	for _, r := range "abcdefghijklmnopqrstuvwxyz" {
		for _, s := range "abcdefghijklmnopqrstuvwxyz" {
			values["many/"+string(r)+string(s)] = "many"
		}
	}
	values["one"] = "one"
	tx := store.NewOverlay(cacheOf(values).Snapshot())
	tx.Get("one")
	tx.Get("none")
	tx.Put("new", []byte("new"))
	tx.Delete("one")
	if tx.Get("one") != nil || string(tx.Get("new").Value) != "new" {
		t.Error("Get does not see the transaction's own writes")
	}
	if got := keysOf(tx.Range("on")); !slices.Equal(got, []string{"one"}) {
		t.Errorf("Range sees the state before: %v", got)
	}
	for range tx.Indexed("two") {
	}
	want := map[string]int64{"one": 1, "none": 0, "new": 0}
	if !maps.Equal(tx.Reads, want) || tx.All {
		t.Errorf("reads %v, everything %v, want %v", tx.Reads, tx.All, want)
	}
	if _, there := tx.Ranges["on"]; !there {
		t.Error("the prefix is no precondition")
	}
	if _, there := tx.Terms["two"]; !there {
		t.Error("the term is no precondition, though nothing has it")
	}
	for range tx.Range("many/") {
	}
	if !tx.All {
		t.Errorf("%d reads are remembered one by one, and the others forgotten", len(tx.Reads))
	}
}

func TestABranchGoesOnByItself(t *testing.T) {
	c := cacheOf(map[string]string{"a": "red"})
	b := c.Branch()
	b.Apply(map[string][]byte{"a": nil, "b": []byte("red")})
	if got := keysOf(b.Indexed("red")); !slices.Equal(got, []string{"b"}) {
		t.Errorf("the branch has %v", got)
	}
	if it := b.Get("b"); it == nil || it.Rev != store.Ahead {
		t.Errorf("an item that is not committed says revision %v", it)
	}
	if got := keysOf(c.Snapshot().Indexed("red")); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the cache it came from has %v", got)
	}
}

func TestWaitersAndWatchers(t *testing.T) {
	c := cacheOf(nil)
	w := c.Watch("a/")
	defer w.Close()
	reached := make(chan error)
	go func() { reached <- c.Wait(t.Context(), 3) }()
	c.Apply([]store.Change{{Key: "a/1", Value: []byte("x"), Rev: 2}, {Key: "b/1", Value: []byte("x"), Rev: 2}}, 2, false)
	c.Apply([]store.Change{{Key: "a/1", Value: []byte("y"), Rev: 3}, {Key: "a/2", Value: []byte("y"), Rev: 3}}, 3, false)
	if err := <-reached; err != nil {
		t.Error(err)
	}
	got, err := w.Next(t.Context())
	if slices.Sort(got); err != nil || !slices.Equal(got, []string{"a/1", "a/2"}) {
		t.Errorf("changed: %v %v, want each key of the prefix once", got, err)
	}
	if more := w.Drain(); len(more) != 0 {
		t.Errorf("told twice: %v", more)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := w.Next(ended); !errors.Is(err, why) {
		t.Errorf("a watch whose context has ended: %v", err)
	}
	if err := c.Wait(ended, 4); !errors.Is(err, why) {
		t.Errorf("a wait whose context has ended: %v", err)
	}
	if c.Apply(nil, 2, true); c.Snapshot().Revision() != 3 || !c.Undecided() {
		t.Errorf("the state goes back to %d", c.Snapshot().Revision())
	}
}
