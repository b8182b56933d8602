package e2e

import (
	"fmt"
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
)

// TestLostRecordsComeBackWithTheGuestsRunning: the server is killed and its etcd destroyed, the backup is brought
// back, and the guest of then is the same process and answers; what came after the backup is unknown to it, and is left alone.
func TestLostRecordsComeBackWithTheGuestsRunning(t *testing.T) {
	r := real(t)
	c := r.client()
	key := r.key(c)
	r.openSSH(c)
	launch := func(subnet *string) types.Instance {
		t.Helper()
		out, err := c.RunInstances(t.Context(),
			&ec2.RunInstancesInput{
				ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
				MaxCount: aws.Int32(1), KeyName: aws.String("test"), SubnetId: subnet,
			})
		if err != nil {
			t.Fatal(err)
		}
		return r.waitState(c, *out.Instances[0].InstanceId, types.InstanceStateNameRunning)
	}
	volume := func() string {
		t.Helper()
		out, err := c.CreateVolume(t.Context(),
			&ec2.CreateVolumeInput{AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(r.state, "blocks", "volumes", *out.VolumeId+".qcow2")
		eventually(t, time.Minute, func() error { _, err := os.Stat(file); return err })
		return file
	}
	slipway := func(words ...string) {
		t.Helper()
		bin, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(bin, words...).CombinedOutput(); err != nil {
			t.Fatalf("slipway %v: %v: %s", words, err, out)
		}
	}
	// The network of a guest that is unknown afterwards stays as it is, so that guest has one of its own.
	vpc, err := c.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	apart, err := c.CreateSubnet(t.Context(),
		&ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.9.1.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	known := launch(nil)
	dial(t, *known.PublicIpAddress, key).Close()
	knownFile := volume()
	backup := filepath.Join(t.TempDir(), "backup")
	slipway("backup", "--state", r.state, backup)
	later := launch(apart.Subnet.SubnetId)
	laterFile := volume()
	pids := map[string]int{*known.InstanceId: r.process(*known.InstanceId), *later.InstanceId: r.process(*later.InstanceId)}
	t.Cleanup(func() { // no server knows it any more
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pids[*later.InstanceId])); err == nil &&
			strings.Contains(string(b), *later.InstanceId) {
			syscall.Kill(pids[*later.InstanceId], syscall.SIGKILL)
		}
	})
	r.kill()
	if err := os.RemoveAll(filepath.Join(r.state, "etcd")); err != nil {
		t.Fatal(err)
	}
	slipway("restore", "--state", r.state, backup)
	r.begin()
	c = r.client()
	slipway("state", "check", "--state", r.state)
	dial(t, *known.PublicIpAddress, key).Close()
	// Whatever the new server ends or removes at its start, it has done before it has launched another.
	last := launch(nil)
	for id, pid := range pids {
		if r.process(id) != pid || syscall.Kill(pid, 0) != nil {
			t.Errorf("%s ran as process %d, and is %d now", id, pid, r.process(id))
		}
	}
	for _, file := range []string{knownFile, laterFile} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if in := r.describe(c, *known.InstanceId); in.State.Name != types.InstanceStateNameRunning {
		t.Errorf("the guest of the backup is %s", in.State.Name)
	}
	if _, err := c.DescribeInstances(t.Context(),
		&ec2.DescribeInstancesInput{InstanceIds: []string{*later.InstanceId}}); codeOf(err) != "InvalidInstanceID.NotFound" {
		t.Errorf("what came after the backup: %v", err)
	}
	// docs/operations.md says how to be rid of it.
	if out, err := exec.Command("sh", "-c",
		`kill -9 $(pgrep -f "^[^ ]*qemu[^ ]* -name `+*later.InstanceId+`,")`).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	eventually(t, time.Minute, func() error {
		if syscall.Kill(pids[*later.InstanceId], 0) == nil {
			return fmt.Errorf("%s runs on", *later.InstanceId)
		}
		return nil
	})
	if _, err := c.TerminateInstances(t.Context(),
		&ec2.TerminateInstancesInput{InstanceIds: []string{*known.InstanceId, *last.InstanceId}}); err != nil {
		t.Fatal(err)
	}
	r.waitState(c, *known.InstanceId, types.InstanceStateNameTerminated)
	eventually(t, time.Minute, func() error {
		if syscall.Kill(pids[*known.InstanceId], 0) == nil {
			return fmt.Errorf("the terminated guest runs on")
		}
		return nil
	})
}
