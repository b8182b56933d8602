package traces_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slipway/internal/traces"
)

// TestAMachineThatIsLeftIsFound: a book that finds nothing would let every test of the host pass.
func TestAMachineThatIsLeftIsFound(t *testing.T) {
	state, other := t.TempDir(), t.TempDir()
	disk := filepath.Join(state, "disk")
	if err := syscall.Mkfifo(disk, 0o600); err != nil {
		t.Fatal(err)
	}
	machine := &exec.Cmd{Path: "/bin/cat", Args: []string{"qemu-system-none", disk}} // opens what nobody writes to
	if err := machine.Start(); err != nil {
		t.Skipf("a process to find is missing: %v", err)
	}
	end := func() { machine.Process.Kill(); machine.Wait() }
	defer end()
	var book traces.Book
	book.Note(state, "TestOfOne")
	book.Note(other, "TestOfAnother")
	left := book.Left()
	if len(left) != 1 || !strings.HasPrefix(left[0], "TestOfOne: process qemu-system-none "+disk) {
		t.Errorf("left are %q, want the one machine by the test that made it", left)
	}
	end()
	if left := book.Left(); len(left) != 0 {
		t.Errorf("left are %q when it has ended", left)
	}
}

func TestTheSlotIsReadFromTheStateDirectory(t *testing.T) {
	state := t.TempDir()
	if n := traces.Slot(state); n != -1 {
		t.Errorf("a directory without machines has the slot %d", n)
	}
	if err := os.WriteFile(filepath.Join(state, "slot"), []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := traces.Slot(state); n != 7 {
		t.Errorf("the slot is %d, want 7", n)
	}
}
