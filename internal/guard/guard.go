// Package guard keeps one fault from ending everything: what serves foreign input, or works in the background, runs
// under it, so that a panic costs the one message or step that brought it about, and a loop that ends before its time
// begins anew. It is the one way in which agent, dataplane, imds, qemu and cmd start goroutines (tree_test.go looks),
// and knows none of them.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Panic is what a recovered panic is as an error.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Call is fn, with a panic as an error.
func Call(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{v, debug.Stack()}
		}
	}()
	return fn()
}

// Do is fn, whose panic is logged and nothing else; what says in the log who it was.
func Do(log *slog.Logger, what string, fn func()) {
	if err := Call(func() error { fn(); return nil }); err != nil {
		Log(log, what, err)
	}
}

// Log says that what has failed, with the stack if it panicked.
func Log(log *slog.Logger, what string, err error) {
	if p, ok := errors.AsType[*Panic](err); ok {
		log.Error("panic", "in", what, "value", fmt.Sprint(p.Value), "stack", string(p.Stack))
		return
	}
	log.Warn("failed", "in", what, "error", err)
}

// Go is Do in a goroutine.
func Go(log *slog.Logger, what string, fn func()) { go Do(log, what, fn) }

// Group is Go within a group that is waited for.
func Group(wg *sync.WaitGroup, log *slog.Logger, what string, fn func()) {
	wg.Go(func() { Do(log, what, fn) })
}

// After is Do after a while.
func After(d time.Duration, log *slog.Logger, what string, fn func()) *time.Timer {
	return time.AfterFunc(d, func() { Do(log, what, fn) })
}

// Pauses between two tries of a loop that ends before its time, and how long it must have run for the next pause to be
// the first again.
const (
	FirstPause = 200 * time.Millisecond
	LastPause  = 30 * time.Second
	Healthy    = time.Minute
)

// Loop runs fn until ctx ends. fn is to return at ctx's end only: if it returns or panics before, that is said and it
// is run again, after a pause that grows.
func Loop(ctx context.Context, log *slog.Logger, what string, fn func(context.Context) error) {
	pause := FirstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := Call(func() error { return fn(ctx) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended before its time")
		}
		if time.Since(began) >= Healthy {
			pause = FirstPause
		}
		Log(log, what, err)
		log.Warn("begins again", "what", what, "after", pause)
		if !Sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, LastPause)
	}
}

// Sleep waits, and says whether it was to the end.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Every does step at once and then at each interval until ctx ends; a step that fails or panics is said, and does not
// keep the next away.
func Every(ctx context.Context, interval time.Duration, log *slog.Logger, what string, step func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := Call(func() error { return step(ctx) }); err != nil && ctx.Err() == nil {
			Log(log, what, err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
