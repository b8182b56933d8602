package vpcs_test

import (
	"slipway/internal/apitest"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	w := apitest.New(t)
	n := apitest.NewNetwork(w, "40")
	other := apitest.NewNetwork(w, "41")
	gateway := w.Must("internetGatewayId", "CreateInternetGateway")
	w.Must("return", "AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", n.VPC)
	table := w.Must("routeTableId", "CreateRouteTable", "VpcId", n.VPC)
	in := w.Must("instanceId", "RunInstances", "ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1",
		"MaxCount", "1", "SubnetId", n.Subnet)
	w.Await(in, "running")
	eni := w.Must("networkInterfaceId", "DescribeNetworkInterfaces", "Filter.1.Name", "attachment.instance-id",
		"Filter.1.Value.1", in)
	describe := func() string { return w.Call("DescribeRouteTables", "RouteTableId.1", table).Body }

	w.Must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway)
	w.Must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "192.168.0.0/16", "InstanceId", in)
	w.Must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "192.0.2.0/24", "NetworkInterfaceId", eni)
	seen := describe()
	apitest.Shows(t, seen, "instanceId", in)
	apitest.Shows(t, seen, "networkInterfaceId", eni)
	apitest.Shows(t, seen, "gatewayId", "local")
	apitest.Lacks(t, seen, "blackhole")
	association := w.Must("associationId", "AssociateRouteTable", "RouteTableId", table, "SubnetId", n.Subnet)
	apitest.Shows(t,
		w.Call("DescribeRouteTables", "Filter.1.Name", "association.route-table-association-id", "Filter.1.Value.1",
			association).Body, "state", "associated")
	mainAssociation := apitest.First(w.Must("associationSet", "DescribeRouteTables", "RouteTableId.1", n.Main),
		"routeTableAssociationId")
	eigw := w.Must("egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", "VpcId", n.VPC)

	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a route twice", "RouteAlreadyExists", "0.0.0.0/0", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway}),
		apitest.Case("the local route again", "RouteAlreadyExists", "10.40.0.0/16", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16", "GatewayId", gateway}),
		apitest.Case("inside the VPC", "UnsupportedOperation", "DestinationCidrBlock", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "10.40.9.0/24", "NetworkInterfaceId", eni}),
		apitest.Case("no target", "MissingParameter", "GatewayId", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8"}),
		apitest.Case("two targets", "InvalidParameterCombination", "", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", gateway, "InstanceId", in}),
		apitest.Case("the gateway 'local'", "InvalidGatewayID.NotFound", "The gateway ID 'local' does not exist",
			"CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", "local"}),
		apitest.Case("another VPC's gateway", "InvalidParameterValue", "different networks", "CreateRoute",
			[]string{"RouteTableId", other.Main, "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", gateway}),
		apitest.Case("a NAT gateway that is not there", "InvalidNatGatewayID.NotFound", "", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "NatGatewayId", "nat-00000000"}),
		apitest.Case("a transit gateway", "UnsupportedOperation", "TransitGatewayId", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "TransitGatewayId", "tgw-00000000"}),
		apitest.Case("IPv4 by an egress-only gateway", "InvalidParameterValue", "IPv6", "CreateRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "EgressOnlyInternetGatewayId", eigw}),
		apitest.Case("a table that is not there", "InvalidRouteTableID.NotFound", "", "CreateRoute",
			[]string{"RouteTableId", "rtb-00000000", "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", gateway}),
		apitest.Case("deleting what is not there", "InvalidRoute.NotFound", "", "DeleteRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8"}),
		apitest.Case("deleting the local route", "InvalidParameterValue", "cannot remove local route", "DeleteRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16"}),
		apitest.Case("replacing the local route's target", "UnsupportedOperation", "local", "ReplaceRoute",
			[]string{"RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16", "NetworkInterfaceId", eni}),
		apitest.Case("a subnet with a table", "Resource.AlreadyAssociated", "conflicts", "AssociateRouteTable",
			[]string{"RouteTableId", n.Main, "SubnetId", n.Subnet}),
		apitest.Case("another VPC's subnet", "InvalidParameterValue", "different networks", "AssociateRouteTable",
			[]string{"RouteTableId", table, "SubnetId", other.Subnet}),
		apitest.Case("an edge association", "UnsupportedOperation", "GatewayId", "AssociateRouteTable",
			[]string{"RouteTableId", table, "GatewayId", gateway}),
		apitest.Case("the main association", "InvalidParameterValue", "main", "DisassociateRouteTable",
			[]string{"AssociationId", mainAssociation}),
		apitest.Case("an association that is not there", "InvalidAssociationID.NotFound", "", "DisassociateRouteTable",
			[]string{"AssociationId", "rtbassoc-00000000"}),
		apitest.Case("a table in use", "DependencyViolation", table, "DeleteRouteTable", []string{"RouteTableId", table}),
		apitest.Case("a second gateway", "InvalidParameterValue", "already has an internet gateway",
			"AttachInternetGateway",
			[]string{"InternetGatewayId", w.Must("internetGatewayId", "CreateInternetGateway"), "VpcId", n.VPC}),
		apitest.Case("a gateway twice", "Resource.AlreadyAssociated", gateway, "AttachInternetGateway",
			[]string{"InternetGatewayId", gateway, "VpcId", other.VPC}),
		apitest.Case("an attached gateway", "DependencyViolation", gateway, "DeleteInternetGateway",
			[]string{"InternetGatewayId", gateway}),
		apitest.Case("a gateway of another VPC", "Gateway.NotAttached", gateway, "DetachInternetGateway",
			[]string{"InternetGatewayId", gateway, "VpcId", other.VPC}),
		apitest.Case("a gateway that is not there", "InvalidInternetGatewayID.NotFound", "", "DetachInternetGateway",
			[]string{"InternetGatewayId", "igw-00000000", "VpcId", n.VPC}),
		apitest.Case("a VPC with an egress-only gateway", "DependencyViolation", "", "DeleteVpc", []string{"VpcId", n.VPC}),
	})

	// The main table changes by its association, which gets a new id.
	swapped := w.Must("newAssociationId", "ReplaceRouteTableAssociation", "AssociationId", mainAssociation,
		"RouteTableId", table)
	if swapped == mainAssociation {
		t.Error("the replaced association kept its id")
	}
	if got := w.Must("routeTableId", "DescribeRouteTables", "Filter.1.Name", "association.main", "Filter.1.Value.1",
		"true", "Filter.2.Name", "vpc-id", "Filter.2.Value.1", n.VPC); got != table {
		t.Errorf("the main table is %s, want %s", got, table)
	}
	w.Must("return", "ReplaceRoute", "RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16", "LocalTarget", "true")
	w.Must("return", "DetachInternetGateway", "InternetGatewayId", gateway, "VpcId", n.VPC)
	apitest.Shows(t, describe(), "state", "blackhole")
	w.Must("return", "DisassociateRouteTable", "AssociationId", association)
	w.Must("return", "DeleteRouteTable", "RouteTableId", n.Main)
}

// TestWhatIsNotHere: clients read these lists unasked, and take an empty one for what it is.
func TestWhatIsNotHere(t *testing.T) {
	w := apitest.New(t)
	for _, action := range []string{
		"DescribeVpcEndpoints", "DescribeVpcEndpointServices", "DescribeVpnGateways",
		"DescribeTransitGateways", "DescribeFlowLogs",
	} {
		if a := w.Call(action); a.Status != 200 || strings.Contains(a.Body, "<item>") {
			t.Errorf("%s: %d %s", action, a.Status, a.Body)
		}
	}
	vpc := w.Must("vpcId", "DescribeVpcs")
	for _, link := range [][3]string{
		{"DescribeVpcClassicLink", "VpcId.1", "classicLinkEnabled"},
		{"DescribeVpcClassicLinkDnsSupport", "VpcIds.1", "classicLinkDnsSupported"},
	} {
		if a := w.Call(link[0], link[1], vpc); apitest.First(a.Body, "vpcId") != vpc ||
			apitest.First(a.Body, link[2]) != "false" {
			t.Errorf("%s: %s: Ansible reads the VPC's entry", link[0], a.Body)
		}
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("an endpoint", "UnsupportedOperation", "CreateVpcEndpoint", "CreateVpcEndpoint",
			[]string{"VpcId", "vpc-00000000", "ServiceName", "s3"}),
		apitest.Case("flow logs", "UnsupportedOperation", "CreateFlowLogs", "CreateFlowLogs",
			[]string{"ResourceId.1", "vpc-00000000", "ResourceType", "VPC"}),
		apitest.Case("an endpoint by id", "InvalidVpcEndpointId.NotFound", "vpce-1", "DescribeVpcEndpoints",
			[]string{"VpcEndpointId.1", "vpce-1"}),
	})
}
