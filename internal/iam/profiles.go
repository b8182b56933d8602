package iam

import (
	"context"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func profileWire(r store.Reader, p *slipway.InstanceProfile) *iamwire.InstanceProfile {
	roles := []iamwire.Role{}
	if role := state.Roles.See(r, state.IAM(p.Account), p.Role); role != nil {
		roles = append(roles, *roleWire(role))
	}
	return &iamwire.InstanceProfile{
		Path: shape.Text(p.Path), InstanceProfileName: shape.Text(p.Name), InstanceProfileId: shape.Text(p.ID), Arn: shape.Text(p.ARN()),
		CreateDate: shape.Time(p.Created), Roles: roles, Tags: tagList(p.Tags),
	}
}

// CreateInstanceProfile makes one without a role.
func (s *Service) CreateInstanceProfile(
	ctx context.Context, in *iamwire.CreateInstanceProfileRequest,
) (*iamwire.CreateInstanceProfileResponse, error) {
	var c checks
	p := &slipway.InstanceProfile{
		Account: accountOf(ctx), Name: c.name("InstanceProfileName", in.InstanceProfileName), ID: newID("AIPA"),
		Path: c.newPath(in.Path), Created: s.now(), Tags: c.tags(in.Tags),
	}
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.CreateInstanceProfileResponse, error) {
		if state.InstanceProfiles.See(tx, state.IAM(p.Account), p.Name) != nil {
			return nil, slipway.Errorf(slipway.EntityAlreadyExists, "Instance Profile %s already exists.", p.Name)
		}
		return &iamwire.CreateInstanceProfileResponse{InstanceProfile: profileWire(tx, p)}, state.InstanceProfiles.Put(tx, p)
	})
}

// GetInstanceProfile answers one with its role.
func (s *Service) GetInstanceProfile(
	ctx context.Context, in *iamwire.GetInstanceProfileRequest,
) (*iamwire.GetInstanceProfileResponse, error) {
	var c checks
	name := c.name("InstanceProfileName", in.InstanceProfileName)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.GetInstanceProfileResponse, error) {
		p, err := state.InstanceProfiles.Require(tx, state.IAM(accountOf(ctx)), name)
		if err != nil {
			return nil, err
		}
		return &iamwire.GetInstanceProfileResponse{InstanceProfile: profileWire(tx, p)}, nil
	})
}

// ListInstanceProfiles answers those under a path.
func (s *Service) ListInstanceProfiles(
	ctx context.Context, in *iamwire.ListInstanceProfilesRequest,
) (*iamwire.ListInstanceProfilesResponse, error) {
	var c checks
	l := c.listing(in.Marker, in.MaxItems).under(in.PathPrefix)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListInstanceProfilesResponse, error) {
		out := &iamwire.ListInstanceProfilesResponse{}
		out.InstanceProfiles, out.IsTruncated, out.Marker = page(l, profiles(ctx, tx, func(p *slipway.InstanceProfile) bool {
			return l.has(p.Path)
		}))
		return out, nil
	})
}

// ListInstanceProfilesForRole answers those that have a role.
func (s *Service) ListInstanceProfilesForRole(
	ctx context.Context, in *iamwire.ListInstanceProfilesForRoleRequest,
) (*iamwire.ListInstanceProfilesForRoleResponse, error) {
	var c checks
	l := c.listing(in.Marker, in.MaxItems)
	name := c.name("RoleName", in.RoleName)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListInstanceProfilesForRoleResponse, error) {
		if _, err := state.Roles.Require(tx, state.IAM(accountOf(ctx)), name); err != nil {
			return nil, err
		}
		out := &iamwire.ListInstanceProfilesForRoleResponse{}
		out.InstanceProfiles, out.IsTruncated, out.Marker = page(l, profiles(ctx, tx, func(p *slipway.InstanceProfile) bool {
			return p.Role == name
		}))
		return out, nil
	})
}

// profiles are the caller's account's of which some are wanted.
func profiles(ctx context.Context, tx store.Tx, wanted func(*slipway.InstanceProfile) bool) []iamwire.InstanceProfile {
	var out []iamwire.InstanceProfile
	for p := range state.InstanceProfiles.All(tx, state.IAM(accountOf(ctx))) {
		if wanted(p) {
			out = append(out, *profileWire(tx, p))
		}
	}
	return out
}

// AddRoleToInstanceProfile gives a profile its one role.
func (s *Service) AddRoleToInstanceProfile(ctx context.Context, in *iamwire.AddRoleToInstanceProfileRequest) error {
	var c checks
	name, role := c.name("InstanceProfileName", in.InstanceProfileName), c.name("RoleName", in.RoleName)
	return s.change(ctx, c, func(tx store.Tx) error {
		scope := state.IAM(accountOf(ctx))
		if _, err := state.Roles.Require(tx, scope, role); err != nil {
			return err
		}
		return state.InstanceProfiles.Edit(tx, scope, name, func(p *slipway.InstanceProfile) error {
			if p.Role != "" {
				return slipway.Errorf(slipway.LimitExceeded, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
			}
			p.Role = role
			return nil
		})
	})
}

// RemoveRoleFromInstanceProfile takes it back.
func (s *Service) RemoveRoleFromInstanceProfile(
	ctx context.Context, in *iamwire.RemoveRoleFromInstanceProfileRequest,
) error {
	var c checks
	name, role := c.name("InstanceProfileName", in.InstanceProfileName), c.name("RoleName", in.RoleName)
	return s.change(ctx, c, func(tx store.Tx) error {
		return state.InstanceProfiles.Edit(tx, state.IAM(accountOf(ctx)), name, func(p *slipway.InstanceProfile) error {
			if p.Role != role {
				return state.Roles.Absent(role)
			}
			p.Role = ""
			return nil
		})
	})
}

// DeleteInstanceProfile deletes one that has no role.
func (s *Service) DeleteInstanceProfile(ctx context.Context, in *iamwire.DeleteInstanceProfileRequest) error {
	var c checks
	name := c.name("InstanceProfileName", in.InstanceProfileName)
	return s.change(ctx, c, func(tx store.Tx) error {
		p, err := state.InstanceProfiles.Require(tx, state.IAM(accountOf(ctx)), name)
		switch {
		case err != nil:
			return err
		case p.Role != "":
			return conflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		state.InstanceProfiles.Delete(tx, state.IAM(accountOf(ctx)), name)
		return nil
	})
}
