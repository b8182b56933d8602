package dataplane

import (
	"context"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestHalfAWayOutIsMadeAnew: who was killed between making a pair of links and putting its other end into the VPC left
// the host's end behind, as a whole one looks to who sees the host alone.
func TestHalfAWayOutIsMadeAnew(t *testing.T) {
	w := newWorld(t)
	n := twoSubnets()
	w.must(w.host.do(func() error {
		w.must(w.plane.Ensure(context.Background(), n)) // says the link's name
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		name := ""
		for _, l := range links {
			if l.Type() == "veth" && l.Attrs().Name[:2] == "sw" {
				name = l.Attrs().Name
				if err := netlink.LinkDel(l); err != nil {
					return err
				}
			}
		}
		if name == "" {
			t.Fatalf("no way out among %v", links)
		}
		// What the kill left: both ends on the host.
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, MTU: 1500}, PeerName: "p" + name[1:]})
	}))
	w.must(w.host.do(func() error { return w.plane.Ensure(context.Background(), n) }))
}
