package dataplane

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

func applyHost(ctx context.Context, l ledger, site Site, exposed map[netip.Addr]netip.Addr) error {
	forwards, err := l.take(site.Slot)
	if err != nil {
		return err
	}
	return nft(ctx, hostRules(site, exposed, forwards))
}

func removeHost(ctx context.Context, l ledger, site Site) error {
	return errors.Join(nft(ctx, "table ip "+site.table()+"\ndelete table ip "+site.table()+"\n"), l.give(site.Slot))
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
