package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/guard"
)

// process is one live QEMU, whether this driver started it or found it.
type process struct {
	pid   int
	file  *os.File      // a pidfd: names this very process even after its number is used again
	dead  chan struct{} // closed when the process is gone
	over  chan struct{} // closed when its machine's books are in order again after that
	child *os.Process   // to be reaped, when this driver started it
	how   string        // a child ended; set before dead closes
}

func openProcess(pid int, child *os.Process) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &process{
		pid: pid, file: os.NewFile(uintptr(fd), "pidfd"), dead: make(chan struct{}), over: make(chan struct{}), child: child,
	}
	conn, err := p.file.SyscallConn()
	if err != nil {
		p.file.Close()
		return nil, err
	}
	guard.Go(slog.Default(), "the end of a machine", func() {
		defer close(p.dead)
		// A pidfd becomes readable when its process ends; the runtime's poller waits, so no thread does.
		conn.Read(func(fd uintptr) bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
		if child != nil {
			if state, err := child.Wait(); err == nil {
				p.how = state.String()
			}
		}
	})
	return p, nil
}

func (p *process) alive() bool {
	select {
	case <-p.dead:
		return false
	default:
		return true
	}
}

func (p *process) signal(sig unix.Signal) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return nil
	}
	return sent
}

// startTime is the field of /proc/PID/stat that tells a process from a later one with its number.
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStartTime(b)
}

func parseStartTime(stat []byte) (uint64, error) {
	// The program's name, in parentheses, may itself hold spaces and parentheses.
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, errors.New("stat: no name")
	}
	fields := strings.Fields(string(stat[i+1:]))
	if len(fields) < 20 {
		return 0, errors.New("stat: too short")
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(b))
}

// findByUUID looks through all processes for the one that runs the machine with this UUID: the way back to a process
// whose driver died between starting it and writing down its number.
func findByUUID(uuid string) (int, bool) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	want := []byte("\x00-uuid\x00" + uuid + "\x00")
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err == nil && bytes.Contains(line, want) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid, true
		}
	}
	return 0, false
}

// takeLock takes a machine's lock, which its process holds as long as it lives. ErrHeld says that it lives.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errHeld
		}
		return nil, err
	}
	return f, nil
}

var errHeld = errors.New("the machine's lock is held by a running process")

// epitaph says why a process ended: how, as far as that is known, and what it said at last.
func (p *process) epitaph(words string) string {
	switch {
	case p.how == "" && words == "":
		return "QEMU ended without a word"
	case p.how == "":
		return words
	case words == "":
		return "QEMU ended: " + p.how
	}
	return words + " (" + p.how + ")"
}

// trimLog keeps what QEMU says from filling the disk: a guest can make it talk.
func (m *machine) trimLog(log *slog.Logger) {
	fi, err := os.Stat(m.qemuLog())
	if err != nil || fi.Size() <= logMost {
		return
	}
	log.Warn("QEMU talks much: what it said is dropped", "instance", m.id, "bytes", fi.Size(), "last",
		lastLines(m.qemuLog(), 0))
	if err := os.Truncate(m.qemuLog(), 0); err != nil {
		log.Error("qemu.log", "instance", m.id, "error", err)
		return
	}
	m.update(func(r *record) { r.LogMark = 0 })
}

const logMost = 1 << 20

// lastLines is the end of what a process wrote after the first from bytes, without mere warnings, fit for an error message.
func lastLines(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 2048
	if fi, err := f.Stat(); err == nil {
		f.Seek(max(from, fi.Size()-most), io.SeekStart)
	}
	b := make([]byte, most)
	n, _ := f.Read(b)
	var lines []string
	for line := range strings.Lines(string(b[:n])) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "qemu-system-x86_64: ")
		if line != "" && !strings.HasPrefix(line, "warning: ") && !strings.HasPrefix(line, "info: ") {
			lines = append(lines, line)
		}
	}
	if len(lines) > 5 {
		lines = lines[len(lines)-5:]
	}
	return strings.Join(lines, "; ")
}

// waitDead waits until the process is gone or d has passed.
func (p *process) waitDead(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.dead:
		return true
	case <-t.C:
		return false
	}
}
