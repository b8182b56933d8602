package dataplane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// hostRules is the host's own table: loopback addresses lead into namespaces, and guests that may leave do so under the
// host's address. Guests never reach what listens on the host itself.
func hostRules(site Site, exposed map[netip.Addr]netip.Addr) string {
	table := fmt.Sprintf("slipway%02d", site.Slot)
	var dnat []string
	for _, public := range slices.SortedFunc(maps.Keys(exposed), netip.Addr.Compare) {
		if public != exposed[public] {
			dnat = append(dnat, fmt.Sprintf("%s : %s", public, exposed[public]))
		}
	}
	b := &ruleset{}
	b.line("table ip %s", table)
	b.line("delete table ip %s", table)
	b.line("table ip %s {", table)
	b.line("  map public { type ipv4_addr : ipv4_addr; %s }", list(dnat))
	b.line("  chain out { type nat hook output priority -100; policy accept;")
	b.line("    ip daddr %s dnat to ip daddr map @public", site.Public)
	b.line("  }")
	b.line("  chain in { type nat hook prerouting priority dstnat; policy accept;")
	b.line("    ip daddr %s dnat to ip daddr map @public", site.Public)
	b.line("  }")
	b.line("  chain post { type nat hook postrouting priority srcnat; policy accept;")
	b.line("    ip saddr 127.0.0.0/8 oifname \"%s*\" masquerade", site.prefix())
	b.line("    iifname \"%s*\" oifname != \"%s*\" masquerade", site.prefix(), site.prefix())
	b.line("  }")
	b.line("  chain input { type filter hook input priority filter; policy accept;")
	b.line("    iifname \"%s*\" ct state established,related accept", site.prefix())
	b.line("    iifname \"%s*\" drop", site.prefix())
	b.line("  }")
	b.line("}")
	return b.String()
}

func applyHost(ctx context.Context, site Site, exposed map[netip.Addr]netip.Addr) error {
	return errors.Join(
		sysctl("net.ipv4.conf.all.route_localnet", "1"),
		sysctl("net.ipv4.ip_forward", "1"),
		nft(ctx, hostRules(site, exposed)),
	)
}

func removeHost(ctx context.Context, site Site) error {
	table := fmt.Sprintf("slipway%02d", site.Slot)
	return nft(ctx, "table ip "+table+"\ndelete table ip "+table+"\n")
}

// Check says what this machine lacks for a data plane; nil when it has all.
func Check() error {
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root rights")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		lacks = append(lacks, "/dev/net/tun")
	}
	for _, tool := range []string{"nft"} {
		if !onPath(tool) {
			lacks = append(lacks, "the program "+tool)
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("instances' networks need %s", strings.Join(lacks, ", "))
	}
	return nil
}

func onPath(tool string) bool {
	for _, dir := range append(strings.Split(os.Getenv("PATH"), ":"), "/usr/sbin", "/sbin") {
		if st, err := os.Stat(dir + "/" + tool); err == nil && !st.IsDir() {
			return true
		}
	}
	return false
}
