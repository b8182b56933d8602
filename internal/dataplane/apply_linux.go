package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// apply makes the kernel match. Everything is free to repeat; what is there and not wanted goes. joined are the namespaces to
// which a way has been made just now.
func apply(ctx context.Context, w Wanted) (joined []string, err error) {
	if err := ensureNamespace(w.Namespace); err != nil {
		return nil, err
	}
	if err := applyUplink(w); err != nil {
		return nil, fmt.Errorf("way out of %s: %w", w.Namespace, err)
	}
	for _, p := range w.Peers {
		made, err := applyPeer(w.Namespace, p)
		if err != nil {
			return nil, fmt.Errorf("way from %s to %s: %w", w.Namespace, p.Namespace, err)
		}
		if made {
			joined = append(joined, p.Namespace)
		}
	}
	return joined, inside(w.Namespace, func() error {
		for _, step := range []func() error{
			func() error { return applyRouter(w) },
			func() error { return nft(ctx, w.Filter) }, // before the taps: no packet passes unfiltered
			func() error { return applyTaps(w) },
			func() error { return trimPeers(w) },
			func() error { return applyRules(w) },
		} {
			if err := step(); err != nil {
				return fmt.Errorf("%s: %w", w.Namespace, err)
			}
		}
		return nil
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// applyUplink makes the veth pair between the host and the namespace.
func applyUplink(w Wanted) error {
	host, err := linkByName(w.Uplink)
	if err != nil {
		return err
	}
	if host != nil && inside(w.Namespace, func() error { _, err := netlink.LinkByName(upName); return err }) != nil {
		// A server of before 0.2 made the pair in steps, and may have been killed between them: it is made anew.
		if err := netlink.LinkDel(host); err != nil {
			return fmt.Errorf("take half a %s away: %w", w.Uplink, err)
		}
		host = nil
	}
	if host == nil {
		ns, err := netns.GetFromName(w.Namespace)
		if err != nil {
			return err
		}
		defer ns.Close()
		pair := &netlink.Veth{ // in one step, so that no half is ever there
			LinkAttrs: netlink.LinkAttrs{Name: w.Uplink, MTU: 1500}, PeerName: upName, PeerNamespace: netlink.NsFd(int(ns)),
		}
		if err := netlink.LinkAdd(pair); err != nil && !errors.Is(err, syscall.EEXIST) {
			return fmt.Errorf("make %s: %w", w.Uplink, err)
		}
		if host, err = netlink.LinkByName(w.Uplink); err != nil {
			return err
		}
	}
	address := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(w.HostLink, 31))}
	if err := netlink.AddrReplace(host, address); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(host); err != nil {
		return err
	}
	if err := errors.Join(sysctlOf("ipv4", w.Uplink, "route_localnet", "1"),
		sysctlOf("ipv4", w.Uplink, "rp_filter", "0")); err != nil {
		return err
	}
	// a kernel without IPv6 has none here either
	if err := sysctlOf("ipv6", w.Uplink, "disable_ipv6", "1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := applyNeighbors(host, w); err != nil {
		return err
	}
	return applyExposed(host, w)
}

// applyNeighbors writes the two ends of the way out down as each other's neighbours: whatever a guest does to the
// table of those, which is one for the whole host, this way stays open.
func applyNeighbors(host netlink.Link, w Wanted) error {
	var inner net.HardwareAddr
	if err := inside(w.Namespace, func() error {
		l, err := netlink.LinkByName(upName)
		if err != nil {
			return err
		}
		inner = l.Attrs().HardwareAddr
		if err := netlink.LinkSetUp(l); err != nil { // a link that comes up begins with no neighbours
			return err
		}
		return permanent(l, w.HostLink, host.Attrs().HardwareAddr)
	}); err != nil {
		return err
	}
	return permanent(host, w.InsideLink, inner)
}

// permanent writes down a neighbour that need not be asked for.
func permanent(l netlink.Link, ip netip.Addr, mac net.HardwareAddr) error {
	family := netlink.FAMILY_V4
	if ip.Is6() {
		family = netlink.FAMILY_V6
	}
	if err := netlink.NeighSet(&netlink.Neigh{
		LinkIndex: l.Attrs().Index, Family: family, State: netlink.NUD_PERMANENT, IP: ip.AsSlice(), HardwareAddr: mac,
	}); err != nil {
		return fmt.Errorf("neighbour %s: %w", ip, err)
	}
	return nil
}

// applyExposed routes the addresses that stand for public ones to the namespace, and no others.
func applyExposed(host netlink.Link, w Wanted) error {
	want := map[string]bool{}
	for _, outer := range w.Exposed {
		p := ipNet(netip.PrefixFrom(outer, 32))
		want[p.String()] = true
		via := &netlink.Route{
			LinkIndex: host.Attrs().Index, Dst: p, Gw: w.InsideLink.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
		}
		if err := netlink.RouteReplace(via); err != nil {
			return fmt.Errorf("route %s: %w", outer, err)
		}
	}
	have, err := netlink.RouteList(host, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, r := range have {
		if r.Gw != nil && r.Dst != nil && !want[r.Dst.String()] {
			if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// applyRouter is the namespace's own addresses and what is unreachable.
func applyRouter(w Wanted) error {
	up, err := netlink.LinkByName(upName)
	if err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := errors.Join(
		netlink.AddrReplace(up, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(w.InsideLink, 31))}),
		netlink.LinkSetUp(up), netlink.LinkSetUp(lo),
		sysctl("net.ipv4.ip_forward", "1"), sysctl("net.ipv4.conf.all.rp_filter", "0"),
		sysctl("net.ipv4.conf.default.rp_filter", "0"),
		sysctl("net.ipv6.conf.all.forwarding", "1"), sysctl("net.ipv6.conf.default.accept_dad", "0"),
		sysctl("net.ipv4.conf.all.send_redirects", "0"),
		sysctl("net.ipv4.conf.default.send_redirects", "0"),
	); err != nil {
		return err
	}
	want := map[string]bool{}
	for _, ip := range w.Local {
		p := netip.PrefixFrom(ip, ip.BitLen())
		want[p.String()] = true
		a := &netlink.Addr{IPNet: ipNet(p)}
		if ip.Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrReplace(lo, a); err != nil {
			return fmt.Errorf("address %s: %w", ip, err)
		}
	}
	have, err := netlink.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, a := range have {
		if !a.IP.IsLoopback() && !want[a.IPNet.String()] {
			if err := netlink.AddrDel(lo, &a); err != nil {
				return err
			}
		}
	}
	for _, p := range w.Closed {
		if err := netlink.RouteReplace(&netlink.Route{Dst: ipNet(p), Type: unix.RTN_UNREACHABLE, Priority: 9999}); err != nil {
			return fmt.Errorf("close %s: %w", p, err)
		}
	}
	return nil
}

// applyTaps makes a device for each interface, with its routes and neighbours, and removes those that are not wanted.
func applyTaps(w Wanted) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	have := map[string]netlink.Link{}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, "t") && l.Type() == "tuntap" {
			have[l.Attrs().Name] = l
		}
	}
	for _, t := range w.Taps {
		l := have[t.Name]
		delete(have, t.Name)
		if l == nil {
			made := &netlink.Tuntap{
				LinkAttrs: netlink.LinkAttrs{Name: t.Name}, Mode: netlink.TUNTAP_MODE_TAP,
				Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_VNET_HDR,
			}
			if err := netlink.LinkAdd(made); err != nil {
				return fmt.Errorf("make %s: %w", t.Name, err)
			}
			if l, err = netlink.LinkByName(t.Name); err != nil {
				return err
			}
		}
		if err := applyTap(l, t); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	for name, l := range have {
		if err := netlink.LinkDel(l); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

func applyTap(l netlink.Link, t Tap) error {
	if t.MTU > 0 && l.Attrs().MTU != t.MTU {
		if err := netlink.LinkSetMTU(l, t.MTU); err != nil {
			return err
		}
	}
	if err := errors.Join(sysctlOf("ipv4", t.Name, "proxy_arp", "1"), sysctlOf("ipv6", t.Name, "accept_dad", "0")); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return err
	}
	mac, err := net.ParseMAC(t.MAC)
	if err != nil {
		return err
	}
	want := map[string]bool{}
	for _, p := range t.To {
		want[p.String()] = true
		r := &netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(p), Scope: netlink.SCOPE_LINK}
		if via := t.via(p); via.IsValid() {
			r.Scope, r.Gw, r.Flags = netlink.SCOPE_UNIVERSE, via.AsSlice(), int(netlink.FLAG_ONLINK)
		}
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("route %s: %w", p, err)
		}
	}
	for _, ip := range t.Neighbors {
		if err := permanent(l, ip, mac); err != nil {
			return err
		}
	}
	routes, err := netlink.RouteList(l, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if r.Dst != nil && !want[r.Dst.String()] {
			if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// rulePriority is that of a tap's rule: what no interface of the VPC has goes by its subnet's table.
const rulePriority = 100000

// applyRules gives each tap its subnet's route table.
func applyRules(w Wanted) error {
	for _, t := range w.Tables {
		if err := applyTable(w, t); err != nil {
			return fmt.Errorf("route table %d: %w", t.ID, err)
		}
	}
	have, err := netlink.RuleList(netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	want := map[string]int{}
	for _, t := range w.Taps {
		want[t.Name] = t.Table
	}
	for _, r := range have {
		if r.Priority != rulePriority {
			continue
		}
		if want[r.IifName] == r.Table && !seen[r.IifName] {
			seen[r.IifName] = true
			continue
		}
		if err := netlink.RuleDel(&r); err != nil {
			return err
		}
	}
	for name, table := range want {
		if seen[name] || table == 0 {
			continue
		}
		r := netlink.NewRule()
		r.Priority, r.IifName, r.Table, r.Family = rulePriority, name, table, netlink.FAMILY_V4
		if err := netlink.RuleAdd(r); err != nil && !errors.Is(err, syscall.EEXIST) {
			return fmt.Errorf("rule for %s: %w", name, err)
		}
	}
	return nil
}

// lastMetric is that of routes which hold where a better one to the same destination is gone, with its device.
const lastMetric = 9999

func applyTable(w Wanted, t Table) error {
	want := map[string]bool{}
	key := func(r *netlink.Route) string {
		if r.Dst == nil {
			return fmt.Sprint("0.0.0.0/0 ", r.Priority)
		}
		return fmt.Sprint(r.Dst, " ", r.Priority)
	}
	put := func(r *netlink.Route) error {
		want[key(r)] = true
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("%s: %w", r.Dst, err)
		}
		return nil
	}
	for _, r := range t.Routes {
		if r.To.Addr().Is6() {
			continue
		}
		if err := put(&netlink.Route{
			Table: t.ID, Dst: ipNet(r.To), Type: unix.RTN_BLACKHOLE, Priority: lastMetric,
		}); err != nil {
			return err
		}
		if r.Blackhole {
			continue
		}
		device, via := upName, w.HostLink
		if !r.Uplink {
			device, via = r.Device, r.Via
		}
		l, err := linkByName(device)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		if err := put(&netlink.Route{
			Table: t.ID, Dst: ipNet(r.To), LinkIndex: l.Attrs().Index, Gw: via.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
		}); err != nil {
			return err
		}
	}
	have, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: t.ID}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return err
	}
	for _, r := range have {
		if !want[key(&r)] {
			if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return nil
}
