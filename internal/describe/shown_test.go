package describe_test

import (
	"slices"
	"testing"
	"time"

	"slipway/internal/describe"
	"slipway/internal/ec2wire"
)

// TestShownReadsMembers: by their names in the singular, through lists, by a path, or by several.
func TestShownReadsMembers(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := &ec2wire.Volume{
		VolumeId: new("vol-1"), Size: new(int32(7)), Encrypted: new(false), CreateTime: &at,
		Attachments: []ec2wire.VolumeAttachment{{Device: new("/dev/a")}, {Device: new("/dev/b")}, {}},
	}
	fields := describe.Shown[ec2wire.Volume]("volume-id", "size", "encrypted", "create-time", "attachment.device",
		"iops", "any=VolumeId|Attachments.Device")
	for name, want := range map[string][]string{
		"volume-id": {"vol-1"}, "size": {"7"}, "encrypted": {"false"}, "create-time": {"2026-01-02T03:04:05.000Z"},
		"attachment.device": {"/dev/a", "/dev/b"}, "iops": nil, "any": {"vol-1", "/dev/a", "/dev/b"},
	} {
		if got := fields[name](v); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a name that leads nowhere is taken")
		}
	}()
	describe.Shown[ec2wire.Volume]("colour")
}
