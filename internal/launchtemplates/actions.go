package launchtemplates

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateLaunchTemplate":           action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken),
		"CreateLaunchTemplateVersion":    action.Do(s.CreateVersion).Bucket(action.Frequent).Repeats(action.ByToken),
		"DescribeLaunchTemplates":        action.Read(s.Describe).Filters(documentedFilters...),
		"DescribeLaunchTemplateVersions": action.Read(s.Versions).Filters(versionsFilters...),
		"ModifyLaunchTemplate":           action.Do(s.Modify).Bucket(action.Frequent).Repeats(action.ByToken),
		"DeleteLaunchTemplate":           action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteLaunchTemplateVersions":   action.Do(s.DeleteVersions).Bucket(action.Mutating).Repeats(action.NoToken),
		"GetLaunchTemplateData":          action.Read(s.FromInstance),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"create-time", "launch-template-name", "tag-key", "tag-value", "tag:<key>",
}

var versionsFilters = []string{
	"create-time", "ebs-optimized", "http-endpoint", "http-tokens", "iam-instance-profile", "image-id",
	"instance-type", "is-default-version", "kernel-id", "license-configuration-arn", "ram-disk-id",
}
