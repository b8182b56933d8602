package securitygroups

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// group is the group that a request names by id, or by name in the default VPC; any where there is none of the name.
func group[In any](names func(*In) (id, name *string)) action.Resolver[In] {
	return func(v action.View, in *In) []action.Resource {
		id, name := names(in)
		if shape.Get(id) != "" || shape.Get(name) == "" {
			return action.Some("security-group", id)
		}
		g, err := Named(v, v.Scope(), *name)
		if err != nil {
			return []action.Resource{{Kind: "security-group", ID: action.New}}
		}
		return []action.Resource{{Kind: "security-group", ID: string(g.ID)}}
	}
}

// homeOf is the VPC that a group is made in: the one named, or the default one.
func homeOf(v action.View, in *ec2wire.CreateSecurityGroupRequest) []action.Resource {
	if shape.Get(in.VpcId) != "" {
		return action.Some("vpc", in.VpcId)
	}
	vpc, _ := home(v, v.Scope()) // none: the action says so
	return action.Some("vpc", &vpc)
}

// rules are those that descriptions are for.
func rules[In any](list func(*In) []ec2wire.SecurityGroupRuleDescription) action.Resolver[In] {
	return func(_ action.View, in *In) []action.Resource {
		var out []action.Resource
		for _, d := range list(in) {
			out = append(out, action.Some("security-group-rule", d.SecurityGroupRuleId)...)
		}
		return out
	}
}

func updated(_ action.View, in *ec2wire.ModifySecurityGroupRulesRequest) []action.Resource {
	var out []action.Resource
	for _, u := range in.SecurityGroupRules {
		out = append(out, action.Some("security-group-rule", u.SecurityGroupRuleId)...)
	}
	return out
}
