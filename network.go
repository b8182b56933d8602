package slipway

import (
	"net/netip"
	"time"
)

// VPC is a customer's private network.
type VPC struct {
	ID              VPCID
	Account, Region string
	CIDRs           []CIDRBlock // the first is the primary
	IPv6            []CIDRBlock `json:",omitempty"`
	DHCPOptions     string      // id, or "default"
	Tenancy         string
	Default         bool `json:",omitempty"`
	DNSSupport      bool
	DNSHostnames    bool `json:",omitempty"`
	AddressMetrics  bool `json:",omitempty"`
	Tags            Tags `json:",omitempty"`
}

// CIDRBlock is an address range and the id of its association.
type CIDRBlock struct {
	Association string
	Prefix      netip.Prefix
}

// CIDR is the VPC's primary range.
func (v *VPC) CIDR() netip.Prefix { return v.CIDRs[0].Prefix }

// Subnet is a range of a VPC in one zone.
type Subnet struct {
	ID              SubnetID
	Account, Region string
	VPC             VPCID
	Zone            string
	CIDR            netip.Prefix
	IPv6            CIDRBlock `json:",omitzero"`
	DefaultForZone  bool      `json:",omitempty"`
	PublicOnLaunch  bool      `json:",omitempty"`
	IPv6OnCreation  bool      `json:",omitempty"`
	DNS64           bool      `json:",omitempty"`
	DNS             PrivateDNS
	NetworkACL      NetworkACLID
	ACLAssociation  string
	Tags            Tags `json:",omitempty"`
}

// Interface is an elastic network interface.
type Interface struct {
	ID              InterfaceID
	Account, Region string
	VPC             VPCID
	Subnet          SubnetID
	Zone            string
	Description     string `json:",omitempty"`
	MAC             string
	Addresses       []PrivateAddress // the first is the primary
	IPv6            []netip.Addr     `json:",omitempty"`
	PrimaryIPv6     bool             `json:",omitempty"` // the first of IPv6 is the fixed primary
	Prefixes        []netip.Prefix   `json:",omitempty"`
	Prefixes6       []netip.Prefix   `json:",omitempty"`
	Groups          []SecurityGroupID
	SourceDestCheck bool
	Type            string      // interface
	Requester       string      `json:",omitempty"`
	AutoPublic      bool        `json:",omitempty"` // gets an address of the pool at each start
	Attachment      *Attachment `json:",omitempty"`
	Created         time.Time
	Tags            Tags `json:",omitempty"`
}

// PrivateAddress is one of an interface's IPv4 addresses and the public one that leads to it.
type PrivateAddress struct {
	IP          netip.Addr
	Public      netip.Addr    `json:",omitzero"`
	Allocation  AllocationID  `json:",omitempty"` // set: an elastic address; else of the pool
	Association AssociationID `json:",omitempty"`
}

// IP is the interface's primary address.
func (n *Interface) IP() netip.Addr {
	if len(n.Addresses) == 0 {
		return netip.Addr{}
	}
	return n.Addresses[0].IP
}

// Attachment joins an interface to an instance.
type Attachment struct {
	ID                  AttachmentID
	Instance            InstanceID
	DeviceIndex         int32
	NetworkCard         int32 `json:",omitempty"`
	AttachTime          time.Time
	DeleteOnTermination bool
	Attaching           bool `json:",omitempty"` // the guest has not got the card yet
	Detaching           bool `json:",omitempty"`
}

// State is the attachment's state, in EC2's words.
func (a *Attachment) State() string {
	switch {
	case a.Detaching:
		return "detaching"
	case a.Attaching:
		return "attaching"
	}
	return "attached"
}

// Address is an elastic address.
type Address struct {
	ID              AllocationID
	Account, Region string
	IP              netip.Addr
	Interface       InterfaceID   `json:",omitempty"`
	PrivateIP       netip.Addr    `json:",omitzero"`
	Association     AssociationID `json:",omitempty"`
	Tags            Tags          `json:",omitempty"`
}

// SecurityGroup is a stateful filter around interfaces.
type SecurityGroup struct {
	ID              SecurityGroupID
	Account, Region string
	VPC             VPCID `json:",omitempty"` // none: EC2-Classic
	Name            string
	Description     string
	Rules           []Rule `json:",omitempty"`
	Tags            Tags   `json:",omitempty"`
}

// Rule lets traffic of one kind from or to one source pass. Exactly one of CIDR, Group and PrefixList is set.
type Rule struct {
	ID          SecurityGroupRuleID
	Egress      bool            `json:",omitempty"`
	Protocol    string          // tcp, udp, icmp, icmpv6, a number, or -1 for all
	From, To    int32           // ports, or ICMP type and code; -1 for all
	CIDR        netip.Prefix    `json:",omitzero"`
	Group       SecurityGroupID `json:",omitempty"`
	GroupOwner  string          `json:",omitempty"`
	PrefixList  string          `json:",omitempty"`
	Description string          `json:",omitempty"`
	Tags        Tags            `json:",omitempty"`
}

// Same says whether two rules let the same traffic pass; descriptions and ids do not matter.
func (r Rule) Same(o Rule) bool {
	return r.Egress == o.Egress && r.Protocol == o.Protocol && r.CIDR == o.CIDR && r.Group == o.Group &&
		r.PrefixList == o.PrefixList &&
		(r.Protocol == "-1" || r.From == o.From && r.To == o.To)
}

// RouteTable says where packets that leave a subnet go.
type RouteTable struct {
	ID              RouteTableID
	Account, Region string
	VPC             VPCID
	Routes          []Route // besides the local ones, which follow from the VPC
	Associations    []RouteAssociation
	Tags            Tags `json:",omitempty"`
}

// Route is one destination; exactly one target is set.
type Route struct {
	Destination netip.Prefix
	PrefixList  string      `json:",omitempty"`
	Gateway     string      `json:",omitempty"` // igw-…
	EgressOnly  string      `json:",omitempty"`
	NAT         string      `json:",omitempty"`
	Instance    InstanceID  `json:",omitempty"`
	Interface   InterfaceID `json:",omitempty"`
	Peering     string      `json:",omitempty"`
}

// RouteAssociation gives the table to a subnet, or makes it the VPC's main table.
type RouteAssociation struct {
	ID     string   // rtbassoc-…
	Subnet SubnetID `json:",omitempty"`
	Main   bool     `json:",omitempty"`
}

// InternetGateway joins a VPC to the world outside.
type InternetGateway struct {
	ID              InternetGatewayID
	Account, Region string
	VPC             VPCID `json:",omitempty"`
	Tags            Tags  `json:",omitempty"`
}

// NetworkACL is a stateless filter around a subnet.
type NetworkACL struct {
	ID              NetworkACLID
	Account, Region string
	VPC             VPCID
	Default         bool `json:",omitempty"`
	Entries         []ACLEntry
	Tags            Tags `json:",omitempty"`
}

// ACLEntry is one rule of a network ACL; the lowest number that matches decides.
type ACLEntry struct {
	Number             int32  // 1…32766, or 32767 and 32768 for the last refusal
	Egress             bool   `json:",omitempty"`
	Protocol           string // a number, or -1
	Allow              bool   `json:",omitempty"`
	CIDR               netip.Prefix
	From, To           int32 // ports; both 0 without ports
	ICMPType, ICMPCode int32
}

// DHCPOptions is what a VPC's DHCP tells its instances.
type DHCPOptions struct {
	ID              DHCPOptionsID
	Account, Region string
	Options         []DHCPOption
	Default         bool `json:",omitempty"` // what new VPCs start with
	Tags            Tags `json:",omitempty"`
}

// DHCPOption is one key with its values.
type DHCPOption struct {
	Key    string
	Values []string
}

// ClassicRange is where EC2-Classic's private addresses come from, for all accounts of a region.
func ClassicRange() netip.Prefix { return netip.MustParsePrefix("10.0.0.0/8") }
