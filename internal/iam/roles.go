package iam

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func roleWire(r *slipway.Role) *iamwire.Role {
	return &iamwire.Role{
		Path: shape.Text(r.Path), RoleName: shape.Text(r.Name), RoleId: shape.Text(r.ID), Arn: shape.Text(r.ARN()),
		CreateDate: shape.Time(r.Created), AssumeRolePolicyDocument: shape.Text(escaped(r.Trust)),
		Description: shape.Text(r.Description), MaxSessionDuration: &r.MaxSession, Tags: tagList(r.Tags),
	}
}

// maxSession is how long a role's sessions may live, in seconds; 0 where it is not given.
func (c *checks) maxSession(n *int32) int32 {
	if n == nil {
		return 0
	}
	if *n < 3600 || *n > 43200 {
		c.refuse(slipway.Errorf(slipway.ValidationError, "MaxSessionDuration must be 3600 to 43200 seconds."))
	}
	return *n
}

// CreateRole makes a role that whom its trust policy names can take.
func (s *Service) CreateRole(ctx context.Context, in *iamwire.CreateRoleRequest) (*iamwire.CreateRoleResponse, error) {
	var c checks
	role := &slipway.Role{
		Account: accountOf(ctx), Name: c.name("RoleName", in.RoleName), ID: newID("AROA"), Path: c.newPath(in.Path),
		Description: shape.Get(in.Description), Trust: c.trust("AssumeRolePolicyDocument", in.AssumeRolePolicyDocument),
		MaxSession: cmp.Or(c.maxSession(in.MaxSessionDuration), 3600), Created: s.now(), Tags: c.tags(in.Tags),
	}
	if shape.Get(in.PermissionsBoundary) != "" {
		c.refuse(slipway.Errorf(slipway.UnsupportedOperation, "The parameter PermissionsBoundary is not supported."))
	}
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.CreateRoleResponse, error) {
		if state.Roles.See(tx, state.IAM(role.Account), role.Name) != nil {
			return nil, exists("Role", role.Name)
		}
		var err error
		if role.Trusted, err = trusted(tx, role.Trust); err != nil {
			return nil, err
		}
		return &iamwire.CreateRoleResponse{Role: roleWire(role)}, state.Roles.Put(tx, role)
	})
}

// GetRole answers one.
func (s *Service) GetRole(ctx context.Context, in *iamwire.GetRoleRequest) (*iamwire.GetRoleResponse, error) {
	var c checks
	name := c.name("RoleName", in.RoleName)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.GetRoleResponse, error) {
		role, err := state.Roles.Require(tx, state.IAM(accountOf(ctx)), name)
		if err != nil {
			return nil, err
		}
		return &iamwire.GetRoleResponse{Role: roleWire(role)}, nil
	})
}

// ListRoles answers those under a path.
func (s *Service) ListRoles(ctx context.Context, in *iamwire.ListRolesRequest) (*iamwire.ListRolesResponse, error) {
	var c checks
	l := c.listing(in.Marker, in.MaxItems).under(in.PathPrefix)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListRolesResponse, error) {
		var items []iamwire.Role
		for role := range state.Roles.All(tx, state.IAM(accountOf(ctx))) {
			if l.has(role.Path) {
				items = append(items, *roleWire(role))
			}
		}
		out := &iamwire.ListRolesResponse{}
		out.Roles, out.IsTruncated, out.Marker = page(l, items)
		return out, nil
	})
}

// UpdateRole changes a role's description and the length of its sessions, where they are given. Its answer is an empty
// result, which clients look for.
func (s *Service) UpdateRole(ctx context.Context, in *iamwire.UpdateRoleRequest) (*iamwire.UpdateRoleResponse, error) {
	var c checks
	name, session := c.name("RoleName", in.RoleName), c.maxSession(in.MaxSessionDuration)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.UpdateRoleResponse, error) {
		return &iamwire.UpdateRoleResponse{}, state.Roles.Edit(tx, state.IAM(accountOf(ctx)), name,
			func(role *slipway.Role) error {
				role.MaxSession = cmp.Or(session, role.MaxSession)
				if in.Description != nil {
					role.Description = *in.Description
				}
				return nil
			})
	})
}

// UpdateRoleDescription changes a role's description.
func (s *Service) UpdateRoleDescription(
	ctx context.Context, in *iamwire.UpdateRoleDescriptionRequest,
) (*iamwire.UpdateRoleDescriptionResponse, error) {
	var c checks
	name := c.name("RoleName", in.RoleName)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.UpdateRoleDescriptionResponse, error) {
		out := &iamwire.UpdateRoleDescriptionResponse{}
		return out, state.Roles.Edit(tx, state.IAM(accountOf(ctx)), name, func(role *slipway.Role) error {
			role.Description = shape.Get(in.Description)
			out.Role = roleWire(role)
			return nil
		})
	})
}

// UpdateAssumeRolePolicy changes whom a role trusts.
func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *iamwire.UpdateAssumeRolePolicyRequest) error {
	var c checks
	name, document := c.name("RoleName", in.RoleName), c.trust("PolicyDocument", in.PolicyDocument)
	return s.change(ctx, c, func(tx store.Tx) error {
		return state.Roles.Edit(tx, state.IAM(accountOf(ctx)), name, func(role *slipway.Role) (err error) {
			role.Trust = document
			role.Trusted, err = trusted(tx, document)
			return err
		})
	})
}

// DeleteRole deletes one that has no policies and is in no profile.
func (s *Service) DeleteRole(ctx context.Context, in *iamwire.DeleteRoleRequest) error {
	var c checks
	name := c.name("RoleName", in.RoleName)
	return s.change(ctx, c, func(tx store.Tx) error {
		scope := state.IAM(accountOf(ctx))
		role, err := state.Roles.Require(tx, scope, name)
		switch {
		case err != nil:
			return err
		case len(role.Policies.Inline)+len(role.Policies.Attached) > 0:
			return conflict("Cannot delete entity, must detach all policies first.")
		}
		for p := range state.InstanceProfiles.All(tx, scope) {
			if p.Role == name {
				return conflict("Cannot delete entity, must remove roles from instance profile first.")
			}
		}
		state.Roles.Delete(tx, scope, name)
		return nil
	})
}

// escaped is a document as IAM answers it: after RFC 3986, where a space is %20. Clients decode it so and would keep a
// plus as it is.
func escaped(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}
