package iam

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/action"
	"slipway/internal/ec2query"
	"slipway/internal/policy"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TokenActions are STS's; each is a right of its own but GetCallerIdentity, which needs none.
func (s *Service) TokenActions() map[string]action.Handler {
	return map[string]action.Handler{
		"GetCallerIdentity": callerIdentity,
		"AssumeRole":        s.assumeRole,
		"GetSessionToken":   s.sessionToken,
	}
}

// callerIdentity needs no permission, as in AWS.
func callerIdentity(ctx context.Context, form *ec2query.Reader) (ec2query.Encoder, error) {
	if err := form.Err(); err != nil {
		return nil, err
	}
	who := slipway.CallFrom(ctx).Caller
	return all(text("Arn", who.ARN), text("UserId", who.UserID), text("Account", who.Account)), nil
}

// temporary makes credentials that end.
func temporary(account string, now time.Time, life time.Duration) slipway.AccessKey {
	return slipway.AccessKey{
		ID: "ASIA" + rand.Text()[:16], Secret: rand.Text() + rand.Text()[:14], Account: account,
		Token: "slipway/" + rand.Text() + rand.Text(), Created: now, Expires: now.Add(life),
	}
}

func credentialsXML(k *slipway.AccessKey) xml {
	return all(text("AccessKeyId", k.ID), text("SecretAccessKey", k.Secret), text("SessionToken", k.Token),
		moment("Expiration", k.Expires)).in("Credentials")
}

// life is how long credentials shall live, in seconds, within bounds.
func life(r *request, standard, least, most int) time.Duration {
	v := r.get("DurationSeconds")
	if v == "" {
		return time.Duration(standard) * time.Second
	}
	n, err := strconv.Atoi(v)
	if (err != nil || n < least || n > most) && r.err == nil {
		r.err = slipway.Errorf(slipway.ValidationError, "The requested DurationSeconds must be %d to %d.", least, most)
	}
	return time.Duration(n) * time.Second
}

// maxSessionPolicy is how long a session's policy may be, in characters.
const maxSessionPolicy = 2048

var (
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]+)$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// assumeRole gives a role's rights to whom its trust policy names, for a while.
func (s *Service) assumeRole(ctx context.Context, form *ec2query.Reader) (ec2query.Encoder, error) {
	call := slipway.CallFrom(ctx)
	r := &request{form: form, account: call.Account}
	arn, session, narrowed := r.need("RoleArn"), r.need("RoleSessionName"), r.get("Policy")
	parts := roleARN.FindStringSubmatch(arn)
	switch {
	case r.err != nil:
	case parts == nil:
		r.err = slipway.Errorf(slipway.ValidationError, "%s is invalid", arn)
	case !sessionName.MatchString(session):
		r.err = slipway.Errorf(slipway.ValidationError,
			"The RoleSessionName must have 2 to 64 of the characters that names may have.")
	}
	if narrowed != "" && r.err == nil {
		if len(narrowed) > maxSessionPolicy {
			r.err = slipway.Errorf(slipway.ValidationError,
				"1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have "+
					"length less than or equal to %d",
				maxSessionPolicy)
		} else if _, err := policy.Parse(narrowed, policy.Identity); err != nil {
			r.err = slipway.Errorf(slipway.MalformedPolicyDocument, "The session policy breaks the grammar: %s.", err)
		}
	}
	// Nothing here may depend on the role: whether there is one is its account's matter.
	external, span := r.get("ExternalId"), life(r, 3600, 900, 43200)
	if err := form.Err(); err != nil || r.err != nil {
		return nil, cmp.Or(err, r.err)
	}
	denied := slipway.Errorf(slipway.AccessDenied,
		"User: %s is not authorized to perform: sts:AssumeRole on resource: %s", call.ARN, arn)
	var k slipway.AccessKey
	var assumed slipway.Caller
	err := s.db.UpdateAlways(ctx, func(tx store.Tx) error {
		role := state.Roles.See(tx, state.IAM(parts[1]), parts[2])
		if role == nil || role.ARN() != arn {
			return denied
		}
		may, err := s.mayAssume(tx, call, role, external)
		switch {
		case err != nil:
			return err
		case !may:
			return denied
		case span > time.Duration(role.MaxSession)*time.Second:
			return slipway.Errorf(slipway.ValidationError,
				"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
		}
		k = temporary(role.Account, s.now(), span)
		k.Role, k.Owner, k.Session, k.Policy = role.ARN(), role.ID, session, narrowed
		assumed = accounts.Caller(tx, &k)
		return issue(tx, &k)
	})
	if err != nil {
		return nil, err
	}
	return all(credentialsXML(&k),
		all(text("AssumedRoleId", assumed.UserID), text("Arn", assumed.ARN)).in("AssumedRoleUser")), nil
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

// sessionToken gives temporary credentials with the caller's own rights.
func (s *Service) sessionToken(ctx context.Context, form *ec2query.Reader) (ec2query.Encoder, error) {
	call := slipway.CallFrom(ctx)
	r := &request{form: form, account: call.Account}
	span := life(r, 43200, 900, 129600)
	if err := form.Err(); err != nil || r.err != nil {
		return nil, cmp.Or(err, r.err)
	}
	own := state.AccessKeys.See(s.db.Local(), state.Global, call.AccessKey)
	if own == nil || own.Token != "" {
		return nil, slipway.Errorf(slipway.AccessDenied, "Cannot call GetSessionToken with session credentials")
	}
	k := temporary(call.Account, s.now(), span)
	k.User, k.Owner = own.User, own.Owner
	return xml(credentialsXML(&k)), s.db.UpdateAlways(ctx, func(tx store.Tx) error { return issue(tx, &k) })
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
	for _, in := range changed {
		if err := s.renew(ctx, local, in); err != nil {
			s.looked = time.Time{}
			return err
		}
	}
	if all {
		s.looked = s.now()
	}
	return nil
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
