package main

import "testing"

func (o world) gatewayDryRuns(w *wire) map[string][]string {
	nat := w.must("natGatewayId", "CreateNatGateway", "SubnetId", o.zoneSubnet(w, "us-east-1a"), "AllocationId", w.must("allocationId", "AllocateAddress"))
	one, two, three := newNetwork(w, "81"), newNetwork(w, "82"), newNetwork(w, "83")
	asked := w.must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", one.vpc, "PeerVpcId", two.vpc)
	active := w.must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", two.vpc, "PeerVpcId", three.vpc)
	w.must("vpcPeeringConnectionId", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", active)
	return map[string][]string{
		"CreateNatGateway":                  {"SubnetId", o.zoneSubnet(w, "us-east-1a"), "AllocationId", w.must("allocationId", "AllocateAddress")},
		"DeleteNatGateway":                  {"NatGatewayId", nat},
		"CreateVpcPeeringConnection":        {"VpcId", one.vpc, "PeerVpcId", three.vpc},
		"AcceptVpcPeeringConnection":        {"VpcPeeringConnectionId", asked},
		"RejectVpcPeeringConnection":        {"VpcPeeringConnectionId", asked},
		"DeleteVpcPeeringConnection":        {"VpcPeeringConnectionId", asked},
		"ModifyVpcPeeringConnectionOptions": {"VpcPeeringConnectionId", active, "RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "false"},
	}
}

func TestNATGateways(t *testing.T) {
	w := newWire(t)
	subnet, vpc := w.must("subnetId", "DescribeSubnets"), w.must("vpcId", "DescribeVpcs")
	allocation := w.must("allocationId", "AllocateAddress")
	a := w.call("CreateNatGateway", "SubnetId", subnet, "AllocationId", allocation, "ConnectivityType", "public", "ClientToken", "once",
		"TagSpecification.1.ResourceType", "natgateway", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "nat")
	nat := first(a.body, "natGatewayId")
	shows(t, a.body, "state", "pending")
	if again := w.must("natGatewayId", "CreateNatGateway", "SubnetId", subnet, "AllocationId", allocation, "ClientToken", "once",
		"TagSpecification.1.ResourceType", "natgateway", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "nat"); again != nat {
		t.Errorf("the same request made %s, then %s", nat, again)
	}
	seen := w.call("DescribeNatGateways", "NatGatewayId.1", nat, "Filter.1.Name", "state", "Filter.1.Value.1", "available").body
	for element, want := range map[string]string{"vpcId": vpc, "subnetId": subnet, "connectivityType": "public", "allocationId": allocation, "isPrimary": "true", "status": "succeeded", "state": "available"} {
		shows(t, seen, element, want)
	}
	eni := first(seen, "networkInterfaceId")
	shows(t, w.call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni).body, "interfaceType", "nat_gateway")
	shows(t, w.call("DescribeAddresses", "AllocationId.1", allocation).body, "networkInterfaceId", eni)
	table := w.must("routeTableId", "CreateRouteTable", "VpcId", vpc)
	w.must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "NatGatewayId", nat)
	lacks(t, w.call("DescribeRouteTables", "RouteTableId.1", table).body, "blackhole")
	association := first(w.call("DescribeAddresses", "AllocationId.1", allocation).body, "associationId")
	w.refuses(t, []refusal{
		{"an address in use", "Resource.AlreadyAssociated", allocation, "CreateNatGateway", []string{"SubnetId", subnet, "AllocationId", allocation}},
		{"no address", "MissingParameter", "AllocationId", "CreateNatGateway", []string{"SubnetId", subnet}},
		{"a private one", "UnsupportedOperation", "private", "CreateNatGateway", []string{"SubnetId", subnet, "ConnectivityType", "private"}},
		{"an address that is not there", "InvalidAllocationID.NotFound", "", "CreateNatGateway", []string{"SubnetId", subnet, "AllocationId", "eipalloc-00000000"}},
		{"its interface deleted", "OperationNotPermitted", eni, "DeleteNetworkInterface", []string{"NetworkInterfaceId", eni}},
		{"its address taken", "OperationNotPermitted", nat, "DisassociateAddress", []string{"AssociationId", association}},
		{"its subnet deleted", "DependencyViolation", subnet, "DeleteSubnet", []string{"SubnetId", subnet}},
		{"one that is not there", "NatGatewayNotFound", "nat-00000000", "DescribeNatGateways", []string{"NatGatewayId.1", "nat-00000000"}},
	})
	w.must("natGatewayId", "DeleteNatGateway", "NatGatewayId", nat)
	shows(t, w.call("DescribeNatGateways", "NatGatewayId.1", nat).body, "state", "deleted")
	shows(t, w.call("DescribeRouteTables", "RouteTableId.1", table).body, "state", "blackhole")
	w.must("return", "ReleaseAddress", "AllocationId", allocation)

	// Without an internet gateway it is made and fails, and holds nothing.
	n := newNetwork(w, "91")
	allocation = w.must("allocationId", "AllocateAddress")
	failed := w.must("natGatewayId", "CreateNatGateway", "SubnetId", n.subnet, "AllocationId", allocation)
	seen = w.call("DescribeNatGateways", "NatGatewayId.1", failed).body
	shows(t, seen, "state", "failed")
	shows(t, seen, "failureCode", "Gateway.NotAttached")
	w.must("return", "ReleaseAddress", "AllocationId", allocation)
	w.must("return", "DeleteSubnet", "SubnetId", n.subnet)
}

func TestPeerings(t *testing.T) {
	w := newWire(t)
	one, two, three := newNetwork(w, "11"), newNetwork(w, "12"), newNetwork(w, "13")
	a := w.call("CreateVpcPeeringConnection", "VpcId", one.vpc, "PeerVpcId", two.vpc, "PeerOwnerId", w.keys.Account)
	id := first(a.body, "vpcPeeringConnectionId")
	shows(t, a.body, "code", "initiating-request")
	status := func(id string) string {
		return first(w.must("status", "DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", id), "code")
	}
	if s := status(id); s != "pending-acceptance" {
		t.Errorf("asked for, the peering is %s", s)
	}
	w.must("return", "CreateRoute", "RouteTableId", one.main, "DestinationCidrBlock", "10.12.0.0/16", "VpcPeeringConnectionId", id)
	shows(t, w.call("DescribeRouteTables", "RouteTableId.1", one.main).body, "state", "blackhole")
	other := w.must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web", "VpcId", two.vpc)
	allow := []string{"GroupId", one.group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "80", "IpPermissions.1.ToPort", "80", "IpPermissions.1.Groups.1.GroupId", other}
	w.refuses(t, []refusal{
		{"a group of a VPC that is not peered yet", "InvalidGroup.NotFound", other, "AuthorizeSecurityGroupIngress", allow},
		{"a peering again", "VpcPeeringConnectionAlreadyExists", id, "CreateVpcPeeringConnection", []string{"VpcId", two.vpc, "PeerVpcId", one.vpc}},
		{"with itself", "InvalidParameterValue", one.vpc, "CreateVpcPeeringConnection", []string{"VpcId", one.vpc, "PeerVpcId", one.vpc}},
		{"another region", "UnsupportedOperation", "PeerRegion", "CreateVpcPeeringConnection", []string{"VpcId", one.vpc, "PeerVpcId", two.vpc, "PeerRegion", "eu-west-1"}},
		{"one that is not there", "InvalidVpcPeeringConnectionID.NotFound", "", "AcceptVpcPeeringConnection", []string{"VpcPeeringConnectionId", "pcx-00000000"}},
		{"a route of a third VPC", "InvalidVpcPeeringConnectionID.NotFound", id, "CreateRoute", []string{"RouteTableId", three.main, "DestinationCidrBlock", "10.12.0.0/16", "VpcPeeringConnectionId", id}},
		{"names before it is active", "OperationNotPermitted", id, "ModifyVpcPeeringConnectionOptions", []string{"VpcPeeringConnectionId", id, "AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "true"}},
		{"ClassicLink", "UnsupportedOperation", "ClassicLink", "ModifyVpcPeeringConnectionOptions", []string{"VpcPeeringConnectionId", id, "RequesterPeeringConnectionOptions.AllowEgressFromLocalClassicLinkToRemoteVpc", "true"}},
	})
	w.must("vpcPeeringConnectionId", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id)
	if s := status(id); s != "active" {
		t.Errorf("accepted, the peering is %s", s)
	}
	lacks(t, w.call("DescribeRouteTables", "RouteTableId.1", one.main).body, "blackhole")
	const option = "AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc"
	for _, value := range []string{"true", "false"} {
		shows(t, w.call("ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", id, option, value).body, "allowDnsResolutionFromRemoteVpc", value)
		body := w.call("DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", id).body
		if got := first(first(body, "accepterVpcInfo"), "allowDnsResolutionFromRemoteVpc"); got != value {
			t.Errorf("set to %s, the accepter's names are %s", value, got)
		}
		if got := first(first(body, "requesterVpcInfo"), "allowDnsResolutionFromRemoteVpc"); got != "false" {
			t.Errorf("the requester's names are %s", got)
		}
	}
	w.must("return", "AuthorizeSecurityGroupIngress", allow...)
	shows(t, w.call("DescribeSecurityGroupReferences", "GroupId.1", other).body, "referencingVpcId", one.vpc)
	lacks(t, w.call("DescribeStaleSecurityGroups", "VpcId", one.vpc).body, "<item>")
	w.must("return", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "Name", "Tag.1.Value", "bridge")
	shows(t, w.call("DescribeVpcPeeringConnections", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "bridge", "Filter.2.Name", "accepter-vpc-info.cidr-block", "Filter.2.Value.1", "10.12.0.0/16").body, "vpcPeeringConnectionId", id)
	w.refuses(t, []refusal{
		{"accepted again", "InvalidStateTransition", "active", "AcceptVpcPeeringConnection", []string{"VpcPeeringConnectionId", id}},
		{"rejected late", "InvalidStateTransition", "active", "RejectVpcPeeringConnection", []string{"VpcPeeringConnectionId", id}},
	})
	w.must("return", "DeleteVpcPeeringConnection", "VpcPeeringConnectionId", id)
	if s := status(id); s != "deleted" {
		t.Errorf("deleted, the peering is %s", s)
	}
	shows(t, w.call("DescribeStaleSecurityGroups", "VpcId", one.vpc).body, "groupId", one.group)
	w.refuses(t, []refusal{{"deleted again", "InvalidStateTransition", "deleted", "DeleteVpcPeeringConnection", []string{"VpcPeeringConnectionId", id}}})

	again := w.must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", one.vpc, "PeerVpcId", two.vpc)
	w.must("return", "RejectVpcPeeringConnection", "VpcPeeringConnectionId", again)
	if s := status(again); s != "rejected" {
		t.Errorf("rejected, the peering is %s", s)
	}
	overlapping := w.must("vpcId", "CreateVpc", "CidrBlock", "10.11.128.0/20")
	for name, peer := range map[string]string{"overlapping ranges": overlapping, "a VPC that is not there": "vpc-00000000"} {
		if s := status(w.must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", one.vpc, "PeerVpcId", peer)); s != "failed" {
			t.Errorf("%s: the peering is %s, want failed", name, s)
		}
	}
}
