// Package policy evaluates IAM policy documents: whether what is asked of which resource, under which conditions, is allowed. It is a pure
// function of documents and a request; who has which document is the iam room's matter.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Document is a policy document as AWS's grammar has it.
type Document struct {
	Version    string
	ID         string `json:"Id,omitempty"`
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
}

// Condition holds when its operator finds one of the values under the key.
type Condition struct {
	Operator string // StringEquals …, without qualifier and suffix
	Every    bool   // ForAllValues
	Any      bool   // ForAnyValue
	IfExists bool
	Key      string
	Values   []string
}

// list is a string or several.
type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	var one any
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	items, several := one.([]any)
	if !several {
		items = []any{one}
	}
	for _, v := range items {
		switch v := v.(type) {
		case string:
			*l = append(*l, v)
		case bool, float64:
			*l = append(*l, fmt.Sprint(v))
		default:
			return fmt.Errorf("%v is no text", v)
		}
	}
	return nil
}

type rawStatement struct {
	Sid                     string
	Effect                  string
	Action, NotAction       list
	Resource, NotResource   list
	Principal, NotPrincipal json.RawMessage
	Condition               map[string]map[string]list
}

// maxDocument is how large a document may be.
const maxDocument = 64 << 10

// Parse reads a document and refuses what the grammar does not have: an effect that a typing error made harmless is worse than none.
func Parse(text string) (*Document, error) {
	if len(text) > maxDocument {
		return nil, errors.New("the document is too large")
	}
	var raw struct {
		Version, Id string
		Statement   json.RawMessage
	}
	if err := strict([]byte(text), &raw); err != nil {
		return nil, err
	}
	if raw.Version != "" && raw.Version != "2012-10-17" && raw.Version != "2008-10-17" {
		return nil, fmt.Errorf("the version %q is not one of 2012-10-17 and 2008-10-17", raw.Version)
	}
	var statements []rawStatement
	if trimmed := bytes.TrimSpace(raw.Statement); len(trimmed) > 0 && trimmed[0] == '{' {
		statements = make([]rawStatement, 1)
		if err := strict(trimmed, &statements[0]); err != nil {
			return nil, err
		}
	} else if err := strict(trimmed, &statements); err != nil {
		return nil, err
	}
	if len(statements) == 0 {
		return nil, errors.New("there is no statement")
	}
	d := &Document{Version: raw.Version, ID: raw.Id}
	for i, r := range statements {
		s, err := r.statement()
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		d.Statements = append(d.Statements, s)
	}
	return d, nil
}

func strict(b []byte, to any) error {
	if len(b) == 0 {
		return errors.New("it is empty")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func (r rawStatement) statement() (Statement, error) {
	s := Statement{SID: r.Sid, Deny: r.Effect == "Deny", Actions: r.Action, NotActions: r.NotAction, Resources: r.Resource, NotResources: r.NotResource}
	switch {
	case r.Effect != "Allow" && r.Effect != "Deny":
		return s, fmt.Errorf("the effect %q is neither Allow nor Deny", r.Effect)
	case len(r.Action) > 0 == (len(r.NotAction) > 0):
		return s, errors.New("exactly one of Action and NotAction is needed")
	case len(r.Resource) > 0 && len(r.NotResource) > 0:
		return s, errors.New("Resource and NotResource exclude each other")
	}
	var err error
	if s.Principals, err = principals(r.Principal); err != nil {
		return s, err
	}
	if s.NotPrincipals, err = principals(r.NotPrincipal); err != nil {
		return s, err
	}
	for op, keys := range r.Condition {
		c := Condition{Operator: op}
		if rest, ok := strings.CutPrefix(c.Operator, "ForAllValues:"); ok {
			c.Every, c.Operator = true, rest
		}
		if rest, ok := strings.CutPrefix(c.Operator, "ForAnyValue:"); ok {
			c.Any, c.Operator = true, rest
		}
		if rest, ok := strings.CutSuffix(c.Operator, "IfExists"); ok {
			c.IfExists, c.Operator = true, rest
		}
		if operators[c.Operator] == nil && c.Operator != "Null" {
			return s, fmt.Errorf("the condition operator %q is unknown", op)
		}
		for k, values := range keys {
			one := c
			one.Key, one.Values = k, values
			s.Conditions = append(s.Conditions, one)
		}
	}
	slices.SortFunc(s.Conditions, func(a, b Condition) int { return strings.Compare(a.Operator+a.Key, b.Operator+b.Key) })
	return s, nil
}

func principals(raw json.RawMessage) (map[string][]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var star string
	if json.Unmarshal(raw, &star) == nil {
		if star != "*" {
			return nil, fmt.Errorf("the principal %q is neither * nor a structure", star)
		}
		return map[string][]string{"AWS": {"*"}}, nil
	}
	var by map[string]list
	if err := json.Unmarshal(raw, &by); err != nil {
		return nil, errors.New("the principal is not well formed")
	}
	out := map[string][]string{}
	for k, v := range by {
		out[k] = v
	}
	return out, nil
}
