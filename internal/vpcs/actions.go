package vpcs

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions(free FreeAddresses) action.Table {
	return action.Table{
		"DescribeVpcs": action.Read(s.Describe).Filters("cidr-block", "cidrBlock", "isDefault").On(action.Nothing),
		"DescribeVpcAttribute": action.Read(s.Attribute).On(
			action.One("vpc", func(in *ec2wire.DescribeVpcAttributeRequest) *string { return in.VpcId })),
		"DescribeSubnets": action.Read(s.Subnets(free)).Filters("availabilityZone", "availabilityZoneId", "cidr",
			"cidrBlock", "defaultForAz").On(action.Nothing),
		"CreateVpc": action.Do(s.CreateVPC).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateVpcRequest) []ec2wire.TagSpecification { return in.TagSpecifications }, "vpc")),
		"DeleteVpc": action.Void(s.DeleteVPC).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("vpc", func(in *ec2wire.DeleteVpcRequest) *string { return in.VpcId })),
		"CreateDefaultVpc": action.Do(s.CreateDefaultVPC).Bucket(action.Defaults).Repeats(action.NoToken).On(
			action.MakesBare[ec2wire.CreateDefaultVpcRequest]("vpc")),
		"ModifyVpcAttribute": action.Void(s.ModifyVPC).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("vpc", func(in *ec2wire.ModifyVpcAttributeRequest) *string { return in.VpcId })),
		"ModifyVpcTenancy": action.Do(s.ModifyTenancy).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("vpc", func(in *ec2wire.ModifyVpcTenancyRequest) *string { return in.VpcId })),
		"AssociateVpcCidrBlock": action.Do(s.AssociateRange).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("vpc", func(in *ec2wire.AssociateVpcCidrBlockRequest) *string { return in.VpcId })),
		"DisassociateVpcCidrBlock": action.Do(s.DisassociateRange).Bucket(action.Mutating).Repeats(action.NoToken).On(
			ofRange),
		"DescribeVpcClassicLink": action.Read(s.ClassicLink).Filters().
			On(action.Nothing),
		"DescribeVpcClassicLinkDnsSupport": action.Read(s.ClassicLinkDNS).On(action.Nothing),
		"CreateSubnet": action.Do(s.CreateSubnet).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateSubnetRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "subnet"),
			action.One("vpc", func(in *ec2wire.CreateSubnetRequest) *string { return in.VpcId }),
		),
		"DeleteSubnet": action.Void(s.DeleteSubnet).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("subnet", func(in *ec2wire.DeleteSubnetRequest) *string { return in.SubnetId })),
		"CreateSubnetCidrReservation": action.Do(s.CreateReservation).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateSubnetCidrReservationRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "subnet-cidr-reservation"),
			action.One("subnet", func(in *ec2wire.CreateSubnetCidrReservationRequest) *string { return in.SubnetId })),
		"GetSubnetCidrReservations": action.Read(s.Reservations).Filters().On(
			action.One("subnet", func(in *ec2wire.GetSubnetCidrReservationsRequest) *string { return in.SubnetId })),
		"DeleteSubnetCidrReservation": action.Do(s.DeleteReservation).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("subnet-cidr-reservation", func(in *ec2wire.DeleteSubnetCidrReservationRequest) *string {
				return in.SubnetCidrReservationId
			})),
		"CreateDefaultSubnet": action.Do(s.CreateDefaultSubnet).Bucket(action.Defaults).Repeats(action.NoToken).On(
			action.MakesBare[ec2wire.CreateDefaultSubnetRequest]("subnet")),
		"ModifySubnetAttribute": action.Void(s.ModifySubnet).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("subnet", func(in *ec2wire.ModifySubnetAttributeRequest) *string { return in.SubnetId })),
		"AssociateSubnetCidrBlock": action.Do(s.AssociateSubnetRange).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			action.One("subnet", func(in *ec2wire.AssociateSubnetCidrBlockRequest) *string { return in.SubnetId })),
		"DisassociateSubnetCidrBlock": action.Do(s.DisassociateSubnetRange).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			ofSubnetRange),
		"DescribeDhcpOptions": action.Read(s.DescribeDHCP).Filters().On(action.Nothing),
		"CreateDhcpOptions": action.Do(s.CreateDHCP).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateDhcpOptionsRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "dhcp-options")),
		"AssociateDhcpOptions": action.Void(s.AssociateDHCP).Bucket(action.Mutating).Repeats(action.NoToken).On(
			dhcpOfVPC,
			action.One("vpc", func(in *ec2wire.AssociateDhcpOptionsRequest) *string { return in.VpcId }),
		),
		"DeleteDhcpOptions": action.Void(s.DeleteDHCP).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("dhcp-options", func(in *ec2wire.DeleteDhcpOptionsRequest) *string { return in.DhcpOptionsId })),
		"CreateInternetGateway": action.Do(s.CreateGateway).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateInternetGatewayRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "internet-gateway")),
		"DeleteInternetGateway": action.Void(s.DeleteGateway).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("internet-gateway", func(in *ec2wire.DeleteInternetGatewayRequest) *string {
				return in.InternetGatewayId
			})),
		"AttachInternetGateway": action.Void(s.AttachGateway).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("internet-gateway", func(in *ec2wire.AttachInternetGatewayRequest) *string {
				return in.InternetGatewayId
			}),
			action.One("vpc", func(in *ec2wire.AttachInternetGatewayRequest) *string { return in.VpcId }),
		),
		"DetachInternetGateway": action.Void(s.DetachGateway).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("internet-gateway", func(in *ec2wire.DetachInternetGatewayRequest) *string {
				return in.InternetGatewayId
			}),
			action.One("vpc", func(in *ec2wire.DetachInternetGatewayRequest) *string { return in.VpcId }),
		),
		"DescribeInternetGateways": action.Read(s.DescribeGateways).Filters().On(action.Nothing),
		"CreateEgressOnlyInternetGateway": action.Do(s.CreateEgressOnly).Bucket(action.Mutating).
			Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateEgressOnlyInternetGatewayRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "egress-only-internet-gateway"),
			action.One("vpc", func(in *ec2wire.CreateEgressOnlyInternetGatewayRequest) *string { return in.VpcId }),
		),
		"DeleteEgressOnlyInternetGateway": action.Do(s.DeleteEgressOnly).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			action.One("egress-only-internet-gateway", func(in *ec2wire.DeleteEgressOnlyInternetGatewayRequest) *string {
				return in.EgressOnlyInternetGatewayId
			})),
		"DescribeEgressOnlyInternetGateways": action.Read(s.DescribeEgressOnly).Filters().On(action.Nothing),
		"CreateRouteTable": action.Do(s.CreateTable).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateRouteTableRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "route-table"),
			action.One("vpc", func(in *ec2wire.CreateRouteTableRequest) *string { return in.VpcId }),
		),
		"DeleteRouteTable": action.Void(s.DeleteTable).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("route-table", func(in *ec2wire.DeleteRouteTableRequest) *string { return in.RouteTableId })),
		"DescribeRouteTables": action.Read(s.DescribeTables).Filters("route.network-interface-id").On(action.Nothing),
		"CreateRoute":         action.Do(s.CreateRoute).Bucket(action.Mutating).Repeats(action.NoToken).On(routed),
		"ReplaceRoute":        action.Void(s.ReplaceRoute).Bucket(action.Mutating).Repeats(action.NoToken).On(rerouted),
		"DeleteRoute": action.Void(s.DeleteRoute).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("route-table", func(in *ec2wire.DeleteRouteRequest) *string { return in.RouteTableId }),
			action.One("prefix-list", func(in *ec2wire.DeleteRouteRequest) *string { return in.DestinationPrefixListId }),
		),
		"AssociateRouteTable": action.Do(s.AssociateTable).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("route-table", func(in *ec2wire.AssociateRouteTableRequest) *string { return in.RouteTableId }),
			action.One("subnet", func(in *ec2wire.AssociateRouteTableRequest) *string { return in.SubnetId }),
			action.One("internet-gateway", func(in *ec2wire.AssociateRouteTableRequest) *string { return in.GatewayId }),
		),
		"DisassociateRouteTable": action.Void(s.DisassociateTable).Bucket(action.Mutating).Repeats(action.NoToken).On(
			ofTable),
		"ReplaceRouteTableAssociation": action.Do(s.ReplaceAssociation).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			action.One("route-table", func(in *ec2wire.ReplaceRouteTableAssociationRequest) *string { return in.RouteTableId }),
			ofOldTable,
		),
		"DescribeVpcEndpoints":        action.Read(s.Endpoints).Filters().On(action.Nothing),
		"DescribeVpcEndpointServices": action.Read(s.EndpointServices).Filters().On(action.Nothing),
		"CreateVpcEndpoint": action.Do(s.CreateEndpoint).Bucket(action.Mutating).Repeats(action.TokenUnread).On(
			action.One("vpc", func(in *ec2wire.CreateVpcEndpointRequest) *string { return in.VpcId }),
			action.Each("route-table", func(in *ec2wire.CreateVpcEndpointRequest) []string { return in.RouteTableIds }),
			action.Each("subnet", func(in *ec2wire.CreateVpcEndpointRequest) []string { return in.SubnetIds }),
			action.Each("security-group", func(in *ec2wire.CreateVpcEndpointRequest) []string { return in.SecurityGroupIds }),
		),
		"DeleteVpcEndpoints": action.Do(s.DeleteEndpoints).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("vpc-endpoint", func(in *ec2wire.DeleteVpcEndpointsRequest) []string { return in.VpcEndpointIds })),
		"DescribeVpnGateways":     action.Read(s.VPNGateways).Filters().On(action.Nothing),
		"DescribeTransitGateways": action.Read(s.TransitGateways).Filters().On(action.Nothing),
		"CreateFlowLogs": action.Do(s.CreateFlowLogs).Bucket(action.Mutating).Repeats(action.TokenUnread).On(
			logged),
		"DescribeFlowLogs": action.Read(s.FlowLogs).Filters().On(action.Nothing),
	}
}
