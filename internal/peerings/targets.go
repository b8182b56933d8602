package peerings

import (
	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// peered are the two VPCs that shall be joined; the other account's is named with its owner.
func peered(v action.View, in *ec2wire.CreateVpcPeeringConnectionRequest) []action.Resource {
	out := action.Some("vpc", in.VpcId)
	owner := shape.Get(in.PeerOwnerId)
	if owner == "" || owner == v.Call.Account {
		return append(out, action.Some("vpc", in.PeerVpcId)...)
	}
	if id := shape.Get(in.PeerVpcId); id != "" {
		out = append(out, action.Resource{ARN: slipway.EC2ARN(v.Call.Region, owner, "vpc", id)})
	}
	return out
}

// accepted is the peering, and the VPC that is opened by accepting it.
func accepted(v action.View, in *ec2wire.AcceptVpcPeeringConnectionRequest) []action.Resource {
	out := action.Some("vpc-peering-connection", in.VpcPeeringConnectionId)
	if p := state.Peerings.See(v, state.Shared(v.Call.Region), shape.Get(in.VpcPeeringConnectionId)); p != nil &&
		p.Accepter.Account == v.Call.Account {
		out = append(out, action.Some("vpc", &p.Accepter.VPC)...)
	}
	return out
}
