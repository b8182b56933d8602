package firstrules_test

import (
	"slices"
	"testing"

	"slipway"
	"slipway/internal/firstrules"
)

func TestAGroupLetsOutWhatItsNetworkHas(t *testing.T) {
	for ipv6, want := range map[bool][]string{false: {"0.0.0.0/0"}, true: {"0.0.0.0/0", "::/0"}} {
		var got []string
		for _, r := range firstrules.OpenEgress(ipv6) {
			if !r.Egress || r.Protocol != "-1" || r.From != -1 || r.To != -1 || r.ID == "" {
				t.Errorf("a rule is %+v", r)
			}
			got = append(got, r.CIDR.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("with IPv6 %v, out go %v, want %v", ipv6, got, want)
		}
	}
}

// TestWhatAnACLLetsPassIsLookedAtBeforeWhatItRefuses, in both directions and of both versions: entries are read in order of
// their numbers, which say so to callers.
func TestWhatAnACLLetsPassIsLookedAtBeforeWhatItRefuses(t *testing.T) {
	type side struct {
		egress bool
		cidr   string
	}
	for ipv6, sides := range map[bool]int{false: 2, true: 4} {
		first := map[side]slipway.ACLEntry{}
		all := firstrules.OpenEntries(ipv6)
		for _, e := range all {
			of := side{e.Egress, e.CIDR.String()}
			if was, ok := first[of]; !ok || e.Number < was.Number {
				first[of] = e
			}
		}
		if len(first) != sides || len(all) != 2*sides {
			t.Errorf("with IPv6 %v, %d entries are of %d sides", ipv6, len(all), len(first))
		}
		for of, e := range first {
			if !e.Allow {
				t.Errorf("%v is refused", of)
			}
		}
		closing := firstrules.ClosingEntries(ipv6)
		if !slices.Equal(all[len(all)-len(closing):], closing) {
			t.Error("a default ACL does not end as every ACL")
		}
		for _, e := range closing {
			if e.Allow {
				t.Errorf("%+v ends an ACL", e)
			}
		}
	}
}
