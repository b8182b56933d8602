package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"slipway/internal/traces"
)

// traces are what this slipway has on the host: files, processes, control groups, namespaces, links and rules.
func (r *run) traces() []string {
	r.t.Helper()
	var out []string
	filepath.WalkDir(r.state, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(r.state, path)
		switch {
		case err != nil: // went away meanwhile
		case d.IsDir() && rel == "etcd":
			return fs.SkipDir
		case !d.IsDir() || strings.HasPrefix(rel, "machines/"): // the rooms of the house stay
			out = append(out, "file "+rel)
		}
		return nil
	})
	beside, err := traces.Of(r.state, traces.Slot(r.state))
	if err != nil {
		r.t.Fatal(err)
	}
	out = append(out, beside...)
	slices.Sort(out)
	return out
}

// disassociated takes an address off what has it.
func disassociated(s *site, a *ec2.AllocateAddressOutput) *string {
	s.r.t.Helper()
	out := must[*ec2.DescribeAddressesOutput](s.r.t)(s.c.DescribeAddresses(s.r.t.Context(),
		&ec2.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId}}))
	must[*ec2.DisassociateAddressOutput](s.r.t)(s.c.DisassociateAddress(s.r.t.Context(),
		&ec2.DisassociateAddressInput{AssociationId: out.Addresses[0].AssociationId}))
	return a.AllocationId
}

// machine runs an instance with a data disk, makes an image of it, and deletes all of that.
func machine(r *run, c *ec2.Client, image, subnet string) {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	in := must[*ec2.RunInstancesOutput](t)(c.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: &image, InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		SubnetId: &subnet,
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: aws.String("/dev/sdf"),
				Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(1), DeleteOnTermination: aws.Bool(true)}},
		},
	})).Instances[0]
	r.waitState(c, *in.InstanceId, types.InstanceStateNameRunning)
	made := must[*ec2.CreateImageOutput](t)(c.CreateImage(ctx,
		&ec2.CreateImageInput{InstanceId: in.InstanceId, Name: aws.String("of-" + *in.InstanceId), NoReboot: aws.Bool(true)}))
	var snapshots []string
	eventually(t, time.Minute, func() error {
		im, err := c.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{*made.ImageId}})
		if err == nil && im.Images[0].State != types.ImageStateAvailable {
			err = fmt.Errorf("the image is %s", im.Images[0].State)
		}
		if err != nil {
			return err
		}
		snapshots = nil
		for _, m := range im.Images[0].BlockDeviceMappings {
			snapshots = append(snapshots, *m.Ebs.SnapshotId)
		}
		return nil
	})
	must[*ec2.TerminateInstancesOutput](t)(c.TerminateInstances(ctx,
		&ec2.TerminateInstancesInput{InstanceIds: []string{*in.InstanceId}}))
	must[*ec2.DeregisterImageOutput](t)(c.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: made.ImageId}))
	for _, id := range snapshots {
		must[*ec2.DeleteSnapshotOutput](t)(c.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id}))
	}
	r.waitState(c, *in.InstanceId, types.InstanceStateNameTerminated)
}

// imports bring a disk in, refuse another, and delete what has come.
func imports(r *run, c *ec2.Client, file string) {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	for format, want := range map[string]string{"RAW": "completed", "VHD": "deleted"} {
		task := must[*ec2.ImportSnapshotOutput](t)(c.ImportSnapshot(ctx,
			&ec2.ImportSnapshotInput{
				DiskContainer: &types.SnapshotDiskContainer{Format: &format, Url: aws.String("file://" + file)},
			})).ImportTaskId
		var snapshot *string
		eventually(t, time.Minute, func() error {
			out, err := c.DescribeImportSnapshotTasks(ctx,
				&ec2.DescribeImportSnapshotTasksInput{ImportTaskIds: []string{*task}})
			if err != nil {
				return err
			}
			d := out.ImportSnapshotTasks[0].SnapshotTaskDetail
			if snapshot = d.SnapshotId; *d.Status != want {
				return fmt.Errorf("the import of a %s is %s: %s", format, *d.Status, aws.ToString(d.StatusMessage))
			}
			return nil
		})
		if snapshot != nil {
			must[*ec2.DeleteSnapshotOutput](t)(c.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: snapshot}))
		}
	}
}

// TestFiftyTimesBuiltAndDestroyed: a network, machines, disks, snapshots, imports and images made and deleted leave
// the host as it was.
func TestFiftyTimesBuiltAndDestroyed(t *testing.T) {
	r := real(t)
	c, ctx := r.client(), t.Context()
	r.key(c)
	image := r.image()
	file := filepath.Join(r.state, "imports", "disk.raw")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	before := []string{}
	settled := func() error {
		if now := r.traces(); !slices.Equal(before, now) {
			return fmt.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(now, "\n"))
		}
		return nil
	}
	done := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// until repeats a deletion that must wait for another's end.
	until := func(try func() error) { t.Helper(); eventually(t, time.Minute, try) }
	for round := range 50 {
		s := newSite(r, c, "10.1.0.0/16")
		s.online(s.main)
		subnet := s.subnet("10.1.1.0/24")
		a := s.address()
		card := must[*ec2.CreateNetworkInterfaceOutput](t)(c.CreateNetworkInterface(ctx,
			&ec2.CreateNetworkInterfaceInput{SubnetId: &subnet})).NetworkInterface.NetworkInterfaceId
		done(c.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: card}))
		v := must[*ec2.CreateVolumeOutput](t)(c.CreateVolume(ctx,
			&ec2.CreateVolumeInput{
				AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1), Encrypted: aws.Bool(round%2 == 0),
			}))
		until(func() error {
			out, err := c.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{*v.VolumeId}})
			if err == nil && out.Volumes[0].State != types.VolumeStateAvailable {
				err = fmt.Errorf("the volume is %s", out.Volumes[0].State)
			}
			return err
		})
		snap := must[*ec2.CreateSnapshotOutput](t)(c.CreateSnapshot(ctx,
			&ec2.CreateSnapshotInput{VolumeId: v.VolumeId})).SnapshotId
		if round%10 == 0 {
			imports(r, c, file)
		}
		if round%25 == 0 { // a machine that is ended while it boots has 15 seconds to go by itself
			machine(r, c, image, subnet)
		}
		if round == 1 && slices.Equal(before, r.traces()) {
			t.Fatal("all that leaves no trace that this test could see")
		}

		until(func() error { _, err := c.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: snap}); return err })
		until(func() error { _, err := c.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: v.VolumeId}); return err })
		done(c.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: disassociated(s, a)}))
		done(c.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: card}))
		gateways := must[*ec2.DescribeInternetGatewaysOutput](t)(c.DescribeInternetGateways(ctx,
			&ec2.DescribeInternetGatewaysInput{
				Filters: []types.Filter{{Name: aws.String("attachment.vpc-id"), Values: []string{s.vpc}}},
			}))
		gateway := gateways.InternetGateways[0].InternetGatewayId
		done(c.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{InternetGatewayId: gateway, VpcId: &s.vpc}))
		done(c.DeleteInternetGateway(ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: gateway}))
		until(func() error { _, err := c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet}); return err })
		until(func() error { _, err := c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &s.vpc}); return err })
		if round == 0 { // the first one furnishes the host: the table of public addresses, empty, stays
			until(func() error {
				before = r.traces()
				if i := slices.IndexFunc(before, func(x string) bool {
					return strings.HasPrefix(x, "/run/netns/") || strings.HasPrefix(x, "process ")
				}); i >= 0 {
					return fmt.Errorf("there still is %s", before[i])
				}
				return nil
			})
		}
	}
	eventually(t, time.Minute, settled)
}

// TestAStateDirectoryDeletedUnderRunningGuests: after a kill -9 and the loss of its directory, the next start on the
// same one ends the guests that nobody knows any more, and at its end the host is as it was.
func TestAStateDirectoryDeletedUnderRunningGuests(t *testing.T) {
	r := real(t)
	setting := func(name string) string {
		b, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	localnet := setting("all/route_localnet")
	c := r.client()
	in := must[*ec2.RunInstancesOutput](t)(c.RunInstances(t.Context(),
		&ec2.RunInstancesInput{
			ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
			MaxCount: aws.Int32(1),
		})).Instances[0]
	r.waitState(c, *in.InstanceId, types.InstanceStateNameRunning)
	if now := setting("all/route_localnet"); now != localnet {
		t.Errorf("route_localnet of all links is %s, was %s", now, localnet)
	}
	r.kill()
	left := func() []string {
		var out []string
		for _, line := range r.traces() {
			if strings.HasPrefix(line, "process ") || strings.HasPrefix(line, "/run/netns/") ||
				strings.HasPrefix(line, "link ") {
				out = append(out, line)
			}
		}
		return out
	}
	if !slices.ContainsFunc(left(), func(s string) bool { return strings.HasPrefix(s, "process ") }) {
		t.Fatalf("the guest did not outlive its slipway: %v", left())
	}
	entries, err := os.ReadDir(r.state)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // the directory itself stays for the test's end
		if err := os.RemoveAll(filepath.Join(r.state, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	r.begin()
	eventually(t, 30*time.Second, func() error {
		if now := left(); len(now) > 0 {
			return fmt.Errorf("left: %v", now)
		}
		return nil
	})
	slot, _ := os.ReadFile(filepath.Join(r.state, "slot"))
	r.stop()
	var ledger struct{ Users []int }
	if b, err := os.ReadFile("/run/slipway/forwarding.json"); err == nil && json.Unmarshal(b, &ledger) == nil {
		if slices.ContainsFunc(ledger.Users, func(n int) bool { return fmt.Sprint(n) == strings.TrimSpace(string(slot)) }) {
			t.Errorf("forwarding is still switched on for slot %s: %s", slot, b)
		}
	}
}
