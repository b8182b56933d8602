// Package policy evaluates IAM policy documents: whether what is asked of which resource, under which conditions, is
// allowed. It is a pure function of documents and a request; who has which document is the iam room's matter.
package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind is what a document is written for; the grammar differs in which elements a statement has to have.
type Kind int

const (
	// Identity is a policy of users, roles and sessions: it names resources, and no principal.
	Identity Kind = iota
	// Trust is a role's: it names principals, and no resource.
	Trust
)

// Document is a policy document as AWS's grammar has it.
type Document struct {
	Version    string // "": 2008-10-17
	ID         string
	Statements []Statement
}

// Statement allows or denies.
type Statement struct {
	SID           string
	Deny          bool
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Principals    map[string][]string // AWS, Service …; {"*": …} as AWS: *
	NotPrincipals map[string][]string
	Conditions    []Condition

	literal bool // ${ is text: documents before 2012-10-17 have no variables

	actions, notActions, resources, notResources []text // compiled
}

// Condition holds when its operator finds one of the values under the key.
type Condition struct {
	Operator string // StringEquals …, without qualifier and suffix
	Every    bool   // ForAllValues
	Any      bool   // ForAnyValue
	IfExists bool
	Key      string
	Values   []string

	values []text // compiled
}

// maxDocument is how large a document may be, in bytes.
const maxDocument = 64 << 10

// Versions of the language. Only the later one has variables.
const (
	older = "2008-10-17"
	newer = "2012-10-17"
)

// Parse reads a document and refuses what the grammar does not have: an effect that a typing error made harmless is
// worse than none. Names are taken in the grammar's own case and once, since what a second reader makes of others
// nobody can know.
func Parse(text string, kind Kind) (*Document, error) {
	root, err := readJSON(text)
	if err != nil {
		return nil, err
	}
	d, statements := &Document{}, []any(nil)
	err = root.each(map[string]func(any) error{
		"Version": func(v any) (err error) { d.Version, err = textOf(v); return err },
		"Id":      func(v any) (err error) { d.ID, err = textOf(v); return err },
		"Statement": func(v any) error {
			if several, ok := v.([]any); ok {
				statements = several
			} else {
				statements = []any{v}
			}
			return nil
		},
	})
	switch {
	case err != nil:
		return nil, err
	case d.Version != "" && d.Version != newer && d.Version != older:
		return nil, fmt.Errorf("the version %q is not one of %s and %s", d.Version, newer, older)
	case len(statements) == 0:
		return nil, errors.New("there is no statement")
	}
	ids := map[string]bool{}
	for i, v := range statements {
		s, err := statement(v, kind)
		if err == nil && s.SID != "" && ids[s.SID] {
			err = fmt.Errorf("the statement id %q is another's as well", s.SID)
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		ids[s.SID], s.literal = true, d.Version != newer
		s.compile()
		d.Statements = append(d.Statements, s)
	}
	return d, nil
}

// Rename replaces each principal of the kind AWS by what as says.
func (d *Document) Rename(as func(principal string) string) {
	for i := range d.Statements {
		s := &d.Statements[i]
		for _, by := range []map[string][]string{s.Principals, s.NotPrincipals} {
			for n, p := range by["AWS"] {
				by["AWS"][n] = as(p)
			}
		}
	}
}

var (
	sidForm    = regexp.MustCompile(`^[0-9A-Za-z]*$`)
	actionForm = regexp.MustCompile(`^(\*|[0-9A-Za-z-]+:[0-9A-Za-z*?]+)$`)
	keyForm    = regexp.MustCompile(`^[0-9A-Za-z-]+:.+$`)
)

func statement(v any, kind Kind) (Statement, error) {
	o, ok := v.(object)
	if !ok {
		return Statement{}, errors.New("it is no object")
	}
	var s Statement
	effect := ""
	lists := func(to *[]string) func(any) error {
		return func(v any) (err error) { *to, err = texts(v); return err }
	}
	who := func(to *map[string][]string) func(any) error {
		return func(v any) (err error) { *to, err = principals(v); return err }
	}
	err := o.each(map[string]func(any) error{
		"Sid":    func(v any) (err error) { s.SID, err = textOf(v); return err },
		"Effect": func(v any) (err error) { effect, err = textOf(v); return err },
		"Action": lists(&s.Actions), "NotAction": lists(&s.NotActions), "Resource": lists(&s.Resources),
		"NotResource": lists(&s.NotResources),
		"Principal":   who(&s.Principals), "NotPrincipal": who(&s.NotPrincipals),
		"Condition": func(v any) (err error) { s.Conditions, err = conditions(v); return err },
	})
	if err != nil {
		return s, err
	}
	s.Deny = effect == "Deny"
	switch {
	case effect != "Allow" && !s.Deny:
		return s, fmt.Errorf("the effect %q is neither Allow nor Deny", effect)
	case !sidForm.MatchString(s.SID):
		return s, fmt.Errorf("the statement id %q has more than letters and digits", s.SID)
	case o.has("Action") == o.has("NotAction"), len(s.Actions)+len(s.NotActions) == 0:
		return s, errors.New("exactly one of Action and NotAction is needed")
	}
	for _, a := range append(slices.Clone(s.Actions), s.NotActions...) {
		if !actionForm.MatchString(a) {
			return s, fmt.Errorf("the action %q is not a service's prefix and a name", a)
		}
	}
	return s, s.elements(o, kind)
}

// elements are what a statement must have and must not have besides, in a document of the kind.
func (s *Statement) elements(o object, kind Kind) error {
	names, resources := o.has("Principal") || o.has("NotPrincipal"), o.has("Resource") || o.has("NotResource")
	switch {
	case kind == Trust && resources:
		return errors.New("a trust policy names no Resource")
	case kind == Trust && o.has("Principal") == o.has("NotPrincipal"):
		return errors.New("exactly one of Principal and NotPrincipal is needed")
	case kind == Trust && o.has("NotPrincipal") && !s.Deny:
		return errors.New("NotPrincipal stands with Deny alone")
	case kind == Identity && names:
		return errors.New("the policy of a user, role or session names no Principal")
	case kind == Identity && (o.has("Resource") == o.has("NotResource") || len(s.Resources)+len(s.NotResources) == 0):
		return errors.New("exactly one of Resource and NotResource is needed")
	}
	for _, r := range append(slices.Clone(s.Resources), s.NotResources...) {
		if r != "*" && !strings.HasPrefix(r, "arn:") {
			return fmt.Errorf("the resource %q is neither an ARN nor *", r)
		}
	}
	if kind == Trust {
		for _, a := range s.Actions {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "sts:") {
				return fmt.Errorf("the action %q is none of STS", a)
			}
		}
	}
	return nil
}

func conditions(v any) ([]Condition, error) {
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("Condition is no object")
	}
	var out []Condition
	for _, op := range o {
		c, err := condition(op.name)
		if err != nil {
			return nil, err
		}
		keys, ok := op.value.(object)
		if !ok {
			return nil, fmt.Errorf("what stands under %s is no object", op.name)
		}
		seen := map[string]bool{}
		for _, k := range keys {
			folded := strings.ToLower(k.name)
			switch {
			case !keyForm.MatchString(k.name):
				return nil, fmt.Errorf("the condition key %q has no service's prefix", k.name)
			case seen[folded]:
				return nil, fmt.Errorf("the condition key %q stands twice under %s", k.name, op.name)
			}
			seen[folded] = true
			one := c
			one.Key = k.name
			if one.Values, err = values(k.value); err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
			for _, v := range one.Values {
				if c.Operator == "Null" && !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
					return nil, fmt.Errorf("the operator Null takes true and false, not %q", v)
				}
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// condition takes an operator's name apart.
func condition(name string) (Condition, error) {
	c := Condition{Operator: name}
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		c.Every, c.Operator = true, rest
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		c.Any, c.Operator = true, rest
	}
	if rest, ok := strings.CutSuffix(c.Operator, "IfExists"); ok {
		c.IfExists, c.Operator = true, rest
	}
	if operators[c.Operator] == nil && (c.Operator != "Null" || c.IfExists) {
		return c, fmt.Errorf("the condition operator %q is unknown", name)
	}
	return c, nil
}

// principalKinds are the kinds that a principal may be of.
var principalKinds = map[string]bool{"AWS": true, "Service": true, "Federated": true, "CanonicalUser": true}

func principals(v any) (map[string][]string, error) {
	if star, ok := v.(string); ok {
		if star != "*" {
			return nil, fmt.Errorf("the principal %q is neither * nor a structure", star)
		}
		return map[string][]string{"AWS": {"*"}}, nil
	}
	o, ok := v.(object)
	if !ok || len(o) == 0 {
		return nil, errors.New("the principal is not well formed")
	}
	out := map[string][]string{}
	for _, m := range o {
		if !principalKinds[m.name] {
			return nil, fmt.Errorf("%q is no kind of principal", m.name)
		}
		list, err := texts(m.value)
		if err != nil || len(list) == 0 {
			return nil, errors.New("the principal is not well formed")
		}
		for _, p := range list {
			if p != "*" && strings.ContainsAny(p, "*?") {
				return nil, fmt.Errorf("the principal %q has a wildcard in it", p)
			}
		}
		out[m.name] = list
	}
	return out, nil
}
