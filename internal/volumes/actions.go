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
		}).Filters(documentedFilters...).On(action.Nothing),
		"DescribeVolumesModifications": action.Read(s.Modifications).Filters(modificationsFilters...).On(action.Nothing),
		"DescribeVolumeStatus":         action.Read(s.Status).Filters(statusFilters...).On(action.Nothing),
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

// The filters that the descriptions document.
var documentedFilters = []string{
	"attachment.attach-time", "attachment.delete-on-termination", "attachment.device", "attachment.instance-id",
	"attachment.status", "availability-zone", "availability-zone-id", "create-time", "encrypted", "fast-restored",
	"multi-attach-enabled", "operator.managed", "operator.principal", "size", "snapshot-id", "status", "tag-key",
	"tag-value", "tag:<key>", "volume-id", "volume-type",
}

var modificationsFilters = []string{
	"modification-state", "original-iops", "original-multi-attach-enabled", "original-size",
	"original-throughput", "original-volume-type", "start-time", "target-iops", "target-multi-attach-enabled",
	"target-size", "target-throughput", "target-volume-type", "volume-id",
}

var statusFilters = []string{
	"action.code", "action.description", "action.event-id", "availability-zone", "availability-zone-id",
	"event.description", "event.event-id", "event.event-type", "event.not-after", "event.not-before",
	"operator.managed", "operator.principal", "volume-status.details-name", "volume-status.details-status",
	"volume-status.status",
}
