// Package torture kills slipway, its etcd and its machines with -9 while callers use it, and asks afterwards whether all that
// was acknowledged is there, once, and nothing else. `make torture` runs its long form; see TestTorture.
package torture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"slipway/internal/traces"
)

// etcdVariable makes this test's own program an etcd: "DIR CLIENT-ADDRESS PEER-ADDRESS".
const etcdVariable = "SLIPWAY_TORTURE_ETCD"

// built is the slipway under test, with every installation of these tests.
var built traces.Built

func TestMain(m *testing.M) {
	if as := os.Getenv(etcdVariable); as != "" {
		fmt.Fprintln(os.Stderr, serveEtcd(strings.Fields(as)))
		os.Exit(1)
	}
	os.Exit(built.End(m.Run()))
}

func binary() (string, error) {
	if os.Getenv("TORTURE_RACE") != "" {
		return built.Path("../..", "-race")
	}
	return built.Path("../..")
}

// serveEtcd is an operator's etcd of one member, until it is killed.
func serveEtcd(words []string) error {
	cfg := embed.NewConfig()
	cfg.Dir = words[0]
	at := func(address string) url.URL { return url.URL{Scheme: "http", Host: address} }
	client, peer := at(words[1]), at(words[2])
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.TickMs, cfg.ElectionMs = 20, 200
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	<-e.Server.ReadyNotify()
	fmt.Println("ready " + words[1])
	return <-e.Err()
}

// freeAddress is one of the loopback network that nothing listens on now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// process is one that says "ready" and is killed: a server, or an etcd.
type process struct {
	t     testing.TB
	what  string
	start func() *exec.Cmd
	clock *clock // nil: the machine's
	said  *lastLines

	mu  sync.Mutex
	cmd *exec.Cmd
	up  chan struct{} // closed while it is ready
}

func newProcess(t testing.TB, what string, start func() *exec.Cmd) *process {
	p := &process{t: t, what: what, start: start, said: &lastLines{}, up: make(chan struct{})}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said at last:\n%s", what, p.said)
		}
	})
	return p
}

// begin starts it. What is answered is closed when it is ready, and tells an error when it ends before that.
func (p *process) begin() (ready <-chan error) {
	done := make(chan error, 1)
	cmd := p.start()
	cmd.Stderr = p.said
	out, err := cmd.StdoutPipe()
	switch {
	case err != nil:
	case p.clock != nil:
		err = p.clock.begin(cmd)
	default:
		err = cmd.Start()
	}
	if err != nil {
		done <- err
		return done
	}
	p.mu.Lock()
	p.cmd = cmd
	up := p.up
	p.mu.Unlock()
	go func() {
		lines := bufio.NewScanner(out)
		isUp := false
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				isUp = true
				close(up)
				close(done)
			}
		}
		if !isUp {
			done <- fmt.Errorf("%s ended before it was ready", p.what)
		}
	}()
	return done
}

// take answers the running one, which is not ready from now on; nil: there is none.
func (p *process) take() *exec.Cmd {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := p.cmd
	p.cmd = nil
	if p.clock != nil {
		p.clock.gone()
	}
	select {
	case <-p.up:
		p.up = make(chan struct{})
	default:
	}
	return cmd
}

// kill ends it as a power cut does.
func (p *process) kill() {
	if cmd := p.take(); cmd != nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// stopLimit is how long a server may take to end its guests and itself.
const stopLimit = time.Minute

// stop ends it as its owner does.
func (p *process) stop() {
	cmd := p.take()
	if cmd == nil {
		return
	}
	cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(stopLimit):
		p.t.Errorf("%s did not end when asked", p.what)
		cmd.Process.Kill()
		<-ended
	}
}

// readiness is closed when the process is ready, or the next one of it.
func (p *process) readiness() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

// lastLines keeps the end of what was written.
type lastLines struct {
	mu  sync.Mutex
	buf []byte
}

const lastKept = 6 << 10

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, b...)
	if len(l.buf) > 2*lastKept {
		l.buf = append([]byte(nil), l.buf[len(l.buf)-lastKept:]...)
	}
	return len(b), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf[max(0, len(l.buf)-lastKept):]
	return string(bytes.ToValidUTF8(b, []byte("?")))
}

// site is one slipway with all that is killed.
type site struct {
	t           testing.TB
	state       string
	endpoint    string
	server      *process
	clock       *clock   // the server's; nil: the machine's
	etcd        *process // nil: embedded in the server
	etcdAddress string
	link        *link // the server's to etcd
	keys        struct{ AccountID, AccessKeyID, SecretAccessKey string }
}

// siteOf is what a site is made of.
type siteOf struct {
	state string
	flags []string
	etcd  bool   // one of its own, and a link to it
	clock *clock // nil: the machine's
}

func newSite(t testing.TB, of siteOf) *site {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	s := &site{t: t, state: of.state, endpoint: "http://" + listen, clock: of.clock}
	args := append([]string{"dev", "--state", of.state, "--listen", listen, "--log", "warn"}, of.flags...)
	if of.etcd {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		dir, client := t.TempDir(), freeAddress(t)
		peer := freeAddress(t)
		s.etcd = newProcess(t, "etcd", func() *exec.Cmd {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), etcdVariable+"="+dir+" "+client+" "+peer)
			return cmd
		})
		if err := <-s.etcd.begin(); err != nil {
			t.Fatal(err)
		}
		s.etcdAddress, s.link = client, newLink(t, client)
		args = append(args, "--etcd-endpoints", s.link.l.Addr().String())
	}
	s.server = newProcess(t, "slipway", func() *exec.Cmd { return exec.Command(bin, args...) })
	s.server.clock = of.clock
	for range 3 { // the first start has things to do that no later one has
		s.server.begin()
		<-time.After(time.Duration(rand.IntN(250)) * time.Millisecond)
		s.server.kill()
	}
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(s.words("account", "list")...); err != nil || strings.Count(out, "\n") != 1 {
		t.Errorf("a first start that was killed left other accounts than one: %v\n%s", err, out)
	}
	built.Note(of.state, t.Name())
	b, err := os.ReadFile(filepath.Join(of.state, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &s.keys); err != nil {
		t.Fatal(err)
	}
	return s
}

// startLimit is how long a server may take to be ready: it reads its records, and may build an image.
const startLimit = 3 * time.Minute

// begin starts the server and waits until it is ready.
func (s *site) begin() error {
	select {
	case err := <-s.server.begin():
		return err
	case <-time.After(startLimit):
		return errors.New("slipway is not ready in time")
	}
}

// now is the server's time, and how often its clock has been set.
func (s *site) now() (time.Time, int) {
	if s.clock == nil {
		return time.Now(), 0
	}
	return s.clock.now()
}

// latest is the latest time that the server's clock has shown.
func (s *site) latest() time.Time {
	if s.clock == nil {
		return time.Now()
	}
	return s.clock.latest()
}

// words are a command's on this slipway's state.
func (s *site) words(command ...string) []string {
	command = append(command, "--state", s.state)
	if s.etcd != nil {
		command = append(command, "--etcd-endpoints", s.etcdAddress)
	}
	return command
}

// command runs slipway for one answer.
func (s *site) command(words ...string) (string, error) {
	bin, err := binary()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(bin, words...).CombinedOutput()
	return string(out), err
}
