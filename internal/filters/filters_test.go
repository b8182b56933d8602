package filters

import (
	"slipway"
	"testing"
)

func TestWildcard(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"web", "web", true}, {"web", "Web", false}, {"w*", "web", true}, {"*b", "web", true}, {"w?b", "web", true},
		{"w?", "w", false}, {"?", "", false}, {"*", "", true}, {`a\*b`, "a*b", true}, {`a\*b`, "axb", false},
		{`a\?`, "a?", true},
		{`a\\b`, `a\b`, true}, {"*a*b*", "xxaxxbxx", true}, {"*a*b", "xxaxxbx", false},
		{"2021-09-29T*", "2021-09-29T11:04:43.305Z", true},
		{"é?", "éü", true},
	} {
		if got := Wildcard(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Wildcard(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b?", "axxb1")
	f.Fuzz(func(t *testing.T, p, s string) {
		Wildcard(p, s)
		if !Wildcard("*", s) {
			t.Errorf("* does not match %q", s)
		}
	})
}

func TestFiltersRefuseUnknownNamesAndTooMany(t *testing.T) {
	fields := Fields[string]{"name": func(s string) []string { return []string{s} }}
	if _, err := Matcher([]Filter{{"nmae", []string{"x"}}}, fields, nil); slipway.CodeOf(err) != slipway.InvalidParameterValue {
		t.Errorf("an unknown filter: %v", err)
	}
	if _, err := Matcher([]Filter{{"name", make([]string, 201)}}, fields, nil); slipway.CodeOf(err) != slipway.FilterLimitExceeded {
		t.Errorf("201 values: %v", err)
	}
	match, err := Matcher([]Filter{{"name", []string{"a*", "b"}}, {"name", []string{"*c"}}}, fields, nil)
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]bool{"ac": true, "abc": true, "b": false, "c": false} {
		if match(s) != want {
			t.Errorf("match(%q) = %v, want %v", s, !want, want)
		}
	}
}
