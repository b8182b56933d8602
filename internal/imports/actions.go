package imports

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"ImportImage": action.Do(s.Image).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.ImportImageRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "import-image-task", "image", "snapshot"),
			disks,
		),
		"ImportSnapshot": action.Do(s.Snapshot).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.ImportSnapshotRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "import-snapshot-task", "snapshot")),
		"DescribeImportImageTasks":    action.Read(s.Images).Filters("tag:<key>", "task-state").On(action.Nothing),
		"DescribeImportSnapshotTasks": action.Read(s.Snapshots).Filters("tag:<key>", "task-state").On(action.Nothing),
		"CancelImportTask": action.Do(s.Cancel).Bucket(action.Mutating).Repeats(action.NoToken).
			On(cancelled),
	}
}
