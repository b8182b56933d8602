package dataplane

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheKernelTakesThePlan asks nft to check the ruleset without loading it.
func TestTheKernelTakesThePlan(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("nft checks rulesets for root only")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed: `make deps` installs it")
	}
	site := Site{Slot: 3, Public: LoopbackPool(3)}
	rules := map[string]string{"host": hostRules(site, nil, false)}
	for name, n := range map[string]Network{"two_subnets": twoSubnets(), "gateways": gateways()} {
		rules[name] = Plan(site, 7, n).Filter
	}
	for name, text := range rules {
		cmd := exec.Command("unshare", "--net", "nft", "--check", "--file", "-")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
