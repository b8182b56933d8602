package iam

import (
	"cmp"
	"context"
	"strings"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Admit says whether the caller may do what a request of EC2 concerns, on each resource (EC2's resource-level
// permissions), and puts the judge of its transactions into the context. An account's root may do everything.
func (s *Service) Admit(ctx context.Context, rules action.Rules, of action.Request) (context.Context, error) {
	call, local := slipway.CallFrom(ctx), s.db.Local()
	who, err := s.rights(local, call)
	switch {
	case err != nil:
		return ctx, err
	case who == nil:
		return ctx, unauthorized(call, "ec2:"+call.Action, "*")
	case who.root:
		return ctx, nil
	}
	return action.Judged(ctx, local, rules, of.Resources, func(r store.Reader, resources []action.Resource) error {
		return s.judge(r, call, resources)
	})
}

// judge asks the policies that the caller has now about each resource.
func (s *Service) judge(r store.Reader, call slipway.Call, resources []action.Resource) error {
	who, err := s.rights(r, call)
	switch {
	case err != nil:
		return err
	case who == nil:
		return unauthorized(call, "ec2:"+call.Action, "*")
	case who.root:
		return nil
	}
	for _, x := range resources {
		scope := state.Scope{Account: call.Account, Region: cmp.Or(x.Region, call.Region)}
		right, arn := cmp.Or(x.Right, "ec2:"+call.Action), x.ARN
		context := keys{}
		if strings.HasPrefix(right, "ec2:") {
			context.put("ec2:Region", call.Region)
		}
		if x.Kind != "" {
			arn = slipway.EC2ARN(scope.Region, call.Account, x.Kind, x.ID)
			existing(r, scope, x, context)
		}
		if x.Given != nil {
			context.tagged("aws:RequestTag/", x.Given)
			context["aws:tagkeys"] = x.Given.Keys()
		}
		if right == "ec2:CreateTags" && call.Action != "CreateTags" {
			context.set("ec2:CreateAction", call.Action)
		}
		for name, value := range x.Keys {
			context.put(name, value)
		}
		if !who.may(s.request(who, call, right, arn, context)) {
			return unauthorized(call, right, arn)
		}
	}
	return nil
}

// AdmitOther is Admit for the other services: each of their actions concerns what its declaration says.
func (s *Service) AdmitOther(
	ctx context.Context, service string, of func(action.View) []action.Resource,
) (context.Context, error) {
	call := slipway.CallFrom(ctx)
	return action.Judged(ctx, s.db.Local(), action.Rules{}, of, func(r store.Reader, resources []action.Resource) error {
		for _, x := range resources {
			if err := s.other(r, call, cmp.Or(x.Right, service+":"+call.Action), x.ARN, otherContext(service, x)); err != nil {
				return err
			}
		}
		return nil
	})
}

// passedToEC2 are the condition keys of handing a role to EC2, which it does for instances; a profile has no other use.
var passedToEC2 = map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}

// otherContext are the condition keys of what an action concerns that is not EC2's: its tags, those that the call gives
// or takes away, and what the declaration says besides.
func otherContext(service string, x action.Resource) keys {
	c := keys{}
	if named := append(x.Given.Keys(), x.Taken...); len(named) > 0 {
		c["aws:tagkeys"] = named
	}
	c.tagged("aws:RequestTag/", x.Given)
	c.tagged("aws:ResourceTag/", x.Has)
	c.tagged(service+":ResourceTag/", x.Has)
	for name, value := range x.Keys {
		c.put(name, value)
	}
	return c
}

func (s *Service) other(r store.Reader, call slipway.Call, action, resource string, context keys) error {
	who, err := s.rights(r, call)
	switch {
	case err != nil:
		return err
	case who == nil || !who.root && !who.may(s.request(who, call, action, resource, context)):
		return slipway.Errorf(slipway.AccessDenied, "User: %s is not authorized to perform: %s on resource: %s",
			call.ARN, action, resource)
	}
	return nil
}

func unauthorized(call slipway.Call, action, resource string) error {
	return slipway.Errorf(slipway.UnauthorizedOperation,
		"You are not authorized to perform this operation. User: %s is not authorized to perform: %s on resource: "+
			"%s because no identity-based policy allows the %s action",
		call.ARN, action, resource, action)
}
