package server

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/sigv4"
)

// TestBuckets draw down and fill up as EC2's, each for its account, region and action.
func TestBuckets(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	b := newBuckets(Throttle{
		On: true, Actions: map[string]action.Bucket{"Own": {Size: 2, Refill: 1}}, Accounts: map[string]float64{"big": 3},
	}, func() time.Time { return now })
	given := func(account, name string, bucket action.Bucket, n int) int {
		calls := 0
		for calls < 5000 && b.draw(account, "us-east-1", name, bucket, n) == nil {
			calls++
		}
		return calls
	}
	for _, tt := range []struct {
		what, account, name string
		bucket              action.Bucket
		n, want             int
	}{
		{"a full one", "a", "RunInstances", action.Launches, 1, 5},
		{"an empty one", "a", "RunInstances", action.Launches, 1, 0},
		{"another account's", "b", "RunInstances", action.Launches, 1, 5},
		{"another action's", "a", "StartInstances", action.Launches, 1, 5},
		{"instances beside calls", "a", "RunInstances", action.Launched, 400, 2},
		{"the rest of them", "a", "RunInstances", action.Launched, 200, 1},
		{"more than it holds", "b", "RunInstances", action.Launched, 5000, 1},
		{"the operator's own", "a", "Own", action.Mutating, 1, 2},
		{"a larger account's", "big", "RunInstances", action.Launches, 1, 15},
	} {
		if got := given(tt.account, tt.name, tt.bucket, tt.n); got != tt.want {
			t.Errorf("%s: %d calls, want %d", tt.what, got, tt.want)
		}
	}
	now = now.Add(time.Second)
	if got := given("a", "RunInstances", action.Launches, 1); got != 2 {
		t.Errorf("after a second: %d calls, want 2", got)
	}
	if err := b.draw("a", "us-east-1", "RunInstances", action.Launches,
		1); slipway.CodeOf(err) != slipway.RequestLimitExceeded {
		t.Errorf("an empty bucket: %v", err)
	}
	if err := newBuckets(Throttle{}, time.Now).draw("a", "us-east-1", "RunInstances", action.Bucket{}, 9); err != nil {
		t.Errorf("switched off: %v", err)
	}
	now = now.Add(time.Hour)
	for i := range maxBuckets + 5 {
		b.draw("a", "us-east-1", strings.Repeat("x", i%7)+string(rune(i)), action.Mutating, 1)
		now = now.Add(time.Second)
	}
	if n := len(b.by); n > maxBuckets {
		t.Errorf("%d buckets are kept", n)
	}
}

// endless yields bytes for ever.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestBodiesHoldWhatHasCome: a body holds no more room than it needs, and what there is no room for is told to come back.
func TestBodiesHoldWhatHasCome(t *testing.T) {
	l := newLoad()
	h := &holding{l: l}
	b, over, err := h.read(t.Context(), strings.NewReader("Action=DescribeVpcs"), maxBody)
	if string(b) != "Action=DescribeVpcs" || over || err != nil || h.bytes > firstPiece {
		t.Errorf("a small body: %q %v %v, holding %d", b, over, err, h.bytes)
	}
	h.release()
	if _, over, err := h.read(t.Context(), endless{}, maxBody); !over || err != nil || h.bytes != maxBody+1 {
		t.Errorf("a body without end: %v %v, holding %d", over, err, h.bytes)
	}
	h.release()
	exact := bytes.Repeat([]byte("a"), maxBody)
	if b, over, err := h.read(t.Context(), bytes.NewReader(exact), maxBody); len(b) != maxBody || over || err != nil {
		t.Errorf("as large as it may be: %d %v %v", len(b), over, err)
	}
	h.release()
	if !l.held.TryAcquire(maxHeld) {
		t.Error("what was released is not free")
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLoad()
		l.held.TryAcquire(maxHeld)
		if _, _, err := (&holding{l: l}).read(t.Context(), endless{},
			maxBody); slipway.CodeOf(err) != slipway.RequestLimitExceeded {
			t.Errorf("no room: %v", err)
		}
	})
}

// TestTurns: so many actions run at once and no more, and one account does not take all the turns.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad()
		var running, most int
		var mu sync.Mutex
		late := map[string]int{}
		var all sync.WaitGroup
		work := func(account string) {
			all.Go(func() {
				err := l.run(t.Context(), account, func() {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Minute) // in the bubble
					mu.Lock()
					running--
					mu.Unlock()
				})
				if err != nil {
					mu.Lock()
					late[account]++
					mu.Unlock()
				}
			})
		}
		for range 200 {
			work("greedy")
		}
		synctest.Wait()
		work("modest")
		all.Wait()
		if most > maxRunning || late["greedy"] != 200-maxOfAccount || late["modest"] != 0 {
			t.Errorf("%d at once, of the greedy %d late, of the modest %d", most, late["greedy"], late["modest"])
		}
		if len(l.of) != 0 || !l.running.TryAcquire(maxRunning) {
			t.Error("something is left of the turns")
		}
	})
}

type conn struct {
	net.Conn
	closed bool
}

func (c *conn) Close() error         { c.closed = true; return nil }
func (c *conn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 4321} }

// TestCrowd: one connection too many ends the one that has been silent longest, never one that is served.
func TestCrowd(t *testing.T) {
	var refused []net.Conn
	c := newConnectionLimit(3, func(c net.Conn) { refused = append(refused, c) })
	a, b, d, e, f := &conn{}, &conn{}, &conn{}, &conn{}, &conn{}
	for _, x := range []*conn{a, b, d} {
		c.state(x, http.StateNew)
	}
	c.state(a, http.StateActive)
	c.state(e, http.StateNew)
	if a.closed || !b.closed || d.closed || e.closed {
		t.Errorf("closed: %v %v %v %v", a.closed, b.closed, d.closed, e.closed)
	}
	c.state(b, http.StateClosed)
	c.state(d, http.StateActive)
	c.state(e, http.StateActive)
	c.state(f, http.StateNew)
	if !f.closed {
		t.Error("a connection beyond those that are served was kept")
	}
	c.state(f, http.StateClosed)
	c.state(a, http.StateIdle)
	g := &conn{}
	c.state(g, http.StateNew)
	if !a.closed || g.closed {
		t.Error("an idle connection did not make room")
	}
	for _, x := range []*conn{a, d, e, g} {
		c.state(x, http.StateClosed)
	}
	if len(refused) != 1 || refused[0] != f { // the others had no call under way
		t.Errorf("%d connections are said to be refused, want the one that came when all were served", len(refused))
	}
	if len(c.open) != 0 || c.idle.Len() != 0 {
		t.Errorf("%d connections and %d silent ones are left", len(c.open), c.idle.Len())
	}
}

// deadlines is a writer that remembers the last bound on reading.
type deadlines struct {
	httptest.ResponseRecorder
	set  []time.Time
	sent []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error  { d.set = append(d.set, at); return nil }
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.sent = append(d.sent, at); return nil }

// keys has one.
type keys struct{}

func (keys) Key(_ context.Context, id string) (sigv4.Key, bool, error) {
	return sigv4.Key{Secret: "s"}, id == "AKIA1", nil
}

// TestSlowBodiesHaveAnEnd, by their size, and that end is not the action's.
func TestSlowBodiesHaveAnEnd(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	s := New(Config{Keys: keys{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	for size, want := range map[int]time.Duration{20: grace, 1 << 20: grace + 32*time.Second} {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, size)))
		r.Header.Set("Authorization",
			"AWS4-HMAC-SHA256 Credential=AKIA1/20260304/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00")
		r.Header.Set("X-Amz-Date", "20260304T120000Z")
		w := &deadlines{ResponseRecorder: *httptest.NewRecorder()}
		s.ServeHTTP(w, r)
		if len(w.set) != 2 || !w.set[0].Equal(now.Add(want)) || !w.set[1].IsZero() {
			t.Errorf("%d bytes: reading ends at %v, want %v and then never", size, w.set, want)
		}
		if len(w.sent) != 1 || !w.sent[0].Equal(now.Add(grace)) {
			t.Errorf("%d bytes: writing ends at %v", size, w.sent)
		}
	}
}
