package slipway

import (
	"net/netip"
	"time"
)

// EgressOnlyGateway lets IPv6 out of a VPC and nothing in.
type EgressOnlyGateway struct {
	ID              string // eigw-…
	Account, Region string
	VPC             VPCID
	Tags            Tags `json:",omitempty"`
}

// NATGateway hides the addresses of subnets behind its own.
type NATGateway struct {
	ID              NATGatewayID
	Account, Region string
	VPC             VPCID
	Subnet          SubnetID
	State           NATGatewayState
	Connectivity    string // public | private
	Interface       InterfaceID
	Private         netip.Addr
	Public          netip.Addr    `json:",omitzero"`
	Allocation      AllocationID  `json:",omitempty"`
	Association     AssociationID `json:",omitempty"`
	Created         time.Time
	Ended           time.Time `json:",omitzero"` // failed or deleted
	FailureCode     string    `json:",omitempty"`
	FailureMessage  string    `json:",omitempty"`
	Tags            Tags      `json:",omitempty"`
}

// Peering joins two VPCs of a region, perhaps of two accounts.
type Peering struct {
	ID                  PeeringID
	Region              string
	Requester, Accepter PeeringSide
	Status              PeeringState
	Message             string
	Expires             time.Time // of a request that nobody accepted
	Ended               time.Time `json:",omitzero"`
	Tags                Tags      `json:",omitempty"`
}

// Of says whether an account has a part in the peering: who asked, and who was asked, unless that came to nothing at once.
func (p *Peering) Of(account string) bool {
	return p.Requester.Account == account || p.Accepter.Account == account && p.Status != PeeringStateFailed
}

// Other is the side that the VPC is not.
func (p *Peering) Other(v VPCID) PeeringSide {
	if p.Requester.VPC == v {
		return p.Accepter
	}
	return p.Requester
}

// PeeringSide is one of a peering's VPCs. Its ranges are remembered, because a VPC may go before its peering.
type PeeringSide struct {
	Account string
	VPC     VPCID
	CIDRs   []netip.Prefix
	IPv6    []netip.Prefix `json:",omitempty"`
	Named   bool           `json:",omitempty"` // the other side resolves this one's public names to private addresses
}

// PeeringExpiry is how long a request for peering waits.
const PeeringExpiry = 7 * 24 * time.Hour

// StatusAt is the peering's status at a moment: requests expire by themselves.
func (p *Peering) StatusAt(now time.Time) (code PeeringState, message string) {
	if p.Status == PeeringStatePending && now.After(p.Expires) {
		return PeeringStateExpired, "Expired"
	}
	return p.Status, p.Message
}

// PrefixList is a named set of ranges that rules and routes refer to.
type PrefixList struct {
	ID              PrefixListID
	Account, Region string
	Name            string
	Family          string // IPv4 | IPv6
	MaxEntries      int32
	Version         int64
	Entries         []PrefixEntry
	History         [][]PrefixEntry `json:",omitempty"` // of versions 1, 2, … before this
	State           PrefixListState
	Tags            Tags `json:",omitempty"`
}

// PrefixEntry is one of its ranges.
type PrefixEntry struct {
	CIDR        netip.Prefix
	Description string `json:",omitempty"`
}
