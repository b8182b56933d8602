package main

import (
	"strings"
	"testing"
)

func (o world) routingDryRuns(w *wire, n network) map[string][]string {
	gateway := w.must("internetGatewayId", "CreateInternetGateway")
	free := w.must("internetGatewayId", "CreateInternetGateway")
	w.must("return", "AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", n.vpc)
	table := w.must("routeTableId", "CreateRouteTable", "VpcId", n.vpc)
	spare := w.must("routeTableId", "CreateRouteTable", "VpcId", n.vpc)
	w.must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway)
	association := w.must("associationId", "AssociateRouteTable", "RouteTableId", table, "SubnetId", n.subnet)
	bare := w.must("subnetId", "CreateSubnet", "VpcId", n.vpc, "CidrBlock", "10.66.80.0/24")
	acl := w.must("networkAclId", "CreateNetworkAcl", "VpcId", n.vpc)
	entry := []string{"NetworkAclId", acl, "RuleNumber", "100", "Protocol", "6", "RuleAction", "allow", "Egress", "false", "CidrBlock", "0.0.0.0/0", "PortRange.From", "22", "PortRange.To", "22"}
	w.must("return", "CreateNetworkAclEntry", entry...)
	eigw := w.must("egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", "VpcId", n.vpc)
	second := w.must("vpcId", "CreateVpc", "CidrBlock", "10.71.0.0/16")
	return map[string][]string{
		"CreateInternetGateway":           nil,
		"DeleteInternetGateway":           {"InternetGatewayId", free},
		"AttachInternetGateway":           {"InternetGatewayId", free, "VpcId", second},
		"DetachInternetGateway":           {"InternetGatewayId", gateway, "VpcId", n.vpc},
		"CreateEgressOnlyInternetGateway": {"VpcId", n.vpc},
		"DeleteEgressOnlyInternetGateway": {"EgressOnlyInternetGatewayId", eigw},
		"CreateRouteTable":                {"VpcId", n.vpc},
		"DeleteRouteTable":                {"RouteTableId", spare},
		"CreateRoute":                     {"RouteTableId", table, "DestinationCidrBlock", "192.168.0.0/16", "GatewayId", gateway},
		"ReplaceRoute":                    {"RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway},
		"DeleteRoute":                     {"RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0"},
		"AssociateRouteTable":             {"RouteTableId", table, "SubnetId", bare},
		"DisassociateRouteTable":          {"AssociationId", association},
		"ReplaceRouteTableAssociation":    {"AssociationId", association, "RouteTableId", spare},
		"CreateNetworkAcl":                {"VpcId", n.vpc},
		"DeleteNetworkAcl":                {"NetworkAclId", acl},
		"CreateNetworkAclEntry":           append([]string{"NetworkAclId", acl, "RuleNumber", "101"}, entry[4:]...),
		"ReplaceNetworkAclEntry":          entry,
		"DeleteNetworkAclEntry":           {"NetworkAclId", acl, "RuleNumber", "100", "Egress", "false"},
		"ReplaceNetworkAclAssociation":    {"AssociationId", w.aclAssociation(n.subnet), "NetworkAclId", acl},
		"CreateVpcEndpoint":               {"VpcId", n.vpc, "ServiceName", "com.amazonaws.us-east-1.s3"},
		"DeleteVpcEndpoints":              {"VpcEndpointId.1", "vpce-00000000"},
		"CreateFlowLogs":                  {"ResourceId.1", n.vpc, "ResourceType", "VPC"},
	}
}

// aclAssociation is that of a subnet.
func (w *wire) aclAssociation(subnet string) string {
	w.t.Helper()
	set := w.must("associationSet", "DescribeNetworkAcls", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", subnet)
	before, _, _ := strings.Cut(set, subnet)
	at := strings.LastIndex(before, "<networkAclAssociationId>")
	return first(before[at:], "networkAclAssociationId")
}

func TestRoutes(t *testing.T) {
	w := newWire(t)
	n := newNetwork(w, "40")
	other := newNetwork(w, "41")
	gateway := w.must("internetGatewayId", "CreateInternetGateway")
	w.must("return", "AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", n.vpc)
	table := w.must("routeTableId", "CreateRouteTable", "VpcId", n.vpc)
	in := w.must("instanceId", "RunInstances", "ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "SubnetId", n.subnet)
	w.await(in, "running")
	eni := w.must("networkInterfaceId", "DescribeNetworkInterfaces", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", in)
	describe := func() string { return w.call("DescribeRouteTables", "RouteTableId.1", table).body }

	w.must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway)
	w.must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "192.168.0.0/16", "InstanceId", in)
	w.must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "192.0.2.0/24", "NetworkInterfaceId", eni)
	seen := describe()
	shows(t, seen, "instanceId", in)
	shows(t, seen, "networkInterfaceId", eni)
	shows(t, seen, "gatewayId", "local")
	lacks(t, seen, "blackhole")
	association := w.must("associationId", "AssociateRouteTable", "RouteTableId", table, "SubnetId", n.subnet)
	shows(t, w.call("DescribeRouteTables", "Filter.1.Name", "association.route-table-association-id", "Filter.1.Value.1", association).body, "state", "associated")
	mainAssociation := first(w.must("associationSet", "DescribeRouteTables", "RouteTableId.1", n.main), "routeTableAssociationId")
	eigw := w.must("egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", "VpcId", n.vpc)

	w.refuses(t, []refusal{
		{"a route twice", "RouteAlreadyExists", "0.0.0.0/0", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway}},
		{"the local route again", "RouteAlreadyExists", "10.40.0.0/16", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16", "GatewayId", gateway}},
		{"inside the VPC", "UnsupportedOperation", "DestinationCidrBlock", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "10.40.9.0/24", "NetworkInterfaceId", eni}},
		{"no target", "MissingParameter", "GatewayId", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8"}},
		{"two targets", "InvalidParameterCombination", "", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", gateway, "InstanceId", in}},
		{"the gateway 'local'", "InvalidGatewayID.NotFound", "The gateway ID 'local' does not exist", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", "local"}},
		{"another VPC's gateway", "InvalidParameterValue", "different networks", "CreateRoute", []string{"RouteTableId", other.main, "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", gateway}},
		{"a NAT gateway that is not there", "InvalidNatGatewayID.NotFound", "", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "NatGatewayId", "nat-00000000"}},
		{"a transit gateway", "UnsupportedOperation", "TransitGatewayId", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "TransitGatewayId", "tgw-00000000"}},
		{"IPv4 by an egress-only gateway", "InvalidParameterValue", "IPv6", "CreateRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8", "EgressOnlyInternetGatewayId", eigw}},
		{"a table that is not there", "InvalidRouteTableID.NotFound", "", "CreateRoute", []string{"RouteTableId", "rtb-00000000", "DestinationCidrBlock", "9.0.0.0/8", "GatewayId", gateway}},
		{"deleting what is not there", "InvalidRoute.NotFound", "", "DeleteRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "9.0.0.0/8"}},
		{"deleting the local route", "InvalidParameterValue", "cannot remove local route", "DeleteRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16"}},
		{"replacing the local route's target", "UnsupportedOperation", "local", "ReplaceRoute", []string{"RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16", "NetworkInterfaceId", eni}},
		{"a subnet with a table", "Resource.AlreadyAssociated", "conflicts", "AssociateRouteTable", []string{"RouteTableId", n.main, "SubnetId", n.subnet}},
		{"another VPC's subnet", "InvalidParameterValue", "different networks", "AssociateRouteTable", []string{"RouteTableId", table, "SubnetId", other.subnet}},
		{"an edge association", "UnsupportedOperation", "GatewayId", "AssociateRouteTable", []string{"RouteTableId", table, "GatewayId", gateway}},
		{"the main association", "InvalidParameterValue", "main", "DisassociateRouteTable", []string{"AssociationId", mainAssociation}},
		{"an association that is not there", "InvalidAssociationID.NotFound", "", "DisassociateRouteTable", []string{"AssociationId", "rtbassoc-00000000"}},
		{"a table in use", "DependencyViolation", table, "DeleteRouteTable", []string{"RouteTableId", table}},
		{"a second gateway", "InvalidParameterValue", "already has an internet gateway", "AttachInternetGateway", []string{"InternetGatewayId", w.must("internetGatewayId", "CreateInternetGateway"), "VpcId", n.vpc}},
		{"a gateway twice", "Resource.AlreadyAssociated", gateway, "AttachInternetGateway", []string{"InternetGatewayId", gateway, "VpcId", other.vpc}},
		{"an attached gateway", "DependencyViolation", gateway, "DeleteInternetGateway", []string{"InternetGatewayId", gateway}},
		{"a gateway of another VPC", "Gateway.NotAttached", gateway, "DetachInternetGateway", []string{"InternetGatewayId", gateway, "VpcId", other.vpc}},
		{"a gateway that is not there", "InvalidInternetGatewayID.NotFound", "", "DetachInternetGateway", []string{"InternetGatewayId", "igw-00000000", "VpcId", n.vpc}},
		{"a VPC with an egress-only gateway", "DependencyViolation", "", "DeleteVpc", []string{"VpcId", n.vpc}},
	})

	// The main table changes by its association, which gets a new id.
	swapped := w.must("newAssociationId", "ReplaceRouteTableAssociation", "AssociationId", mainAssociation, "RouteTableId", table)
	if swapped == mainAssociation {
		t.Error("the replaced association kept its id")
	}
	if got := w.must("routeTableId", "DescribeRouteTables", "Filter.1.Name", "association.main", "Filter.1.Value.1", "true", "Filter.2.Name", "vpc-id", "Filter.2.Value.1", n.vpc); got != table {
		t.Errorf("the main table is %s, want %s", got, table)
	}
	w.must("return", "ReplaceRoute", "RouteTableId", table, "DestinationCidrBlock", "10.40.0.0/16", "LocalTarget", "true")
	w.must("return", "DetachInternetGateway", "InternetGatewayId", gateway, "VpcId", n.vpc)
	shows(t, describe(), "state", "blackhole")
	w.must("return", "DisassociateRouteTable", "AssociationId", association)
	w.must("return", "DeleteRouteTable", "RouteTableId", n.main)
}

func TestNetworkACLs(t *testing.T) {
	w := newWire(t)
	n := newNetwork(w, "45")
	acl := w.must("networkAclId", "CreateNetworkAcl", "VpcId", n.vpc)
	tcp := []string{"NetworkAclId", acl, "RuleNumber", "100", "Protocol", "6", "RuleAction", "allow", "Egress", "false", "CidrBlock", "10.9.9.9/8", "PortRange.From", "22", "PortRange.To", "23"}
	w.must("return", "CreateNetworkAclEntry", tcp...)
	w.must("return", "CreateNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "100", "Protocol", "icmp", "RuleAction", "deny", "Egress", "true", "CidrBlock", "0.0.0.0/0", "Icmp.Type", "8", "Icmp.Code", "-1")
	seen := w.call("DescribeNetworkAcls", "NetworkAclId.1", acl).body
	shows(t, seen, "cidrBlock", "10.0.0.0/8")
	shows(t, seen, "to", "23")
	shows(t, seen, "type", "8")
	shows(t, seen, "ruleNumber", "32767")
	association := w.aclAssociation(n.subnet)
	fresh := w.must("newAssociationId", "ReplaceNetworkAclAssociation", "AssociationId", association, "NetworkAclId", acl)
	w.refuses(t, []refusal{
		{"an entry twice", "NetworkAclEntryAlreadyExists", "100", "CreateNetworkAclEntry", tcp},
		{"an entry that is not there", "InvalidNetworkAclEntry.NotFound", "7", "DeleteNetworkAclEntry", []string{"NetworkAclId", acl, "RuleNumber", "7", "Egress", "false"}},
		{"the closing refusal", "InvalidNetworkAclEntry.NotFound", "32767", "DeleteNetworkAclEntry", []string{"NetworkAclId", acl, "RuleNumber", "32767", "Egress", "false"}},
		{"a number out of range", "InvalidParameterValue", "ruleNumber", "CreateNetworkAclEntry", append([]string{"NetworkAclId", acl, "RuleNumber", "40000"}, tcp[4:]...)},
		{"tcp without ports", "MissingParameter", "PortRange", "CreateNetworkAclEntry", []string{"NetworkAclId", acl, "RuleNumber", "7", "Protocol", "6", "RuleAction", "allow", "Egress", "false", "CidrBlock", "0.0.0.0/0"}},
		{"the association's old id", "InvalidAssociationID.NotFound", association, "ReplaceNetworkAclAssociation", []string{"AssociationId", association, "NetworkAclId", n.acl}},
		{"an ACL in use", "DependencyViolation", acl, "DeleteNetworkAcl", []string{"NetworkAclId", acl}},
		{"the default ACL", "InvalidParameterValue", "default", "DeleteNetworkAcl", []string{"NetworkAclId", n.acl}},
		{"an ACL that is not there", "InvalidNetworkAclID.NotFound", "", "DescribeNetworkAcls", []string{"NetworkAclId.1", "acl-00000000"}},
	})
	w.must("return", "ReplaceNetworkAclEntry", append([]string{"NetworkAclId", acl, "RuleNumber", "100", "Protocol", "-1"}, tcp[6:12]...)...)
	lacks(t, w.call("DescribeNetworkAcls", "NetworkAclId.1", acl).body, "<to>23</to>")
	w.must("return", "DeleteNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "100", "Egress", "false")
	w.must("newAssociationId", "ReplaceNetworkAclAssociation", "AssociationId", fresh, "NetworkAclId", n.acl)
	w.must("return", "DeleteNetworkAcl", "NetworkAclId", acl)
}

// TestWhatIsNotHere: clients read these lists unasked, and take an empty one for what it is.
func TestWhatIsNotHere(t *testing.T) {
	w := newWire(t)
	for _, action := range []string{"DescribeVpcEndpoints", "DescribeVpcEndpointServices", "DescribePrefixLists", "DescribeVpnGateways", "DescribeTransitGateways", "DescribeFlowLogs"} {
		if a := w.call(action); a.status != 200 || strings.Contains(a.body, "<item>") {
			t.Errorf("%s: %d %s", action, a.status, a.body)
		}
	}
	vpc := w.must("vpcId", "DescribeVpcs")
	for _, link := range [][3]string{{"DescribeVpcClassicLink", "VpcId.1", "classicLinkEnabled"}, {"DescribeVpcClassicLinkDnsSupport", "VpcIds.1", "classicLinkDnsSupported"}} {
		if a := w.call(link[0], link[1], vpc); first(a.body, "vpcId") != vpc || first(a.body, link[2]) != "false" {
			t.Errorf("%s: %s: Ansible reads the VPC's entry", link[0], a.body)
		}
	}
	w.refuses(t, []refusal{
		{"an endpoint", "UnsupportedOperation", "CreateVpcEndpoint", "CreateVpcEndpoint", []string{"VpcId", "vpc-00000000", "ServiceName", "s3"}},
		{"flow logs", "UnsupportedOperation", "CreateFlowLogs", "CreateFlowLogs", []string{"ResourceId.1", "vpc-00000000", "ResourceType", "VPC"}},
		{"an endpoint by id", "InvalidVpcEndpointId.NotFound", "vpce-1", "DescribeVpcEndpoints", []string{"VpcEndpointId.1", "vpce-1"}},
	})
}
