package qemu

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/internal/processes"
)

// process is one live QEMU, whether this driver started it or found it.
type process struct {
	*processes.Handle
	over chan struct{} // closed when its machine's books are in order again after its end
}

func openProcess(pid int, child *os.Process) (*process, error) {
	h, err := processes.Open(pid, child)
	if err != nil {
		return nil, err
	}
	return &process{h, make(chan struct{})}, nil
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

// epitaph says why a process ended: how, as far as that is known, and what it said at last.
func (p *process) epitaph(words string) string {
	switch {
	case p.Ended() == "" && words == "":
		return "QEMU ended without a word"
	case p.Ended() == "":
		return words
	case words == "":
		return "QEMU ended: " + p.Ended()
	}
	return words + " (" + p.Ended() + ")"
}

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
