package instances

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// burstable is any type of a family that has CPU credits.
func burstable(family *string) (*slipway.InstanceType, error) {
	if shape.Get(family) == "" {
		return nil, slipway.Missing("InstanceFamily")
	}
	for _, t := range slipway.InstanceTypes() {
		if t.Family() == *family && t.Burstable {
			return t, nil
		}
	}
	return nil, slipway.Invalid(*family, "instanceFamily", "It must be a family of burstable types.")
}

// DefaultCredits answers GetDefaultCreditSpecification.
func (s *Service) DefaultCredits(
	ctx context.Context, in *ec2wire.GetDefaultCreditSpecificationRequest,
) (*ec2wire.GetDefaultCreditSpecificationResult, error) {
	t, err := burstable(in.InstanceFamily)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &ec2wire.GetDefaultCreditSpecificationResult{
		InstanceFamilyCreditSpecification: &ec2wire.InstanceFamilyCreditSpecification{
			InstanceFamily: in.InstanceFamily, CpuCredits: shape.Of(credits(r, state.Of(ctx), t)),
		},
	}, nil
}

// credits is what an instance of the type has where nothing was chosen for it.
func credits(r store.Reader, scope state.Scope, t *slipway.InstanceType) string {
	if region := state.Regions.See(r, scope, "-"); region != nil {
		return region.Settings.DefaultCredits(t)
	}
	return t.DefaultCredits()
}

// ModifyDefaultCredits answers ModifyDefaultCreditSpecification. It is for launches from then on.
func (s *Service) ModifyDefaultCredits(
	ctx context.Context, in *ec2wire.ModifyDefaultCreditSpecificationRequest,
) (*ec2wire.ModifyDefaultCreditSpecificationResult, error) {
	if _, err := burstable(in.InstanceFamily); err != nil {
		return nil, err
	}
	switch v := shape.Get(in.CpuCredits); v {
	case "standard", "unlimited":
	case "":
		return nil, slipway.Missing("CpuCredits")
	default:
		return nil, slipway.Invalid(v, "cpuCredits", "It must be standard or unlimited.")
	}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		return state.Regions.Edit(tx, state.Of(ctx), "-", func(r *slipway.Region) error {
			if r.Settings.Credits == nil {
				r.Settings.Credits = map[string]string{}
			}
			r.Settings.Credits[*in.InstanceFamily] = *in.CpuCredits
			return nil
		})
	})
	return &ec2wire.ModifyDefaultCreditSpecificationResult{
		InstanceFamilyCreditSpecification: &ec2wire.InstanceFamilyCreditSpecification{
			InstanceFamily: in.InstanceFamily, CpuCredits: in.CpuCredits,
		},
	}, err
}
