package securitygroups

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateSecurityGroup":                        action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteSecurityGroup":                        action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeSecurityGroups":                     action.Read(s.Describe).Filters(documentedFilters...),
		"GetSecurityGroupsForVpc":                    action.Read(s.ForVPC).Filters(forVPCFilters...),
		"DescribeSecurityGroupRules":                 action.Read(s.DescribeRules).Filters(describeRulesFilters...),
		"AuthorizeSecurityGroupIngress":              action.Do(s.AuthorizeIngress).Bucket(action.Mutating).Repeats(action.NoToken),
		"AuthorizeSecurityGroupEgress":               action.Do(s.AuthorizeEgress).Bucket(action.Mutating).Repeats(action.NoToken),
		"RevokeSecurityGroupIngress":                 action.Do(s.RevokeIngress).Bucket(action.Mutating).Repeats(action.NoToken),
		"RevokeSecurityGroupEgress":                  action.Do(s.RevokeEgress).Bucket(action.Mutating).Repeats(action.NoToken),
		"UpdateSecurityGroupRuleDescriptionsIngress": action.Do(s.RedescribeIngress).Bucket(action.Mutating).Repeats(action.NoToken),
		"UpdateSecurityGroupRuleDescriptionsEgress":  action.Do(s.RedescribeEgress).Bucket(action.Mutating).Repeats(action.NoToken),
		"ModifySecurityGroupRules":                   action.Do(s.ModifyRules).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeSecurityGroupReferences":            action.Read(s.References).Bucket(action.References),
		"DescribeStaleSecurityGroups":                action.Read(s.Stale).Bucket(action.References),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"description", "egress.ip-permission.cidr", "egress.ip-permission.from-port",
	"egress.ip-permission.group-id", "egress.ip-permission.ipv6-cidr", "egress.ip-permission.prefix-list-id",
	"egress.ip-permission.protocol", "egress.ip-permission.to-port", "egress.ip-permission.user-id", "group-id",
	"group-name", "ip-permission.cidr", "ip-permission.from-port", "ip-permission.group-id",
	"ip-permission.ipv6-cidr", "ip-permission.prefix-list-id", "ip-permission.protocol", "ip-permission.to-port",
	"ip-permission.user-id", "owner-id", "tag-key", "tag-value", "tag:<key>", "vpc-id",
}

var forVPCFilters = []string{
	"description", "group-id", "group-name", "owner-id", "primary-vpc-id", "tag-key", "tag-value", "tag:<key>",
}

var describeRulesFilters = []string{
	"group-id", "security-group-rule-id", "tag-key", "tag-value", "tag:<key>",
}
