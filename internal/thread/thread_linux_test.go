package thread

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNothingStaysBehind: whatever a function does to its thread, no later one finds it, nor the process's main thread.
func TestNothingStaysBehind(t *testing.T) {
	main := int(unix.Getpid())
	for range 50 {
		if err := Run(func() error {
			if unix.Gettid() == main {
				t.Error("a function ran on the main thread")
			}
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return err
			}
			if old := unix.Umask(0o777); old == 0o777 {
				t.Error("a thread was used twice")
			}
			return unix.Chdir("/proc")
		}); err != nil {
			t.Fatal(err)
		}
	}
	if wd, err := os.Getwd(); err != nil || wd == "/proc" {
		t.Errorf("the working directory is %s, %v", wd, err)
	}
}

func TestAPanicComesBack(t *testing.T) {
	if err := Run(func() error { panic("no") }); err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("Run = %v", err)
	}
}
