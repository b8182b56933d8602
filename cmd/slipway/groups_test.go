package main

import "testing"

func (o world) groupDryRuns(w *wire) map[string][]string {
	rule := first(w.call("DescribeSecurityGroupRules", "Filter.1.Name", "group-id", "Filter.1.Value.1", o.group).body, "securityGroupRuleId")
	list := w.must("prefixListId", "CreateManagedPrefixList", "PrefixListName", "office", "MaxEntries", "2", "AddressFamily", "IPv4")
	of := []string{"GroupId", o.group, "IpPermissions.1.IpProtocol"}
	return map[string][]string{
		"UpdateSecurityGroupRuleDescriptionsIngress": append(of, "tcp", "IpPermissions.1.FromPort", "80", "IpPermissions.1.ToPort", "80", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"),
		"UpdateSecurityGroupRuleDescriptionsEgress":  append(of, "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
		"ModifySecurityGroupRules":                   {"GroupId", o.group, "SecurityGroupRule.1.SecurityGroupRuleId", rule, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "9.0.0.0/8"},
		"DescribeSecurityGroupReferences":            {"GroupId.1", o.group},
		"DescribeStaleSecurityGroups":                {"VpcId", o.vpc},
		"CreateManagedPrefixList":                    {"PrefixListName", "home", "MaxEntries", "2", "AddressFamily", "IPv4"},
		"ModifyManagedPrefixList":                    {"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "192.0.2.0/24"},
		"DeleteManagedPrefixList":                    {"PrefixListId", list},
		"GetManagedPrefixListEntries":                {"PrefixListId", list},
		"GetManagedPrefixListAssociations":           {"PrefixListId", list},
	}
}

func TestRulesChangeInPlace(t *testing.T) {
	w := newWire(t)
	group := w.must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	rule := w.must("securityGroupRuleId", "AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "80", "IpPermissions.1.ToPort", "80",
		"IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8", "TagSpecification.1.ResourceType", "security-group-rule", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "http")
	w.must("return", "AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "443", "ToPort", "443", "CidrIp", "10.0.0.0/8")
	read := func() string {
		return w.call("DescribeSecurityGroupRules", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "http").body
	}
	w.must("return", "UpdateSecurityGroupRuleDescriptionsIngress", "GroupId", group, "SecurityGroupRuleDescription.1.SecurityGroupRuleId", rule, "SecurityGroupRuleDescription.1.Description", "by id")
	shows(t, read(), "description", "by id")
	w.must("return", "UpdateSecurityGroupRuleDescriptionsIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "80", "IpPermissions.1.ToPort", "80",
		"IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8", "IpPermissions.1.IpRanges.1.Description", "by source")
	shows(t, read(), "description", "by source")
	change := func(member, value, port string) []string {
		const p = "SecurityGroupRule.1.SecurityGroupRule."
		return []string{"GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", rule, p + "IpProtocol", "tcp", p + "FromPort", port, p + "ToPort", port, p + member, value}
	}
	w.refuses(t, []refusal{
		{"a rule that is there", "InvalidPermission.Duplicate", "443", "ModifySecurityGroupRules", change("CidrIpv4", "10.0.0.0/8", "443")},
		{"a rule that is not there", "InvalidSecurityGroupRuleId.NotFound", "sgr-0", "ModifySecurityGroupRules", []string{"GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", "sgr-0", "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1"}},
		{"two sources", "InvalidParameterCombination", "exactly one", "ModifySecurityGroupRules", append(change("CidrIpv4", "9.0.0.0/8", "81"), "SecurityGroupRule.1.SecurityGroupRule.CidrIpv6", "::/0")},
		{"describing a rule of the other direction", "InvalidSecurityGroupRuleId.NotFound", rule, "UpdateSecurityGroupRuleDescriptionsEgress", []string{"GroupId", group, "SecurityGroupRuleDescription.1.SecurityGroupRuleId", rule}},
		{"describing what is not there", "InvalidPermission.NotFound", "", "UpdateSecurityGroupRuleDescriptionsIngress", []string{"GroupId", group, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"}},
	})
	w.must("return", "ModifySecurityGroupRules", change("CidrIpv6", "2001:db8::/32", "8080")...)
	seen := read()
	shows(t, seen, "securityGroupRuleId", rule)
	shows(t, seen, "cidrIpv6", "2001:db8::/32")
	shows(t, seen, "toPort", "8080")
	lacks(t, seen, "cidrIpv4")
}

func TestPrefixLists(t *testing.T) {
	w := newWire(t)
	list := w.must("prefixListId", "CreateManagedPrefixList", "PrefixListName", "office", "MaxEntries", "3", "AddressFamily", "IPv4", "Entry.1.Cidr", "192.0.2.9/24", "Entry.1.Description", "first")
	shows(t, w.call("DescribeManagedPrefixLists", "PrefixListId.1", list).body, "state", "create-complete")
	group := w.must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	allow := []string{"GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.PrefixListIds.1.PrefixListId", list}
	w.must("return", "AuthorizeSecurityGroupIngress", allow...)
	shows(t, w.call("DescribeSecurityGroups", "GroupId.1", group).body, "prefixListId", list)
	w.refuses(t, []refusal{
		{"the rule again", "InvalidPermission.Duplicate", list, "AuthorizeSecurityGroupIngress", allow},
		{"a list that is not there", "InvalidPrefixListID.NotFound", "pl-00000000", "AuthorizeSecurityGroupIngress", append(allow[:8:8], "IpPermissions.1.PrefixListIds.1.PrefixListId", "pl-00000000")},
		{"a stale version", "PrefixListVersionMismatch", "version", "ModifyManagedPrefixList", []string{"PrefixListId", list, "CurrentVersion", "7", "AddEntry.1.Cidr", "198.51.100.0/24"}},
		{"an entry twice", "InvalidPrefixListModification", "192.0.2.0/24", "ModifyManagedPrefixList", []string{"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "192.0.2.0/24"}},
		{"an entry that is not there", "InvalidPrefixListModification", "", "ModifyManagedPrefixList", []string{"PrefixListId", list, "CurrentVersion", "1", "RemoveEntry.1.Cidr", "9.0.0.0/8"}},
		{"an entry of the other family", "InvalidParameterValue", "cidr", "ModifyManagedPrefixList", []string{"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "::/0"}},
		{"more than it is made for", "PrefixListMaxEntriesExceeded", "3", "ModifyManagedPrefixList", []string{"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "1.0.0.0/8", "AddEntry.2.Cidr", "2.0.0.0/8", "AddEntry.3.Cidr", "3.0.0.0/8"}},
		{"a list in use", "DependencyViolation", group, "DeleteManagedPrefixList", []string{"PrefixListId", list}},
	})
	w.must("prefixListId", "ModifyManagedPrefixList", "PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "198.51.100.0/24", "RemoveEntry.1.Cidr", "192.0.2.0/24")
	shows(t, w.call("GetManagedPrefixListEntries", "PrefixListId", list).body, "cidr", "198.51.100.0/24")
	shows(t, w.call("GetManagedPrefixListEntries", "PrefixListId", list, "TargetVersion", "1").body, "cidr", "192.0.2.0/24")
	shows(t, w.call("GetManagedPrefixListAssociations", "PrefixListId", list).body, "resourceId", group)
	w.must("return", "RevokeSecurityGroupIngress", allow...)
	w.must("prefixListId", "DeleteManagedPrefixList", "PrefixListId", list)
	w.refuses(t, []refusal{{"the list is gone", "InvalidPrefixListID.NotFound", list, "DescribeManagedPrefixLists", []string{"PrefixListId.1", list}}})
}
