package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// process is the pid of an instance's QEMU, which this test's slipway started; 0 while there is none.
func (r *run) process(id string) int {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.state, "machines", id, "record.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	var rec struct{ PID int }
	if err := json.Unmarshal(b, &rec); err != nil {
		r.t.Fatalf("%s: %v: %s", id, err, b)
	}
	return rec.PID
}

// TestOptionsOfALaunchAreReal: what the request asks of CPU, disks, memory and maintenance is so in the guest and on the host.
func TestOptionsOfALaunchAreReal(t *testing.T) {
	whole := t
	r := real(t)
	c := r.client()
	ctx := t.Context()
	key := r.key(c)
	r.openSSH(c)
	out, err := c.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeM5dLarge, MinCount: aws.Int32(1),
		MaxCount: aws.Int32(1), KeyName: aws.String("test"),
		CpuOptions:         &types.CpuOptionsRequest{CoreCount: aws.Int32(1), ThreadsPerCore: aws.Int32(1)},
		HibernationOptions: &types.HibernationOptionsRequest{Configured: aws.Bool(true)},
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: aws.String("/dev/xvda"),
				Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(9), Encrypted: aws.Bool(true)}},
			{DeviceName: aws.String("/dev/sdf"),
				Ebs: &types.EbsBlockDevice{
					VolumeSize: aws.Int32(4), VolumeType: types.VolumeTypeIo1, Iops: aws.Int32(100), Encrypted: aws.Bool(true),
				}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := *out.Instances[0].InstanceId
	in := r.waitState(c, id, types.InstanceStateNameRunning)
	guest := dial(whole, *in.PublicIpAddress, key)
	size := func(dev string) int {
		n, _ := strconv.Atoi(sh(t, guest, "cat /sys/block/"+dev+"/size"))
		return n * 512
	}
	t.Run("the CPU has one core of one thread", func(t *testing.T) {
		if got := sh(t, guest, "grep -c ^processor /proc/cpuinfo"); got != "1" {
			t.Errorf("the guest sees %s processors", got)
		}
	})
	t.Run("the instance store is there, and the volumes are as asked", func(t *testing.T) {
		if a, b, s := size("vda"), size("vdb"), size("vdc"); a != 9<<30 || b != 4<<30 || s < 75e9 {
			t.Errorf("vda has %d bytes, vdb %d, the 75 GB store vdc %d", a, b, s)
		}
	})
	t.Run("encrypted is LUKS on the disk", func(t *testing.T) {
		for _, b := range in.BlockDeviceMappings {
			found, err := filepath.Glob(filepath.Join(r.state, "blocks", "*", *b.Ebs.VolumeId+"*"))
			if err != nil || len(found) == 0 {
				t.Fatalf("no file of %s (%v)", *b.Ebs.VolumeId, err)
			}
			info, err := exec.Command("qemu-img", "info", "-U", found[0]).CombinedOutput()
			if err != nil || !strings.Contains(string(info), "luks") {
				t.Errorf("%s is not LUKS: %v %s", found[0], err, info)
			}
		}
	})
	t.Run("IOPS are bounded", func(t *testing.T) {
		// 64 MiB are at least 256 requests; the store beside it, which nothing bounds, shows what the machine can do.
		read := func(dev string) time.Duration {
			began := time.Now()
			sh(t, guest, "sudo dd if=/dev/"+dev+" of=/dev/null bs=1M count=64 2>/dev/null")
			return time.Since(began)
		}
		if free, bounded := read("vdc"), read("vdb"); bounded < 2*time.Second || bounded < free {
			t.Errorf("64 MiB at 100 IOPS took %v, and %v where nothing bounds them", bounded, free)
		}
	})
	t.Run("hibernation keeps the memory", func(t *testing.T) {
		boot := sh(t, guest,
			"cat /proc/sys/kernel/random/boot_id; sudo sh -c 'sleep 100000 >/dev/null 2>&1 & echo $!' > /tmp/pid; echo")
		guest.Close()
		if _, err := c.StopInstances(ctx,
			&ec2.StopInstancesInput{InstanceIds: []string{id}, Hibernate: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		off := r.waitState(c, id, types.InstanceStateNameStopped)
		if code := aws.ToString(off.StateReason.Code); code != "Client.UserInitiatedHibernate" {
			t.Errorf("its reason is %s", code)
		}
		if _, err := c.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		on := r.waitState(c, id, types.InstanceStateNameRunning)
		guest = dial(whole, *on.PublicIpAddress, key)
		if got := sh(t, guest, "cat /proc/sys/kernel/random/boot_id"); !strings.HasPrefix(boot, got) {
			t.Errorf("the guest booted anew: %s, was %s", got, boot)
		}
		if got := sh(t, guest, "sudo kill -0 $(cat /tmp/pid) && echo lives"); got != "lives" {
			t.Errorf("the process of before is gone: %q", got)
		}
	})
	t.Run("a machine that dies is recovered, and left alone where that is disabled", func(t *testing.T) {
		boot := sh(t, guest, "cat /proc/sys/kernel/random/boot_id")
		guest.Close()
		before := r.process(id)
		if before == 0 {
			t.Fatal("a running instance has no process")
		}
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 60*time.Second, func() error {
			if now := r.process(id); now == before || now == 0 {
				return fmt.Errorf("still process %d", now)
			}
			return nil
		})
		on := r.waitState(c, id, types.InstanceStateNameRunning)
		guest = dial(whole, *on.PublicIpAddress, key)
		if got := sh(t, guest, "cat /proc/sys/kernel/random/boot_id"); got == boot {
			t.Error("the same boot goes on after its process was killed")
		}
		if _, err := c.ModifyInstanceMaintenanceOptions(ctx,
			&ec2.ModifyInstanceMaintenanceOptionsInput{
				InstanceId: &id, AutoRecovery: types.InstanceAutoRecoveryStateDisabled,
			}); err != nil {
			t.Fatal(err)
		}
		if again := r.process(id); again == 0 {
			t.Fatal("a running instance has no process")
		} else if err := syscall.Kill(again, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		off := r.waitState(c, id, types.InstanceStateNameStopped)
		if code := aws.ToString(off.StateReason.Code); code != "Server.InternalError" {
			t.Errorf("its reason is %s", code)
		}
	})
}
