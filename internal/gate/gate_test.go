package gate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"slipway/internal/gate"
)

func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New()
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		entered := make(chan error, 1)
		go func() { entered <- g.Enter(t.Context()) }()
		synctest.Wait()
		if len(entered) > 0 {
			t.Fatal("two are behind the gate")
		}
		g.Leave()
		if err := <-entered; err != nil {
			t.Fatal(err)
		}
	})
}

// TestWhoWaitsCanGiveUp, and whoever need not wait is let in even when it is late: what it then does says so itself.
func TestWhoWaitsCanGiveUp(t *testing.T) {
	g, late := gate.New(), func() context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return ctx
	}()
	if err := g.Enter(late); err != nil {
		t.Fatalf("nobody is behind the gate: %v", err)
	}
	if err := g.Enter(late); !errors.Is(err, context.Canceled) {
		t.Errorf("Enter = %v", err)
	}
	g.Leave()
	if err := g.Enter(t.Context()); err != nil {
		t.Errorf("whoever gave up is taken to be behind the gate: %v", err)
	}
}
