package dataplane

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	"slipway"
)

// Site is where a data plane stands: its slot among the installations on this machine, which keeps names, link addresses
// and public addresses apart.
type Site struct {
	Slot   int          // 0…31
	Public netip.Prefix // the pool: out of loopback, or routed addresses
	Reach  Reach        // "": ReachPublic
}

// MaxSlots is how many installations fit on one machine.
const MaxSlots = 32

// The range for benchmarks of RFC 2544, which nobody routes, is divided by slot: the first half of a slot's /20 stands for
// its public addresses inside the namespaces, the second holds the link addresses of its VPCs.
var linkRange = netip.MustParsePrefix("198.18.0.0/15")

// LoopbackPool is a slot's default pool of public addresses.
func LoopbackPool(slot int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(100 + slot), 0, 0}), 21)
}

func (s Site) block() uint32 { return num(linkRange.Addr()) + uint32(s.Slot)<<12 }

// Outer is the address that stands for a public one on the way into a namespace: itself if it is routed, else one of the
// slot's block, because loopback addresses leave no host.
func (s Site) Outer(public netip.Addr) netip.Addr {
	if !public.IsLoopback() {
		return public
	}
	return addr(s.block() + num(public)&0x7ff)
}

// link is the pair of addresses of a VPC's way out: the host's and the namespace's.
func (s Site) link(index int) (host, inside netip.Addr) {
	base := s.block() + 0x800 + uint32(index%1024)*2
	return addr(base), addr(base + 1)
}

// namespace is the name of a VPC's network namespace.
func (s Site) namespace(id slipway.VPCID) string { return s.prefix() + string(id) }

func (s Site) prefix() string { return fmt.Sprintf("sw%02d-", s.Slot) }

// uplink is the host's end of a VPC's way out; interface names have at most 15 characters.
func (s Site) uplink(id slipway.VPCID) string {
	h := fnv.New64a()
	h.Write([]byte(id))
	return s.prefix() + fmt.Sprintf("%010x", h.Sum64()&0xffffffffff)
}

// upName is the namespace's end.
const upName = "up"

// tap is an interface's device inside its namespace.
func tap(id slipway.InterfaceID) string {
	s := string(id)
	return "t" + s[max(0, len(s)-14):]
}

// The addresses that are the same in every VPC.
var (
	metadataIP  = netip.MustParseAddr("169.254.169.254")
	metadataIP6 = netip.MustParseAddr("fd00:ec2::254")
	resolverIP  = netip.MustParseAddr("169.254.169.253")
	resolverIP6 = netip.MustParseAddr("fd00:ec2::253")
)

// Wanted is what the kernel shall look like for one VPC.
type Wanted struct {
	Namespace  string
	Uplink     string
	HostLink   netip.Addr
	InsideLink netip.Addr
	Local      []netip.Addr   // the router's own addresses
	Closed     []netip.Prefix // the VPC's ranges: what no interface has is unreachable
	Taps       []Tap
	Tables     []Table
	Peers      []PeerLink
	Filter     string                    // nft, inside the namespace
	Exposed    map[netip.Addr]netip.Addr // public to outer, on the host
}

// Tap is one interface's device.
type Tap struct {
	Name      string
	Interface slipway.InterfaceID
	MAC       string // the guest's
	MTU       int
	To        []netip.Prefix // what is routed to it
	Neighbors []netip.Addr   // addresses that its guest answers for
	Table     int            // the route table of what comes from it
}

// via is the neighbour by which a prefix is reached, one of the tap's own: asking for each address in it would fill
// the table of neighbours. Single addresses have none but themselves.
func (t Tap) via(p netip.Prefix) netip.Addr {
	if p.IsSingleIP() {
		return netip.Addr{}
	}
	for _, ip := range t.Neighbors {
		if ip.Is4() == p.Addr().Is4() {
			return ip
		}
	}
	return netip.Addr{}
}

// PeerLink is the way to a peered VPC: a pair of devices, of the same name in both namespaces.
type PeerLink struct {
	Device    string
	Namespace string // the other's
	MAC       string // of this end
	PeerMAC   string
}

// peerHop stands for the other end of any peer link: a neighbour that is written down, so that nobody asks for it.
var peerHop = netip.MustParseAddr("169.254.0.1")

// peerDevice is a peering's device; interface names have at most 15 characters.
func peerDevice(id string) string { return "p" + id[max(0, len(id)-14):] }

// peerLink says which end of a peering's link is this VPC's: both ends come to the same result.
func (s Site) peerLink(own slipway.VPCID, p Peer) PeerLink {
	h := fnv.New64a()
	h.Write([]byte(p.ID))
	mac := func(side byte) string {
		b := h.Sum64()
		return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", byte(b), byte(b>>8), byte(b>>16), byte(b>>24), side)
	}
	l := PeerLink{Device: peerDevice(p.ID), Namespace: s.namespace(p.VPC), MAC: mac(1), PeerMAC: mac(2)}
	if own > p.VPC {
		l.MAC, l.PeerMAC = l.PeerMAC, l.MAC
	}
	return l
}

// Table is a subnet's route table.
type Table struct {
	ID     int
	Routes []TableRoute
}

// TableRoute is one of its routes besides the local ones.
type TableRoute struct {
	To        netip.Prefix
	Uplink    bool       // by the internet gateway
	Via       netip.Addr // by an instance
	Device    string
	Blackhole bool
}

// Plan says what the kernel shall look like. index tells the VPC's links from others of the host.
func Plan(site Site, index int, n Network) Wanted {
	host, inside := site.link(index)
	w := Wanted{
		Namespace: site.namespace(n.VPC), Uplink: site.uplink(n.VPC), HostLink: host, InsideLink: inside,
		Local:  []netip.Addr{metadataIP, resolverIP, metadataIP6, resolverIP6},
		Closed: append(slices.Clone(n.CIDRs), n.CIDRs6...), Exposed: map[netip.Addr]netip.Addr{},
	}
	if r := n.resolver(); r.IsValid() {
		w.Local = append(w.Local, r)
	}
	tables := map[slipway.SubnetID]int{}
	ports := map[slipway.InterfaceID]Port{}
	for _, p := range n.Ports {
		ports[p.Interface] = p
	}
	subnets := slices.Clone(n.Subnets)
	slices.SortFunc(subnets, func(a, b Subnet) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i, s := range subnets {
		if s.CIDR.IsValid() {
			w.Local = append(w.Local, Gateway(s.CIDR))
		}
		t := Table{ID: 1000 + i}
		tables[s.ID] = t.ID
		for _, r := range s.Routes {
			if tr, ok := route(n, r, ports); ok {
				t.Routes = append(t.Routes, tr)
			}
		}
		w.Tables = append(w.Tables, t)
	}
	for _, p := range n.Ports {
		t := Tap{Name: tap(p.Interface), Interface: p.Interface, MAC: p.MAC, MTU: p.MTU, Table: tables[p.Subnet]}
		for _, ip := range append(slices.Clone(p.Addresses), p.Addresses6...) {
			t.To = append(t.To, netip.PrefixFrom(ip, ip.BitLen()))
			t.Neighbors = append(t.Neighbors, ip)
		}
		t.To = append(append(t.To, p.Prefixes...), p.Prefixes6...)
		w.Taps = append(w.Taps, t)
		if !online(n, p.Subnet) {
			continue
		}
		for _, public := range p.Public {
			w.Exposed[public] = site.Outer(public)
		}
	}
	for _, g := range n.NATs {
		if online(n, g.Subnet) && g.Public.IsValid() {
			w.Exposed[g.Public] = site.Outer(g.Public)
		}
	}
	for _, p := range n.Peers {
		w.Peers = append(w.Peers, site.peerLink(n.VPC, p))
	}
	slices.SortFunc(w.Taps, func(a, b Tap) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(w.Local, netip.Addr.Compare)
	w.Local = slices.Compact(w.Local)
	w.Filter = filter(site, w, n)
	return w
}

func route(n Network, r Route, ports map[slipway.InterfaceID]Port) (TableRoute, bool) {
	t := TableRoute{To: r.Destination}
	switch r.Target {
	case Internet:
		t.Uplink = true
	case ToNAT:
		if n.nat(r) == nil {
			t.Blackhole = true
			break
		}
		t.Uplink = true // the filter sees to it that the gateway's address goes out
	case ToPeer:
		if !slices.ContainsFunc(n.Peers, func(p Peer) bool { return p.ID == r.Via }) {
			t.Blackhole = true
			break
		}
		t.Via, t.Device = peerHop, peerDevice(r.Via)
	case ToPort:
		p, here := ports[r.Interface]
		if !here || len(p.Addresses) == 0 {
			t.Blackhole = true
			break
		}
		t.Via, t.Device = p.Addresses[0], tap(r.Interface)
	case Local:
		return t, false
	default:
		t.Blackhole = true
	}
	return t, true
}

// nat is the NAT gateway that a route leads to; nil if it leads nowhere.
func (n Network) nat(r Route) *NAT {
	for i, g := range n.NATs {
		if r.Target == ToNAT && g.ID == r.Via && online(n, g.Subnet) && g.Public.IsValid() {
			return &n.NATs[i]
		}
	}
	return nil
}

// mark is what connections through the gateway carry, as long as they last.
func (g NAT) mark() uint32 {
	h := fnv.New32a()
	h.Write([]byte(g.ID))
	return h.Sum32() | 1
}

// online says whether a subnet's routes lead to an internet gateway.
func online(n Network, id slipway.SubnetID) bool {
	for _, s := range n.Subnets {
		if s.ID == id {
			return slices.ContainsFunc(s.Routes, func(r Route) bool { return r.Target == Internet })
		}
	}
	return false
}

// Gateway is a subnet's router: its second address.
func Gateway(subnet netip.Prefix) netip.Addr { return subnet.Masked().Addr().Next() }

func num(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func addr(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
