package iam

import (
	"cmp"
	"context"
	"net/url"
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
	return action.Judged(ctx, local, rules, of, func(r store.Reader, resources []action.Resource) error {
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

// AdmitOwn is Admit for IAM's own actions: each concerns the user, role, profile or policy that it names; a user's new
// name besides the old one; and who puts a role into a profile hands it on.
func (s *Service) AdmitOwn(ctx context.Context, form url.Values) (context.Context, error) {
	call := slipway.CallFrom(ctx)
	j := &ownJudge{ask: func(r store.Reader) error { return s.judgeOwn(r, call, form) }}
	return state.WithJudge(ctx, j), j.Before(s.db.Local())
}

// ownJudge judges an action of IAM in its transaction.
type ownJudge struct {
	ask  func(store.Reader) error
	done bool
}

func (j *ownJudge) Before(r store.Reader) error {
	if j.done {
		return nil
	}
	return j.ask(r)
}
func (j *ownJudge) After() error { return nil }
func (j *ownJudge) Done()        { j.done = true }

func (s *Service) judgeOwn(r store.Reader, call slipway.Call, form url.Values) error {
	target := on[call.Action]
	if target == nil {
		return slipway.Errorf(slipway.InvalidAction, "Could not find operation %s",
			call.Action) // the front knows it not either
	}
	arn, tags := target(r, call, form)
	context := ownContext(form, tags)
	if strings.HasPrefix(call.Action, "Attach") || strings.HasPrefix(call.Action, "Detach") {
		context.put("iam:PolicyARN", form.Get("PolicyArn"))
	}
	if err := s.other(r, call, "iam:"+call.Action, arn, context); err != nil {
		return err
	}
	switch call.Action {
	case "UpdateUser":
		path := strings.TrimSuffix(strings.TrimPrefix(arn, slipway.IAMARN(call.Account, "user", "", "")), form.Get("UserName"))
		renamed := slipway.IAMARN(call.Account, "user", cmp.Or(form.Get("NewPath"), path),
			cmp.Or(form.Get("NewUserName"), form.Get("UserName")))
		return s.other(r, call, "iam:UpdateUser", renamed, keys{})
	case "AddRoleToInstanceProfile":
	default:
		return nil
	}
	passed := slipway.IAMARN(call.Account, "role", "/", form.Get("RoleName"))
	if role := state.Roles.See(r, state.IAM(call.Account), form.Get("RoleName")); role != nil {
		passed = role.ARN()
	}
	return s.other(r, call, "iam:PassRole", passed, passedToEC2())
}

// passedToEC2 are the condition keys of handing a role to EC2, which it does for instances; a profile has no other use.
func passedToEC2() keys {
	return keys{"iam:passedtoservice": {"ec2.amazonaws.com"}}
}

// ownContext are the condition keys of an action of IAM: the tags that the form gives or takes away, and those of what
// it concerns.
func ownContext(form url.Values, tags slipway.Tags) keys {
	c, given := keys{}, slipway.Tags{}
	for name := range form {
		key := form.Get(name)
		switch tag, named := strings.CutSuffix(name, ".Key"); {
		case named && strings.HasPrefix(name, "Tags."):
			given[key] = form.Get(tag + ".Value")
		case !strings.HasPrefix(name, "TagKeys."):
			continue
		}
		c["aws:tagkeys"] = append(c["aws:tagkeys"], key)
	}
	c.tagged("aws:RequestTag/", given)
	c.tagged("aws:ResourceTag/", tags)
	c.tagged("iam:ResourceTag/", tags)
	return c
}

// AuthorizeOther is Admit for the services whose actions are not about EC2's resources.
func (s *Service) AuthorizeOther(ctx context.Context, action, resource string) error {
	return s.other(s.db.Local(), slipway.CallFrom(ctx), action, resource, keys{})
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
