package main

import (
	"slices"
	"strings"
	"testing"
)

// TestFiltersAreDocumented: each action takes the filters that it declares, and no other.
func TestFiltersAreDocumented(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	needs := map[string][]string{
		"GetSecurityGroupsForVpc": {"VpcId", o.vpc}, "DescribeLaunchTemplateVersions": {"LaunchTemplateId", o.template},
		"DescribeFleetInstances": {"FleetId", "fleet-12345678-1234-1234-1234-123456789012"},
	}
	for name, a := range w.actions() {
		filters := a.Rules().Filters
		if len(filters) == 0 {
			continue
		}
		filter := "Filter"
		if strings.HasPrefix(name, "DescribeImport") {
			filter = "Filters"
		}
		ask := func(of string) answer {
			return w.call(name, append([]string{filter + ".1.Name", of, filter + ".1.Value.1", "none"}, needs[name]...)...)
		}
		if got := ask("no-such-filter"); got.code != "InvalidParameterValue" {
			t.Errorf("%s takes a filter that it does not declare: %d %s", name, got.status, got.code)
		}
		for _, f := range filters {
			got := ask(strings.ReplaceAll(f, "<key>", "k"))
			if refused := strings.Contains(got.message, "'"+f+"' is invalid"); refused || got.status >= 500 {
				t.Errorf("%s refuses the filter %s that it declares: %d %s %s", name, f, got.status, got.code, got.message)
			}
		}
		if !slices.IsSorted(filters) {
			t.Errorf("%s: its filters are in no order", name)
		}
	}
}
