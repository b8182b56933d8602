package instances

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func association(i *slipway.Instance, word string) *ec2wire.IamInstanceProfileAssociation {
	return &ec2wire.IamInstanceProfileAssociation{
		AssociationId: shape.Of(i.ProfileAssociation), InstanceId: shape.Text(i.ID),
		IamInstanceProfile: &ec2wire.IamInstanceProfile{Arn: shape.Of(i.Profile), Id: shape.Of(i.ProfileID)}, State: &word,
	}
}

func (s *Service) profileOf(
	tx store.Tx, i *slipway.Instance, spec *ec2wire.IamInstanceProfileSpecification,
) (*slipway.InstanceProfile, error) {
	if spec == nil || shape.Get(spec.Arn) == "" && shape.Get(spec.Name) == "" {
		return nil, slipway.Missing("IamInstanceProfile")
	}
	if shape.Get(spec.Arn) != "" && shape.Get(spec.Name) != "" {
		return nil,
			launchspec.Combination("The parameter 'iamInstanceProfile.name' may not be used in combination with " +
				"'iamInstanceProfile.arn'")
	}
	return admission.FindProfile(tx, i.Account, shape.Get(spec.Arn), shape.Get(spec.Name))
}

// AssociateProfile answers AssociateIamInstanceProfile.
func (s *Service) AssociateProfile(
	ctx context.Context, in *ec2wire.AssociateIamInstanceProfileRequest,
) (*ec2wire.AssociateIamInstanceProfileResult, error) {
	out := &ec2wire.AssociateIamInstanceProfileResult{}
	err := s.named(ctx, in.InstanceId, func(tx store.Tx, i *slipway.Instance) error {
		if i.Profile != "" {
			return slipway.Errorf(slipway.IncorrectState, "There is an existing association for instance %s", i.ID)
		}
		p, err := s.profileOf(tx, i, in.IamInstanceProfile)
		if err != nil {
			return err
		}
		admission.GiveProfile(i, p)
		out.IamInstanceProfileAssociation = association(i, "associating")
		return nil
	})
	return out, err
}

// byAssociation changes the instance that has the association.
func (s *Service) byAssociation(ctx context.Context, id *string, e edit) error {
	if shape.Get(id) == "" {
		return slipway.Missing("AssociationId")
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		for seen := range state.Instances.All(tx, state.Of(ctx)) {
			if seen.ProfileAssociation != *id || !seen.Alive() {
				continue
			}
			i, err := state.Instances.Get(tx, state.Of(ctx), string(seen.ID))
			if err != nil {
				return err
			}
			if err := e(tx, i); err != nil {
				return err
			}
			return state.Instances.Put(tx, i)
		}
		return slipway.Errorf(slipway.InvalidAssociationIDNotFound, "The association ID '%s' does not exist", *id)
	})
}

// ReplaceProfile answers ReplaceIamInstanceProfileAssociation; the association gets a new id.
func (s *Service) ReplaceProfile(
	ctx context.Context, in *ec2wire.ReplaceIamInstanceProfileAssociationRequest,
) (*ec2wire.ReplaceIamInstanceProfileAssociationResult, error) {
	out := &ec2wire.ReplaceIamInstanceProfileAssociationResult{}
	err := s.byAssociation(ctx, in.AssociationId, func(tx store.Tx, i *slipway.Instance) error {
		p, err := s.profileOf(tx, i, in.IamInstanceProfile)
		if err != nil {
			return err
		}
		admission.GiveProfile(i, p)
		out.IamInstanceProfileAssociation = association(i, "associating")
		return nil
	})
	return out, err
}

// DisassociateProfile answers DisassociateIamInstanceProfile.
func (s *Service) DisassociateProfile(
	ctx context.Context, in *ec2wire.DisassociateIamInstanceProfileRequest,
) (*ec2wire.DisassociateIamInstanceProfileResult, error) {
	out := &ec2wire.DisassociateIamInstanceProfileResult{}
	err := s.byAssociation(ctx, in.AssociationId, func(_ store.Tx, i *slipway.Instance) error {
		out.IamInstanceProfileAssociation = association(i, "disassociating")
		i.Profile, i.ProfileID, i.ProfileAssociation = "", "", ""
		return nil
	})
	return out, err
}

// Associations answers DescribeIamInstanceProfileAssociations.
func (s *Service) Associations(
	ctx context.Context, in *ec2wire.DescribeIamInstanceProfileAssociationsRequest,
) (*ec2wire.DescribeIamInstanceProfileAssociationsResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), filters.Fields[*slipway.Instance]{
		"instance-id": func(i *slipway.Instance) []string { return shape.One(i.ID) },
		"state":       func(*slipway.Instance) []string { return []string{"associated"} },
	}, nil)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	rows, seen := []ec2wire.IamInstanceProfileAssociation{}, map[string]bool{}
	for i := range state.Instances.All(r, state.Of(ctx)) {
		if i.ProfileAssociation == "" || !i.Alive() {
			continue
		}
		seen[i.ProfileAssociation] = true
		if len(in.AssociationIds) > 0 && !slices.Contains(in.AssociationIds, i.ProfileAssociation) || !match(i) {
			continue
		}
		rows = append(rows, *association(i, "associated"))
	}
	if missing := shape.Unseen(in.AssociationIds, seen); len(missing) > 0 {
		return nil, slipway.NotFound(slipway.InvalidAssociationIDNotFound, "The association ID '%s' does not exist", missing...)
	}
	page, next, err := describe.Page(rows, in.MaxResults, in.NextToken, len(in.AssociationIds) > 0, 5)
	return &ec2wire.DescribeIamInstanceProfileAssociationsResult{IamInstanceProfileAssociations: page, NextToken: next}, err
}
