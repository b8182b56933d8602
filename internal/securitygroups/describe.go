package securitygroups

import (
	"context"
	"slices"
	"strconv"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Describe answers DescribeSecurityGroups.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeSecurityGroupsRequest,
) (*ec2wire.DescribeSecurityGroupsResult, error) {
	for _, id := range in.GroupIds {
		if _, err := slipway.ParseSecurityGroupID(id); err != nil {
			return nil, err
		}
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), fields(r), tagsOf)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	if _, err := state.SecurityGroups.RequireAll(r, scope, in.GroupIds); err != nil {
		return nil, err
	}
	own, err := home(r, scope)
	names := map[string]bool{}
	for _, name := range in.GroupNames {
		names[name] = err == nil && ByName(r, scope, own, name) != nil
	}
	if missing := shape.Unseen(in.GroupNames, names); len(missing) > 0 {
		return nil, state.SecurityGroups.Absent(missing...)
	}
	all := []ec2wire.SecurityGroup{}
	for g := range state.SecurityGroups.All(r, scope) {
		named := slices.Contains(in.GroupIds, string(g.ID)) || slices.Contains(in.GroupNames, g.Name) && g.VPC == own
		if len(in.GroupIds)+len(in.GroupNames) > 0 && !named || !match(g) {
			continue
		}
		all = append(all, wireGroup(g))
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, len(in.GroupIds) > 0, 5)
	return &ec2wire.DescribeSecurityGroupsResult{SecurityGroups: page, NextToken: next}, err
}

// ForVPC answers GetSecurityGroupsForVpc: the groups that the VPC's interfaces may have, which are its own.
func (s *Service) ForVPC(
	ctx context.Context, in *ec2wire.GetSecurityGroupsForVpcRequest,
) (*ec2wire.GetSecurityGroupsForVpcResult, error) {
	if shape.Get(in.VpcId) == "" {
		return nil, slipway.Missing("VpcId")
	}
	if _, err := slipway.ParseVPCID(*in.VpcId); err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all := fields(r)
	may := filters.Fields[*slipway.SecurityGroup]{"primary-vpc-id": all["vpc-id"]}
	for _, name := range []string{"group-id", "group-name", "owner-id", "description"} {
		may[name] = all[name]
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), may, tagsOf)
	if err != nil {
		return nil, err
	}
	if _, err := state.VPCs.Require(r, state.Of(ctx), *in.VpcId); err != nil {
		return nil, err
	}
	out := []ec2wire.SecurityGroupForVpc{}
	for g := range state.SecurityGroups.All(r, state.Of(ctx)) {
		if string(g.VPC) == *in.VpcId && match(g) {
			out = append(out, ec2wire.SecurityGroupForVpc{
				GroupId: shape.Text(g.ID), GroupName: shape.Of(g.Name), Description: shape.Of(g.Description),
				OwnerId: shape.Of(g.Account), PrimaryVpcId: shape.Text(g.VPC), Tags: shape.Tags(g.Tags),
			})
		}
	}
	page, next, err := describe.Page(out, in.MaxResults, in.NextToken, false, 5)
	return &ec2wire.GetSecurityGroupsForVpcResult{SecurityGroupForVpcs: page, NextToken: next}, err
}

func tagsOf(g *slipway.SecurityGroup) slipway.Tags { return g.Tags }

func fields(r store.Reader) filters.Fields[*slipway.SecurityGroup] {
	f := filters.Fields[*slipway.SecurityGroup]{
		"group-id":    func(g *slipway.SecurityGroup) []string { return shape.One(g.ID) },
		"group-name":  func(g *slipway.SecurityGroup) []string { return shape.One(g.Name) },
		"vpc-id":      func(g *slipway.SecurityGroup) []string { return shape.One(g.VPC) },
		"owner-id":    func(g *slipway.SecurityGroup) []string { return shape.One(g.Account) },
		"description": func(g *slipway.SecurityGroup) []string { return shape.One(g.Description) },
	}
	for _, egress := range []bool{false, true} {
		prefix := "ip-permission."
		if egress {
			prefix = "egress.ip-permission."
		}
		each := func(name string, get func(slipway.Rule) string) {
			f[prefix+name] = func(g *slipway.SecurityGroup) []string {
				var out []string
				for _, rule := range g.Rules {
					if v := get(rule); rule.Egress == egress && v != "" {
						out = append(out, v)
					}
				}
				return out
			}
		}
		f[prefix+"group-name"] = func(g *slipway.SecurityGroup) []string {
			var out []string
			for _, rule := range g.Rules {
				if rule.Egress == egress {
					out = append(out, shape.One(peerName(r, g.Region, rule))...)
				}
			}
			return out
		}
		port := func(pick func(slipway.Rule) int32) func(slipway.Rule) string {
			return func(r slipway.Rule) string {
				if p, _ := ports(r); p == nil {
					return ""
				}
				return strconv.Itoa(int(pick(r)))
			}
		}
		cidr := func(four bool) func(slipway.Rule) string {
			return func(r slipway.Rule) string {
				if !r.CIDR.IsValid() || r.CIDR.Addr().Is4() != four {
					return ""
				}
				return r.CIDR.String()
			}
		}
		each("protocol", func(r slipway.Rule) string { return r.Protocol })
		each("from-port", port(func(r slipway.Rule) int32 { return r.From }))
		each("to-port", port(func(r slipway.Rule) int32 { return r.To }))
		each("cidr", cidr(true))
		each("ipv6-cidr", cidr(false))
		each("group-id", func(r slipway.Rule) string { return string(r.Group) })
		each("user-id", func(r slipway.Rule) string { return r.GroupOwner })
		each("prefix-list-id", func(r slipway.Rule) string { return r.PrefixList })
	}
	return f
}

// peerName is the name of the group that a rule refers to, where that is still there.
func peerName(r store.Reader, region string, rule slipway.Rule) string {
	if rule.Group == "" {
		return ""
	}
	if g := state.SecurityGroups.See(r, state.Scope{Account: rule.GroupOwner, Region: region}, string(rule.Group)); g != nil {
		return g.Name
	}
	return ""
}

// ruleOf is a rule with its group, for filters.
type ruleOf struct {
	g *slipway.SecurityGroup
	r slipway.Rule
}

var ruleFields = filters.Fields[ruleOf]{
	"group-id":               func(x ruleOf) []string { return shape.One(x.g.ID) },
	"security-group-rule-id": func(x ruleOf) []string { return shape.One(x.r.ID) },
}

// DescribeRules answers DescribeSecurityGroupRules.
func (s *Service) DescribeRules(
	ctx context.Context, in *ec2wire.DescribeSecurityGroupRulesRequest,
) (*ec2wire.DescribeSecurityGroupRulesResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), ruleFields, func(x ruleOf) slipway.Tags { return x.r.Tags })
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all := []ec2wire.SecurityGroupRule{}
	seen := map[string]bool{}
	for g := range state.SecurityGroups.All(r, state.Of(ctx)) {
		for _, rule := range g.Rules {
			seen[string(rule.ID)] = true
			if len(in.SecurityGroupRuleIds) > 0 && !slices.Contains(in.SecurityGroupRuleIds, string(rule.ID)) ||
				!match(ruleOf{g, rule}) {
				continue
			}
			all = append(all, wireRule(g, rule))
		}
	}
	if missing := shape.Unseen(in.SecurityGroupRuleIds, seen); len(missing) > 0 {
		return nil, noRule(missing...)
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, len(in.SecurityGroupRuleIds) > 0, 5)
	return &ec2wire.DescribeSecurityGroupRulesResult{SecurityGroupRules: page, NextToken: next}, err
}
