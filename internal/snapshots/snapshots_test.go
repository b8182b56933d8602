package snapshots_test

import (
	"slices"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
)

// TestASnapshotsLife: pending at once, completed when its host has copied; of a spare volume, a running and a stopped
// instance's.
func TestASnapshotsLife(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	for name, volume := range map[string]string{
		"a spare volume": o.Spare, "a running instance's": o.Volume, "a stopped one's": o.Idle,
	} {
		a := w.Call("CreateSnapshot", "VolumeId", volume, "Description", "nightly", "TagSpecification.1.ResourceType",
			"snapshot",
			"TagSpecification.1.Tag.1.Key", "CSIVolumeSnapshotName", "TagSpecification.1.Tag.1.Value", name)
		id := apitest.First(a.Body, "snapshotId")
		for element, want := range map[string]string{
			"status": "pending", "progress": "0%", "volumeId": volume, "ownerId": w.Keys.Account,
			"description": "nightly", "encrypted": "false",
		} {
			if got := apitest.First(a.Body, element); got != want {
				t.Errorf("%s: %s = %q, want %q", name, element, got, want)
			}
		}
		w.AwaitSnapshot(id, "completed")
		a = w.Call("DescribeSnapshots", "Filter.1.Name", "tag:CSIVolumeSnapshotName", "Filter.1.Value.1", name,
			"Owner.1", "self")
		if apitest.First(a.Body, "snapshotId") != id || apitest.First(a.Body, "progress") != "100%" {
			t.Errorf("%s: found by its tag: %s", name, a.Body)
		}
		if !slices.Contains(w.Kept(), slipway.SnapshotID(id)) {
			t.Errorf("%s: %s is completed and its host has no file", name, id)
		}
		copied := w.Must("volumeId", "CreateVolume", "AvailabilityZone", w.ZoneOf(o.Running), "SnapshotId", id)
		w.AwaitVolume(copied, "available")
		w.Must("return", "DeleteSnapshot", "SnapshotId", id)
		if a := w.Call("DescribeSnapshots", "SnapshotId.1", id); a.Code != "InvalidSnapshot.NotFound" {
			t.Errorf("%s: deleted, it is described: %s", name, a.Body)
		}
		w.Eventually("the file of "+id+" is gone", func() bool { return !slices.Contains(w.Kept(), slipway.SnapshotID(id)) })
		if got := w.Must("snapshotId", "DescribeVolumes", "VolumeId.1", copied); got != id {
			t.Errorf("%s: its copy says it is of %q, want %s still", name, got, id)
		}
	}
}

// TestASnapshotOutlivesItsVolume: what is deleted while a snapshot of it is being made goes only afterwards.
func TestASnapshotOutlivesItsVolume(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	spare := w.Must("snapshotId", "CreateSnapshot", "VolumeId", o.Spare)
	w.Must("return", "DeleteVolume", "VolumeId", o.Spare)
	root := w.Must("snapshotId", "CreateSnapshot", "VolumeId", o.Volume)
	w.Must("instanceId", "TerminateInstances", "InstanceId.1", o.Running)
	w.AwaitSnapshot(spare, "completed")
	w.AwaitSnapshot(root, "completed")
	w.AwaitVolume(o.Spare, "")
	w.Await(o.Running, "terminated")
	w.AwaitVolume(o.Volume, "")
	w.Eventually("no file is left of either", func() bool {
		return !slices.ContainsFunc(w.Files(), func(id slipway.VolumeID) bool {
			return string(id) == o.Spare || string(id) == o.Volume
		})
	})
}

// TestAVolumeOutlivesItsSnapshot that was deleted before its host had made the volume.
func TestAVolumeOutlivesItsSnapshot(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	var made []string
	for range 20 {
		made = append(made, w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", o.Snapshot))
	}
	w.Must("return", "DeleteSnapshot", "SnapshotId", o.Snapshot)
	for _, id := range made {
		w.AwaitVolume(id, "available")
	}
	w.Eventually("the snapshot's file is gone", func() bool {
		return !slices.Contains(w.Kept(), slipway.SnapshotID(o.Snapshot))
	})
}

func TestSnapshotsOfAnInstance(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Must("status", "AttachVolume", "VolumeId", o.Spare, "InstanceId", o.Running, "Device", "/dev/sdf")
	w.Must("return", "CreateTags", "ResourceId.1", o.Spare, "Tag.1.Key", "role", "Tag.1.Value", "data")
	of := func(more ...string) apitest.Answer {
		return w.Call("CreateSnapshots", append([]string{"InstanceSpecification.InstanceId", o.Running}, more...)...)
	}
	if n := strings.Count(of("Description", "both").Body, "<snapshotId>"); n != 2 {
		t.Errorf("%d snapshots of an instance with two volumes", n)
	}
	a := of("InstanceSpecification.ExcludeBootVolume", "true", "CopyTagsFromSource", "volume")
	if strings.Count(a.Body, "<snapshotId>") != 1 || apitest.First(a.Body, "volumeId") != o.Spare ||
		apitest.First(a.Body, "value") != "data" {
		t.Errorf("without the boot volume, with the volume's tags: %s", a.Body)
	}
	if a := of("InstanceSpecification.ExcludeDataVolumeId.1", o.Spare); strings.Count(a.Body, "<snapshotId>") != 1 ||
		apitest.First(a.Body, "volumeId") != o.Volume {
		t.Errorf("without the data volume: %s", a.Body)
	}
	if a := of("InstanceSpecification.ExcludeDataVolumeId.1", o.Volume); a.Code != "InvalidParameterValue" {
		t.Errorf("the boot volume is no data volume: %s %s", a.Code, a.Message)
	}
}

// TestSnapshotCopies: in the same region and from another, plain and encrypted.
func TestSnapshotCopies(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	for name, tt := range map[string]struct {
		more      []string
		encrypted string
	}{
		"plain":     {nil, "false"},
		"encrypted": {[]string{"Encrypted", "true"}, "true"},
		"by a key":  {[]string{"KmsKeyId", "alias/mine", "Encrypted", "true"}, "true"},
	} {
		id := w.Must("snapshotId", "CopySnapshot",
			append([]string{
				"SourceRegion", "us-east-1", "SourceSnapshotId", o.Snapshot, "DestinationRegion", "us-east-1",
				"PresignedUrl", "http://x/",
			}, tt.more...)...)
		w.AwaitSnapshot(id, "completed")
		if got := w.Must("encrypted", "DescribeSnapshots", "SnapshotId.1", id); got != tt.encrypted {
			t.Errorf("%s: encrypted = %q, want %q", name, got, tt.encrypted)
		}
		v := w.Call("CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", id)
		if apitest.First(v.Body, "encrypted") != tt.encrypted {
			t.Errorf("%s: a volume of it: %s", name, v.Body)
		}
		if tt.encrypted == "true" {
			if a := w.Call("CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", id, "Encrypted",
				"false"); a.Code != "InvalidParameterValue" {
				t.Errorf("%s: decrypted by a volume: %s %s", name, a.Code, a.Message)
			}
			if a := w.Call("ModifySnapshotAttribute", "SnapshotId", id, "CreateVolumePermission.Add.1.Group",
				"all"); a.Code != "OperationNotPermitted" {
				t.Errorf("%s: shared with all: %s %s", name, a.Code, a.Message)
			}
		}
	}
}

// TestSharedSnapshots are used by those they are shared with and changed by their owner alone.
func TestSharedSnapshots(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	other := w.As(slipway.Account{Name: "other"})
	see := func() bool { return other.Call("DescribeSnapshots", "SnapshotId.1", o.Snapshot).Status == 200 }
	if see() {
		t.Error("a private snapshot is seen by another account")
	}
	for _, tt := range []struct {
		name         string
		send         []string
		sees, public bool
	}{
		{"shared with it",
			[]string{"Attribute", "createVolumePermission", "CreateVolumePermission.Add.1.UserId", other.Keys.Account},
			true, false},
		{"no longer", []string{"CreateVolumePermission.Remove.1.UserId", other.Keys.Account}, false, false},
		{"by the older form",
			[]string{"Attribute", "createVolumePermission", "OperationType", "add", "UserId.1", other.Keys.Account},
			true, false},
		{"no longer, by the older form", []string{"OperationType", "remove", "UserId.1", other.Keys.Account}, false, false},
		{"with all", []string{"OperationType", "add", "UserGroup.1", "all"}, true, true},
	} {
		w.Must("return", "ModifySnapshotAttribute", append([]string{"SnapshotId", o.Snapshot}, tt.send...)...)
		if got := see(); got != tt.sees {
			t.Errorf("%s: seen is %v, want %v", tt.name, got, tt.sees)
		}
		if got := strings.Contains(w.Call("DescribeSnapshots", "RestorableBy.1", "all", "Owner.1", "self").Body,
			o.Snapshot); got != tt.public {
			t.Errorf("%s: restorable by all is %v, want %v", tt.name, got, tt.public)
		}
	}
	if a := other.Call("DeleteSnapshot", "SnapshotId", o.Snapshot); a.Code != "AuthFailure" {
		t.Errorf("deleted by who may only use it: %s %s", a.Code, a.Message)
	}
	other.Must("return", "CreateTags", "ResourceId.1", o.Snapshot, "Tag.1.Key", "mine", "Tag.1.Value", "yes")
	if got := other.Must("key", "DescribeSnapshots", "SnapshotId.1", o.Snapshot); got != "mine" {
		t.Errorf("its own tag on another's snapshot: %q", got)
	}
	if got := w.Must("key", "DescribeSnapshots", "SnapshotId.1", o.Snapshot); got != "" {
		t.Errorf("the owner sees another's tag %q", got)
	}
	w.Must("return", "ResetSnapshotAttribute", "SnapshotId", o.Snapshot, "Attribute", "createVolumePermission")
	if see() {
		t.Error("reset, it is still shared")
	}
}

func TestSnapshotRefusals(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	system := w.Must("snapshotId", "DescribeImages", "ImageId.1", o.Image)
	for _, tt := range []struct {
		name, action, code string
		params             []string
	}{
		{"no volume", "CreateSnapshot", "MissingParameter", nil},
		{"an unknown volume", "CreateSnapshot", "InvalidVolume.NotFound", []string{"VolumeId", "vol-01234567"}},
		{"an Outpost", "CreateSnapshot", "UnsupportedOperation", []string{"VolumeId", o.Spare, "OutpostArn", "arn:x"}},
		{"an unknown snapshot", "DeleteSnapshot", "InvalidSnapshot.NotFound", []string{"SnapshotId", "snap-01234567"}},
		{"a malformed one", "DeleteSnapshot", "InvalidSnapshotID.Malformed", []string{"SnapshotId", "vol-01234567"}},
		{"the system's", "DeleteSnapshot", "AuthFailure", []string{"SnapshotId", system}},
		{"a region that is none", "CopySnapshot", "InvalidParameterValue",
			[]string{"SourceRegion", "mars-north-1", "SourceSnapshotId", o.Snapshot}},
		{"not in that region", "CopySnapshot", "InvalidSnapshot.NotFound",
			[]string{"SourceRegion", "eu-west-1", "SourceSnapshotId", o.Snapshot}},
		{"a duration", "CopySnapshot", "UnsupportedOperation",
			[]string{"SourceRegion", "us-east-1", "SourceSnapshotId", o.Snapshot, "CompletionDurationMinutes", "15"}},
		{"an account that is none", "ModifySnapshotAttribute", "InvalidParameterValue",
			[]string{"SnapshotId", o.Snapshot, "CreateVolumePermission.Add.1.UserId", "me"}},
		{"a group that is none", "ModifySnapshotAttribute", "InvalidParameterValue",
			[]string{"SnapshotId", o.Snapshot, "UserGroup.1", "some", "OperationType", "add"}},
		{"nothing to modify", "ModifySnapshotAttribute", "MissingParameter", []string{"SnapshotId", o.Snapshot}},
		{"a tag of something else", "CreateSnapshot", "InvalidParameterValue",
			[]string{"VolumeId", o.Spare, "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "a"}},
	} {
		if a := w.Call(tt.action, tt.params...); a.Code != tt.code {
			t.Errorf("%s, %s: %s %q, want %s", tt.action, tt.name, a.Code, a.Message, tt.code)
		}
	}
	for _, name := range []string{
		"description", "encrypted", "owner-alias", "owner-id", "progress", "snapshot-id", "start-time", "status",
		"storage-tier", "tag:Name", "tag-key", "transfer-type", "volume-id", "volume-size",
	} {
		if a := w.Call("DescribeSnapshots", "Filter.1.Name", name, "Filter.1.Value.1",
			"no such thing"); a.Status != 200 || strings.Contains(a.Body, "<snapshotId>") {
			t.Errorf("the filter %s: %s %s", name, a.Code, a.Body)
		}
	}
	a := w.Call("DescribeSnapshots", "Owner.1", "amazon")
	if !strings.Contains(a.Body, system) || strings.Contains(a.Body, o.Snapshot) {
		t.Errorf("amazon's snapshots: %s", a.Body)
	}
}
