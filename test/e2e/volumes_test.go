package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// volumeIs waits until a volume has a state.
func volumeIs(t *testing.T, c *ec2.Client, id string, want types.VolumeState) types.Volume {
	t.Helper()
	var v types.Volume
	eventually(t, time.Minute, func() error {
		out, err := c.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{id}})
		if err != nil {
			return err
		}
		if v = out.Volumes[0]; v.State != want ||
			want == types.VolumeStateInUse && v.Attachments[0].State != types.VolumeAttachmentStateAttached {
			return fmt.Errorf("%s is %s %v, want %s", id, v.State, v.Attachments, want)
		}
		return nil
	})
	return v
}

func snapshotIsDone(t *testing.T, c *ec2.Client, id string) {
	t.Helper()
	if err := ec2.NewSnapshotCompletedWaiter(c, func(o *ec2.SnapshotCompletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second/5, time.Second/5
	}).
		Wait(t.Context(), &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}}, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
}

// TestAVolumeThroughItsLife is of an encrypted one: plugged into a running guest, written, copied while it is in use, enlarged,
// unplugged; and what was copied is in the volumes that are made of it.
func TestAVolumeThroughItsLife(t *testing.T) {
	r := real(t)
	c := r.client()
	key := r.key(c)
	r.openSSH(c)
	ctx := t.Context()
	made, err := c.RunInstances(ctx,
		&ec2.RunInstancesInput{
			ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
			MaxCount: aws.Int32(1), KeyName: aws.String("test"),
		})
	if err != nil {
		t.Fatal(err)
	}
	id := made.Instances[0].InstanceId
	in := r.waitState(c, *id, types.InstanceStateNameRunning)
	guest := dial(t, *in.PublicIpAddress, key)
	create := func(what *ec2.CreateVolumeInput) string {
		t.Helper()
		what.AvailabilityZone = in.Placement.AvailabilityZone
		v, err := c.CreateVolume(ctx, what)
		if err != nil {
			t.Fatal(err)
		}
		volumeIs(t, c, *v.VolumeId, types.VolumeStateAvailable)
		return *v.VolumeId
	}
	// attach says which disk of the guest the volume has become.
	attach := func(volume, device string) string {
		t.Helper()
		began := time.Now()
		if _, err := c.AttachVolume(ctx,
			&ec2.AttachVolumeInput{VolumeId: &volume, InstanceId: id, Device: &device}); err != nil {
			t.Fatal(err)
		}
		disk := ""
		eventually(t, time.Minute, func() error {
			serial := strings.Replace(volume, "-", "", 1)
			if disk = sh(t, guest, "grep -l "+serial+" /sys/block/vd*/serial || true"); disk == "" {
				return fmt.Errorf("the guest does not see %s", volume)
			}
			return nil
		})
		t.Logf("attached and seen by the guest after %v", time.Since(began).Round(time.Millisecond))
		volumeIs(t, c, volume, types.VolumeStateInUse)
		return "/dev/" + strings.Split(disk, "/")[3]
	}

	volume := create(&ec2.CreateVolumeInput{Size: aws.Int32(1), VolumeType: types.VolumeTypeGp3, Encrypted: aws.Bool(true)})
	file := filepath.Join(r.state, "blocks", "volumes", volume+".qcow2")
	if out, err := exec.Command("qemu-img", "info", "-U", file).CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "format: luks") {
		t.Errorf("the encrypted volume's file: %v %s", err, out)
	}
	disk := attach(volume, "/dev/sdf")
	const secret = "what the volume holds and nobody else may read"
	sh(t, guest, "echo "+secret+" | sudo dd of="+disk+" bs=512 conv=sync,fsync 2>&1")

	snap, err := c.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: &volume})
	if err != nil {
		t.Fatal(err)
	}
	snapshotIsDone(t, c, *snap.SnapshotId)
	sh(t, guest, "echo later | sudo dd of="+disk+" bs=512 conv=sync,fsync 2>&1")
	for _, path := range []string{file, filepath.Join(r.state, "blocks", "snapshots", *snap.SnapshotId+".qcow2")} {
		if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), secret) {
			t.Errorf("%s holds what was written in the clear, or is not there: %v", path, err)
		}
	}

	if _, err := c.ModifyVolume(ctx, &ec2.ModifyVolumeInput{VolumeId: &volume, Size: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() error {
		if got := sh(t, guest, "cat /sys/block/"+filepath.Base(disk)+"/size"); got != fmt.Sprint(2<<30/512) {
			return fmt.Errorf("the guest sees %s sectors, want those of 2 GiB", got)
		}
		return nil
	})
	if _, err := c.DetachVolume(ctx, &ec2.DetachVolumeInput{VolumeId: &volume}); err != nil {
		t.Fatal(err)
	}
	volumeIs(t, c, volume, types.VolumeStateAvailable)
	if got := sh(t, guest, "ls "+disk+" 2>/dev/null || echo gone"); got != "gone" {
		t.Errorf("detached, the guest still has %s", got)
	}

	second := create(&ec2.CreateVolumeInput{SnapshotId: snap.SnapshotId})
	if _, err := c.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: snap.SnapshotId}); err != nil {
		t.Fatal(err)
	}
	disk = attach(second, "/dev/sdg")
	if got := sh(t, guest, "sudo head -n 1 "+disk); got != secret {
		t.Errorf("the volume made of the snapshot begins with %q, want what was written before it", got)
	}
	if _, err := c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{*id}}); err != nil {
		t.Fatal(err)
	}
	r.waitState(c, *id, types.InstanceStateNameTerminated)
	for _, v := range []string{volume, second} {
		volumeIs(t, c, v, types.VolumeStateAvailable)
		if _, err := c.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: &v}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, time.Minute, func() error {
		left, _ := filepath.Glob(filepath.Join(r.state, "blocks", "volumes", "*"))
		kept, _ := filepath.Glob(filepath.Join(r.state, "blocks", "snapshots", *snap.SnapshotId+"*"))
		if len(left)+len(kept) > 0 {
			return fmt.Errorf("files are left: %v %v", left, kept)
		}
		return nil
	})
}

// TestAnImageOfARunningInstance: with and without a reboot, what the guest had written is in the image's instances. Without
// one only what had reached the disk is sure to be; with one, all of it.
func TestAnImageOfARunningInstance(t *testing.T) {
	r := real(t)
	c := r.client()
	key := r.key(c)
	r.openSSH(c)
	ctx := t.Context()
	launch := func(image string) (string, string) {
		t.Helper()
		made, err := c.RunInstances(ctx,
			&ec2.RunInstancesInput{
				ImageId: &image, InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
				KeyName: aws.String("test"),
			})
		if err != nil {
			t.Fatal(err)
		}
		id := *made.Instances[0].InstanceId
		return id, *r.waitState(c, id, types.InstanceStateNameRunning).PublicIpAddress
	}
	first, ip := launch(r.image())
	for _, tt := range []struct {
		name, write string
		noReboot    bool
	}{
		{"without a reboot", "echo without | sudo tee /root/kept; sync", true},
		{"with a reboot", "echo with | sudo tee /root/kept", false},
	} {
		guest := dial(t, ip, key)
		boot := sh(t, guest, "cat /proc/sys/kernel/random/boot_id")
		want := strings.Split(sh(t, guest, tt.write), "\n")[0]
		began := time.Now()
		image, err := c.CreateImage(ctx,
			&ec2.CreateImageInput{InstanceId: &first, Name: aws.String(tt.name), NoReboot: &tt.noReboot})
		if err != nil {
			t.Fatal(err)
		}
		err = ec2.NewImageAvailableWaiter(c, func(o *ec2.ImageAvailableWaiterOptions) {
			o.MinDelay, o.MaxDelay = time.Second/5, time.Second/5
		}).
			Wait(ctx, &ec2.DescribeImagesInput{ImageIds: []string{*image.ImageId}}, 3*time.Minute)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		t.Logf("%s: available after %v", tt.name, time.Since(began).Round(time.Millisecond))
		second, address := launch(*image.ImageId)
		if got := sh(t, dial(t, address, key), "sudo cat /root/kept"); got != want {
			t.Errorf("%s: the image's instance has %q, want %q", tt.name, got, want)
		}
		if after := sh(t, dial(t, ip, key), "cat /proc/sys/kernel/random/boot_id"); (after == boot) != tt.noReboot {
			t.Errorf("%s: the instance's boot is the same: %v", tt.name, after == boot)
		}
		if s := r.describe(c, first).State.Name; s != types.InstanceStateNameRunning {
			t.Errorf("%s: the instance is %s", tt.name, s)
		}
		if _, err := c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{second}}); err != nil {
			t.Fatal(err)
		}
	}
}
