package controlplane_test

import (
	"slices"
	"slipway/internal/apitest"
	"strings"
	"testing"

	filtertable "slipway/internal/filters"
)

// TestFiltersAreDocumented: each action takes the filters that EC2 documents and what it declares besides, and no other.
func TestFiltersAreDocumented(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	needs := map[string][]string{
		"GetSecurityGroupsForVpc": {"VpcId", o.VPC}, "DescribeLaunchTemplateVersions": {"LaunchTemplateId", o.Template},
		"DescribeFleetInstances": {"FleetId", "fleet-12345678-1234-1234-1234-123456789012"},
	}
	for name, a := range w.Actions() {
		filters := a.Rules().Filters
		if filters == nil {
			continue
		}
		for _, documented := range filtertable.Documented(name) {
			if !slices.Contains(filters, documented) {
				t.Errorf("%s lacks the filter %s that EC2 documents", name, documented)
			}
		}
		filter := "Filter"
		if strings.HasPrefix(name, "DescribeImport") {
			filter = "Filters"
		}
		ask := func(of string) apitest.Answer {
			return w.Call(name, append([]string{filter + ".1.Name", of, filter + ".1.Value.1", "none"}, needs[name]...)...)
		}
		if got := ask("no-such-filter"); got.Code != "InvalidParameterValue" {
			t.Errorf("%s takes a filter that it does not declare: %d %s", name, got.Status, got.Code)
		}
		for _, f := range filters {
			got := ask(strings.ReplaceAll(f, "<key>", "k"))
			if refused := strings.Contains(got.Message, "'"+f+"' is invalid"); refused || got.Status >= 500 {
				t.Errorf("%s refuses the filter %s that it declares: %d %s %s", name, f, got.Status, got.Code, got.Message)
			}
		}
		if !slices.IsSorted(filters) {
			t.Errorf("%s: its filters are in no order", name)
		}
	}
}
