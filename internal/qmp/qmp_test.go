package qmp

import (
	"bufio"
	"strings"
	"testing"
)

// endless is a QEMU that does not stop talking.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	e.n += len(b)
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestALineHasAnEnd(t *testing.T) {
	from := &endless{}
	if _, err := readLine(bufio.NewReaderSize(from, 64<<10)); err == nil || from.n > maxLine+1<<20 {
		t.Errorf("readLine = %v after %d bytes", err, from.n)
	}
	if line, err := readLine(bufio.NewReaderSize(strings.NewReader(strings.Repeat("y", 200_000)+"\nz"),
		64<<10)); err != nil || len(line) != 200_001 {
		t.Errorf("a long line: %d bytes, %v", len(line), err)
	}
}

// TestEventsAreKeptInNumber: those that a guest can bring about without end, and none that says that it has ended is lost.
func TestEventsAreKeptInNumber(t *testing.T) {
	m := &Monitor{}
	for range 10 * maxEvents {
		m.keep(Message{Event: "RESET"})
		m.keep(Message{Event: "RTC_CHANGE"})
	}
	m.keep(Message{Event: "SHUTDOWN"})
	if len(m.queue) != maxEvents+1 || m.queue[maxEvents].Event != "SHUTDOWN" {
		t.Errorf("%d events are kept, the last %s", len(m.queue), m.queue[len(m.queue)-1].Event)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"QMP": {"version": {}, "capabilities": []}}`))
	f.Add([]byte(`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}`))
	f.Add([]byte(`{"id": 1, "error": {"class": "GenericError", "desc": "no"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decode(b); err == nil {
			m.At()
		}
	})
}
