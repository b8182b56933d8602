package securitygroups_test

import (
	"strings"
	"testing"

	"slipway/internal/apitest"
)

// TestRulesThatSayTooLittleOrTooMuch: what a rule leaves out is not guessed, and no call asks for a rule twice.
func TestRulesThatSayTooLittleOrTooMuch(t *testing.T) {
	w := apitest.New(t)
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web ", "GroupDescription", "web")
	apitest.Shows(t, w.Call("DescribeSecurityGroups", "GroupId.1", group).Body, "groupName", "web")
	one := func(n, protocol string, more ...string) []string {
		p := "IpPermissions." + n + "."
		out := []string{p + "IpRanges.1.CidrIp", "10.0.0.0/8"}
		if protocol != "" {
			out = append(out, p+"IpProtocol", protocol)
		}
		for i := 0; i < len(more); i += 2 {
			out = append(out, p+more[i], more[i+1])
		}
		return out
	}
	of := func(parts ...[]string) []string {
		out := []string{"GroupId", group}
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	var rules []string
	for _, port := range []string{"80", "81"} {
		rules = append(rules, w.Must("securityGroupRuleId", "AuthorizeSecurityGroupIngress",
			of(one("1", "tcp", "FromPort", port, "ToPort", port))...))
	}
	change := func(n, rule string, more ...string) []string {
		p := "SecurityGroupRule." + n + "."
		out := []string{p + "SecurityGroupRuleId", rule, p + "SecurityGroupRule.CidrIpv4", "10.0.0.0/8"}
		for i := 0; i < len(more); i += 2 {
			out = append(out, p+"SecurityGroupRule."+more[i], more[i+1])
		}
		return out
	}
	web := []string{"IpProtocol", "tcp", "FromPort", "90", "ToPort", "90"}
	const invalid, twice, both = "InvalidParameterValue", "The same permission must not appear multiple times",
		"Must specify both from and to ports with TCP/UDP/ICMP"
	for _, action := range []string{"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"} {
		w.Refuses(t, []apitest.Refusal{
			apitest.Case("twice in a call", invalid, twice, action, of(one("1", "tcp", "FromPort", "22", "ToPort", "22"),
				one("2", "tcp", "FromPort", "22", "ToPort", "22"))),
			apitest.Case("tcp without ports", invalid, both, action, of(one("1", "tcp"))),
			apitest.Case("udp without the last port", invalid, both, action, of(one("1", "udp", "FromPort", "22"))),
			apitest.Case("icmp without a code", invalid, both, action, of(one("1", "icmp", "FromPort", "8"))),
			apitest.Case("all types with a code", invalid, "ICMP code", action,
				of(one("1", "icmp", "FromPort", "-1", "ToPort", "0"))),
			apitest.Case("no protocol", invalid, "Invalid value 'null' for protocol", action, of(one("1", ""))),
			apitest.Case("a quote in a description", invalid, "Invalid rule description.", action,
				of(one("1", "-1", "IpRanges.1.Description", "Bob's"))),
			apitest.Case("no ASCII in a description", invalid, "beyond ASCII", action,
				of(one("1", "-1", "IpRanges.1.Description", "Büro"))),
		})
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("there already", "InvalidPermission.Duplicate", "80", "AuthorizeSecurityGroupIngress",
			of(one("1", "tcp", "FromPort", "80", "ToPort", "80"))),
		apitest.Case("two become one", invalid, twice, "ModifySecurityGroupRules",
			of(change("1", rules[0], web...), change("2", rules[1], web...))),
		apitest.Case("no protocol in a change", invalid, "Invalid value 'null' for protocol", "ModifySecurityGroupRules",
			of(change("1", rules[0], "FromPort", "1", "ToPort", "1"))),
		apitest.Case("a new description", invalid, "Invalid rule description.", "UpdateSecurityGroupRuleDescriptionsIngress",
			of([]string{
				"SecurityGroupRuleDescription.1.SecurityGroupRuleId", rules[0],
				"SecurityGroupRuleDescription.1.Description", "<b>",
			})),
		apitest.Case("a group's name", invalid, "Invalid security group name.", "CreateSecurityGroup",
			[]string{"GroupName", "a|b", "GroupDescription", "d"}),
		apitest.Case("a group's description", invalid, "Invalid security group description.", "CreateSecurityGroup",
			[]string{"GroupName", "b", "GroupDescription", "Bob's"}),
		apitest.Case("a long name", invalid, "Invalid security group name.", "CreateSecurityGroup",
			[]string{"GroupName", strings.Repeat("b", 256), "GroupDescription", "d"}),
		apitest.Case("no ASCII", invalid, "beyond ASCII", "CreateSecurityGroup",
			[]string{"GroupName", "b", "GroupDescription", "für alle"}),
	})
	w.Must("return", "AuthorizeSecurityGroupIngress", of(one("1", "icmpv6"), one("2", "icmp", "FromPort", "8", "ToPort", "-1"),
		one("3", "-1", "IpRanges.1.Description", "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"))...)
}

// TestAPeerIsNamedByIDOutsideTheDefaultVPC: names are for the default VPC, and a filter that wants an id looks at its form.
func TestAPeerIsNamedByIDOutsideTheDefaultVPC(t *testing.T) {
	w := apitest.New(t)
	n := apitest.NewNetwork(w, "77")
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web", "VpcId", n.VPC)
	home := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	peer := func(of, member, value string) []string {
		return []string{
			"GroupId", of, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.Groups.1." + member, value,
		}
	}
	w.Must("return", "AuthorizeSecurityGroupIngress", peer(home, "GroupName", "web")...)
	w.Must("return", "AuthorizeSecurityGroupIngress", peer(group, "GroupId", group)...)
	var cases []apitest.Refusal
	for _, action := range []string{
		"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress",
		"RevokeSecurityGroupEgress",
	} {
		cases = append(cases, apitest.Case(action+" by name", "InvalidParameterValue",
			"Invalid value 'web' for groupName. You may not reference Amazon VPC security groups by name", action,
			peer(group, "GroupName", "web")))
	}
	for _, bad := range []string{"", "web", "vpc-12345678"} {
		cases = append(cases, apitest.Case("a filter by "+bad, "InvalidGroupId.Malformed",
			"The security group ID '"+bad+"' is malformed", "DescribeSecurityGroupRules",
			[]string{"Filter.1.Name", "group-id", "Filter.1.Value.1", bad}))
	}
	w.Refuses(t, cases)
	shown := w.Call("DescribeSecurityGroupRules", "Filter.1.Name", "group-id", "Filter.1.Value.1", group,
		"Filter.1.Value.2", "sg-00000000")
	apitest.Shows(t, shown.Body, "groupId", group)
}
