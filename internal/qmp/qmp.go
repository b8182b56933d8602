// Package qmp speaks QEMU's monitor protocol: one connection to one QEMU, its commands, its events, and the few questions
// whose answers several operations need. What QEMU says is a guest's word once the guest has broken out, so every answer
// is bounded in length, number and time. It knows no machine by name, starts no process and decides nothing.
package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"slipway/internal/gate"
	"slipway/internal/guard"
)

// Greeting is how long QEMU may take from exec to its first word. Under emulation on a busy machine it is slow to start.
const Greeting = 30 * time.Second

// Monitor is one connection to a QEMU process's QMP socket, which serves a single client at a time.
type Monitor struct {
	conn *net.UnixConn

	writing gate.Gate // a command and the file that goes with it are one write

	mu      sync.Mutex
	nextID  uint64
	waiting map[uint64]chan Message
	queue   []Message     // events not yet taken
	stirred chan struct{} // closed and replaced at every event: wakes those who wait for a condition
	err     error

	gone chan struct{} // closed when the connection is
}

// Message is any line QEMU sends.
type Message struct {
	QMP    json.RawMessage `json:"QMP"`
	ID     uint64          `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *Error          `json:"error"`
	Event  string          `json:"event"`
	Data   json.RawMessage `json:"data"`
	Time   struct {
		Seconds      int64 `json:"seconds"`
		Microseconds int64 `json:"microseconds"`
	} `json:"timestamp"`
}

// At is when an event happened.
func (m Message) At() time.Time { return time.Unix(m.Time.Seconds, m.Time.Microseconds*1000) }

// Error is QEMU's refusal of a command.
type Error struct {
	Class   string `json:"class"`
	Desc    string `json:"desc"`
	command string
}

func (e *Error) Error() string { return fmt.Sprintf("qemu: %s: %s", e.command, e.Desc) }

// ErrGone is what a command gets whose connection ends.
var ErrGone = errors.New("the connection to QEMU is gone")

func decode(line []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(line, &m); err != nil {
		return Message{}, fmt.Errorf("qmp: %w", err)
	}
	return m, nil
}

// Dial connects and negotiates. It waits for QEMU's greeting, which comes when QEMU has read its command line.
func Dial(ctx context.Context, path string) (*Monitor, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	m := &Monitor{
		conn: c.(*net.UnixConn), writing: gate.New(), waiting: map[uint64]chan Message{},
		stirred: make(chan struct{}), gone: make(chan struct{}),
	}
	deadline := time.Now().Add(Greeting)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c.SetReadDeadline(deadline)
	in := bufio.NewReaderSize(c, 64<<10)
	line, err := readLine(in)
	if err == nil {
		var greeting Message
		if greeting, err = decode(line); err == nil && greeting.QMP == nil {
			err = errors.New("qmp: no greeting")
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.SetReadDeadline(time.Time{})
	guard.Go(slog.Default(), "the connection to QEMU", func() { m.read(in) })
	if err := m.Run(ctx, "qmp_capabilities", nil, nil); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Monitor) read(in *bufio.Reader) {
	err := guard.Call(func() error { return m.readAll(in) })
	m.conn.Close()
	m.mu.Lock()
	m.err = err
	close(m.stirred)
	m.stirred = make(chan struct{})
	m.mu.Unlock()
	close(m.gone)
}

// readAll hands out what QEMU says until the connection ends.
func (m *Monitor) readAll(in *bufio.Reader) (err error) {
	for {
		var line []byte
		if line, err = readLine(in); err != nil {
			return err
		}
		var msg Message
		if msg, err = decode(line); err != nil {
			return err
		}
		m.mu.Lock()
		if msg.Event != "" {
			m.keep(msg)
			close(m.stirred)
			m.stirred = make(chan struct{})
		} else if w, ok := m.waiting[msg.ID]; ok {
			delete(m.waiting, msg.ID)
			w <- msg
		}
		m.mu.Unlock()
	}
}

// keep queues an event that the driver acts on. A guest can bring many about, so no more are kept than one who is slow
// to look needs.
func (m *Monitor) keep(e Message) {
	switch e.Event {
	case "SHUTDOWN", "RESET", "GUEST_PANICKED":
	default:
		return // it wakes who waits for a condition, and that is all
	}
	if len(m.queue) < maxEvents || !slices.ContainsFunc(m.queue, func(q Message) bool { return q.Event == e.Event }) {
		m.queue = append(m.queue, e)
	}
}

const (
	maxEvents = 256     // kept until the driver looks
	maxLine   = 8 << 20 // bytes: the longest answers are those about the block graph of 33 disks, and the console's ring
)

// readLine reads one line, and refuses one that has no end: what QEMU says is a guest's word once the guest has broken out.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxLine {
			return nil, fmt.Errorf("qmp: a line of more than %d bytes", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// Reason is why the connection is gone.
func (m *Monitor) Reason() error { m.mu.Lock(); defer m.mu.Unlock(); return m.err }

// Ended is closed when the connection is.
func (m *Monitor) Ended() <-chan struct{} { return m.gone }

// Close ends the connection and waits until what it said last has been read.
func (m *Monitor) Close() {
	m.conn.Close()
	<-m.gone
}

// Events takes the events that came since the last call, and a channel that closes when more come.
func (m *Monitor) Events() ([]Message, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q, m.stirred
}

// Limit is how long QEMU may take to answer any one command. What takes longer, QEMU does as a job.
const Limit = 30 * time.Second

// errSilent is what an operation gets from a QEMU that is stopped or stuck.
var errSilent = errors.New("QEMU does not answer")

// Run sends a command and decodes its answer into out, which may be nil.
func (m *Monitor) Run(ctx context.Context, command string, args, out any) error {
	return m.RunWithFile(ctx, command, args, nil, out)
}

// RunWithFile hands a file over with the command (getfd, add-fd).
func (m *Monitor) RunWithFile(ctx context.Context, command string, args any, file *os.File, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, Limit, errSilent)
	defer cancel()
	answer := make(chan Message, 1)
	m.mu.Lock()
	m.nextID++
	id := m.nextID
	m.waiting[id] = answer
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.waiting, id)
		m.mu.Unlock()
	}()
	line, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{command, args, id})
	if err != nil {
		return err
	}
	if err := m.writing.Enter(ctx); err != nil {
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
	err = m.write(ctx, append(line, '\n'), file)
	m.writing.Leave()
	if err != nil {
		return fmt.Errorf("%s: %w", command, errors.Join(ErrGone, err))
	}
	select {
	case a := <-answer:
		if a.Error != nil {
			a.Error.command = command
			return a.Error
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(a.Return, out)
	case <-m.gone:
		return fmt.Errorf("%s: %w", command, ErrGone)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
}

// write gives up with ctx. After half a line nothing else can be said, so the connection goes.
func (m *Monitor) write(ctx context.Context, line []byte, file *os.File) (err error) {
	until, _ := ctx.Deadline()
	m.conn.SetWriteDeadline(until)
	defer func() {
		if err != nil {
			m.conn.Close()
		}
	}()
	if file == nil {
		_, err := m.conn.Write(line)
		return err
	}
	var n int
	n, _, err = m.conn.WriteMsgUnix(line, syscall.UnixRights(int(file.Fd())), nil)
	if err == nil && n < len(line) {
		_, err = m.conn.Write(line[n:])
	}
	return err
}

// Await looks at a condition until it holds: after every event, and four times a second lest one be missed.
func (m *Monitor) Await(ctx context.Context, condition func() (bool, error)) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		m.mu.Lock()
		stirred := m.stirred
		m.mu.Unlock()
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-stirred:
		case <-tick.C:
		case <-m.gone:
			return ErrGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
