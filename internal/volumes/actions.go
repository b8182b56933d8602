package volumes

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateVolume": action.Do(s.Create).Bucket(action.Frequent).Repeats(action.ByToken).On(
			made,
			action.One("snapshot", func(in *ec2wire.CreateVolumeRequest) *string { return in.SnapshotId }),
		),
		"DeleteVolume": action.Void(s.Delete).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("volume", func(in *ec2wire.DeleteVolumeRequest) *string { return in.VolumeId })),
		"AttachVolume": action.Do(s.Attach).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("volume", func(in *ec2wire.AttachVolumeRequest) *string { return in.VolumeId }),
			action.One("instance", func(in *ec2wire.AttachVolumeRequest) *string { return in.InstanceId }),
		),
		"DetachVolume": action.Do(s.Detach).Bucket(action.Mutating).Repeats(action.NoToken).On(detached),
		"ModifyVolume": action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("volume", func(in *ec2wire.ModifyVolumeRequest) *string { return in.VolumeId })),
		"DescribeVolumes": action.Read(s.Describe).Also(func(in *ec2wire.DescribeVolumesRequest) (action.Bucket, int) {
			return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
		}).Filters().On(action.Nothing),
		"DescribeVolumesModifications": action.Read(s.Modifications).Filters("original-multi-attach-enabled",
			"original-throughput", "target-multi-attach-enabled", "target-throughput").On(action.Nothing),
		"DescribeVolumeStatus": action.Read(s.Status).Filters("availability-zone-id", "operator.managed",
			"operator.principal").On(action.Nothing),
		"DescribeVolumeAttribute": action.Read(s.Attribute).On(
			action.One("volume", func(in *ec2wire.DescribeVolumeAttributeRequest) *string { return in.VolumeId })),
		"ModifyVolumeAttribute": action.Void(s.ModifyAttribute).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("volume", func(in *ec2wire.ModifyVolumeAttributeRequest) *string { return in.VolumeId })),
		"EnableVolumeIO": action.Void(s.EnableIO).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("volume", func(in *ec2wire.EnableVolumeIORequest) *string { return in.VolumeId })),
		"EnableEbsEncryptionByDefault": action.Do(s.EnableEncryption).Bucket(action.Mutating).
			Repeats(action.NoToken).On(action.Nothing),
		"DisableEbsEncryptionByDefault": action.Do(s.DisableEncryption).Bucket(action.Mutating).
			Repeats(action.NoToken).On(action.Nothing),
		"GetEbsEncryptionByDefault": action.Read(s.Encryption).On(action.Nothing),
		"GetEbsDefaultKmsKeyId":     action.Read(s.DefaultKey).On(action.Nothing),
	}
}
