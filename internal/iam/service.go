// Package iam is the room of identity: users, roles, policies and instance profiles, temporary credentials, and
// whether a caller may do what it asks. The policy package evaluates; this room knows who has which policy. It must
// not know how an action is carried out.
package iam

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"time"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2query"
	"slipway/internal/policy"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers IAM's and STS's actions, and says who may what.
type Service struct {
	db  state.DB
	now func() time.Time
	// read are policies that have been read, by their text: each is asked about many times, and never changes.
	read *readings

	// Tick's and Sweep's, which one loop each calls.
	changes *store.Watcher
	looked  time.Time // when all instances with profiles were looked at
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service {
	return &Service{db: db, now: now, read: &readings{}, changes: db.Watch("s/")}
}

// Namespace is IAM's.
const Namespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// TokenNamespace is STS's.
const TokenNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// xml is an answer written by hand: IAM's shapes are few, and not in EC2's schema.
type xml func(*ec2query.Writer)

// EncodeXML writes it.
func (f xml) EncodeXML(w *ec2query.Writer) { f(w) }

// raw is an item that is nothing but a text.
func raw(value string) xml { return func(w *ec2query.Writer) { w.Plain(value) } }

func (f xml) in(name string) xml {
	return func(w *ec2query.Writer) { w.Open(name); f(w); w.Close(name) }
}

func text(name, value string) xml {
	return func(w *ec2query.Writer) {
		if value != "" {
			w.Text(name, value)
		}
	}
}

func moment(name string, at time.Time) xml {
	return func(w *ec2query.Writer) {
		if !at.IsZero() {
			w.Text(name, at.UTC().Format("2006-01-02T15:04:05Z"))
		}
	}
}

func all(parts ...xml) xml {
	return func(w *ec2query.Writer) {
		for _, p := range parts {
			p(w)
		}
	}
}

// request is an action's form with the parameters that it may have.
type request struct {
	form         *ec2query.Reader
	account, key string // of the caller
	err          error
}

func (r *request) get(name string) string {
	if v := r.form.String(name); v != nil {
		return *v
	}
	return ""
}

func (r *request) need(name string) string {
	v := r.get(name)
	if v == "" && r.err == nil {
		r.err = slipway.Errorf(slipway.ValidationError,
			"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null",
			ec2query.LowerCamel(name))
	}
	return v
}

var nameForm = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)

// name is a needed parameter that names something.
func (r *request) name(parameter string) string {
	v := r.need(parameter)
	if v != "" && !nameForm.MatchString(v) && r.err == nil {
		r.err = slipway.Errorf(slipway.ValidationError,
			"The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
			ec2query.LowerCamel(parameter))
	}
	return v
}

// path is where something lies; "" where the parameter is not given.
func (r *request) path(parameter string) string {
	p := r.get(parameter)
	if p != "" && (!strings.HasPrefix(p, "/") || !strings.HasSuffix(p, "/")) && r.err == nil {
		r.err = slipway.Errorf(slipway.ValidationError,
			"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "+
				"characters and/or / characters.")
	}
	return p
}

// newPath is where something new shall lie.
func (r *request) newPath() string { return cmp.Or(r.path("Path"), "/") }

// document is a needed policy document that can be read.
func (r *request) document(parameter string) string {
	text := r.need(parameter)
	if text != "" && r.err == nil {
		if _, err := policy.Parse(text, policy.Identity); err != nil {
			r.err = slipway.Errorf(slipway.MalformedPolicyDocument,
				"The policy is not in the valid JSON format or breaks the grammar: %s.", err)
		}
	}
	return text
}

// act makes a handler of an action that reads its parameters and then works in a transaction.
func (s *Service) act(read func(*request) func(store.Tx) (xml, error)) action.Handler {
	return func(ctx context.Context, form *ec2query.Reader) (ec2query.Encoder, error) {
		call := slipway.CallFrom(ctx)
		r := &request{form: form, account: call.Account, key: call.AccessKey}
		work := read(r)
		if err := form.Err(); err != nil {
			return nil, err
		}
		if r.err != nil {
			return nil, r.err
		}
		var out xml
		err := s.db.Update(ctx, func(tx store.Tx) error {
			var err error
			out, err = work(tx)
			return err
		})
		if err != nil || out == nil {
			return nil, err
		}
		return out, nil
	}
}

func exists(kind, name string) error {
	return slipway.Errorf(slipway.EntityAlreadyExists, "%s with name %s already exists.", kind, name)
}

func conflict(format string, args ...any) error {
	return slipway.Errorf(slipway.DeleteConflict, format, args...)
}
