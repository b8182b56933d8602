package volumes

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateVolume":                  action.Do(s.Create).Bucket(action.Frequent).Repeats(action.ByToken),
		"DeleteVolume":                  action.Void(s.Delete).Bucket(action.Frequent).Repeats(action.NoToken),
		"AttachVolume":                  action.Do(s.Attach).Bucket(action.Mutating).Repeats(action.NoToken),
		"DetachVolume":                  action.Do(s.Detach).Bucket(action.Mutating).Repeats(action.NoToken),
		"ModifyVolume":                  action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeVolumes":               action.Read(s.Describe).Filters(documentedFilters...),
		"DescribeVolumesModifications":  action.Read(s.Modifications).Filters(modificationsFilters...),
		"DescribeVolumeStatus":          action.Read(s.Status).Filters(statusFilters...),
		"DescribeVolumeAttribute":       action.Read(s.Attribute),
		"ModifyVolumeAttribute":         action.Void(s.ModifyAttribute).Bucket(action.Mutating).Repeats(action.NoToken),
		"EnableVolumeIO":                action.Void(s.EnableIO).Bucket(action.Mutating).Repeats(action.NoToken),
		"EnableEbsEncryptionByDefault":  action.Do(s.EnableEncryption).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisableEbsEncryptionByDefault": action.Do(s.DisableEncryption).Bucket(action.Mutating).Repeats(action.NoToken),
		"GetEbsEncryptionByDefault":     action.Read(s.Encryption),
		"GetEbsDefaultKmsKeyId":         action.Read(s.DefaultKey),
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
