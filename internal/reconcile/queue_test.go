package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func run(t *testing.T, step Step[string]) (*Queue[string], context.CancelFunc) {
	q := New(step, time.Minute, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	go q.Run(ctx, 4)
	return q, cancel
}

func TestAKeyIsWorkedOnByOneWorkerAndNeverForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, worst, runs atomic.Int32
		q, cancel := run(t, func(context.Context, string) (time.Duration, error) {
			worst.Store(max(worst.Load(), inside.Add(1)))
			time.Sleep(time.Second)
			inside.Add(-1)
			runs.Add(1)
			return 0, nil
		})
		defer cancel()
		for range 5 {
			q.Add("k")
			time.Sleep(400 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if worst.Load() != 1 {
			t.Errorf("%d workers on one key at once", worst.Load())
		}
		if n := runs.Load(); n < 2 || n > 3 {
			t.Errorf("%d runs for five requests in two seconds of one-second steps, want 2 or 3", n)
		}
	})
}

func TestAFailingStepIsTriedAgainWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		q, cancel := run(t, func(context.Context, string) (time.Duration, error) {
			at = append(at, time.Now())
			if len(at) < 5 {
				return 0, errors.New("not yet")
			}
			return 0, nil
		})
		defer cancel()
		q.Add("k")
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(at) != 5 {
			t.Fatalf("%d tries, want 5", len(at))
		}
		for i := 2; i < len(at); i++ {
			if at[i].Sub(at[i-1]) <= at[i-1].Sub(at[i-2]) {
				t.Errorf("pause %d did not grow", i)
			}
		}
	})
}

func TestAStepMayAskForAnotherLookAndAnAddComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		q, cancel := run(t, func(context.Context, string) (time.Duration, error) {
			at = append(at, time.Since(began))
			return time.Minute, nil
		})
		defer cancel()
		q.Add("k")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		q.Add("k")
		time.Sleep(61 * time.Second)
		synctest.Wait()
		want := []time.Duration{0, 10 * time.Second, 70 * time.Second}
		for i := range want {
			if i >= len(at) || at[i] != want[i] {
				t.Fatalf("looks at %v, want %v", at, want)
			}
		}
	})
}
