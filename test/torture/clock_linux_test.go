package torture

import (
	"bytes"
	"debug/elf"
	order "encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// clock is a process's wall clock, which is set forward and back while it runs, as an operator or a time server sets a
// machine's. It is the process's own: what the kernel hands to every program for reading the clock without a call into
// it is patched in this one, before its first instruction. So whatever asks for the time of day gets it, in the
// product or a library, and the monotonic clock, by which timers run, does not jump: as on a real machine.
type clock struct {
	mu    sync.Mutex
	by    time.Duration // ahead of this test's; whole seconds
	jumps int
	shown time.Time // the latest, before it was set last
	pid   int       // 0: no process has it
	at    int64
}

// stub asks the kernel for the time, and adds as many seconds as the word behind it says if it was the wall clock that
// was asked for.
var stub = []byte{
	0xb8, 0xe4, 0, 0, 0, // mov eax, SYS_clock_gettime
	0x0f, 0x05, //          syscall
	0x85, 0xff, //          test edi, edi: CLOCK_REALTIME is 0
	0x75, 0x0a, //          jne to ret
	0x48, 0x8b, 0x0d, 6, 0, 0, 0, // mov rcx, [rip+6]: the word
	0x48, 0x01, 0x0e, //    add [rsi], rcx
	0xc3,       //          ret
	0x90, 0x90, // so that the word can be written at once
}

// begin starts a program with this clock. The rest of its life is as if cmd.Start had been called.
func (c *clock) begin(cmd *exec.Cmd) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	runtime.LockOSThread() // who traces is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	err := c.patch(pid)
	if err == nil {
		err = syscall.PtraceDetach(pid)
	}
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return fmt.Errorf("a clock of its own: %w", err)
	}
	c.pid = pid
	return nil
}

// gone says that the process is about to be waited for, so that its number may become another's.
func (c *clock) gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = 0
}

func (c *clock) patch(pid int) error {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("the program did not stop at its beginning: %v %v", status, err)
	}
	start, image, err := vdso(pid)
	if err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if s.Name != "__vdso_clock_gettime" || s.Size < uint64(len(stub)+8) {
			continue
		}
		at := start + int64(s.Value)
		c.at = at + int64(len(stub))
		if err := poke(pid, at, stub); err != nil {
			return err
		}
		return c.tell(pid)
	}
	return fmt.Errorf("the kernel hands out no clock that can be set")
}

// vdso is the code that the kernel hands to a process, and where it lies.
func vdso(pid int) (start int64, image []byte, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, nil, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.Contains(line, "[vdso]") {
			continue
		}
		var end int64
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
			return 0, nil, err
		}
		memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return 0, nil, err
		}
		defer memory.Close()
		image, err = io.ReadAll(io.NewSectionReader(memory, start, end-start))
		return start, image, err
	}
	return 0, nil, fmt.Errorf("the kernel hands out no clock")
}

func poke(pid int, at int64, b []byte) error {
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	_, err = memory.WriteAt(b, at)
	return err
}

func (c *clock) tell(pid int) error {
	return poke(pid, c.at, order.LittleEndian.AppendUint64(nil, uint64(c.by/time.Second)))
}

// set has it be that far ahead, or behind.
func (c *clock) set(by time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown = c.late()
	c.by = by.Truncate(time.Second)
	c.jumps++
	if c.pid == 0 {
		return nil
	}
	return c.tell(c.pid)
}

func (c *clock) late() time.Time {
	if now := time.Now().Add(c.by); now.After(c.shown) {
		return now
	}
	return c.shown
}

// latest is the latest time that it has shown.
func (c *clock) latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late()
}

// now is what the process takes for the time, and how often it has been set.
func (c *clock) now() (time.Time, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by), c.jumps
}

// jumped counts, among what was done, the settings of a clock.
const jumped = "clock set"

// farthest is how far a clock may be off: client tokens are remembered for longer than it takes from one end to the other.
const farthest = 20 * time.Hour

// jump is how far ahead a clock is set next: a little, or by hours, or right.
func jump(r *rand.Rand) time.Duration {
	far := time.Duration(r.Int64N(int64(2*farthest))) - farthest
	return []time.Duration{0, far / 1000, far, far}[r.IntN(4)]
}

// ownClock is one for a server, where there can be any.
func ownClock() *clock {
	if runtime.GOARCH != "amd64" {
		return nil
	}
	return &clock{}
}

// setClock sets the server's.
func (r *rig) setClock() (string, int) {
	if err := r.site.clock.set(jump(r.rand)); err != nil {
		r.t.Errorf("the clock was not set: %v", err)
	}
	return jumped, 1
}

// clockRack has a server whose clock is set forward and back.
func clockRack(t *testing.T, seed uint64) *rig {
	own := ownClock()
	if own == nil {
		t.Skipf("a process's clock can be set on amd64, not on %s", runtime.GOARCH)
	}
	r := newRig(t, newSite(t, siteOf{state: shortDir(t), flags: []string{"--hypervisor", "simulated"}, clock: own}),
		seed, 6, false)
	r.harm = r.setClock
	return r
}
