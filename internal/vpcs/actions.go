package vpcs

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions(free FreeAddresses) action.Table {
	return action.Table{
		"DescribeVpcs":                       action.Read(s.Describe).Filters(documentedFilters...),
		"DescribeVpcAttribute":               action.Read(s.Attribute),
		"DescribeSubnets":                    action.Read(s.Subnets(free)).Filters(subnetsFilters...),
		"CreateVpc":                          action.Do(s.CreateVPC).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteVpc":                          action.Void(s.DeleteVPC).Bucket(action.Mutating).Repeats(action.NoToken),
		"CreateDefaultVpc":                   action.Do(s.CreateDefaultVPC).Bucket(action.Defaults).Repeats(action.NoToken),
		"ModifyVpcAttribute":                 action.Void(s.ModifyVPC).Bucket(action.Mutating).Repeats(action.NoToken),
		"ModifyVpcTenancy":                   action.Do(s.ModifyTenancy).Bucket(action.Mutating).Repeats(action.NoToken),
		"AssociateVpcCidrBlock":              action.Do(s.AssociateRange).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisassociateVpcCidrBlock":           action.Do(s.DisassociateRange).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeVpcClassicLink":             action.Read(s.ClassicLink).Filters(classicLinkFilters...),
		"DescribeVpcClassicLinkDnsSupport":   action.Read(s.ClassicLinkDNS),
		"CreateSubnet":                       action.Do(s.CreateSubnet).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteSubnet":                       action.Void(s.DeleteSubnet).Bucket(action.Mutating).Repeats(action.NoToken),
		"CreateDefaultSubnet":                action.Do(s.CreateDefaultSubnet).Bucket(action.Defaults).Repeats(action.NoToken),
		"ModifySubnetAttribute":              action.Void(s.ModifySubnet).Bucket(action.Mutating).Repeats(action.NoToken),
		"AssociateSubnetCidrBlock":           action.Do(s.AssociateSubnetRange).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisassociateSubnetCidrBlock":        action.Do(s.DisassociateSubnetRange).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeDhcpOptions":                action.Read(s.DescribeDHCP).Filters(dhcpFilters...),
		"CreateDhcpOptions":                  action.Do(s.CreateDHCP).Bucket(action.Mutating).Repeats(action.NoToken),
		"AssociateDhcpOptions":               action.Void(s.AssociateDHCP).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteDhcpOptions":                  action.Void(s.DeleteDHCP).Bucket(action.Mutating).Repeats(action.NoToken),
		"CreateInternetGateway":              action.Do(s.CreateGateway).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteInternetGateway":              action.Void(s.DeleteGateway).Bucket(action.Mutating).Repeats(action.NoToken),
		"AttachInternetGateway":              action.Void(s.AttachGateway).Bucket(action.Mutating).Repeats(action.NoToken),
		"DetachInternetGateway":              action.Void(s.DetachGateway).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeInternetGateways":           action.Read(s.DescribeGateways).Filters(describeGatewaysFilters...),
		"CreateEgressOnlyInternetGateway":    action.Do(s.CreateEgressOnly).Bucket(action.Mutating).Repeats(action.ByToken),
		"DeleteEgressOnlyInternetGateway":    action.Do(s.DeleteEgressOnly).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeEgressOnlyInternetGateways": action.Read(s.DescribeEgressOnly).Filters(describeEgressOnlyFilters...),
		"CreateRouteTable":                   action.Do(s.CreateTable).Bucket(action.Mutating).Repeats(action.ByToken),
		"DeleteRouteTable":                   action.Void(s.DeleteTable).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeRouteTables":                action.Read(s.DescribeTables).Filters(describeTablesFilters...),
		"CreateRoute":                        action.Do(s.CreateRoute).Bucket(action.Mutating).Repeats(action.NoToken),
		"ReplaceRoute":                       action.Void(s.ReplaceRoute).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteRoute":                        action.Void(s.DeleteRoute).Bucket(action.Mutating).Repeats(action.NoToken),
		"AssociateRouteTable":                action.Do(s.AssociateTable).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisassociateRouteTable":             action.Void(s.DisassociateTable).Bucket(action.Mutating).Repeats(action.NoToken),
		"ReplaceRouteTableAssociation":       action.Do(s.ReplaceAssociation).Bucket(action.Mutating).Repeats(action.NoToken),
		"CreateNetworkAcl":                   action.Do(s.CreateACL).Bucket(action.Mutating).Repeats(action.ByToken),
		"DeleteNetworkAcl":                   action.Void(s.DeleteACL).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeNetworkAcls":                action.Read(s.DescribeACLs).Filters(describeACLsFilters...),
		"CreateNetworkAclEntry":              action.Void(s.CreateEntry).Bucket(action.Mutating).Repeats(action.NoToken),
		"ReplaceNetworkAclEntry":             action.Void(s.ReplaceEntry).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteNetworkAclEntry":              action.Void(s.DeleteEntry).Bucket(action.Mutating).Repeats(action.NoToken),
		"ReplaceNetworkAclAssociation":       action.Do(s.ReplaceACLAssociation).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeVpcEndpoints":               action.Read(s.Endpoints).Filters(),
		"DescribeVpcEndpointServices":        action.Read(s.EndpointServices).Filters(),
		"CreateVpcEndpoint":                  action.Do(s.CreateEndpoint).Bucket(action.Mutating).Repeats(action.TokenUnread),
		"DeleteVpcEndpoints":                 action.Do(s.DeleteEndpoints).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribePrefixLists":                action.Read(s.AWSPrefixLists).Filters(),
		"DescribeVpnGateways":                action.Read(s.VPNGateways).Filters(),
		"DescribeTransitGateways":            action.Read(s.TransitGateways).Filters(),
		"CreateFlowLogs":                     action.Do(s.CreateFlowLogs).Bucket(action.Mutating).Repeats(action.TokenUnread),
		"DescribeFlowLogs":                   action.Read(s.FlowLogs).Filters(),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"cidr", "cidr-block", "cidr-block-association.association-id", "cidr-block-association.cidr-block",
	"cidr-block-association.ipv6-cidr-block", "cidr-block-association.state", "cidrBlock", "dhcp-options-id",
	"ipv6-cidr-block-association.association-id", "ipv6-cidr-block-association.cidr-block",
	"ipv6-cidr-block-association.ipv6-cidr-block", "ipv6-cidr-block-association.state", "is-default", "isDefault",
	"owner-id", "state", "tag-key", "tag-value", "tag:<key>", "vpc-id",
}

var subnetsFilters = []string{
	"availability-zone", "availability-zone-id", "availabilityZone", "availabilityZoneId",
	"available-ip-address-count", "cidr", "cidr-block", "cidrBlock", "default-for-az", "defaultForAz",
	"ipv6-cidr-block-association.association-id", "ipv6-cidr-block-association.ipv6-cidr-block", "ipv6-native",
	"map-public-ip-on-launch", "owner-id", "private-dns-name-options-on-launch.hostname-type", "state", "subnet-arn",
	"subnet-id", "tag-key", "tag-value", "tag:<key>", "vpc-id",
}

var classicLinkFilters = []string{
	"is-classic-link-enabled", "tag-key", "tag-value", "tag:<key>",
}

var dhcpFilters = []string{
	"dhcp-options-id", "key", "owner-id", "tag-key", "tag-value", "tag:<key>", "value",
}

var describeGatewaysFilters = []string{
	"attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id", "tag-key", "tag-value",
	"tag:<key>",
}

var describeEgressOnlyFilters = []string{
	"tag-key", "tag-value", "tag:<key>",
}

var describeTablesFilters = []string{
	"association.gateway-id", "association.main", "association.route-table-association-id",
	"association.route-table-id", "association.subnet-id", "owner-id", "route-table-id",
	"route.destination-cidr-block", "route.destination-ipv6-cidr-block", "route.destination-prefix-list-id",
	"route.egress-only-internet-gateway-id", "route.gateway-id", "route.instance-id", "route.nat-gateway-id",
	"route.network-interface-id", "route.origin", "route.state", "route.transit-gateway-id",
	"route.vpc-peering-connection-id", "tag-key", "tag-value", "tag:<key>", "vpc-id",
}

var describeACLsFilters = []string{
	"association.association-id", "association.network-acl-id", "association.subnet-id", "default", "entry.cidr",
	"entry.egress", "entry.icmp.code", "entry.icmp.type", "entry.ipv6-cidr", "entry.port-range.from",
	"entry.port-range.to", "entry.protocol", "entry.rule-action", "entry.rule-number", "network-acl-id", "owner-id",
	"tag-key", "tag-value", "tag:<key>", "vpc-id",
}
