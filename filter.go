package slipway

import "strings"

// Filter is one condition of a Describe: any of the values, which may hold wildcards.
type Filter struct {
	Name   string
	Values []string
}

// Fields says what a record shows under each filter name.
type Fields[T any] map[string]func(T) []string

// Limits of rule filter-limits.
const (
	maxFilters      = 50
	maxFilterValues = 200
	maxFilterLength = 255
)

// Matcher checks the filters against the names that exist and returns the condition they make together: AND over the
// filters, OR over the values. tags may be nil for what has none.
func Matcher[T any](filters []Filter, fields Fields[T], tags func(T) Tags) (func(T) bool, error) {
	if len(filters) > maxFilters {
		return nil, Errorf(FilterLimitExceeded, "The maximum number of filters specified on a single call is %d", maxFilters)
	}
	type condition struct {
		values func(T) []string
		want   []string
	}
	conditions := make([]condition, 0, len(filters))
	for _, f := range filters {
		if len(f.Values) > maxFilterValues {
			return nil, Errorf(FilterLimitExceeded,
				"The maximum number of filter values specified on a single call is %d", maxFilterValues)
		}
		for _, v := range f.Values {
			if len(v) > maxFilterLength {
				return nil, Errorf(FilterLimitExceeded, "The maximum length of a filter value is %d characters",
					maxFilterLength)
			}
		}
		values, ok := fields[f.Name]
		if key, isTag := strings.CutPrefix(f.Name, "tag:"); !ok && isTag && tags != nil {
			values, ok = func(v T) []string {
				if s, has := tags(v)[key]; has {
					return []string{s}
				}
				return nil
			}, true
		}
		if !ok && tags != nil && (f.Name == "tag-key" || f.Name == "tag-value") {
			byKey := f.Name == "tag-key"
			values, ok = func(v T) []string {
				var out []string
				for k, s := range tags(v) {
					if byKey {
						out = append(out, k)
					} else {
						out = append(out, s)
					}
				}
				return out
			}, true
		}
		if !ok {
			return nil, Errorf(InvalidParameterValue, "The filter '%s' is invalid", f.Name)
		}
		if len(f.Values) == 0 {
			return nil, Errorf(InvalidParameterValue, "The filter '%s' has no value", f.Name)
		}
		conditions = append(conditions, condition{values, f.Values})
	}
	return func(v T) bool {
		for _, c := range conditions {
			if !anyMatch(c.values(v), c.want) {
				return false
			}
		}
		return true
	}, nil
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
