// Package firstrules is what security groups and network ACLs begin with. Their rooms make them on request, and the VPCs'
// with every VPC: both begin the same. It keeps nothing.
package firstrules

import (
	"net/netip"

	"slipway"
)

// AnywhereIPv4 and AnywhereIPv6 are the routes and rules for everything.
var (
	AnywhereIPv4 = netip.MustParsePrefix("0.0.0.0/0")
	AnywhereIPv6 = netip.MustParsePrefix("::/0")
)

// OpenEgress is what a new group lets out: everything.
func OpenEgress(ipv6 bool) []slipway.Rule {
	rules := []slipway.Rule{
		{ID: slipway.NewSecurityGroupRuleID(), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: AnywhereIPv4},
	}
	if ipv6 {
		rules = append(rules,
			slipway.Rule{
				ID: slipway.NewSecurityGroupRuleID(), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: AnywhereIPv6,
			})
	}
	return rules
}

// ClosingEntries are the refusals at the end of every network ACL.
func ClosingEntries(ipv6 bool) []slipway.ACLEntry {
	entries := []slipway.ACLEntry{
		{Number: 32767, Egress: true, Protocol: "-1", CIDR: AnywhereIPv4},
		{Number: 32767, Protocol: "-1", CIDR: AnywhereIPv4},
	}
	if ipv6 {
		entries = append(entries, slipway.ACLEntry{Number: 32768, Egress: true, Protocol: "-1", CIDR: AnywhereIPv6},
			slipway.ACLEntry{Number: 32768, Protocol: "-1", CIDR: AnywhereIPv6})
	}
	return entries
}

// OpenEntries let everything pass, as a default network ACL does.
func OpenEntries(ipv6 bool) []slipway.ACLEntry {
	entries := []slipway.ACLEntry{
		{Number: 100, Egress: true, Protocol: "-1", Allow: true, CIDR: AnywhereIPv4},
		{Number: 100, Protocol: "-1", Allow: true, CIDR: AnywhereIPv4},
	}
	if ipv6 {
		entries = append(entries,
			slipway.ACLEntry{Number: 101, Egress: true, Protocol: "-1", Allow: true, CIDR: AnywhereIPv6},
			slipway.ACLEntry{Number: 101, Protocol: "-1", Allow: true, CIDR: AnywhereIPv6})
	}
	return append(entries, ClosingEntries(ipv6)...)
}
