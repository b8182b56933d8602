package securitygroups

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// RedescribeIngress answers UpdateSecurityGroupRuleDescriptionsIngress.
func (s *Service) RedescribeIngress(
	ctx context.Context, in *ec2wire.UpdateSecurityGroupRuleDescriptionsIngressRequest,
) (*ec2wire.UpdateSecurityGroupRuleDescriptionsIngressResult, error) {
	err := s.redescribe(ctx, in.GroupId, in.GroupName, in.IpPermissions, in.SecurityGroupRuleDescriptions, false)
	return &ec2wire.UpdateSecurityGroupRuleDescriptionsIngressResult{Return: shape.Of(true)}, err
}

// RedescribeEgress answers UpdateSecurityGroupRuleDescriptionsEgress.
func (s *Service) RedescribeEgress(
	ctx context.Context, in *ec2wire.UpdateSecurityGroupRuleDescriptionsEgressRequest,
) (*ec2wire.UpdateSecurityGroupRuleDescriptionsEgressResult, error) {
	err := s.redescribe(ctx, in.GroupId, in.GroupName, in.IpPermissions, in.SecurityGroupRuleDescriptions, true)
	return &ec2wire.UpdateSecurityGroupRuleDescriptionsEgressResult{Return: shape.Of(true)}, err
}

func noRule(ids ...string) error {
	return slipway.NotFound(slipway.InvalidSecurityGroupRuleIDNotFound, "The security group rule ID '%s' does not exist", ids...)
}

// redescribe gives rules new descriptions, or none: all of the call, or none of it.
func (s *Service) redescribe(
	ctx context.Context, id, name *string, perms []ec2wire.IpPermission, rules []ec2wire.SecurityGroupRuleDescription,
	egress bool,
) error {
	switch {
	case len(perms)+len(rules) == 0:
		return slipway.Missing("IpPermissions")
	case len(perms) > 0 && len(rules) > 0:
		return slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter ipPermissions cannot be used with the parameter securityGroupRuleDescriptions")
	}
	sources, err := readPermissions(perms, egress)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		g, err := find(tx, state.Of(ctx), id, name)
		if err != nil {
			return err
		}
		wanted, err := resolve(tx, g, sources)
		if err != nil {
			return err
		}
		for _, r := range wanted {
			i := slices.IndexFunc(g.Rules, r.Same)
			if i < 0 {
				return slipway.Errorf(slipway.InvalidPermissionNotFound,
					"The specified rule does not exist in this security group.")
			}
			g.Rules[i].Description = r.Description
		}
		for _, w := range rules {
			i := slices.IndexFunc(g.Rules, func(r slipway.Rule) bool {
				return string(r.ID) == shape.Get(w.SecurityGroupRuleId) && r.Egress == egress
			})
			if i < 0 {
				return noRule(shape.Get(w.SecurityGroupRuleId))
			}
			if err := action.RuleDescription.Check(shape.Get(w.Description)); err != nil {
				return err
			}
			g.Rules[i].Description = shape.Get(w.Description)
		}
		return state.SecurityGroups.Put(tx, g)
	})
}

// ModifyRules answers ModifySecurityGroupRules: each rule named is replaced whole, and keeps its id, direction and tags.
func (s *Service) ModifyRules(
	ctx context.Context, in *ec2wire.ModifySecurityGroupRulesRequest,
) (*ec2wire.ModifySecurityGroupRulesResult, error) {
	if len(in.SecurityGroupRules) == 0 {
		return nil, slipway.Missing("SecurityGroupRule")
	}
	if shape.Get(in.GroupId) == "" {
		return nil, slipway.Missing("GroupId")
	}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		g, err := find(tx, state.Of(ctx), in.GroupId, nil)
		if err != nil {
			return err
		}
		var changed []slipway.Rule
		for _, w := range in.SecurityGroupRules {
			id := shape.Get(w.SecurityGroupRuleId)
			i := slices.IndexFunc(g.Rules, func(r slipway.Rule) bool { return string(r.ID) == id })
			if i < 0 {
				return noRule(id)
			}
			next, err := replacement(tx, g, g.Rules[i], w.SecurityGroupRule)
			if err != nil {
				return err
			}
			changed = append(changed, next)
			if err := distinct(changed); err != nil {
				return err
			}
			for j, other := range g.Rules {
				if j != i && next.Same(other) {
					return duplicate(next)
				}
			}
			g.Rules[i] = next
		}
		return state.SecurityGroups.Put(tx, g)
	})
	return &ec2wire.ModifySecurityGroupRulesResult{Return: shape.Of(true)}, err
}

func replacement(
	tx store.Tx, g *slipway.SecurityGroup, was slipway.Rule, w *ec2wire.SecurityGroupRuleRequest,
) (slipway.Rule, error) {
	if w == nil {
		return was, slipway.Missing("SecurityGroupRule.SecurityGroupRule")
	}
	p := ec2wire.IpPermission{IpProtocol: w.IpProtocol, FromPort: w.FromPort, ToPort: w.ToPort}
	if shape.Get(w.CidrIpv4) != "" {
		p.IpRanges = []ec2wire.IpRange{{CidrIp: w.CidrIpv4, Description: w.Description}}
	}
	if shape.Get(w.CidrIpv6) != "" {
		p.Ipv6Ranges = []ec2wire.Ipv6Range{{CidrIpv6: w.CidrIpv6, Description: w.Description}}
	}
	if shape.Get(w.PrefixListId) != "" {
		p.PrefixListIds = []ec2wire.PrefixListId{{PrefixListId: w.PrefixListId, Description: w.Description}}
	}
	if shape.Get(w.ReferencedGroupId) != "" {
		p.UserIdGroupPairs = []ec2wire.UserIdGroupPair{{GroupId: w.ReferencedGroupId, Description: w.Description}}
	}
	sources, err := readPermissions([]ec2wire.IpPermission{p}, was.Egress)
	if err != nil {
		return was, err
	}
	if len(sources) != 1 {
		return was, slipway.Errorf(slipway.InvalidParameterCombination,
			"A rule has exactly one of cidrIpv4, cidrIpv6, prefixListId and referencedGroupId")
	}
	rules, err := resolve(tx, g, sources)
	if err != nil {
		return was, err
	}
	next := rules[0]
	next.ID, next.Tags = was.ID, was.Tags
	return next, nil
}

// peered finds the active peering between two VPCs of the region.
func peered(r store.Reader, region string, a, b slipway.VPCID) *slipway.Peering {
	for p := range state.Peerings.By(r, state.Shared(region), "vpc/"+string(a)) {
		if p.Status == slipway.PeeringStateActive && (p.Requester.VPC == b || p.Accepter.VPC == b) {
			return p
		}
	}
	return nil
}

// References answers DescribeSecurityGroupReferences: which peered VPCs' groups refer to these.
func (s *Service) References(
	ctx context.Context, in *ec2wire.DescribeSecurityGroupReferencesRequest,
) (*ec2wire.DescribeSecurityGroupReferencesResult, error) {
	if len(in.GroupId) == 0 {
		return nil, slipway.Missing("GroupId")
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	out := &ec2wire.DescribeSecurityGroupReferencesResult{SecurityGroupReferenceSet: []ec2wire.SecurityGroupReference{}}
	groups, err := state.SecurityGroups.RequireAll(r, scope, in.GroupId)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		seen := map[slipway.VPCID]bool{g.VPC: true}
		for other := range state.SecurityGroups.By(r, scope, "refers/"+string(g.ID)) {
			if seen[other.VPC] {
				continue
			}
			seen[other.VPC] = true
			if p := peered(r, scope.Region, g.VPC, other.VPC); p != nil {
				out.SecurityGroupReferenceSet = append(out.SecurityGroupReferenceSet, ec2wire.SecurityGroupReference{
					GroupId: shape.Text(g.ID), ReferencingVpcId: shape.Text(other.VPC),
					VpcPeeringConnectionId: shape.Text(p.ID),
				})
			}
		}
	}
	return out, nil
}

// Stale answers DescribeStaleSecurityGroups: groups with rules that refer into a VPC that is no longer peered.
func (s *Service) Stale(
	ctx context.Context, in *ec2wire.DescribeStaleSecurityGroupsRequest,
) (*ec2wire.DescribeStaleSecurityGroupsResult, error) {
	vpc, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	if _, err := state.VPCs.Require(r, scope, string(vpc)); err != nil {
		return nil, err
	}
	all := []ec2wire.StaleSecurityGroup{}
	for g := range state.SecurityGroups.By(r, scope, "vpc/"+string(vpc)) {
		w := ec2wire.StaleSecurityGroup{
			GroupId: shape.Text(g.ID), GroupName: &g.Name, Description: &g.Description, VpcId: shape.Text(vpc),
			StaleIpPermissions: stale(r, g, false), StaleIpPermissionsEgress: stale(r, g, true),
		}
		if len(w.StaleIpPermissions)+len(w.StaleIpPermissionsEgress) > 0 {
			all = append(all, w)
		}
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, false, 5)
	return &ec2wire.DescribeStaleSecurityGroupsResult{StaleSecurityGroupSet: page, NextToken: next}, err
}

func stale(r store.Reader, g *slipway.SecurityGroup, egress bool) []ec2wire.StaleIpPermission {
	out := []ec2wire.StaleIpPermission{}
	for _, rule := range g.Rules {
		if rule.Egress != egress || rule.Group == "" {
			continue
		}
		other := state.SecurityGroups.See(r, state.Scope{Account: g.Account, Region: g.Region}, string(rule.Group))
		if other != nil && (other.VPC == g.VPC || peered(r, g.Region, g.VPC, other.VPC) != nil) {
			continue
		}
		from, to := ports(rule)
		pair := ec2wire.UserIdGroupPair{GroupId: shape.Text(rule.Group), UserId: shape.Of(rule.GroupOwner)}
		if other != nil {
			pair.VpcId, pair.PeeringStatus = shape.Text(other.VPC), shape.Of("deleted")
		}
		out = append(out,
			ec2wire.StaleIpPermission{
				IpProtocol: shape.Of(rule.Protocol), FromPort: from, ToPort: to,
				UserIdGroupPairs: []ec2wire.UserIdGroupPair{pair}, IpRanges: []string{}, PrefixListIds: []string{},
			})
	}
	return out
}
