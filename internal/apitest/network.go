package apitest

import (
	"maps"
	"strings"
	"testing"
)

// Refusal is a call that must answer the code, with words that hold says.
type Refusal struct {
	Name, Code, Says string
	Action           string
	Params           []string
}

// Case is one Refusal, in a line.
func Case(name, code, says, action string, params []string) Refusal {
	return Refusal{Name: name, Code: code, Says: says, Action: action, Params: params}
}

// Refuses makes the calls and fails for each that is not refused so.
func (w *Wire) Refuses(t *testing.T, cases []Refusal) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) {
			if a := w.Call(tt.Action, tt.Params...); a.Code != tt.Code || !strings.Contains(a.Message, tt.Says) {
				t.Errorf("%s %v: %d %s %q, want %s naming %q", tt.Action, tt.Params, a.Status, a.Code, a.Message,
					tt.Code, tt.Says)
			}
		})
	}
}

// Shows fails unless an answer holds the element with the value.
func Shows(t *testing.T, body, element, value string) {
	t.Helper()
	if !strings.Contains(body, "<"+element+">"+value+"</"+element+">") {
		t.Errorf("no %s is %q in %s", element, value, body)
	}
}

// Lacks fails if an answer holds the text.
func Lacks(t *testing.T, body, text string) {
	t.Helper()
	if strings.Contains(body, text) {
		t.Errorf("%q is still in %s", text, body)
	}
}

// Network is a VPC of its own with a subnet, for tests of the network's actions.
type Network struct{ VPC, Subnet, Main, ACL, Group string }

// NewNetwork makes one, 10.second.0.0/16.
func NewNetwork(w *Wire, second string) Network {
	w.T.Helper()
	cidr := "10." + second + ".0.0/16"
	n := Network{VPC: w.Must("vpcId", "CreateVpc", "CidrBlock", cidr)}
	n.Subnet = w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10."+second+".1.0/24",
		"AvailabilityZone", "us-east-1b")
	of := []string{"Filter.1.Name", "vpc-id", "Filter.1.Value.1", n.VPC}
	n.Group = w.Must("groupId", "DescribeSecurityGroups", of...)
	n.Main = w.Must("routeTableId", "DescribeRouteTables", of...)
	n.ACL = w.Must("networkAclId", "DescribeNetworkAcls", of...)
	return n
}

// networkDryRuns are parameters with which each of the network's actions would succeed.
func (o World) networkDryRuns(w *Wire) map[string][]string {
	n := NewNetwork(w, "66")
	w.Must("associationId", "AssociateVpcCidrBlock", "VpcId", n.VPC, "AmazonProvidedIpv6CidrBlock", "true")
	second := First(w.Must("cidrBlockAssociation", "AssociateVpcCidrBlock", "VpcId", n.VPC, "CidrBlock",
		"10.67.0.0/16"), "associationId")
	ipv6 := w.Must("ipv6CidrBlock", "DescribeVpcs", "VpcId.1", n.VPC)
	half, other := strings.Replace(ipv6, "00::/56", "01::/64", 1), strings.Replace(ipv6, "00::/56", "02::/64", 1)
	six := w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10.66.2.0/24", "Ipv6CidrBlock", half)
	sixID := First(w.Must("ipv6CidrBlockAssociationSet", "DescribeSubnets", "SubnetId.1", six), "associationId")
	empty := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.68.0.0/16")
	options := w.Must("dhcpOptionsId", "CreateDhcpOptions", "DhcpConfiguration.1.Key", "domain-name",
		"DhcpConfiguration.1.Value.1", "example.org")
	zoneC := w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1",
		"us-east-1c", "Filter.2.Name", "default-for-az", "Filter.2.Value.1", "true")
	w.Must("return", "DeleteSubnet", "SubnetId", zoneC)
	reserved := w.Must("subnetCidrReservationId", "CreateSubnetCidrReservation", "SubnetId", n.Subnet, "Cidr",
		"10.66.1.192/28", "ReservationType", "prefix")
	out := map[string][]string{
		"CreateDefaultVpc":            nil,
		"CreateVpc":                   {"CidrBlock", "10.1.0.0/16"},
		"DeleteVpc":                   {"VpcId", empty},
		"ModifyVpcAttribute":          {"VpcId", n.VPC, "EnableDnsHostnames.Value", "true"},
		"AssociateVpcCidrBlock":       {"VpcId", n.VPC, "CidrBlock", "10.69.0.0/16"},
		"DisassociateVpcCidrBlock":    {"AssociationId", second},
		"CreateSubnet":                {"VpcId", n.VPC, "CidrBlock", "10.66.9.0/24"},
		"DeleteSubnet":                {"SubnetId", n.Subnet},
		"CreateSubnetCidrReservation": {"SubnetId", n.Subnet, "Cidr", "10.66.1.128/27", "ReservationType", "explicit"},
		"GetSubnetCidrReservations":   {"SubnetId", n.Subnet},
		"DeleteSubnetCidrReservation": {"SubnetCidrReservationId", reserved},
		"CreateDefaultSubnet":         {"AvailabilityZone", "us-east-1c"},
		"ModifySubnetAttribute":       {"SubnetId", n.Subnet, "MapPublicIpOnLaunch.Value", "true"},
		"AssociateSubnetCidrBlock":    {"SubnetId", n.Subnet, "Ipv6CidrBlock", other},
		"DisassociateSubnetCidrBlock": {"AssociationId", sixID},
		"CreateDhcpOptions":           {"DhcpConfiguration.1.Key", "ntp-servers", "DhcpConfiguration.1.Value.1", "10.0.0.9"},
		"AssociateDhcpOptions":        {"DhcpOptionsId", options, "VpcId", n.VPC},
		"DeleteDhcpOptions":           {"DhcpOptionsId", options},
	}
	addressed := w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10.66.3.0/24", "Ipv6CidrBlock",
		strings.Replace(ipv6, "00::/56", "03::/64", 1))
	eni := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", addressed, "Ipv6AddressCount", "1",
		"SecondaryPrivateIpAddressCount", "1")
	set := w.Must("privateIpAddressesSet", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni)
	out["AssignPrivateIpAddresses"] = []string{"NetworkInterfaceId", eni, "SecondaryPrivateIpAddressCount", "1"}
	out["UnassignPrivateIpAddresses"] = []string{
		"NetworkInterfaceId", eni, "PrivateIpAddress.1", First(set[strings.Index(set, "</item>"):], "privateIpAddress"),
	}
	out["AssignIpv6Addresses"] = []string{"NetworkInterfaceId", eni, "Ipv6AddressCount", "1"}
	out["UnassignIpv6Addresses"] = []string{
		"NetworkInterfaceId", eni, "Ipv6Addresses.1",
		w.Must("ipv6Address", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni),
	}
	for _, more := range []map[string][]string{
		o.routingDryRuns(w, n), o.groupDryRuns(w), o.interfaceDryRuns(w), o.gatewayDryRuns(w),
	} {
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

func (o World) interfaceDryRuns(w *Wire) map[string][]string {
	free := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", o.zoneSubnet(w, "us-east-1a"))
	here := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId",
		w.Must("subnetId", "DescribeInstances", "InstanceId.1", o.Running))
	second := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId",
		w.Must("subnetId", "DescribeInstances", "InstanceId.1", o.Stopped))
	attachment := w.Must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", second, "InstanceId",
		o.Stopped, "DeviceIndex", "1")
	allocation, used := w.Must("allocationId", "AllocateAddress"), w.Must("allocationId", "AllocateAddress")
	association := w.Must("associationId", "AssociateAddress", "AllocationId", used, "NetworkInterfaceId", free)
	return map[string][]string{
		"AllocateAddress":                   {"Domain", "vpc"},
		"ReleaseAddress":                    {"AllocationId", allocation},
		"AssociateAddress":                  {"AllocationId", allocation, "InstanceId", o.Running},
		"DisassociateAddress":               {"AssociationId", association},
		"DescribeAddressesAttribute":        {"Attribute", "domain-name"},
		"CreateNetworkInterface":            {"SubnetId", o.zoneSubnet(w, "us-east-1a")},
		"DeleteNetworkInterface":            {"NetworkInterfaceId", free},
		"AttachNetworkInterface":            {"NetworkInterfaceId", here, "InstanceId", o.Running, "DeviceIndex", "7"},
		"DetachNetworkInterface":            {"AttachmentId", attachment},
		"ModifyNetworkInterfaceAttribute":   {"NetworkInterfaceId", free, "Description.Value", "other"},
		"DescribeNetworkInterfaceAttribute": {"NetworkInterfaceId", free, "Attribute", "groupSet"},
		"ResetNetworkInterfaceAttribute":    {"NetworkInterfaceId", free, "SourceDestCheck", "true"},
	}
}

func (o World) zoneSubnet(w *Wire, zone string) string {
	return w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", zone,
		"Filter.2.Name", "default-for-az", "Filter.2.Value.1", "true")
}

// LaunchIn runs an instance in a subnet and waits for it.
func (w *Wire) LaunchIn(subnet string, more ...string) string {
	w.T.Helper()
	id := w.Launch("t3.micro", append(more, "SubnetId", subnet)...)
	w.Await(id, "running")
	return id
}

func (o World) gatewayDryRuns(w *Wire) map[string][]string {
	nat := w.Must("natGatewayId", "CreateNatGateway", "SubnetId", o.zoneSubnet(w, "us-east-1a"), "AllocationId",
		w.Must("allocationId", "AllocateAddress"))
	one, two, three := NewNetwork(w, "81"), NewNetwork(w, "82"), NewNetwork(w, "83")
	asked := w.Must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", one.VPC, "PeerVpcId", two.VPC)
	active := w.Must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", two.VPC, "PeerVpcId", three.VPC)
	w.Must("vpcPeeringConnectionId", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", active)
	return map[string][]string{
		"CreateNatGateway": {"SubnetId", o.zoneSubnet(w, "us-east-1a"), "AllocationId",
			w.Must("allocationId", "AllocateAddress")},
		"DeleteNatGateway":           {"NatGatewayId", nat},
		"CreateVpcPeeringConnection": {"VpcId", one.VPC, "PeerVpcId", three.VPC},
		"AcceptVpcPeeringConnection": {"VpcPeeringConnectionId", asked},
		"RejectVpcPeeringConnection": {"VpcPeeringConnectionId", asked},
		"DeleteVpcPeeringConnection": {"VpcPeeringConnectionId", asked},
		"ModifyVpcPeeringConnectionOptions": {"VpcPeeringConnectionId", active,
			"RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "false"},
	}
}

func (o World) groupDryRuns(w *Wire) map[string][]string {
	rule := First(w.Call("DescribeSecurityGroupRules", "Filter.1.Name", "group-id", "Filter.1.Value.1", o.Group).Body,
		"securityGroupRuleId")
	list := w.Must("prefixListId", "CreateManagedPrefixList", "PrefixListName", "office", "MaxEntries", "2",
		"AddressFamily", "IPv4")
	of := []string{"GroupId", o.Group, "IpPermissions.1.IpProtocol"}
	return map[string][]string{
		"UpdateSecurityGroupRuleDescriptionsIngress": append(of, "tcp", "IpPermissions.1.FromPort", "80",
			"IpPermissions.1.ToPort", "80", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"),
		"UpdateSecurityGroupRuleDescriptionsEgress": append(of, "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
		"ModifySecurityGroupRules": {"GroupId", o.Group, "SecurityGroupRule.1.SecurityGroupRuleId",
			rule, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1",
			"SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "9.0.0.0/8"},
		"DescribeSecurityGroupReferences":  {"GroupId.1", o.Group},
		"DescribeStaleSecurityGroups":      {"VpcId", o.VPC},
		"CreateManagedPrefixList":          {"PrefixListName", "home", "MaxEntries", "2", "AddressFamily", "IPv4"},
		"ModifyManagedPrefixList":          {"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "192.0.2.0/24"},
		"DeleteManagedPrefixList":          {"PrefixListId", list},
		"GetManagedPrefixListEntries":      {"PrefixListId", list},
		"GetManagedPrefixListAssociations": {"PrefixListId", list},
	}
}

func (o World) routingDryRuns(w *Wire, n Network) map[string][]string {
	gateway := w.Must("internetGatewayId", "CreateInternetGateway")
	free := w.Must("internetGatewayId", "CreateInternetGateway")
	w.Must("return", "AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", n.VPC)
	table := w.Must("routeTableId", "CreateRouteTable", "VpcId", n.VPC)
	spare := w.Must("routeTableId", "CreateRouteTable", "VpcId", n.VPC)
	w.Must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway)
	association := w.Must("associationId", "AssociateRouteTable", "RouteTableId", table, "SubnetId", n.Subnet)
	bare := w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10.66.80.0/24")
	acl := w.Must("networkAclId", "CreateNetworkAcl", "VpcId", n.VPC)
	entry := []string{
		"NetworkAclId", acl, "RuleNumber", "100", "Protocol", "6", "RuleAction", "allow", "Egress", "false",
		"CidrBlock", "0.0.0.0/0", "PortRange.From", "22", "PortRange.To", "22",
	}
	w.Must("return", "CreateNetworkAclEntry", entry...)
	eigw := w.Must("egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", "VpcId", n.VPC)
	second := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.71.0.0/16")
	return map[string][]string{
		"CreateInternetGateway":           nil,
		"DeleteInternetGateway":           {"InternetGatewayId", free},
		"AttachInternetGateway":           {"InternetGatewayId", free, "VpcId", second},
		"DetachInternetGateway":           {"InternetGatewayId", gateway, "VpcId", n.VPC},
		"CreateEgressOnlyInternetGateway": {"VpcId", n.VPC},
		"DeleteEgressOnlyInternetGateway": {"EgressOnlyInternetGatewayId", eigw},
		"CreateRouteTable":                {"VpcId", n.VPC},
		"DeleteRouteTable":                {"RouteTableId", spare},
		"CreateRoute": {"RouteTableId", table, "DestinationCidrBlock", "192.168.0.0/16",
			"GatewayId", gateway},
		"ReplaceRoute":                 {"RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gateway},
		"DeleteRoute":                  {"RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0"},
		"AssociateRouteTable":          {"RouteTableId", table, "SubnetId", bare},
		"DisassociateRouteTable":       {"AssociationId", association},
		"ReplaceRouteTableAssociation": {"AssociationId", association, "RouteTableId", spare},
		"CreateNetworkAcl":             {"VpcId", n.VPC},
		"DeleteNetworkAcl":             {"NetworkAclId", acl},
		"CreateNetworkAclEntry":        append([]string{"NetworkAclId", acl, "RuleNumber", "101"}, entry[4:]...),
		"ReplaceNetworkAclEntry":       entry,
		"DeleteNetworkAclEntry":        {"NetworkAclId", acl, "RuleNumber", "100", "Egress", "false"},
		"ReplaceNetworkAclAssociation": {"AssociationId", w.AclAssociation(n.Subnet), "NetworkAclId", acl},
		"CreateVpcEndpoint":            {"VpcId", n.VPC, "ServiceName", "com.amazonaws.us-east-1.s3"},
		"DeleteVpcEndpoints":           {"VpcEndpointId.1", "vpce-00000000"},
		"CreateFlowLogs":               {"ResourceId.1", n.VPC, "ResourceType", "VPC"},
	}
}

// AclAssociation is that of a subnet.
func (w *Wire) AclAssociation(subnet string) string {
	w.T.Helper()
	set := w.Must("associationSet", "DescribeNetworkAcls", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", subnet)
	before, _, _ := strings.Cut(set, subnet)
	at := strings.LastIndex(before, "<networkAclAssociationId>")
	return First(before[at:], "networkAclAssociationId")
}

// ForeignGroup is a group of a VPC beside the default one.
func (w *Wire) ForeignGroup() string {
	vpc := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.9.0.0/16")
	return w.Must("groupId", "CreateSecurityGroup", "GroupName", "foreign", "GroupDescription", "x", "VpcId", vpc)
}
