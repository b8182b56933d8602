package main

import (
	"slices"
	"strings"
	"testing"

	"slipway"
)

// awaitSnapshot waits until a snapshot has the status.
func (w *wire) awaitSnapshot(id, status string) {
	w.t.Helper()
	w.eventually(id+" is "+status, func() bool { return w.must("status", "DescribeSnapshots", "SnapshotId.1", id) == status })
}

// kept are the snapshots whose files the host has.
func (w *wire) kept() []slipway.SnapshotID {
	all, err := w.host.Disks.Snapshots(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// TestASnapshotsLife: pending at once, completed when its host has copied; of a spare volume, a running and a stopped instance's.
func TestASnapshotsLife(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	for name, volume := range map[string]string{"a spare volume": o.spare, "a running instance's": o.volume, "a stopped one's": o.idle} {
		a := w.call("CreateSnapshot", "VolumeId", volume, "Description", "nightly", "TagSpecification.1.ResourceType", "snapshot",
			"TagSpecification.1.Tag.1.Key", "CSIVolumeSnapshotName", "TagSpecification.1.Tag.1.Value", name)
		id := first(a.body, "snapshotId")
		for element, want := range map[string]string{"status": "pending", "progress": "0%", "volumeId": volume, "ownerId": w.keys.Account, "description": "nightly", "encrypted": "false"} {
			if got := first(a.body, element); got != want {
				t.Errorf("%s: %s = %q, want %q", name, element, got, want)
			}
		}
		w.awaitSnapshot(id, "completed")
		a = w.call("DescribeSnapshots", "Filter.1.Name", "tag:CSIVolumeSnapshotName", "Filter.1.Value.1", name, "Owner.1", "self")
		if first(a.body, "snapshotId") != id || first(a.body, "progress") != "100%" {
			t.Errorf("%s: found by its tag: %s", name, a.body)
		}
		if !slices.Contains(w.kept(), slipway.SnapshotID(id)) {
			t.Errorf("%s: %s is completed and its host has no file", name, id)
		}
		copied := w.must("volumeId", "CreateVolume", "AvailabilityZone", w.zoneOf(o.running), "SnapshotId", id)
		w.awaitVolume(copied, "available")
		w.must("return", "DeleteSnapshot", "SnapshotId", id)
		if a := w.call("DescribeSnapshots", "SnapshotId.1", id); a.code != "InvalidSnapshot.NotFound" {
			t.Errorf("%s: deleted, it is described: %s", name, a.body)
		}
		w.eventually("the file of "+id+" is gone", func() bool { return !slices.Contains(w.kept(), slipway.SnapshotID(id)) })
		if got := w.must("snapshotId", "DescribeVolumes", "VolumeId.1", copied); got != id {
			t.Errorf("%s: its copy says it is of %q, want %s still", name, got, id)
		}
	}
}

// TestASnapshotOutlivesItsVolume: what is deleted while a snapshot of it is being made goes only afterwards.
func TestASnapshotOutlivesItsVolume(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	spare := w.must("snapshotId", "CreateSnapshot", "VolumeId", o.spare)
	w.must("return", "DeleteVolume", "VolumeId", o.spare)
	root := w.must("snapshotId", "CreateSnapshot", "VolumeId", o.volume)
	w.must("instanceId", "TerminateInstances", "InstanceId.1", o.running)
	w.awaitSnapshot(spare, "completed")
	w.awaitSnapshot(root, "completed")
	w.awaitVolume(o.spare, "")
	w.await(o.running, "terminated")
	w.awaitVolume(o.volume, "")
	w.eventually("no file is left of either", func() bool {
		return !slices.ContainsFunc(w.files(), func(id slipway.VolumeID) bool { return string(id) == o.spare || string(id) == o.volume })
	})
}

// TestAVolumeOutlivesItsSnapshot that was deleted before its host had made the volume.
func TestAVolumeOutlivesItsSnapshot(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	var made []string
	for range 20 {
		made = append(made, w.must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", o.snapshot))
	}
	w.must("return", "DeleteSnapshot", "SnapshotId", o.snapshot)
	for _, id := range made {
		w.awaitVolume(id, "available")
	}
	w.eventually("the snapshot's file is gone", func() bool { return !slices.Contains(w.kept(), slipway.SnapshotID(o.snapshot)) })
}

func TestSnapshotsOfAnInstance(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	w.must("status", "AttachVolume", "VolumeId", o.spare, "InstanceId", o.running, "Device", "/dev/sdf")
	w.must("return", "CreateTags", "ResourceId.1", o.spare, "Tag.1.Key", "role", "Tag.1.Value", "data")
	of := func(more ...string) answer {
		return w.call("CreateSnapshots", append([]string{"InstanceSpecification.InstanceId", o.running}, more...)...)
	}
	if n := strings.Count(of("Description", "both").body, "<snapshotId>"); n != 2 {
		t.Errorf("%d snapshots of an instance with two volumes", n)
	}
	a := of("InstanceSpecification.ExcludeBootVolume", "true", "CopyTagsFromSource", "volume")
	if strings.Count(a.body, "<snapshotId>") != 1 || first(a.body, "volumeId") != o.spare || first(a.body, "value") != "data" {
		t.Errorf("without the boot volume, with the volume's tags: %s", a.body)
	}
	if a := of("InstanceSpecification.ExcludeDataVolumeId.1", o.spare); strings.Count(a.body, "<snapshotId>") != 1 || first(a.body, "volumeId") != o.volume {
		t.Errorf("without the data volume: %s", a.body)
	}
	if a := of("InstanceSpecification.ExcludeDataVolumeId.1", o.volume); a.code != "InvalidParameterValue" {
		t.Errorf("the boot volume is no data volume: %s %s", a.code, a.message)
	}
}

// TestSnapshotCopies: in the same region and from another, plain and encrypted.
func TestSnapshotCopies(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	for name, tt := range map[string]struct {
		more      []string
		encrypted string
	}{
		"plain":     {nil, "false"},
		"encrypted": {[]string{"Encrypted", "true"}, "true"},
		"by a key":  {[]string{"KmsKeyId", "alias/mine"}, "true"},
	} {
		id := w.must("snapshotId", "CopySnapshot", append([]string{"SourceRegion", "us-east-1", "SourceSnapshotId", o.snapshot, "DestinationRegion", "us-east-1", "PresignedUrl", "http://x/"}, tt.more...)...)
		w.awaitSnapshot(id, "completed")
		if got := w.must("encrypted", "DescribeSnapshots", "SnapshotId.1", id); got != tt.encrypted {
			t.Errorf("%s: encrypted = %q, want %q", name, got, tt.encrypted)
		}
		v := w.call("CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", id)
		if first(v.body, "encrypted") != tt.encrypted {
			t.Errorf("%s: a volume of it: %s", name, v.body)
		}
		if tt.encrypted == "true" {
			if a := w.call("CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", id, "Encrypted", "false"); a.code != "InvalidParameterValue" {
				t.Errorf("%s: decrypted by a volume: %s %s", name, a.code, a.message)
			}
			if a := w.call("ModifySnapshotAttribute", "SnapshotId", id, "CreateVolumePermission.Add.1.Group", "all"); a.code != "OperationNotPermitted" {
				t.Errorf("%s: shared with all: %s %s", name, a.code, a.message)
			}
		}
	}
}

// TestSharedSnapshots are used by those they are shared with and changed by their owner alone.
func TestSharedSnapshots(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	other := w.as(slipway.Account{Name: "other"})
	see := func() bool { return other.call("DescribeSnapshots", "SnapshotId.1", o.snapshot).status == 200 }
	if see() {
		t.Error("a private snapshot is seen by another account")
	}
	for _, tt := range []struct {
		name         string
		send         []string
		sees, public bool
	}{
		{"shared with it", []string{"Attribute", "createVolumePermission", "CreateVolumePermission.Add.1.UserId", other.keys.Account}, true, false},
		{"no longer", []string{"CreateVolumePermission.Remove.1.UserId", other.keys.Account}, false, false},
		{"by the older form", []string{"Attribute", "createVolumePermission", "OperationType", "add", "UserId.1", other.keys.Account}, true, false},
		{"no longer, by the older form", []string{"OperationType", "remove", "UserId.1", other.keys.Account}, false, false},
		{"with all", []string{"OperationType", "add", "UserGroup.1", "all"}, true, true},
	} {
		w.must("return", "ModifySnapshotAttribute", append([]string{"SnapshotId", o.snapshot}, tt.send...)...)
		if got := see(); got != tt.sees {
			t.Errorf("%s: seen is %v, want %v", tt.name, got, tt.sees)
		}
		if got := strings.Contains(w.call("DescribeSnapshots", "RestorableBy.1", "all", "Owner.1", "self").body, o.snapshot); got != tt.public {
			t.Errorf("%s: restorable by all is %v, want %v", tt.name, got, tt.public)
		}
	}
	if a := other.call("DeleteSnapshot", "SnapshotId", o.snapshot); a.code != "AuthFailure" {
		t.Errorf("deleted by who may only use it: %s %s", a.code, a.message)
	}
	other.must("return", "CreateTags", "ResourceId.1", o.snapshot, "Tag.1.Key", "mine", "Tag.1.Value", "yes")
	if got := other.must("key", "DescribeSnapshots", "SnapshotId.1", o.snapshot); got != "mine" {
		t.Errorf("its own tag on another's snapshot: %q", got)
	}
	if got := w.must("key", "DescribeSnapshots", "SnapshotId.1", o.snapshot); got != "" {
		t.Errorf("the owner sees another's tag %q", got)
	}
	w.must("return", "ResetSnapshotAttribute", "SnapshotId", o.snapshot, "Attribute", "createVolumePermission")
	if see() {
		t.Error("reset, it is still shared")
	}
}

func TestSnapshotRefusals(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	system := w.must("snapshotId", "DescribeImages", "ImageId.1", o.image)
	for _, tt := range []struct {
		name, action, code string
		params             []string
	}{
		{"no volume", "CreateSnapshot", "MissingParameter", nil},
		{"an unknown volume", "CreateSnapshot", "InvalidVolume.NotFound", []string{"VolumeId", "vol-01234567"}},
		{"an Outpost", "CreateSnapshot", "UnsupportedOperation", []string{"VolumeId", o.spare, "OutpostArn", "arn:x"}},
		{"an unknown snapshot", "DeleteSnapshot", "InvalidSnapshot.NotFound", []string{"SnapshotId", "snap-01234567"}},
		{"a malformed one", "DeleteSnapshot", "InvalidSnapshotID.Malformed", []string{"SnapshotId", "vol-01234567"}},
		{"the system's", "DeleteSnapshot", "AuthFailure", []string{"SnapshotId", system}},
		{"a region that is none", "CopySnapshot", "InvalidParameterValue", []string{"SourceRegion", "mars-north-1", "SourceSnapshotId", o.snapshot}},
		{"not in that region", "CopySnapshot", "InvalidSnapshot.NotFound", []string{"SourceRegion", "eu-west-1", "SourceSnapshotId", o.snapshot}},
		{"a duration", "CopySnapshot", "UnsupportedOperation", []string{"SourceRegion", "us-east-1", "SourceSnapshotId", o.snapshot, "CompletionDurationMinutes", "15"}},
		{"an account that is none", "ModifySnapshotAttribute", "InvalidParameterValue", []string{"SnapshotId", o.snapshot, "CreateVolumePermission.Add.1.UserId", "me"}},
		{"a group that is none", "ModifySnapshotAttribute", "InvalidParameterValue", []string{"SnapshotId", o.snapshot, "UserGroup.1", "some", "OperationType", "add"}},
		{"nothing to modify", "ModifySnapshotAttribute", "MissingParameter", []string{"SnapshotId", o.snapshot}},
		{"a tag of something else", "CreateSnapshot", "InvalidParameterValue", []string{"VolumeId", o.spare, "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "a"}},
	} {
		if a := w.call(tt.action, tt.params...); a.code != tt.code {
			t.Errorf("%s, %s: %s %q, want %s", tt.action, tt.name, a.code, a.message, tt.code)
		}
	}
	for _, name := range []string{"description", "encrypted", "owner-alias", "owner-id", "progress", "snapshot-id", "start-time", "status", "storage-tier", "tag:Name", "tag-key", "transfer-type", "volume-id", "volume-size"} {
		if a := w.call("DescribeSnapshots", "Filter.1.Name", name, "Filter.1.Value.1", "no such thing"); a.status != 200 || strings.Contains(a.body, "<snapshotId>") {
			t.Errorf("the filter %s: %s %s", name, a.code, a.body)
		}
	}
	a := w.call("DescribeSnapshots", "Owner.1", "amazon")
	if !strings.Contains(a.body, system) || strings.Contains(a.body, o.snapshot) {
		t.Errorf("amazon's snapshots: %s", a.body)
	}
}

// copied is a completed copy of a snapshot.
func (w *wire) copied(id string) string {
	c := w.must("snapshotId", "CopySnapshot", "SourceRegion", "us-east-1", "SourceSnapshotId", id)
	w.awaitSnapshot(c, "completed")
	return c
}
