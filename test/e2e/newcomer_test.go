package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// newcomer is someone who has just cloned slipway into a home that only its owner may enter.
type newcomer struct {
	*testing.T
	clone    string
	uid, gid int
	env      []string
}

// command is one as the newcomer types it, in the clone.
func (n *newcomer) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(n.Context(), name, args...)
	cmd.Dir, cmd.Env = n.clone, n.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if n.uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(n.uid), Gid: uint32(n.gid)}
	}
	return cmd
}

// arrive makes the newcomer's home, and a clone in it with what `make build` has made.
func arrive(t *testing.T, name string, uid, gid int) *newcomer {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("/var/tmp", "home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	n := &newcomer{T: t, clone: filepath.Join(home, "slipway"), uid: uid, gid: gid}
	n.env = []string{
		"HOME=" + home, "USER=" + name, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SLIPWAY_LISTEN=127.0.0.1:0", "SLIPWAY_ACCEL=tcg",
	}
	for from, to := range map[string]string{
		bin: "bin/slipway", "../../Makefile": "Makefile", "../../scripts/deps": "scripts/deps",
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(n.clone, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err = filepath.WalkDir(home, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ordinary makes a user who may call sudo, for as long as the test runs.
func ordinary(t *testing.T) (name string, uid, gid int) {
	t.Helper()
	for _, p := range []string{"/usr/bin/sudo", "/usr/sbin/useradd", "/usr/sbin/userdel"} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("%s is missing: `make test-deps` installs sudo; useradd is of the package passwd", p)
		}
	}
	name = fmt.Sprintf("swtest%d", os.Getpid())
	if out, err := exec.Command("/usr/sbin/useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell",
		"/bin/sh", name).CombinedOutput(); err != nil {
		t.Skipf("no user can be made here: useradd: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("/usr/sbin/userdel", name).CombinedOutput(); err != nil {
			t.Errorf("userdel %s: %v: %s", name, err, out)
		}
	})
	rules := "/etc/sudoers.d/" + name
	content := fmt.Sprintf("Defaults:%s env_keep += \"SLIPWAY_LISTEN SLIPWAY_ACCEL\"\n%s ALL=(root) NOPASSWD: ALL\n",
		name, name)
	if err := os.WriteFile(rules, []byte(content), 0o440); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(rules) })
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return name, uid, gid
}

// demoRun is `make run`, and what it has printed so far.
type demoRun struct {
	n   *newcomer
	mu  sync.Mutex
	out strings.Builder
}

func (r *demoRun) printed() string { r.mu.Lock(); defer r.mu.Unlock(); return r.out.String() }

// makeRun runs `make run` with what is built and installed already, until the test ends.
func (n *newcomer) makeRun(args ...string) *demoRun {
	n.Helper()
	r := &demoRun{n: n}
	cmd := n.command("make", append([]string{"-o", "deps", "-o", "build", "run"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		n.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for in := bufio.NewReader(out); ; {
			line, err := in.ReadString('\n')
			r.mu.Lock()
			r.out.WriteString(line)
			r.mu.Unlock()
			if err == io.EOF || err != nil {
				return
			}
		}
	}()
	n.Cleanup(func() {
		if n.Failed() {
			n.Logf("make run said:\n%s", r.printed())
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // the session, as Ctrl-C does
		if n.uid != 0 {
			endByState(n.T, filepath.Join(n.clone, ".slipway"))
		}
		<-read
		cmd.Wait()
	})
	return r
}

// endByState asks the slipway of a state directory to stop, which sudo may have put out of our session's reach.
func endByState(t *testing.T, state string) {
	t.Helper()
	for _, pid := range servers(state) {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	eventually(t, time.Minute, func() error {
		if left := servers(state); len(left) > 0 {
			return fmt.Errorf("slipway still serves %s: %v", state, left)
		}
		return nil
	})
}

// servers are the processes that hold a state directory's lock.
func servers(state string) []int {
	var out []int
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && to == filepath.Join(state, "lock") {
			pid, _ := strconv.Atoi(strings.Split(l, "/")[2])
			out = append(out, pid)
		}
	}
	return out
}

// line waits for one that begins so.
func (r *demoRun) line(prefix string) string {
	r.n.Helper()
	found := ""
	eventually(r.n.T, 3*time.Minute, func() error {
		for line := range strings.Lines(r.printed()) {
			if strings.HasPrefix(line, prefix) {
				found = strings.TrimSpace(line)
				return nil
			}
			if strings.HasPrefix(line, "slipway: ") {
				r.n.Fatalf("it failed: %s", line)
			}
		}
		return fmt.Errorf("no line begins with %q", prefix)
	})
	return found
}

// TestTheFirstCommandInAPrivateHome: `make run` from a clone below a home of mode 0700 ends with an ssh line that
// works for whoever typed it, as root and as an ordinary user with sudo.
func TestTheFirstCommandInAPrivateHome(t *testing.T) {
	needReal(t)
	for _, p := range []string{"make", "ssh"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is missing: `make test-deps` installs ssh; make is of the package make", p)
		}
	}
	who := map[string]func(t *testing.T) (string, int, int){
		"root":             func(*testing.T) (string, int, int) { return "root", 0, 0 },
		"an ordinary user": ordinary,
	}
	for name, find := range who {
		t.Run(name, func(t *testing.T) {
			login, uid, gid := find(t)
			n := arrive(t, login, uid, gid)
			r := n.makeRun()
			words := strings.Fields(r.line("ssh -i "))
			out, err := n.command(words[0],
				append([]string{"-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + n.clone + "/known"},
					append(words[1:], "echo", "inside")...)...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "inside") {
				t.Errorf("%s: %v: %s", strings.Join(words, " "), err, out)
			}
			if out, err := n.command("cat", ".slipway/credentials.json").CombinedOutput(); err != nil {
				t.Errorf("the credentials: %v: %s", err, out)
			}
			for _, line := range strings.Split(r.printed(), "\n") {
				if strings.HasPrefix(line, "note: ") {
					t.Errorf("nothing was to be said: %s", line)
				}
			}
		})
	}
}

// TestWhatTheDemoPrintsWorksWithDebiansClients, whose AWS CLI and boto3 do not know AWS_ENDPOINT_URL.
func TestWhatTheDemoPrintsWorksWithDebiansClients(t *testing.T) {
	for _, p := range []string{"/usr/bin/aws", "/usr/bin/python3", "/usr/bin/bash"} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("%s is missing: `make test-deps` installs it", p)
		}
	}
	if out, err := exec.Command("/usr/bin/python3", "-c", "import boto3").CombinedOutput(); err != nil {
		t.Skipf("python3-boto3 is missing, `make test-deps` installs it: %s", out)
	}
	n := arrive(t, "me", os.Geteuid(), os.Getegid())
	n.env = append(n.env, "SLIPWAY_HYPERVISOR=simulated")
	r := n.makeRun("SUDO=")
	boto := r.line(`boto3.client("ec2", endpoint_url=`)
	boto, _, _ = strings.Cut(boto, ", lest")
	r.line("aws_secret_access_key")
	var script strings.Builder
	script.WriteString("shopt -s expand_aliases\n")
	for line := range strings.Lines(r.printed()) {
		if strings.HasPrefix(line, "export ") || strings.HasPrefix(line, "alias ") {
			script.WriteString(line)
		}
	}
	// An unused address stands for Amazon's, lest a client that ignores all of it goes there.
	script.WriteString("export HTTPS_PROXY=http://127.0.0.1:9 AWS_MAX_ATTEMPTS=1\n")
	script.WriteString("aws ec2 describe-vpcs --query 'Vpcs[].CidrBlock' --output text\n")
	script.WriteString("/usr/bin/python3 -c 'import boto3; print(" + boto + ".describe_vpcs()[\"Vpcs\"][0][\"CidrBlock\"])'\n")
	out, err := n.command("/usr/bin/bash", "-c", script.String()).CombinedOutput()
	if err != nil || strings.Count(string(out), "172.31.0.0/16") != 2 {
		t.Errorf("%v: %s", err, out)
	}
}
