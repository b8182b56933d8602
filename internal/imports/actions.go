package imports

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"ImportImage":                 action.Do(s.Image).Bucket(action.Mutating).Repeats(action.ByToken),
		"ImportSnapshot":              action.Do(s.Snapshot).Bucket(action.Mutating).Repeats(action.ByToken),
		"DescribeImportImageTasks":    action.Read(s.Images).Filters(imagesFilters...),
		"DescribeImportSnapshotTasks": action.Read(s.Snapshots).Filters(imagesFilters...),
		"CancelImportTask":            action.Do(s.Cancel).Bucket(action.Mutating).Repeats(action.NoToken),
	}
}

// The filters that the descriptions document.
var imagesFilters = []string{
	"tag-key", "tag-value", "tag:<key>", "task-state",
}
