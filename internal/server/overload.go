package server

import (
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"slipway"
)

// Bounds of what all requests together may take. What is beyond them waits for a moment and is then told to come back,
// which clients do.
const (
	maxConnections = 2000             // the one that has been silent longest makes room
	maxRequests    = 1000             // read, waiting or running
	maxRunning     = 64               // actions at once
	maxOfAccount   = 48               // of them, one account's
	maxHeld        = 64 << 20         // bytes of bodies
	maxSent        = 256 << 20        // bytes of answers on their way
	patience       = 2 * time.Second  // until there is room
	firstPiece     = 16 << 10         // bytes of a body that are taken at once; then as many as have come
	slowest        = 32 << 10         // bytes a second, of a body or an answer
	grace          = 10 * time.Second // besides
)

// busy is what a request beyond the bounds gets.
func busy() error {
	return slipway.Errorf(slipway.RequestLimitExceeded, "Request limit exceeded.")
}

// load is what the server is doing, and how much more of it there may be.
type load struct {
	requests   atomic.Int64
	running    *semaphore.Weighted
	held, sent *semaphore.Weighted

	mu sync.Mutex
	of map[string]*turn // by account, of those that have something running or waiting
}

type turn struct {
	*semaphore.Weighted
	users int
}

func newLoad() *load {
	return &load{
		running: semaphore.NewWeighted(maxRunning), held: semaphore.NewWeighted(maxHeld),
		sent: semaphore.NewWeighted(maxSent), of: map[string]*turn{},
	}
}

// enter counts a request in; leave has to be called if it says so.
func (l *load) enter() bool {
	if l.requests.Add(1) > maxRequests {
		l.requests.Add(-1)
		return false
	}
	return true
}

func (l *load) leave() { l.requests.Add(-1) }

// acquire waits for room, but not for long.
func acquire(ctx context.Context, s *semaphore.Weighted, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.Acquire(ctx, n) != nil {
		return busy()
	}
	return nil
}

// run does an account's work when its turn has come.
func (l *load) run(ctx context.Context, account string, work func()) error {
	l.mu.Lock()
	t := l.of[account]
	if t == nil {
		t = &turn{Weighted: semaphore.NewWeighted(maxOfAccount)}
		l.of[account] = t
	}
	t.users++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(l.of, account)
		}
	}()
	if err := acquire(ctx, t.Weighted, 1); err != nil {
		return err
	}
	defer t.Release(1)
	if err := acquire(ctx, l.running, 1); err != nil {
		return err
	}
	defer l.running.Release(1)
	work()
	return nil
}

// holding is what one request has of the bytes that all may hold.
type holding struct {
	l     *load
	bytes int64
}

func (h *holding) release() { h.l.held.Release(h.bytes); h.bytes = 0 }

// read takes at most limit bytes, and no more room than what has come needs; over says that there is more. Whoever
// sends slowly holds little.
func (h *holding) read(ctx context.Context, from io.Reader, limit int) (b []byte, over bool, err error) {
	for {
		if len(b) > limit {
			return b, true, nil
		}
		if len(b) == cap(b) {
			room := min(max(2*cap(b), firstPiece), limit+1)
			if err := acquire(ctx, h.l.held, int64(room)); err != nil {
				return nil, false, err
			}
			h.bytes += int64(room)
			grown := make([]byte, len(b), room)
			copy(grown, b)
			h.l.held.Release(int64(cap(b)))
			h.bytes -= int64(cap(b))
			b = grown
		}
		n, err := from.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, len(b) > limit, nil
		case err != nil:
			return nil, false, err
		}
	}
}

// within is the time that so many bytes may take.
func within(n int64) time.Duration { return grace + time.Duration(n/slowest)*time.Second }

// connectionLimit bounds the connections: one too many ends the one that has been silent longest, or itself if none is.
type connectionLimit struct {
	most    int
	refused func(net.Conn) // hears of those that were closed as they came: a call may have been in them

	mu   sync.Mutex
	open map[net.Conn]*list.Element // nil while a request is served
	idle *list.List                 // of net.Conn, the longest silent first
}

func newConnectionLimit(most int, refused func(net.Conn)) *connectionLimit {
	return &connectionLimit{most: most, refused: refused, open: map[net.Conn]*list.Element{}, idle: list.New()}
}

// state is http.Server's ConnState.
func (c *connectionLimit) state(conn net.Conn, s http.ConnState) {
	surplus := c.changed(conn, s)
	if surplus == nil {
		return
	}
	surplus.Close()
	if surplus == conn {
		c.refused(conn)
	}
}

func (c *connectionLimit) changed(conn net.Conn, s http.ConnState) (surplus net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.open[conn]; at != nil {
		c.idle.Remove(at)
		c.open[conn] = nil
	}
	switch s {
	case http.StateNew:
		if len(c.open) >= c.most {
			surplus = conn
			if longest := c.idle.Front(); longest != nil {
				surplus = longest.Value.(net.Conn)
			}
		}
		c.open[conn] = c.idle.PushBack(conn)
	case http.StateIdle:
		c.open[conn] = c.idle.PushBack(conn)
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	return surplus
}
