package launchtemplates

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateLaunchTemplate": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateLaunchTemplateRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "launch-template")),
		"CreateLaunchTemplateVersion": action.Do(s.CreateVersion).Bucket(action.Frequent).Repeats(action.ByToken).On(
			target(func(in *ec2wire.CreateLaunchTemplateVersionRequest) (id, name *string) {
				return in.LaunchTemplateId, in.LaunchTemplateName
			})),
		"DescribeLaunchTemplates":        action.Read(s.Describe).Filters().On(action.Nothing),
		"DescribeLaunchTemplateVersions": action.Read(s.Versions).Filters().On(action.Nothing),
		"ModifyLaunchTemplate": action.Do(s.Modify).Bucket(action.Frequent).Repeats(action.ByToken).On(
			target(func(in *ec2wire.ModifyLaunchTemplateRequest) (id, name *string) {
				return in.LaunchTemplateId, in.LaunchTemplateName
			})),
		"DeleteLaunchTemplate": action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			target(func(in *ec2wire.DeleteLaunchTemplateRequest) (id, name *string) {
				return in.LaunchTemplateId, in.LaunchTemplateName
			})),
		"DeleteLaunchTemplateVersions": action.Do(s.DeleteVersions).Bucket(action.Mutating).Repeats(action.NoToken).On(
			target(func(in *ec2wire.DeleteLaunchTemplateVersionsRequest) (id, name *string) {
				return in.LaunchTemplateId, in.LaunchTemplateName
			})),
		"GetLaunchTemplateData": action.Read(s.FromInstance).On(
			action.One("instance", func(in *ec2wire.GetLaunchTemplateDataRequest) *string { return in.InstanceId })),
	}
}
