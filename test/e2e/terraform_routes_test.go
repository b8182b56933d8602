package e2e

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func (tf *terraform) internetGateway(vpc string) resource {
	one := func(id string) types.InternetGateway {
		return ok(tf.ec2.DescribeInternetGateways(tf.ctx,
			&ec2.DescribeInternetGatewaysInput{InternetGatewayIds: []string{id}})).InternetGateways[0]
	}
	return resource{
		kind: "aws_internet_gateway",
		create: func() string {
			id := *ok(tf.ec2.CreateInternetGateway(tf.ctx,
				&ec2.CreateInternetGatewayInput{
					TagSpecifications: named(types.ResourceTypeInternetGateway),
				})).InternetGateway.InternetGatewayId
			ok(tf.ec2.AttachInternetGateway(tf.ctx, &ec2.AttachInternetGatewayInput{InternetGatewayId: &id, VpcId: &vpc}))
			until("the gateway is attached", func() bool {
				a := one(id).Attachments
				return len(a) == 1 && a[0].State == "available"
			})
			return id
		},
		read: func(id string) attributes {
			g := one(id)
			return attributes{"owner_id": g.OwnerId, "vpc_id": g.Attachments[0].VpcId, "tags": tagsOf(g.Tags)}
		},
		want: attributes{"owner_id": tf.r.keys.AccountID, "vpc_id": vpc, "tags": tagged},
		destroy: func(id string) {
			ok(tf.ec2.DetachInternetGateway(tf.ctx, &ec2.DetachInternetGatewayInput{InternetGatewayId: &id, VpcId: &vpc}))
			until("the gateway is detached", func() bool { return len(one(id).Attachments) == 0 })
			ok(tf.ec2.DeleteInternetGateway(tf.ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: &id}))
		},
		gone: "InvalidInternetGatewayID.NotFound",
	}
}

func (tf *terraform) egressOnlyGateway(vpc string) resource {
	return resource{
		kind: "aws_egress_only_internet_gateway",
		create: func() string {
			return *ok(tf.ec2.CreateEgressOnlyInternetGateway(tf.ctx, &ec2.CreateEgressOnlyInternetGatewayInput{
				ClientToken: token(), VpcId: &vpc, TagSpecifications: named(types.ResourceTypeEgressOnlyInternetGateway),
			})).EgressOnlyInternetGateway.EgressOnlyInternetGatewayId
		},
		read: func(id string) attributes {
			list := ok(tf.ec2.DescribeEgressOnlyInternetGateways(tf.ctx,
				&ec2.DescribeEgressOnlyInternetGatewaysInput{
					EgressOnlyInternetGatewayIds: []string{id},
				})).EgressOnlyInternetGateways
			if len(list) == 0 {
				return nil
			}
			return attributes{
				"vpc_id": list[0].Attachments[0].VpcId, "state": list[0].Attachments[0].State, "tags": tagsOf(list[0].Tags),
			}
		},
		want: attributes{"vpc_id": vpc, "state": "attached", "tags": tagged},
		destroy: func(id string) {
			ok(tf.ec2.DeleteEgressOnlyInternetGateway(tf.ctx,
				&ec2.DeleteEgressOnlyInternetGatewayInput{EgressOnlyInternetGatewayId: &id}))
		},
		gone: "InvalidGatewayID.NotFound",
	}
}

func (tf *terraform) natGateway(subnet, address string) resource {
	one := func(id string) types.NatGateway {
		return ok(tf.ec2.DescribeNatGateways(tf.ctx, &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{id}})).NatGateways[0]
	}
	return resource{
		kind: "aws_nat_gateway",
		create: func() string {
			id := *ok(tf.ec2.CreateNatGateway(tf.ctx, &ec2.CreateNatGatewayInput{
				ClientToken: token(), AllocationId: &address, ConnectivityType: types.ConnectivityTypePublic,
				SubnetId: &subnet, TagSpecifications: named(types.ResourceTypeNatgateway),
			})).NatGateway.NatGatewayId
			until("the NAT gateway is available", func() bool { return one(id).State == types.NatGatewayStateAvailable })
			return id
		},
		read: func(id string) attributes {
			n := one(id)
			if n.State == types.NatGatewayStateDeleted {
				return nil
			}
			a := n.NatGatewayAddresses[0]
			return attributes{
				"allocation_id": a.AllocationId, "association_id": a.AssociationId,
				"connectivity_type": n.ConnectivityType, "network_interface_id": a.NetworkInterfaceId,
				"private_ip": a.PrivateIp, "public_ip": a.PublicIp, "subnet_id": n.SubnetId, "is_primary": a.IsPrimary,
				"secondary": len(n.NatGatewayAddresses) - 1, "tags": tagsOf(n.Tags),
			}
		},
		want: attributes{
			"allocation_id": address, "association_id": known, "connectivity_type": "public",
			"network_interface_id": known, "private_ip": known, "public_ip": known, "subnet_id": subnet,
			"is_primary": true, "secondary": 0, "tags": tagged,
		},
		destroy: func(id string) {
			ok(tf.ec2.DeleteNatGateway(tf.ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: &id}))
		},
	}
}

// table is one route table; nil if there is none of the filter.
func (tf *terraform) table(filters ...types.Filter) *types.RouteTable {
	tables := ok(tf.ec2.DescribeRouteTables(tf.ctx, &ec2.DescribeRouteTablesInput{Filters: filters})).RouteTables
	if len(tables) == 0 {
		return nil
	}
	return &tables[0]
}

// routesOf are the routes that the provider stores: those that somebody made.
func routesOf(table types.RouteTable) (out [][]any) {
	for _, r := range table.Routes {
		if r.Origin == types.RouteOriginCreateRoute {
			out = append(out,
				[]any{
					r.DestinationCidrBlock, r.DestinationIpv6CidrBlock, r.GatewayId, r.NatGatewayId,
					r.EgressOnlyInternetGatewayId, r.State,
				})
		}
	}
	return out
}

func (tf *terraform) routeTable(vpc, gateway, nat string) resource {
	one := func(id string) types.RouteTable {
		return ok(tf.ec2.DescribeRouteTables(tf.ctx, &ec2.DescribeRouteTablesInput{RouteTableIds: []string{id}})).RouteTables[0]
	}
	const all = "0.0.0.0/0"
	return resource{
		kind: "aws_route_table",
		create: func() string {
			id := *ok(tf.ec2.CreateRouteTable(tf.ctx,
				&ec2.CreateRouteTableInput{
					ClientToken: token(), VpcId: &vpc, TagSpecifications: named(types.ResourceTypeRouteTable),
				})).RouteTable.RouteTableId
			one(id)
			ok(tf.ec2.CreateRoute(tf.ctx,
				&ec2.CreateRouteInput{RouteTableId: &id, DestinationCidrBlock: aws.String(all), GatewayId: &gateway}))
			return id
		},
		read: func(id string) attributes {
			r := one(id)
			return attributes{
				"owner_id": r.OwnerId, "vpc_id": r.VpcId, "propagating_vgws": r.PropagatingVgws, "route": routesOf(r),
				"tags": tagsOf(r.Tags),
			}
		},
		want: attributes{
			"owner_id": tf.r.keys.AccountID, "vpc_id": vpc, "propagating_vgws": nil,
			"route": [][]any{{all, nil, gateway, nil, nil, "active"}}, "tags": tagged,
		},
		changes: []change{
			{func(id string) {
				ok(tf.ec2.ReplaceRoute(tf.ctx,
					&ec2.ReplaceRouteInput{RouteTableId: &id, DestinationCidrBlock: aws.String(all), NatGatewayId: &nat}))
			}, attributes{"route": [][]any{{all, nil, nil, nat, nil, "active"}}}},
			{func(id string) {
				ok(tf.ec2.DeleteRoute(tf.ctx, &ec2.DeleteRouteInput{RouteTableId: &id, DestinationCidrBlock: aws.String(all)}))
			}, attributes{"route": nil}},
		},
		destroy: func(id string) {
			for _, a := range one(id).Associations {
				ok(tf.ec2.DisassociateRouteTable(tf.ctx,
					&ec2.DisassociateRouteTableInput{AssociationId: a.RouteTableAssociationId}))
			}
			ok(tf.ec2.DeleteRouteTable(tf.ctx, &ec2.DeleteRouteTableInput{RouteTableId: &id}))
		},
		gone: "InvalidRouteTableID.NotFound",
	}
}

func (tf *terraform) route(table, gateway, nat string) resource {
	const to = "192.0.2.0/24"
	return resource{
		kind: "aws_route",
		create: func() string {
			in := &ec2.CreateRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String(to), GatewayId: &gateway}
			ok(tf.ec2.CreateRoute(tf.ctx, in))
			if _, err := tf.ec2.CreateRoute(tf.ctx, in); codeOf(err) != "RouteAlreadyExists" {
				refuse("the same route again: %v", err)
			}
			return to
		},
		read: func(to string) attributes {
			for _, r := range tf.table(by("route-table-id", table)).Routes {
				if r.DestinationCidrBlock != nil && *r.DestinationCidrBlock == to {
					return attributes{
						"carrier_gateway_id": r.CarrierGatewayId, "core_network_arn": r.CoreNetworkArn,
						"destination_cidr_block":      r.DestinationCidrBlock,
						"destination_ipv6_cidr_block": r.DestinationIpv6CidrBlock,
						"destination_prefix_list_id":  r.DestinationPrefixListId,
						"egress_only_gateway_id":      r.EgressOnlyInternetGatewayId, "gateway_id": r.GatewayId,
						"instance_id":       r.InstanceId,
						"instance_owner_id": r.InstanceOwnerId, "local_gateway_id": r.LocalGatewayId,
						"nat_gateway_id": r.NatGatewayId, "network_interface_id": r.NetworkInterfaceId, "origin": r.Origin,
						"state": r.State, "transit_gateway_id": r.TransitGatewayId,
						"vpc_peering_connection_id": r.VpcPeeringConnectionId,
					}
				}
			}
			return nil
		},
		want: attributes{
			"carrier_gateway_id": nil, "core_network_arn": nil, "destination_cidr_block": to,
			"destination_ipv6_cidr_block": nil, "destination_prefix_list_id": nil, "egress_only_gateway_id": nil,
			"gateway_id": gateway, "instance_id": nil, "instance_owner_id": nil, "local_gateway_id": nil,
			"nat_gateway_id": nil, "network_interface_id": nil, "origin": "CreateRoute",
			"state": "active", "transit_gateway_id": nil, "vpc_peering_connection_id": nil,
		},
		changes: []change{{func(to string) {
			ok(tf.ec2.ReplaceRoute(tf.ctx,
				&ec2.ReplaceRouteInput{RouteTableId: &table, DestinationCidrBlock: &to, NatGatewayId: &nat}))
		}, attributes{"gateway_id": nil, "nat_gateway_id": nat}}},
		destroy: func(to string) {
			ok(tf.ec2.DeleteRoute(tf.ctx, &ec2.DeleteRouteInput{RouteTableId: &table, DestinationCidrBlock: &to}))
			if _, err := tf.ec2.DeleteRoute(tf.ctx,
				&ec2.DeleteRouteInput{
					RouteTableId: &table, DestinationCidrBlock: &to,
				}); codeOf(err) != "InvalidRoute.NotFound" {
				refuse("deleting it twice: %v", err)
			}
		},
	}
}

// associated is the association of a table by its id, which a replacement changes: the holder of the pointer follows it.
func (tf *terraform) associated(id string) *types.RouteTableAssociation {
	t := tf.table(by("association.route-table-association-id", id))
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Associations, func(a types.RouteTableAssociation) bool { return *a.RouteTableAssociationId == id })
	if i < 0 {
		return nil
	}
	return &t.Associations[i]
}

func (tf *terraform) routeTableAssociation(subnet, table, other string) resource {
	var id string // changes with each replacement
	return resource{
		kind: "aws_route_table_association",
		create: func() string {
			id = *ok(tf.ec2.AssociateRouteTable(tf.ctx,
				&ec2.AssociateRouteTableInput{RouteTableId: &table, SubnetId: &subnet})).AssociationId
			return id
		},
		read: func(string) attributes {
			a := tf.associated(id)
			if a == nil {
				return nil
			}
			return attributes{
				"gateway_id": a.GatewayId, "route_table_id": a.RouteTableId, "subnet_id": a.SubnetId,
				"state": a.AssociationState.State, "main": a.Main,
			}
		},
		want: attributes{"gateway_id": nil, "route_table_id": table, "subnet_id": subnet, "state": "associated", "main": false},
		changes: []change{{func(string) {
			id = *ok(tf.ec2.ReplaceRouteTableAssociation(tf.ctx,
				&ec2.ReplaceRouteTableAssociationInput{AssociationId: &id, RouteTableId: &other})).NewAssociationId
		}, attributes{"route_table_id": other}}},
		destroy: func(string) {
			ok(tf.ec2.DisassociateRouteTable(tf.ctx, &ec2.DisassociateRouteTableInput{AssociationId: &id}))
			if _, err := tf.ec2.DisassociateRouteTable(tf.ctx,
				&ec2.DisassociateRouteTableInput{AssociationId: &id}); codeOf(err) != "InvalidAssociationID.NotFound" {
				refuse("disassociating twice: %v", err)
			}
		},
	}
}

func (tf *terraform) mainAssociation(vpc, table, other string) resource {
	var id, original string
	replace := func(by string) {
		id = *ok(tf.ec2.ReplaceRouteTableAssociation(tf.ctx,
			&ec2.ReplaceRouteTableAssociationInput{AssociationId: &id, RouteTableId: &by})).NewAssociationId
	}
	return resource{
		kind: "aws_main_route_table_association",
		create: func() string {
			t := tf.table(by("association.main", "true"), by("vpc-id", vpc))
			original = *t.RouteTableId
			for _, a := range t.Associations {
				if *a.Main {
					id = *a.RouteTableAssociationId
				}
			}
			replace(table)
			return id
		},
		read: func(string) attributes {
			a := tf.associated(id)
			if a == nil || !*a.Main || *a.RouteTableId == original {
				return nil
			}
			return attributes{"route_table_id": a.RouteTableId, "state": a.AssociationState.State}
		},
		want:    attributes{"route_table_id": table, "state": "associated"},
		changes: []change{{func(string) { replace(other) }, attributes{"route_table_id": other}}},
		destroy: func(string) { replace(original) },
	}
}
