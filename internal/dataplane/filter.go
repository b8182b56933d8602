package dataplane

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"slipway"
)

// filter is the namespace's nftables ruleset: anti-spoofing, translation of public addresses, network ACLs, security groups.
// It replaces the whole table in one transaction, so no packet meets half of it; connections that run are kept.
func filter(site Site, w Wanted, n Network) string {
	b := &ruleset{}
	b.line("table inet vpc")
	b.line("delete table inet vpc")
	b.line("table inet vpc {")
	b.sets(n)
	b.budgets(n)
	b.translation(site, n)
	b.spoofing(n)
	b.input()
	b.forward(w, n)
	for _, p := range sortedPorts(n) {
		b.port(w, n, p)
	}
	b.hiding(n)
	b.acls(n)
	b.line("}")
	b.arp(n)
	return b.String()
}

// What one guest may take of what it shares with others. EC2 passes 1024 packets a second from an interface to its services.
const (
	serviceRate  = "1024/second burst 512 packets" // to DNS and metadata
	dhcpRate     = "20/second burst 60 packets"
	pingRate     = "100/second burst 100 packets" // of the router
	discoverRate = "50/second burst 100 packets"  // neighbours and routers over IPv6
	maxServed    = 128                            // connections to DNS and metadata at a time
	// connections through the router at a time; counting that many costs 29 µs for each new one
	maxTracked   = 16384
	newRate      = "2000/second burst 4096 packets"
	maxLinkLocal = 4 // link-local addresses of one interface: each becomes a neighbour of the router's
)

// arp lets a guest speak for its own addresses only: each sender becomes an entry of a table that all networks of the
// host share.
func (b *ruleset) arp(n Network) {
	b.line("table arp vpc")
	b.line("delete table arp vpc")
	b.line("table arp vpc {")
	b.line("  chain input { type filter hook input priority filter; policy accept;")
	for _, p := range sortedPorts(n) {
		var own []string
		for _, ip := range p.Addresses {
			own = append(own, ip.String())
		}
		for _, prefix := range p.Prefixes {
			own = append(own, prefix.String())
		}
		own = append(own, "0.0.0.0") // who asks whether its address is free
		b.line("    iifname %q arp saddr ip { %s } arp saddr ether %s accept", tap(p.Interface), strings.Join(own, ", "), p.MAC)
	}
	b.line("    iifname \"t*\" drop")
	b.line("  }")
	b.line("}")
}

// linkLocal is the set of the link-local addresses that an interface has used.
func linkLocal(p Port) string { return "local_" + tap(p.Interface) }

// budgets are the sets in which what each guest uses is counted.
func (b *ruleset) budgets(n Network) {
	for _, name := range []string{"dns_rate", "dhcp_rate", "ping_rate", "discover_rate", "served", "tracked", "new_rate"} {
		b.line("  set %s { type ifname; size 4096; flags dynamic; }", name)
	}
	for _, p := range sortedPorts(n) {
		b.line("  set %s { type ipv6_addr; size %d; flags dynamic; timeout 10m; }", linkLocal(p), maxLinkLocal)
	}
}

type ruleset struct{ strings.Builder }

func (b *ruleset) line(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }

// set writes a named set, empty or not.
func (b *ruleset) set(kind, name, types, flags string, elements []string) {
	b.line("  %s %s { type %s; %s%s }", kind, name, types, flags, list(elements))
}

func list(elements []string) string {
	if len(elements) == 0 {
		return ""
	}
	return "elements = { " + strings.Join(elements, ", ") + " };"
}

func groupSet(id slipway.SecurityGroupID, v6 bool) string {
	name := strings.ReplaceAll(string(id), "-", "_")
	if v6 {
		return name + "_6"
	}
	return name
}

// sets holds the addresses of each group that a rule refers to.
func (b *ruleset) sets(n Network) {
	for _, id := range slices.Sorted(maps.Keys(n.Members)) {
		var v4, v6 []string
		for _, ip := range n.Members[id] {
			if ip.Is4() {
				v4 = append(v4, ip.String())
			} else {
				v6 = append(v6, ip.String())
			}
		}
		b.set("set", groupSet(id, false), "ipv4_addr", "", v4)
		b.set("set", groupSet(id, true), "ipv6_addr", "", v6)
	}
}

// translation leads public addresses to private ones and back.
func (b *ruleset) translation(site Site, n Network) {
	var in, out, exposed []string
	for _, p := range sortedPorts(n) {
		if !online(n, p.Subnet) {
			continue
		}
		for _, private := range slices.SortedFunc(maps.Keys(p.Public), netip.Addr.Compare) {
			outer := site.Outer(p.Public[private])
			in = append(in, fmt.Sprintf("%s : %s", outer, private))
			out = append(out, fmt.Sprintf("%s : %s", private, outer))
			exposed = append(exposed, private.String())
		}
	}
	b.set("set", "exposed", "ipv4_addr", "", exposed)
	b.line("  map public_in { type ipv4_addr : ipv4_addr; %s }", list(in))
	b.line("  map public_out { type ipv4_addr : ipv4_addr; %s }", list(out))
	b.line("  chain translate_in { type nat hook prerouting priority dstnat; policy accept;")
	b.line("    iifname %q dnat ip to ip daddr map @public_in", upName)
	b.line("  }")
	b.line("  chain translate_out { type nat hook postrouting priority srcnat; policy accept;")
	for _, g := range n.NATs {
		if n.nat(Route{Target: ToNAT, Via: g.ID}) != nil {
			b.line("    oifname %q ct mark %#x snat ip to %s", upName, g.mark(), site.Outer(g.Public))
		}
	}
	b.line("    oifname %q snat ip to ip saddr map @public_out", upName)
	b.line("  }")
}

// spoofing lets each tap send only from its own addresses. An interface whose source/destination check is off may send from
// any, but never to the services that know a guest by its address.
func (b *ruleset) spoofing(n Network) {
	var own, own6, free, cards []string
	for _, p := range sortedPorts(n) {
		cards = append(cards, fmt.Sprintf("%q . %s", tap(p.Interface), p.MAC))
		for _, ip := range p.Addresses {
			own = append(own, fmt.Sprintf("%q . %s", tap(p.Interface), ip))
		}
		for _, prefix := range p.Prefixes {
			own = append(own, fmt.Sprintf("%q . %s", tap(p.Interface), prefix))
		}
		for _, prefix := range p.Prefixes6 {
			own6 = append(own6, fmt.Sprintf("%q . %s", tap(p.Interface), prefix))
		}
		for _, ip := range p.Addresses6 {
			own6 = append(own6, fmt.Sprintf("%q . %s", tap(p.Interface), ip))
		}
		if !p.SourceDestCheck {
			free = append(free, fmt.Sprintf("%q", tap(p.Interface)))
		}
	}
	b.set("set", "own", "ifname . ipv4_addr", "flags interval; ", own)
	b.set("set", "own6", "ifname . ipv6_addr", "flags interval; ", own6)
	b.set("set", "cards", "ifname . ether_addr", "", cards)
	b.set("set", "unchecked", "ifname", "", free)
	b.line("  chain spoofing { type filter hook prerouting priority raw; policy accept;")
	b.line("    iifname != \"t*\" accept")
	b.line("    iifname . ether saddr != @cards drop")
	b.line("    iifname . ip saddr @own accept")
	b.line("    ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept")
	b.line("    iifname . ip6 saddr @own6 accept")
	for _, p := range sortedPorts(n) {
		b.line("    iifname %q ip6 saddr fe80::/10 update @%s { ip6 saddr } accept", tap(p.Interface), linkLocal(p))
	}
	b.line("    ip6 saddr fe80::/10 drop")
	b.line("    ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld2-listener-report } accept")
	b.line("    iifname @unchecked ip daddr != { %s, %s } accept", metadataIP, resolverIP)
	b.line("    drop")
	b.line("  }")
}

// input is what guests may ask of the router: addresses, names, metadata, and whether it is there.
func (b *ruleset) input() {
	b.line("  chain input { type filter hook input priority filter; policy drop;")
	b.line("    iifname \"lo\" accept")
	over := func(match, set, what string) {
		b.line("    iifname \"t*\" %s add @%s { iifname %s } drop", match, set, what)
	}
	// What is counted comes before what is let through because it is known.
	over("udp dport 53", "dns_rate", "limit rate over "+serviceRate)
	over("udp dport { 67, 547 }", "dhcp_rate", "limit rate over "+dhcpRate)
	over("meta l4proto icmp", "ping_rate", "limit rate over "+pingRate)
	over("meta l4proto icmpv6", "discover_rate", "limit rate over "+discoverRate)
	b.line("    meta l4proto != { icmpv6, udp } ct state established,related accept")
	over("meta l4proto tcp ct state new", "served", fmt.Sprintf("ct count over %d", maxServed))
	b.line("    iifname \"t*\" udp dport { 53, 67, 547 } accept")
	b.line("    iifname \"t*\" tcp dport 53 accept")
	b.line("    iifname \"t*\" ip daddr %s tcp dport 80 accept", metadataIP)
	b.line("    iifname \"t*\" ip6 daddr %s tcp dport 80 accept", metadataIP6)
	b.line("    iifname \"t*\" icmp type echo-request accept")
	b.line("    iifname \"t*\" meta l4proto icmpv6 accept")
	b.line("  }")
}

func (b *ruleset) forward(w Wanted, n Network) {
	var from, to []string
	for _, p := range sortedPorts(n) {
		from = append(from, fmt.Sprintf("%q : jump out_%s", tap(p.Interface), tap(p.Interface)))
		to = append(to, fmt.Sprintf("%q : jump in_%s", tap(p.Interface), tap(p.Interface)))
	}
	b.line("  chain forward { type filter hook forward priority filter; policy drop;")
	for _, s := range n.Subnets {
		if len(s.ACL) == 0 || !s.CIDR.IsValid() {
			continue
		}
		b.line("    ip saddr %s ip daddr != %s jump acl_out_%s", s.CIDR, s.CIDR, chainID(s.ID))
		b.line("    ip daddr %s ip saddr != %s jump acl_in_%s", s.CIDR, s.CIDR, chainID(s.ID))
		if s.CIDR6.IsValid() {
			b.line("    ip6 saddr %s ip6 daddr != %s jump acl_out_%s", s.CIDR6, s.CIDR6, chainID(s.ID))
			b.line("    ip6 daddr %s ip6 saddr != %s jump acl_in_%s", s.CIDR6, s.CIDR6, chainID(s.ID))
		}
	}
	for _, s := range n.Subnets {
		if hides(n, s) {
			b.line("    ct state new oifname %q ip saddr %s jump nat_%s", upName, s.CIDR, chainID(s.ID))
		}
	}
	b.gatewayACLs(n)
	b.line("    ct state established,related accept")
	b.line("    ct state invalid drop")
	b.line("    iifname \"t*\" add @new_rate { iifname limit rate over %s } drop", newRate)
	b.line("    iifname \"t*\" add @tracked { iifname ct count over %d } drop", maxTracked)
	b.peers(n)
	b.line("    oifname %q ct mark 0 ip saddr != @exposed drop", upName)
	b.line("    oifname %q meta nfproto ipv6 drop", upName)
	if len(from) > 0 {
		b.line("    iifname vmap { %s }", strings.Join(from, ", "))
		b.line("    oifname vmap { %s }", strings.Join(to, ", "))
	}
	b.line("    accept")
	b.line("  }")
}

// hides says whether some of a subnet's routes lead to a NAT gateway.
func hides(n Network, s Subnet) bool {
	return s.CIDR.IsValid() && slices.ContainsFunc(s.Routes, func(r Route) bool { return n.nat(r) != nil })
}

// hiding marks new connections with the NAT gateway that their route leads to: the longest prefix decides, as in the
// route table.
func (b *ruleset) hiding(n Network) {
	for _, s := range n.Subnets {
		if !hides(n, s) {
			continue
		}
		routes := slices.Clone(s.Routes)
		slices.SortStableFunc(routes, func(a, b Route) int { return b.Destination.Bits() - a.Destination.Bits() })
		b.line("  chain nat_%s {", chainID(s.ID))
		for _, r := range routes {
			switch g := n.nat(r); {
			case !r.Destination.Addr().Is4():
			case g != nil:
				b.line("    ip daddr %s ct mark set %#x return", r.Destination, g.mark())
			default:
				b.line("    ip daddr %s return", r.Destination)
			}
		}
		b.line("  }")
	}
}

// gatewayACLs let the ACL of a NAT gateway's subnet see what passes through the gateway, in both directions.
func (b *ruleset) gatewayACLs(n Network) {
	for _, g := range n.NATs {
		for _, s := range n.Subnets {
			if s.ID == g.Subnet && len(s.ACL) > 0 && s.CIDR.IsValid() {
				b.line("    ct mark %#x jump acl_in_%s", g.mark(), chainID(s.ID))
				b.line("    ct mark %#x jump acl_out_%s", g.mark(), chainID(s.ID))
			}
		}
	}
}

// peers lets a peered VPC reach the interfaces here from its own ranges, and nothing through here.
func (b *ruleset) peers(n Network) {
	for _, p := range n.Peers {
		var ranges []string
		for _, c := range p.CIDRs {
			ranges = append(ranges, c.String())
		}
		b.line("    iifname %q ip saddr != { %s } drop", peerDevice(p.ID), strings.Join(ranges, ", "))
		b.line("    iifname %q oifname != \"t*\" drop", peerDevice(p.ID))
	}
	if len(n.Peers) > 0 {
		b.line("    iifname \"p*\" meta nfproto ipv6 drop")
		b.line("    oifname \"p*\" iifname != \"t*\" drop")
	}
}

// port writes an interface's two chains: what its groups let out, and what they let in. A rule that matches returns to the
// forward chain, which goes on with the other end; what nothing matches is dropped.
func (b *ruleset) port(w Wanted, n Network, p Port) {
	for _, egress := range []bool{true, false} {
		name := "in_"
		if egress {
			name = "out_"
		}
		b.line("  chain %s%s {", name, tap(p.Interface))
		for _, g := range p.Groups {
			for _, r := range n.Groups[g] {
				if r.Egress == egress {
					b.rule(w, r)
				}
			}
		}
		b.line("    drop")
		b.line("  }")
	}
}

func (b *ruleset) rule(w Wanted, r Rule) {
	match := protocol(r)
	side := "saddr"
	if r.Egress {
		side = "daddr"
	}
	if r.Group != "" {
		b.line("    ip %s @%s%s return", side, groupSet(r.Group, false), match)
		b.line("    ip6 %s @%s%s return", side, groupSet(r.Group, true), match)
		return
	}
	for _, c := range r.CIDRs {
		switch {
		case !c.Addr().Is4():
			b.line("    ip6 %s %s%s return", side, c, match)
		default:
			b.line("    ip %s %s%s return", side, c, match)
			// The host itself, whose loopback address cannot travel, comes from the link.
			if !r.Egress && c.Addr().IsLoopback() {
				b.line("    ip saddr %s%s return", w.HostLink, match)
			}
		}
	}
}

// protocol is the match of a rule's protocol and ports, with a blank before.
func protocol(r Rule) string {
	switch r.Protocol {
	case "-1", "":
		return ""
	case "tcp", "udp", "6", "17":
		name := map[string]string{"6": "tcp", "17": "udp"}[r.Protocol]
		name = cmp.Or(name, r.Protocol)
		if r.From <= 0 && r.To >= 65535 || r.From == -1 {
			return " meta l4proto " + name
		}
		return fmt.Sprintf(" %s dport %d-%d", name, r.From, r.To)
	case "icmp", "1", "icmpv6", "58":
		name := "icmp"
		if r.Protocol == "icmpv6" || r.Protocol == "58" {
			name = "icmpv6"
		}
		switch {
		case r.From == -1:
			return " meta l4proto " + name
		case r.To == -1:
			return fmt.Sprintf(" %s type %d", name, r.From)
		}
		return fmt.Sprintf(" %s type %d %s code %d", name, r.From, name, r.To)
	}
	return " meta l4proto " + r.Protocol
}

// acls writes the subnets' stateless filters: the lowest number that matches decides.
func (b *ruleset) acls(n Network) {
	for _, s := range n.Subnets {
		if len(s.ACL) == 0 || !s.CIDR.IsValid() {
			continue
		}
		for _, egress := range []bool{true, false} {
			name, side := "acl_in_", "saddr"
			if egress {
				name, side = "acl_out_", "daddr"
			}
			b.line("  chain %s%s {", name, chainID(s.ID))
			for _, e := range s.ACL {
				if e.Egress != egress {
					continue
				}
				family := "ip"
				if !e.CIDR.Addr().Is4() {
					family = "ip6"
				}
				r := Rule{Protocol: e.Protocol, From: e.From, To: e.To}
				if e.Protocol == "1" || e.Protocol == "58" {
					r.From, r.To = e.ICMPType, e.ICMPCode
				} else if e.From == 0 && e.To == 0 {
					r.From, r.To = -1, -1
				}
				verdict := "drop"
				if e.Allow {
					verdict = "return"
				}
				b.line("    %s %s %s%s %s", family, side, e.CIDR, protocol(r), verdict)
			}
			b.line("    drop")
			b.line("  }")
		}
	}
}

func chainID(id slipway.SubnetID) string { return strings.ReplaceAll(string(id), "-", "_") }

func sortedPorts(n Network) []Port {
	ports := slices.Clone(n.Ports)
	slices.SortFunc(ports, func(a, b Port) int { return strings.Compare(string(a.Interface), string(b.Interface)) })
	return ports
}
