package iam

import (
	"cmp"
	"context"
	"crypto/rand"
	"regexp"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/ec2query"
	"slipway/internal/policy"
	"slipway/internal/server"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TokenActions are STS's; each is a right of its own but GetCallerIdentity, which needs none.
func (s *Service) TokenActions() map[string]server.Handler {
	return map[string]server.Handler{
		"GetCallerIdentity": server.GetCallerIdentity,
		"AssumeRole":        s.assumeRole,
		"GetSessionToken":   s.sessionToken,
	}
}

// temporary makes credentials that end.
func temporary(account string, now time.Time, life time.Duration) slipway.AccessKey {
	return slipway.AccessKey{
		ID: "ASIA" + rand.Text()[:16], Secret: rand.Text() + rand.Text()[:14], Account: account, Token: "slipway/" + rand.Text() + rand.Text(), Created: now, Expires: now.Add(life),
	}
}

func credentialsXML(k *slipway.AccessKey) xml {
	return all(text("AccessKeyId", k.ID), text("SecretAccessKey", k.Secret), text("SessionToken", k.Token), moment("Expiration", k.Expires)).in("Credentials")
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
		r.err = slipway.Errorf(slipway.ValidationError, "The RoleSessionName must have 2 to 64 of the characters that names may have.")
	}
	if narrowed != "" && r.err == nil {
		if _, err := policy.Parse(narrowed); err != nil {
			r.err = slipway.Errorf(slipway.MalformedPolicyDocument, "The session policy breaks the grammar: %s.", err)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	denied := slipway.Errorf(slipway.AccessDenied, "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", call.ARN, arn)
	role := state.Roles.See(s.db.Local(), state.IAM(parts[1]), parts[2])
	if role == nil || role.ARN() != arn {
		return nil, denied
	}
	span := life(r, 3600, 900, int(role.MaxSession))
	external := r.get("ExternalId")
	if err := form.Err(); err != nil || r.err != nil {
		return nil, cmp.Or(err, r.err)
	}
	if !s.mayAssume(call, role, external) {
		return nil, denied
	}
	k := temporary(role.Account, s.now(), span)
	k.Role, k.Session, k.Policy = role.ARN(), session, narrowed
	if err := s.keep(ctx, &k); err != nil {
		return nil, err
	}
	assumed := accounts.Caller(s.db.Local(), &k)
	return all(credentialsXML(&k), all(text("AssumedRoleId", assumed.UserID), text("Arn", assumed.ARN)).in("AssumedRoleUser")), nil
}

// mayAssume weighs a role's trust and the caller's own policies. Within one account a trust that names the caller itself is enough; one that names
// only the account leaves it to the policies of who is in it, and across accounts both sides must allow. A denial outweighs, wherever it stands.
func (s *Service) mayAssume(call slipway.Call, role *slipway.Role, external string) bool {
	trust, err := policy.Parse(role.Trust)
	who, root := s.rights(s.db.Local(), call)
	switch {
	case err != nil, !root && who == nil:
		return false
	case root:
		who = &rights{}
	}
	context := map[string][]string{}
	if external != "" {
		context["sts:externalid"] = []string{external}
	}
	r := who.request(call, "sts:AssumeRole", role.ARN(), context)
	trusted := func(r policy.Request) bool { return policy.Evaluate([]*policy.Document{trust}, r) == policy.Allow }
	if !trusted(r) || !who.left(r) {
		return false
	}
	own := policy.Evaluate(who.own, r)
	r.Direct = true
	return root || own == policy.Allow || own == policy.ImplicitDeny && call.Account == role.Account && trusted(r)
}

func (s *Service) keep(ctx context.Context, k *slipway.AccessKey) error {
	return s.db.Store.Update(ctx, func(tx store.Tx) error { return state.AccessKeys.Put(tx, k) })
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
	k.User = own.User
	return xml(credentialsXML(&k)), s.keep(ctx, &k)
}

// Instance credentials are renewed well before they end, as clients expect.
const (
	instanceLife  = 6 * time.Hour
	instanceRenew = 90 * time.Minute
	keptAfterEnd  = time.Hour
)

// Tick renews the credentials of instances with profiles, and forgets what has ended.
func (s *Service) Tick(ctx context.Context) error {
	local := s.db.Local()
	for in := range state.Instances.By(local, state.Global, "/profile") {
		if !in.Alive() {
			continue
		}
		role := s.roleOf(local, in)
		if role == nil {
			continue
		}
		newest := state.InstanceKey(local, in.ID)
		if newest != nil && newest.Role == role.ARN() && newest.Expires.Sub(s.now()) > instanceRenew {
			continue
		}
		k := temporary(in.Account, s.now(), instanceLife)
		k.Role, k.Session, k.Instance = role.ARN(), string(in.ID), string(in.ID)
		if err := s.keep(ctx, &k); err != nil {
			return err
		}
	}
	return s.db.Store.Update(ctx, func(tx store.Tx) error {
		removed := 0
		for k := range state.AccessKeys.By(tx, state.Global, "/expires") {
			if s.now().Sub(k.Expires) < keptAfterEnd {
				continue // its use still answers that it has expired
			}
			if removed++; removed > 200 {
				break
			}
			state.AccessKeys.Delete(tx, state.Global, k.ID)
		}
		return nil
	})
}

func (s *Service) roleOf(r store.Reader, in *slipway.Instance) *slipway.Role {
	p := state.InstanceProfiles.See(r, state.IAM(in.Account), in.Profile[strings.LastIndexByte(in.Profile, '/')+1:])
	if p == nil || p.Role == "" {
		return nil
	}
	return state.Roles.See(r, state.IAM(in.Account), p.Role)
}
