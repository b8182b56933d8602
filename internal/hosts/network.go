package hosts

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"slipway"
	"slipway/internal/dataplane"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Network says what a VPC looks like from a host: its ranges, routes and filters, and the interfaces of the instances there.
func (s *Service) Network(
	ctx context.Context, host slipway.HostID, id slipway.VPCID,
) (_ dataplane.Network, found bool, err error) {
	defer state.Catch(&err)
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return dataplane.Network{}, false, err
	}
	n := dataplane.Network{
		VPC: id, Revision: r.Revision(), Members: map[slipway.SecurityGroupID][]netip.Addr{},
		Groups: map[slipway.SecurityGroupID][]dataplane.Rule{},
	}
	if region, ok := classicRegion(id); ok {
		if err := state.Whole(r); err != nil {
			return n, false, err
		}
		return classic(r, host, region, n)
	}
	scope, vpc := owner(r, id)
	if vpc == nil {
		return n, false, state.Whole(r)
	}
	// A port whose record cannot be read must not be taken from its guest: the network stays as it is meanwhile.
	if err := state.WholeScope(r, scope); err != nil {
		return n, false, err
	}
	for _, c := range vpc.CIDRs {
		n.CIDRs = append(n.CIDRs, c.Prefix)
	}
	for _, c := range vpc.IPv6 {
		n.CIDRs6 = append(n.CIDRs6, c.Prefix)
	}
	for in := range state.Instances.By(r, scope, "vpc/"+string(id)) {
		if in.Host != host || !wired(in) {
			continue
		}
		for _, p := range ports(r, in) {
			n.Ports = append(n.Ports, port(r, in, p))
		}
	}
	if len(n.Ports) == 0 {
		return n, false, nil
	}
	s.subnets(r, scope, vpc, &n)
	for g := range state.NATGateways.By(r, scope, "vpc/"+string(id)) {
		n.NATs = append(n.NATs, dataplane.NAT{ID: string(g.ID), Subnet: g.Subnet, Private: g.Private, Public: g.Public})
	}
	peers(r, vpc, &n)
	for _, p := range n.Ports {
		groups(r, scope, p.Groups, &n)
	}
	names(r, scope, vpc, &n)
	return n, true, nil
}

// wired says whether an instance's interfaces are up on its host.
func wired(in *slipway.Instance) bool {
	switch in.State {
	case slipway.Pending, slipway.Running, slipway.Stopping, slipway.ShuttingDown:
		return true
	}
	return false
}

func (s *Service) subnets(r store.Reader, scope state.Scope, vpc *slipway.VPC, n *dataplane.Network) {
	tables := map[slipway.SubnetID]*slipway.RouteTable{}
	var main *slipway.RouteTable
	for t := range state.RouteTables.By(r, scope, "vpc/"+string(vpc.ID)) {
		for _, a := range t.Associations {
			if a.Main {
				main = t
			}
			tables[a.Subnet] = t
		}
	}
	for sub := range state.Subnets.By(r, scope, "vpc/"+string(vpc.ID)) {
		w := dataplane.Subnet{ID: sub.ID, CIDR: sub.CIDR, CIDR6: sub.IPv6.Prefix}
		t := tables[sub.ID]
		if t == nil {
			t = main
		}
		if t != nil {
			for _, rt := range t.Routes {
				w.Routes = append(w.Routes, routes(r, scope, vpc, rt)...)
			}
		}
		if acl := state.NetworkACLs.See(r, scope, string(sub.NetworkACL)); acl != nil &&
			!(open(acl, true) && (open(acl, false) || !sub.IPv6.Prefix.IsValid())) {
			w.ACL = slices.Clone(acl.Entries)
			slices.SortFunc(w.ACL, func(a, b slipway.ACLEntry) int { return cmp.Compare(a.Number, b.Number) })
		}
		n.Subnets = append(n.Subnets, w)
	}
}

// open says whether an ACL lets all of a family pass by its first entries: then it need not be asked.
func open(acl *slipway.NetworkACL, four bool) bool {
	for _, egress := range []bool{true, false} {
		first := slipway.ACLEntry{Number: 1 << 20}
		for _, e := range acl.Entries {
			if e.Egress == egress && e.CIDR.Addr().Is4() == four && e.Number < first.Number {
				first = e
			}
		}
		if !first.Allow || first.Protocol != "-1" || first.CIDR.Bits() != 0 {
			return false
		}
	}
	return true
}

// routes are what a route table's entry means to the data plane: one to a prefix list is one to each of its ranges.
func routes(r store.Reader, scope state.Scope, vpc *slipway.VPC, rt slipway.Route) []dataplane.Route {
	w := route(r, scope, vpc, rt)
	if rt.PrefixList == "" {
		return []dataplane.Route{w}
	}
	var out []dataplane.Route
	for _, p := range prefixes(r, scope, rt.PrefixList) {
		w.Destination = p
		out = append(out, w)
	}
	return out
}

func prefixes(r store.Reader, scope state.Scope, list string) []netip.Prefix {
	out := []netip.Prefix{}
	if l := state.PrefixLists.See(r, scope, list); l != nil {
		for _, e := range l.Entries {
			out = append(out, e.CIDR)
		}
	}
	return out
}

func route(r store.Reader, scope state.Scope, vpc *slipway.VPC, rt slipway.Route) dataplane.Route {
	w := dataplane.Route{Destination: rt.Destination, Target: dataplane.Blackhole}
	eni := rt.Interface
	if rt.Instance != "" {
		if in := state.Instances.See(r, scope, string(rt.Instance)); in != nil && len(in.Interfaces) > 0 {
			eni = in.Interfaces[0]
		}
	}
	switch {
	case rt.Gateway != "":
		if g := state.InternetGateways.See(r, scope, rt.Gateway); g != nil && g.VPC == vpc.ID {
			w.Target = dataplane.Internet
		}
	case rt.NAT != "":
		w.Target, w.Via = dataplane.ToNAT, rt.NAT
	case rt.Peering != "":
		w.Target, w.Via = dataplane.ToPeer, rt.Peering
	case eni != "":
		w.Target, w.Interface = dataplane.ToPort, eni
	}
	return w
}

// peers adds the VPCs at the other ends of active peerings, with their ranges of today.
func peers(r store.Reader, vpc *slipway.VPC, n *dataplane.Network) {
	for p := range state.Peerings.By(r, state.Shared(vpc.Region), "vpc/"+string(vpc.ID)) {
		other := p.Other(vpc.ID)
		v := state.VPCs.See(r, state.Scope{Account: other.Account, Region: p.Region}, string(other.VPC))
		if p.Status != slipway.PeeringStateActive || v == nil {
			continue
		}
		w := dataplane.Peer{ID: string(p.ID), VPC: v.ID}
		for _, c := range v.CIDRs {
			w.CIDRs = append(w.CIDRs, c.Prefix)
		}
		n.Peers = append(n.Peers, w)
	}
	slices.SortFunc(n.Peers, func(a, b dataplane.Peer) int { return cmp.Compare(a.ID, b.ID) })
}

// groups adds the rules of a port's groups and the members of the groups that they refer to.
func groups(r store.Reader, scope state.Scope, ids []slipway.SecurityGroupID, n *dataplane.Network) {
	for _, id := range ids {
		if _, done := n.Groups[id]; done {
			continue
		}
		n.Groups[id] = []dataplane.Rule{}
		g := state.SecurityGroups.See(r, scope, string(id))
		if g == nil {
			continue
		}
		for _, rule := range g.Rules {
			w := dataplane.Rule{Egress: rule.Egress, Protocol: rule.Protocol, From: rule.From, To: rule.To, Group: rule.Group}
			if rule.CIDR.IsValid() {
				w.CIDRs = []netip.Prefix{rule.CIDR}
			}
			if rule.PrefixList != "" {
				w.CIDRs = prefixes(r, scope, rule.PrefixList)
			}
			n.Groups[id] = append(n.Groups[id], w)
			if rule.Group != "" {
				n.Members[rule.Group] = members(r, scope, rule.Group)
			}
		}
		if g.VPC == "" { // groups of EC2-Classic let everything out
			n.Groups[id] = append(n.Groups[id],
				dataplane.Rule{Egress: true, Protocol: "-1", From: -1, To: -1, CIDRs: []netip.Prefix{anywhere}})
		}
	}
}

var anywhere = netip.MustParsePrefix("0.0.0.0/0")

func members(r store.Reader, scope state.Scope, group slipway.SecurityGroupID) []netip.Addr {
	out := []netip.Addr{}
	for eni := range state.Interfaces.By(r, scope, "group/"+string(group)) {
		for _, a := range eni.Addresses {
			out = append(out, a.IP)
		}
		out = append(out, eni.IPv6...)
	}
	for in := range state.Instances.By(r, scope, "group/"+string(group)) {
		if in.ClassicIP.IsValid() {
			out = append(out, in.ClassicIP)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// names adds what the VPC's resolver knows, and what its DHCP says.
func names(r store.Reader, scope state.Scope, vpc *slipway.VPC, n *dataplane.Network) {
	n.DNS = dataplane.DNS{Enabled: vpc.DNSSupport, Names: map[string][]netip.Addr{}, Domain: slipway.PrivateDomain(vpc.Region)}
	for eni := range state.Interfaces.By(r, scope, "vpc/"+string(vpc.ID)) {
		dns := slipway.PrivateDNS{}
		id := slipway.InstanceID("")
		if eni.Attachment != nil && eni.Attachment.DeviceIndex == 0 {
			if in := state.Instances.See(r, scope, string(eni.Attachment.Instance)); in != nil {
				dns, id = in.DNS, in.ID
			}
		}
		for i, a := range eni.Addresses {
			add(n, slipway.PrivateName(vpc.Region, slipway.PrivateDNS{}, "", a.IP), a.IP)
			if i == 0 && id != "" && (dns.HostnameType == "resource-name" || dns.ARecord) {
				add(n, string(id)+"."+slipway.PrivateDomain(vpc.Region), a.IP)
			}
			add(n, slipway.PublicName(vpc.Region, vpc.DNSHostnames, a.Public), a.IP)
		}
		if id != "" && dns.AAAARecord {
			for _, ip := range eni.IPv6 {
				add(n, string(id)+"."+slipway.PrivateDomain(vpc.Region), ip)
			}
		}
	}
	for p := range state.Peerings.By(r, state.Shared(vpc.Region), "vpc/"+string(vpc.ID)) {
		if other := p.Other(vpc.ID); p.Status == slipway.PeeringStateActive && other.Named {
			publicNames(r, p.Region, other, n)
		}
	}
	options := state.DHCPOptions.See(r, scope, vpc.DHCPOptions)
	if options == nil { // "default": none
		n.DNS.Domain = ""
		return
	}
	for _, o := range options.Options {
		switch o.Key {
		case "domain-name":
			if len(o.Values) > 0 {
				n.DNS.Domain = o.Values[0]
			}
		case "domain-name-servers":
			n.DNS.Servers, n.DNS.Provided = parse(o.Values), slices.Contains(o.Values, "AmazonProvidedDNS")
		case "ntp-servers":
			n.DNS.NTP = parse(o.Values)
		case "netbios-name-servers":
			n.DNS.NetBIOS = parse(o.Values)
		case "netbios-node-type":
			n.DNS.NodeType = o.Values[0][0] - '0'
		}
	}
}

// publicNames adds the names of a peered VPC's public addresses, for the private ones behind them.
func publicNames(r store.Reader, region string, side slipway.PeeringSide, n *dataplane.Network) {
	scope := state.Scope{Account: side.Account, Region: region}
	vpc := state.VPCs.See(r, scope, string(side.VPC))
	if vpc == nil {
		return
	}
	for eni := range state.Interfaces.By(r, scope, "vpc/"+string(vpc.ID)) {
		for _, a := range eni.Addresses {
			add(n, slipway.PublicName(region, vpc.DNSHostnames, a.Public), a.IP)
		}
	}
}

func add(n *dataplane.Network, host string, ip netip.Addr) {
	if host != "" {
		n.DNS.Names[name(host)] = append(n.DNS.Names[name(host)], ip)
	}
}

// parse keeps what is an address: "AmazonProvidedDNS" is us.
func parse(values []string) []netip.Addr {
	var out []netip.Addr
	for _, v := range values {
		if ip, err := netip.ParseAddr(v); err == nil {
			out = append(out, ip)
		}
	}
	return out
}
