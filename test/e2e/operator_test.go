package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// someonesEtcd runs an etcd with its default limits on the loopback network, as an operator's cluster would be.
func someonesEtcd(t *testing.T) string {
	t.Helper()
	free := func() url.URL {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return url.URL{Scheme: "http", Host: l.Addr().String()}
	}
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	client, peer := free(), free()
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	<-e.Server.ReadyNotify()
	return client.Host
}

// TestARunningEtcdClusterServesAsWell: a launch of a thousand is one launch within default limits, and a crash loses none.
func TestARunningEtcdClusterServesAsWell(t *testing.T) {
	r := start(t, "--hypervisor", "simulated", "--etcd-endpoints", someonesEtcd(t))
	c := r.client()
	const n = 1000
	out, err := c.RunInstances(t.Context(),
		&ec2.RunInstancesInput{
			ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(n),
			MaxCount: aws.Int32(n),
		})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Instances) != n {
		t.Fatalf("launched %d, want %d", len(out.Instances), n)
	}
	r.kill()
	r.begin()
	c = r.client()
	eventually(t, 60*time.Second, func() error {
		got, err := c.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{
			{Name: aws.String("reservation-id"), Values: []string{*out.ReservationId}},
			{Name: aws.String("instance-state-name"), Values: []string{"running"}},
		}})
		if err != nil {
			return err
		}
		if len(got.Reservations) != 1 || len(got.Reservations[0].Instances) != n {
			return fmt.Errorf("%d reservations", len(got.Reservations))
		}
		return nil
	})
}

// fails runs slipway, which must end at once with one line that says what is wrong.
func fails(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	done := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	err := cmd.Run()
	done.Stop()
	text := strings.TrimSpace(stderr.String())
	if err == nil || strings.Count(text, "\n") != 0 || !strings.Contains(text, want) {
		t.Errorf("%v: %q, want one line with %q", err, text, want)
	}
}

func TestAnEtcdThatIsNotThereIsNamed(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	fails(t,
		exec.Command(bin, "dev", "--hypervisor", "simulated", "--state", t.TempDir(), "--listen", "127.0.0.1:0",
			"--etcd-endpoints", "127.0.0.1:1"), "127.0.0.1:1")
}

// TestAFullDiskIsNamed gives slipway a disk of its own, too small to begin with.
func TestAFullDiskIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=200m"); err != nil {
		t.Skipf("no small disk to be had: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	fails(t,
		exec.Command(bin, "dev", "--hypervisor", "simulated", "--state", filepath.Join(dir, "s"), "--listen",
			"127.0.0.1:0"), "320 are needed")
}

// TestAStartOnAFullDiskServesReads: what is recorded is told, changes are refused, and all goes on by itself when
// there is room.
func TestAStartOnAFullDiskServesReads(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	dir, err := os.MkdirTemp("/var/tmp", "sw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("no small disk to be had: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	r := &run{t: t, state: filepath.Join(dir, "s"), flags: []string{"--hypervisor", "simulated"}, log: &bytes.Buffer{}}
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Logf("slipway said:\n%s", r.log)
		}
	})
	r.begin()
	image, c := r.image(), r.client()
	launch := func() error {
		_, err := c.RunInstances(t.Context(),
			&ec2.RunInstancesInput{
				ImageId: &image, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), InstanceType: types.InstanceTypeT3Nano,
			})
		return err
	}
	if err := launch(); err != nil {
		t.Fatal(err)
	}
	r.stop()
	for _, left := range []uint64{120 << 20, 70 << 20, 0} {
		filler := filepath.Join(dir, "filler")
		fill(t, filler, left)
		r.begin()
		c = r.client()
		out := must[*ec2.DescribeInstancesOutput](t)(c.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{}))
		if len(out.Reservations) == 0 {
			t.Errorf("with %d MiB free: nothing is told", left>>20)
		}
		if err := launch(); codeOf(err) != "Unavailable" {
			t.Errorf("with %d MiB free: a launch: %v, want Unavailable", left>>20, err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, launch)
		r.stop()
	}
}

// fill leaves so many bytes of a disk free.
func fill(t *testing.T, file string, left uint64) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(file), &fs); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail*uint64(fs.Bsize)-left)); err != nil {
		t.Fatal(err)
	}
}

// TestMissingRightsAreNamed runs slipway as nobody.
func TestMissingRightsAreNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming nobody needs root")
	}
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "sw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	nobody := func(args ...string) *exec.Cmd {
		cmd := exec.Command(bin, args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return cmd
	}
	fails(t, nobody("dev", "--hypervisor", "simulated", "--state", filepath.Join(dir, "s"), "--listen", "127.0.0.1:0"),
		"--state")
	fails(t, nobody("dev", "--state", filepath.Join(dir, "s"), "--listen", "127.0.0.1:0"), "run as root")
	fails(t, nobody("dev", "--hypervisor", "simulated", "--state", filepath.Join(dir, "s"), "--listen", "127.0.0.1:80"),
		"listen")
}
