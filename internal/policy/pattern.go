package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is what a policy compares with, its variables' values put in. A sign is a byte, or one of the two wildcards:
// a value's own * and ? are bytes like others.
type pattern []int16

const (
	run     int16 = 256 + iota // *: any run of characters
	anyChar                    // ?: one character
)

// add appends a text without wildcards.
func (p pattern) add(text string) pattern {
	for i := range len(text) {
		p = append(p, int16(text[i]))
	}
	return p
}

// compile reads a text of a policy in one pass. known is false when it has a variable without exactly one value and
// without a default.
func compile(text string, wild, literal bool, context map[string][]string) (p pattern, known bool) {
	p, known = make(pattern, 0, len(text)), true
	for i := 0; i < len(text); i++ {
		if end := strings.IndexByte(text[i:], '}'); !literal && end > 0 && strings.HasPrefix(text[i:], "${") {
			value, ok := variable(text[i+2:i+end], context)
			p, known, i = p.add(value), known && ok, i+end
			continue
		}
		switch ch := text[i]; {
		case wild && ch == '*':
			p = append(p, run)
		case wild && ch == '?':
			p = append(p, anyChar)
		default:
			p = append(p, int16(ch))
		}
	}
	return p, known
}

// text is a text of a policy that may be compared many times: its pattern, unless that depends on the request's variables.
type text struct {
	source  string
	pattern pattern // nil where there are variables
	wild    bool
}

// ready compiles texts.
func ready(list []string, wild, literal bool) []text {
	out := make([]text, len(list))
	for i, source := range list {
		out[i] = text{source: source, wild: wild}
		if literal || !strings.Contains(source, "${") {
			out[i].pattern, _ = compile(source, wild, true, nil)
		}
	}
	return out
}

// in is the pattern in a request.
func (t *text) in(context map[string][]string) (p pattern, known bool) {
	if t.pattern != nil {
		return t.pattern, true
	}
	return compile(t.source, t.wild, false, context)
}

// compile makes a statement ready to be compared.
func (s *Statement) compile() {
	lower := func(list []string) []string {
		out := make([]string, len(list))
		for i, a := range list {
			out[i] = strings.ToLower(a)
		}
		return out
	}
	s.actions, s.notActions = ready(lower(s.Actions), true, true), ready(lower(s.NotActions), true, true)
	s.resources, s.notResources = ready(s.Resources, true, s.literal), ready(s.NotResources, true, s.literal)
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if op := operators[c.Operator]; op != nil {
			c.values = ready(c.Values, op.wild, s.literal || !op.variable)
		}
	}
}

// variable is what stands between ${ and }: a key, perhaps with a default in quotes, or a sign that would be a wildcard.
func variable(name string, context map[string][]string) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	key, otherwise, given := strings.Cut(name, ",")
	if v := context[strings.ToLower(strings.TrimSpace(key))]; len(v) == 1 {
		return v[0], true
	}
	otherwise = strings.TrimSpace(otherwise)
	if given && len(otherwise) >= 2 && otherwise[0] == '\'' && otherwise[len(otherwise)-1] == '\'' {
		return otherwise[1 : len(otherwise)-1], true
	}
	return "", false
}

func (p pattern) matches(s string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == run:
			star, mark = i, j
			i++
		case i < len(p) && p[i] == anyChar:
			_, width := utf8.DecodeRuneInString(s[j:])
			i, j = i+1, j+width
		case i < len(p) && p[i] == int16(s[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return !slices.ContainsFunc(p[i:], func(sign int16) bool { return sign != run })
}

// arnParts is how many parts an ARN has; colons in the last are its own.
const arnParts = 6

// matchesARN compares part by part: a wildcard reaches no further than the colon, but for one that ends a shortened pattern.
func (p pattern) matchesARN(s string) bool {
	have := strings.SplitN(s, ":", arnParts)
	if len(have) < arnParts {
		return false
	}
	for n := 0; ; n++ {
		colon := slices.Index(p, ':')
		switch {
		case n == arnParts-1:
			return p.matches(have[n])
		case colon < 0:
			return len(p) > 0 && p[len(p)-1] == run && p.matches(strings.Join(have[n:], ":"))
		case !p[:colon].matches(have[n]):
			return false
		}
		p = p[colon+1:]
	}
}
