package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway"
	"slipway/internal/audit"
)

// TestTurnedAwayCallsAreCounted: whatever floods, of each source there is a line a second at most, few sources have
// lines of their own, and the numbers in the lines add up to the calls.
func TestTurnedAwayCallsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var lines []audit.Record
		s := New(Config{
			Keys: keys{}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Audit: func(r audit.Record) { mu.Lock(); lines = append(lines, r); mu.Unlock() },
		})
		s.load.requests.Store(maxRequests)
		call := func(from string) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			if s.ServeHTTP(w, r); w.Code != http.StatusServiceUnavailable {
				t.Errorf("answered %d", w.Code)
			}
		}
		const seconds, flood, strangers = 3, 2000, 1000
		for range seconds {
			for range flood {
				call("192.0.2.1:4321")
			}
			for i := range strangers {
				call(fmt.Sprintf("[2001:db8::%x]:4321", i))
			}
			s.away.mu.Lock()
			if n := len(s.away.counts); n > awaySources+1 {
				t.Errorf("%d sources are held", n)
			}
			s.away.mu.Unlock()
			time.Sleep(awayEvery)
			synctest.Wait()
		}
		call("192.0.2.2:1")
		s.HTTP().ConnState(&conn{}, http.StateNew) // there is room: it is not counted
		s.Close()
		mu.Lock()
		defer mu.Unlock()
		total, own, shared, at := 0, 0, 0, map[string]bool{}
		for _, r := range lines {
			n := r.AdditionalEventData["callsTurnedAway"]
			total += n
			if at[r.SourceIP+r.EventTime] {
				t.Errorf("two lines of %s at %s", r.SourceIP, r.EventTime)
			}
			at[r.SourceIP+r.EventTime] = true
			if r.SourceIP == "192.0.2.1" {
				own += n
			}
			if r.SourceIP == "others" {
				shared++
			}
			if r.ErrorCode != string(slipway.RequestLimitExceeded) || r.UserIdentity.Type != "Unknown" || n == 0 ||
				r.UserIdentity.AccountID != "" || r.EventID == "" {
				t.Errorf("a line: %+v", r)
			}
		}
		if total != seconds*(flood+strangers)+1 || own != seconds*flood || shared != seconds ||
			len(lines) > seconds*(awaySources+1)+1 {
			t.Errorf("%d calls in %d lines, %d of one source, %d lines of others", total, len(lines), own, shared)
		}
		if len(s.away.counts) != 0 || s.away.timer != nil {
			t.Error("something is left to tell")
		}
	})
}

// TestRefusedConnectionsAreCounted: one that is closed unread may have been a call.
func TestRefusedConnectionsAreCounted(t *testing.T) {
	var lines []audit.Record
	a := newAway(func(r audit.Record) { lines = append(lines, r) }, time.Now)
	c := newConnectionLimit(1, a.connection)
	here := &conn{}
	c.state(here, http.StateNew)
	c.state(here, http.StateActive)
	for range 7 {
		late := &conn{}
		c.state(late, http.StateNew)
		c.state(late, http.StateClosed)
	}
	a.flush()
	if len(lines) != 1 || lines[0].AdditionalEventData["callsTurnedAway"] != 7 || lines[0].SourceIP != "192.0.2.9" ||
		lines[0].ErrorCode != string(slipway.ServiceUnavailable) {
		t.Errorf("%+v", lines)
	}
}
