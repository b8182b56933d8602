package main

import (
	"maps"
	"strings"
	"testing"
)

// refusal is a call that must answer the code, with words that hold says.
type refusal struct {
	name, code, says string
	action           string
	params           []string
}

func (w *wire) refuses(t *testing.T, cases []refusal) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.call(tt.action, tt.params...); a.code != tt.code || !strings.Contains(a.message, tt.says) {
				t.Errorf("%s %v: %d %s %q, want %s naming %q", tt.action, tt.params, a.status, a.code, a.message, tt.code, tt.says)
			}
		})
	}
}

// shows fails unless an answer holds the element with the value.
func shows(t *testing.T, body, element, value string) {
	t.Helper()
	if !strings.Contains(body, "<"+element+">"+value+"</"+element+">") {
		t.Errorf("no %s is %q in %s", element, value, body)
	}
}

// lacks fails if an answer holds the text.
func lacks(t *testing.T, body, text string) {
	t.Helper()
	if strings.Contains(body, text) {
		t.Errorf("%q is still in %s", text, body)
	}
}

// network is a VPC of its own with a subnet, for tests of the network's actions.
type network struct{ vpc, subnet, main, acl, group string }

func newNetwork(w *wire, second string) network {
	w.t.Helper()
	cidr := "10." + second + ".0.0/16"
	n := network{vpc: w.must("vpcId", "CreateVpc", "CidrBlock", cidr)}
	n.subnet = w.must("subnetId", "CreateSubnet", "VpcId", n.vpc, "CidrBlock", "10."+second+".1.0/24", "AvailabilityZone", "us-east-1b")
	of := []string{"Filter.1.Name", "vpc-id", "Filter.1.Value.1", n.vpc}
	n.group = w.must("groupId", "DescribeSecurityGroups", of...)
	n.main = w.must("routeTableId", "DescribeRouteTables", of...)
	n.acl = w.must("networkAclId", "DescribeNetworkAcls", of...)
	return n
}

// networkDryRuns are parameters with which each of the network's actions would succeed.
func (o world) networkDryRuns(w *wire) map[string][]string {
	n := newNetwork(w, "66")
	w.must("associationId", "AssociateVpcCidrBlock", "VpcId", n.vpc, "AmazonProvidedIpv6CidrBlock", "true")
	second := first(w.must("cidrBlockAssociation", "AssociateVpcCidrBlock", "VpcId", n.vpc, "CidrBlock", "10.67.0.0/16"), "associationId")
	ipv6 := w.must("ipv6CidrBlock", "DescribeVpcs", "VpcId.1", n.vpc)
	half, other := strings.Replace(ipv6, "00::/56", "01::/64", 1), strings.Replace(ipv6, "00::/56", "02::/64", 1)
	six := w.must("subnetId", "CreateSubnet", "VpcId", n.vpc, "CidrBlock", "10.66.2.0/24", "Ipv6CidrBlock", half)
	sixID := first(w.must("ipv6CidrBlockAssociationSet", "DescribeSubnets", "SubnetId.1", six), "associationId")
	empty := w.must("vpcId", "CreateVpc", "CidrBlock", "10.68.0.0/16")
	options := w.must("dhcpOptionsId", "CreateDhcpOptions", "DhcpConfiguration.1.Key", "domain-name", "DhcpConfiguration.1.Value.1", "example.org")
	zoneC := w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1c", "Filter.2.Name", "default-for-az", "Filter.2.Value.1", "true")
	w.must("return", "DeleteSubnet", "SubnetId", zoneC)
	out := map[string][]string{
		"CreateDefaultVpc":            nil,
		"CreateVpc":                   {"CidrBlock", "10.1.0.0/16"},
		"DeleteVpc":                   {"VpcId", empty},
		"ModifyVpcAttribute":          {"VpcId", n.vpc, "EnableDnsHostnames.Value", "true"},
		"AssociateVpcCidrBlock":       {"VpcId", n.vpc, "CidrBlock", "10.69.0.0/16"},
		"DisassociateVpcCidrBlock":    {"AssociationId", second},
		"CreateSubnet":                {"VpcId", n.vpc, "CidrBlock", "10.66.9.0/24"},
		"DeleteSubnet":                {"SubnetId", n.subnet},
		"CreateDefaultSubnet":         {"AvailabilityZone", "us-east-1c"},
		"ModifySubnetAttribute":       {"SubnetId", n.subnet, "MapPublicIpOnLaunch.Value", "true"},
		"AssociateSubnetCidrBlock":    {"SubnetId", n.subnet, "Ipv6CidrBlock", other},
		"DisassociateSubnetCidrBlock": {"AssociationId", sixID},
		"CreateDhcpOptions":           {"DhcpConfiguration.1.Key", "ntp-servers", "DhcpConfiguration.1.Value.1", "10.0.0.9"},
		"AssociateDhcpOptions":        {"DhcpOptionsId", options, "VpcId", n.vpc},
		"DeleteDhcpOptions":           {"DhcpOptionsId", options},
	}
	addressed := w.must("subnetId", "CreateSubnet", "VpcId", n.vpc, "CidrBlock", "10.66.3.0/24", "Ipv6CidrBlock", strings.Replace(ipv6, "00::/56", "03::/64", 1))
	eni := w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", addressed, "Ipv6AddressCount", "1", "SecondaryPrivateIpAddressCount", "1")
	set := w.must("privateIpAddressesSet", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni)
	out["AssignPrivateIpAddresses"] = []string{"NetworkInterfaceId", eni, "SecondaryPrivateIpAddressCount", "1"}
	out["UnassignPrivateIpAddresses"] = []string{"NetworkInterfaceId", eni, "PrivateIpAddress.1", first(set[strings.Index(set, "</item>"):], "privateIpAddress")}
	out["AssignIpv6Addresses"] = []string{"NetworkInterfaceId", eni, "Ipv6AddressCount", "1"}
	out["UnassignIpv6Addresses"] = []string{"NetworkInterfaceId", eni, "Ipv6Addresses.1", w.must("ipv6Address", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni)}
	for _, more := range []map[string][]string{o.routingDryRuns(w, n), o.groupDryRuns(w), o.interfaceDryRuns(w), o.gatewayDryRuns(w)} {
		maps.Copy(out, more)
	}
	return out
}

// otherDryRuns are the actions that cannot succeed in the world of the test.
var otherDryRuns = map[string]string{
	"CreateDefaultVpc":  "DefaultVpcAlreadyExists", // TestDefaultVPCComesBack tries it where there is none
	"CreateVpcEndpoint": "UnsupportedOperation",
	"CreateFlowLogs":    "UnsupportedOperation",
}

func TestVPCs(t *testing.T) {
	w := newWire(t)
	a := w.call("CreateVpc", "CidrBlock", "10.20.7.9/16", "InstanceTenancy", "default", "AmazonProvidedIpv6CidrBlock", "false", "Ipv6CidrBlock", "",
		"TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "mine")
	vpc := first(a.body, "vpcId")
	shows(t, a.body, "state", "pending")
	shows(t, a.body, "cidrBlock", "10.20.0.0/16")
	seen := w.call("DescribeVpcs", "VpcId.1", vpc, "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "mine", "Filter.2.Name", "isDefault", "Filter.2.Value.1", "false").body
	shows(t, seen, "state", "available")
	for attribute, want := range map[string]string{"enableDnsSupport": "true", "enableDnsHostnames": "false", "enableNetworkAddressUsageMetrics": "false"} {
		if got := first(w.must(attribute, "DescribeVpcAttribute", "VpcId", vpc, "Attribute", attribute), "value"); got != want {
			t.Errorf("a new VPC's %s is %q, want %s", attribute, got, want)
		}
	}
	w.must("return", "ModifyVpcAttribute", "VpcId", vpc, "EnableDnsHostnames.Value", "true")
	if got := first(w.must("enableDnsHostnames", "DescribeVpcAttribute", "VpcId", vpc, "Attribute", "enableDnsHostnames"), "value"); got != "true" {
		t.Errorf("enableDnsHostnames is %q after it was set", got)
	}
	second := first(w.must("cidrBlockAssociation", "AssociateVpcCidrBlock", "VpcId", vpc, "CidrBlock", "10.21.0.0/16"), "associationId")
	primary := first(w.must("cidrBlockAssociationSet", "DescribeVpcs", "VpcId.1", vpc), "associationId")
	inSecond := w.must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.21.3.0/24", "AvailabilityZoneId", "use1-az3")
	sub := w.must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.20.3.0/24")
	options := w.must("dhcpOptionsId", "CreateDhcpOptions", "DhcpConfiguration.1.Key", "domain-name-servers", "DhcpConfiguration.1.Value.1", "AmazonProvidedDNS", "DhcpConfiguration.1.Value.2", "10.20.0.9",
		"DhcpConfiguration.2.Key", "netbios-node-type", "DhcpConfiguration.2.Value.1", "2")
	w.must("return", "AssociateDhcpOptions", "DhcpOptionsId", options, "VpcId", vpc)

	w.refuses(t, []refusal{
		{"a VPC above /16", "InvalidVpc.Range", "10.0.0.0/8", "CreateVpc", []string{"CidrBlock", "10.0.0.0/8"}},
		{"a VPC below /28", "InvalidVpc.Range", "10.0.0.0/29", "CreateVpc", []string{"CidrBlock", "10.0.0.0/29"}},
		{"a VPC of loopback", "InvalidVpc.Range", "127", "CreateVpc", []string{"CidrBlock", "127.0.0.0/16"}},
		{"a VPC of words", "InvalidParameterValue", "ten", "CreateVpc", []string{"CidrBlock", "ten"}},
		{"a VPC without a range", "MissingParameter", "CidrBlock", "CreateVpc", nil},
		{"a VPC with a pool", "UnsupportedOperation", "Ipv6Pool", "CreateVpc", []string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "p"}},
		{"a tag for something else", "InvalidParameterValue", "not a valid taggable", "CreateVpc", []string{"CidrBlock", "10.0.0.0/16", "TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "a"}},
		{"two attributes at once", "InvalidParameterCombination", "multiple", "ModifyVpcAttribute", []string{"VpcId", vpc, "EnableDnsHostnames.Value", "true", "EnableDnsSupport.Value", "true"}},
		{"no attribute", "InvalidParameterCombination", "No attributes", "ModifyVpcAttribute", []string{"VpcId", vpc}},
		{"a VPC that is not there", "InvalidVpcID.NotFound", "vpc-00000000", "DeleteVpc", []string{"VpcId", "vpc-00000000"}},
		{"an overlapping range", "InvalidVpc.Range", "conflicts", "AssociateVpcCidrBlock", []string{"VpcId", vpc, "CidrBlock", "10.20.128.0/20"}},
		{"the primary range", "OperationNotPermitted", "primary", "DisassociateVpcCidrBlock", []string{"AssociationId", primary}},
		{"a range in use", "DependencyViolation", inSecond, "DisassociateVpcCidrBlock", []string{"AssociationId", second}},
		{"a range nobody has", "InvalidVpcCidrBlockAssociationID.NotFound", "", "DisassociateVpcCidrBlock", []string{"AssociationId", "vpc-cidr-assoc-00000000"}},
		{"a subnet outside", "InvalidSubnet.Range", "10.99", "CreateSubnet", []string{"VpcId", vpc, "CidrBlock", "10.99.0.0/24"}},
		{"a subnet too small", "InvalidSubnet.Range", "/29", "CreateSubnet", []string{"VpcId", vpc, "CidrBlock", "10.20.9.0/29"}},
		{"a subnet twice", "InvalidSubnet.Conflict", "conflicts with another subnet", "CreateSubnet", []string{"VpcId", vpc, "CidrBlock", "10.20.3.128/25"}},
		{"a subnet in no zone", "InvalidParameterValue", "us-east-1a", "CreateSubnet", []string{"VpcId", vpc, "CidrBlock", "10.20.9.0/24", "AvailabilityZone", "us-east-1z"}},
		{"a subnet in no VPC", "InvalidVpcID.NotFound", "", "CreateSubnet", []string{"VpcId", "vpc-00000000", "CidrBlock", "10.20.9.0/24"}},
		{"a native IPv6 subnet", "UnsupportedOperation", "Ipv6Native", "CreateSubnet", []string{"VpcId", vpc, "Ipv6Native", "true"}},
		{"IPv6 addresses without a range", "InvalidParameterValue", "assignIpv6", "ModifySubnetAttribute", []string{"SubnetId", sub, "AssignIpv6AddressOnCreation.Value", "true"}},
		{"two subnet attributes", "InvalidParameterCombination", "", "ModifySubnetAttribute", []string{"SubnetId", sub, "MapPublicIpOnLaunch.Value", "true", "PrivateDnsHostnameTypeOnLaunch", "ip-name"}},
		{"a VPC with subnets", "DependencyViolation", "has dependencies and cannot be deleted", "DeleteVpc", []string{"VpcId", vpc}},
		{"DHCP options in use", "DependencyViolation", options, "DeleteDhcpOptions", []string{"DhcpOptionsId", options}},
		{"an unknown DHCP option", "InvalidParameterValue", "colour", "CreateDhcpOptions", []string{"DhcpConfiguration.1.Key", "colour", "DhcpConfiguration.1.Value.1", "red"}},
		{"a name server that is none", "InvalidParameterValue", "x", "CreateDhcpOptions", []string{"DhcpConfiguration.1.Key", "domain-name-servers", "DhcpConfiguration.1.Value.1", "x"}},
		{"DHCP options that are not there", "InvalidDhcpOptionID.NotFound", "", "DescribeDhcpOptions", []string{"DhcpOptionsId.1", "dopt-00000000"}},
		{"a second default VPC", "DefaultVpcAlreadyExists", "", "CreateDefaultVpc", nil},
		{"a second default subnet", "DefaultSubnetAlreadyExistsInAvailabilityZone", "us-east-1a", "CreateDefaultSubnet", []string{"AvailabilityZone", "us-east-1a"}},
	})

	w.must("return", "ModifySubnetAttribute", "SubnetId", sub, "MapPublicIpOnLaunch.Value", "true")
	shows(t, w.call("DescribeSubnets", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc, "Filter.2.Name", "cidr", "Filter.2.Value.1", "10.20.3.0/24").body, "mapPublicIpOnLaunch", "true")
	for _, id := range []string{sub, inSecond} {
		w.must("return", "DeleteSubnet", "SubnetId", id)
	}
	w.must("vpcId", "DisassociateVpcCidrBlock", "AssociationId", second)
	w.must("return", "DeleteVpc", "VpcId", vpc)
	w.must("return", "DeleteDhcpOptions", "DhcpOptionsId", options)
	for _, action := range []string{"DescribeSecurityGroups"} {
		lacks(t, w.call(action).body, vpc)
	}
}

// TestIPv6: a VPC gets a /56 of Amazon's, a subnet a /64 of that, and its ACL and default group open up as if it had been there.
func TestIPv6(t *testing.T) {
	w := newWire(t)
	n := newNetwork(w, "30")
	given := w.must("ipv6CidrBlockAssociation", "AssociateVpcCidrBlock", "VpcId", n.vpc, "AmazonProvidedIpv6CidrBlock", "true")
	if got := first(given, "state"); got != "associating" {
		t.Errorf("the new range is %q", got)
	}
	shows(t, w.call("DescribeSecurityGroups", "GroupId.1", n.group).body, "cidrIpv6", "::/0")
	range56 := first(given, "ipv6CidrBlock")
	range64 := strings.Replace(range56, "00::/56", "0a::/64", 1)
	a := w.must("ipv6CidrBlockAssociation", "AssociateSubnetCidrBlock", "SubnetId", n.subnet, "Ipv6CidrBlock", range64)
	w.must("return", "ModifySubnetAttribute", "SubnetId", n.subnet, "AssignIpv6AddressOnCreation.Value", "true")
	in := w.must("instanceId", "RunInstances", "ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "SubnetId", n.subnet)
	if got := w.must("ipv6Address", "DescribeInstances", "InstanceId.1", in); !strings.HasPrefix(got, strings.TrimSuffix(range64, ":/64")) {
		t.Errorf("the instance has %q, want an address of %s", got, range64)
	}
	w.refuses(t, []refusal{
		{"the subnet's range in use", "DependencyViolation", "", "DisassociateSubnetCidrBlock", []string{"AssociationId", first(a, "associationId")}},
		{"the VPC's range in use", "DependencyViolation", n.subnet, "DisassociateVpcCidrBlock", []string{"AssociationId", first(given, "associationId")}},
		{"a range of another VPC", "InvalidSubnet.Range", "", "CreateSubnet", []string{"VpcId", n.vpc, "CidrBlock", "10.30.8.0/24", "Ipv6CidrBlock", "fd00::/64"}},
		{"the range again", "InvalidSubnet.Conflict", "", "CreateSubnet", []string{"VpcId", n.vpc, "CidrBlock", "10.30.8.0/24", "Ipv6CidrBlock", range64}},
	})
}

// TestDefaultVPCComesBack: deleted with all in it, it is made anew as it was.
func TestDefaultVPCComesBack(t *testing.T) {
	w := newWire(t)
	vpc := w.must("vpcId", "DescribeVpcs", "Filter.1.Name", "is-default", "Filter.1.Value.1", "true")
	for range 3 {
		w.must("return", "DeleteSubnet", "SubnetId", w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc))
	}
	w.must("subnetId", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b")
	shows(t, w.call("DescribeSubnets", "Filter.1.Name", "defaultForAz", "Filter.1.Value.1", "true").body, "availabilityZone", "us-east-1b")
	w.refuses(t, []refusal{{"a VPC with a gateway", "DependencyViolation", "", "DeleteVpc", []string{"VpcId", vpc}}})
}
