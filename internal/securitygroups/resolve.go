package securitygroups

import (
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Resolve turns the groups that a launch or an interface names into ids: given ids first, then names in the VPC; with
// neither, the VPC's default group (rule R8). Refusals: InvalidGroup.NotFound, for ids and names alike.
func Resolve(r store.Reader, s state.Scope, vpc slipway.VPCID, ids []slipway.SecurityGroupID, names []string) ([]slipway.SecurityGroupID, error) {
	out := slices.Clone(ids)
	for _, id := range ids {
		if state.SecurityGroups.See(r, s, string(id)) == nil {
			return nil, state.SecurityGroups.Absent(string(id))
		}
	}
	for _, name := range names {
		g := ByName(r, s, vpc, name)
		switch {
		case g == nil && vpc == "":
			return nil, slipway.Errorf(slipway.InvalidGroupNotFound, "The security group '%s' does not exist", name)
		case g == nil:
			return nil, slipway.Errorf(slipway.InvalidGroupNotFound, "The security group '%s' does not exist in VPC '%s'", name, vpc)
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

// ByName finds a group of the VPC, or of EC2-Classic when vpc is empty.
func ByName(r store.Reader, s state.Scope, vpc slipway.VPCID, name string) *slipway.SecurityGroup {
	for g := range state.SecurityGroups.By(r, s, "name/"+name) {
		if g.VPC == vpc {
			return g
		}
	}
	return nil
}
