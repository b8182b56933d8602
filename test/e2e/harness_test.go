// Package e2e drives the built slipway with unmodified clients: real sockets, real etcd and, where the test says so, real
// virtual machines.
package e2e

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"slipway/internal/await"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"golang.org/x/crypto/ssh"

	"slipway/internal/traces"
)

// built is the slipway under test, with every installation of these tests.
var built traces.Built

func TestMain(m *testing.M) { os.Exit(built.End(m.Run())) }

func binary() (string, error) { return built.Path("../..") }

// run is one `slipway dev`.
type run struct {
	t        *testing.T
	state    string
	flags    []string
	under    []string // a program, with its words, that runs slipway
	cmd      *exec.Cmd
	endpoint string
	keys     struct{ AccountID, AccessKeyID, SecretAccessKey string }
	log      *bytes.Buffer
}

// needReal skips where real virtual machines cannot run, and says why.
func needReal(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("real instances need root")
	}
	for _, p := range []string{"qemu-system-x86_64", "nft", "qemu-img"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("real instances need %s: `make deps` installs it", p)
		}
	}
}

// start runs slipway over a fresh state directory until the test ends.
func start(t *testing.T, flags ...string) *run { t.Helper(); return startUnder(t, nil, flags...) }

// startUnder is start by another program.
func startUnder(t *testing.T, under []string, flags ...string) *run {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "sw")
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, state: dir, flags: flags, under: under, log: &bytes.Buffer{}}
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Logf("slipway said:\n%s", r.log)
		}
		os.RemoveAll(dir)
	})
	r.begin()
	return r
}

func simulated(t *testing.T) *run { t.Helper(); return start(t, "--hypervisor", "simulated") }

func real(t *testing.T) *run { t.Helper(); needReal(t); return start(t, "--accel", "tcg") }

// begin starts the process over the present state and waits until it is ready.
func (r *run) begin() {
	r.t.Helper()
	bin, err := binary()
	if err != nil {
		r.t.Fatal(err)
	}
	args := append(slices.Clone(r.under), bin, "dev", "--state", r.state, "--listen", "127.0.0.1:0", "--log", "info")
	args = append(args, r.flags...)
	r.cmd = exec.Command(args[0], args[1:]...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.cmd.Stderr = r.log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if e, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- e
			}
		}
		close(ready)
	}()
	select {
	case e, ok := <-ready:
		if !ok {
			r.t.Fatalf("slipway ended before it was ready:\n%s", r.log)
		}
		r.endpoint = e
	case <-time.After(5 * time.Minute): // the first build of an image is slow
		r.t.Fatalf("slipway is not ready:\n%s", r.log)
	}
	built.Note(r.state, r.t.Name())
	b, err := os.ReadFile(filepath.Join(r.state, "credentials.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r.keys); err != nil {
		r.t.Fatal(err)
	}
}

// stop ends it as a user does.
func (r *run) stop() {
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { r.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		r.t.Errorf("slipway did not stop when asked")
		r.cmd.Process.Kill()
		<-done
	}
	r.cmd = nil
}

// kill ends it as a power cut does.
func (r *run) kill() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
	r.cmd = nil
}

func (r *run) client() *ec2.Client { return r.clientOf(r.keys.AccessKeyID, r.keys.SecretAccessKey) }

func (r *run) clientOf(key, secret string) *ec2.Client {
	return ec2.New(ec2.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(r.endpoint),
		Credentials:      credentials.NewStaticCredentialsProvider(key, secret, ""),
		RetryMaxAttempts: 1,
	})
}

// image is the tiny one's AMI.
func (r *run) image() string {
	r.t.Helper()
	out, err := r.client().DescribeImages(r.t.Context(),
		&ec2.DescribeImagesInput{
			Owners: []string{"amazon"}, Filters: []types.Filter{{Name: aws.String("name"), Values: []string{"tiny-*"}}},
		})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(out.Images) != 1 {
		r.t.Fatalf("%d tiny images, want 1", len(out.Images))
	}
	return *out.Images[0].ImageId
}

// key makes a key pair of the client's own and imports it.
func (r *run) key(c *ec2.Client) ssh.Signer {
	r.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = c.ImportKeyPair(r.t.Context(),
		&ec2.ImportKeyPairInput{KeyName: aws.String("test"), PublicKeyMaterial: ssh.MarshalAuthorizedKey(signer.PublicKey())})
	if err != nil {
		r.t.Fatal(err)
	}
	return signer
}

// openSSH lets port 22 of the default group be reached.
func (r *run) openSSH(c *ec2.Client) {
	r.t.Helper()
	_, err := c.AuthorizeSecurityGroupIngress(r.t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{
		GroupName: aws.String("default"), IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
		CidrIp: aws.String("0.0.0.0/0"),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) describe(c *ec2.Client, id string) types.Instance {
	r.t.Helper()
	out, err := c.DescribeInstances(r.t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.Reservations[0].Instances[0]
}

// waitState waits for a state that everybody can see.
func (r *run) waitState(c *ec2.Client, id string, want types.InstanceStateName) types.Instance {
	r.t.Helper()
	var in types.Instance
	eventually(r.t, time.Minute, func() error {
		in = r.describe(c, id)
		if in.State.Name != want {
			return fmt.Errorf("%s is %s, want %s (%s)", id, in.State.Name, want, reason(in))
		}
		return nil
	})
	return in
}

func reason(in types.Instance) string {
	if in.StateReason == nil {
		return ""
	}
	return aws.ToString(in.StateReason.Message)
}

// eventually tries until it succeeds or the time is up.
var eventually = await.Success

// dial logs in to a tiny guest, waiting for its ssh.
func dial(t *testing.T, ip string, key ssh.Signer) *ssh.Client {
	t.Helper()
	return login(t, "admin", ip, key, 90*time.Second)
}

// login waits for a guest's ssh and its user.
func login(t *testing.T, user, ip string, key ssh.Signer, patience time.Duration) *ssh.Client {
	t.Helper()
	var c *ssh.Client
	eventually(t, patience, func() error {
		conn, err := net.DialTimeout("tcp", ip+":22", 2*time.Second)
		if err != nil {
			return err
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		cc, chans, reqs, err := ssh.NewClientConn(conn, ip,
			&ssh.ClientConfig{
				User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
			})
		if err != nil {
			conn.Close()
			return err
		}
		conn.SetDeadline(time.Time{})
		c = ssh.NewClient(cc, chans, reqs)
		return nil
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// sh runs a command in a guest.
func sh(t *testing.T, c *ssh.Client, command string) string {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.CombinedOutput(command)
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}
