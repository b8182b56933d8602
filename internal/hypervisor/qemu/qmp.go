package qemu

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

	"slipway/internal/guard"
)

// qmpGreeting is how long QEMU may take from exec to its first word. Under emulation on a busy machine it is slow to start.
const qmpGreeting = 30 * time.Second

// monitor is one connection to a QEMU process's QMP socket, which serves a single client at a time.
type monitor struct {
	conn *net.UnixConn

	writing gate // a command and the file that goes with it are one write

	mu      sync.Mutex
	nextID  uint64
	waiting map[uint64]chan qmpMessage
	queue   []qmpMessage  // events not yet taken
	stirred chan struct{} // closed and replaced at every event: wakes those who wait for a condition
	err     error

	gone chan struct{} // closed when the connection is
}

// qmpMessage is any line QEMU sends.
type qmpMessage struct {
	QMP    json.RawMessage `json:"QMP"`
	ID     uint64          `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *qmpError       `json:"error"`
	Event  string          `json:"event"`
	Data   json.RawMessage `json:"data"`
	Time   struct {
		Seconds      int64 `json:"seconds"`
		Microseconds int64 `json:"microseconds"`
	} `json:"timestamp"`
}

// at is when an event happened.
func (m qmpMessage) at() time.Time { return time.Unix(m.Time.Seconds, m.Time.Microseconds*1000) }

// qmpError is QEMU's refusal of a command.
type qmpError struct {
	Class   string `json:"class"`
	Desc    string `json:"desc"`
	command string
}

func (e *qmpError) Error() string { return fmt.Sprintf("qemu: %s: %s", e.command, e.Desc) }

var errMonitorGone = errors.New("the connection to QEMU is gone")

func decodeQMP(line []byte) (qmpMessage, error) {
	var m qmpMessage
	if err := json.Unmarshal(line, &m); err != nil {
		return qmpMessage{}, fmt.Errorf("qmp: %w", err)
	}
	return m, nil
}

// dialMonitor connects and negotiates. It waits for QEMU's greeting, which comes when QEMU has read its command line.
func dialMonitor(ctx context.Context, path string) (*monitor, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	m := &monitor{
		conn: c.(*net.UnixConn), writing: newGate(), waiting: map[uint64]chan qmpMessage{},
		stirred: make(chan struct{}), gone: make(chan struct{}),
	}
	deadline := time.Now().Add(qmpGreeting)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c.SetReadDeadline(deadline)
	in := bufio.NewReaderSize(c, 64<<10)
	line, err := readLine(in)
	if err == nil {
		var greeting qmpMessage
		if greeting, err = decodeQMP(line); err == nil && greeting.QMP == nil {
			err = errors.New("qmp: no greeting")
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.SetReadDeadline(time.Time{})
	guard.Go(slog.Default(), "the connection to QEMU", func() { m.read(in) })
	if err := m.run(ctx, "qmp_capabilities", nil, nil); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *monitor) read(in *bufio.Reader) {
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
func (m *monitor) readAll(in *bufio.Reader) (err error) {
	for {
		var line []byte
		if line, err = readLine(in); err != nil {
			return err
		}
		var msg qmpMessage
		if msg, err = decodeQMP(line); err != nil {
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
func (m *monitor) keep(e qmpMessage) {
	switch e.Event {
	case "SHUTDOWN", "RESET", "GUEST_PANICKED":
	default:
		return // it wakes who waits for a condition, and that is all
	}
	if len(m.queue) < maxEvents || !slices.ContainsFunc(m.queue, func(q qmpMessage) bool { return q.Event == e.Event }) {
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

// reason is why the connection is gone.
func (m *monitor) reason() error { m.mu.Lock(); defer m.mu.Unlock(); return m.err }

func (m *monitor) close() {
	m.conn.Close()
	<-m.gone
}

// events takes the events that came since the last call, and a channel that closes when more come.
func (m *monitor) events() ([]qmpMessage, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q, m.stirred
}

// qmpLimit is how long QEMU may take to answer any one command. What takes longer, QEMU does as a job.
const qmpLimit = 30 * time.Second

// errSilent is what an operation gets from a QEMU that is stopped or stuck.
var errSilent = errors.New("QEMU does not answer")

// run sends a command and decodes its answer into out, which may be nil.
func (m *monitor) run(ctx context.Context, command string, args, out any) error {
	return m.runWithFile(ctx, command, args, nil, out)
}

// runWithFile hands a file over with the command (getfd, add-fd).
func (m *monitor) runWithFile(ctx context.Context, command string, args any, file *os.File, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, qmpLimit, errSilent)
	defer cancel()
	answer := make(chan qmpMessage, 1)
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
	if err := m.writing.enter(ctx); err != nil {
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
	err = m.write(ctx, append(line, '\n'), file)
	m.writing.leave()
	if err != nil {
		return fmt.Errorf("%s: %w", command, errors.Join(errMonitorGone, err))
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
		return fmt.Errorf("%s: %w", command, errMonitorGone)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
}

// write gives up with ctx. After half a line nothing else can be said, so the connection goes.
func (m *monitor) write(ctx context.Context, line []byte, file *os.File) (err error) {
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

// await looks at a condition until it holds: after every event, and four times a second lest one be missed.
func (m *monitor) await(ctx context.Context, condition func() (bool, error)) error {
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
			return errMonitorGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
