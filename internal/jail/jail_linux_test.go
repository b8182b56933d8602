package jail

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/await"
)

const stranger = 0x70000000 - 1 // a user of nobody's

// cell is a shell in a view, whose owner may walk nowhere on the host.
type cell struct {
	*testing.T
	dir   string // of mode 0700
	shown string // a file that it is given
	cmd   *exec.Cmd
	in    *os.File
	out   *bytes.Buffer
	pidfd int
}

func lockUp(t *testing.T) *cell {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	c := &cell{T: t, dir: t.TempDir(), out: &bytes.Buffer{}}
	if err := os.Chmod(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.shown = c.file("given", "from the host")
	root := filepath.Join(c.dir, "view")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.cmd = w, exec.Command("/bin/sh")
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr, c.cmd.Dir = r, c.out, c.out, "/"
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
	err = Start(c.cmd,
		View{
			Root: root, Files: []File{{Path: c.shown}},
			Contents: []Content{{"/secrets/one", []byte("hush"), stranger}, {"/secrets/other", []byte("hush"), stranger - 1}},
		})
	r.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); c.cmd.Process.Kill(); c.cmd.Wait() })
	if c.pidfd, err = unix.PidfdOpen(c.cmd.Process.Pid, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(c.pidfd) })
	return c
}

func (c *cell) file(name, content string) string {
	c.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		c.Fatal(err)
	}
	return path
}

// sh lets the shell answer one line's words through a file that both see.
func (c *cell) sh(command string) string {
	c.Helper()
	answer := c.file("answer", "")
	if err := os.Chown(answer, stranger, stranger); err != nil {
		c.Fatal(err)
	}
	if err := Show(c.pidfd, File{Path: answer, Write: true}); err != nil {
		c.Fatal(err)
	}
	fmt.Fprintf(c.in, "{ %s; echo \"=$?\"; } >%s 2>&1\n", command, answer)
	var b []byte
	await.Success(c, 10*time.Second, func() error {
		b, _ = os.ReadFile(answer)
		if !bytes.Contains(b, []byte("=")) {
			return fmt.Errorf("no answer to %s: %q", command, b)
		}
		return nil
	})
	if err := Hide(c.pidfd, answer); err != nil {
		c.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// TestAProgramSeesWhatItIsGiven and nothing else of the host, although it may walk to none of it.
func TestAProgramSeesWhatItIsGiven(t *testing.T) {
	c := lockUp(t)
	for command, want := range map[string]string{
		"cat " + c.shown:              "from the host=0",
		"cat /secrets/one":            "hush=0",
		"echo x > " + c.shown:         "=2",
		"echo $$":                     "1\n=0",
		"ls /proc /root /home":        "=2",
		"cat /etc/passwd":             "=1",
		"cat /secrets/other":          "=1",
		"echo x > /new":               "=2",
		"echo x > /usr/new":           "=2",
		"test -e " + c.dir + "/view":  "=1",
		"test -e /.host":              "=1",
		"head -c 3 /dev/zero | wc -c": "3\n=0",
		"ls /secrets | wc -l":         "2\n=0",
	} {
		if got := c.sh(command); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"CapBnd:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), line) {
			t.Errorf("the process's status lacks %q:\n%s", line, status)
		}
	}
	for _, ns := range []string{"mnt", "pid", "ipc", "net"} {
		own, _ := os.Readlink("/proc/self/ns/" + ns)
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", c.cmd.Process.Pid, ns))
		if err != nil || own == its {
			t.Errorf("its %s namespace is ours: %s (%v)", ns, its, err)
		}
	}
}

// TestFilesComeAndGo while the program runs; one that is there stays the same, one that was replaced is shown anew.
func TestFilesComeAndGo(t *testing.T) {
	c := lockUp(t)
	later := c.file("later", "first")
	for range 2 {
		if err := Show(c.pidfd, File{Path: later}); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.sh("cat " + later); got != "first=0" {
		t.Errorf("shown: %q", got)
	}
	if err := os.Remove(later); err != nil {
		t.Fatal(err)
	}
	c.file("later", "second")
	if err := Show(c.pidfd, File{Path: later}); err != nil {
		t.Fatal(err)
	}
	if got := c.sh("cat " + later); got != "second=0" {
		t.Errorf("replaced: %q", got)
	}
	for range 2 {
		if err := Hide(c.pidfd, later); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.sh("test -e " + later); got != "=1" {
		t.Errorf("hidden: %q", got)
	}
	if _, err := os.Stat(later); err != nil {
		t.Errorf("hiding it took it from the host: %v", err)
	}
	if err := Show(c.pidfd, File{Path: filepath.Join(c.dir, "absent")}); err == nil {
		t.Error("a file that is not there was shown")
	}
}

func TestARelativePathIsRefused(t *testing.T) {
	if _, err := grab(File{Path: "x"}); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("err = %v", err)
	}
}

// TestAProgramWithoutAView, such as one that an earlier slipway started, is left alone: what it would be shown or
// denied is the host's.
func TestAProgramWithoutAView(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	file := filepath.Join(t.TempDir(), "volume")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	for _, err := range []error{Show(pidfd, File{Path: file, Write: true}), Hide(pidfd, file), Hide(pidfd, file)} {
		if err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the host's file is gone: %q, %v", b, err)
	}
}
