package qemu

import (
	"encoding/json"
	"log/slog"
	"sync"

	"slipway/internal/guard"
	"slipway/internal/hypervisor"
	"slipway/internal/qmp"
)

// sink hands events to one reader and never makes the sender wait.
type sink struct {
	out chan hypervisor.Event

	mu     sync.Mutex
	queue  []hypervisor.Event
	more   chan struct{}
	closed chan struct{}
}

func newSink() *sink {
	s := &sink{out: make(chan hypervisor.Event), more: make(chan struct{}, 1), closed: make(chan struct{})}
	guard.Go(slog.Default(), "machines' events", s.pump)
	return s
}

func (s *sink) send(e hypervisor.Event) {
	s.mu.Lock()
	s.queue = append(s.queue, e)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *sink) pump() {
	for {
		s.mu.Lock()
		queue := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, e := range queue {
			select {
			case s.out <- e:
			case <-s.closed:
				return
			}
		}
		select {
		case <-s.more:
		case <-s.closed:
			return
		}
	}
}

func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
}

// cause is who brought a RESET or SHUTDOWN about.
type cause struct {
	Guest  bool   `json:"guest"`
	Reason string `json:"reason"`
}

func by(e qmp.Message) cause {
	var c cause
	json.Unmarshal(e.Data, &c) // what does not parse was not the guest
	return c
}
