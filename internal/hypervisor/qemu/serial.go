package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

// While someone types, the serial port's ring is exchanged for a socket whose other end is here; what the guest writes is
// copied to the log on its way. If the driver dies meanwhile, QEMU drops output until the next driver puts the ring back.

var ringBackend = map[string]any{
	"id": "console", "backend": map[string]any{"type": "ringbuf", "data": map[string]any{"size": qemuargs.ConsoleRing}},
}

// Serial is the serial port's two directions. Closing it ends the session, not the machine.
func (d *Driver) Serial(ctx context.Context, id slipway.InstanceID) (io.ReadWriteCloser, error) {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return nil, err
	}
	defer m.op.Leave()
	m.mu.Lock()
	busy := m.typing
	m.typing = true
	m.mu.Unlock()
	if busy {
		return nil, fmt.Errorf("%s: someone uses its serial port already", id)
	}
	s, err := m.openSerial(ctx, mon)
	if err != nil {
		m.mu.Lock()
		m.typing = false
		m.mu.Unlock()
		return nil, err
	}
	return s, nil
}

func (m *machine) openSerial(ctx context.Context, mon *qmp.Monitor) (*serialSession, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := mon.RunWithFile(ctx, "getfd", map[string]any{"fdname": "serial"}, theirs, nil); err != nil {
		ours.Close()
		return nil, err
	}
	m.collect(ctx, mon)
	err = mon.Run(ctx, "chardev-change",
		map[string]any{"id": "console", "backend": map[string]any{"type": "socket", "data": map[string]any{
			"server": false, "addr": map[string]any{"type": "fd", "data": map[string]any{"str": "serial"}}}}}, nil)
	if err != nil {
		ours.Close()
		return nil, err
	}
	return &serialSession{m: m, conn: ours}, nil
}

type serialSession struct {
	m    *machine
	conn net.Conn
	once sync.Once
}

func (s *serialSession) Read(b []byte) (int, error) {
	n, err := s.conn.Read(b)
	if logErr := s.m.log.add(b[:n]); err == nil {
		err = logErr
	}
	return n, err
}

func (s *serialSession) Write(b []byte) (int, error) { return s.conn.Write(b) }

func (s *serialSession) Close() error {
	var err error
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if mon := s.m.connection(); mon != nil {
			err = mon.Run(ctx, "chardev-change", ringBackend, nil)
		}
		s.conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		rest, _ := io.ReadAll(s.conn)
		err = errors.Join(err, s.m.log.add(rest), s.conn.Close())
		s.m.mu.Lock()
		s.m.typing = false
		s.m.mu.Unlock()
	})
	return err
}

// restoreConsole puts the ring back if an earlier driver died while someone typed.
func (d *Driver) restoreConsole(ctx context.Context, m *machine, mon *qmp.Monitor) {
	var devices []struct {
		Label    string `json:"label"`
		Filename string `json:"filename"`
	}
	if err := mon.Run(ctx, "query-chardev", nil, &devices); err != nil {
		return
	}
	for _, dev := range devices {
		if dev.Label == "console" && dev.Filename != "ringbuf" {
			if err := mon.Run(ctx, "chardev-change", ringBackend, nil); err != nil {
				d.log.Warn("console not restored", "instance", m.id, "error", err)
			}
		}
	}
}

// socketPair makes two connected sockets: one for this process, one to hand over.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "serial"), os.NewFile(uintptr(fds[1]), "serial")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}
