// Package storetest is the contract of store.Store, which every implementation's tests run.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/internal/store"
)

// Schema indexes a value "colour:rest" under its colour.
func Schema(_ string, value []byte) (any, []string) {
	colour, _, ok := strings.Cut(string(value), ":")
	if !ok {
		return string(value), nil
	}
	return string(value), []string{colour}
}

// Run holds one implementation to the contract; open makes an empty store that the test may leave open.
func Run(t *testing.T, open func(testing.TB) store.Store) {
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
		const writers, each = 8, 20
		for range writers {
			wg.Go(func() {
				for range each {
					err := s.Update(t.Context(), func(tx store.Tx) error {
						n := 0
						if it := tx.Get("n"); it != nil {
							n, _ = strconv.Atoi(string(it.Value))
						}
						tx.Put("n", strconv.AppendInt(nil, int64(n+1), 10))
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		wantKeys(t, s, "", fmt.Sprint("n=", writers*each))
	})
	t.Run("a read that no longer holds runs the function again", func(t *testing.T) {
		s := open(t)
		must(t, put(s, "door", "open"))
		runs := 0
		must(t, s.Update(t.Context(), func(tx store.Tx) error {
			runs++
			if runs == 1 {
				tx.Get("door")
				must(t, alongside(t, s, func() error { return put(s, "door", "shut") }))
			}
			if string(tx.Get("door").Value) == "open" {
				tx.Put("guest", []byte("in"))
			}
			return nil
		}))
		if k := keys(t, s, "guest"); serial(s) && len(k) == 0 {
			return // one at a time: the first run was the only one
		} else if !serial(s) && (len(k) != 0 || runs < 2) {
			t.Errorf("the guest went through a shut door: %v after %d runs", k, runs)
		}
	})
	t.Run("a guarded prefix must not gain a key", func(t *testing.T) {
		s := open(t)
		if serial(s) {
			t.Skip("one transaction at a time: nothing can come between")
		}
		must(t, put(s, "subnet", "there"))
		runs := 0
		must(t, s.Update(t.Context(), func(tx store.Tx) error {
			runs++
			tx.Guard("eni/")
			if runs == 1 {
				must(t, put(s, "eni/1", "in subnet"))
			}
			for range tx.Range("eni/") {
				return nil // in use
			}
			tx.Delete("subnet")
			return nil
		}))
		wantKeys(t, s, "", "eni/1=in subnet", "subnet=there")
		if runs != 2 {
			t.Errorf("the function ran %d times, want 2", runs)
		}
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

// serial says whether the store runs one transaction at a time.
func serial(s store.Store) bool {
	_, ok := s.(interface{ Serial() })
	return ok
}

// alongside runs fn while another transaction is open, where the store allows that.
func alongside(t *testing.T, s store.Store, fn func() error) error {
	if serial(s) {
		return nil
	}
	return fn()
}

func put(s store.Store, pairs ...string) error {
	return s.Update(context.Background(), func(tx store.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
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
