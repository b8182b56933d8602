package vpcs_test

import (
	"slipway"
	"slipway/internal/apitest"
	"strings"
	"testing"
)

func TestVPCs(t *testing.T) {
	w := apitest.New(t)
	a := w.Call("CreateVpc", "CidrBlock", "10.20.7.9/16", "InstanceTenancy", "default", "AmazonProvidedIpv6CidrBlock",
		"false", "Ipv6CidrBlock", "",
		"TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "Name",
		"TagSpecification.1.Tag.1.Value", "mine")
	vpc := apitest.First(a.Body, "vpcId")
	apitest.Shows(t, a.Body, "state", "pending")
	apitest.Shows(t, a.Body, "cidrBlock", "10.20.0.0/16")
	seen := w.Call("DescribeVpcs", "VpcId.1", vpc, "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "mine",
		"Filter.2.Name", "isDefault", "Filter.2.Value.1", "false").Body
	apitest.Shows(t, seen, "state", "available")
	for attribute, want := range map[string]string{
		"enableDnsSupport": "true", "enableDnsHostnames": "false", "enableNetworkAddressUsageMetrics": "false",
	} {
		if got := apitest.First(w.Must(attribute, "DescribeVpcAttribute", "VpcId", vpc, "Attribute", attribute),
			"value"); got != want {
			t.Errorf("a new VPC's %s is %q, want %s", attribute, got, want)
		}
	}
	w.Must("return", "ModifyVpcAttribute", "VpcId", vpc, "EnableDnsHostnames.Value", "true")
	if got := apitest.First(w.Must("enableDnsHostnames", "DescribeVpcAttribute", "VpcId", vpc, "Attribute",
		"enableDnsHostnames"), "value"); got != "true" {
		t.Errorf("enableDnsHostnames is %q after it was set", got)
	}
	second := apitest.First(w.Must("cidrBlockAssociation", "AssociateVpcCidrBlock", "VpcId", vpc, "CidrBlock",
		"10.21.0.0/16"), "associationId")
	primary := apitest.First(w.Must("cidrBlockAssociationSet", "DescribeVpcs", "VpcId.1", vpc), "associationId")
	inSecond := w.Must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.21.3.0/24", "AvailabilityZoneId", "use1-az3")
	sub := w.Must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.20.3.0/24")
	options := w.Must("dhcpOptionsId", "CreateDhcpOptions", "DhcpConfiguration.1.Key", "domain-name-servers",
		"DhcpConfiguration.1.Value.1", "AmazonProvidedDNS", "DhcpConfiguration.1.Value.2", "10.20.0.9",
		"DhcpConfiguration.2.Key", "netbios-node-type", "DhcpConfiguration.2.Value.1", "2")
	w.Must("return", "AssociateDhcpOptions", "DhcpOptionsId", options, "VpcId", vpc)

	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a VPC above /16", "InvalidVpc.Range", "10.0.0.0/8", "CreateVpc", []string{"CidrBlock", "10.0.0.0/8"}),
		apitest.Case("a VPC below /28", "InvalidVpc.Range", "10.0.0.0/29", "CreateVpc", []string{"CidrBlock", "10.0.0.0/29"}),
		apitest.Case("a VPC of loopback", "InvalidVpc.Range", "127", "CreateVpc", []string{"CidrBlock", "127.0.0.0/16"}),
		apitest.Case("a VPC of words", "InvalidParameterValue", "ten", "CreateVpc", []string{"CidrBlock", "ten"}),
		apitest.Case("a VPC without a range", "MissingParameter", "CidrBlock", "CreateVpc", nil),
		apitest.Case("a VPC with a pool", "UnsupportedOperation", "Ipv6Pool", "CreateVpc",
			[]string{"CidrBlock", "10.0.0.0/16", "Ipv6Pool", "p"}),
		apitest.Case("a tag for something else", "InvalidParameterValue", "not a valid taggable", "CreateVpc",
			[]string{
				"CidrBlock", "10.0.0.0/16", "TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "a",
			}),
		apitest.Case("two attributes at once", "InvalidParameterCombination", "multiple", "ModifyVpcAttribute",
			[]string{"VpcId", vpc, "EnableDnsHostnames.Value", "true", "EnableDnsSupport.Value", "true"}),
		apitest.Case("no attribute", "InvalidParameterCombination", "No attributes", "ModifyVpcAttribute",
			[]string{"VpcId", vpc}),
		apitest.Case("a VPC that is not there", "InvalidVpcID.NotFound", "vpc-00000000", "DeleteVpc",
			[]string{"VpcId", "vpc-00000000"}),
		apitest.Case("an overlapping range", "InvalidVpc.Range", "conflicts", "AssociateVpcCidrBlock",
			[]string{"VpcId", vpc, "CidrBlock", "10.20.128.0/20"}),
		apitest.Case("the primary range", "OperationNotPermitted", "primary", "DisassociateVpcCidrBlock",
			[]string{"AssociationId", primary}),
		apitest.Case("a range in use", "DependencyViolation", inSecond, "DisassociateVpcCidrBlock",
			[]string{"AssociationId", second}),
		apitest.Case("a range nobody has", "InvalidVpcCidrBlockAssociationID.NotFound", "", "DisassociateVpcCidrBlock",
			[]string{"AssociationId", "vpc-cidr-assoc-00000000"}),
		apitest.Case("a subnet outside", "InvalidSubnet.Range", "10.99", "CreateSubnet",
			[]string{"VpcId", vpc, "CidrBlock", "10.99.0.0/24"}),
		apitest.Case("a subnet too small", "InvalidSubnet.Range", "/29", "CreateSubnet",
			[]string{"VpcId", vpc, "CidrBlock", "10.20.9.0/29"}),
		apitest.Case("a subnet twice", "InvalidSubnet.Conflict", "conflicts with another subnet", "CreateSubnet",
			[]string{"VpcId", vpc, "CidrBlock", "10.20.3.128/25"}),
		apitest.Case("a subnet in no zone", "InvalidParameterValue", "us-east-1a", "CreateSubnet",
			[]string{"VpcId", vpc, "CidrBlock", "10.20.9.0/24", "AvailabilityZone", "us-east-1z"}),
		apitest.Case("a subnet in no VPC", "InvalidVpcID.NotFound", "", "CreateSubnet",
			[]string{"VpcId", "vpc-00000000", "CidrBlock", "10.20.9.0/24"}),
		apitest.Case("a native IPv6 subnet", "UnsupportedOperation", "Ipv6Native", "CreateSubnet",
			[]string{"VpcId", vpc, "Ipv6Native", "true"}),
		apitest.Case("IPv6 addresses without a range", "InvalidParameterValue", "assignIpv6", "ModifySubnetAttribute",
			[]string{"SubnetId", sub, "AssignIpv6AddressOnCreation.Value", "true"}),
		apitest.Case("two subnet attributes", "InvalidParameterCombination", "", "ModifySubnetAttribute",
			[]string{"SubnetId", sub, "MapPublicIpOnLaunch.Value", "true", "PrivateDnsHostnameTypeOnLaunch", "ip-name"}),
		apitest.Case("a VPC with subnets", "DependencyViolation", "has dependencies and cannot be deleted", "DeleteVpc",
			[]string{"VpcId", vpc}),
		apitest.Case("DHCP options in use", "DependencyViolation", options, "DeleteDhcpOptions",
			[]string{"DhcpOptionsId", options}),
		apitest.Case("an unknown DHCP option", "InvalidParameterValue", "colour", "CreateDhcpOptions",
			[]string{"DhcpConfiguration.1.Key", "colour", "DhcpConfiguration.1.Value.1", "red"}),
		apitest.Case("a name server that is none", "InvalidParameterValue", "x", "CreateDhcpOptions",
			[]string{"DhcpConfiguration.1.Key", "domain-name-servers", "DhcpConfiguration.1.Value.1", "x"}),
		apitest.Case("DHCP options that are not there", "InvalidDhcpOptionID.NotFound", "", "DescribeDhcpOptions",
			[]string{"DhcpOptionsId.1", "dopt-00000000"}),
		apitest.Case("a second default VPC", "DefaultVpcAlreadyExists", "", "CreateDefaultVpc", nil),
		apitest.Case("a second default subnet", "DefaultSubnetAlreadyExistsInAvailabilityZone", "us-east-1a",
			"CreateDefaultSubnet", []string{"AvailabilityZone", "us-east-1a"}),
	})

	w.Must("return", "ModifySubnetAttribute", "SubnetId", sub, "MapPublicIpOnLaunch.Value", "true")
	apitest.Shows(t,
		w.Call("DescribeSubnets", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc, "Filter.2.Name", "cidr",
			"Filter.2.Value.1", "10.20.3.0/24").Body, "mapPublicIpOnLaunch", "true")
	for _, id := range []string{sub, inSecond} {
		w.Must("return", "DeleteSubnet", "SubnetId", id)
	}
	w.Must("vpcId", "DisassociateVpcCidrBlock", "AssociationId", second)
	w.Must("return", "DeleteVpc", "VpcId", vpc)
	w.Must("return", "DeleteDhcpOptions", "DhcpOptionsId", options)
	for _, action := range []string{"DescribeSecurityGroups"} {
		apitest.Lacks(t, w.Call(action).Body, vpc)
	}
}

// TestIPv6: a VPC gets a /56 of Amazon's, a subnet a /64 of that, and its ACL and default group open up as if it had
// been there.
func TestIPv6(t *testing.T) {
	w := apitest.New(t)
	n := apitest.NewNetwork(w, "30")
	given := w.Must("ipv6CidrBlockAssociation", "AssociateVpcCidrBlock", "VpcId", n.VPC, "AmazonProvidedIpv6CidrBlock", "true")
	if got := apitest.First(given, "state"); got != "associating" {
		t.Errorf("the new range is %q", got)
	}
	apitest.Shows(t, w.Call("DescribeSecurityGroups", "GroupId.1", n.Group).Body, "cidrIpv6", "::/0")
	range56 := apitest.First(given, "ipv6CidrBlock")
	range64 := strings.Replace(range56, "00::/56", "0a::/64", 1)
	a := w.Must("ipv6CidrBlockAssociation", "AssociateSubnetCidrBlock", "SubnetId", n.Subnet, "Ipv6CidrBlock", range64)
	w.Must("return", "ModifySubnetAttribute", "SubnetId", n.Subnet, "AssignIpv6AddressOnCreation.Value", "true")
	in := w.Must("instanceId", "RunInstances", "ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1",
		"MaxCount", "1", "SubnetId", n.Subnet)
	if got := w.Must("ipv6Address", "DescribeInstances", "InstanceId.1", in); !strings.HasPrefix(got,
		strings.TrimSuffix(range64, ":/64")) {
		t.Errorf("the instance has %q, want an address of %s", got, range64)
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("the subnet's range in use", "DependencyViolation", "", "DisassociateSubnetCidrBlock",
			[]string{"AssociationId", apitest.First(a, "associationId")}),
		apitest.Case("the VPC's range in use", "DependencyViolation", n.Subnet, "DisassociateVpcCidrBlock",
			[]string{"AssociationId", apitest.First(given, "associationId")}),
		apitest.Case("a range of another VPC", "InvalidSubnet.Range", "", "CreateSubnet",
			[]string{"VpcId", n.VPC, "CidrBlock", "10.30.8.0/24", "Ipv6CidrBlock", "fd00::/64"}),
		apitest.Case("the range again", "InvalidSubnet.Conflict", "", "CreateSubnet",
			[]string{"VpcId", n.VPC, "CidrBlock", "10.30.8.0/24", "Ipv6CidrBlock", range64}),
	})
}

// TestDefaultVPCComesBack: deleted with all in it, it is made anew as it was.
func TestDefaultVPCComesBack(t *testing.T) {
	w := apitest.New(t)
	vpc := w.Must("vpcId", "DescribeVpcs", "Filter.1.Name", "is-default", "Filter.1.Value.1", "true")
	for range slipway.Zones("us-east-1") {
		w.Must("return", "DeleteSubnet", "SubnetId",
			w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc))
	}
	if got := w.Must("state", "CreateDefaultSubnet", "AvailabilityZone", "us-east-1b"); got != "available" {
		t.Errorf("a new default subnet is %s", got)
	}
	apitest.Shows(t, w.Call("DescribeSubnets", "Filter.1.Name", "defaultForAz", "Filter.1.Value.1", "true").Body,
		"availabilityZone", "us-east-1b")
	w.Refuses(t,
		[]apitest.Refusal{apitest.Case("a VPC with a gateway", "DependencyViolation", "", "DeleteVpc", []string{"VpcId", vpc})})
}
