package iam

import (
	"fmt"
	"testing"
	"time"

	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// TestSessionsAreForgottenHoweverTheClockGoes: a clock that is set forward by days between two sweeps, or back for a
// while, leaves no session that nobody will ever forget.
func TestSessionsAreForgottenHoweverTheClockGoes(t *testing.T) {
	const day = 24 * time.Hour
	for _, jumps := range [][]time.Duration{
		{10 * day}, {-10 * day, 10 * day, 3 * day}, {10 * day, -10 * day, 12 * day}, {-3 * day, 6 * day},
	} {
		t.Run(fmt.Sprint(jumps), func(t *testing.T) {
			now := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
			db := state.DB{Store: memory.New(state.Schema())}
			s := New(db, func() time.Time { return now })
			var last time.Time
			for _, by := range append([]time.Duration{0}, jumps...) {
				now = now.Add(by)
				write(t, db, func(tx store.Tx) error {
					k := temporary(owner, now, time.Hour)
					if k.Expires.After(last) {
						last = k.Expires
					}
					return state.AccessKeys.Put(tx, &k)
				})
				if err := s.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for range 4 { // the clock goes as it should from here on
				now = now.Add(12 * time.Hour)
				if err := s.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for k := range state.AccessKeys.All(db.Local(), state.Global) {
				if now.Sub(k.Expires) > 15*time.Hour {
					t.Errorf("a session that ended at %v is kept at %v", k.Expires, now)
				}
			}
		})
	}
}
