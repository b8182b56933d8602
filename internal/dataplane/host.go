package dataplane

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Reach is how far guests' packets may go beyond their VPC.
type Reach string

const (
	ReachPublic  Reach = "public"  // public addresses only
	ReachPrivate Reach = "private" // the private and link-local ranges around the host, too: the operator's LAN
)

// privateRanges are those that mean something else on every site, and those that no packet may be sent to.
var privateRanges = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
	"198.18.0.0/15", "224.0.0.0/3",
}

// maxThrough is how many connections of one VPC the host itself keeps track of.
const maxThrough = 32768

func (s Site) table() string { return fmt.Sprintf("slipway%02d", s.Slot) }

// hostRules is the host's own table: public addresses lead into namespaces, and guests that may leave do so under the
// host's address. Guests never reach what listens on the host itself. What comes from elsewhere reaches guests by
// translation or by a range that is routed here, and nothing else is forwarded because of us: forwards says that the
// host did so before.
func hostRules(site Site, exposed map[netip.Addr]netip.Addr, forwards bool) string {
	ours := fmt.Sprintf("%q", site.prefix()+"*")
	var dnat []string
	for _, public := range slices.SortedFunc(maps.Keys(exposed), netip.Addr.Compare) {
		if public != exposed[public] {
			dnat = append(dnat, fmt.Sprintf("%s : %s", public, exposed[public]))
		}
	}
	b := &ruleset{}
	b.line("table ip %s", site.table())
	b.line("delete table ip %s", site.table())
	b.line("table ip %s {", site.table())
	b.line("  map public { type ipv4_addr : ipv4_addr; %s }", list(dnat))
	b.line("  set through { type ifname; size 4096; flags dynamic; }")
	b.line("  chain raw { type filter hook prerouting priority raw; policy accept;")
	// Our links may route loopback addresses, so that answers come back to the host's own programs; they do not bear them.
	b.line("    iifname %s ip daddr 127.0.0.0/8 drop", ours)
	b.line("    iifname %s ip saddr 127.0.0.0/8 drop", ours)
	b.line("  }")
	b.line("  chain out { type nat hook output priority -100; policy accept;")
	b.line("    ip daddr %s dnat to ip daddr map @public", site.Public)
	b.line("  }")
	b.line("  chain post { type nat hook postrouting priority srcnat; policy accept;")
	b.line("    ip saddr 127.0.0.0/8 oifname %s masquerade", ours)
	b.line("    iifname %s oifname != %s masquerade", ours, ours)
	b.line("  }")
	b.line("  chain input { type filter hook input priority filter; policy accept;")
	b.line("    iifname %s ct state established,related accept", ours)
	b.line("    iifname %s drop", ours)
	b.line("  }")
	b.line("  chain forward { type filter hook forward priority filter; policy accept;")
	if forwards {
		b.line("    iifname != %s oifname != %s accept", ours, ours)
	} else {
		b.line("    iifname != \"sw*\" oifname != \"sw*\" drop") // other installations' links are theirs to judge
		b.line("    iifname != %s oifname != %s accept", ours, ours)
	}
	b.line("    ct state established,related accept")
	b.line("    iifname %s add @through { iifname ct count over %d } drop", ours, maxThrough)
	if site.Public.Addr().IsLoopback() {
		b.line("    oifname %s drop", ours) // loopback addresses are the host's own: nobody outside has any business with them
	} else {
		b.line("    oifname %s ip daddr %s accept", ours, site.Public)
		b.line("    oifname %s drop", ours)
	}
	if site.Reach != ReachPrivate {
		b.line("    ip daddr { %s } reject with icmp type admin-prohibited", strings.Join(privateRanges, ", "))
	}
	b.line("  }")
	b.line("}")
	return b.String()
}
