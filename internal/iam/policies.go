package iam

import (
	"context"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// bearer is a kind of what has policies: a user or a role.
type bearer[T any] struct {
	kind     string // "User"
	table    *state.Table[T]
	policies func(*T) *slipway.Policies
}

var (
	users = bearer[slipway.User]{"User", state.Users, func(u *slipway.User) *slipway.Policies { return &u.Policies }}
	roles = bearer[slipway.Role]{"Role", state.Roles, func(r *slipway.Role) *slipway.Policies { return &r.Policies }}
)

func (b bearer[T]) name(c *checks, v *string) string { return c.name(b.kind+"Name", v) }

// edit changes the policies of one.
func (b bearer[T]) edit(ctx context.Context, tx store.Tx, name string, change func(*slipway.Policies) error) error {
	return b.table.Edit(tx, state.IAM(accountOf(ctx)), name, func(v *T) error { return change(b.policies(v)) })
}

// of are the policies of one.
func (b bearer[T]) of(ctx context.Context, tx store.Tx, name string) (*slipway.Policies, error) {
	v, err := b.table.Get(tx, state.IAM(accountOf(ctx)), name)
	if err != nil {
		return nil, err
	}
	return b.policies(v), nil
}

func (b bearer[T]) missing(policy string) error {
	return slipway.Errorf(slipway.NoSuchEntity, "The %s policy with name %s cannot be found.", strings.ToLower(b.kind), policy)
}

// put keeps an inline policy, in the place of one of its name.
func (b bearer[T]) put(ctx context.Context, s *Service, who, policyName, text *string) error {
	var c checks
	name, policy, document := b.name(&c, who), c.name("PolicyName", policyName), c.document("PolicyDocument", text)
	return s.change(ctx, c, func(tx store.Tx) error {
		return b.edit(ctx, tx, name, func(p *slipway.Policies) error {
			if p.Inline == nil {
				p.Inline = map[string]string{}
			}
			p.Inline[policy] = document
			return nil
		})
	})
}

// get is an inline policy as answers have it.
func (b bearer[T]) get(ctx context.Context, s *Service, who, policyName *string) (document *string, err error) {
	var c checks
	name, policy := b.name(&c, who), c.name("PolicyName", policyName)
	err = s.change(ctx, c, func(tx store.Tx) error {
		p, err := b.of(ctx, tx, name)
		if err != nil {
			return err
		}
		text, ok := p.Inline[policy]
		if !ok {
			return b.missing(policy)
		}
		document = shape.Text(escaped(text))
		return nil
	})
	return document, err
}

// remove takes an inline policy away.
func (b bearer[T]) remove(ctx context.Context, s *Service, who, policyName *string) error {
	var c checks
	name, policy := b.name(&c, who), c.name("PolicyName", policyName)
	return s.change(ctx, c, func(tx store.Tx) error {
		return b.edit(ctx, tx, name, func(p *slipway.Policies) error {
			if _, ok := p.Inline[policy]; !ok {
				return b.missing(policy)
			}
			delete(p.Inline, policy)
			return nil
		})
	})
}

// list is a page of the names of inline policies.
func (b bearer[T]) list(
	ctx context.Context, s *Service, who, marker, maxItems *string,
) (names []string, truncated *bool, next *string, err error) {
	var c checks
	name, l := b.name(&c, who), c.listing(marker, maxItems)
	err = s.change(ctx, c, func(tx store.Tx) error {
		p, err := b.of(ctx, tx, name)
		if err == nil {
			names, truncated, next = page(l, slipway.Tags(p.Inline).Keys())
		}
		return err
	})
	return names, truncated, next, err
}

// attach gives a managed policy to one.
func (b bearer[T]) attach(ctx context.Context, s *Service, who, policyArn *string) error {
	var c checks
	name, arn := b.name(&c, who), c.need("PolicyArn", policyArn)
	return s.change(ctx, c, func(tx store.Tx) error {
		if documentOf(tx, accountOf(ctx), arn) == "" {
			return state.ManagedPolicies.Absent(arn)
		}
		return b.edit(ctx, tx, name, func(p *slipway.Policies) error {
			if !slices.Contains(p.Attached, arn) {
				p.Attached = append(p.Attached, arn)
			}
			return nil
		})
	})
}

// detach takes it back.
func (b bearer[T]) detach(ctx context.Context, s *Service, who, policyArn *string) error {
	var c checks
	name, arn := b.name(&c, who), c.need("PolicyArn", policyArn)
	return s.change(ctx, c, func(tx store.Tx) error {
		return b.edit(ctx, tx, name, func(p *slipway.Policies) error {
			i := slices.Index(p.Attached, arn)
			if i < 0 {
				return slipway.Errorf(slipway.NoSuchEntity, "Policy %s was not found.", arn)
			}
			p.Attached = slices.Delete(p.Attached, i, i+1)
			return nil
		})
	})
}

// attached is a page of the managed policies of one, under a path.
func (b bearer[T]) attached(
	ctx context.Context, s *Service, who, prefix, marker, maxItems *string,
) (policies []iamwire.AttachedPolicy, truncated *bool, next *string, err error) {
	var c checks
	name, l := b.name(&c, who), c.listing(marker, maxItems).under(prefix)
	err = s.change(ctx, c, func(tx store.Tx) error {
		p, err := b.of(ctx, tx, name)
		if err != nil {
			return err
		}
		var items []iamwire.AttachedPolicy
		for _, arn := range p.Attached {
			_, path, _ := strings.Cut(arn, ":policy")
			if slash := strings.LastIndexByte(path, '/') + 1; l.has(path[:slash]) {
				items = append(items, iamwire.AttachedPolicy{PolicyName: shape.Text(path[slash:]), PolicyArn: shape.Text(arn)})
			}
		}
		policies, truncated, next = page(l, items)
		return nil
	})
	return policies, truncated, next, err
}

// PutUserPolicy keeps an inline policy of a user.
func (s *Service) PutUserPolicy(ctx context.Context, in *iamwire.PutUserPolicyRequest) error {
	return users.put(ctx, s, in.UserName, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy answers one.
func (s *Service) GetUserPolicy(
	ctx context.Context, in *iamwire.GetUserPolicyRequest,
) (*iamwire.GetUserPolicyResponse, error) {
	document, err := users.get(ctx, s, in.UserName, in.PolicyName)
	return &iamwire.GetUserPolicyResponse{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteUserPolicy deletes one.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *iamwire.DeleteUserPolicyRequest) error {
	return users.remove(ctx, s, in.UserName, in.PolicyName)
}

// ListUserPolicies answers their names.
func (s *Service) ListUserPolicies(
	ctx context.Context, in *iamwire.ListUserPoliciesRequest,
) (*iamwire.ListUserPoliciesResponse, error) {
	names, truncated, next, err := users.list(ctx, s, in.UserName, in.Marker, in.MaxItems)
	return &iamwire.ListUserPoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// AttachUserPolicy gives a managed policy to a user.
func (s *Service) AttachUserPolicy(ctx context.Context, in *iamwire.AttachUserPolicyRequest) error {
	return users.attach(ctx, s, in.UserName, in.PolicyArn)
}

// DetachUserPolicy takes it back.
func (s *Service) DetachUserPolicy(ctx context.Context, in *iamwire.DetachUserPolicyRequest) error {
	return users.detach(ctx, s, in.UserName, in.PolicyArn)
}

// ListAttachedUserPolicies answers those that a user has.
func (s *Service) ListAttachedUserPolicies(
	ctx context.Context, in *iamwire.ListAttachedUserPoliciesRequest,
) (*iamwire.ListAttachedUserPoliciesResponse, error) {
	policies, truncated, next, err := users.attached(ctx, s, in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iamwire.ListAttachedUserPoliciesResponse{
		AttachedPolicies: policies, IsTruncated: truncated, Marker: next,
	}, err
}

// PutRolePolicy keeps an inline policy of a role.
func (s *Service) PutRolePolicy(ctx context.Context, in *iamwire.PutRolePolicyRequest) error {
	return roles.put(ctx, s, in.RoleName, in.PolicyName, in.PolicyDocument)
}

// GetRolePolicy answers one.
func (s *Service) GetRolePolicy(
	ctx context.Context, in *iamwire.GetRolePolicyRequest,
) (*iamwire.GetRolePolicyResponse, error) {
	document, err := roles.get(ctx, s, in.RoleName, in.PolicyName)
	return &iamwire.GetRolePolicyResponse{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteRolePolicy deletes one.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *iamwire.DeleteRolePolicyRequest) error {
	return roles.remove(ctx, s, in.RoleName, in.PolicyName)
}

// ListRolePolicies answers their names.
func (s *Service) ListRolePolicies(
	ctx context.Context, in *iamwire.ListRolePoliciesRequest,
) (*iamwire.ListRolePoliciesResponse, error) {
	names, truncated, next, err := roles.list(ctx, s, in.RoleName, in.Marker, in.MaxItems)
	return &iamwire.ListRolePoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// AttachRolePolicy gives a managed policy to a role.
func (s *Service) AttachRolePolicy(ctx context.Context, in *iamwire.AttachRolePolicyRequest) error {
	return roles.attach(ctx, s, in.RoleName, in.PolicyArn)
}

// DetachRolePolicy takes it back.
func (s *Service) DetachRolePolicy(ctx context.Context, in *iamwire.DetachRolePolicyRequest) error {
	return roles.detach(ctx, s, in.RoleName, in.PolicyArn)
}

// ListAttachedRolePolicies answers those that a role has.
func (s *Service) ListAttachedRolePolicies(
	ctx context.Context, in *iamwire.ListAttachedRolePoliciesRequest,
) (*iamwire.ListAttachedRolePoliciesResponse, error) {
	policies, truncated, next, err := roles.attached(ctx, s, in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iamwire.ListAttachedRolePoliciesResponse{
		AttachedPolicies: policies, IsTruncated: truncated, Marker: next,
	}, err
}
