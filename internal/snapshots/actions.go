package snapshots

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateSnapshot": action.Do(s.Create).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateSnapshotRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "snapshot"),
			action.One("volume", func(in *ec2wire.CreateSnapshotRequest) *string { return in.VolumeId }),
		),
		"CreateSnapshots": action.Do(s.CreateAll).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateSnapshotsRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "snapshot"),
			ofInstance,
		),
		"CopySnapshot": action.Do(s.Copy).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CopySnapshotRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "snapshot"),
			source,
		),
		"DeleteSnapshot": action.Void(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("snapshot", func(in *ec2wire.DeleteSnapshotRequest) *string { return in.SnapshotId })),
		"DescribeSnapshots": action.Read(s.Describe).
			Also(func(in *ec2wire.DescribeSnapshotsRequest) (action.Bucket, int) {
				return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
			}).Filters().On(action.Nothing),
		"DescribeSnapshotAttribute": action.Read(s.Attribute).On(
			action.One("snapshot", func(in *ec2wire.DescribeSnapshotAttributeRequest) *string { return in.SnapshotId })),
		"ModifySnapshotAttribute": action.Void(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("snapshot", func(in *ec2wire.ModifySnapshotAttributeRequest) *string { return in.SnapshotId })),
		"ResetSnapshotAttribute": action.Void(s.Reset).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("snapshot", func(in *ec2wire.ResetSnapshotAttributeRequest) *string { return in.SnapshotId })),
		"GetSnapshotBlockPublicAccessState": action.Read(s.PublicBlock).On(action.Nothing),
		"EnableSnapshotBlockPublicAccess":   action.Do(s.BlockPublic).Bucket(action.Mutating).Repeats(action.NoToken).On(action.Nothing),
		"DisableSnapshotBlockPublicAccess": action.Do(s.UnblockPublic).Bucket(action.Mutating).
			Repeats(action.NoToken).On(action.Nothing),
	}
}
