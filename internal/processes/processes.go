// Package processes is what the kernel says of this host's processes, and a handle on one of them that stays its own when
// its number is used again. The hypervisor's driver finds with it what an earlier one started. It starts nothing itself.
package processes

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/guard"
)

// Handle is one live process, whether it was started here or found.
type Handle struct {
	PID   int
	File  *os.File      // a pidfd: names this very process even after its number is used again
	Dead  chan struct{} // closed when the process is gone
	Child *os.Process   // to be reaped, when it was started here
	how   string        // a child ended; set before dead closes
}

// Open finds a live process by its number. Child is the process when it was started here: it is then reaped.
func Open(pid int, child *os.Process) (*Handle, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &Handle{PID: pid, File: os.NewFile(uintptr(fd), "pidfd"), Dead: make(chan struct{}), Child: child}
	conn, err := p.File.SyscallConn()
	if err != nil {
		p.File.Close()
		return nil, err
	}
	guard.Go(slog.Default(), "the end of a machine", func() {
		defer close(p.Dead)
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

// Ended says how a child ended, once it is dead; "" for what was not started here.
func (p *Handle) Ended() string { return p.how }

// Alive says whether the process is there; one that has ended is dead once it has been reaped.
func (p *Handle) Alive() bool {
	select {
	case <-p.Dead:
		return false
	default:
		return true
	}
}

// Signal sends a signal to this very process. One that is gone needs none.
func (p *Handle) Signal(sig unix.Signal) error {
	conn, err := p.File.SyscallConn()
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

// StartTime is the field of /proc/PID/stat that tells a process from a later one with its number.
func StartTime(pid int) (uint64, error) {
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

// BootID tells one boot of this host from another: a process's start time says nothing across them.
func BootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(b))
}

// WaitDead waits until the process is gone or d has passed.
func (p *Handle) WaitDead(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.Dead:
		return true
	case <-t.C:
		return false
	}
}

// ticksPerSecond is the unit of /proc/PID/stat, fixed for user space.
const ticksPerSecond = 100

// CPUTime is what a process has used of CPUs, for itself and in the kernel.
func CPUTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseCPUTime(b)
}

func parseCPUTime(stat []byte) (time.Duration, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("stat: too short")
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 62)
	system, err2 := strconv.ParseUint(fields[12], 10, 62)
	return time.Duration(user+system) * (time.Second / ticksPerSecond), errors.Join(err1, err2)
}

// CommandLine is a process's arguments, the first of which is its own name.
func CommandLine(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00"), err
}

// Owner is the user that a process runs as; 0 when it is gone.
func Owner(pid int) (uid int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range bytes.Lines(b) {
		if after, ok := bytes.CutPrefix(line, []byte("Uid:")); ok {
			fmt.Sscan(string(after), &uid)
		}
	}
	return uid
}
