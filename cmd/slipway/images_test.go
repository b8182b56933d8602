package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// awaitImage waits until an image has the state.
func (w *wire) awaitImage(id, state string) {
	w.t.Helper()
	w.eventually(id+" is "+state, func() bool { return w.must("imageState", "DescribeImages", "ImageId.1", id) == state })
}

// snapshotsOf are the snapshots in an image's mapping.
func (w *wire) snapshotsOf(image string) []string {
	body := w.call("DescribeImages", "ImageId.1", image).body
	var out []string
	for _, part := range strings.Split(body, "<snapshotId>")[1:] {
		id, _, _ := strings.Cut(part, "<")
		out = append(out, id)
	}
	return out
}

// TestPackersBuild is the amazon-ebs builder's sequence of calls, with the empty members that it sends.
func TestPackersBuild(t *testing.T) {
	w := newWire(t)
	if a := w.call("DescribeImages", "Owner.1", "self", "Filter.1.Name", "name", "Filter.1.Value.1", "packer-web"); a.status != 200 || strings.Contains(a.body, "<imageId>") {
		t.Fatalf("the target's name: %s", a.body)
	}
	source := w.must("imageId", "DescribeImages", "Owner.1", "amazon", "IncludeDeprecated", "true", "Filter.1.Name", "name", "Filter.1.Value.1", "tiny-*")
	w.must("keyMaterial", "CreateKeyPair", "KeyName", "packer_1", "KeyType", "ed25519")
	group := w.must("groupId", "CreateSecurityGroup", "GroupName", "packer_1", "GroupDescription", "Temporary group for Packer", "VpcId", "")
	w.must("groupId", "DescribeSecurityGroups", "GroupId.1", group)
	w.must("return", "AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0")
	id := w.must("instanceId", "RunInstances", "ImageId", source, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "KeyName", "packer_1", "SecurityGroupId.1", group,
		"SubnetId", "", "IamInstanceProfile.Name", "", "Placement.AvailabilityZone", "", "UserData", "", "EbsOptimized", "false")
	w.await(id, "running")
	w.must("instanceId", "StopInstances", "InstanceId.1", id)
	w.await(id, "stopped")
	w.must("return", "ModifyInstanceAttribute", "InstanceId", id, "EnaSupport.Value", "true")
	image := w.must("imageId", "CreateImage", "InstanceId", id, "Name", "packer-web", "Description", "", "TagSpecification.1.ResourceType", "image", "TagSpecification.1.Tag.1.Key", "os", "TagSpecification.1.Tag.1.Value", "tiny",
		"TagSpecification.2.ResourceType", "snapshot", "TagSpecification.2.Tag.1.Key", "os", "TagSpecification.2.Tag.1.Value", "tiny")
	w.awaitImage(image, "available")
	snaps := w.snapshotsOf(image)
	if len(snaps) != 1 || w.must("status", "DescribeSnapshots", "SnapshotId.1", snaps[0]) != "completed" || w.must("value", "DescribeSnapshots", "SnapshotId.1", snaps[0]) != "tiny" {
		t.Fatalf("the image's snapshots: %v", snaps)
	}
	encrypted := w.must("imageId", "CopyImage", "SourceImageId", image, "SourceRegion", "us-east-1", "Name", "packer-web-encrypted", "Encrypted", "true", "ClientToken", "packer")
	w.awaitImage(encrypted, "available")
	if got := w.must("encrypted", "DescribeImages", "ImageId.1", encrypted); got != "true" {
		t.Errorf("the encrypted copy says encrypted = %s", got)
	}
	w.must("return", "ModifyImageAttribute", "ImageId", image, "Attribute", "launchPermission", "LaunchPermission.Add.1.Group", "all")
	w.must("return", "ModifyImageAttribute", "ImageId", image, "Description.Value", "by packer")
	w.must("return", "ModifySnapshotAttribute", "SnapshotId", snaps[0], "Attribute", "createVolumePermission", "OperationType", "add", "UserId.1", "123456789012")
	w.must("return", "CreateTags", "ResourceId.1", image, "ResourceId.2", snaps[0], "Tag.1.Key", "Name", "Tag.1.Value", "web")
	at := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Minute)
	w.must("return", "EnableImageDeprecation", "ImageId", image, "DeprecateAt", at.Format(time.RFC3339))
	body := w.call("DescribeImages", "ImageId.1", image).body
	for element, want := range map[string]string{"isPublic": "true", "description": "by packer", "deprecationTime": at.Format("2006-01-02T15:04:05.000Z"), "rootDeviceType": "ebs", "imageOwnerId": w.keys.Account, "rootDeviceName": "/dev/xvda"} {
		if got := first(body, element); got != want {
			t.Errorf("%s = %q, want %q", element, got, want)
		}
	}
	w.must("instanceId", "TerminateInstances", "InstanceId.1", id)
	w.await(id, "terminated")
	w.must("return", "DeleteSecurityGroup", "GroupId", group)
	w.must("return", "DeleteKeyPair", "KeyName", "packer_1")

	for _, from := range []string{image, encrypted} {
		again := w.must("instanceId", "RunInstances", "ImageId", from, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
		w.await(again, "running")
	}
}

// TestImagesOfAnInstanceAndOfASnapshot are made, described and removed again, with their snapshots.
func TestImagesOfAnInstanceAndOfASnapshot(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	w.must("status", "AttachVolume", "VolumeId", o.spare, "InstanceId", o.running, "Device", "/dev/sdf")
	image := w.must("imageId", "CreateImage", "InstanceId", o.running, "Name", "from-instance", "NoReboot", "false")
	if got := w.must("imageState", "DescribeImages", "ImageId.1", image); got != "pending" && got != "available" {
		t.Errorf("the new image is %s", got)
	}
	w.awaitImage(image, "available")
	if got := w.must("sourceInstanceId", "DescribeImages", "ImageId.1", image); got != o.running {
		t.Errorf("sourceInstanceId = %q, want %s", got, o.running)
	}
	if a := w.call("DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1", image); strings.Count(a.body, "<key>") != strings.Count(a.body, "<key>aws:") {
		t.Errorf("an image without tags of its own has %s: Terraform would take them away", a.body)
	}
	snaps := w.snapshotsOf(image)
	if len(snaps) != 2 {
		t.Fatalf("the mapping has %d snapshots, want those of both volumes", len(snaps))
	}
	if a := w.call("DeleteSnapshot", "SnapshotId", snaps[0]); a.code != "InvalidSnapshot.InUse" || !strings.Contains(a.message, image) {
		t.Errorf("a snapshot that an image needs: %s %s", a.code, a.message)
	}

	registered := w.must("imageId", "RegisterImage", "Name", "registered", "Description", "", "ImageLocation", "", "SriovNetSupport", "", "Architecture", "x86_64", "VirtualizationType", "hvm",
		"RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", snaps[0], "BlockDeviceMapping.1.Ebs.VolumeSize", "8", "EnaSupport", "true")
	w.must("return", "CreateTags", "ResourceId.1", registered, "Tag.1.Key", "Name", "Tag.1.Value", "registered")
	body := w.call("DescribeImages", "ImageId.1", registered).body
	for element, want := range map[string]string{"imageState": "available", "architecture": "x86_64", "volumeSize": "8", "enaSupport": "true", "snapshotId": snaps[0]} {
		if got := first(body, element); got != want {
			t.Errorf("registered: %s = %q, want %q", element, got, want)
		}
	}
	own, of := state.FindImage(w.db.Local(), "us-east-1", image).Boot, state.FindImage(w.db.Local(), "us-east-1", registered).Boot
	if own != of {
		t.Errorf("registered of its snapshot it boots by %+v, the image by %+v", of, own)
	}
	w.must("return", "DeregisterImage", "ImageId", registered)
	if a := w.call("DescribeImages", "ImageId.1", registered); a.code != "InvalidAMIID.NotFound" {
		t.Errorf("deregistered: %s", a.body)
	}
	w.must("return", "DeregisterImage", "ImageId", image)
	for _, s := range snaps {
		w.must("return", "DeleteSnapshot", "SnapshotId", s)
		if a := w.call("DescribeSnapshots", "SnapshotId.1", s); a.code != "InvalidSnapshot.NotFound" {
			t.Errorf("%s is still described", s)
		}
	}
}

// TestAnImagesMapping: what the request gives overrides the volumes' own, leaves out and adds.
func TestAnImagesMapping(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	w.must("status", "AttachVolume", "VolumeId", o.spare, "InstanceId", o.running, "Device", "/dev/sdf")
	image := w.must("imageId", "CreateImage", "InstanceId", o.running, "Name", "mapped", "NoReboot", "true",
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.VolumeSize", "20", "BlockDeviceMapping.1.Ebs.VolumeType", "gp3", "BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false",
		"BlockDeviceMapping.2.DeviceName", "/dev/sdf", "BlockDeviceMapping.2.NoDevice", "",
		"BlockDeviceMapping.3.DeviceName", "/dev/sdg", "BlockDeviceMapping.3.Ebs.VolumeSize", "5")
	w.awaitImage(image, "available")
	body := w.must("blockDeviceMapping", "DescribeImages", "ImageId.1", image)
	for element, want := range map[string]string{"deviceName": "/dev/xvda", "volumeSize": "20", "volumeType": "gp3", "deleteOnTermination": "false"} {
		if got := first(body, element); got != want {
			t.Errorf("the root's %s = %q, want %q", element, got, want)
		}
	}
	if strings.Contains(body, "/dev/sdf") || !strings.Contains(body, "/dev/sdg") {
		t.Errorf("the mapping is %s", body)
	}
	id := w.must("instanceId", "RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	w.await(id, "running")
	if body := w.call("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", id).body; strings.Count(body, "<volumeType>") != 2 || !strings.Contains(body, "<size>20<") || !strings.Contains(body, "<size>5<") {
		t.Errorf("its volumes are %s", body)
	}
}

// TestTheEndOfAnImage: with its snapshots, but not those that another image needs; protected, not at all.
func TestTheEndOfAnImage(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	image := w.must("imageId", "CreateImage", "InstanceId", o.stopped, "Name", "first")
	w.awaitImage(image, "available")
	snap := w.snapshotsOf(image)[0]
	second := w.must("imageId", "RegisterImage", "Name", "second", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", snap)
	running := w.must("instanceId", "RunInstances", "ImageId", second, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")

	if got := w.must("return", "EnableImageDeregistrationProtection", "ImageId", image); got != "enabled-without-cooldown" {
		t.Errorf("protection is %q", got)
	}
	if a := w.call("DeregisterImage", "ImageId", image); a.code != "OperationNotPermitted" {
		t.Errorf("a protected image's end: %s %s", a.code, a.message)
	}
	w.must("return", "EnableImageDeregistrationProtection", "ImageId", image, "WithCooldown", "true")
	w.must("return", "DisableImageDeregistrationProtection", "ImageId", image)
	if a := w.call("DeregisterImage", "ImageId", image); a.code != "OperationNotPermitted" {
		t.Errorf("in the day after a protection with cooldown: %s %s", a.code, a.message)
	}
	w.must("return", "EnableImageDeregistrationProtection", "ImageId", image)
	w.must("return", "DisableImageDeregistrationProtection", "ImageId", image)

	a := w.call("DeregisterImage", "ImageId", image, "DeleteAssociatedSnapshots", "true")
	if first(a.body, "snapshotId") != snap || first(a.body, "returnCode") != "skipped" {
		t.Errorf("with a snapshot that another image needs: %s", a.body)
	}
	a = w.call("DeregisterImage", "ImageId", second, "DeleteAssociatedSnapshots", "true")
	if first(a.body, "returnCode") != "success" {
		t.Errorf("with its own snapshot: %s", a.body)
	}
	w.await(running, "running")
	w.must("instanceId", "StopInstances", "InstanceId.1", running)
	w.await(running, "stopped")
	w.must("instanceId", "StartInstances", "InstanceId.1", running)
	w.await(running, "running")
	w.eventually("the snapshot's file is gone", func() bool { return !slices.Contains(w.kept(), slipway.SnapshotID(snap)) })
}

// TestSharedImages are launched by those they are shared with, in both forms that clients send.
func TestSharedImages(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	other := w.as(slipway.Account{Name: "other"})
	see := func(more ...string) bool {
		return strings.Contains(other.call("DescribeImages", more...).body, o.ami)
	}
	them := other.keys.Account
	for _, tt := range []struct {
		name              string
		send              []string
		sees, mine, toAll bool
	}{
		{"private", nil, false, false, false},
		{"with an account", []string{"LaunchPermission.Add.1.UserId", them}, true, true, false},
		{"no longer", []string{"Attribute", "launchPermission", "LaunchPermission.Remove.1.UserId", them}, false, false, false},
		{"by the older form", []string{"Attribute", "launchPermission", "OperationType", "add", "UserId.1", them}, true, true, false},
		{"no longer, by the older form", []string{"Attribute", "launchPermission", "OperationType", "remove", "UserId.1", them}, false, false, false},
		{"with all", []string{"Attribute", "launchPermission", "OperationType", "add", "UserGroup.1", "all"}, true, false, true},
	} {
		if tt.send != nil {
			w.must("return", "ModifyImageAttribute", append([]string{"ImageId", o.ami}, tt.send...)...)
		}
		for what, got := range map[string][2]bool{
			"seen": {see(), tt.sees}, "executable by self": {see("ExecutableBy.1", "self"), tt.mine}, "executable by all": {see("ExecutableBy.1", "all"), tt.toAll},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %s is %v, want %v", tt.name, what, got[0], got[1])
			}
		}
	}
	if got := w.must("group", "DescribeImageAttribute", "ImageId", o.ami, "Attribute", "launchPermission"); got != "all" {
		t.Errorf("launchPermission shows %q, want all", got)
	}
	if a := other.call("DescribeImageAttribute", "ImageId", o.ami, "Attribute", "description"); a.code != "AuthFailure" {
		t.Errorf("an attribute to who may only launch it: %s", a.code)
	}
	w.must("return", "DisableImage", "ImageId", o.ami)
	if see() || strings.Contains(w.call("DescribeImages", "Owner.1", "self").body, o.ami) || !strings.Contains(w.call("DescribeImages", "Owner.1", "self", "IncludeDisabled", "true").body, o.ami) {
		t.Error("a disabled image is seen by its owner alone, who asks for it")
	}
	if a := w.call("RunInstances", "ImageId", o.ami, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"); a.code != "InvalidAMIID.Unavailable" {
		t.Errorf("a launch of a disabled image: %s", a.code)
	}
	w.must("return", "EnableImage", "ImageId", o.ami)
	if see() {
		t.Error("enabled again, it is still shared")
	}
	w.must("imageBlockPublicAccessState", "EnableImageBlockPublicAccess", "ImageBlockPublicAccessState", "block-new-sharing")
	if a := w.call("ModifyImageAttribute", "ImageId", o.ami, "LaunchPermission.Add.1.Group", "all"); a.code != "OperationNotPermitted" {
		t.Errorf("made public though that is barred: %s", a.code)
	}
	w.must("imageBlockPublicAccessState", "DisableImageBlockPublicAccess")
	if got := w.must("imageBlockPublicAccessState", "GetImageBlockPublicAccessState"); got != "unblocked" {
		t.Errorf("the bar is %q", got)
	}
	w.must("return", "ModifyImageAttribute", "ImageId", o.ami, "LaunchPermission.Add.1.Group", "all")
	w.must("return", "EnableImageDeprecation", "ImageId", o.ami, "DeprecateAt", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	err := w.db.Update(t.Context(), func(tx store.Tx) error {
		return state.Images.Edit(tx, state.Shared("us-east-1"), o.ami, func(im *slipway.Image) error {
			im.Deprecated = im.Deprecated.Add(-2 * time.Hour)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if see() || !see("IncludeDeprecated", "true") || !see("ImageId.1", o.ami) || !strings.Contains(w.call("DescribeImages", "Owner.1", "self").body, o.ami) {
		t.Error("a deprecated image is seen by its owner, and by others who ask for such or name it")
	}
	w.must("return", "DisableImageDeprecation", "ImageId", o.ami)
	if got := w.must("deprecationTime", "DescribeImages", "ImageId.1", o.ami); got != "" {
		t.Errorf("its deprecation was taken back and is %s", got)
	}
	w.must("return", "ResetImageAttribute", "ImageId", o.ami, "Attribute", "launchPermission")
	if see() {
		t.Error("reset, it is still shared")
	}
}

func TestImageRefusals(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	register := func(more ...string) []string {
		return append([]string{"Name", "new image", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", o.snapshot}, more...)
	}
	create := func(more ...string) []string { return append([]string{"InstanceId", o.running}, more...) }
	launched := w.must("instanceId", "RunInstances", "ImageId", o.image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	w.await(launched, "running")
	w.must("instanceId", "TerminateInstances", "InstanceId.1", launched)
	w.await(launched, "terminated")
	for _, tt := range []struct {
		name, action, code, says string
		params                   []string
	}{
		{"no name", "CreateImage", "MissingParameter", "Name", create()},
		{"too short a name", "CreateImage", "InvalidAMIName.Malformed", "3", create("Name", "ab")},
		{"a name with what it may not have", "CreateImage", "InvalidAMIName.Malformed", "letters", create("Name", "web&db")},
		{"a name in use", "CreateImage", "InvalidAMIName.Duplicate", o.ami, create("Name", "mine")},
		{"no instance", "CreateImage", "MissingParameter", "InstanceId", []string{"Name", "web"}},
		{"an unknown instance", "CreateImage", "InvalidInstanceID.NotFound", "i-01234567", []string{"Name", "web", "InstanceId", "i-01234567"}},
		{"a terminated instance", "CreateImage", "IncorrectInstanceState", "terminated", []string{"Name", "web", "InstanceId", launched}},
		{"without its root", "CreateImage", "InvalidBlockDeviceMapping", "root", create("Name", "web", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.NoDevice", "")},
		{"a volume encrypted on the way", "CreateImage", "InvalidBlockDeviceMapping", "encryption", create("Name", "web", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.Encrypted", "true")},
		{"a smaller root", "ModifyVolume", "InvalidParameterValue", "smaller", []string{"VolumeId", o.spare, "Size", "1"}},
		{"a tag of an instance", "CreateImage", "InvalidParameterValue", "taggable", create("Name", "web", "TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "a")},

		{"a TPM", "RegisterImage", "UnsupportedOperation", "TpmSupport", register("TpmSupport", "v2.0")},
		{"a manifest", "RegisterImage", "UnsupportedOperation", "slipway image import", register("ImageLocation", "bucket/manifest.xml")},
		{"paravirtual", "RegisterImage", "UnsupportedOperation", "hvm", register("VirtualizationType", "paravirtual")},
		{"another architecture", "RegisterImage", "UnsupportedOperation", "x86_64", register("Architecture", "arm64")},
		{"a boot mode that is none", "RegisterImage", "InvalidParameterValue", "uefi-preferred", register("BootMode", "floppy")},
		{"an unknown snapshot", "RegisterImage", "InvalidSnapshot.NotFound", "snap-01234567", []string{"Name", "new", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", "snap-01234567"}},
		{"no root", "RegisterImage", "InvalidBlockDeviceMapping", "/dev/sda1", []string{"Name", "new", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", o.snapshot}},
		{"a root smaller than its snapshot", "RegisterImage", "InvalidBlockDeviceMapping", ">= 2GB", register("BlockDeviceMapping.1.Ebs.VolumeSize", "1")},
		{"a type that cannot boot", "RegisterImage", "BootForVolumeTypeUnsupported", "st1", register("BlockDeviceMapping.1.Ebs.VolumeType", "st1", "BlockDeviceMapping.1.Ebs.VolumeSize", "125")},

		{"an unknown image", "DeregisterImage", "InvalidAMIID.NotFound", "The image id '[ami-01234567]' does not exist", []string{"ImageId", "ami-01234567"}},
		{"a malformed one", "DeregisterImage", "InvalidAMIID.Malformed", "ami", []string{"ImageId", "web"}},
		{"the system's", "DeregisterImage", "AuthFailure", o.image, []string{"ImageId", o.image}},
		{"a region that is none", "CopyImage", "InvalidParameterValue", "sourceRegion", []string{"SourceRegion", "mars-north-1", "SourceImageId", o.ami, "Name", "copy"}},
		{"not in that region", "CopyImage", "InvalidAMIID.NotFound", o.ami, []string{"SourceRegion", "eu-west-1", "SourceImageId", o.ami, "Name", "copy"}},
		{"a user that is none", "ModifyImageAttribute", "InvalidAMIAttributeItemValue", "me", []string{"ImageId", o.ami, "LaunchPermission.Add.1.UserId", "me"}},
		{"a group that is none", "ModifyImageAttribute", "InvalidAMIAttributeItemValue", "some", []string{"ImageId", o.ami, "OperationType", "add", "UserGroup.1", "some"}},
		{"an organization", "ModifyImageAttribute", "UnsupportedOperation", "organizations", []string{"ImageId", o.ami, "LaunchPermission.Add.1.OrganizationArn", "arn:x"}},
		{"nothing", "ModifyImageAttribute", "MissingParameter", "Attribute", []string{"ImageId", o.ami}},
		{"two at once", "ModifyImageAttribute", "InvalidParameterCombination", "one attribute", []string{"ImageId", o.ami, "Description.Value", "x", "ProductCode.1", "abc"}},
		{"one named, another given", "ModifyImageAttribute", "InvalidParameterCombination", "launchPermission", []string{"ImageId", o.ami, "Attribute", "launchPermission", "Description.Value", "x"}},
		{"an attribute that is none", "DescribeImageAttribute", "InvalidParameterValue", "colour", []string{"ImageId", o.ami, "Attribute", "colour"}},
		{"a deprecation in the past", "EnableImageDeprecation", "InvalidParameterValue", "past", []string{"ImageId", o.ami, "DeprecateAt", "2020-01-01T00:00:00Z"}},
	} {
		t.Run(tt.action+": "+tt.name, func(t *testing.T) {
			if a := w.call(tt.action, tt.params...); a.code != tt.code || !strings.Contains(a.message, tt.says) {
				t.Errorf("got %s %q, want %s naming %q", a.code, a.message, tt.code, tt.says)
			}
		})
	}
	for _, name := range []string{"architecture", "block-device-mapping.delete-on-termination", "block-device-mapping.device-name", "block-device-mapping.encrypted", "block-device-mapping.snapshot-id",
		"block-device-mapping.volume-size", "block-device-mapping.volume-type", "boot-mode", "creation-date", "description", "ena-support", "free-tier-eligible", "hypervisor", "image-allowed", "image-id",
		"image-type", "is-public", "kernel-id", "manifest-location", "name", "owner-alias", "owner-id", "platform", "product-code", "product-code.type", "ramdisk-id", "root-device-name", "root-device-type",
		"source-image-id", "source-image-region", "source-instance-id", "sriov-net-support", "state", "state-reason-code", "state-reason-message", "tag:Name", "tag-key", "virtualization-type", "imds-support"} {
		if a := w.call("DescribeImages", "Filter.1.Name", name, "Filter.1.Value.1", "no such thing"); a.status != 200 || strings.Contains(a.body, "<imageId>") {
			t.Errorf("the filter %s: %s %s", name, a.code, a.body)
		}
	}
}

// TestAnImageInAnotherRegion is a copy that launches there.
func TestAnImageInAnotherRegion(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	far := *w
	far.region = "eu-west-1"
	send := []string{"SourceRegion", "us-east-1", "SourceImageId", o.image, "Name", "abroad", "ClientToken", "abroad"}
	id := far.must("imageId", "CopyImage", send...)
	if again := far.must("imageId", "CopyImage", send...); again != id {
		t.Errorf("the retry made %s, want %s", again, id)
	}
	far.awaitImage(id, "available")
	if got := far.must("sourceImageId", "DescribeImages", "ImageId.1", id); got != o.image {
		t.Errorf("sourceImageId = %q, want %s", got, o.image)
	}
	in := far.must("instanceId", "RunInstances", "ImageId", id, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	far.await(in, "running")
	if a := w.call("DescribeImages", "ImageId.1", id); a.code != "InvalidAMIID.NotFound" {
		t.Errorf("it is in the first region too: %s", a.body)
	}
}

// TestEncryptionByDefault covers volumes that are created, launched and copied.
func TestEncryptionByDefault(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	if got := w.must("ebsEncryptionByDefault", "GetEbsEncryptionByDefault"); got != "false" {
		t.Errorf("it is %s from the beginning", got)
	}
	w.must("ebsEncryptionByDefault", "EnableEbsEncryptionByDefault")
	if got := w.must("kmsKeyId", "GetEbsDefaultKmsKeyId"); got != "alias/aws/ebs" {
		t.Errorf("the key is %s", got)
	}
	made := w.must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1")
	id := w.must("instanceId", "RunInstances", "ImageId", o.image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	w.await(id, "running")
	for what, got := range map[string]string{
		"a new volume":         w.must("encrypted", "DescribeVolumes", "VolumeId.1", made),
		"a launched root":      w.must("encrypted", "DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", id),
		"a copy of a snapshot": w.must("encrypted", "DescribeSnapshots", "SnapshotId.1", w.copied(o.snapshot)),
	} {
		if got != "true" {
			t.Errorf("%s: encrypted = %q", what, got)
		}
	}
	w.must("ebsEncryptionByDefault", "DisableEbsEncryptionByDefault")
	if got := w.must("encrypted", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"); got != "false" {
		t.Errorf("disabled again, a new volume says encrypted = %s", got)
	}
}
