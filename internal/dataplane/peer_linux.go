package dataplane

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// applyPeer makes the pair of devices between two VPCs' namespaces; while the other is not on this host there is none.
// Whichever side comes second makes both ends, and says so: the first has routes to write that it could not write before.
func applyPeer(own string, p PeerLink) (made bool, err error) {
	if !namespaceExists(p.Namespace) {
		return false, nil
	}
	if err := inside(own, func() error {
		l, err := linkByName(p.Device)
		made = l == nil
		return err
	}); err != nil {
		return false, err
	}
	if made {
		if err := joinNamespaces(own, p); err != nil {
			return false, err
		}
	}
	ends := []struct{ namespace, mac, peer string }{{own, p.MAC, p.PeerMAC}, {p.Namespace, p.PeerMAC, p.MAC}}
	for _, e := range ends {
		if err := inside(e.namespace, func() error { return applyPeerEnd(p.Device, e.mac, e.peer) }); err != nil {
			return made, fmt.Errorf("%s in %s: %w", p.Device, e.namespace, err)
		}
	}
	return made, nil
}

// joinNamespaces makes the pair inside the one namespace and gives its second end to the other.
func joinNamespaces(own string, p PeerLink) error {
	other, err := netns.GetFromName(p.Namespace)
	if err != nil {
		return err
	}
	defer other.Close()
	return inside(own, func() error {
		pair := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: p.Device, MTU: 1500}, PeerName: p.Device,
			PeerNamespace: netlink.NsFd(int(other)),
		}
		if err := netlink.LinkAdd(pair); err != nil && !errors.Is(err, syscall.EEXIST) {
			return fmt.Errorf("make %s: %w", p.Device, err)
		}
		return nil
	})
}

// applyPeerEnd brings one end up. It has no address: its only neighbour is written down.
func applyPeerEnd(device, mac, peer string) error {
	l, err := linkByName(device)
	if err != nil || l == nil {
		return err // the other side has taken both away; it will make them again
	}
	own, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	hop, err := net.ParseMAC(peer)
	if err != nil {
		return err
	}
	if l.Attrs().HardwareAddr.String() != mac {
		if err := netlink.LinkSetHardwareAddr(l, own); err != nil {
			return err
		}
	}
	return errors.Join(
		netlink.LinkSetUp(l),
		sysctlOf("ipv4", device, "rp_filter", "0"),
		netlink.NeighSet(&netlink.Neigh{
			LinkIndex: l.Attrs().Index, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT, IP: peerHop.AsSlice(),
			HardwareAddr: hop,
		}),
	)
}

// trimPeers removes the ways to VPCs that are no longer peered.
func trimPeers(w Wanted) error {
	want := map[string]bool{}
	for _, p := range w.Peers {
		want[p.Device] = true
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if name := l.Attrs().Name; strings.HasPrefix(name, "p") && l.Type() == "veth" && !want[name] {
			if err := netlink.LinkDel(l); err != nil {
				return fmt.Errorf("remove %s: %w", name, err)
			}
		}
	}
	return nil
}
