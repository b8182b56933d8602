package processes

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestProcessIsToldFromALaterOne(t *testing.T) {
	for _, tt := range []struct {
		name, stat string
		want       uint64
	}{
		{"plain", "7 (qemu) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 4242 9 9", 4242},
		{"with a name that looks like fields", "7 (a) R (b) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 4242 9 9", 4242},
		{"a zombie is gone", "7 (qemu) Z 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 4242 9 9", 0},
		{"cut short", "7 (qemu) S 1 7", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStartTime([]byte(tt.stat))
			if got != tt.want || (err == nil) != (tt.want != 0) {
				t.Errorf("parseStartTime = %d, %v, want %d", got, err, tt.want)
			}
		})
	}
}

// TestAHandleIsOfOneProcess: what the kernel says of a child, and that it is gone when it is.
func TestAHandleIsOfOneProcess(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("cat", "-")
	cmd.Stdin = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	p, err := Open(cmd.Process.Pid, cmd.Process)
	if err != nil {
		cmd.Process.Kill()
		t.Fatal(err)
	}
	defer p.File.Close()
	if words, err := CommandLine(p.PID); err != nil || strings.Join(words, " ") != "cat -" {
		t.Errorf("CommandLine = %q, %v", words, err)
	}
	if uid := Owner(p.PID); uid != os.Getuid() {
		t.Errorf("Owner = %d", uid)
	}
	if start, err := StartTime(p.PID); err != nil || start == 0 {
		t.Errorf("StartTime = %d, %v", start, err)
	}
	if used, err := CPUTime(p.PID); err != nil || used < 0 {
		t.Errorf("CPUTime = %v, %v", used, err)
	}
	if !p.Alive() || p.WaitDead(time.Millisecond) {
		t.Error("it is taken for dead")
	}
	if err := p.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Dead
	if p.Alive() || p.Ended() != "signal: killed" {
		t.Errorf("Alive = %v, Ended = %q", p.Alive(), p.Ended())
	}
	if err := p.Signal(unix.SIGKILL); err != nil {
		t.Errorf("a signal to who is gone: %v", err)
	}
	if _, err := StartTime(p.PID); err == nil {
		t.Error("StartTime of who is gone: no error")
	}
	if _, err := Open(p.PID, nil); !errors.Is(err, unix.ESRCH) {
		t.Errorf("Open = %v", err)
	}
}

func TestCPUTimeIsOfBothKinds(t *testing.T) {
	got, err := parseCPUTime([]byte("7 (a) R (b) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 7 8 20 0 3 0 4242 9 9"))
	if err != nil || got != 2*time.Second {
		t.Errorf("parseCPUTime = %v, %v", got, err)
	}
	if _, err := parseCPUTime([]byte("7 (a) S 1")); err == nil {
		t.Error("cut short: no error")
	}
}
