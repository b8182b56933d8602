package snapshots

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateSnapshot":                    action.Do(s.Create).Bucket(action.Frequent).Repeats(action.NoToken),
		"CreateSnapshots":                   action.Do(s.CreateAll).Bucket(action.Mutating).Repeats(action.NoToken),
		"CopySnapshot":                      action.Do(s.Copy).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteSnapshot":                    action.Void(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeSnapshots":                 action.Read(s.Describe).Filters(documentedFilters...),
		"DescribeSnapshotAttribute":         action.Read(s.Attribute),
		"ModifySnapshotAttribute":           action.Void(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken),
		"ResetSnapshotAttribute":            action.Void(s.Reset).Bucket(action.Mutating).Repeats(action.NoToken),
		"GetSnapshotBlockPublicAccessState": action.Read(s.PublicBlock),
		"EnableSnapshotBlockPublicAccess":   action.Do(s.BlockPublic).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisableSnapshotBlockPublicAccess":  action.Do(s.UnblockPublic).Bucket(action.Mutating).Repeats(action.NoToken),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"description", "encrypted", "owner-alias", "owner-id", "progress", "snapshot-id", "start-time", "status",
	"storage-tier", "tag-key", "tag-value", "tag:<key>", "transfer-type", "volume-id", "volume-size",
}
