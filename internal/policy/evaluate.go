package policy

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is one action on one resource.
type Request struct {
	Action   string // ec2:RunInstances
	Resource string // ARN, or * for actions without resources
	// Principals are the names by which a policy may mean the caller: its ARN, the ARN of the role whose session it
	// is, a service's name.
	Principals []string
	// Direct leaves out what is granted to the caller's account: only a statement that names the caller itself, or
	// everybody, counts.
	Direct bool
	// Context holds the condition keys, in lower case. A key that is absent and one that is empty are not the same:
	// one has no entry.
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
	out, action := ImplicitDeny, strings.ToLower(r.Action)
	for _, d := range documents {
		for i := range d.Statements {
			s := &d.Statements[i]
			if !s.names(action) || !s.applies(r) {
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

// Within decides for a session that has a policy of its own: both have to allow, and either may deny.
func Within(own, session []*Document, r Request) Decision {
	a, b := Evaluate(own, r), Evaluate(session, r)
	switch {
	case a == ExplicitDeny || b == ExplicitDeny:
		return ExplicitDeny
	case a == Allow && b == Allow:
		return Allow
	}
	return ImplicitDeny
}

// names says whether the statement is about an action, which is in lower case.
func (s *Statement) names(action string) bool {
	is := func(t text) bool { return t.pattern.matches(action) }
	if len(s.actions) > 0 {
		return slices.ContainsFunc(s.actions, is)
	}
	return !slices.ContainsFunc(s.notActions, is)
}

func (s *Statement) applies(r Request) bool {
	if hit, _ := matchesOne(s.resources, r); len(s.resources) > 0 && !hit {
		return false
	}
	// What a variable without a value would have left out nobody knows: then what allows does not apply, and what denies does.
	if hit, known := matchesOne(s.notResources, r); hit || !known && !s.Deny {
		return false
	}
	if s.Principals != nil && !named(s.Principals, r.Principals, !r.Direct) ||
		s.NotPrincipals != nil && named(s.NotPrincipals, r.Principals, false) {
		return false
	}
	for i := range s.Conditions {
		if !s.Conditions[i].holds(s.Deny, r.Context) {
			return false
		}
	}
	return true
}

// matchesOne says whether one of the patterns is the resource's, and whether all could be read.
func matchesOne(patterns []text, r Request) (hit, known bool) {
	known = true
	for i := range patterns {
		p, ok := patterns[i].in(r.Context)
		hit, known = hit || ok && p.matches(r.Resource), known && ok
	}
	return hit, known
}

// named says whether principals include who asks: by ARN, by service, as everybody, and by account if that shall
// count. An account's root is its account.
func named(by map[string][]string, who []string, account bool) bool {
	for _, list := range by {
		for _, p := range list {
			if p == "*" || slices.ContainsFunc(who, func(w string) bool {
				return p == w || (account || strings.HasSuffix(w, ":root")) && accountOf(w, p)
			}) {
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

// comparison compares a key's value with one that the policy names.
type comparison struct {
	match    func(have string, want pattern) bool
	negate   bool // every value of the policy must differ
	wild     bool // * and ? are wildcards
	variable bool // variables are put in
}

// plain makes a match of a function of texts, for operators without wildcards.
func plain(f func(have, want string) bool) func(string, pattern) bool {
	return func(have string, want pattern) bool {
		text := make([]byte, len(want))
		for i, sign := range want {
			text[i] = byte(sign)
		}
		return f(have, string(text))
	}
}

var decimal = regexp.MustCompile(`^[+-]?[0-9]{1,40}(\.[0-9]{1,40})?$`)

// number compares whole numbers exactly and others as floating point.
func number(f func(order int) bool) func(string, string) bool {
	return func(have, want string) bool {
		if !decimal.MatchString(have) || !decimal.MatchString(want) {
			return false
		}
		a, err1 := strconv.ParseInt(have, 10, 64)
		b, err2 := strconv.ParseInt(want, 10, 64)
		if err1 == nil && err2 == nil {
			return f(order(a, b))
		}
		x, err1 := strconv.ParseFloat(have, 64)
		y, err2 := strconv.ParseFloat(want, 64)
		return err1 == nil && err2 == nil && f(order(x, y))
	}
}

func order[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func date(f func(order int) bool) func(string, string) bool {
	return func(have, want string) bool {
		a, ok1 := moment(have)
		b, ok2 := moment(want)
		return ok1 && ok2 && f(a.Compare(b))
	}
}

// moment reads the forms of ISO 8601 that IAM names, and seconds since 1970.
func moment(s string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01", "2006"} {
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
	ip = ip.Unmap().WithZone("")
	if p, err := netip.ParsePrefix(want); err == nil {
		return p.Contains(ip)
	}
	one, err := netip.ParseAddr(want)
	return err == nil && one.Unmap() == ip
}

// operators are AWS's condition operators, but for Null.
var operators = func() map[string]*comparison {
	m := map[string]*comparison{}
	pair := func(yes, no string, c comparison) {
		other := c
		other.negate = true
		m[yes], m[no] = &c, &other
	}
	equal := plain(func(have, want string) bool { return have == want })
	like := func(have string, want pattern) bool { return want.matches(have) }
	arn := func(have string, want pattern) bool { return want.matchesARN(have) }
	pair("StringEquals", "StringNotEquals", comparison{match: equal, variable: true})
	pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", comparison{match: plain(strings.EqualFold), variable: true})
	pair("StringLike", "StringNotLike", comparison{match: like, wild: true, variable: true})
	pair("ArnEquals", "ArnNotEquals", comparison{match: arn, wild: true, variable: true})
	pair("ArnLike", "ArnNotLike", comparison{match: arn, wild: true, variable: true})
	pair("IpAddress", "NotIpAddress", comparison{match: plain(within)})
	m["Bool"] = &comparison{match: plain(strings.EqualFold), variable: true}
	m["BinaryEquals"] = &comparison{match: equal}
	for kind, make := range map[string]func(func(int) bool) func(string, string) bool{"Numeric": number, "Date": date} {
		pair(kind+"Equals", kind+"NotEquals", comparison{match: plain(make(func(n int) bool { return n == 0 }))})
		m[kind+"LessThan"] = &comparison{match: plain(make(func(n int) bool { return n < 0 }))}
		m[kind+"LessThanEquals"] = &comparison{match: plain(make(func(n int) bool { return n <= 0 }))}
		m[kind+"GreaterThan"] = &comparison{match: plain(make(func(n int) bool { return n > 0 }))}
		m[kind+"GreaterThanEquals"] = &comparison{match: plain(make(func(n int) bool { return n >= 0 }))}
	}
	return m
}()

// holds says whether the condition lets its statement, which denies or allows, apply.
func (c *Condition) holds(denies bool, context map[string][]string) bool {
	have := context[strings.ToLower(c.Key)]
	there := len(have) > 0
	if c.Operator == "Null" {
		return slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, "true") != there })
	}
	if c.Every || c.Any { // a set of nothing but empty texts is an empty set
		there = slices.ContainsFunc(have, func(v string) bool { return v != "" })
	}
	op := operators[c.Operator]
	if !there {
		// Absent: fine for "if exists", for "for all values", and for what must differ.
		return c.IfExists || c.Every || op.negate && !c.Any
	}
	matches := func(v string) bool {
		hit, known := false, true
		for i := range c.values {
			p, ok := c.values[i].in(context)
			hit, known = hit || ok && op.match(v, p), known && ok
		}
		switch {
		case !op.negate:
			return hit
		case !known && !hit: // as with NotResource
			return denies
		}
		return !hit
	}
	// Without a qualifier a key has one value. Tags whose keys differ in case alone give it several: what allows must
	// hold for each of them, and what denies for one, so that no caller picks the value that suits.
	if c.Every || !c.Any && !denies {
		return !slices.ContainsFunc(have, func(v string) bool { return !matches(v) })
	}
	return slices.ContainsFunc(have, matches)
}
