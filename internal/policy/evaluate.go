package policy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is one action on one resource.
type Request struct {
	Action   string // ec2:RunInstances
	Resource string // ARN, or * for actions without resources
	// Principals are the names by which a policy may mean the caller: its ARN, the ARN of the role whose session it is, a service's name.
	Principals []string
	// Direct leaves out what is granted to the caller's account: only a statement that names the caller itself, or everybody, counts.
	Direct bool
	// Context holds the condition keys, in lower case.
	Context map[string][]string
}

// Decision is the outcome.
type Decision int

// An explicit denial outweighs everything; without an allowance nothing is allowed.
const (
	ImplicitDeny Decision = iota
	Allow
	ExplicitDeny
)

// Evaluate decides over all documents that apply to a caller.
func Evaluate(documents []*Document, r Request) Decision {
	out := ImplicitDeny
	for _, d := range documents {
		for i := range d.Statements {
			s := &d.Statements[i]
			if !s.applies(r) {
				continue
			}
			if s.Deny {
				return ExplicitDeny
			}
			out = Allow
		}
	}
	return out
}

func (s *Statement) applies(r Request) bool {
	action := func(p string) bool { return Like(strings.ToLower(p), strings.ToLower(r.Action)) }
	resource := func(p string) bool { return Like(expand(p, r.Context), r.Resource) }
	switch {
	case len(s.Actions) > 0 && !slices.ContainsFunc(s.Actions, action), len(s.NotActions) > 0 && slices.ContainsFunc(s.NotActions, action):
		return false
	case len(s.Resources) > 0 && !slices.ContainsFunc(s.Resources, resource), len(s.NotResources) > 0 && slices.ContainsFunc(s.NotResources, resource):
		return false
	case s.Principals != nil && !named(s.Principals, r.Principals, !r.Direct), s.NotPrincipals != nil && named(s.NotPrincipals, r.Principals, true):
		return false
	}
	for _, c := range s.Conditions {
		if !c.holds(r.Context) {
			return false
		}
	}
	return true
}

// named says whether principals include who asks: by ARN, by service, as everybody, and by account if that shall count.
func named(by map[string][]string, who []string, account bool) bool {
	for _, list := range by {
		for _, p := range list {
			if p == "*" || slices.ContainsFunc(who, func(w string) bool { return p == w || account && accountOf(w, p) }) {
				return true
			}
		}
	}
	return false
}

// accountOf says whether a principal is the account that an ARN belongs to.
func accountOf(arn, principal string) bool {
	parts := strings.Split(arn, ":")
	return len(parts) > 4 && parts[4] != "" && (principal == parts[4] || principal == "arn:"+parts[1]+":iam::"+parts[4]+":root")
}

// expand puts policy variables' values in.
func expand(pattern string, context map[string][]string) string {
	for {
		before, rest, ok := strings.Cut(pattern, "${")
		if !ok {
			return pattern
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return pattern
		}
		value := ""
		switch name {
		case "*", "?", "$":
			value = name
		default:
			if v := context[strings.ToLower(name)]; len(v) == 1 {
				value = v[0]
			} else {
				return "" // a variable without a value matches nothing
			}
		}
		pattern = before + value + after
	}
}

// Like matches with * for any run of characters and ? for one.
func Like(pattern, s string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// comparison compares a key's value with one that the policy names.
type comparison struct {
	match  func(have, want string) bool
	negate bool // every value of the policy must differ
}

func number(f func(a, b float64) bool) func(string, string) bool {
	return func(have, want string) bool {
		a, err1 := strconv.ParseFloat(have, 64)
		b, err2 := strconv.ParseFloat(want, 64)
		return err1 == nil && err2 == nil && f(a, b)
	}
}

func date(f func(a, b time.Time) bool) func(string, string) bool {
	return func(have, want string) bool {
		a, ok1 := moment(have)
		b, ok2 := moment(want)
		return ok1 && ok2 && f(a, b)
	}
}

func moment(s string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil
}

func within(have, want string) bool {
	ip, err := netip.ParseAddr(have)
	if err != nil {
		return false
	}
	if p, err := netip.ParsePrefix(want); err == nil {
		return p.Contains(ip.Unmap())
	}
	one, err := netip.ParseAddr(want)
	return err == nil && one == ip.Unmap()
}

func equal(have, want string) bool { return have == want }
func like(have, want string) bool  { return Like(want, have) }

// operators are AWS's condition operators, but for Null.
var operators = map[string]*comparison{
	"StringEquals": {equal, false}, "StringNotEquals": {equal, true}, "StringEqualsIgnoreCase": {strings.EqualFold, false}, "StringNotEqualsIgnoreCase": {strings.EqualFold, true},
	"StringLike": {like, false}, "StringNotLike": {like, true}, "ArnEquals": {like, false}, "ArnLike": {like, false}, "ArnNotEquals": {like, true}, "ArnNotLike": {like, true},
	"Bool": {strings.EqualFold, false}, "BinaryEquals": {equal, false}, "IpAddress": {within, false}, "NotIpAddress": {within, true},
	"NumericEquals": {number(func(a, b float64) bool { return a == b }), false}, "NumericNotEquals": {number(func(a, b float64) bool { return a == b }), true},
	"NumericLessThan": {number(func(a, b float64) bool { return a < b }), false}, "NumericLessThanEquals": {number(func(a, b float64) bool { return a <= b }), false},
	"NumericGreaterThan": {number(func(a, b float64) bool { return a > b }), false}, "NumericGreaterThanEquals": {number(func(a, b float64) bool { return a >= b }), false},
	"DateEquals": {date(time.Time.Equal), false}, "DateNotEquals": {date(time.Time.Equal), true},
	"DateLessThan": {date(time.Time.Before), false}, "DateLessThanEquals": {date(func(a, b time.Time) bool { return !a.After(b) }), false},
	"DateGreaterThan": {date(time.Time.After), false}, "DateGreaterThanEquals": {date(func(a, b time.Time) bool { return !a.Before(b) }), false},
}

func (c Condition) holds(context map[string][]string) bool {
	have, there := context[strings.ToLower(c.Key)]
	there = there && len(have) > 0
	if c.Operator == "Null" {
		return slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, "true") != there })
	}
	op := operators[c.Operator]
	if !there {
		// Absent: fine for "if exists", for "for all values", and for what must differ.
		return c.IfExists || c.Every || op.negate && !c.Any
	}
	matches := func(v string) bool {
		hit := slices.ContainsFunc(c.Values, func(want string) bool { return op.match(v, expand(want, context)) })
		return hit != op.negate
	}
	if c.Every || op.negate && !c.Any {
		return !slices.ContainsFunc(have, func(v string) bool { return !matches(v) })
	}
	return slices.ContainsFunc(have, matches)
}
