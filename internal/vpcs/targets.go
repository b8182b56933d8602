package vpcs

import (
	"slices"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// ofRange is the VPC whose range an association is.
func ofRange(v action.View, in *ec2wire.DisassociateVpcCidrBlockRequest) []action.Resource {
	is := func(c slipway.CIDRBlock) bool { return c.Association == shape.Get(in.AssociationId) }
	for vpc := range state.VPCs.All(v, v.Scope()) {
		if slices.ContainsFunc(vpc.CIDRs, is) || slices.ContainsFunc(vpc.IPv6, is) {
			return []action.Resource{{Kind: "vpc", ID: string(vpc.ID)}}
		}
	}
	return []action.Resource{{Kind: "vpc", ID: action.New}}
}

// ofSubnetRange is the subnet whose range an association is.
func ofSubnetRange(v action.View, in *ec2wire.DisassociateSubnetCidrBlockRequest) []action.Resource {
	return subnetBy(v, func(s *slipway.Subnet) bool { return s.IPv6.Association == shape.Get(in.AssociationId) })
}

func subnetBy(v action.View, is func(*slipway.Subnet) bool) []action.Resource {
	for s := range state.Subnets.All(v, v.Scope()) {
		if is(s) {
			return []action.Resource{{Kind: "subnet", ID: string(s.ID)}}
		}
	}
	return []action.Resource{{Kind: "subnet", ID: action.New}}
}

// dhcpOfVPC are the options that a VPC shall have; "default" is a word for none.
func dhcpOfVPC(_ action.View, in *ec2wire.AssociateDhcpOptionsRequest) []action.Resource {
	if shape.Get(in.DhcpOptionsId) == "default" {
		return nil
	}
	return action.Some("dhcp-options", in.DhcpOptionsId)
}

// ofAssociation is the route table that has an association, and its subnet if it has one.
func ofAssociation(v action.View, id *string) []action.Resource {
	for t := range state.RouteTables.All(v, v.Scope()) {
		for _, a := range t.Associations {
			if a.ID == shape.Get(id) {
				return append([]action.Resource{{Kind: "route-table", ID: string(t.ID)}}, action.Some("subnet", &a.Subnet)...)
			}
		}
	}
	return []action.Resource{{Kind: "route-table", ID: action.New}}
}

func ofTable(v action.View, in *ec2wire.DisassociateRouteTableRequest) []action.Resource {
	return ofAssociation(v, in.AssociationId)
}

func ofOldTable(v action.View, in *ec2wire.ReplaceRouteTableAssociationRequest) []action.Resource {
	return ofAssociation(v, in.AssociationId)
}

// routed is a route's table and what it leads to.
func routed(_ action.View, in *ec2wire.CreateRouteRequest) []action.Resource {
	return slices.Concat(
		action.Some("route-table", in.RouteTableId), gateway(in.GatewayId),
		action.Some("egress-only-internet-gateway", in.EgressOnlyInternetGatewayId),
		action.Some("instance", in.InstanceId), action.Some("network-interface", in.NetworkInterfaceId),
		action.Some("natgateway", in.NatGatewayId),
		action.Some("vpc-peering-connection", in.VpcPeeringConnectionId),
		action.Some("prefix-list", in.DestinationPrefixListId), action.Some("vpc-endpoint", in.VpcEndpointId),
	)
}

func rerouted(_ action.View, in *ec2wire.ReplaceRouteRequest) []action.Resource {
	return slices.Concat(
		action.Some("route-table", in.RouteTableId), gateway(in.GatewayId),
		action.Some("egress-only-internet-gateway", in.EgressOnlyInternetGatewayId),
		action.Some("instance", in.InstanceId), action.Some("network-interface", in.NetworkInterfaceId),
		action.Some("natgateway", in.NatGatewayId),
		action.Some("vpc-peering-connection", in.VpcPeeringConnectionId),
		action.Some("prefix-list", in.DestinationPrefixListId), action.Some("vpc-endpoint", in.VpcEndpointId),
	)
}

// gateway is an internet gateway; "local" is a word.
func gateway(id *string) []action.Resource {
	if slipway.Prefix(shape.Get(id)) != "igw" {
		return nil
	}
	return action.Some("internet-gateway", id)
}

// logged are the resources whose flows would be kept.
func logged(_ action.View, in *ec2wire.CreateFlowLogsRequest) []action.Resource {
	var out []action.Resource
	for _, id := range in.ResourceIds {
		if kind := slipway.ResourceTypes[slipway.Prefix(id)]; kind != "" {
			out = append(out, action.Resource{Kind: kind, ID: id})
		}
	}
	return out
}
