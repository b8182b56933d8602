package dataplane

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/golden"
)

// twoSubnets is a VPC with a public and a private subnet: a web server, and a database that only the web servers reach.
func twoSubnets() Network {
	ip, prefix := netip.MustParseAddr, netip.MustParsePrefix
	anywhere := Rule{Egress: true, Protocol: "-1", From: -1, To: -1, CIDRs: []netip.Prefix{prefix("0.0.0.0/0")}}
	return Network{
		VPC: "vpc-0fffffffffffffff6", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")},
		CIDRs6: []netip.Prefix{prefix("2001:db8::/56")},
		Subnets: []Subnet{
			{ID: "subnet-00000000000000001", CIDR: prefix("10.0.1.0/24"), CIDR6: prefix("2001:db8::/64"),
				Routes: []Route{{Destination: prefix("0.0.0.0/0"), Target: Internet}}},
			{ID: "subnet-00000000000000002", CIDR: prefix("10.0.2.0/24"),
				Routes: []Route{{Destination: prefix("0.0.0.0/0"), Target: ToPort, Interface: "eni-00000000000000001"}},
				ACL: []slipway.ACLEntry{
					{Number: 100, Protocol: "6", Allow: true, CIDR: prefix("10.0.1.0/24"), From: 5432, To: 5432},
					{Number: 100, Egress: true, Protocol: "-1", Allow: true, CIDR: prefix("0.0.0.0/0")},
					{Number: 32767, Protocol: "-1", CIDR: prefix("0.0.0.0/0")},
					{Number: 32767, Egress: true, Protocol: "-1", CIDR: prefix("0.0.0.0/0")},
				}},
		},
		Ports: []Port{
			{Interface: "eni-00000000000000001", Instance: "i-00000000000000001", Subnet: "subnet-00000000000000001",
				MAC: "02:00:0a:00:01:0a", Addresses: []netip.Addr{ip("10.0.1.10")},
				Addresses6: []netip.Addr{ip("2001:db8::10")}, Groups: []slipway.SecurityGroupID{"sg-00000000000000001"},
				Public: map[netip.Addr]netip.Addr{ip("10.0.1.10"): ip("127.100.0.5")}},
			{Interface: "eni-00000000000000002", Instance: "i-00000000000000002", Subnet: "subnet-00000000000000002",
				MAC: "02:00:0a:00:02:0a", Addresses: []netip.Addr{ip("10.0.2.10"), ip("10.0.2.11")},
				Prefixes: []netip.Prefix{prefix("10.0.2.16/28")},
				Groups:   []slipway.SecurityGroupID{"sg-00000000000000002"}, SourceDestCheck: true,
				Public: map[netip.Addr]netip.Addr{ip("10.0.2.10"): ip("127.100.0.6")}},
		},
		Groups: map[slipway.SecurityGroupID][]Rule{
			"sg-00000000000000001": {
				{Protocol: "tcp", From: 80, To: 80, CIDRs: []netip.Prefix{prefix("0.0.0.0/0")}},
				{Protocol: "tcp", From: 22, To: 22, CIDRs: []netip.Prefix{prefix("127.0.0.0/8")}},
				{Protocol: "icmp", From: 8, To: -1, CIDRs: []netip.Prefix{prefix("10.0.0.0/8")}},
				{Protocol: "tcp", From: 443, To: 443, CIDRs: []netip.Prefix{prefix("::/0")}}, anywhere,
			},
			"sg-00000000000000002": {{Protocol: "tcp", From: 5432, To: 5432, Group: "sg-00000000000000001"},
				{Protocol: "icmp", From: 8, To: 0, Group: "sg-00000000000000001"},
				{Protocol: "icmpv6", From: -1, To: -1, Group: "sg-00000000000000001"},
				{Protocol: "50", From: -1, To: -1, CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}}, anywhere},
		},
		Members: map[slipway.SecurityGroupID][]netip.Addr{"sg-00000000000000001": {ip("10.0.1.10"), ip("2001:db8::10")}},
	}
}

// gateways is the same VPC with its private subnet behind a NAT gateway and a peered VPC at its side.
func gateways() Network {
	ip, prefix := netip.MustParseAddr, netip.MustParsePrefix
	n := twoSubnets()
	n.NATs = []NAT{
		{ID: "nat-00000000000000001", Subnet: n.Subnets[0].ID, Private: ip("10.0.1.77"), Public: ip("127.100.0.7")},
		// in a subnet without a way out
		{ID: "nat-00000000000000002", Subnet: n.Subnets[1].ID, Private: ip("10.0.2.77"), Public: ip("127.100.0.8")},
	}
	n.Peers = []Peer{
		{ID: "pcx-00000000000000001", VPC: "vpc-0ffffffffffffffff",
			CIDRs: []netip.Prefix{prefix("10.8.0.0/16"), prefix("10.9.0.0/16")}},
	}
	n.Subnets[0].ACL = n.Subnets[1].ACL
	n.Subnets[1].Routes = []Route{
		{Destination: prefix("0.0.0.0/0"), Target: ToNAT, Via: "nat-00000000000000001"},
		{Destination: prefix("10.8.0.0/15"), Target: ToPeer, Via: "pcx-00000000000000001"},
		{Destination: prefix("192.0.2.0/24"), Target: Blackhole},
		{Destination: prefix("198.51.100.0/24"), Target: ToNAT, Via: "nat-00000000000000002"},
		{Destination: prefix("10.7.0.0/16"), Target: ToPeer, Via: "pcx-00000000000000009"},
	}
	n.Ports[1].Prefixes6 = []netip.Prefix{prefix("2001:db8:0:1::/80")}
	return n
}

func TestPlan(t *testing.T) {
	for name, n := range map[string]Network{"two_subnets": twoSubnets(), "gateways": gateways()} {
		t.Run(name, func(t *testing.T) { plan(t, name, n) })
	}
}

func plan(t *testing.T, name string, n Network) {
	w := Plan(Site{Slot: 3, Public: LoopbackPool(3)}, 7, n)
	golden.Match(t, name+".nft", w.Filter)
	w.Filter = ""
	var b strings.Builder
	fmt.Fprintf(&b, "namespace %s, uplink %s, links %s %s\nlocal %v\nclosed %v\nexposed %v\n", w.Namespace, w.Uplink,
		w.HostLink, w.InsideLink, w.Local, w.Closed, w.Exposed)
	for _, tap := range w.Taps {
		fmt.Fprintf(&b, "tap %+v\n", tap)
	}
	for _, table := range w.Tables {
		fmt.Fprintf(&b, "table %+v\n", table)
	}
	for _, link := range w.Peers {
		fmt.Fprintf(&b, "peer %+v\n", link)
	}
	golden.Match(t, name+".txt", b.String())
}

// TestHostRules are the host's own.
func TestHostRules(t *testing.T) {
	exposed := map[netip.Addr]netip.Addr{netip.MustParseAddr("127.103.0.5"): netip.MustParseAddr("198.18.48.5")}
	golden.Match(t, "host_loopback.nft", hostRules(Site{Slot: 3, Public: LoopbackPool(3)}, exposed, false))
	routed := netip.MustParseAddr("203.0.113.5")
	golden.Match(t, "host_routed.nft",
		hostRules(Site{Slot: 3, Public: netip.MustParsePrefix("203.0.113.0/24"), Reach: ReachPrivate},
			map[netip.Addr]netip.Addr{routed: routed}, true))
}

// TestPeersAgree: both sides of a peering name the devices alike and take different ends.
func TestPeersAgree(t *testing.T) {
	site := Site{Slot: 3}
	a := site.peerLink("vpc-a", Peer{ID: "pcx-00000000000000001", VPC: "vpc-b"})
	b := site.peerLink("vpc-b", Peer{ID: "pcx-00000000000000001", VPC: "vpc-a"})
	if a.Device != b.Device || a.MAC != b.PeerMAC || b.MAC != a.PeerMAC || a.MAC == b.MAC {
		t.Errorf("the two ends are %+v and %+v", a, b)
	}
	if len(a.Device) > 15 {
		t.Errorf("the interface name %s has %d characters", a.Device, len(a.Device))
	}
}

func TestNamesFitTheKernel(t *testing.T) {
	for slot := range MaxSlots {
		if name := (Site{Slot: slot}).uplink("vpc-0fffffffffffffff6"); len(name) > 15 {
			t.Errorf("slot %d: the interface name %s has %d characters", slot, name, len(name))
		}
	}
	if name := tap("eni-00123456789abcdef"); len(name) > 15 {
		t.Errorf("the interface name %s has %d characters", name, len(name))
	}
}

func TestSitesDoNotMeet(t *testing.T) {
	seen := map[netip.Addr]string{}
	for slot := range MaxSlots {
		site := Site{Slot: slot, Public: LoopbackPool(slot)}
		for i := range 1024 {
			host, inside := site.link(i)
			for _, a := range []netip.Addr{host, inside} {
				if was, twice := seen[a]; twice {
					t.Fatalf("%s is slot %d's link %d and %s", a, slot, i, was)
				}
				seen[a] = fmt.Sprintf("slot %d's link %d", slot, i)
			}
		}
		for a, n := site.Public.Addr(), 0; n < 2048; a, n = a.Next(), n+1 {
			if was, twice := seen[site.Outer(a)]; twice {
				t.Fatalf("%s stands for slot %d's %s and is %s", site.Outer(a), slot, a, was)
			}
			seen[site.Outer(a)] = fmt.Sprintf("slot %d's %s", slot, a)
		}
	}
}
