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
	for name, n := range map[string]Network{"two_subnets": twoSubnets(), "gateways": gateways()} {
		w := Plan(Site{Slot: 3, Public: LoopbackPool(3)}, 7, n)
		cmd := exec.Command("unshare", "--net", "nft", "--check", "--file", "-")
		cmd.Stdin = strings.NewReader(w.Filter)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
