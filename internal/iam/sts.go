package iam

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/action"
	"slipway/internal/policy"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/stswire"
)

// TokenActions are STS's; each is a right of its own but GetCallerIdentity, which needs none.
// AssumeRole asks for itself: the role may be another account's.
func (s *Service) TokenActions() action.Table {
	return action.Table{
		"AssumeRole":        action.Do(s.AssumeRole).On(action.Nothing),
		"GetCallerIdentity": action.Do(s.GetCallerIdentity).On(action.Nothing),
		"GetSessionToken":   action.Do(s.GetSessionToken).On(action.Nothing),
	}
}

// GetCallerIdentity needs no permission, as in AWS.
func (s *Service) GetCallerIdentity(
	ctx context.Context, _ *stswire.GetCallerIdentityRequest,
) (*stswire.GetCallerIdentityResponse, error) {
	who := slipway.CallFrom(ctx).Caller
	return &stswire.GetCallerIdentityResponse{
		Arn: shape.Text(who.ARN), UserId: shape.Text(who.UserID), Account: shape.Text(who.Account),
	}, nil
}

// temporary makes credentials that end.
func temporary(account string, now time.Time, life time.Duration) slipway.AccessKey {
	return slipway.AccessKey{
		ID: "ASIA" + rand.Text()[:16], Secret: rand.Text() + rand.Text()[:14], Account: account,
		Token: "slipway/" + rand.Text() + rand.Text(), Created: now, Expires: now.Add(life),
	}
}

func credentialsWire(k *slipway.AccessKey) *stswire.Credentials {
	return &stswire.Credentials{
		AccessKeyId: shape.Text(k.ID), SecretAccessKey: shape.Text(k.Secret), SessionToken: shape.Text(k.Token),
		Expiration: shape.Time(k.Expires),
	}
}

// life is how long credentials shall live, in seconds, within bounds.
func (c *checks) life(v *string, standard, least, most int) time.Duration {
	if shape.Get(v) == "" {
		return time.Duration(standard) * time.Second
	}
	n, err := strconv.Atoi(*v)
	if err != nil || n < least || n > most {
		c.refuse(slipway.Errorf(slipway.ValidationError, "The requested DurationSeconds must be %d to %d.", least, most))
	}
	return time.Duration(n) * time.Second
}

// maxSessionPolicy is how long a session's policy may be, in characters.
const maxSessionPolicy = 2048

var (
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]+)$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// assumption is what AssumeRole asks for, as far as it can be read. Nothing in it depends on the role: whether there is
// one is its account's matter.
type assumption struct {
	arn, account, name string // of the role
	session, narrowed  string
	external           string
	span               time.Duration
}

func readAssumption(in *stswire.AssumeRoleRequest) (assumption, error) {
	var c checks
	a := assumption{
		arn: c.need("RoleArn", in.RoleArn), session: c.need("RoleSessionName", in.RoleSessionName),
		narrowed: shape.Get(in.Policy), external: shape.Get(in.ExternalId),
	}
	switch parts := roleARN.FindStringSubmatch(a.arn); {
	case c.err != nil:
	case parts == nil:
		c.refuse(slipway.Errorf(slipway.ValidationError, "%s is invalid", a.arn))
	case !sessionName.MatchString(a.session):
		c.refuse(slipway.Errorf(slipway.ValidationError,
			"The RoleSessionName must have 2 to 64 of the characters that names may have."))
	default:
		a.account, a.name = parts[1], parts[2]
	}
	if a.narrowed != "" && c.err == nil {
		if len(a.narrowed) > maxSessionPolicy {
			c.refuse(slipway.Errorf(slipway.ValidationError,
				"1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have "+
					"length less than or equal to %d",
				maxSessionPolicy))
		} else if _, err := policy.Parse(a.narrowed, policy.Identity); err != nil {
			c.refuse(slipway.Errorf(slipway.MalformedPolicyDocument, "The session policy breaks the grammar: %s.", err))
		}
	}
	a.span = c.life(in.DurationSeconds, 3600, 900, 43200)
	return a, c.err
}

// AssumeRole gives a role's rights to whom its trust policy names, for a while.
func (s *Service) AssumeRole(ctx context.Context, in *stswire.AssumeRoleRequest) (*stswire.AssumeRoleResponse, error) {
	call := slipway.CallFrom(ctx)
	a, err := readAssumption(in)
	if err != nil {
		return nil, err
	}
	denied := slipway.Errorf(slipway.AccessDenied,
		"User: %s is not authorized to perform: sts:AssumeRole on resource: %s", call.ARN, a.arn)
	var k slipway.AccessKey
	var assumed slipway.Caller
	err = s.db.UpdateAlways(ctx, func(tx store.Tx) error {
		role := state.Roles.See(tx, state.IAM(a.account), a.name)
		if role == nil || role.ARN() != a.arn {
			return denied
		}
		may, err := s.mayAssume(tx, call, role, a.external)
		switch {
		case err != nil:
			return err
		case !may:
			return denied
		case a.span > time.Duration(role.MaxSession)*time.Second:
			return slipway.Errorf(slipway.ValidationError,
				"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
		}
		k = temporary(role.Account, s.now(), a.span)
		k.Role, k.Owner, k.Session, k.Policy = role.ARN(), role.ID, a.session, a.narrowed
		assumed = accounts.Caller(tx, &k)
		return issue(tx, &k)
	})
	if err != nil {
		return nil, err
	}
	return &stswire.AssumeRoleResponse{
		Credentials:     credentialsWire(&k),
		AssumedRoleUser: &stswire.AssumedRoleUser{AssumedRoleId: shape.Text(assumed.UserID), Arn: shape.Text(assumed.ARN)},
	}, nil
}

// mayAssume weighs a role's trust and the caller's own policies. Within one account a trust that names the caller
// itself is enough; one that names only the account leaves it to the policies of who is in it, and across accounts
// both sides must allow. A denial outweighs, wherever it stands.
func (s *Service) mayAssume(r store.Reader, call slipway.Call, role *slipway.Role, external string) (bool, error) {
	trust, err := policy.Parse(role.Trust, policy.Trust)
	switch {
	case err != nil && call.Account != role.Account:
		return false, nil // nothing tells a stranger that there is such a role
	case err != nil:
		return false, fmt.Errorf("trust of %s: %w", role.ARN(), err)
	}
	who, err := s.rights(r, call)
	if err != nil || who == nil {
		return false, err
	}
	trust.Rename(func(principal string) string {
		switch id := role.Trusted[principal]; {
		case !ofSomebody(principal):
		case id != who.id:
			return cmp.Or(id, "nobody") // it means whoever had the name when the trust was written
		case who.user != "":
			return call.ARN // whatever the name is now
		}
		return principal
	})
	context := keys{}
	context.put("sts:ExternalId", external)
	context.tagged("aws:ResourceTag/", role.Tags)
	context.tagged("iam:ResourceTag/", role.Tags)
	q := s.request(who, call, "sts:AssumeRole", role.ARN(), context)
	trusted := func(r policy.Request) bool { return policy.Evaluate([]*policy.Document{trust}, r) == policy.Allow }
	if !trusted(q) || who.session != nil && policy.Evaluate(who.session, q) != policy.Allow {
		return false, nil
	}
	own := policy.Evaluate(who.own, q)
	q.Direct = true
	return who.root || own == policy.Allow || own == policy.ImplicitDeny && call.Account == role.Account && trusted(q), nil
}

func (s *Service) keep(ctx context.Context, k *slipway.AccessKey) error {
	return s.db.UpdateAlways(ctx, func(tx store.Tx) error { return state.AccessKeys.Put(tx, k) })
}

// GetSessionToken gives temporary credentials with the caller's own rights.
func (s *Service) GetSessionToken(
	ctx context.Context, in *stswire.GetSessionTokenRequest,
) (*stswire.GetSessionTokenResponse, error) {
	call := slipway.CallFrom(ctx)
	var c checks
	span := c.life(in.DurationSeconds, 43200, 900, 129600)
	if c.err != nil {
		return nil, c.err
	}
	own := state.AccessKeys.See(s.db.Local(), state.Global, call.AccessKey)
	if own == nil || own.Token != "" {
		return nil, slipway.Errorf(slipway.AccessDenied, "Cannot call GetSessionToken with session credentials")
	}
	k := temporary(call.Account, s.now(), span)
	k.User, k.Owner = own.User, own.Owner
	err := s.db.UpdateAlways(ctx, func(tx store.Tx) error { return issue(tx, &k) })
	return &stswire.GetSessionTokenResponse{Credentials: credentialsWire(&k)}, err
}

// maxSessions is how many sessions an account may have that have not ended, or not long ago: each is a record.
const maxSessions = 5000

// issue keeps a session's credentials.
func issue(tx store.Tx, k *slipway.AccessKey) error {
	n := 0
	for range state.AccessKeys.By(tx, state.Global, "session/"+k.Account) {
		if n++; n >= maxSessions {
			return slipway.Errorf(slipway.Throttling,
				"Rate exceeded: the account has %d sessions; more are given when some have ended.", n)
		}
	}
	return state.AccessKeys.Put(tx, k)
}

// Instance credentials are renewed well before they end, as clients expect.
const (
	instanceLife  = 6 * time.Hour
	instanceRenew = 90 * time.Minute
	keptAfterEnd  = time.Hour
)

// Tick renews the credentials of instances with profiles. It costs what has changed, but for a look at all of them
// every minute, and when a role or a profile has changed.
func (s *Service) Tick(ctx context.Context) error {
	s.ticking.Lock()
	defer s.ticking.Unlock()
	local := s.db.Local()
	changed, all := []*slipway.Instance(nil), s.now().Sub(s.looked) >= time.Minute
	for _, key := range s.changes.Drain() {
		switch scope, id, kind, _ := state.Split(key); kind {
		case state.Instances.Kind():
			if in := state.Instances.See(local, scope, id); in != nil && in.Profile != "" {
				changed = append(changed, in)
			}
		case state.Roles.Kind(), state.InstanceProfiles.Kind():
			all = true
		}
	}
	if all {
		changed = slices.Collect(state.Instances.By(local, state.Global, "/profile"))
	}
	var errs []error
	for _, in := range changed { // one that fails holds no other up
		errs = append(errs, s.renew(ctx, local, in))
	}
	err := errors.Join(errs...)
	switch {
	case err != nil:
		s.looked = time.Time{}
	case all:
		s.looked = s.now()
	}
	return err
}

// renew gives an instance new credentials where those that it has end soon or are not its role's.
func (s *Service) renew(ctx context.Context, r store.Reader, in *slipway.Instance) error {
	if !in.Alive() {
		return nil
	}
	role := s.roleOf(r, in)
	if role == nil {
		return nil
	}
	newest := state.InstanceKey(r, in.ID)
	if newest != nil && newest.Role == role.ARN() && newest.Of(role.ID, role.Created) &&
		newest.Expires.Sub(s.now()) > instanceRenew {
		return nil
	}
	k := temporary(in.Account, s.now(), instanceLife)
	k.Role, k.Owner, k.Session, k.Instance = role.ARN(), role.ID, string(in.ID), string(in.ID)
	return s.keep(ctx, &k)
}

// sweepBack is how many hours are looked back: as far as slipway may have been away, or a clock may have jumped since
// the last time.
const sweepBack = 400 * 24

// Sweep forgets temporary credentials that ended more than an hour ago: until then their use answers that they have expired.
func (s *Service) Sweep(ctx context.Context) error {
	var ended []*slipway.AccessKey
	for h := range sweepBack {
		at := s.now().Add(-keptAfterEnd - time.Duration(h+1)*time.Hour)
		ended = slices.AppendSeq(ended, state.AccessKeys.By(s.db.Local(), state.Global, "/expires/"+state.Hour(at)))
	}
	for some := range slices.Chunk(ended, 500) {
		err := s.db.UpdateAlways(ctx, func(tx store.Tx) error {
			for _, k := range some {
				state.AccessKeys.Delete(tx, state.Global, k.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) roleOf(r store.Reader, in *slipway.Instance) *slipway.Role {
	p := state.InstanceProfiles.See(r, state.IAM(in.Account), in.Profile[strings.LastIndexByte(in.Profile, '/')+1:])
	if p == nil || p.Role == "" || p.ID != in.ProfileID { // another profile of that name is none of the instance's
		return nil
	}
	return state.Roles.See(r, state.IAM(in.Account), p.Role)
}
