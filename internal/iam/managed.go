package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/policy"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// holder is who has a managed policy attached.
type holder struct{ kind, name, id, path string }

// holders are all who have a managed policy of the account's, or of AWS's.
func holders(r store.Reader, account, arn string) []holder {
	var out []holder
	for u := range state.Users.All(r, state.IAM(account)) {
		if slices.Contains(u.Policies.Attached, arn) {
			out = append(out, holder{"User", u.Name, u.ID, u.Path})
		}
	}
	for role := range state.Roles.All(r, state.IAM(account)) {
		if slices.Contains(role.Policies.Attached, arn) {
			out = append(out, holder{"Role", role.Name, role.ID, role.Path})
		}
	}
	return out
}

func policyWire(p *slipway.ManagedPolicy, attached int) *iamwire.Policy {
	out := &iamwire.Policy{
		PolicyName: shape.Text(p.Name), PolicyId: shape.Text(p.ID), Arn: shape.Text(p.ARN()), Path: shape.Text(p.Path),
		IsAttachable: new(true), AttachmentCount: new(int32(attached)), PermissionsBoundaryUsageCount: new(int32(0)),
		Description: shape.Text(p.Description), CreateDate: shape.Time(p.Created), UpdateDate: shape.Time(p.Updated), Tags: tagList(p.Tags),
	}
	for _, v := range p.Versions {
		if v.Default {
			out.DefaultVersionId = shape.Text(v.ID)
		}
	}
	return out
}

// versionWire is a version without its document.
func versionWire(v slipway.PolicyVersion) *iamwire.PolicyVersion {
	return &iamwire.PolicyVersion{VersionId: shape.Text(v.ID), IsDefaultVersion: new(v.Default), CreateDate: shape.Time(v.Created)}
}

// builtin are those of AWS's own policies that people attach for EC2.
var builtin = map[string]string{
	"AdministratorAccess":     `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	"PowerUserAccess":         `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}`,
	"ReadOnlyAccess":          `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","ec2:Get*","ec2:List*","ec2:Search*","iam:Get*","iam:List*","ssm:Get*","ssm:Describe*"],"Resource":"*"}]}`,
	"AmazonEC2FullAccess":     `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:*","ssm:GetParameter*"],"Resource":"*"}]}`,
	"AmazonEC2ReadOnlyAccess": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","ec2:Get*"],"Resource":"*"}]}`,
}

const awsPolicies = "arn:aws:iam::aws:policy/"

// documentOf is the text of a managed policy, of the account's or AWS's; "" if there is none.
func documentOf(r store.Reader, account, arn string) string {
	if name, ok := strings.CutPrefix(arn, awsPolicies); ok {
		return builtin[name]
	}
	if p := state.ManagedPolicies.See(r, state.IAM(account), arn); p != nil {
		return p.Document()
	}
	return ""
}

// documents are all that a user's or role's policies say.
func (s *Service) documents(r store.Reader, account string, p slipway.Policies) ([]*policy.Document, error) {
	var out []*policy.Document
	add := func(name, text string) error {
		d, err := s.read.policy(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, d)
		return nil
	}
	for _, name := range slipway.Tags(p.Inline).Keys() {
		if err := add(name, p.Inline[name]); err != nil {
			return nil, err
		}
	}
	for _, arn := range p.Attached {
		if err := add(arn, documentOf(r, account, arn)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readings keep policies as they are evaluated. Documents are not changed once they are read.
type readings struct {
	mu    sync.Mutex
	by    map[string]*policy.Document
	bytes int
}

// maxRead is how much text the readings hold, in bytes, before they begin anew.
const maxRead = 8 << 20

func (r *readings) policy(text string) (*policy.Document, error) {
	r.mu.Lock()
	d := r.by[text]
	r.mu.Unlock()
	if d != nil {
		return d, nil
	}
	d, err := policy.Parse(text, policy.Identity)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || r.bytes > maxRead {
		r.by, r.bytes = map[string]*policy.Document{}, 0
	}
	if r.by[text] == nil {
		r.by[text], r.bytes = d, r.bytes+len(text)
	}
	return d, nil
}

// managedPolicy is one of the account's, or of AWS's.
func managedPolicy(ctx context.Context, tx store.Tx, arn string) (*slipway.ManagedPolicy, error) {
	if name, ok := strings.CutPrefix(arn, awsPolicies); ok && builtin[name] != "" {
		return &slipway.ManagedPolicy{
			Account: "aws", Name: name, Path: "/",
			Versions: []slipway.PolicyVersion{{ID: "v1", Document: builtin[name], Default: true}},
		}, nil
	}
	return state.ManagedPolicies.Get(tx, state.IAM(accountOf(ctx)), arn)
}

// CreatePolicy makes one of one version.
func (s *Service) CreatePolicy(
	ctx context.Context, in *iamwire.CreatePolicyRequest,
) (*iamwire.CreatePolicyResponse, error) {
	var c checks
	p := &slipway.ManagedPolicy{
		Account: accountOf(ctx), Name: c.name("PolicyName", in.PolicyName), ID: newID("ANPA"), Path: c.newPath(in.Path),
		Description: shape.Get(in.Description), Next: 2, Created: s.now(), Updated: s.now(), Tags: c.tags(in.Tags),
		Versions: []slipway.PolicyVersion{
			{ID: "v1", Document: c.document("PolicyDocument", in.PolicyDocument), Default: true, Created: s.now()},
		},
	}
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.CreatePolicyResponse, error) {
		if state.ManagedPolicies.See(tx, state.IAM(p.Account), p.ARN()) != nil {
			return nil, slipway.Errorf(slipway.EntityAlreadyExists,
				"A policy called %s already exists. Duplicate names are not allowed.", p.Name)
		}
		return &iamwire.CreatePolicyResponse{Policy: policyWire(p, 0)}, state.ManagedPolicies.Put(tx, p)
	})
}

// GetPolicy answers one and how many have it.
func (s *Service) GetPolicy(ctx context.Context, in *iamwire.GetPolicyRequest) (*iamwire.GetPolicyResponse, error) {
	var c checks
	arn := c.need("PolicyArn", in.PolicyArn)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.GetPolicyResponse, error) {
		p, err := managedPolicy(ctx, tx, arn)
		if err != nil {
			return nil, err
		}
		return &iamwire.GetPolicyResponse{Policy: policyWire(p, len(holders(tx, accountOf(ctx), arn)))}, nil
	})
}

// noBoundaries refuses to look for who is bounded by a policy: nobody is.
func (c *checks) noBoundaries(usage *string) {
	if shape.Get(usage) == "PermissionsBoundary" {
		c.refuse(slipway.Errorf(slipway.UnsupportedOperation,
			"The value PermissionsBoundary of the parameter PolicyUsageFilter is not supported."))
	}
}

// ListPolicies answers the account's and AWS's, under a path.
func (s *Service) ListPolicies(
	ctx context.Context, in *iamwire.ListPoliciesRequest,
) (*iamwire.ListPoliciesResponse, error) {
	var c checks
	scope, l := shape.Get(in.Scope), c.listing(in.Marker, in.MaxItems).under(in.PathPrefix)
	c.noBoundaries(in.PolicyUsageFilter)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListPoliciesResponse, error) {
		account := accountOf(ctx)
		var items []iamwire.Policy
		add := func(p *slipway.ManagedPolicy) {
			n := len(holders(tx, account, p.ARN()))
			if l.has(p.Path) && (n > 0 || in.OnlyAttached == nil || !*in.OnlyAttached) {
				items = append(items, *policyWire(p, n))
			}
		}
		if scope != "AWS" {
			for p := range state.ManagedPolicies.All(tx, state.IAM(account)) {
				add(p)
			}
		}
		if scope != "Local" {
			for _, name := range slipway.Tags(builtin).Keys() {
				if p, err := managedPolicy(ctx, tx, awsPolicies+name); err == nil {
					add(p)
				}
			}
		}
		out := &iamwire.ListPoliciesResponse{}
		out.Policies, out.IsTruncated, out.Marker = page(l, items)
		return out, nil
	})
}

// ListEntitiesForPolicy answers who has one.
func (s *Service) ListEntitiesForPolicy(
	ctx context.Context, in *iamwire.ListEntitiesForPolicyRequest,
) (*iamwire.ListEntitiesForPolicyResponse, error) {
	var c checks
	arn, kind := c.need("PolicyArn", in.PolicyArn), shape.Get(in.EntityFilter)
	l := c.listing(in.Marker, in.MaxItems).under(in.PathPrefix)
	c.noBoundaries(in.PolicyUsageFilter)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListEntitiesForPolicyResponse, error) {
		if _, err := managedPolicy(ctx, tx, arn); err != nil {
			return nil, err
		}
		wanted := slices.DeleteFunc(holders(tx, accountOf(ctx), arn), func(h holder) bool {
			return !l.has(h.path) || kind != "" && kind != h.kind
		})
		out := &iamwire.ListEntitiesForPolicyResponse{
			PolicyGroups: []iamwire.PolicyGroup{}, PolicyUsers: []iamwire.PolicyUser{}, PolicyRoles: []iamwire.PolicyRole{},
		}
		wanted, out.IsTruncated, out.Marker = page(l, wanted)
		for _, h := range wanted {
			if h.kind == "User" {
				out.PolicyUsers = append(out.PolicyUsers, iamwire.PolicyUser{UserName: shape.Text(h.name), UserId: shape.Text(h.id)})
			} else {
				out.PolicyRoles = append(out.PolicyRoles, iamwire.PolicyRole{RoleName: shape.Text(h.name), RoleId: shape.Text(h.id)})
			}
		}
		return out, nil
	})
}

// DeletePolicy deletes one that nobody has, and that has one version.
func (s *Service) DeletePolicy(ctx context.Context, in *iamwire.DeletePolicyRequest) error {
	var c checks
	arn := c.need("PolicyArn", in.PolicyArn)
	return s.change(ctx, c, func(tx store.Tx) error {
		p, err := state.ManagedPolicies.Get(tx, state.IAM(accountOf(ctx)), arn)
		switch {
		case err != nil:
			return err
		case len(p.Versions) > 1:
			return conflict("This policy has more than one version. Before you delete a policy, you must delete " +
				"the policy's versions.")
		case len(holders(tx, accountOf(ctx), arn)) > 0:
			return conflict("Cannot delete a policy attached to entities.")
		}
		state.ManagedPolicies.Delete(tx, state.IAM(accountOf(ctx)), arn)
		return nil
	})
}
