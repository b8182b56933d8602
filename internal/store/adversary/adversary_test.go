package adversary_test

import (
	"fmt"
	"strconv"
	"testing"

	"slipway/internal/store"
	"slipway/internal/store/adversary"
	"slipway/internal/store/storetest"
)

func TestContract(t *testing.T) {
	n := uint64(0)
	storetest.Run(t, func(testing.TB) (store.Store, store.Store) {
		n++
		s := adversary.New(storetest.Schema, n)
		return s, s.Other()
	})
}

// Two who each read what the other writes must not both go through; that they meet at all is what the seeds are for.
func TestCallersMeet(t *testing.T) {
	runs, most := 0, 0
	adversary.Run(t, storetest.Schema, 100, func(t *testing.T, s *adversary.Store) {
		mine := 0
		leave := func(s store.Store, who string) func() {
			return func() {
				err := s.Update(t.Context(), func(tx store.Tx) error {
					mine++
					n := 0
					for range tx.Range("duty/") {
						n++
					}
					if n == 2 {
						tx.Delete("duty/" + who)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		}
		if err := s.Update(t.Context(), func(tx store.Tx) error {
			tx.Put("duty/ann", []byte("x"))
			tx.Put("duty/bob", []byte("x"))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s.Together(leave(s, "ann"), leave(s.Other(), "bob"))
		if got := s.Keys("duty/"); got != "duty/ann" && got != "duty/bob" {
			t.Errorf("on duty: %q", got)
		}
		runs, most = runs+mine, max(most, mine)
	})
	if most < 4 {
		t.Errorf("in 100 orders no transaction ran again because of another (%d runs)", runs)
	}
}

func TestTheSameSeedIsTheSameOrder(t *testing.T) {
	order := func(seed uint64) (out string) {
		s := adversary.New(storetest.Schema, seed)
		var callers []func()
		for i := range 4 {
			callers = append(callers, func() {
				for j := range 3 {
					s.Update(t.Context(), func(tx store.Tx) error {
						out += fmt.Sprint(i, j, " ")
						tx.Put("n", strconv.AppendInt(nil, int64(i*10+j), 10))
						return nil
					})
				}
			})
		}
		s.Together(callers...)
		return out
	}
	if a, b := order(7), order(7); a != b {
		t.Errorf("seed 7 twice:\n%s\n%s", a, b)
	}
	if order(7) == order(8) {
		t.Error("seeds 7 and 8 are one order")
	}
}
