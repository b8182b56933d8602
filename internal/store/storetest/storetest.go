// Package storetest is the contract of store.Store, which every implementation's tests run.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/internal/store"
)

// Schema indexes a value "colour:rest" under its colour, and "eni/…" is all that has a cold one. "?" cannot be read.
var Schema = store.Schema{
	Decode: func(_ string, value []byte) (any, []string, error) {
		if string(value) == "?" {
			return nil, nil, errors.New("a question mark says nothing")
		}
		colour, _, ok := strings.Cut(string(value), ":")
		if !ok {
			return string(value), nil, nil
		}
		return string(value), []string{colour}, nil
	},
	Covers: func(term string) string {
		if term == "blue" {
			return "eni/"
		}
		return ""
	},
}

// Run holds one implementation to the contract; open makes an empty state that the test may leave open, as two servers see
// it: the same store twice where there can be only one.
func Run(t *testing.T, open func(testing.TB) (one, other store.Store)) {
	alone := func(tb testing.TB) store.Store { s, _ := open(tb); return s }
	t.Run("together", func(t *testing.T) { together(t, open) })
	each(t, alone)
}

func each(t *testing.T, open func(testing.TB) store.Store) {
	t.Run("commits all of a transaction or nothing", func(t *testing.T) {
		s := open(t)
		must(t, put(s, "a", "1", "b", "2"))
		refusal := errors.New("refused")
		err := s.Update(t.Context(), func(tx store.Tx) error {
			tx.Put("a", []byte("9"))
			tx.Delete("b")
			return refusal
		})
		if !errors.Is(err, refusal) {
			t.Errorf("Update = %v, want the function's own error", err)
		}
		wantKeys(t, s, "", "a=1", "b=2")
	})
	t.Run("a transaction reads its own writes", func(t *testing.T) {
		s := open(t)
		must(t, s.Update(t.Context(), func(tx store.Tx) error {
			tx.Put("a", []byte("1"))
			if it := tx.Get("a"); it == nil || string(it.Value) != "1" {
				t.Errorf("Get after Put = %v", it)
			}
			tx.Delete("a")
			if it := tx.Get("a"); it != nil {
				t.Errorf("Get after Delete = %v", it)
			}
			return nil
		}))
	})
	t.Run("no increment is lost", func(t *testing.T) {
		s := open(t)
		var wg sync.WaitGroup
		const writers, times = 8, 20
		for range writers {
			wg.Go(func() {
				for range times {
					err := s.Update(t.Context(), increment)
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		wantKeys(t, s, "", fmt.Sprint("n=", writers*times))
	})
	t.Run("a large transaction shows all of itself or nothing", func(t *testing.T) {
		s := open(t)
		const n = 3000
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				c := 0
				for range s.Local().Range("big/") {
					c++
				}
				if c != 0 && c != n {
					t.Errorf("a snapshot shows %d of %d keys", c, n)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
		must(t, s.Update(t.Context(), func(tx store.Tx) error {
			for i := range n {
				tx.Put(fmt.Sprintf("big/%05d", i), []byte("red:"+strings.Repeat("x", 500)))
			}
			return nil
		}))
		close(done)
		wg.Wait()
		if got := len(keys(t, s, "big/")); got != n {
			t.Errorf("%d keys after commit, want %d", got, n)
		}
		// and it can be written again at once, in part and as a whole
		must(t, put(s, "big/00001", "red:y"))
		must(t, s.Update(t.Context(), func(tx store.Tx) error {
			for i := range n {
				tx.Delete(fmt.Sprintf("big/%05d", i))
			}
			return nil
		}))
		wantKeys(t, s, "big/")
	})
	t.Run("an index follows its items", func(t *testing.T) {
		s := open(t)
		must(t, put(s, "a", "red:1", "b", "blue:1", "c", "red:2"))
		wantIndexed(t, s, "red", "a", "c")
		must(t, put(s, "a", "blue:2"))
		must(t, s.Update(t.Context(), func(tx store.Tx) error { tx.Delete("c"); return nil }))
		wantIndexed(t, s, "red")
		wantIndexed(t, s, "blue", "a", "b")
	})
	t.Run("a snapshot stays as it was", func(t *testing.T) {
		s := open(t)
		must(t, put(s, "a", "1"))
		before, err := s.Snapshot(t.Context())
		must(t, err)
		must(t, put(s, "a", "2"))
		if got := string(before.Get("a").Value); got != "1" {
			t.Errorf("an old snapshot now says %q", got)
		}
	})
	t.Run("a watcher hears of each changed key", func(t *testing.T) {
		s := open(t)
		w := s.Watch("w/")
		defer w.Close()
		must(t, put(s, "w/1", "a", "x", "b"))
		must(t, put(s, "w/2", "a"))
		heard := map[string]bool{}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for len(heard) < 2 {
			ks, err := w.Next(ctx)
			if err != nil {
				t.Fatalf("heard only of %v: %v", heard, err)
			}
			for _, k := range ks {
				heard[k] = true
			}
		}
		if heard["x"] {
			t.Error("heard of a key outside of the prefix")
		}
	})
}

// together is what holds between two servers of one state: while one's transaction is open, the other commits.
func together(t *testing.T, open func(testing.TB) (one, other store.Store)) {
	enter := func(tx store.Tx) { tx.Put("guest", []byte("in")) }
	for _, tt := range []struct {
		name   string
		before []string
		decide func(store.Tx) bool // whether the guest may enter: true before the other's change, false after it
		change []string            // key, value; "" deletes
	}{
		{"a key that was read has changed", []string{"door", "open"},
			func(tx store.Tx) bool { return string(tx.Get("door").Value) == "open" }, []string{"door", "shut"}},
		{"a key that was read is gone", []string{"door", "open"},
			func(tx store.Tx) bool { return tx.Get("door") != nil }, []string{"door", ""}},
		{"a key that was absent has come", nil, func(tx store.Tx) bool { return tx.Get("bouncer") == nil },
			[]string{"bouncer", "there"}},
		{"a prefix that was looked through gained a key", []string{"eni/1", "x"},
			func(tx store.Tx) bool { return count(tx.Range("eni/")) < 2 }, []string{"eni/2", "x"}},
		{"a prefix that was looked through lost a key", []string{"eni/1", "x", "eni/2", "x"},
			func(tx store.Tx) bool { return count(tx.Range("eni/")) == 2 }, []string{"eni/1", ""}},
		{"a term gained a key", []string{"a", "red:1"}, func(tx store.Tx) bool { return count(tx.Indexed("red")) < 2 },
			[]string{"b", "red:2"}},
		{"a term of which it is known where gained a key", []string{"eni/1", "blue:1"},
			func(tx store.Tx) bool { return count(tx.Indexed("blue")) < 2 }, []string{"eni/2", "blue:2"}},
		{"a term lost a key by its change", []string{"a", "red:1"},
			func(tx store.Tx) bool { return count(tx.Indexed("red")) == 1 }, []string{"a", "green:1"}},
		{"more was read than can be told one by one", crowd(300),
			func(tx store.Tx) bool { return count(tx.Range("eni/")) == 300 }, []string{"eni/299", ""}},
	} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, busy %v", tt.name, busy), func(t *testing.T) {
				one, other := open(t)
				must(t, put(one, append([]string{"x", "x"}, tt.before...)...))
				if busy { // the other has committed just now: reads are told one by one
					must(t, put(other, "y", "y"))
				}
				runs := 0
				err := one.Update(t.Context(), func(tx store.Tx) error {
					runs++
					may := tt.decide(tx)
					if runs == 1 && one != other {
						must(t, put(other, tt.change...))
					}
					if may {
						enter(tx)
					}
					return nil
				})
				must(t, err)
				switch in := len(keys(t, other, "guest")) > 0; {
				case one == other && (!in || runs != 1):
					t.Errorf("one at a time: in %v after %d runs", in, runs)
				case one != other && (in || runs < 2):
					t.Errorf("decided on what no longer held: in %v after %d runs", in, runs)
				}
			})
		}
	}
	t.Run("a refusal rests on the newest state", func(t *testing.T) {
		one, other := open(t)
		for i := range 30 {
			door := fmt.Sprint("door", i)
			must(t, put(other, door, "open"))
			refused := errors.New("shut")
			err := one.Update(t.Context(), func(tx store.Tx) error {
				if tx.Get(door) == nil {
					return refused
				}
				return nil
			})
			must(t, err)
		}
	})
	t.Run("write skew", func(t *testing.T) { // two doctors may not both go home
		one, other := open(t)
		for round := range 40 {
			prefix := fmt.Sprintf("duty%d/", round)
			must(t, put(one, prefix+"ann", "red:", prefix+"bob", "red:"))
			var wg sync.WaitGroup
			for who, s := range map[string]store.Store{"ann": one, "bob": other} {
				wg.Go(func() {
					err := s.Update(context.Background(), func(tx store.Tx) error {
						if count(tx.Range(prefix)) == 2 {
							tx.Delete(prefix + who)
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := keys(t, one, prefix); len(got) != 1 {
				t.Fatalf("round %d: on duty %v, want one of two", round, got)
			}
		}
	})
	t.Run("no increment is lost between them", func(t *testing.T) {
		one, other := open(t)
		var wg sync.WaitGroup
		const writers, times = 8, 20
		for i := range writers {
			s := one
			if i%2 == 1 {
				s = other
			}
			wg.Go(func() {
				for range times {
					if err := s.Update(context.Background(), increment); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		wantKeys(t, one, "", fmt.Sprint("n=", writers*times))
	})
	t.Run("a large transaction beside small ones of another", func(t *testing.T) {
		one, other := open(t)
		const n = 1000
		write := func(value string) func(store.Tx) error {
			return func(tx store.Tx) error {
				for i := range n {
					tx.Put(fmt.Sprintf("big/%04d", i), []byte(value))
				}
				return nil
			}
		}
		must(t, one.Update(t.Context(), write("0")))
		var wg sync.WaitGroup
		stop := make(chan struct{})
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				err := other.Update(context.Background(),
					func(tx store.Tx) error { // reads one, writes one: never half of a change
						first, last := tx.Get("big/0007"), tx.Get("big/0999")
						if first == nil || last == nil {
							return errors.New("not there yet")
						}
						if string(first.Value) != string(last.Value) {
							t.Errorf("0007 says %s and 0999 says %s", first.Value, last.Value)
						}
						tx.Put("small", first.Value)
						return nil
					})
				if err != nil {
					t.Error(err)
				}
			}
		})
		for i := range 2 {
			must(t, one.Update(t.Context(), write(fmt.Sprint(i+1))))
		}
		close(stop)
		wg.Wait()
		for it := range one.Local().Range("big/") {
			if string(it.Value) != "2" {
				t.Fatalf("%s = %s, want 2", it.Key, it.Value)
			}
		}
	})
	t.Run("what cannot be read is there, and said", func(t *testing.T) {
		one, other := open(t)
		must(t, put(one, "a/1", "?", "a/2", "red:x"))
		for _, s := range []store.Store{one, other} {
			v, err := s.Snapshot(t.Context())
			must(t, err)
			if it := v.Get("a/1"); it == nil || it.Err == nil || count(v.Damaged("a/")) != 1 || count(v.Damaged("b/")) != 0 {
				t.Errorf("the damaged record is %v", it)
			}
		}
		must(t, put(one, "a/1", "red:mended"))
		v, err := other.Snapshot(t.Context())
		must(t, err)
		if count(v.Damaged("")) != 0 || count(v.Indexed("red")) != 2 {
			t.Error("a record that was mended is still damaged")
		}
	})
}

func crowd(n int) (pairs []string) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("eni/%03d", i), "x")
	}
	return pairs
}

func count(items iter.Seq[*store.Item]) (n int) {
	for range items {
		n++
	}
	return n
}

func increment(tx store.Tx) error {
	n := 0
	if it := tx.Get("n"); it != nil {
		n, _ = strconv.Atoi(string(it.Value))
	}
	tx.Put("n", strconv.AppendInt(nil, int64(n+1), 10))
	return nil
}

func put(s store.Store, pairs ...string) error {
	return s.Update(context.Background(), func(tx store.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				tx.Delete(pairs[i])
				continue
			}
			tx.Put(pairs[i], []byte(pairs[i+1]))
		}
		return nil
	})
}

func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	v, err := s.Snapshot(t.Context())
	must(t, err)
	var got []string
	for it := range v.Range(prefix) {
		got = append(got, it.Key+"="+string(it.Value))
	}
	return got
}

func wantKeys(t *testing.T, s store.Store, prefix string, want ...string) {
	t.Helper()
	if got := keys(t, s, prefix); !slices.Equal(got, want) {
		t.Errorf("keys = %v, want %v", got, want)
	}
}

func wantIndexed(t *testing.T, s store.Store, term string, want ...string) {
	t.Helper()
	v, err := s.Snapshot(t.Context())
	must(t, err)
	var got []string
	for it := range v.Indexed(term) {
		got = append(got, it.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("under %s: %v, want %v", term, got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
