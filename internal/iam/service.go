// Package iam is the room of identity: users, roles, policies and instance profiles, temporary credentials, and
// whether a caller may do what it asks. The policy package evaluates; this room knows who has which policy. It must
// not know how an action is carried out.
package iam

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/policy"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers IAM's and STS's actions, and says who may what.
type Service struct {
	db  state.DB
	now func() time.Time
	// read are policies that have been read, by their text: each is asked about many times, and never changes.
	read *readings

	// Tick's, one at a time.
	ticking sync.Mutex
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

// checks are what is looked at in a request before any record is: the first thing wrong is what the caller hears.
type checks struct{ err error }

func (c *checks) refuse(err error) {
	if c.err == nil {
		c.err = err
	}
}

// need is a parameter that has to be there.
func (c *checks) need(parameter string, v *string) string {
	if shape.Get(v) == "" {
		c.refuse(slipway.Errorf(slipway.ValidationError,
			"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null",
			ec2query.LowerCamel(parameter)))
	}
	return shape.Get(v)
}

var nameForm = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)

// name is a needed parameter that names something.
func (c *checks) name(parameter string, v *string) string {
	name := c.need(parameter, v)
	if name != "" && !nameForm.MatchString(name) {
		c.refuse(slipway.Errorf(slipway.ValidationError,
			"The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
			ec2query.LowerCamel(parameter)))
	}
	return name
}

// path is where something lies; "" where it is not given.
func (c *checks) path(v *string) string {
	p := shape.Get(v)
	if p != "" && (!strings.HasPrefix(p, "/") || !strings.HasSuffix(p, "/")) {
		c.refuse(slipway.Errorf(slipway.ValidationError,
			"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "+
				"characters and/or / characters."))
	}
	return p
}

// newPath is where something new shall lie.
func (c *checks) newPath(v *string) string { return cmp.Or(c.path(v), "/") }

// document is a needed policy document that can be read.
func (c *checks) document(parameter string, v *string) string {
	text := c.need(parameter, v)
	if text != "" && c.err == nil {
		if _, err := policy.Parse(text, policy.Identity); err != nil {
			c.refuse(slipway.Errorf(slipway.MalformedPolicyDocument,
				"The policy is not in the valid JSON format or breaks the grammar: %s.", err))
		}
	}
	return text
}

// accountOf is the caller's account, whose users, roles, policies and profiles its calls are about.
func accountOf(ctx context.Context) string { return slipway.CallFrom(ctx).Account }

// answer carries out an action whose request has been checked, in a transaction.
func answer[Out any](ctx context.Context, s *Service, c checks, work func(store.Tx) (*Out, error)) (*Out, error) {
	var out *Out
	err := s.change(ctx, c, func(tx store.Tx) (err error) {
		out, err = work(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// change is answer for an action that has nothing to say but that it was done.
func (s *Service) change(ctx context.Context, c checks, work func(store.Tx) error) error {
	if c.err != nil {
		return c.err
	}
	return s.db.Update(ctx, work)
}

func exists(kind, name string) error {
	return slipway.Errorf(slipway.EntityAlreadyExists, "%s with name %s already exists.", kind, name)
}

func conflict(format string, args ...any) error {
	return slipway.Errorf(slipway.DeleteConflict, format, args...)
}
