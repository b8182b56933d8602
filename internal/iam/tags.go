package iam

import (
	"context"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/state"
	"slipway/internal/store"
)

func (c *checks) tags(given []iamwire.Tag) slipway.Tags {
	out, seen := slipway.Tags{}, map[string]bool{}
	for _, t := range given {
		if t.Key == nil {
			continue
		}
		key := *t.Key
		// A policy is asked about one value for each key.
		if folded := strings.ToLower(key); seen[folded] {
			c.refuse(slipway.Errorf(slipway.InvalidInput,
				"Duplicate tag keys found. Please note that Tag keys are case insensitive."))
		} else {
			seen[folded] = true
		}
		out[key] = ""
		if t.Value != nil {
			out[key] = *t.Value
		}
		if err := slipway.CheckTag(key, out[key]); err != nil {
			c.refuse(slipway.Errorf(slipway.ValidationError, "%s", err))
		}
	}
	return out
}

// tagList are tags as answers have them; nil where there are none.
func tagList(t slipway.Tags) []iamwire.Tag {
	var out []iamwire.Tag
	for _, k := range t.Keys() {
		out = append(out, iamwire.Tag{Key: new(k), Value: new(t[k])})
	}
	return out
}

// tagged is a kind of thing that has tags.
type tagged[T any] struct {
	kind, key string // "User", and the parameter that names one
	table     *state.Table[T]
	tags      func(*T) *slipway.Tags
}

var (
	taggedUsers = tagged[slipway.User]{"User", "UserName", state.Users,
		func(u *slipway.User) *slipway.Tags { return &u.Tags }}
	taggedRoles = tagged[slipway.Role]{"Role", "RoleName", state.Roles,
		func(r *slipway.Role) *slipway.Tags { return &r.Tags }}
	taggedPolicies = tagged[slipway.ManagedPolicy]{"Policy", "PolicyArn", state.ManagedPolicies,
		func(p *slipway.ManagedPolicy) *slipway.Tags { return &p.Tags }}
	taggedProfiles = tagged[slipway.InstanceProfile]{"InstanceProfile", "InstanceProfileName", state.InstanceProfiles,
		func(p *slipway.InstanceProfile) *slipway.Tags { return &p.Tags }}
)

func (k tagged[T]) edit(
	ctx context.Context, s *Service, c checks, name string, next func(slipway.Tags) (slipway.Tags, error),
) error {
	return s.change(ctx, c, func(tx store.Tx) error {
		return k.table.Edit(tx, state.IAM(accountOf(ctx)), name, func(v *T) error {
			tags, err := next(*k.tags(v))
			*k.tags(v) = tags
			return err
		})
	})
}

// tag puts tags on one.
func (k tagged[T]) tag(ctx context.Context, s *Service, name *string, more []iamwire.Tag) error {
	var c checks
	of, tags := c.need(k.key, name), c.tags(more)
	return k.edit(ctx, s, c, of, func(t slipway.Tags) (slipway.Tags, error) {
		next, err := t.With(tags)
		if err != nil {
			err = slipway.Errorf(slipway.LimitExceeded, "Cannot exceed quota for TagsPer%s: %d", k.kind, slipway.MaxTags)
		}
		return next, err
	})
}

// untag takes tags off one.
func (k tagged[T]) untag(ctx context.Context, s *Service, name *string, gone []string) error {
	var c checks
	of := c.need(k.key, name)
	return k.edit(ctx, s, c, of, func(t slipway.Tags) (slipway.Tags, error) {
		next := slipway.Tags{}
		for key, v := range t {
			if !slices.Contains(gone, key) {
				next[key] = v
			}
		}
		return next, nil
	})
}

// list answers a page of one's tags.
func (k tagged[T]) list(
	ctx context.Context, s *Service, name, marker, maxItems *string,
) (tags []iamwire.Tag, truncated *bool, next *string, err error) {
	var c checks
	of, l := c.need(k.key, name), c.listing(marker, maxItems)
	err = s.change(ctx, c, func(tx store.Tx) error {
		v, err := k.table.Require(tx, state.IAM(accountOf(ctx)), of)
		if err == nil {
			tags, truncated, next = page(l, tagList(*k.tags(v)))
		}
		return err
	})
	return tags, truncated, next, err
}

// TagUser puts tags on a user.
func (s *Service) TagUser(ctx context.Context, in *iamwire.TagUserRequest) error {
	return taggedUsers.tag(ctx, s, in.UserName, in.Tags)
}

// UntagUser takes tags off a user.
func (s *Service) UntagUser(ctx context.Context, in *iamwire.UntagUserRequest) error {
	return taggedUsers.untag(ctx, s, in.UserName, in.TagKeys)
}

// ListUserTags answers a user's tags.
func (s *Service) ListUserTags(
	ctx context.Context, in *iamwire.ListUserTagsRequest,
) (*iamwire.ListUserTagsResponse, error) {
	tags, truncated, next, err := taggedUsers.list(ctx, s, in.UserName, in.Marker, in.MaxItems)
	return &iamwire.ListUserTagsResponse{Tags: tags, IsTruncated: truncated, Marker: next}, err
}

// TagRole puts tags on a role.
func (s *Service) TagRole(ctx context.Context, in *iamwire.TagRoleRequest) error {
	return taggedRoles.tag(ctx, s, in.RoleName, in.Tags)
}

// UntagRole takes tags off a role.
func (s *Service) UntagRole(ctx context.Context, in *iamwire.UntagRoleRequest) error {
	return taggedRoles.untag(ctx, s, in.RoleName, in.TagKeys)
}

// ListRoleTags answers a role's tags.
func (s *Service) ListRoleTags(
	ctx context.Context, in *iamwire.ListRoleTagsRequest,
) (*iamwire.ListRoleTagsResponse, error) {
	tags, truncated, next, err := taggedRoles.list(ctx, s, in.RoleName, in.Marker, in.MaxItems)
	return &iamwire.ListRoleTagsResponse{Tags: tags, IsTruncated: truncated, Marker: next}, err
}

// TagPolicy puts tags on a managed policy.
func (s *Service) TagPolicy(ctx context.Context, in *iamwire.TagPolicyRequest) error {
	return taggedPolicies.tag(ctx, s, in.PolicyArn, in.Tags)
}

// UntagPolicy takes tags off a managed policy.
func (s *Service) UntagPolicy(ctx context.Context, in *iamwire.UntagPolicyRequest) error {
	return taggedPolicies.untag(ctx, s, in.PolicyArn, in.TagKeys)
}

// ListPolicyTags answers a managed policy's tags.
func (s *Service) ListPolicyTags(
	ctx context.Context, in *iamwire.ListPolicyTagsRequest,
) (*iamwire.ListPolicyTagsResponse, error) {
	tags, truncated, next, err := taggedPolicies.list(ctx, s, in.PolicyArn, in.Marker, in.MaxItems)
	return &iamwire.ListPolicyTagsResponse{Tags: tags, IsTruncated: truncated, Marker: next}, err
}

// TagInstanceProfile puts tags on an instance profile.
func (s *Service) TagInstanceProfile(ctx context.Context, in *iamwire.TagInstanceProfileRequest) error {
	return taggedProfiles.tag(ctx, s, in.InstanceProfileName, in.Tags)
}

// UntagInstanceProfile takes tags off an instance profile.
func (s *Service) UntagInstanceProfile(ctx context.Context, in *iamwire.UntagInstanceProfileRequest) error {
	return taggedProfiles.untag(ctx, s, in.InstanceProfileName, in.TagKeys)
}

// ListInstanceProfileTags answers an instance profile's tags.
func (s *Service) ListInstanceProfileTags(
	ctx context.Context, in *iamwire.ListInstanceProfileTagsRequest,
) (*iamwire.ListInstanceProfileTagsResponse, error) {
	tags, truncated, next, err := taggedProfiles.list(ctx, s, in.InstanceProfileName, in.Marker, in.MaxItems)
	return &iamwire.ListInstanceProfileTagsResponse{Tags: tags, IsTruncated: truncated, Marker: next}, err
}
