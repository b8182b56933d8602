package hosts

import (
	"net/netip"
	"slices"
	"testing"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store/memory"
)

// TestAWSsPrefixListsReachTheHosts: a route to one of AWS's own lists is one to each of its ranges, as to a customer's, and
// of the region alone.
func TestAWSsPrefixListsReachTheHosts(t *testing.T) {
	db := state.DB{Store: memory.New(state.Schema())}
	r, err := db.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	scope := state.Scope{Account: "123456789012", Region: "us-east-1"}
	const s3 = "pl-63a5400a"
	want := netip.MustParsePrefix("52.216.0.0/14")
	if got := prefixes(r, scope, s3); !slices.Contains(got, want) {
		t.Errorf("a rule of %s has the ranges %v, which lack %s", s3, got, want)
	}
	var to []netip.Prefix
	for _, route := range routes(r, scope, &slipway.VPC{}, slipway.Route{PrefixList: s3}) {
		to = append(to, route.Destination)
	}
	if !slices.Contains(to, want) {
		t.Errorf("a route to %s leads to %v, which lack %s", s3, to, want)
	}
	if got := prefixes(r, state.Scope{Account: scope.Account, Region: "eu-west-1"}, s3); len(got) > 0 {
		t.Errorf("another region's list has %v", got)
	}
}
