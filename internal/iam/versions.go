package iam

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func noVersion(arn, id string) error {
	return slipway.Errorf(slipway.NoSuchEntity, "Policy %s version %s does not exist or is not attachable.", arn, id)
}

// GetPolicyVersion answers a version with its document.
func (s *Service) GetPolicyVersion(
	ctx context.Context, in *iamwire.GetPolicyVersionRequest,
) (*iamwire.GetPolicyVersionResponse, error) {
	var c checks
	arn, id := c.need("PolicyArn", in.PolicyArn), c.need("VersionId", in.VersionId)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.GetPolicyVersionResponse, error) {
		p, err := managedPolicy(ctx, tx, arn)
		if err != nil {
			return nil, err
		}
		for _, v := range p.Versions {
			if v.ID == id {
				out := versionWire(v)
				out.Document = shape.Text(escaped(v.Document))
				return &iamwire.GetPolicyVersionResponse{PolicyVersion: out}, nil
			}
		}
		return nil, noVersion(arn, id)
	})
}

// ListPolicyVersions answers a policy's versions, the newest first.
func (s *Service) ListPolicyVersions(
	ctx context.Context, in *iamwire.ListPolicyVersionsRequest,
) (*iamwire.ListPolicyVersionsResponse, error) {
	var c checks
	arn, l := c.need("PolicyArn", in.PolicyArn), c.listing(in.Marker, in.MaxItems)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListPolicyVersionsResponse, error) {
		p, err := managedPolicy(ctx, tx, arn)
		if err != nil {
			return nil, err
		}
		var items []iamwire.PolicyVersion
		for _, v := range slices.Backward(p.Versions) {
			items = append(items, *versionWire(v))
		}
		out := &iamwire.ListPolicyVersionsResponse{}
		out.Versions, out.IsTruncated, out.Marker = page(l, items)
		return out, nil
	})
}

// CreatePolicyVersion makes a version, and with SetAsDefault the one that counts.
func (s *Service) CreatePolicyVersion(
	ctx context.Context, in *iamwire.CreatePolicyVersionRequest,
) (*iamwire.CreatePolicyVersionResponse, error) {
	var c checks
	arn, document := c.need("PolicyArn", in.PolicyArn), c.document("PolicyDocument", in.PolicyDocument)
	def := strings.EqualFold(shape.Get(in.SetAsDefault), "true")
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.CreatePolicyVersionResponse, error) {
		v := slipway.PolicyVersion{Document: document, Default: def, Created: s.now()}
		err := state.ManagedPolicies.Edit(tx, state.IAM(accountOf(ctx)), arn, func(p *slipway.ManagedPolicy) error {
			if len(p.Versions) >= 5 {
				return slipway.Errorf(slipway.LimitExceeded,
					"A managed policy can have up to 5 versions. Before you create a new version, you must "+
						"delete an existing version.")
			}
			v.ID = "v" + strconv.Itoa(p.Next)
			for i := range p.Versions {
				p.Versions[i].Default = p.Versions[i].Default && !def
			}
			p.Versions, p.Next, p.Updated = append(p.Versions, v), p.Next+1, s.now()
			return nil
		})
		return &iamwire.CreatePolicyVersionResponse{PolicyVersion: versionWire(v)}, err
	})
}

// SetDefaultPolicyVersion says which version counts.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *iamwire.SetDefaultPolicyVersionRequest) error {
	return s.editVersion(ctx, in.PolicyArn, in.VersionId, func(p *slipway.ManagedPolicy, at int) error {
		for i := range p.Versions {
			p.Versions[i].Default = i == at
		}
		p.Updated = s.now()
		return nil
	})
}

// DeletePolicyVersion deletes one that does not count.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *iamwire.DeletePolicyVersionRequest) error {
	return s.editVersion(ctx, in.PolicyArn, in.VersionId, func(p *slipway.ManagedPolicy, at int) error {
		if p.Versions[at].Default {
			return conflict("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(p.Versions, at, at+1)
		return nil
	})
}

// editVersion changes a policy at one of its versions.
func (s *Service) editVersion(
	ctx context.Context, policyArn, versionID *string, change func(p *slipway.ManagedPolicy, at int) error,
) error {
	var c checks
	arn, id := c.need("PolicyArn", policyArn), c.need("VersionId", versionID)
	return s.change(ctx, c, func(tx store.Tx) error {
		return state.ManagedPolicies.Edit(tx, state.IAM(accountOf(ctx)), arn, func(p *slipway.ManagedPolicy) error {
			at := slices.IndexFunc(p.Versions, func(v slipway.PolicyVersion) bool { return v.ID == id })
			if at < 0 {
				return noVersion(arn, id)
			}
			return change(p, at)
		})
	})
}
