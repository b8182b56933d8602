package securitygroups

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/firstrules"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// maxRules is the quota of rules in each direction.
const maxRules = 60

// Create makes a group: nothing comes in, everything goes out.
func (s *Service) Create(
	ctx context.Context, in *ec2wire.CreateSecurityGroupRequest,
) (*ec2wire.CreateSecurityGroupResult, error) {
	name, description := strings.TrimRight(shape.Get(in.GroupName), " "), shape.Get(in.Description)
	switch {
	case name == "":
		return nil, slipway.Missing("GroupName")
	case description == "":
		return nil, slipway.Missing("GroupDescription")
	case strings.HasPrefix(name, "sg-"):
		return nil, slipway.Invalid(name, "groupName", "It may not begin with sg-.")
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "security-group")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	g := &slipway.SecurityGroup{
		ID: slipway.NewSecurityGroupID(), Account: scope.Account, Region: scope.Region, Name: name,
		Description: description, Tags: tags,
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		g.VPC = slipway.VPCID(shape.Get(in.VpcId))
		if g.VPC == "" {
			var err error
			if g.VPC, err = home(tx, scope); err != nil {
				return err
			}
			if g.VPC == "" {
				if err := checkTexts(name, description, action.AnyASCII); err != nil {
					return err
				}
				return createClassic(tx, g)
			}
		} else if _, err := slipway.ParseVPCID(string(g.VPC)); err != nil {
			return err
		}
		if err := checkTexts(name, description, action.GroupName.Set); err != nil {
			return err
		}
		v, err := state.VPCs.Require(tx, scope, string(g.VPC))
		if err != nil {
			return err
		}
		for other := range state.SecurityGroups.By(tx, scope, "vpc/"+string(g.VPC)) {
			if strings.EqualFold(other.Name, name) {
				return slipway.Errorf(slipway.InvalidGroupDuplicate,
					"The security group '%s' already exists for VPC '%s'", name, g.VPC)
			}
		}
		g.Rules = firstrules.OpenEgress(len(v.IPv6) > 0)
		return state.SecurityGroups.Put(tx, g)
	})
	if err != nil {
		return nil, err
	}
	w := wireGroup(g)
	return &ec2wire.CreateSecurityGroupResult{GroupId: w.GroupId, SecurityGroupArn: w.SecurityGroupArn, Tags: w.Tags}, nil
}

func checkTexts(name, description, set string) error {
	return cmp.Or(action.GroupName.In(set).Check(name), action.GroupDescription.In(set).Check(description))
}

// createClassic makes a group of EC2-Classic, which has no egress rules: everything goes out.
func createClassic(tx store.Tx, g *slipway.SecurityGroup) error {
	scope := state.Scope{Account: g.Account, Region: g.Region}
	for other := range state.SecurityGroups.All(tx, scope) {
		if other.VPC == "" && strings.EqualFold(other.Name, g.Name) {
			return slipway.Errorf(slipway.InvalidGroupDuplicate, "The security group '%s' already exists", g.Name)
		}
	}
	return state.SecurityGroups.Put(tx, g)
}

// find takes the group that a request names by id, or by name in the default VPC.
func find(tx store.Tx, scope state.Scope, id, name *string) (*slipway.SecurityGroup, error) {
	if shape.Get(id) != "" {
		g, err := slipway.ParseSecurityGroupID(*id)
		if err != nil {
			return nil, err
		}
		return state.SecurityGroups.Get(tx, scope, string(g))
	}
	if shape.Get(name) == "" {
		return nil, slipway.Missing("GroupId")
	}
	g, err := Named(tx, scope, *name)
	if err != nil {
		return nil, err
	}
	return state.SecurityGroups.Get(tx, scope, string(g.ID))
}

// Delete removes a group that nothing uses.
func (s *Service) Delete(
	ctx context.Context, in *ec2wire.DeleteSecurityGroupRequest,
) (*ec2wire.DeleteSecurityGroupResult, error) {
	scope := state.Of(ctx)
	out := &ec2wire.DeleteSecurityGroupResult{Return: shape.Of(true)}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		g, err := find(tx, scope, in.GroupId, in.GroupName)
		if err != nil {
			return err
		}
		if g.Name == "default" && g.VPC == "" {
			return slipway.Errorf(slipway.InvalidGroupReserved, "The security group 'default' is reserved")
		}
		if g.Name == "default" {
			return slipway.Errorf(slipway.CannotDelete, "the specified group: %q name: %q cannot be deleted by a user",
				string(g.ID), g.Name)
		}
		used := slipway.Errorf(slipway.DependencyViolation, "resource %s has a dependent object", g.ID)
		for range state.Interfaces.By(tx, scope, "group/"+string(g.ID)) {
			return used
		}
		for range state.Instances.By(tx, scope, "group/"+string(g.ID)) {
			return slipway.Errorf(slipway.InvalidGroupInUse, "There are active instances using security group '%s'", g.Name)
		}
		for other := range state.SecurityGroups.By(tx, scope, "refers/"+string(g.ID)) {
			if other.ID != g.ID {
				return used
			}
		}
		out.GroupId = shape.Text(g.ID)
		state.SecurityGroups.Delete(tx, scope, string(g.ID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AuthorizeIngress lets traffic in; all rules of the call, or none.
func (s *Service) AuthorizeIngress(
	ctx context.Context, in *ec2wire.AuthorizeSecurityGroupIngressRequest,
) (*ec2wire.AuthorizeSecurityGroupIngressResult, error) {
	perms, err := flat(in.IpPermissions, in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName,
		in.SourceSecurityGroupOwnerId)
	if err != nil {
		return nil, err
	}
	rules, err := s.authorize(ctx, in.GroupId, in.GroupName, perms, false, in.TagSpecifications)
	return &ec2wire.AuthorizeSecurityGroupIngressResult{Return: shape.Of(true), SecurityGroupRules: rules}, err
}

// AuthorizeEgress lets traffic out.
func (s *Service) AuthorizeEgress(
	ctx context.Context, in *ec2wire.AuthorizeSecurityGroupEgressRequest,
) (*ec2wire.AuthorizeSecurityGroupEgressResult, error) {
	perms, err := flat(in.IpPermissions, in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName,
		in.SourceSecurityGroupOwnerId)
	if err != nil {
		return nil, err
	}
	rules, err := s.authorize(ctx, in.GroupId, nil, perms, true, in.TagSpecifications)
	return &ec2wire.AuthorizeSecurityGroupEgressResult{Return: shape.Of(true), SecurityGroupRules: rules}, err
}

// flat joins the older form, one rule in members of the request itself, with the list.
func flat(
	perms []ec2wire.IpPermission, protocol *string, from, to *int32, cidr, group, owner *string,
) ([]ec2wire.IpPermission, error) {
	if shape.Get(protocol) == "" && shape.Get(cidr) == "" && shape.Get(group) == "" {
		return perms, nil
	}
	if len(perms) > 0 {
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter ipPermissions cannot be used with the parameter ipProtocol")
	}
	p := ec2wire.IpPermission{IpProtocol: protocol, FromPort: from, ToPort: to}
	if shape.Get(cidr) != "" {
		p.IpRanges = []ec2wire.IpRange{{CidrIp: cidr}}
	}
	if shape.Get(group) != "" {
		p.UserIdGroupPairs = []ec2wire.UserIdGroupPair{{GroupName: group, UserId: owner}}
		if protocol == nil {
			p.IpProtocol = shape.Of("-1")
		}
	}
	return []ec2wire.IpPermission{p}, nil
}

// resolve looks up the groups that rules refer to.
func resolve(tx store.Tx, g *slipway.SecurityGroup, in []source) ([]slipway.Rule, error) {
	scope := state.Scope{Account: g.Account, Region: g.Region}
	out := make([]slipway.Rule, len(in))
	for i, src := range in {
		r := src.Rule
		if src.groupName != "" && r.Group == "" {
			if own, err := home(tx, scope); err != nil || own != g.VPC { // rule peer-by-name
				return nil, slipway.Errorf(slipway.InvalidParameterValue, "Invalid value '%s' for groupName. You may not "+
					"reference Amazon VPC security groups by name. Please use the corresponding id for this operation.",
					src.groupName)
			}
			other := ByName(tx, scope, g.VPC, src.groupName)
			if other == nil {
				return nil, slipway.Errorf(slipway.InvalidGroupNotFound,
					"The security group '%s' does not exist in VPC '%s'", src.groupName, g.VPC)
			}
			r.Group = other.ID
		}
		if r.Group != "" {
			other := state.SecurityGroups.See(tx, scope, string(r.Group))
			if other == nil || other.VPC != g.VPC && peered(tx, g.Region, g.VPC, other.VPC) == nil {
				return nil, slipway.Errorf(slipway.InvalidGroupNotFound,
					"You have specified two resources that belong to different networks, or the security group '%s' "+
						"does not exist",
					r.Group)
			}
			r.GroupOwner = g.Account
		}
		if r.PrefixList != "" {
			if g.VPC == "" {
				return nil, slipway.Errorf(slipway.InvalidParameterValue, "Prefix lists may only be used in groups of a VPC.")
			}
			_, err := state.PrefixLists.Require(tx, scope, r.PrefixList)
			same := func(has slipway.Rule) bool { return has.PrefixList == r.PrefixList }
			if err != nil && !slices.ContainsFunc(g.Rules, same) { // a list may go while rules name it, which then can be revoked
				return nil, err
			}
		}
		out[i] = r
	}
	return out, nil
}

func (s *Service) authorize(
	ctx context.Context, id, name *string, perms []ec2wire.IpPermission, egress bool, specs []ec2wire.TagSpecification,
) ([]ec2wire.SecurityGroupRule, error) {
	if len(perms) == 0 {
		return nil, slipway.Missing("IpPermissions")
	}
	sources, err := readPermissions(perms, egress)
	if err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(specs, "security-group-rule")
	if err != nil {
		return nil, err
	}
	var out []ec2wire.SecurityGroupRule
	err = s.db.Update(ctx, func(tx store.Tx) error {
		out = []ec2wire.SecurityGroupRule{}
		g, err := find(tx, state.Of(ctx), id, name)
		if err != nil {
			return err
		}
		if g.VPC == "" && egress {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"Only Amazon VPC security groups may be used with this operation.")
		}
		rules, err := resolve(tx, g, sources)
		if err != nil {
			return err
		}
		if err := distinct(rules); err != nil {
			return err
		}
		for _, r := range rules {
			if slices.ContainsFunc(g.Rules, r.Same) {
				return duplicate(r)
			}
			r.ID, r.Tags = slipway.NewSecurityGroupRuleID(), tags
			g.Rules = append(g.Rules, r)
			out = append(out, wireRule(g, r))
		}
		n := 0
		for _, r := range g.Rules {
			if r.Egress == egress {
				n += weight(tx, g, r)
			}
		}
		if n > maxRules {
			return slipway.Errorf(slipway.RulesPerSecurityGroupLimitExceeded,
				"The maximum number of rules per security group has been reached.")
		}
		return state.SecurityGroups.Put(tx, g)
	})
	return out, err
}

// weight is how many rules one counts for: a reference to a prefix list as many as the list may have entries.
func weight(r store.Reader, g *slipway.SecurityGroup, rule slipway.Rule) int {
	if rule.PrefixList == "" {
		return 1
	}
	if l := state.PrefixLists.See(r, state.Scope{Account: g.Account, Region: g.Region}, rule.PrefixList); l != nil {
		return int(l.MaxEntries)
	}
	return 1
}

// distinct refuses a call that asks for a rule twice (rule rule-twice).
func distinct(rules []slipway.Rule) error {
	for i, r := range rules {
		if slices.ContainsFunc(rules[:i], r.Same) {
			return slipway.Errorf(slipway.InvalidParameterValue, "The same permission must not appear multiple times")
		}
	}
	return nil
}

// duplicate is for a rule that the group has already.
func duplicate(r slipway.Rule) error {
	return slipway.Errorf(slipway.InvalidPermissionDuplicate,
		"the specified rule \"peer: %s, %s, from port: %d, to port: %d, ALLOW\" already exists", peer(r),
		strings.ToUpper(r.Protocol), r.From, r.To)
}

func peer(r slipway.Rule) string {
	if r.Group != "" {
		return string(r.Group)
	}
	if r.PrefixList != "" {
		return r.PrefixList
	}
	return r.CIDR.String()
}

// RevokeIngress takes rules away.
func (s *Service) RevokeIngress(
	ctx context.Context, in *ec2wire.RevokeSecurityGroupIngressRequest,
) (*ec2wire.RevokeSecurityGroupIngressResult, error) {
	perms, err := flat(in.IpPermissions, in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName,
		in.SourceSecurityGroupOwnerId)
	if err != nil {
		return nil, err
	}
	unknown, gone, err := s.revoke(ctx, in.GroupId, in.GroupName, perms, in.SecurityGroupRuleIds, false)
	return &ec2wire.RevokeSecurityGroupIngressResult{
		Return: shape.Of(true), UnknownIpPermissions: unknown, RevokedSecurityGroupRules: gone,
	}, err
}

// RevokeEgress takes egress rules away.
func (s *Service) RevokeEgress(
	ctx context.Context, in *ec2wire.RevokeSecurityGroupEgressRequest,
) (*ec2wire.RevokeSecurityGroupEgressResult, error) {
	perms, err := flat(in.IpPermissions, in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName,
		in.SourceSecurityGroupOwnerId)
	if err != nil {
		return nil, err
	}
	unknown, gone, err := s.revoke(ctx, in.GroupId, nil, perms, in.SecurityGroupRuleIds, true)
	return &ec2wire.RevokeSecurityGroupEgressResult{
		Return: shape.Of(true), UnknownIpPermissions: unknown, RevokedSecurityGroupRules: gone,
	}, err
}

// revoke removes what matches. In the default VPC what matches nothing is only named; elsewhere it refuses the call.
func (s *Service) revoke(
	ctx context.Context, id, name *string, perms []ec2wire.IpPermission, ruleIDs []string, egress bool,
) ([]ec2wire.IpPermission, []ec2wire.RevokedSecurityGroupRule, error) {
	if len(perms)+len(ruleIDs) == 0 {
		return nil, nil, slipway.Missing("IpPermissions")
	}
	var unknown []ec2wire.IpPermission
	var gone []ec2wire.RevokedSecurityGroupRule
	err := s.db.Update(ctx, func(tx store.Tx) error {
		unknown, gone = []ec2wire.IpPermission{}, []ec2wire.RevokedSecurityGroupRule{}
		g, err := find(tx, state.Of(ctx), id, name)
		if err != nil {
			return err
		}
		remove := func(i int) {
			r := wireRule(g, g.Rules[i])
			w := ec2wire.RevokedSecurityGroupRule{
				SecurityGroupRuleId: r.SecurityGroupRuleId, GroupId: r.GroupId, IsEgress: r.IsEgress,
				IpProtocol: r.IpProtocol, FromPort: r.FromPort, ToPort: r.ToPort,
				CidrIpv4: r.CidrIpv4, CidrIpv6: r.CidrIpv6, PrefixListId: r.PrefixListId, Description: r.Description,
			}
			if r.ReferencedGroupInfo != nil {
				w.ReferencedGroupId = r.ReferencedGroupInfo.GroupId
			}
			gone = append(gone, w)
			g.Rules = slices.Delete(g.Rules, i, i+1)
		}
		for _, rid := range ruleIDs {
			i := slices.IndexFunc(g.Rules, func(r slipway.Rule) bool { return string(r.ID) == rid && r.Egress == egress })
			if i < 0 {
				return noRule(rid)
			}
			remove(i)
		}
		v := state.VPCs.See(tx, state.Of(ctx), string(g.VPC))
		for _, p := range perms {
			sources, err := readPermissions([]ec2wire.IpPermission{p}, egress)
			if err != nil {
				return err
			}
			rules, err := resolve(tx, g, sources)
			if err != nil {
				return err
			}
			for _, r := range rules {
				i := slices.IndexFunc(g.Rules, r.Same)
				switch {
				case i >= 0:
					remove(i)
				case v != nil && v.Default:
					unknown = append(unknown, p)
				default:
					return slipway.Errorf(slipway.InvalidPermissionNotFound,
						"The specified rule does not exist in this security group.")
				}
			}
		}
		return state.SecurityGroups.Put(tx, g)
	})
	return unknown, gone, err
}
