package main

import (
	"errors"
	"slices"
	"slipway/internal/await"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway"
)

// awaitVolume waits until a volume has the status; "" until it is gone.
func (w *wire) awaitVolume(id, status string) {
	w.t.Helper()
	w.eventually(id+" is "+status, func() bool {
		a := w.call("DescribeVolumes", "VolumeId.1", id)
		return status == "" && a.code == "InvalidVolume.NotFound" || status != "" && ownStatus(a.body) == status
	})
}

// ownStatus is a volume's status, which stands behind those of its attachments.
func ownStatus(body string) string {
	if i := strings.Index(body, "</attachmentSet>"); i >= 0 && !strings.Contains(body[i:], "<status>") {
		before, _, _ := strings.Cut(body, "<attachmentSet>")
		return first(before, "status")
	}
	before, after, _ := strings.Cut(body, "<attachmentSet>")
	_, after, _ = strings.Cut(after, "</attachmentSet>")
	return first(before+after, "status")
}

// patience is how long a test waits for what slipway does by itself.
const patience = 20 * time.Second

// eventually waits for a condition.
func (w *wire) eventually(what string, is func() bool) {
	w.t.Helper()
	await.Success(w.t, patience, func() error {
		if !is() {
			return errors.New("it is not so that " + what)
		}
		return nil
	})
}

// zoneOf is an instance's zone.
func (w *wire) zoneOf(id string) string {
	return w.must("availabilityZone", "DescribeInstances", "InstanceId.1", id)
}

// files are the names of the volumes that the host has.
func (w *wire) files() []slipway.VolumeID {
	all, err := w.host.Disks.Volumes(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// TestCreateVolumeCompletes: what is left out is the type's own, and gp2 says what its size gives it.
func TestCreateVolumeCompletes(t *testing.T) {
	w := newWire(t)
	for _, tt := range []struct {
		name string
		send []string
		want map[string]string
	}{
		{"gp2 is the default", []string{"Size", "100"}, map[string]string{"volumeType": "gp2", "iops": "300", "throughput": "", "status": "creating", "encrypted": "false"}},
		{"a small gp2", []string{"Size", "1", "VolumeType", "gp2"}, map[string]string{"iops": "100"}},
		{"gp3", []string{"Size", "1", "VolumeType", "gp3"}, map[string]string{"iops": "3000", "throughput": "125"}},
		{"gp3 that was paid for", []string{"Size", "100", "VolumeType", "gp3", "Iops", "4000", "Throughput", "500"}, map[string]string{"iops": "4000", "throughput": "500"}},
		{"io2", []string{"Size", "10", "VolumeType", "io2", "Iops", "500"}, map[string]string{"iops": "500", "throughput": ""}},
		{"st1 has no iops", []string{"Size", "125", "VolumeType", "st1"}, map[string]string{"iops": "", "size": "125"}},
		{"an encrypted one", []string{"Size", "1", "Encrypted", "true"}, map[string]string{"encrypted": "true"}},
		{"empty members are not given", []string{"Size", "1", "SnapshotId", "", "VolumeType", "", "KmsKeyId", ""}, map[string]string{"volumeType": "gp2", "snapshotId": ""}},
		{"tags", []string{"Size", "1", "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "data"}, map[string]string{"key": "Name", "value": "data"}},
	} {
		a := w.call("CreateVolume", append([]string{"AvailabilityZone", "us-east-1b"}, tt.send...)...)
		if a.status != 200 {
			t.Errorf("%s: %s %s", tt.name, a.code, a.message)
			continue
		}
		for element, want := range tt.want {
			if got := first(a.body, element); got != want {
				t.Errorf("%s: %s = %q, want %q", tt.name, element, got, want)
			}
		}
		id := first(a.body, "volumeId")
		w.awaitVolume(id, "available")
		if !slices.Contains(w.files(), slipway.VolumeID(id)) {
			t.Errorf("%s: %s is available and its host has no file", tt.name, id)
		}
	}
	if got := w.must("availabilityZone", "CreateVolume", "AvailabilityZoneId", "use1-az3", "Size", "1"); got != "us-east-1c" {
		t.Errorf("a zone named by its id is %s, want us-east-1c", got)
	}
}

// TestVolumeRefusals: each says what is wrong by the code that clients branch on.
func TestVolumeRefusals(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	elsewhere := "us-east-1a"
	if w.zoneOf(o.running) == elsewhere {
		elsewhere = "us-east-1b"
	}
	far := w.must("volumeId", "CreateVolume", "AvailabilityZone", elsewhere, "Size", "1")
	w.awaitVolume(far, "available")
	create := func(more ...string) []string { return append([]string{"AvailabilityZone", "us-east-1a"}, more...) }
	for _, tt := range []struct {
		name, action, code, says string
		params                   []string
	}{
		{"no zone", "CreateVolume", "MissingParameter", "AvailabilityZone", []string{"Size", "1"}},
		{"an unknown zone", "CreateVolume", "InvalidZone.NotFound", "us-east-1q", []string{"AvailabilityZone", "us-east-1q", "Size", "1"}},
		{"neither size nor snapshot", "CreateVolume", "MissingParameter", "snapshotId", create()},
		{"an unknown type", "CreateVolume", "UnknownVolumeType", "gp9", create("Size", "1", "VolumeType", "gp9")},
		{"too small", "CreateVolume", "InvalidParameterValue", "125GiB", create("Size", "1", "VolumeType", "sc1")},
		{"too large", "CreateVolume", "InvalidParameterValue", "16384GiB", create("Size", "16385")},
		{"iops that gp2 has not", "CreateVolume", "InvalidParameterCombination", "iops", create("Size", "1", "Iops", "3000")},
		{"io1 without iops", "CreateVolume", "MissingParameter", "iops", create("Size", "10", "VolumeType", "io1")},
		{"the EBS CSI driver asks for the limit", "CreateVolume", "InvalidParameterValue", "Volume iops of 2147483647 is too high; maximum is 80000", create("Size", "4", "VolumeType", "gp3", "Iops", "2147483647", "DryRun", "true")},
		{"more iops than the size carries", "CreateVolume", "InvalidParameterCombination", "maximum is 50", create("Size", "10", "VolumeType", "io1", "Iops", "1000")},
		{"an unknown snapshot", "CreateVolume", "InvalidSnapshot.NotFound", "snap-01234567", create("SnapshotId", "snap-01234567")},
		{"a malformed snapshot", "CreateVolume", "InvalidSnapshotID.Malformed", "snap", create("SnapshotId", "snap")},
		{"a key without encryption", "CreateVolume", "InvalidParameterDependency", "KmsKeyId", create("Size", "1", "KmsKeyId", "alias/mine")},
		{"several machines on one file", "CreateVolume", "UnsupportedOperation", "MultiAttachEnabled", create("Size", "4", "VolumeType", "io2", "Iops", "100", "MultiAttachEnabled", "true")},
		{"an instance's tag", "CreateVolume", "InvalidParameterValue", "'instance' is not a valid taggable resource type", create("Size", "1", "TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "a")},

		{"an unknown volume", "AttachVolume", "InvalidVolume.NotFound", "vol-01234567", []string{"VolumeId", "vol-01234567", "InstanceId", o.running, "Device", "/dev/sdf"}},
		{"an unknown instance", "AttachVolume", "InvalidInstanceID.NotFound", "i-01234567", []string{"VolumeId", o.spare, "InstanceId", "i-01234567", "Device", "/dev/sdf"}},
		{"no device", "AttachVolume", "MissingParameter", "Device", []string{"VolumeId", o.spare, "InstanceId", o.running}},
		{"a device that is none", "AttachVolume", "InvalidParameterValue", "/dev/tty", []string{"VolumeId", o.spare, "InstanceId", o.running, "Device", "/dev/tty"}},
		{"a device in use", "AttachVolume", "InvalidParameterValue", "already in use", []string{"VolumeId", o.spare, "InstanceId", o.running, "Device", "/dev/xvda"}},
		{"a volume in use", "AttachVolume", "VolumeInUse", o.volume, []string{"VolumeId", o.volume, "InstanceId", o.running, "Device", "/dev/sdf"}},
		{"another zone", "AttachVolume", "InvalidVolume.ZoneMismatch", far, []string{"VolumeId", far, "InstanceId", o.running, "Device", "/dev/sdf"}},

		{"not attached", "DetachVolume", "IncorrectState", "available", []string{"VolumeId", o.spare}},
		{"attached to another", "DetachVolume", "InvalidAttachment.NotFound", o.stopped, []string{"VolumeId", o.volume, "InstanceId", o.stopped}},
		{"the root of a running instance", "DetachVolume", "OperationNotPermitted", "root", []string{"VolumeId", o.volume}},
		{"in use", "DeleteVolume", "VolumeInUse", o.running, []string{"VolumeId", o.volume}},
		{"never there", "DeleteVolume", "InvalidVolume.NotFound", "vol-01234567", []string{"VolumeId", "vol-01234567"}},
		{"malformed", "DeleteVolume", "InvalidVolumeID.Malformed", "vol", []string{"VolumeId", "vol"}},

		{"smaller", "ModifyVolume", "InvalidParameterValue", "smaller", []string{"VolumeId", o.spare, "Size", "1"}},
		{"nothing", "ModifyVolume", "InvalidParameterCombination", "No attributes", []string{"VolumeId", o.spare}},
		{"a type that cannot boot", "ModifyVolume", "BootForVolumeTypeUnsupported", "st1", []string{"VolumeId", o.volume, "VolumeType", "st1", "Size", "200"}},
		{"more than the type takes", "ModifyVolume", "InvalidParameterValue", "maximum is 16384", []string{"VolumeId", o.spare, "Size", "20000"}},
		{"never modified", "DescribeVolumesModifications", "InvalidVolumeModification.NotFound", o.spare, []string{"VolumeId.1", o.spare}},
		{"modified, but not there", "DescribeVolumesModifications", "InvalidVolume.NotFound", "vol-01234567", []string{"VolumeId.1", "vol-01234567"}},
		{"an unknown attribute", "DescribeVolumeAttribute", "InvalidParameterValue", "attribute", []string{"VolumeId", o.spare, "Attribute", "colour"}},
		{"no attribute", "ModifyVolumeAttribute", "MissingParameter", "AutoEnableIO", []string{"VolumeId", o.spare}},
	} {
		t.Run(tt.action+": "+tt.name, func(t *testing.T) {
			a := w.call(tt.action, tt.params...)
			if a.code != tt.code || !strings.Contains(a.message, tt.says) {
				t.Errorf("got %s %q, want %s naming %q", a.code, a.message, tt.code, tt.says)
			}
		})
	}
}

// TestAVolumesClientToken: a retry answers the volume that it made, changed parameters are refused.
func TestAVolumesClientToken(t *testing.T) {
	w := newWire(t)
	send := []string{"AvailabilityZone", "us-east-1a", "Size", "1", "ClientToken", "once"}
	id := w.must("volumeId", "CreateVolume", send...)
	if again := w.must("volumeId", "CreateVolume", send...); again != id {
		t.Errorf("the retry made %s, want %s", again, id)
	}
	if a := w.call("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "2", "ClientToken", "once"); a.code != "IdempotentParameterMismatch" {
		t.Errorf("another size with the same token: %s %s", a.code, a.message)
	}
}

// TestVolumeQuotas are refused at once, unlike a launch's.
func TestVolumeQuotas(t *testing.T) {
	w := newWire(t)
	w.edit("quota", "volumes=2", "volume-gib=10")
	id := w.must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "8")
	w.awaitVolume(id, "available")
	for name, a := range map[string]answer{
		"more GiB than allowed": w.call("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "3"),
		"growth beyond it":      w.call("ModifyVolume", "VolumeId", id, "Size", "11"),
	} {
		if a.code != "VolumeLimitExceeded" {
			t.Errorf("%s: %s %s", name, a.code, a.message)
		}
	}
	w.must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1")
	if a := w.call("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"); a.code != "VolumeLimitExceeded" {
		t.Errorf("a third volume: %s %s", a.code, a.message)
	}
}

// TestAVolumeComesAndGoes on a running instance and on a stopped one, and leaves no file behind.
func TestAVolumeComesAndGoes(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	for name, instance := range map[string]string{"a running instance": o.running, "a stopped one": o.stopped} {
		id := w.must("volumeId", "CreateVolume", "AvailabilityZone", w.zoneOf(instance), "Size", "1", "VolumeType", "gp3", "ClientToken", "terraform-"+instance)
		w.awaitVolume(id, "available")
		mine := []string{"VolumeId.1", id, "Filter.1.Name", "attachment.device", "Filter.1.Value.1", "/dev/sdh", "Filter.2.Name", "attachment.instance-id", "Filter.2.Value.1", instance}
		if a := w.call("DescribeVolumes", mine...); a.status != 200 || strings.Contains(a.body, "<volumeId>") {
			t.Errorf("%s: before the attachment, its description is %d %s; want an empty one", name, a.status, a.body)
		}
		a := w.call("AttachVolume", "VolumeId", id, "InstanceId", instance, "Device", "/dev/sdh")
		if first(a.body, "status") != "attaching" || first(a.body, "device") != "/dev/sdh" || first(a.body, "volumeId") != id || first(a.body, "instanceId") != instance {
			t.Errorf("%s: AttachVolume answers %s", name, a.body)
		}
		w.awaitVolume(id, "in-use")
		w.eventually("it is attached", func() bool {
			return strings.Contains(w.call("DescribeVolumes", mine...).body, "<status>attached</status>")
		})
		if body := w.call("DescribeInstances", "InstanceId.1", instance).body; !strings.Contains(body, id) {
			t.Errorf("%s: its mapping does not show %s", name, id)
		}
		if a := w.call("DeleteVolume", "VolumeId", id); a.code != "VolumeInUse" {
			t.Errorf("%s: DeleteVolume while attached: %s", name, a.code)
		}
		a = w.call("DetachVolume", "VolumeId", id, "InstanceId", instance, "Device", "/dev/sdh")
		if first(a.body, "status") != "detaching" {
			t.Errorf("%s: DetachVolume answers %s", name, a.body)
		}
		w.awaitVolume(id, "available")
		if body := w.call("DescribeInstances", "InstanceId.1", instance).body; strings.Contains(body, id) {
			t.Errorf("%s: its mapping still shows %s", name, id)
		}
		w.must("return", "DeleteVolume", "VolumeId", id)
		w.awaitVolume(id, "")
		if slices.Contains(w.files(), slipway.VolumeID(id)) {
			t.Errorf("%s: the file of %s outlived it", name, id)
		}
	}
}

// TestAttachmentLimits: neither more than the type takes nor more than a machine has room for.
func TestAttachmentLimits(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	attach := func(instance, device string) answer {
		id := w.must("volumeId", "CreateVolume", "AvailabilityZone", w.zoneOf(instance), "Size", "1")
		w.awaitVolume(id, "available")
		return w.call("AttachVolume", "VolumeId", id, "InstanceId", instance, "Device", device)
	}
	limit := int(slipway.FindInstanceType("t3.micro").MaxAttachments)
	limit = min(limit, slipway.MachineSlots-1) // less its interface
	for i := range limit - 1 {
		if a := attach(o.stopped, "/dev/xvdb"+string(rune('a'+i%26))+strings.Repeat("1", i/26)); a.status != 200 {
			t.Fatalf("volume %d of %d: %s %s", i+2, limit, a.code, a.message)
		}
	}
	if a := attach(o.stopped, "/dev/sdz"); a.code != "AttachmentLimitExceeded" {
		t.Errorf("one volume more than %d: %s %s", limit, a.code, a.message)
	}
	eni := w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", w.must("subnetId", "DescribeInstances", "InstanceId.1", o.stopped))
	if limit == slipway.MachineSlots-1 {
		if a := w.call("AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", o.stopped, "DeviceIndex", "1"); a.code != "AttachmentLimitExceeded" {
			t.Errorf("an interface where volumes have all the room: %s %s", a.code, a.message)
		}
	}
	launch := []string{"ImageId", o.image, "InstanceType", "t2.micro", "MinCount", "1", "MaxCount", "1", "DryRun", "true"}
	for i := range slipway.MachineSlots {
		at := "BlockDeviceMapping." + strconv.Itoa(i+1)
		launch = append(launch, at+".DeviceName", "/dev/xvd"+string(rune('b'+i/26))+string(rune('a'+i%26)), at+".Ebs.VolumeSize", "1")
	}
	if a := w.call("RunInstances", launch...); a.code != "AttachmentLimitExceeded" {
		t.Errorf("a launch with %d volumes and a root: %s %s", slipway.MachineSlots, a.code, a.message)
	}
}

// TestARootGoesAndComesBack: an instance without its root cannot start; with it again it can.
func TestARootGoesAndComesBack(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	w.must("status", "DetachVolume", "VolumeId", o.idle)
	if a := w.call("StartInstances", "InstanceId.1", o.stopped); a.code != "IncorrectInstanceState" || !strings.Contains(a.message, "/dev/xvda") {
		t.Errorf("a start without a root: %s %s", a.code, a.message)
	}
	w.must("status", "AttachVolume", "VolumeId", o.idle, "InstanceId", o.stopped, "Device", "/dev/xvda")
	w.must("instanceId", "StartInstances", "InstanceId.1", o.stopped)
	w.await(o.stopped, "running")
}

// TestAVolumeGrows while it is attached and while it is not; the type's own figures come with a new type.
func TestAVolumeGrows(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	for _, tt := range []struct {
		name, id string
		send     []string
		want     map[string]string
	}{
		{"a spare one", o.spare, []string{"Size", "5"}, map[string]string{"targetSize": "5", "originalSize": "2", "targetIops": "100", "targetVolumeType": "gp2"}},
		{"the root of a running instance", o.volume, []string{"Size", "3"}, map[string]string{"targetSize": "3"}},
		{"another type", o.spare, []string{"VolumeType", "gp3"}, map[string]string{"targetVolumeType": "gp3", "targetIops": "3000", "targetThroughput": "125", "originalVolumeType": "gp2"}},
		{"what stays given", o.spare, []string{"Size", "10", "Iops", "3500"}, map[string]string{"targetIops": "3500", "targetThroughput": "125"}},
		{"io2 begins with 3000", o.spare, []string{"VolumeType", "io2"}, map[string]string{"targetIops": "3000", "targetThroughput": ""}},
	} {
		a := w.call("ModifyVolume", append([]string{"VolumeId", tt.id}, tt.send...)...)
		if a.status != 200 || first(a.body, "modificationState") != "modifying" {
			t.Errorf("%s: %s %s", tt.name, a.code, a.body)
			continue
		}
		for element, want := range tt.want {
			if got := first(a.body, element); got != want {
				t.Errorf("%s: %s = %q, want %q", tt.name, element, got, want)
			}
		}
		w.eventually(tt.name+" is modified", func() bool {
			return w.must("modificationState", "DescribeVolumesModifications", "VolumeId.1", tt.id) == "completed"
		})
	}
	if got := w.must("size", "DescribeVolumes", "VolumeId.1", o.spare); got != "10" {
		t.Errorf("it has %s GiB, want 10", got)
	}
}

func TestAVolumesStatusAndAttribute(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	if a := w.call("DescribeVolumeStatus", "VolumeId.1", o.volume); first(first(a.body, "volumeStatus"), "status") != "ok" && !strings.Contains(a.body, "<status>ok</status>") || !strings.Contains(a.body, "<name>io-enabled</name>") {
		t.Errorf("DescribeVolumeStatus: %s", a.body)
	}
	w.must("return", "ModifyVolumeAttribute", "VolumeId", o.volume, "AutoEnableIO.Value", "true")
	if got := w.must("value", "DescribeVolumeAttribute", "VolumeId", o.volume, "Attribute", "autoEnableIO"); got != "true" {
		t.Errorf("autoEnableIO = %q, want true", got)
	}
	w.must("return", "EnableVolumeIO", "VolumeId", o.volume)
}

// TestVolumeFilters: each name is taken, and finds nothing by a value that nothing has.
func TestVolumeFilters(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	w.must("modificationState", "ModifyVolume", "VolumeId", o.spare, "Size", "4")
	for action, names := range map[string][]string{
		"DescribeVolumes": {"attachment.attach-time", "attachment.delete-on-termination", "attachment.device", "attachment.instance-id", "attachment.status",
			"availability-zone", "availability-zone-id", "create-time", "encrypted", "fast-restored", "multi-attach-enabled", "operator.managed", "operator.principal",
			"size", "snapshot-id", "status", "tag:Name", "tag-key", "volume-id", "volume-type"},
		"DescribeVolumeStatus": {"action.code", "action.description", "action.event-id", "availability-zone", "availability-zone-id", "event.description", "event.event-id",
			"event.event-type", "event.not-after", "event.not-before", "operator.managed", "operator.principal", "volume-status.details-name", "volume-status.details-status", "volume-status.status"},
		"DescribeVolumesModifications": {"modification-state", "original-iops", "original-multi-attach-enabled", "original-size", "original-volume-type", "start-time",
			"target-iops", "target-multi-attach-enabled", "target-size", "target-volume-type", "volume-id"},
	} {
		for _, name := range names {
			if a := w.call(action, "Filter.1.Name", name, "Filter.1.Value.1", "no such thing"); a.status != 200 || strings.Contains(a.body, "<volumeId>") {
				t.Errorf("%s %s: %s %s %s", action, name, a.code, a.message, a.body)
			}
		}
	}
}
