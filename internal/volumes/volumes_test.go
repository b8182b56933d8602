package volumes_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
)

// TestCreateVolumeCompletes: what is left out is the type's own, and gp2 says what its size gives it.
func TestCreateVolumeCompletes(t *testing.T) {
	w := apitest.New(t)
	for _, tt := range []struct {
		name string
		send []string
		want map[string]string
	}{
		{"gp2 is the default", []string{"Size", "100"},
			map[string]string{
				"volumeType": "gp2", "iops": "300", "throughput": "", "status": "creating", "encrypted": "false",
			}},
		{"a small gp2", []string{"Size", "1", "VolumeType", "gp2"}, map[string]string{"iops": "100"}},
		{"gp3", []string{"Size", "1", "VolumeType", "gp3"}, map[string]string{"iops": "3000", "throughput": "125"}},
		{"gp3 that was paid for", []string{"Size", "100", "VolumeType", "gp3", "Iops", "4000", "Throughput", "500"},
			map[string]string{"iops": "4000", "throughput": "500"}},
		{"io2", []string{"Size", "10", "VolumeType", "io2", "Iops", "500"}, map[string]string{"iops": "500", "throughput": ""}},
		{"st1 has no iops", []string{"Size", "125", "VolumeType", "st1"}, map[string]string{"iops": "", "size": "125"}},
		{"an encrypted one", []string{"Size", "1", "Encrypted", "true"}, map[string]string{"encrypted": "true"}},
		{"empty members are not given", []string{"Size", "1", "SnapshotId", "", "VolumeType", "", "KmsKeyId", ""},
			map[string]string{"volumeType": "gp2", "snapshotId": ""}},
		{"tags",
			[]string{
				"Size", "1", "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "Name",
				"TagSpecification.1.Tag.1.Value", "data",
			}, map[string]string{"key": "Name", "value": "data"}},
	} {
		a := w.Call("CreateVolume", append([]string{"AvailabilityZone", "us-east-1b"}, tt.send...)...)
		if a.Status != 200 {
			t.Errorf("%s: %s %s", tt.name, a.Code, a.Message)
			continue
		}
		for element, want := range tt.want {
			if got := apitest.First(a.Body, element); got != want {
				t.Errorf("%s: %s = %q, want %q", tt.name, element, got, want)
			}
		}
		id := apitest.First(a.Body, "volumeId")
		w.AwaitVolume(id, "available")
		if !slices.Contains(w.Files(), slipway.VolumeID(id)) {
			t.Errorf("%s: %s is available and its host has no file", tt.name, id)
		}
	}
	if got := w.Must("availabilityZone", "CreateVolume", "AvailabilityZoneId", "use1-az3", "Size", "1"); got != "us-east-1c" {
		t.Errorf("a zone named by its id is %s, want us-east-1c", got)
	}
}

// TestVolumeRefusals: each says what is wrong by the code that clients branch on.
func TestVolumeRefusals(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	elsewhere := "us-east-1a"
	if w.ZoneOf(o.Running) == elsewhere {
		elsewhere = "us-east-1b"
	}
	far := w.Must("volumeId", "CreateVolume", "AvailabilityZone", elsewhere, "Size", "1")
	w.AwaitVolume(far, "available")
	create := func(more ...string) []string { return append([]string{"AvailabilityZone", "us-east-1a"}, more...) }
	for _, tt := range []struct {
		name, action, code, says string
		params                   []string
	}{
		{"no zone", "CreateVolume", "MissingParameter", "AvailabilityZone", []string{"Size", "1"}},
		{"an unknown zone", "CreateVolume", "InvalidZone.NotFound", "us-east-1q",
			[]string{"AvailabilityZone", "us-east-1q", "Size", "1"}},
		{"neither size nor snapshot", "CreateVolume", "MissingParameter", "size/snapshot", create()},
		{"an unknown type", "CreateVolume", "UnknownVolumeType", "gp9", create("Size", "1", "VolumeType", "gp9")},
		{"too small", "CreateVolume", "InvalidParameterValue", "125GiB", create("Size", "1", "VolumeType", "sc1")},
		{"too large", "CreateVolume", "InvalidParameterValue", "16384GiB", create("Size", "16385")},
		{"iops that gp2 has not", "CreateVolume", "InvalidParameterCombination", "iops", create("Size", "1", "Iops", "3000")},
		{"io1 without iops", "CreateVolume", "MissingParameter", "iops", create("Size", "10", "VolumeType", "io1")},
		{"the EBS CSI driver asks for the limit", "CreateVolume", "InvalidParameterValue",
			"Volume iops of 2147483647 is too high; maximum is 80000",
			create("Size", "4", "VolumeType", "gp3", "Iops", "2147483647", "DryRun", "true")},
		{"more iops than the size carries", "CreateVolume", "InvalidParameterCombination", "maximum is 50",
			create("Size", "10", "VolumeType", "io1", "Iops", "1000")},
		{"an unknown snapshot", "CreateVolume", "InvalidSnapshot.NotFound", "snap-01234567",
			create("SnapshotId", "snap-01234567")},
		{"a malformed snapshot", "CreateVolume", "InvalidSnapshotID.Malformed", "snap", create("SnapshotId", "snap")},
		{"a key without encryption", "CreateVolume", "InvalidParameterDependency", "KmsKeyId",
			create("Size", "1", "KmsKeyId", "alias/mine")},
		{"several machines on one file", "CreateVolume", "UnsupportedOperation", "MultiAttachEnabled",
			create("Size", "4", "VolumeType", "io2", "Iops", "100", "MultiAttachEnabled", "true")},
		{"an instance's tag", "CreateVolume", "InvalidParameterValue",
			"'instance' is not a valid taggable resource type",
			create("Size", "1", "TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "a")},

		{"an unknown volume", "AttachVolume", "InvalidVolume.NotFound", "vol-01234567",
			[]string{"VolumeId", "vol-01234567", "InstanceId", o.Running, "Device", "/dev/sdf"}},
		{"an unknown instance", "AttachVolume", "InvalidInstanceID.NotFound", "i-01234567",
			[]string{"VolumeId", o.Spare, "InstanceId", "i-01234567", "Device", "/dev/sdf"}},
		{"no device", "AttachVolume", "MissingParameter", "Device", []string{"VolumeId", o.Spare, "InstanceId", o.Running}},
		{"a device that is none", "AttachVolume", "InvalidParameterValue", "/dev/tty",
			[]string{"VolumeId", o.Spare, "InstanceId", o.Running, "Device", "/dev/tty"}},
		{"a device in use", "AttachVolume", "InvalidParameterValue", "already in use",
			[]string{"VolumeId", o.Spare, "InstanceId", o.Running, "Device", "/dev/xvda"}},
		{"a volume in use", "AttachVolume", "VolumeInUse", o.Volume,
			[]string{"VolumeId", o.Volume, "InstanceId", o.Running, "Device", "/dev/sdf"}},
		{"another zone", "AttachVolume", "InvalidVolume.ZoneMismatch", far,
			[]string{"VolumeId", far, "InstanceId", o.Running, "Device", "/dev/sdf"}},

		{"not attached", "DetachVolume", "IncorrectState", "available", []string{"VolumeId", o.Spare}},
		{"attached to another", "DetachVolume", "InvalidAttachment.NotFound", o.Stopped,
			[]string{"VolumeId", o.Volume, "InstanceId", o.Stopped}},
		{"the root of a running instance", "DetachVolume", "OperationNotPermitted", "root", []string{"VolumeId", o.Volume}},
		{"in use", "DeleteVolume", "VolumeInUse", o.Running, []string{"VolumeId", o.Volume}},
		{"never there", "DeleteVolume", "InvalidVolume.NotFound", "vol-01234567", []string{"VolumeId", "vol-01234567"}},
		{"malformed", "DeleteVolume", "InvalidVolumeID.Malformed", "vol", []string{"VolumeId", "vol"}},

		{"smaller", "ModifyVolume", "InvalidParameterValue", "smaller", []string{"VolumeId", o.Spare, "Size", "1"}},
		{"nothing", "ModifyVolume", "InvalidParameterCombination", "No attributes", []string{"VolumeId", o.Spare}},
		{"a type that cannot boot", "ModifyVolume", "BootForVolumeTypeUnsupported", "st1",
			[]string{"VolumeId", o.Volume, "VolumeType", "st1", "Size", "200"}},
		{"more than the type takes", "ModifyVolume", "InvalidParameterValue", "maximum is 16384",
			[]string{"VolumeId", o.Spare, "Size", "20000"}},
		{"never modified", "DescribeVolumesModifications", "InvalidVolumeModification.NotFound", o.Spare,
			[]string{"VolumeId.1", o.Spare}},
		{"modified, but not there", "DescribeVolumesModifications", "InvalidVolume.NotFound", "vol-01234567",
			[]string{"VolumeId.1", "vol-01234567"}},
		{"an unknown attribute", "DescribeVolumeAttribute", "InvalidParameterValue", "attribute",
			[]string{"VolumeId", o.Spare, "Attribute", "colour"}},
		{"no attribute", "ModifyVolumeAttribute", "MissingParameter", "AutoEnableIO", []string{"VolumeId", o.Spare}},
	} {
		t.Run(tt.action+": "+tt.name, func(t *testing.T) {
			a := w.Call(tt.action, tt.params...)
			if a.Code != tt.code || !strings.Contains(a.Message, tt.says) {
				t.Errorf("got %s %q, want %s naming %q", a.Code, a.Message, tt.code, tt.says)
			}
		})
	}
}

// TestAVolumesClientToken: a retry answers the volume that it made, changed parameters are refused.
func TestAVolumesClientToken(t *testing.T) {
	w := apitest.New(t)
	send := []string{"AvailabilityZone", "us-east-1a", "Size", "1", "ClientToken", "once"}
	id := w.Must("volumeId", "CreateVolume", send...)
	if again := w.Must("volumeId", "CreateVolume", send...); again != id {
		t.Errorf("the retry made %s, want %s", again, id)
	}
	if a := w.Call("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "2", "ClientToken",
		"once"); a.Code != "IdempotentParameterMismatch" {
		t.Errorf("another size with the same token: %s %s", a.Code, a.Message)
	}
}

// TestVolumeQuotas are refused at once, unlike a launch's.
func TestVolumeQuotas(t *testing.T) {
	w := apitest.New(t)
	w.Edit("quota", "volumes=2", "volume-gib=10")
	id := w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "8")
	w.AwaitVolume(id, "available")
	for name, a := range map[string]apitest.Answer{
		"more GiB than allowed": w.Call("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "3"),
		"growth beyond it":      w.Call("ModifyVolume", "VolumeId", id, "Size", "11"),
	} {
		if a.Code != "VolumeLimitExceeded" {
			t.Errorf("%s: %s %s", name, a.Code, a.Message)
		}
	}
	w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1")
	if a := w.Call("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"); a.Code != "VolumeLimitExceeded" {
		t.Errorf("a third volume: %s %s", a.Code, a.Message)
	}
}

// TestAVolumeComesAndGoes on a running instance and on a stopped one, and leaves no file behind.
func TestAVolumeComesAndGoes(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	for name, instance := range map[string]string{"a running instance": o.Running, "a stopped one": o.Stopped} {
		id := w.Must("volumeId", "CreateVolume", "AvailabilityZone", w.ZoneOf(instance), "Size", "1", "VolumeType",
			"gp3", "ClientToken", "terraform-"+instance)
		w.AwaitVolume(id, "available")
		mine := []string{
			"VolumeId.1", id, "Filter.1.Name", "attachment.device", "Filter.1.Value.1", "/dev/sdh", "Filter.2.Name",
			"attachment.instance-id", "Filter.2.Value.1", instance,
		}
		if a := w.Call("DescribeVolumes", mine...); a.Status != 200 || strings.Contains(a.Body, "<volumeId>") {
			t.Errorf("%s: before the attachment, its description is %d %s; want an empty one", name, a.Status, a.Body)
		}
		a := w.Call("AttachVolume", "VolumeId", id, "InstanceId", instance, "Device", "/dev/sdh")
		if apitest.First(a.Body, "status") != "attaching" || apitest.First(a.Body, "device") != "/dev/sdh" ||
			apitest.First(a.Body, "volumeId") != id || apitest.First(a.Body, "instanceId") != instance {
			t.Errorf("%s: AttachVolume answers %s", name, a.Body)
		}
		w.AwaitVolume(id, "in-use")
		w.Eventually("it is attached", func() bool {
			return strings.Contains(w.Call("DescribeVolumes", mine...).Body, "<status>attached</status>")
		})
		if body := w.Call("DescribeInstances", "InstanceId.1", instance).Body; !strings.Contains(body, id) {
			t.Errorf("%s: its mapping does not show %s", name, id)
		}
		if a := w.Call("DeleteVolume", "VolumeId", id); a.Code != "VolumeInUse" {
			t.Errorf("%s: DeleteVolume while attached: %s", name, a.Code)
		}
		a = w.Call("DetachVolume", "VolumeId", id, "InstanceId", instance, "Device", "/dev/sdh")
		if apitest.First(a.Body, "status") != "detaching" {
			t.Errorf("%s: DetachVolume answers %s", name, a.Body)
		}
		w.AwaitVolume(id, "available")
		if body := w.Call("DescribeInstances", "InstanceId.1", instance).Body; strings.Contains(body, id) {
			t.Errorf("%s: its mapping still shows %s", name, id)
		}
		w.Must("return", "DeleteVolume", "VolumeId", id)
		w.AwaitVolume(id, "")
		if slices.Contains(w.Files(), slipway.VolumeID(id)) {
			t.Errorf("%s: the file of %s outlived it", name, id)
		}
	}
}

// TestAttachmentLimits: neither more than the type takes nor more than a machine has room for.
func TestAttachmentLimits(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	attach := func(instance, device string) apitest.Answer {
		id := w.Must("volumeId", "CreateVolume", "AvailabilityZone", w.ZoneOf(instance), "Size", "1")
		w.AwaitVolume(id, "available")
		return w.Call("AttachVolume", "VolumeId", id, "InstanceId", instance, "Device", device)
	}
	limit := int(slipway.FindInstanceType("t3.micro").MaxAttachments)
	limit = min(limit, slipway.MachineSlots-1) // less its interface
	for i := range limit - 1 {
		if a := attach(o.Stopped, "/dev/xvdb"+string(rune('a'+i%26))+strings.Repeat("1", i/26)); a.Status != 200 {
			t.Fatalf("volume %d of %d: %s %s", i+2, limit, a.Code, a.Message)
		}
	}
	if a := attach(o.Stopped, "/dev/sdz"); a.Code != "AttachmentLimitExceeded" {
		t.Errorf("one volume more than %d: %s %s", limit, a.Code, a.Message)
	}
	eni := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId",
		w.Must("subnetId", "DescribeInstances", "InstanceId.1", o.Stopped))
	if limit == slipway.MachineSlots-1 {
		if a := w.Call("AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", o.Stopped, "DeviceIndex",
			"1"); a.Code != "AttachmentLimitExceeded" {
			t.Errorf("an interface where volumes have all the room: %s %s", a.Code, a.Message)
		}
	}
	launch := []string{"ImageId", o.Image, "InstanceType", "t2.micro", "MinCount", "1", "MaxCount", "1", "DryRun", "true"}
	for i := range slipway.MachineSlots {
		at := "BlockDeviceMapping." + strconv.Itoa(i+1)
		launch = append(launch, at+".DeviceName", "/dev/xvd"+string(rune('b'+i/26))+string(rune('a'+i%26)),
			at+".Ebs.VolumeSize", "1")
	}
	if a := w.Call("RunInstances", launch...); a.Code != "AttachmentLimitExceeded" {
		t.Errorf("a launch with %d volumes and a root: %s %s", slipway.MachineSlots, a.Code, a.Message)
	}
}

// TestARootGoesAndComesBack: an instance without its root cannot start; with it again it can.
func TestARootGoesAndComesBack(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Must("status", "DetachVolume", "VolumeId", o.Idle)
	if a := w.Call("StartInstances", "InstanceId.1", o.Stopped); a.Code != "IncorrectInstanceState" ||
		!strings.Contains(a.Message, "/dev/xvda") {
		t.Errorf("a start without a root: %s %s", a.Code, a.Message)
	}
	w.Must("status", "AttachVolume", "VolumeId", o.Idle, "InstanceId", o.Stopped, "Device", "/dev/xvda")
	w.Must("instanceId", "StartInstances", "InstanceId.1", o.Stopped)
	w.Await(o.Stopped, "running")
}

// TestAVolumeGrows while it is attached and while it is not; the type's own figures come with a new type.
func TestAVolumeGrows(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	for _, tt := range []struct {
		name, id string
		send     []string
		want     map[string]string
	}{
		{"a spare one", o.Spare, []string{"Size", "5"},
			map[string]string{"targetSize": "5", "originalSize": "2", "targetIops": "100", "targetVolumeType": "gp2"}},
		{"the root of a running instance", o.Volume, []string{"Size", "3"}, map[string]string{"targetSize": "3"}},
		{"another type", o.Spare, []string{"VolumeType", "gp3"},
			map[string]string{
				"targetVolumeType": "gp3", "targetIops": "3000", "targetThroughput": "125", "originalVolumeType": "gp2",
			}},
		{"what stays given", o.Spare, []string{"Size", "10", "Iops", "3500"},
			map[string]string{"targetIops": "3500", "targetThroughput": "125"}},
		{"io2 begins with 3000", o.Spare, []string{"VolumeType", "io2"},
			map[string]string{"targetIops": "3000", "targetThroughput": ""}},
	} {
		a := w.Call("ModifyVolume", append([]string{"VolumeId", tt.id}, tt.send...)...)
		if a.Status != 200 || apitest.First(a.Body, "modificationState") != "modifying" {
			t.Errorf("%s: %s %s", tt.name, a.Code, a.Body)
			continue
		}
		for element, want := range tt.want {
			if got := apitest.First(a.Body, element); got != want {
				t.Errorf("%s: %s = %q, want %q", tt.name, element, got, want)
			}
		}
		w.Eventually(tt.name+" is modified", func() bool {
			return w.Must("modificationState", "DescribeVolumesModifications", "VolumeId.1", tt.id) == "completed"
		})
	}
	if got := w.Must("size", "DescribeVolumes", "VolumeId.1", o.Spare); got != "10" {
		t.Errorf("it has %s GiB, want 10", got)
	}
}

func TestAVolumesStatusAndAttribute(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	if a := w.Call("DescribeVolumeStatus", "VolumeId.1",
		o.Volume); apitest.First(apitest.First(a.Body, "volumeStatus"), "status") != "ok" &&
		!strings.Contains(a.Body, "<status>ok</status>") || !strings.Contains(a.Body, "<name>io-enabled</name>") {
		t.Errorf("DescribeVolumeStatus: %s", a.Body)
	}
	w.Must("return", "ModifyVolumeAttribute", "VolumeId", o.Volume, "AutoEnableIO.Value", "true")
	if got := w.Must("value", "DescribeVolumeAttribute", "VolumeId", o.Volume, "Attribute", "autoEnableIO"); got != "true" {
		t.Errorf("autoEnableIO = %q, want true", got)
	}
	w.Must("return", "EnableVolumeIO", "VolumeId", o.Volume)
}

// TestVolumeFilters: each name is taken, and finds nothing by a value that nothing has.
func TestVolumeFilters(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Must("modificationState", "ModifyVolume", "VolumeId", o.Spare, "Size", "4")
	for action, names := range map[string][]string{
		"DescribeVolumes": {"attachment.attach-time", "attachment.delete-on-termination", "attachment.device",
			"attachment.instance-id", "attachment.status",
			"availability-zone", "availability-zone-id", "create-time", "encrypted", "fast-restored",
			"multi-attach-enabled", "operator.managed", "operator.principal",
			"size", "snapshot-id", "status", "tag:Name", "tag-key", "volume-id", "volume-type"},
		"DescribeVolumeStatus": {"action.code", "action.description", "action.event-id", "availability-zone",
			"availability-zone-id", "event.description", "event.event-id",
			"event.event-type", "event.not-after", "event.not-before", "operator.managed", "operator.principal",
			"volume-status.details-name", "volume-status.details-status", "volume-status.status"},
		"DescribeVolumesModifications": {"modification-state", "original-iops", "original-multi-attach-enabled",
			"original-size", "original-volume-type", "start-time",
			"target-iops", "target-multi-attach-enabled", "target-size", "target-volume-type", "volume-id"},
	} {
		for _, name := range names {
			if a := w.Call(action, "Filter.1.Name", name, "Filter.1.Value.1", "no such thing"); a.Status != 200 ||
				strings.Contains(a.Body, "<volumeId>") {
				t.Errorf("%s %s: %s %s %s", action, name, a.Code, a.Message, a.Body)
			}
		}
	}
}
