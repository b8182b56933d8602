package guard

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestALoopThatEndsBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, nil))
		ctx, cancel := context.WithCancel(t.Context())
		var starts []time.Duration
		began := time.Now()
		Loop(ctx, log, "the stream of changes", func(ctx context.Context) error {
			starts = append(starts, time.Since(began))
			switch len(starts) {
			case 1:
				return errors.New("the watch is gone")
			case 2:
				panic("a nil map")
			case 3:
				return nil
			case 4: // healthy for a while, so that the next pause is short again
				time.Sleep(2 * time.Minute)
				return errors.New("again")
			}
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		want := []time.Duration{0, FirstPause, 3 * FirstPause, 7 * FirstPause, 7*FirstPause + 2*time.Minute + FirstPause}
		for i := range want {
			if i >= len(starts) || starts[i] != want[i] {
				t.Fatalf("it began at %v, want %v", starts, want)
			}
		}
		for _, text := range []string{
			"the watch is gone", "a nil map", "guard_test.go", "ended before its time", "the stream of changes",
		} {
			if !strings.Contains(said.String(), text) {
				t.Errorf("the log does not say %q:\n%s", text, &said)
			}
		}
	})
}

func TestAStepThatPanicsDoesNotKeepTheNextAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		Every(ctx, time.Second, slog.New(slog.DiscardHandler), "tick", func(context.Context) error {
			if n++; n == 3 {
				cancel()
			}
			panic(n)
		})
		if n != 3 {
			t.Errorf("%d steps, want 3", n)
		}
	})
}

func TestAPanicIsAnError(t *testing.T) {
	err := Call(func() error { panic("no") })
	if p, ok := errors.AsType[*Panic](err); !ok || p.Value != "no" || len(p.Stack) == 0 {
		t.Errorf("Call = %v", err)
	}
	var wg sync.WaitGroup
	Group(&wg, slog.New(slog.DiscardHandler), "x", func() { panic("no") })
	wg.Wait()
}
