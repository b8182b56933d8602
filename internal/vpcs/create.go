package vpcs

import (
	"crypto/rand"
	"net/netip"

	"slipway"
	"slipway/internal/firstrules"
	"slipway/internal/state"
	"slipway/internal/store"
)

// DefaultCIDR is every default VPC's range.
var DefaultCIDR = netip.MustParsePrefix("172.31.0.0/16")

// Beside is what comes with every VPC.
type Beside struct {
	Table *slipway.RouteTable // the main one
	ACL   *slipway.NetworkACL // the default one
	Group *slipway.SecurityGroup
}

// Create makes a VPC with what EC2 makes beside it, at once: main route table, default network ACL, group "default".
func Create(tx store.Tx, v *slipway.VPC, description string) (Beside, error) {
	table := &slipway.RouteTable{
		ID: slipway.NewRouteTableID(), Account: v.Account, Region: v.Region, VPC: v.ID,
		Associations: []slipway.RouteAssociation{{ID: slipway.NewID("rtbassoc"), Main: true}},
	}
	acl := &slipway.NetworkACL{
		ID: slipway.NewNetworkACLID(), Account: v.Account, Region: v.Region, VPC: v.ID, Default: true,
		Entries: firstrules.OpenEntries(len(v.IPv6) > 0),
	}
	id := slipway.NewSecurityGroupID()
	group := &slipway.SecurityGroup{
		ID: id, Account: v.Account, Region: v.Region, VPC: v.ID, Name: "default", Description: description,
		Rules: append([]slipway.Rule{
			{ID: slipway.NewSecurityGroupRuleID(), Protocol: "-1", From: -1, To: -1, Group: id, GroupOwner: v.Account},
		}, firstrules.OpenEgress(len(v.IPv6) > 0)...),
	}
	for _, err := range []error{
		state.VPCs.Put(tx, v), state.RouteTables.Put(tx, table), state.NetworkACLs.Put(tx, acl),
		state.SecurityGroups.Put(tx, group),
	} {
		if err != nil {
			return Beside{}, err
		}
	}
	return Beside{table, acl, group}, nil
}

// NewCIDR associates a range.
func NewCIDR(p netip.Prefix) slipway.CIDRBlock {
	return slipway.CIDRBlock{Association: slipway.NewID("vpc-cidr-assoc"), Prefix: p}
}

// EnsureDefault furnishes a region for an account at its first use: with a default VPC, unless the account has EC2-Classic instead.
func EnsureDefault(tx store.Tx, s state.Scope) (slipway.VPCID, error) {
	if a := state.Accounts.See(tx, state.Global, s.Account); a != nil && a.Classic {
		return "", nil
	}
	v, err := CreateDefault(tx, s)
	if err != nil {
		return "", err
	}
	return v.ID, nil
}

// CreateDefault makes the default VPC of an account's region: one /20 subnet per zone, an internet gateway, a route to it,
// and the account's DHCP options (rule default-vpc). The caller has checked that there is none.
func CreateDefault(tx store.Tx, s state.Scope) (*slipway.VPC, error) {
	v := &slipway.VPC{
		ID: slipway.NewVPCID(), Account: s.Account, Region: s.Region, CIDRs: []slipway.CIDRBlock{NewCIDR(DefaultCIDR)},
		Tenancy: "default", Default: true, DNSSupport: true, DNSHostnames: true,
	}
	options, err := EnsureDHCPOptions(tx, s)
	if err != nil {
		return nil, err
	}
	v.DHCPOptions = string(options)
	beside, err := Create(tx, v, "default VPC security group")
	if err != nil {
		return nil, err
	}
	gateway := &slipway.InternetGateway{ID: slipway.NewInternetGatewayID(), Account: s.Account, Region: s.Region, VPC: v.ID}
	if err := state.InternetGateways.Put(tx, gateway); err != nil {
		return nil, err
	}
	beside.Table.Routes = append(beside.Table.Routes, slipway.Route{Destination: firstrules.AnywhereIPv4, Gateway: string(gateway.ID)})
	if err := state.RouteTables.Put(tx, beside.Table); err != nil {
		return nil, err
	}
	for i, z := range slipway.Zones(v.Region) {
		if err := state.Subnets.Put(tx, DefaultSubnet(v, beside.ACL.ID, z.Name, i)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// DefaultSubnet is the n-th /20 of a default VPC, for a zone.
func DefaultSubnet(v *slipway.VPC, acl slipway.NetworkACLID, zone string, n int) *slipway.Subnet {
	base := v.CIDR().Addr().As4()
	base[2] = byte(n * 16)
	return &slipway.Subnet{
		ID: slipway.NewSubnetID(), Account: v.Account, Region: v.Region, VPC: v.ID, Zone: zone,
		CIDR:           netip.PrefixFrom(netip.AddrFrom4(base), 20),
		DefaultForZone: true, PublicOnLaunch: true, DNS: slipway.PrivateDNS{HostnameType: "ip-name"},
		NetworkACL: acl, ACLAssociation: slipway.NewID("aclassoc"),
	}
}

// EnsureDHCPOptions is the set that every VPC of an account's region starts with.
func EnsureDHCPOptions(tx store.Tx, s state.Scope) (slipway.DHCPOptionsID, error) {
	for d := range state.DHCPOptions.All(tx, s) {
		if d.Default {
			return d.ID, nil
		}
	}
	d := &slipway.DHCPOptions{
		ID: slipway.NewDHCPOptionsID(), Account: s.Account, Region: s.Region, Default: true,
		Options: []slipway.DHCPOption{
			{Key: "domain-name", Values: []string{slipway.PrivateDomain(s.Region)}},
			{Key: "domain-name-servers", Values: []string{"AmazonProvidedDNS"}},
		},
	}
	return d.ID, state.DHCPOptions.Put(tx, d)
}

// NewIPv6Range is a /56 for a VPC, of the range for documentation and examples: nobody routes it.
func NewIPv6Range() netip.Prefix {
	b := netip.MustParseAddr("2001:db8::").As16()
	rand.Read(b[4:7])
	return netip.PrefixFrom(netip.AddrFrom16(b), 56)
}
