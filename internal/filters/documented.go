package filters

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// documentedFilters are EC2's own, an action and a name a line, taken from the npm client's documentation by `make schema`.
//
//go:embed documented.tsv
var documentedFilters string

var filtersOf = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(documentedFilters) {
		action, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		out[action] = append(out[action], name)
	}
	return out
})

// Documented are the filters that EC2 documents for an action, and more besides, in order; "tag:<key>" stands for all of
// those. What can be asked by tag can be in each of the three ways.
func Documented(action string, more ...string) []string {
	names := slices.Concat(filtersOf()[action], more)
	if slices.Contains(names, "tag:<key>") || slices.Contains(names, "tag-key") {
		names = append(names, "tag-key", "tag-value", "tag:<key>")
	}
	slices.Sort(names)
	return slices.Compact(names)
}
