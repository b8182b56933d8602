package images_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestPackersBuild is the amazon-ebs builder's sequence of calls, with the empty members that it sends.
func TestPackersBuild(t *testing.T) {
	w := apitest.New(t)
	if a := w.Call("DescribeImages", "Owner.1", "self", "Filter.1.Name", "name", "Filter.1.Value.1",
		"packer-web"); a.Status != 200 || strings.Contains(a.Body, "<imageId>") {
		t.Fatalf("the target's name: %s", a.Body)
	}
	source := w.Must("imageId", "DescribeImages", "Owner.1", "amazon", "IncludeDeprecated", "true", "Filter.1.Name",
		"name", "Filter.1.Value.1", "tiny-*")
	w.Must("keyMaterial", "CreateKeyPair", "KeyName", "packer_1", "KeyType", "ed25519")
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "packer_1", "GroupDescription",
		"Temporary group for Packer", "VpcId", "")
	w.Must("groupId", "DescribeSecurityGroups", "GroupId.1", group)
	w.Must("return", "AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp",
		"IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0")
	id := w.Must("instanceId", "RunInstances", "ImageId", source, "InstanceType", "t3.micro", "MinCount", "1",
		"MaxCount", "1", "KeyName", "packer_1", "SecurityGroupId.1", group,
		"SubnetId", "", "IamInstanceProfile.Name", "", "Placement.AvailabilityZone", "", "UserData", "", "EbsOptimized",
		"false")
	w.Await(id, "running")
	w.Must("instanceId", "StopInstances", "InstanceId.1", id)
	w.Await(id, "stopped")
	w.Must("return", "ModifyInstanceAttribute", "InstanceId", id, "EnaSupport.Value", "true")
	image := w.Must("imageId", "CreateImage", "InstanceId", id, "Name", "packer-web", "Description", "",
		"TagSpecification.1.ResourceType", "image", "TagSpecification.1.Tag.1.Key", "os",
		"TagSpecification.1.Tag.1.Value", "tiny",
		"TagSpecification.2.ResourceType", "snapshot", "TagSpecification.2.Tag.1.Key", "os",
		"TagSpecification.2.Tag.1.Value", "tiny")
	w.AwaitImage(image, "available")
	snaps := w.SnapshotsOf(image)
	if len(snaps) != 1 || w.Must("status", "DescribeSnapshots", "SnapshotId.1", snaps[0]) != "completed" ||
		w.Must("value", "DescribeSnapshots", "SnapshotId.1", snaps[0]) != "tiny" {
		t.Fatalf("the image's snapshots: %v", snaps)
	}
	encrypted := w.Must("imageId", "CopyImage", "SourceImageId", image, "SourceRegion", "us-east-1", "Name",
		"packer-web-encrypted", "Encrypted", "true", "ClientToken", "packer")
	w.AwaitImage(encrypted, "available")
	if got := w.Must("encrypted", "DescribeImages", "ImageId.1", encrypted); got != "true" {
		t.Errorf("the encrypted copy says encrypted = %s", got)
	}
	w.Must("return", "ModifyImageAttribute", "ImageId", image, "Attribute", "launchPermission",
		"LaunchPermission.Add.1.Group", "all")
	w.Must("return", "ModifyImageAttribute", "ImageId", image, "Description.Value", "by packer")
	w.Must("return", "ModifySnapshotAttribute", "SnapshotId", snaps[0], "Attribute", "createVolumePermission",
		"OperationType", "add", "UserId.1", "123456789012")
	w.Must("return", "CreateTags", "ResourceId.1", image, "ResourceId.2", snaps[0], "Tag.1.Key", "Name", "Tag.1.Value", "web")
	at := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Minute)
	w.Must("return", "EnableImageDeprecation", "ImageId", image, "DeprecateAt", at.Format(time.RFC3339))
	body := w.Call("DescribeImages", "ImageId.1", image).Body
	for element, want := range map[string]string{
		"isPublic": "true", "description": "by packer", "deprecationTime": at.Format("2006-01-02T15:04:05.000Z"),
		"rootDeviceType": "ebs", "imageOwnerId": w.Keys.Account, "rootDeviceName": "/dev/xvda",
	} {
		if got := apitest.First(body, element); got != want {
			t.Errorf("%s = %q, want %q", element, got, want)
		}
	}
	w.Must("instanceId", "TerminateInstances", "InstanceId.1", id)
	w.Await(id, "terminated")
	w.Must("return", "DeleteSecurityGroup", "GroupId", group)
	w.Must("return", "DeleteKeyPair", "KeyName", "packer_1")

	for _, from := range []string{image, encrypted} {
		again := w.Must("instanceId", "RunInstances", "ImageId", from, "InstanceType", "t3.micro", "MinCount", "1",
			"MaxCount", "1")
		w.Await(again, "running")
	}
}

// TestImagesOfAnInstanceAndOfASnapshot are made, described and removed again, with their snapshots.
func TestImagesOfAnInstanceAndOfASnapshot(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Must("status", "AttachVolume", "VolumeId", o.Spare, "InstanceId", o.Running, "Device", "/dev/sdf")
	image := w.Must("imageId", "CreateImage", "InstanceId", o.Running, "Name", "from-instance", "NoReboot", "false")
	if got := w.Must("imageState", "DescribeImages", "ImageId.1", image); got != "pending" && got != "available" {
		t.Errorf("the new image is %s", got)
	}
	w.AwaitImage(image, "available")
	if got := w.Must("sourceInstanceId", "DescribeImages", "ImageId.1", image); got != o.Running {
		t.Errorf("sourceInstanceId = %q, want %s", got, o.Running)
	}
	if a := w.Call("DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1",
		image); strings.Count(a.Body, "<key>") != strings.Count(a.Body, "<key>aws:") {
		t.Errorf("an image without tags of its own has %s: Terraform would take them away", a.Body)
	}
	snaps := w.SnapshotsOf(image)
	if len(snaps) != 2 {
		t.Fatalf("the mapping has %d snapshots, want those of both volumes", len(snaps))
	}
	if a := w.Call("DeleteSnapshot", "SnapshotId", snaps[0]); a.Code != "InvalidSnapshot.InUse" ||
		!strings.Contains(a.Message, image) {
		t.Errorf("a snapshot that an image needs: %s %s", a.Code, a.Message)
	}

	registered := w.Must("imageId", "RegisterImage", "Name", "registered", "Description", "", "ImageLocation", "",
		"SriovNetSupport", "", "Architecture", "x86_64", "VirtualizationType", "hvm",
		"RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda",
		"BlockDeviceMapping.1.Ebs.SnapshotId", snaps[0], "BlockDeviceMapping.1.Ebs.VolumeSize", "8", "EnaSupport", "true")
	w.Must("return", "CreateTags", "ResourceId.1", registered, "Tag.1.Key", "Name", "Tag.1.Value", "registered")
	body := w.Call("DescribeImages", "ImageId.1", registered).Body
	for element, want := range map[string]string{
		"imageState": "available", "architecture": "x86_64", "volumeSize": "8", "enaSupport": "true", "snapshotId": snaps[0],
	} {
		if got := apitest.First(body, element); got != want {
			t.Errorf("registered: %s = %q, want %q", element, got, want)
		}
	}
	own, of := state.FindImage(w.DB.Local(), "us-east-1", image).Boot,
		state.FindImage(w.DB.Local(), "us-east-1", registered).Boot
	if own != of {
		t.Errorf("registered of its snapshot it boots by %+v, the image by %+v", of, own)
	}
	w.Must("return", "DeregisterImage", "ImageId", registered)
	if a := w.Call("DescribeImages", "ImageId.1", registered); a.Code != "" || strings.Contains(a.Body, "<item>") {
		t.Errorf("deregistered, it is not found for a while, without a refusal: %s", a.Body)
	}
	other := w.As(slipway.Account{ID: "222222222222"})
	if a := other.Call("DescribeImages", "ImageId.1", registered); a.Code != "InvalidAMIID.NotFound" {
		t.Errorf("another account's that was deregistered: %s", a.Body)
	}
	w.Must("return", "DeregisterImage", "ImageId", image)
	for _, s := range snaps {
		w.Must("return", "DeleteSnapshot", "SnapshotId", s)
		if a := w.Call("DescribeSnapshots", "SnapshotId.1", s); a.Code != "InvalidSnapshot.NotFound" {
			t.Errorf("%s is still described", s)
		}
	}
}

// TestAnImagesMapping: what the request gives overrides the volumes' own, leaves out and adds.
func TestAnImagesMapping(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Must("status", "AttachVolume", "VolumeId", o.Spare, "InstanceId", o.Running, "Device", "/dev/sdf")
	image := w.Must("imageId", "CreateImage", "InstanceId", o.Running, "Name", "mapped", "NoReboot", "true",
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.VolumeSize", "20",
		"BlockDeviceMapping.1.Ebs.VolumeType", "gp3", "BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false",
		"BlockDeviceMapping.2.DeviceName", "/dev/sdf", "BlockDeviceMapping.2.NoDevice", "",
		"BlockDeviceMapping.3.DeviceName", "/dev/sdg", "BlockDeviceMapping.3.Ebs.VolumeSize", "5")
	w.AwaitImage(image, "available")
	body := w.Must("blockDeviceMapping", "DescribeImages", "ImageId.1", image)
	for element, want := range map[string]string{
		"deviceName": "/dev/xvda", "volumeSize": "20", "volumeType": "gp3", "deleteOnTermination": "false",
	} {
		if got := apitest.First(body, element); got != want {
			t.Errorf("the root's %s = %q, want %q", element, got, want)
		}
	}
	if strings.Contains(body, "/dev/sdf") || !strings.Contains(body, "/dev/sdg") {
		t.Errorf("the mapping is %s", body)
	}
	id := w.Must("instanceId", "RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	w.Await(id, "running")
	if body := w.Call("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1",
		id).Body; strings.Count(body, "<volumeType>") != 2 || !strings.Contains(body, "<size>20<") ||
		!strings.Contains(body, "<size>5<") {
		t.Errorf("its volumes are %s", body)
	}
}

// TestTheEndOfAnImage: with its snapshots, but not those that another image needs; protected, not at all.
func TestTheEndOfAnImage(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	image := w.Must("imageId", "CreateImage", "InstanceId", o.Stopped, "Name", "first")
	w.AwaitImage(image, "available")
	snap := w.SnapshotsOf(image)[0]
	second := w.Must("imageId", "RegisterImage", "Name", "second", "RootDeviceName", "/dev/xvda",
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", snap)
	running := w.Must("instanceId", "RunInstances", "ImageId", second, "InstanceType", "t3.micro", "MinCount", "1",
		"MaxCount", "1")

	if got := w.Must("return", "EnableImageDeregistrationProtection", "ImageId", image); got != "enabled-without-cooldown" {
		t.Errorf("protection is %q", got)
	}
	if a := w.Call("DeregisterImage", "ImageId", image); a.Code != "OperationNotPermitted" {
		t.Errorf("a protected image's end: %s %s", a.Code, a.Message)
	}
	w.Must("return", "EnableImageDeregistrationProtection", "ImageId", image, "WithCooldown", "true")
	w.Must("return", "DisableImageDeregistrationProtection", "ImageId", image)
	if a := w.Call("DeregisterImage", "ImageId", image); a.Code != "OperationNotPermitted" {
		t.Errorf("in the day after a protection with cooldown: %s %s", a.Code, a.Message)
	}
	w.Must("return", "EnableImageDeregistrationProtection", "ImageId", image)
	w.Must("return", "DisableImageDeregistrationProtection", "ImageId", image)

	a := w.Call("DeregisterImage", "ImageId", image, "DeleteAssociatedSnapshots", "true")
	if apitest.First(a.Body, "snapshotId") != snap || apitest.First(a.Body, "returnCode") != "skipped" {
		t.Errorf("with a snapshot that another image needs: %s", a.Body)
	}
	a = w.Call("DeregisterImage", "ImageId", second, "DeleteAssociatedSnapshots", "true")
	if apitest.First(a.Body, "returnCode") != "success" {
		t.Errorf("with its own snapshot: %s", a.Body)
	}
	w.Await(running, "running")
	w.Must("instanceId", "StopInstances", "InstanceId.1", running)
	w.Await(running, "stopped")
	w.Must("instanceId", "StartInstances", "InstanceId.1", running)
	w.Await(running, "running")
	w.Eventually("the snapshot's file is gone", func() bool { return !slices.Contains(w.Kept(), slipway.SnapshotID(snap)) })
}

// TestSharedImages are launched by those they are shared with, in both forms that clients send.
func TestSharedImages(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	other := w.As(slipway.Account{Name: "other"})
	see := func(more ...string) bool {
		return strings.Contains(other.Call("DescribeImages", more...).Body, o.AMI)
	}
	them := other.Keys.Account
	for _, tt := range []struct {
		name              string
		send              []string
		sees, mine, toAll bool
	}{
		{"private", nil, false, false, false},
		{"with an account", []string{"LaunchPermission.Add.1.UserId", them}, true, true, false},
		{"no longer", []string{"Attribute", "launchPermission", "LaunchPermission.Remove.1.UserId", them}, false, false, false},
		{"by the older form", []string{"Attribute", "launchPermission", "OperationType", "add", "UserId.1", them}, true,
			true, false},
		{"no longer, by the older form",
			[]string{"Attribute", "launchPermission", "OperationType", "remove", "UserId.1", them}, false, false, false},
		{"with all", []string{"Attribute", "launchPermission", "OperationType", "add", "UserGroup.1", "all"}, true,
			false, true},
	} {
		if tt.send != nil {
			w.Must("return", "ModifyImageAttribute", append([]string{"ImageId", o.AMI}, tt.send...)...)
		}
		for what, got := range map[string][2]bool{
			"seen": {see(), tt.sees}, "executable by self": {see("ExecutableBy.1", "self"), tt.mine},
			"executable by all": {see("ExecutableBy.1", "all"), tt.toAll},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %s is %v, want %v", tt.name, what, got[0], got[1])
			}
		}
	}
	if got := w.Must("group", "DescribeImageAttribute", "ImageId", o.AMI, "Attribute", "launchPermission"); got != "all" {
		t.Errorf("launchPermission shows %q, want all", got)
	}
	if a := other.Call("DescribeImageAttribute", "ImageId", o.AMI, "Attribute", "description"); a.Code != "AuthFailure" {
		t.Errorf("an attribute to who may only launch it: %s", a.Code)
	}
	w.Must("return", "DisableImage", "ImageId", o.AMI)
	if see() || strings.Contains(w.Call("DescribeImages", "Owner.1", "self").Body, o.AMI) ||
		!strings.Contains(w.Call("DescribeImages", "Owner.1", "self", "IncludeDisabled", "true").Body, o.AMI) {
		t.Error("a disabled image is seen by its owner alone, who asks for it")
	}
	if a := w.Call("RunInstances", "ImageId", o.AMI, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount",
		"1"); a.Code != "InvalidAMIID.Unavailable" {
		t.Errorf("a launch of a disabled image: %s", a.Code)
	}
	w.Must("return", "EnableImage", "ImageId", o.AMI)
	if see() {
		t.Error("enabled again, it is still shared")
	}
	w.Must("imageBlockPublicAccessState", "EnableImageBlockPublicAccess", "ImageBlockPublicAccessState", "block-new-sharing")
	if a := w.Call("ModifyImageAttribute", "ImageId", o.AMI, "LaunchPermission.Add.1.Group",
		"all"); a.Code != "OperationNotPermitted" {
		t.Errorf("made public though that is barred: %s", a.Code)
	}
	w.Must("imageBlockPublicAccessState", "DisableImageBlockPublicAccess")
	if got := w.Must("imageBlockPublicAccessState", "GetImageBlockPublicAccessState"); got != "unblocked" {
		t.Errorf("the bar is %q", got)
	}
	w.Must("return", "ModifyImageAttribute", "ImageId", o.AMI, "LaunchPermission.Add.1.Group", "all")
	w.Must("return", "EnableImageDeprecation", "ImageId", o.AMI, "DeprecateAt",
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		return state.Images.Edit(tx, state.Shared("us-east-1"), o.AMI, func(im *slipway.Image) error {
			im.Deprecated = im.Deprecated.Add(-2 * time.Hour)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if see() || !see("IncludeDeprecated", "true") || !see("ImageId.1", o.AMI) ||
		!strings.Contains(w.Call("DescribeImages", "Owner.1", "self").Body, o.AMI) {
		t.Error("a deprecated image is seen by its owner, and by others who ask for such or name it")
	}
	w.Must("return", "DisableImageDeprecation", "ImageId", o.AMI)
	if got := w.Must("deprecationTime", "DescribeImages", "ImageId.1", o.AMI); got != "" {
		t.Errorf("its deprecation was taken back and is %s", got)
	}
	w.Must("return", "ResetImageAttribute", "ImageId", o.AMI, "Attribute", "launchPermission")
	if see() {
		t.Error("reset, it is still shared")
	}
}

func TestImageRefusals(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	register := func(more ...string) []string {
		return append([]string{
			"Name", "new image", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda",
			"BlockDeviceMapping.1.Ebs.SnapshotId", o.Snapshot,
		}, more...)
	}
	create := func(more ...string) []string { return append([]string{"InstanceId", o.Running}, more...) }
	launched := w.Must("instanceId", "RunInstances", "ImageId", o.Image, "InstanceType", "t3.micro", "MinCount", "1",
		"MaxCount", "1")
	w.Await(launched, "running")
	w.Must("instanceId", "TerminateInstances", "InstanceId.1", launched)
	w.Await(launched, "terminated")
	for _, tt := range []struct {
		name, action, code, says string
		params                   []string
	}{
		{"no name", "CreateImage", "MissingParameter", "Name", create()},
		{"too short a name", "CreateImage", "InvalidAMIName.Malformed", "3", create("Name", "ab")},
		{"a name with what it may not have", "CreateImage", "InvalidAMIName.Malformed", "letters", create("Name", "web&db")},
		{"a name in use", "CreateImage", "InvalidAMIName.Duplicate", o.AMI, create("Name", "mine")},
		{"no instance", "CreateImage", "MissingParameter", "InstanceId", []string{"Name", "web"}},
		{"an unknown instance", "CreateImage", "InvalidInstanceID.NotFound", "i-01234567",
			[]string{"Name", "web", "InstanceId", "i-01234567"}},
		{"a terminated instance", "CreateImage", "IncorrectInstanceState", "terminated",
			[]string{"Name", "web", "InstanceId", launched}},
		{"without its root", "CreateImage", "InvalidBlockDeviceMapping", "root",
			create("Name", "web", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.NoDevice", "")},
		{"a volume encrypted on the way", "CreateImage", "InvalidBlockDeviceMapping", "encryption",
			create("Name", "web", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.Encrypted",
				"true")},
		{"a smaller root", "ModifyVolume", "InvalidParameterValue", "smaller", []string{"VolumeId", o.Spare, "Size", "1"}},
		{"a tag of an instance", "CreateImage", "InvalidParameterValue", "taggable",
			create("Name", "web", "TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "a")},

		{"a TPM", "RegisterImage", "UnsupportedOperation", "TpmSupport", register("TpmSupport", "v2.0")},
		{"a manifest", "RegisterImage", "UnsupportedOperation", "slipway image import",
			register("ImageLocation", "bucket/manifest.xml")},
		{"paravirtual", "RegisterImage", "UnsupportedOperation", "hvm", register("VirtualizationType", "paravirtual")},
		{"another architecture", "RegisterImage", "UnsupportedOperation", "x86_64", register("Architecture", "arm64")},
		{"a boot mode that is none", "RegisterImage", "InvalidParameterValue", "uefi-preferred",
			register("BootMode", "floppy")},
		{"an unknown snapshot", "RegisterImage", "InvalidSnapshot.NotFound", "snap-01234567",
			[]string{
				"Name", "new", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda",
				"BlockDeviceMapping.1.Ebs.SnapshotId", "snap-01234567",
			}},
		{"no root", "RegisterImage", "InvalidBlockDeviceMapping", "/dev/sda1",
			[]string{
				"Name", "new", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId",
				o.Snapshot,
			}},
		{"a root smaller than its snapshot", "RegisterImage", "InvalidBlockDeviceMapping", ">= 2GB",
			register("BlockDeviceMapping.1.Ebs.VolumeSize", "1")},
		{"a type that cannot boot", "RegisterImage", "BootForVolumeTypeUnsupported", "st1",
			register("BlockDeviceMapping.1.Ebs.VolumeType", "st1", "BlockDeviceMapping.1.Ebs.VolumeSize", "125")},

		{"an unknown image", "DeregisterImage", "InvalidAMIID.NotFound", "The image id '[ami-01234567]' does not exist",
			[]string{"ImageId", "ami-01234567"}},
		{"a malformed one", "DeregisterImage", "InvalidAMIID.Malformed", "ami", []string{"ImageId", "web"}},
		{"the system's", "DeregisterImage", "AuthFailure", o.Image, []string{"ImageId", o.Image}},
		{"a region that is none", "CopyImage", "InvalidParameterValue", "sourceRegion",
			[]string{"SourceRegion", "mars-north-1", "SourceImageId", o.AMI, "Name", "copy"}},
		{"not in that region", "CopyImage", "InvalidAMIID.NotFound", o.AMI,
			[]string{"SourceRegion", "eu-west-1", "SourceImageId", o.AMI, "Name", "copy"}},
		{"a user that is none", "ModifyImageAttribute", "InvalidAMIAttributeItemValue", "me",
			[]string{"ImageId", o.AMI, "LaunchPermission.Add.1.UserId", "me"}},
		{"a group that is none", "ModifyImageAttribute", "InvalidAMIAttributeItemValue", "some",
			[]string{"ImageId", o.AMI, "OperationType", "add", "UserGroup.1", "some"}},
		{"an organization", "ModifyImageAttribute", "UnsupportedOperation", "organizations",
			[]string{"ImageId", o.AMI, "LaunchPermission.Add.1.OrganizationArn", "arn:x"}},
		{"nothing", "ModifyImageAttribute", "MissingParameter", "Attribute", []string{"ImageId", o.AMI}},
		{"two at once", "ModifyImageAttribute", "InvalidParameterCombination", "one attribute",
			[]string{"ImageId", o.AMI, "Description.Value", "x", "ProductCode.1", "abc"}},
		{"one named, another given", "ModifyImageAttribute", "InvalidParameterCombination", "launchPermission",
			[]string{"ImageId", o.AMI, "Attribute", "launchPermission", "Description.Value", "x"}},
		{"an attribute that is none", "DescribeImageAttribute", "InvalidParameterValue", "colour",
			[]string{"ImageId", o.AMI, "Attribute", "colour"}},
		{"a deprecation in the past", "EnableImageDeprecation", "InvalidParameterValue", "past",
			[]string{"ImageId", o.AMI, "DeprecateAt", "2020-01-01T00:00:00Z"}},
	} {
		t.Run(tt.action+": "+tt.name, func(t *testing.T) {
			if a := w.Call(tt.action, tt.params...); a.Code != tt.code || !strings.Contains(a.Message, tt.says) {
				t.Errorf("got %s %q, want %s naming %q", a.Code, a.Message, tt.code, tt.says)
			}
		})
	}
	for _, name := range []string{
		"architecture", "block-device-mapping.delete-on-termination", "block-device-mapping.device-name",
		"block-device-mapping.encrypted", "block-device-mapping.snapshot-id",
		"block-device-mapping.volume-size", "block-device-mapping.volume-type", "boot-mode", "creation-date",
		"description", "ena-support", "free-tier-eligible", "hypervisor", "image-allowed", "image-id",
		"image-type", "is-public", "kernel-id", "manifest-location", "name", "owner-alias", "owner-id", "platform",
		"product-code", "product-code.type", "ramdisk-id", "root-device-name", "root-device-type",
		"source-image-id", "source-image-region", "source-instance-id", "sriov-net-support", "state",
		"state-reason-code", "state-reason-message", "tag:Name", "tag-key", "virtualization-type", "imds-support",
	} {
		if a := w.Call("DescribeImages", "Filter.1.Name", name, "Filter.1.Value.1", "no such thing"); a.Status != 200 ||
			strings.Contains(a.Body, "<imageId>") {
			t.Errorf("the filter %s: %s %s", name, a.Code, a.Body)
		}
	}
}

// TestAnImageInAnotherRegion is a copy that launches there.
func TestAnImageInAnotherRegion(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	far := *w
	far.Region = "eu-west-1"
	send := []string{"SourceRegion", "us-east-1", "SourceImageId", o.Image, "Name", "abroad", "ClientToken", "abroad"}
	id := far.Must("imageId", "CopyImage", send...)
	if again := far.Must("imageId", "CopyImage", send...); again != id {
		t.Errorf("the retry made %s, want %s", again, id)
	}
	far.AwaitImage(id, "available")
	if got := far.Must("sourceImageId", "DescribeImages", "ImageId.1", id); got != o.Image {
		t.Errorf("sourceImageId = %q, want %s", got, o.Image)
	}
	in := far.Must("instanceId", "RunInstances", "ImageId", id, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	far.Await(in, "running")
	if a := w.Call("DescribeImages", "ImageId.1", id); a.Code != "InvalidAMIID.NotFound" {
		t.Errorf("it is in the first region too: %s", a.Body)
	}
}

// TestEncryptionByDefault covers volumes that are created, launched and copied.
func TestEncryptionByDefault(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	if got := w.Must("ebsEncryptionByDefault", "GetEbsEncryptionByDefault"); got != "false" {
		t.Errorf("it is %s from the beginning", got)
	}
	w.Must("ebsEncryptionByDefault", "EnableEbsEncryptionByDefault")
	if got := w.Must("kmsKeyId", "GetEbsDefaultKmsKeyId"); got != "alias/aws/ebs" {
		t.Errorf("the key is %s", got)
	}
	made := w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1")
	id := w.Must("instanceId", "RunInstances", "ImageId", o.Image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	w.Await(id, "running")
	for what, got := range map[string]string{
		"a new volume": w.Must("encrypted", "DescribeVolumes", "VolumeId.1", made),
		"a launched root": w.Must("encrypted", "DescribeVolumes", "Filter.1.Name", "attachment.instance-id",
			"Filter.1.Value.1", id),
		"a copy of a snapshot": w.Must("encrypted", "DescribeSnapshots", "SnapshotId.1", w.Copied(o.Snapshot)),
	} {
		if got != "true" {
			t.Errorf("%s: encrypted = %q", what, got)
		}
	}
	w.Must("ebsEncryptionByDefault", "DisableEbsEncryptionByDefault")
	if got := w.Must("encrypted", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"); got != "false" {
		t.Errorf("disabled again, a new volume says encrypted = %s", got)
	}
}
