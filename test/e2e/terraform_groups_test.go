package e2e

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestTerraformsGroups: security groups with rules inside and beside them, and the lists that rules may name.
func TestTerraformsGroups(t *testing.T) {
	tf := newTerraform(t)
	vpc := tf.apply(tf.vpc("10.0.0.0/16"))
	list := tf.apply(tf.prefixList())
	tf.apply(tf.prefixListEntry(list))
	group := tf.apply(tf.securityGroup(vpc, "web"))
	bare := tf.apply(tf.securityGroup(vpc, "bare"))
	tf.apply(tf.groupRule(bare))
	tf.apply(tf.ruleOf("aws_vpc_security_group_ingress_rule", bare, types.IpPermission{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80),
		IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/8"), Description: aws.String("web")}},
	}, attributes{
		"cidr_ipv4": "10.0.0.0/8", "description": "web", "from_port": 80, "to_port": 80, "ip_protocol": "tcp",
		"is_egress": false,
	}))
	tf.apply(tf.ruleOf("aws_vpc_security_group_ingress_rule group", bare, types.IpPermission{
		IpProtocol: aws.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &group}},
	}, attributes{
		"referenced_security_group_id": group, "from_port": -1, "to_port": -1, "ip_protocol": "-1", "is_egress": false,
	}))
	tf.apply(tf.ruleOf("aws_vpc_security_group_egress_rule", bare, types.IpPermission{
		IpProtocol: aws.String("udp"), FromPort: aws.Int32(53), ToPort: aws.Int32(53),
		PrefixListIds: []types.PrefixListId{{PrefixListId: &list}},
	}, attributes{"prefix_list_id": list, "from_port": 53, "to_port": 53, "ip_protocol": "udp", "is_egress": true}))
	tf.destroy()
}

// rulesOf are a group's permissions as the provider stores them.
func rulesOf(permissions []types.IpPermission) (out [][]any) {
	for _, p := range permissions {
		var sources []any
		for _, r := range p.IpRanges {
			sources = append(sources, []any{r.CidrIp, r.Description})
		}
		for _, r := range p.Ipv6Ranges {
			sources = append(sources, []any{r.CidrIpv6, r.Description})
		}
		for _, g := range p.UserIdGroupPairs {
			sources = append(sources, []any{g.GroupId, g.Description})
		}
		for _, l := range p.PrefixListIds {
			sources = append(sources, []any{l.PrefixListId, l.Description})
		}
		out = append(out, []any{p.IpProtocol, p.FromPort, p.ToPort, sources})
	}
	return out
}

// anything is the rule of every protocol, with the ports that the provider gives it.
func anything(cidr, cidr6 string) types.IpPermission {
	p := types.IpPermission{IpProtocol: aws.String("-1"), FromPort: aws.Int32(0), ToPort: aws.Int32(0)}
	if cidr != "" {
		p.IpRanges = []types.IpRange{{CidrIp: &cidr}}
	}
	if cidr6 != "" {
		p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: &cidr6}}
	}
	return p
}

func (tf *terraform) group(id string) types.SecurityGroup {
	return ok(tf.ec2.DescribeSecurityGroups(tf.ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})).SecurityGroups[0]
}

// securityGroup has ssh in and everything out; each of the provider's steps after the creation finds what it counts on.
func (tf *terraform) securityGroup(vpc, name string) resource {
	ssh := types.IpPermission{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
		IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}},
	}
	itself := func(id string) types.IpPermission {
		return types.IpPermission{
			IpProtocol: aws.String("tcp"), FromPort: aws.Int32(0), ToPort: aws.Int32(65535),
			UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &id}},
		}
	}
	everyone := []any{"0.0.0.0/0", nil}
	return resource{
		kind: "aws_security_group",
		create: func() string {
			id := *ok(tf.ec2.CreateSecurityGroup(tf.ctx, &ec2.CreateSecurityGroupInput{
				GroupName: &name, Description: aws.String("Managed by Terraform"), VpcId: &vpc,
				TagSpecifications: named(types.ResourceTypeSecurityGroup),
			})).GroupId
			for range 3 {
				tf.group(id)
			}
			ok(tf.ec2.RevokeSecurityGroupEgress(tf.ctx,
				&ec2.RevokeSecurityGroupEgressInput{
					GroupId: &id, IpPermissions: []types.IpPermission{anything("0.0.0.0/0", "")},
				}))
			// In a VPC with IPv6 the rule is there; where not, the provider takes InvalidPermission.NotFound for good.
			if _, err := tf.ec2.RevokeSecurityGroupEgress(tf.ctx,
				&ec2.RevokeSecurityGroupEgressInput{
					GroupId: &id, IpPermissions: []types.IpPermission{anything("", "::/0")},
				}); err != nil && codeOf(err) != "InvalidPermission.NotFound" {
				refuse("revoking the IPv6 rule: %v", err)
			}
			ok(tf.ec2.AuthorizeSecurityGroupIngress(tf.ctx,
				&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{ssh}}))
			ok(tf.ec2.AuthorizeSecurityGroupEgress(tf.ctx,
				&ec2.AuthorizeSecurityGroupEgressInput{
					GroupId: &id, IpPermissions: []types.IpPermission{anything("0.0.0.0/0", "")},
				}))
			return id
		},
		read: func(id string) attributes {
			g := tf.group(id)
			return attributes{
				"arn": g.SecurityGroupArn, "description": g.Description, "name": g.GroupName, "owner_id": g.OwnerId,
				"vpc_id": g.VpcId, "ingress": rulesOf(g.IpPermissions),
				"egress": rulesOf(g.IpPermissionsEgress), "tags": tagsOf(g.Tags),
			}
		},
		want: attributes{
			"arn": known, "description": "Managed by Terraform", "name": name, "owner_id": tf.r.keys.AccountID,
			"vpc_id": vpc, "ingress": [][]any{{"tcp", 22, 22, []any{everyone}}},
			"egress": [][]any{{"-1", nil, nil, []any{everyone}}}, "tags": tagged,
		},
		changes: []change{{func(id string) {
			ok(tf.ec2.RevokeSecurityGroupIngress(tf.ctx,
				&ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{ssh}}))
			ok(tf.ec2.RevokeSecurityGroupEgress(tf.ctx,
				&ec2.RevokeSecurityGroupEgressInput{
					GroupId: &id, IpPermissions: []types.IpPermission{anything("0.0.0.0/0", "")},
				}))
			ok(tf.ec2.AuthorizeSecurityGroupIngress(tf.ctx,
				&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{itself(id)}}))
			g := tf.group(id)
			if got := text(rulesOf(g.IpPermissions)); got != text([][]any{{"tcp", 0, 65535, []any{[]any{id, nil}}}}) {
				refuse("a rule of itself is %s", got)
			}
			ok(tf.ec2.RevokeSecurityGroupIngress(tf.ctx,
				&ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{itself(id)}}))
		}, attributes{"ingress": nil, "egress": nil}}},
		destroy: func(id string) {
			ok(tf.ec2.DescribeNetworkInterfaces(tf.ctx,
				&ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{by("group-id", id)}}))
			for _, r := range ok(tf.ec2.DescribeSecurityGroupRules(tf.ctx,
				&ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{by("group-id", id)}})).SecurityGroupRules {
				refuse("%s is left behind", *r.SecurityGroupRuleId)
			}
			ok(tf.ec2.DeleteSecurityGroup(tf.ctx, &ec2.DeleteSecurityGroupInput{GroupId: &id}))
		},
		gone: "InvalidGroup.NotFound",
	}
}

func (tf *terraform) groupRule(group string) resource {
	permission := func(description string) []types.IpPermission {
		return []types.IpPermission{
			{IpProtocol: aws.String("icmp"), FromPort: aws.Int32(8), ToPort: aws.Int32(-1),
				IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/16"), Description: &description}}},
		}
	}
	return resource{
		kind: "aws_security_group_rule",
		create: func() string {
			tf.group(group)
			ok(tf.ec2.AuthorizeSecurityGroupIngress(tf.ctx,
				&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: permission("ping")}))
			_, err := tf.ec2.AuthorizeSecurityGroupIngress(tf.ctx,
				&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: permission("again")})
			if codeOf(err) != "InvalidPermission.Duplicate" {
				refuse("the same rule again: %v", err)
			}
			return "icmp"
		},
		read: func(protocol string) attributes {
			for _, p := range tf.group(group).IpPermissions {
				if *p.IpProtocol != protocol {
					continue
				}
				for _, r := range ok(tf.ec2.DescribeSecurityGroupRules(tf.ctx,
					&ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{by("group-id", group)}})).SecurityGroupRules {
					if *r.IpProtocol == protocol {
						return attributes{
							"protocol": p.IpProtocol, "from_port": p.FromPort, "to_port": p.ToPort,
							"cidr_blocks": p.IpRanges[0].CidrIp, "description": p.IpRanges[0].Description,
							"security_group_rule_id": r.SecurityGroupRuleId,
						}
					}
				}
			}
			return nil
		},
		want: attributes{
			"protocol": "icmp", "from_port": 8, "to_port": -1, "cidr_blocks": "10.0.0.0/16", "description": "ping",
			"security_group_rule_id": known,
		},
		changes: []change{{func(string) {
			ok(tf.ec2.UpdateSecurityGroupRuleDescriptionsIngress(tf.ctx,
				&ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &group, IpPermissions: permission("pong")}))
		}, attributes{"description": "pong"}}},
		destroy: func(string) {
			ok(tf.ec2.RevokeSecurityGroupIngress(tf.ctx,
				&ec2.RevokeSecurityGroupIngressInput{GroupId: &group, IpPermissions: permission("pong")}))
		},
	}
}

// ruleOf is a rule with an id of its own; want says what it grants.
func (tf *terraform) ruleOf(kind, group string, permission types.IpPermission, want attributes) resource {
	egress := want["is_egress"] == true
	all := attributes{
		"arn": known, "cidr_ipv4": nil, "cidr_ipv6": nil, "description": nil, "prefix_list_id": nil,
		"referenced_security_group_id": nil, "security_group_id": group, "security_group_rule_id": known, "tags": tagged,
	}
	for k, v := range want {
		all[k] = v
	}
	return resource{
		kind: kind,
		create: func() string {
			var rules []types.SecurityGroupRule
			if egress {
				rules = ok(tf.ec2.AuthorizeSecurityGroupEgress(tf.ctx,
					&ec2.AuthorizeSecurityGroupEgressInput{
						GroupId: &group, IpPermissions: []types.IpPermission{permission},
					})).SecurityGroupRules
			} else {
				rules = ok(tf.ec2.AuthorizeSecurityGroupIngress(tf.ctx,
					&ec2.AuthorizeSecurityGroupIngressInput{
						GroupId: &group, IpPermissions: []types.IpPermission{permission},
					})).SecurityGroupRules
			}
			if len(rules) != 1 {
				refuse("%d rules, want 1", len(rules))
			}
			id := *rules[0].SecurityGroupRuleId
			ok(tf.ec2.CreateTags(tf.ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: ec2Tags(tagged)}))
			return id
		},
		read: func(id string) attributes {
			r := ok(tf.ec2.DescribeSecurityGroupRules(tf.ctx,
				&ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{id}})).SecurityGroupRules[0]
			a := attributes{
				"arn": r.SecurityGroupRuleArn, "cidr_ipv4": r.CidrIpv4, "cidr_ipv6": r.CidrIpv6,
				"description": r.Description, "from_port": r.FromPort, "to_port": r.ToPort, "ip_protocol": r.IpProtocol,
				"is_egress": r.IsEgress, "prefix_list_id": r.PrefixListId, "referenced_security_group_id": nil,
				"security_group_id": r.GroupId, "security_group_rule_id": r.SecurityGroupRuleId, "tags": tagsOf(r.Tags),
			}
			if r.ReferencedGroupInfo != nil {
				a["referenced_security_group_id"] = r.ReferencedGroupInfo.GroupId
			}
			return a
		},
		want: all,
		changes: []change{{func(id string) {
			next := types.SecurityGroupRuleRequest{
				IpProtocol: permission.IpProtocol, FromPort: permission.FromPort, ToPort: permission.ToPort,
				Description: aws.String("changed"),
			}
			if v, there := want["cidr_ipv4"].(string); there {
				next.CidrIpv4 = &v
			}
			if v, there := want["prefix_list_id"].(string); there {
				next.PrefixListId = &v
			}
			if v, there := want["referenced_security_group_id"].(string); there {
				next.ReferencedGroupId = &v
			}
			ok(tf.ec2.ModifySecurityGroupRules(tf.ctx,
				&ec2.ModifySecurityGroupRulesInput{
					GroupId:            &group,
					SecurityGroupRules: []types.SecurityGroupRuleUpdate{{SecurityGroupRuleId: &id, SecurityGroupRule: &next}},
				}))
		}, attributes{"description": "changed"}}},
		destroy: func(id string) {
			var err error
			for range 2 { // the second time it is gone already
				if egress {
					_, err = tf.ec2.RevokeSecurityGroupEgress(tf.ctx,
						&ec2.RevokeSecurityGroupEgressInput{GroupId: &group, SecurityGroupRuleIds: []string{id}})
				} else {
					_, err = tf.ec2.RevokeSecurityGroupIngress(tf.ctx,
						&ec2.RevokeSecurityGroupIngressInput{GroupId: &group, SecurityGroupRuleIds: []string{id}})
				}
			}
			if codeOf(err) != "InvalidSecurityGroupRuleId.NotFound" {
				refuse("revoking it twice: %v", err)
			}
		},
		gone: "InvalidSecurityGroupRuleId.NotFound",
	}
}

func (tf *terraform) prefixList() resource {
	one := func(id string) types.ManagedPrefixList {
		return ok(tf.ec2.DescribeManagedPrefixLists(tf.ctx,
			&ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{id}})).PrefixLists[0]
	}
	settled := func(id string, want types.PrefixListState) {
		until("the list is "+string(want), func() bool { return one(id).State == want })
	}
	entry := func(cidr, description string) types.AddPrefixListEntry {
		return types.AddPrefixListEntry{Cidr: &cidr, Description: &description}
	}
	return resource{
		kind: "aws_ec2_managed_prefix_list",
		create: func() string {
			id := *ok(tf.ec2.CreateManagedPrefixList(tf.ctx, &ec2.CreateManagedPrefixListInput{
				ClientToken: token(), AddressFamily: aws.String("IPv4"), MaxEntries: aws.Int32(5),
				PrefixListName:    aws.String("tf"),
				Entries:           []types.AddPrefixListEntry{entry("10.0.0.0/16", "a"), entry("10.1.0.0/16", "b")},
				TagSpecifications: named(types.ResourceTypePrefixList),
			})).PrefixList.PrefixListId
			settled(id, types.PrefixListStateCreateComplete)
			return id
		},
		read: func(id string) attributes {
			l := one(id)
			return attributes{
				"address_family": l.AddressFamily, "arn": l.PrefixListArn, "entry": tf.entries(id),
				"max_entries": l.MaxEntries, "name": l.PrefixListName, "owner_id": l.OwnerId, "version": l.Version,
				"tags": tagsOf(l.Tags),
			}
		},
		want: attributes{
			"address_family": "IPv4", "arn": known, "entry": map[string]string{"10.0.0.0/16": "a", "10.1.0.0/16": "b"},
			"max_entries": 5, "name": "tf", "owner_id": tf.r.keys.AccountID, "version": 1, "tags": tagged,
		},
		changes: []change{
			{func(id string) {
				ok(tf.ec2.ModifyManagedPrefixList(tf.ctx,
					&ec2.ModifyManagedPrefixListInput{
						PrefixListId: &id, PrefixListName: aws.String("tf2"), CurrentVersion: aws.Int64(1),
						RemoveEntries: []types.RemovePrefixListEntry{{Cidr: aws.String("10.1.0.0/16")}},
						AddEntries:    []types.AddPrefixListEntry{entry("10.2.0.0/16", "c")},
					}))
				settled(id, types.PrefixListStateModifyComplete)
			}, attributes{"name": "tf2", "version": 2, "entry": map[string]string{"10.0.0.0/16": "a", "10.2.0.0/16": "c"}}},
			{func(id string) {
				ok(tf.ec2.ModifyManagedPrefixList(tf.ctx,
					&ec2.ModifyManagedPrefixListInput{PrefixListId: &id, MaxEntries: aws.Int32(7)}))
				settled(id, types.PrefixListStateModifyComplete)
			}, attributes{"max_entries": 7}},
		},
		destroy: func(id string) {
			ok(tf.ec2.DeleteManagedPrefixList(tf.ctx, &ec2.DeleteManagedPrefixListInput{PrefixListId: &id}))
		},
		gone: "InvalidPrefixListID.NotFound",
	}
}

// entries are a list's, by range.
func (tf *terraform) entries(list string) map[string]string {
	out := map[string]string{}
	for _, e := range ok(tf.ec2.GetManagedPrefixListEntries(tf.ctx,
		&ec2.GetManagedPrefixListEntriesInput{PrefixListId: &list})).Entries {
		out[*e.Cidr] = aws.ToString(e.Description)
	}
	return out
}

func (tf *terraform) prefixListEntry(list string) resource {
	modify := func(in ec2.ModifyManagedPrefixListInput) {
		l := ok(tf.ec2.DescribeManagedPrefixLists(tf.ctx,
			&ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{list}})).PrefixLists[0]
		in.PrefixListId, in.CurrentVersion = &list, l.Version
		ok(tf.ec2.ModifyManagedPrefixList(tf.ctx, &in))
	}
	return resource{
		kind: "aws_ec2_managed_prefix_list_entry",
		create: func() string {
			modify(ec2.ModifyManagedPrefixListInput{AddEntries: []types.AddPrefixListEntry{{Cidr: aws.String("10.9.0.0/16")}}})
			return "10.9.0.0/16"
		},
		read: func(cidr string) attributes {
			description, there := tf.entries(list)[cidr]
			if !there {
				return nil
			}
			return attributes{"cidr": cidr, "description": description, "prefix_list_id": list}
		},
		want: attributes{"cidr": "10.9.0.0/16", "description": nil, "prefix_list_id": list},
		destroy: func(cidr string) {
			modify(ec2.ModifyManagedPrefixListInput{RemoveEntries: []types.RemovePrefixListEntry{{Cidr: &cidr}}})
		},
	}
}
