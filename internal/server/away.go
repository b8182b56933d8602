package server

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"slipway"
	"slipway/internal/audit"
)

// How much is said of calls that were turned away unread: whoever sends too many must not fill the disk, or memory,
// with their number.
const (
	awayEvery   = time.Second // at most one line for each source in this time
	awaySources = 256         // that have lines of their own in it; all others share one
)

// away counts the calls that nobody read, until it tells the audit of them.
type away struct {
	tell func(audit.Record) // nil: nobody hears
	now  func() time.Time

	telling sync.Mutex // held while lines are written, so that Close waits for them

	mu     sync.Mutex
	counts map[turnedAway]int // calls, since
	since  time.Time          // when the first of them came
	timer  *time.Timer        // runs while there is something to tell
}

// turnedAway is what calls of one line have in common.
type turnedAway struct {
	source netip.Addr // the zero Addr: those beyond awaySources
	code   slipway.Code
}

// The words of the two ways to be turned away.
var awayWords = map[slipway.Code]string{
	slipway.RequestLimitExceeded: "Request limit exceeded.",
	slipway.ServiceUnavailable:   "The connection was closed unread: as many as there may be were being served.",
}

func newAway(tell func(audit.Record), now func() time.Time) *away {
	return &away{tell: tell, now: now, counts: map[turnedAway]int{}}
}

// add counts a call from an address "host:port".
func (a *away) add(from string, code slipway.Code) {
	if a.tell == nil {
		return
	}
	at := turnedAway{code: code}
	if addr, err := netip.ParseAddrPort(from); err == nil {
		at.source = addr.Addr().Unmap().WithZone("")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts[at] == 0 && len(a.counts) >= awaySources {
		at.source = netip.Addr{}
	}
	a.counts[at]++
	if a.timer == nil {
		a.since, a.timer = a.now(), time.AfterFunc(awayEvery, a.flush)
	}
}

// connection counts one that was closed before anything was read from it.
func (a *away) connection(c net.Conn) { a.add(c.RemoteAddr().String(), slipway.ServiceUnavailable) }

// flush tells what was counted. It may be called at any time.
func (a *away) flush() {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.mu.Lock()
	counts, since := a.counts, a.since
	a.counts = map[turnedAway]int{}
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	a.mu.Unlock()
	for at, calls := range counts {
		a.tell(at.record(calls, since))
	}
}

// record is the line of so many calls. What they asked for, and in whose name, nobody knows.
func (t turnedAway) record(calls int, since time.Time) audit.Record {
	source := "others"
	if t.source.IsValid() {
		source = t.source.String()
	}
	return audit.Record{
		EventVersion: "1.10", UserIdentity: audit.IdentityOf("", "", "", ""),
		EventTime: since.UTC().Format(time.RFC3339), EventSource: "ec2.amazonaws.com", SourceIP: source,
		ErrorCode: string(t.code), ErrorMessage: awayWords[t.code], EventID: NewRequestID(), EventType: "AwsApiCall",
		ManagementEvent: true, EventCategory: "Management",
		AdditionalEventData: map[string]int{"callsTurnedAway": calls},
	}
}
