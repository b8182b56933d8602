package securitygroups

import (
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Resolve turns the groups that a launch or an interface names into ids: given ids first, then names in the VPC; with
// neither, the VPC's default group (rule R8). Refusals: InvalidGroup.NotFound, for ids and names alike.
func Resolve(
	r store.Reader, s state.Scope, vpc slipway.VPCID, ids []slipway.SecurityGroupID, names []string,
) ([]slipway.SecurityGroupID, error) {
	out := slices.Clone(ids)
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	if _, err := state.SecurityGroups.RequireAll(r, s, texts); err != nil {
		return nil, err
	}
	for _, name := range names {
		g := ByName(r, s, vpc, name)
		switch {
		case g == nil && vpc == "":
			return nil, slipway.Errorf(slipway.InvalidGroupNotFound, "The security group '%s' does not exist", name)
		case g == nil:
			return nil, slipway.Errorf(slipway.InvalidGroupNotFound,
				"The security group '%s' does not exist in VPC '%s'", name, vpc)
		}
		if !slices.Contains(out, g.ID) {
			out = append(out, g.ID)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	g := ByName(r, s, vpc, "default")
	if g == nil {
		return nil, slipway.Errorf(slipway.InvalidGroupNotFound, "The security group 'default' does not exist in VPC '%s'", vpc)
	}
	return []slipway.SecurityGroupID{g.ID}, nil
}

// EnsureClassicDefault makes the account's group "default" of EC2-Classic, which comes with its first use: members
// reach each other.
func EnsureClassicDefault(tx store.Tx, s state.Scope) (slipway.SecurityGroupID, error) {
	if g := ByName(tx, s, "", "default"); g != nil {
		return g.ID, nil
	}
	id := slipway.NewSecurityGroupID()
	return id, state.SecurityGroups.Put(tx, &slipway.SecurityGroup{
		ID: id, Account: s.Account, Region: s.Region, Name: "default", Description: "default group",
		Rules: []slipway.Rule{
			{ID: slipway.NewSecurityGroupRuleID(), Protocol: "-1", From: -1, To: -1, Group: id, GroupOwner: s.Account},
		},
	})
}

// home is where a group that names no VPC belongs: the default VPC, or EC2-Classic in an account that has that instead.
func home(r store.Reader, s state.Scope) (slipway.VPCID, error) {
	if region := state.Regions.See(r, s, "-"); region != nil && region.DefaultVPC != "" {
		return region.DefaultVPC, nil
	}
	if a := state.Accounts.See(r, state.Global, s.Account); a != nil && a.Classic {
		return "", nil
	}
	return "", slipway.Errorf(slipway.VPCIDNotSpecified, "No default VPC for this user")
}

// Named finds the group that a request names where it names no VPC.
func Named(r store.Reader, s state.Scope, name string) (*slipway.SecurityGroup, error) {
	vpc, err := home(r, s)
	if err != nil {
		return nil, err
	}
	g := ByName(r, s, vpc, name)
	switch {
	case g == nil && vpc == "":
		return nil, slipway.Errorf(slipway.InvalidGroupNotFound, "The security group '%s' does not exist", name)
	case g == nil:
		return nil, slipway.Errorf(slipway.InvalidGroupNotFound,
			"The security group '%s' does not exist in default VPC '%s'", name, vpc)
	}
	return g, nil
}

// ByName finds a group of the VPC, or of EC2-Classic when vpc is empty.
func ByName(r store.Reader, s state.Scope, vpc slipway.VPCID, name string) *slipway.SecurityGroup {
	for g := range state.SecurityGroups.By(r, s, "name/"+name) {
		if g.VPC == vpc {
			return g
		}
	}
	return nil
}
