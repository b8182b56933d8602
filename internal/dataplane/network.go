// Package dataplane makes VPCs real on one host: a network namespace per VPC, a routed tap per interface, nftables rules for
// security groups, network ACLs and anti-spoofing, DHCP and DNS, and public addresses. Plan is a pure function from a
// Network to the wanted kernel state; a small part applies it. It knows no account and no API, and must not read the store.
package dataplane

import (
	"net/netip"

	"slipway"
)

// Network is everything one host needs to know of one VPC. It is a value: the same Network twice changes nothing.
type Network struct {
	VPC      slipway.VPCID // or "classic-…": the flat network of EC2-Classic, one per region
	Revision int64         // of the state it was made from
	CIDRs    []netip.Prefix
	CIDRs6   []netip.Prefix
	Subnets  []Subnet
	Ports    []Port                                   // the interfaces on this host that belong to instances which run, or are about to
	Members  map[slipway.SecurityGroupID][]netip.Addr // every address in each group that a rule refers to, on any host
	Groups   map[slipway.SecurityGroupID][]Rule
	DNS      DNS
	Resolver netip.Addr // where the resolver answers; zero: the third address of the first range
	Peers    []Peer     // peered VPCs
	NATs     []NAT
}

// Subnet is a range with its own routes and ACL.
type Subnet struct {
	ID     slipway.SubnetID
	CIDR   netip.Prefix
	CIDR6  netip.Prefix
	Routes []Route
	ACL    []slipway.ACLEntry // sorted by number; empty: everything passes
}

// Route is one entry of a subnet's route table, local ones included.
type Route struct {
	Destination netip.Prefix
	Target      Target
	Interface   slipway.InterfaceID // of an instance that routes
	Via         string              // the NAT gateway's or peering's id
}

// Target is where a route leads.
type Target string

const (
	Local      Target = "local"
	Internet   Target = "internet" // an internet gateway that is attached
	EgressOnly Target = "egress-only"
	ToPort     Target = "interface"
	ToNAT      Target = "nat"
	ToPeer     Target = "peer"
	Blackhole  Target = "blackhole"
)

// Port is one interface of an instance on this host.
type Port struct {
	Interface       slipway.InterfaceID
	Instance        slipway.InstanceID
	Subnet          slipway.SubnetID
	MAC             string
	Addresses       []netip.Addr // the first is the primary, which DHCP gives
	Addresses6      []netip.Addr
	Prefixes        []netip.Prefix
	Prefixes6       []netip.Prefix
	Groups          []slipway.SecurityGroupID
	SourceDestCheck bool
	Public          map[netip.Addr]netip.Addr // private to public
	Hostname        string                    // ip-10-0-0-5
	Domain          string                    // ec2.internal
	DeviceIndex     int
	MTU             int
}

// Rule is one security group rule, ready for the filter.
type Rule struct {
	Egress   bool
	Protocol string // tcp, udp, icmp, icmpv6, a number, or -1
	From, To int32
	CIDRs    []netip.Prefix          // one for a plain rule, many for a prefix list
	Group    slipway.SecurityGroupID // or this group's members
}

// resolver is where guests find the names of their network.
func (n Network) resolver() netip.Addr {
	if n.Resolver.IsValid() || len(n.CIDRs) == 0 {
		return n.Resolver
	}
	return addr(num(n.CIDRs[0].Addr()) + 2)
}

// DNS is what the VPC's resolver answers; everything else goes to the host's own resolver.
type DNS struct {
	Enabled  bool                    // enableDnsSupport
	Names    map[string][]netip.Addr // fully qualified, with the last dot, lower case
	Provided bool                    // the DHCP options say AmazonProvidedDNS, which is us
	Servers  []netip.Addr            // and these
	NTP      []netip.Addr
	NetBIOS  []netip.Addr
	NodeType byte // of NetBIOS; 0: not said
	Domain   string
}

// Peer is another VPC whose ranges can be reached, while it is on this host too.
type Peer struct {
	ID    string // pcx-…
	VPC   slipway.VPCID
	CIDRs []netip.Prefix
}

// NAT is a NAT gateway: an address inside a subnet that hides others behind a public one. What goes through it is
// filtered by its subnet's ACL, like anything else in there.
type NAT struct {
	ID      string
	Subnet  slipway.SubnetID
	Private netip.Addr
	Public  netip.Addr
}
