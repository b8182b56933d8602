package securitygroups

import (
	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateSecurityGroup": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateSecurityGroupRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "security-group"),
			homeOf,
		),
		"DeleteSecurityGroup": action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			group(func(in *ec2wire.DeleteSecurityGroupRequest) (id, name *string) { return in.GroupId, in.GroupName })),
		"DescribeSecurityGroups": action.Read(s.Describe).
			Also(func(in *ec2wire.DescribeSecurityGroupsRequest) (action.Bucket, int) {
				return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
			}).Filters().On(action.Nothing),
		"GetSecurityGroupsForVpc": action.Read(s.ForVPC).Filters("tag:<key>").On(
			action.One("vpc", func(in *ec2wire.GetSecurityGroupsForVpcRequest) *string { return in.VpcId })),
		"DescribeSecurityGroupRules": action.Read(s.DescribeRules).Filters().FilterForm("group-id", func(id string) error {
			if _, err := slipway.ParseSecurityGroupID(id); err != nil {
				return slipway.Errorf(slipway.InvalidGroupIDMalformed, "The security group ID '%s' is malformed", id)
			}
			return nil
		}).On(action.Nothing),
		"AuthorizeSecurityGroupIngress": action.Do(s.AuthorizeIngress).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			group(func(in *ec2wire.AuthorizeSecurityGroupIngressRequest) (id, name *string) {
				return in.GroupId, in.GroupName
			}),
			action.Labels(func(in *ec2wire.AuthorizeSecurityGroupIngressRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}),
		),
		"AuthorizeSecurityGroupEgress": action.Do(s.AuthorizeEgress).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("security-group", func(in *ec2wire.AuthorizeSecurityGroupEgressRequest) *string { return in.GroupId }),
			action.Labels(func(in *ec2wire.AuthorizeSecurityGroupEgressRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}),
		),
		"RevokeSecurityGroupIngress": action.Do(s.RevokeIngress).Bucket(action.Mutating).Repeats(action.NoToken).On(
			group(func(in *ec2wire.RevokeSecurityGroupIngressRequest) (id, name *string) {
				return in.GroupId, in.GroupName
			}),
			action.Each("security-group-rule", func(in *ec2wire.RevokeSecurityGroupIngressRequest) []string {
				return in.SecurityGroupRuleIds
			}),
		),
		"RevokeSecurityGroupEgress": action.Do(s.RevokeEgress).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("security-group", func(in *ec2wire.RevokeSecurityGroupEgressRequest) *string { return in.GroupId }),
			action.Each("security-group-rule", func(in *ec2wire.RevokeSecurityGroupEgressRequest) []string {
				return in.SecurityGroupRuleIds
			}),
		),
		"UpdateSecurityGroupRuleDescriptionsIngress": action.Do(s.RedescribeIngress).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			group(func(in *ec2wire.UpdateSecurityGroupRuleDescriptionsIngressRequest) (id, name *string) {
				return in.GroupId, in.GroupName
			}),
			rules(func(in *ec2wire.UpdateSecurityGroupRuleDescriptionsIngressRequest) []ec2wire.SecurityGroupRuleDescription {
				return in.SecurityGroupRuleDescriptions
			}),
		),
		"UpdateSecurityGroupRuleDescriptionsEgress": action.Do(s.RedescribeEgress).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			group(func(in *ec2wire.UpdateSecurityGroupRuleDescriptionsEgressRequest) (id, name *string) {
				return in.GroupId, in.GroupName
			}),
			rules(func(in *ec2wire.UpdateSecurityGroupRuleDescriptionsEgressRequest) []ec2wire.SecurityGroupRuleDescription {
				return in.SecurityGroupRuleDescriptions
			}),
		),
		"ModifySecurityGroupRules": action.Do(s.ModifyRules).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("security-group", func(in *ec2wire.ModifySecurityGroupRulesRequest) *string { return in.GroupId }),
			updated,
		),
		"DescribeSecurityGroupReferences": action.Read(s.References).Bucket(action.References).On(action.Nothing),
		"DescribeStaleSecurityGroups":     action.Read(s.Stale).Bucket(action.References).On(action.Nothing),
	}
}
