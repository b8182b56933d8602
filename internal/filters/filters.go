// Package filters is the filters of the Describe actions: which names there are, and whether what is described meets
// them. A room says what its records show under each name.
package filters

import (
	"maps"
	"slices"
	"slipway"
	"strings"
)

// Filter is one condition of a Describe: any of the values, which may hold wildcards.
type Filter struct {
	Name   string
	Values []string
}

// Fields says what a record shows under each filter name.
type Fields[T any] map[string]func(T) []string

// Through makes filters of those of something that each record has.
func Through[A, B any](of Fields[B], get func(A) B) Fields[A] {
	out := Fields[A]{}
	for name, values := range of {
		out[name] = func(v A) []string { return values(get(v)) }
	}
	return out
}

// None makes filters that are taken and that nothing meets: what they are about does not exist here.
func None[T any](names ...string) Fields[T] {
	out := Fields[T]{}
	for _, name := range names {
		out[name] = func(T) []string { return nil }
	}
	return out
}

// Limits of rule filter-limits.
const (
	maxFilters      = 50
	maxFilterValues = 200
	maxFilterLength = 255
)

// Matcher checks the filters against the names that exist and returns the condition they make together: AND over the
// filters, OR over the values; a filter without values is met by nothing. tags may be nil for what has none. Errors:
// FilterLimitExceeded, and InvalidParameterValue for a name that does not exist.
func Matcher[T any](filters []Filter, fields Fields[T], tags func(T) slipway.Tags) (func(T) bool, error) {
	if err := limits(filters); err != nil {
		return nil, err
	}
	values := make([]func(T) []string, len(filters))
	for i, f := range filters {
		values[i] = fields[f.Name]
		if values[i] == nil && tags != nil {
			values[i] = tagged(f.Name, tags)
		}
		if values[i] == nil {
			return nil, unknown(f.Name)
		}
	}
	return func(v T) bool {
		for i, f := range filters {
			if !anyMatch(values[i](v), f.Values) {
				return false
			}
		}
		return true
	}, nil
}

// Check refuses what no action takes, and filters of other names than the known ones, of which "tag:<key>" stands for all
// of those. Errors: FilterLimitExceeded, InvalidParameterValue.
func Check(wanted []Filter, known []string) error {
	if err := limits(wanted); err != nil {
		return err
	}
	for _, f := range wanted {
		tagged := strings.HasPrefix(f.Name, "tag:") && slices.Contains(known, "tag:<key>")
		if !tagged && !slices.Contains(known, f.Name) {
			return unknown(f.Name)
		}
	}
	return nil
}

func unknown(name string) error {
	return slipway.Errorf(slipway.InvalidParameterValue, "The filter '%s' is invalid", name)
}

func limits(wanted []Filter) error {
	if len(wanted) > maxFilters {
		return slipway.Errorf(slipway.FilterLimitExceeded,
			"The maximum number of filters specified on a single call is %d", maxFilters)
	}
	for _, f := range wanted {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

func (f Filter) check() error {
	if len(f.Values) > maxFilterValues {
		return slipway.Errorf(slipway.FilterLimitExceeded,
			"The maximum number of filter values specified on a single call is %d", maxFilterValues)
	}
	for _, v := range f.Values {
		if len(v) > maxFilterLength {
			return slipway.Errorf(slipway.FilterLimitExceeded, "The maximum length of a filter value is %d characters",
				maxFilterLength)
		}
	}
	return nil
}

// tagged is what tags show under a filter's name; nil where it is not one about tags.
func tagged[T any](name string, tags func(T) slipway.Tags) func(T) []string {
	key, isTag := strings.CutPrefix(name, "tag:")
	switch {
	case isTag:
		return func(v T) []string {
			if s, has := tags(v)[key]; has {
				return []string{s}
			}
			return nil
		}
	case name == "tag-key":
		return func(v T) []string { return tags(v).Keys() }
	case name == "tag-value":
		return func(v T) []string { return slices.Collect(maps.Values(tags(v))) }
	}
	return nil
}

func anyMatch(have, want []string) bool {
	for _, h := range have {
		for _, w := range want {
			if Wildcard(w, h) {
				return true
			}
		}
	}
	return false
}

// Wildcard matches s against a pattern in which * is any run of characters, ? exactly one, and \ takes both their meaning.
func Wildcard(pattern, s string) bool {
	if !strings.ContainsAny(pattern, `*?\`) {
		return pattern == s
	}
	p, str := []rune(pattern), []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(str) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
			continue
		case i < len(p) && p[i] == '?':
			i, j = i+1, j+1
			continue
		case i+1 < len(p) && p[i] == '\\' && p[i+1] == str[j]:
			i, j = i+2, j+1
			continue
		case i < len(p) && p[i] != '\\' && p[i] == str[j]:
			i, j = i+1, j+1
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
