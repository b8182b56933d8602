package securitygroups_test

import (
	"slipway/internal/apitest"
	"testing"
)

func TestRulesChangeInPlace(t *testing.T) {
	w := apitest.New(t)
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	rule := w.Must("securityGroupRuleId", "AuthorizeSecurityGroupIngress", "GroupId", group,
		"IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "80", "IpPermissions.1.ToPort", "80",
		"IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8", "TagSpecification.1.ResourceType", "security-group-rule",
		"TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "http")
	w.Must("return", "AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "443",
		"ToPort", "443", "CidrIp", "10.0.0.0/8")
	read := func() string {
		return w.Call("DescribeSecurityGroupRules", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "http").Body
	}
	w.Must("return", "UpdateSecurityGroupRuleDescriptionsIngress", "GroupId", group,
		"SecurityGroupRuleDescription.1.SecurityGroupRuleId", rule, "SecurityGroupRuleDescription.1.Description", "by id")
	apitest.Shows(t, read(), "description", "by id")
	w.Must("return", "UpdateSecurityGroupRuleDescriptionsIngress", "GroupId", group, "IpPermissions.1.IpProtocol",
		"tcp", "IpPermissions.1.FromPort", "80", "IpPermissions.1.ToPort", "80",
		"IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8", "IpPermissions.1.IpRanges.1.Description", "by source")
	apitest.Shows(t, read(), "description", "by source")
	change := func(member, value, port string) []string {
		const p = "SecurityGroupRule.1.SecurityGroupRule."
		return []string{
			"GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", rule, p + "IpProtocol", "tcp", p + "FromPort",
			port, p + "ToPort", port, p + member, value,
		}
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a rule that is there", "InvalidPermission.Duplicate", "443", "ModifySecurityGroupRules",
			change("CidrIpv4", "10.0.0.0/8", "443")),
		apitest.Case("a rule that is not there", "InvalidSecurityGroupRuleId.NotFound", "sgr-0",
			"ModifySecurityGroupRules",
			[]string{
				"GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", "sgr-0",
				"SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1",
			}),
		apitest.Case("two sources", "InvalidParameterCombination", "exactly one", "ModifySecurityGroupRules",
			append(change("CidrIpv4", "9.0.0.0/8", "81"), "SecurityGroupRule.1.SecurityGroupRule.CidrIpv6", "::/0")),
		apitest.Case("describing a rule of the other direction", "InvalidSecurityGroupRuleId.NotFound", rule,
			"UpdateSecurityGroupRuleDescriptionsEgress",
			[]string{"GroupId", group, "SecurityGroupRuleDescription.1.SecurityGroupRuleId", rule}),
		apitest.Case("describing what is not there", "InvalidPermission.NotFound", "",
			"UpdateSecurityGroupRuleDescriptionsIngress",
			[]string{"GroupId", group, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"}),
	})
	w.Must("return", "ModifySecurityGroupRules", change("CidrIpv6", "2001:db8::/32", "8080")...)
	seen := read()
	apitest.Shows(t, seen, "securityGroupRuleId", rule)
	apitest.Shows(t, seen, "cidrIpv6", "2001:db8::/32")
	apitest.Shows(t, seen, "toPort", "8080")
	apitest.Lacks(t, seen, "cidrIpv4")
}
