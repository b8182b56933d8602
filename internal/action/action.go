// Package action is how a room declares what it serves: for each action its method, the resources that a policy
// judges, its throttle bucket, whether a client token makes a repeated call harmless, and the filters that it
// documents. The front reads the declarations and knows nothing else of any action; the iam room judges the resources.
// It must not know what an action does.
package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
)

// Table is a room's actions by their names.
type Table map[string]Action

// Action is a declaration, whatever it decodes.
type Action interface {
	// Read decodes a form. The errors are the caller's: an unknown parameter, a value of the wrong kind.
	Read(form *ec2query.Reader) (Request, error)
	// Rules are what holds for every request.
	Rules() Rules
	// lacks is what the declaration leaves open.
	lacks() error
	// judged says whether it declares what it is on.
	judged() bool
	// document adds the filters that EC2 documents for the action of the name.
	document(name string)
	// lacksText is what the table of texts leaves open for the action of the name.
	lacksText(name string) error
}

// Request is one call of an action, decoded.
type Request struct {
	// Resources are what the call concerns, as the reader has it.
	Resources func(View) []Resource
	// Also is a second bucket that the call draws from, and how much of it; none with an amount of 0.
	Also func() (Bucket, int)
	// Do carries the call out. The answer is nil where there is nothing to say but that it is done.
	Do func(context.Context) (ec2query.Encoder, error)
}

// Rules are what a declaration says of every request.
type Rules struct {
	Reads   bool // changes nothing
	Within  bool // the method itself judges what it has resolved
	Bucket  Bucket
	Token   Token
	Filters []string // names, in order; "tag:<key>" stands for all of those
}

// Token says what a client token does.
type Token string

const (
	// NoToken: the action has none, and a repeated call is a call like another.
	NoToken Token = "none"
	// ByToken: a repeated call with the token of the first gets the first one's answer.
	ByToken Token = "token"
	// TokenUnread: EC2 has one; the action does the same thing when it is repeated.
	TokenUnread Token = "unread"
)

type decoder[T any] interface {
	*T
	DecodeQuery(*ec2query.Reader)
}

type encoder[T any] interface {
	*T
	EncodeXML(*ec2query.Writer)
}

// Of is a declaration of an action whose request is an In.
type Of[In any] struct {
	decode   func(*ec2query.Reader) *In
	do       func(context.Context, *In) (ec2query.Encoder, error)
	resolver Resolver[In]
	also     func(*In) (Bucket, int)
	rules    Rules
	filters  bool                          // were declared
	forms    map[string]func(string) error // of filters' values
	texts    map[string]Text
}

func of[In any, I decoder[In]](do func(context.Context, *In) (ec2query.Encoder, error)) *Of[In] {
	return &Of[In]{do: do, decode: func(form *ec2query.Reader) *In {
		in := new(In)
		I(in).DecodeQuery(form)
		return in
	}}
}

// Do declares an action that changes something.
func Do[In, Out any, I decoder[In], O encoder[Out]](fn func(context.Context, *In) (*Out, error)) *Of[In] {
	return of[In, I](func(ctx context.Context, in *In) (ec2query.Encoder, error) {
		out, err := fn(ctx, in)
		if err != nil || out == nil {
			return nil, err
		}
		return O(out), nil
	})
}

// Void declares an action that changes something and has nothing to say but that it did.
func Void[In any, I decoder[In]](fn func(context.Context, *In) error) *Of[In] {
	return of[In, I](func(ctx context.Context, in *In) (ec2query.Encoder, error) { return nil, fn(ctx, in) })
}

// Read declares an action that changes nothing.
func Read[In, Out any, I decoder[In], O encoder[Out]](fn func(context.Context, *In) (*Out, error)) *Of[In] {
	a := Do[In, Out, I, O](fn)
	a.rules.Reads, a.rules.Bucket, a.rules.Token = true, NonMutating, NoToken
	return a
}

// On says which resources a policy judges: records, resolved after decoding, and never words of the form.
func (a *Of[In]) On(resolvers ...Resolver[In]) *Of[In] {
	a.resolver = func(v View, in *In) []Resource {
		var out []Resource
		for _, r := range resolvers {
			out = append(out, r(v, in)...)
		}
		return out
	}
	return a
}

// Bucket says which bucket each call draws from.
func (a *Of[In]) Bucket(b Bucket) *Of[In] { a.rules.Bucket = b; return a }

// Within says that the method judges more in its own transaction (Judge), when it has resolved what the request names.
func (a *Of[In]) Within() *Of[In] { a.rules.Within = true; return a }

// Also says which bucket a call draws from besides, and how much.
func (a *Of[In]) Also(by func(*In) (Bucket, int)) *Of[In] { a.also = by; return a }

// Repeats says what a client token does.
func (a *Of[In]) Repeats(t Token) *Of[In] { a.rules.Token = t; return a }

// Filters says that the action takes filters: those that EC2 documents for it (filters.Documented), and more besides.
func (a *Of[In]) Filters(more ...string) *Of[In] { a.rules.Filters, a.filters = more, true; return a }

// FilterForm says that EC2 looks at the form of a filter's values, most of which it only compares.
func (a *Of[In]) FilterForm(name string, form func(string) error) *Of[In] {
	if a.forms == nil {
		a.forms = map[string]func(string) error{}
	}
	a.forms[name] = form
	return a
}

func (a *Of[In]) lacksText(name string) error {
	if a.rules.Reads {
		return nil
	}
	return lacksText(name, reflect.TypeFor[In]())
}

func (a *Of[In]) document(name string) {
	a.texts = Texts[name]
	if a.filters {
		a.rules.Filters = filters.Documented(name, a.rules.Filters...)
	}
}

// Rules answers what holds for every request.
func (a *Of[In]) Rules() Rules { return a.rules }

// Read decodes a form.
func (a *Of[In]) Read(form *ec2query.Reader) (Request, error) {
	in := a.decode(form)
	if err := form.Err(); err != nil {
		return Request{}, err
	}
	r := Request{
		Resources: func(v View) []Resource { return a.resolver(v, in) },
		Do: func(ctx context.Context) (ec2query.Encoder, error) {
			if err := cmp.Or(a.checkFilters(in), checkTexts(reflect.ValueOf(in), a.texts)); err != nil {
				return nil, err
			}
			return a.do(ctx, in)
		},
		Also: func() (Bucket, int) { return Bucket{}, 0 },
	}
	if a.also != nil {
		r.Also = func() (Bucket, int) { return a.also(in) }
	}
	return r, nil
}

// checkFilters refuses a filter that the action does not have, also where it has nothing to describe.
func (a *Of[In]) checkFilters(in *In) error {
	if !a.filters {
		return nil
	}
	request := reflect.ValueOf(in).Elem()
	for _, member := range []string{"Filters", "Filter"} {
		f := request.FieldByName(member)
		if !f.IsValid() {
			continue
		}
		var wanted []filters.Filter
		for _, w := range f.Interface().([]ec2wire.Filter) {
			wanted = append(wanted, filters.Filter{Values: w.Values})
			if w.Name != nil {
				wanted[len(wanted)-1].Name = *w.Name
			}
		}
		if err := filters.Check(wanted, a.rules.Filters); err != nil {
			return err
		}
		for _, w := range wanted {
			if form := a.forms[w.Name]; form != nil {
				for _, value := range w.Values {
					if err := form(value); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (a *Of[In]) judged() bool { return a.resolver != nil }

func (a *Of[In]) lacks() error {
	var faults []error
	t := reflect.TypeFor[In]()
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { _, ok := t.FieldByName(n); return ok })
	}
	if !a.judged() {
		faults = append(faults, errors.New("it does not say what it is on"))
	}
	if a.rules.Bucket == (Bucket{}) {
		faults = append(faults, errors.New("it has no bucket"))
	}
	switch token := has("ClientToken"); {
	case a.rules.Token == "":
		faults = append(faults, errors.New("it does not say what repeating it does"))
	case token != (a.rules.Token != NoToken):
		faults = append(faults, fmt.Errorf("that it has a client token is %v, and it says %q", token, a.rules.Token))
	}
	if takes := has("Filters", "Filter"); takes != a.filters {
		faults = append(faults, fmt.Errorf("that it takes filters is %v, and that it documents them is %v", takes, a.filters))
	}
	return errors.Join(faults...)
}

// Join makes one table of the rooms'. The error names every action that is declared twice or not wholly.
func Join(tables ...Table) (Table, error) {
	all, faults := Table{}, []error{}
	for _, t := range tables {
		for _, name := range slices.Sorted(maps.Keys(t)) {
			a := t[name]
			if all[name] != nil {
				faults = append(faults, fmt.Errorf("action %s: two rooms declare it", name))
			}
			if err := errors.Join(a.lacks(), a.lacksText(name)); err != nil {
				faults = append(faults, fmt.Errorf("action %s: %w", name, err))
			}
			a.document(name)
			all[name] = a
		}
	}
	return all, errors.Join(faults...)
}
