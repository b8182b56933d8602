package iam

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/policy"
	"slipway/internal/state"
	"slipway/internal/store"
)

// rights are what binds a caller, and what policies may ask about it.
type rights struct {
	root    bool // an account's own: nothing binds it
	own     []*policy.Document
	session []*policy.Document // nil: nothing is taken away
	id      string             // unique id of the user or role
	user    string             // name of the user; a role's session has none
	role    string             // ARN of the role whose session it is
	tags    slipway.Tags       // of the user or role
	issued  time.Time          // when temporary credentials were made; zero for lasting ones
	guest   string             // the instance that was given them
}

// rights finds whose key signed; nil for a key whose owner is gone. A policy that cannot be read is an error: what it
// denies nobody knows.
func (s *Service) rights(r store.Reader, call slipway.Call) (*rights, error) {
	k := state.AccessKeys.See(r, state.Global, call.AccessKey)
	if k == nil {
		return nil, nil
	}
	out := &rights{guest: k.Instance}
	if k.Token != "" {
		out.issued = k.Created
	}
	var err error
	switch {
	case k.Role != "":
		role := accounts.Role(r, k)
		if role == nil {
			return nil, nil
		}
		out.id, out.role, out.tags = role.ID, role.ARN(), role.Tags
		if out.own, err = s.documents(r, k.Account, role.Policies); err != nil {
			return nil, fmt.Errorf("policies of %s: %w", out.role, err)
		}
		if k.Policy != "" {
			d, err := s.read.policy(k.Policy)
			if err != nil {
				return nil, fmt.Errorf("policy of the session %s: %w", call.ARN, err)
			}
			out.session = []*policy.Document{d}
		}
	case k.User != "":
		u := accounts.User(r, k)
		if u == nil {
			return nil, nil
		}
		out.id, out.user, out.tags = u.ID, u.Name, u.Tags
		if out.own, err = s.documents(r, k.Account, u.Policies); err != nil {
			return nil, fmt.Errorf("policies of %s: %w", u.ARN(), err)
		}
	default:
		out.root = true
	}
	return out, nil
}

// may says whether the caller's policies allow an action on a resource.
func (w *rights) may(r policy.Request) bool {
	if w.session != nil {
		return policy.Within(w.own, w.session, r) == policy.Allow
	}
	return policy.Evaluate(w.own, r) == policy.Allow
}

// keys are condition keys with their values, in lower case.
type keys map[string][]string

func (k keys) set(name, value string) { k[strings.ToLower(name)] = []string{value} }

// put sets a key that has something to say.
func (k keys) put(name, value string) {
	if value != "" {
		k.set(name, value)
	}
}

// tagged sets the keys of tags, each name under one prefix. Names that differ in case alone are one key with the
// values of both.
func (k keys) tagged(prefix string, tags slipway.Tags) {
	mine := keys{}
	for _, name := range tags.Keys() {
		folded := strings.ToLower(prefix + name)
		mine[folded] = append(mine[folded], tags[name])
	}
	for name, values := range mine {
		k[name] = values
	}
}

// request is the question that policies answer, with the keys that every request has.
func (s *Service) request(w *rights, call slipway.Call, action, resource string, own keys) policy.Request {
	r := policy.Request{Action: action, Resource: resource, Principals: []string{call.ARN}, Context: own}
	kind, principal := "User", call.ARN
	switch {
	case w.root:
		kind = "Account"
	case w.role != "":
		r.Principals = append(r.Principals, w.role)
		kind, principal = "AssumedRole", w.role
	}
	now := s.now().UTC()
	own.set("aws:CurrentTime", now.Format(time.RFC3339))
	own.set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	own.set("aws:PrincipalArn", principal)
	own.set("aws:PrincipalAccount", call.Account)
	own.set("aws:PrincipalType", kind)
	own.set("aws:PrincipalIsAWSService", "false")
	own.set("aws:ViaAWSService", "false")
	own.set("aws:userid", call.UserID)
	own.put("aws:username", w.user)
	own.tagged("aws:PrincipalTag/", w.tags)
	own.put("aws:RequestedRegion", call.Region)
	own.set("aws:SecureTransport", strconv.FormatBool(call.Origin.TLS))
	own.put("aws:UserAgent", call.Origin.UserAgent)
	own.put("aws:Referer", call.Origin.Referer)
	if call.Origin.IP.IsValid() {
		own.set("aws:SourceIp", call.Origin.IP.Unmap().WithZone("").String())
	}
	if !w.issued.IsZero() { // there is no second factor here: temporary credentials say so, lasting ones do not speak of it
		own.set("aws:TokenIssueTime", w.issued.UTC().Format(time.RFC3339))
		own.set("aws:MultiFactorAuthPresent", "false")
	}
	if w.guest != "" {
		own.set("ec2:SourceInstanceARN",
			"arn:"+slipway.Partition(call.Region)+":ec2:"+call.Region+":"+call.Account+":instance/"+w.guest)
	}
	return r
}
