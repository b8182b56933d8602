package controlplane_test

import (
	"testing"

	"slipway/internal/apitest"
)

// TestEncryptedIsWithAKey: whatever is encrypted shows the key that does it, the account's own where none was named.
func TestEncryptedIsWithAKey(t *testing.T) {
	w := apitest.New(t)
	own := "arn:aws:kms:us-east-1:" + w.Keys.Account + ":alias/aws/ebs"
	for named, want := range map[string]string{"": own, "alias/mine": "alias/mine"} {
		volume := w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1", "Encrypted", "true", "KmsKeyId",
			named)
		w.Eventually("the volume "+volume+" is made", func() bool {
			return w.Must("status", "DescribeVolumes", "VolumeId.1", volume) == "available"
		})
		snapshot := w.Must("snapshotId", "CreateSnapshot", "VolumeId", volume)
		for what, body := range map[string]string{
			"volume":   w.Call("DescribeVolumes", "VolumeId.1", volume).Body,
			"snapshot": w.Call("DescribeSnapshots", "SnapshotId.1", snapshot).Body,
		} {
			if got := apitest.First(body, "kmsKeyId"); got != want {
				t.Errorf("a %s by %q shows the key %q, want %q", what, named, got, want)
			}
		}
	}
	apitest.Lacks(t, w.Call("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1").Body, "kmsKeyId")
}
