// Package reconcile drives steps that make the world match what is wanted: a queue of keys, each worked on by one worker at a
// time, tried again with growing pauses when its step fails. It knows nothing of what the keys mean.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"slipway/internal/guard"
)

// Step works on one key. It looks at the world, acts if needed, and is free when repeated. again asks for another look
// after a pause; an error is logged and tried again with backoff.
type Step[K comparable] func(ctx context.Context, key K) (again time.Duration, err error)

// Backoff bounds between two tries of a failing key.
const (
	firstBackoff = 200 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

// Queue holds each key at most once.
type Queue[K comparable] struct {
	step     Step[K]
	deadline time.Duration
	log      *slog.Logger

	mu      sync.Mutex
	ready   []K
	waiting map[K]*entry
	wake    chan struct{}
}

type entry struct {
	queued  bool
	running bool
	dirty   bool // asked for again while running
	fails   int
	timer   *time.Timer
}

// New makes a queue; deadline bounds one step.
func New[K comparable](step Step[K], deadline time.Duration, log *slog.Logger) *Queue[K] {
	return &Queue[K]{step: step, deadline: deadline, log: log, waiting: map[K]*entry{}, wake: make(chan struct{}, 1)}
}

// Add asks for a look at key now.
func (q *Queue[K]) Add(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(key)
}

func (q *Queue[K]) add(key K) {
	e := q.waiting[key]
	if e == nil {
		e = &entry{}
		q.waiting[key] = e
	}
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	switch {
	case e.running:
		e.dirty = true
	case !e.queued:
		e.queued = true
		q.ready = append(q.ready, key)
		q.signal()
	}
}

func (q *Queue[K]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run works with so many workers until ctx ends, and returns when they have.
func (q *Queue[K]) Run(ctx context.Context, workers int) {
	var wg sync.WaitGroup
	for range workers {
		guard.Group(&wg, q.log, "a worker of the queue", func() {
			for {
				key, ok := q.next(ctx)
				if !ok {
					return
				}
				q.work(ctx, key)
			}
		})
	}
	wg.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.waiting {
		if e.timer != nil {
			e.timer.Stop()
		}
	}
}

func (q *Queue[K]) next(ctx context.Context) (K, bool) {
	var none K
	for {
		if ctx.Err() != nil {
			return none, false
		}
		q.mu.Lock()
		if len(q.ready) > 0 {
			key := q.ready[0]
			q.ready = q.ready[1:]
			if len(q.ready) > 0 {
				q.signal()
			}
			e := q.waiting[key]
			e.queued, e.running = false, true
			q.mu.Unlock()
			return key, true
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return none, false
		case <-q.wake:
		}
	}
}

func (q *Queue[K]) work(ctx context.Context, key K) {
	bounded, cancel := context.WithTimeout(ctx, q.deadline)
	var again time.Duration
	err := guard.Call(func() (err error) {
		again, err = q.step(bounded, key)
		return err
	}) // a key that panics is a key that fails
	cancel()
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.waiting[key]
	e.running = false
	if err != nil && ctx.Err() == nil {
		pause := min(firstBackoff<<min(e.fails, 10), lastBackoff)
		e.fails++
		if p, ok := errors.AsType[*guard.Panic](err); ok {
			q.log.Error("step panicked", "key", key, "value", fmt.Sprint(p.Value), "stack", string(p.Stack))
		}
		q.log.Warn("step failed", "key", key, "error", err, "tries", e.fails, "again", pause)
		again = pause
	} else {
		e.fails = 0
	}
	switch {
	case e.dirty:
		e.dirty = false
		q.add(key)
	case again > 0:
		e.timer = guard.After(again, q.log, "the queue", func() { q.Add(key) })
	default:
		delete(q.waiting, key)
	}
}
