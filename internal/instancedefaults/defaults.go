// Package instancedefaults is the room of what an account's instances in a region have where a launch does not say: CPU
// credits, metadata options, the serial console. It changes no instance.
package instancedefaults

import (
	"context"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
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

// Credits answers GetDefaultCreditSpecification.
func (s *Service) Credits(
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
			InstanceFamily: in.InstanceFamily, CpuCredits: shape.Of(CreditsOf(r, state.Of(ctx), t)),
		},
	}, nil
}

// CreditsOf is what an instance of the type has where nothing was chosen for it.
func CreditsOf(r store.Reader, scope state.Scope, t *slipway.InstanceType) string {
	if region := state.Regions.See(r, scope, "-"); region != nil {
		return region.Settings.DefaultCredits(t)
	}
	return t.DefaultCredits()
}

// ModifyCredits answers ModifyDefaultCreditSpecification. It is for launches from then on.
func (s *Service) ModifyCredits(
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

// Metadata answers GetInstanceMetadataDefaults.
func (s *Service) Metadata(
	ctx context.Context, _ *ec2wire.GetInstanceMetadataDefaultsRequest,
) (*ec2wire.GetInstanceMetadataDefaultsResult, error) {
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.GetInstanceMetadataDefaultsResult{
		AccountLevel: &ec2wire.InstanceMetadataDefaultsResponse{ManagedBy: shape.Of("account")},
	}
	if region := state.Regions.See(r, state.Of(ctx), "-"); region != nil {
		m := region.Settings.Metadata
		out.AccountLevel.HttpTokens, out.AccountLevel.HttpEndpoint, out.AccountLevel.InstanceMetadataTags = shape.Text(m.HTTPTokens),
			shape.Text(m.HTTPEndpoint), shape.Text(m.Tags)
		out.AccountLevel.HttpPutResponseHopLimit = shape.Some(m.HopLimit)
		out.AccountLevel.HttpTokensEnforced = shape.Of("disabled")
		if region.Settings.TokensEnforced {
			out.AccountLevel.HttpTokensEnforced = shape.Of("enabled")
		}
	}
	return out, nil
}

// ModifyMetadata answers ModifyInstanceMetadataDefaults: "no-preference" and a hop limit of -1 take a default away.
func (s *Service) ModifyMetadata(
	ctx context.Context, in *ec2wire.ModifyInstanceMetadataDefaultsRequest,
) (*ec2wire.ModifyInstanceMetadataDefaultsResult, error) {
	given := func(v *string) *string {
		if shape.Get(v) == "no-preference" {
			return nil
		}
		return v
	}
	hops := in.HttpPutResponseHopLimit
	if shape.Get(hops) == -1 {
		hops = nil
	}
	to, err := launchspec.MetadataValues(given(in.HttpTokens), given(in.HttpEndpoint), nil,
		given(in.InstanceMetadataTags), hops)
	if err != nil {
		return nil, err
	}
	if err := launchspec.OneOf(in.HttpTokensEnforced, "httpTokensEnforced", "enabled", "disabled"); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		return state.Regions.Edit(tx, state.Of(ctx), "-", func(r *slipway.Region) error {
			m := &r.Settings.Metadata
			for _, f := range []struct {
				asked    *string
				to, from *string
			}{
				{in.HttpTokens, &m.HTTPTokens, &to.HTTPTokens}, {in.HttpEndpoint, &m.HTTPEndpoint, &to.HTTPEndpoint},
				{in.InstanceMetadataTags, &m.Tags, &to.Tags},
			} {
				if shape.Get(f.asked) != "" {
					*f.to = *f.from
				}
			}
			if in.HttpPutResponseHopLimit != nil {
				m.HopLimit = to.HopLimit
			}
			if v := shape.Get(in.HttpTokensEnforced); v != "" {
				r.Settings.TokensEnforced = v == "enabled"
			}
			return nil
		})
	})
	return &ec2wire.ModifyInstanceMetadataDefaultsResult{Return: shape.Of(true)}, err
}

// SerialConsole answers GetSerialConsoleAccessStatus: nobody has access, for there is no way in.
func (s *Service) SerialConsole(
	context.Context, *ec2wire.GetSerialConsoleAccessStatusRequest,
) (*ec2wire.GetSerialConsoleAccessStatusResult, error) {
	return &ec2wire.GetSerialConsoleAccessStatusResult{
		SerialConsoleAccessEnabled: shape.Of(false), ManagedBy: shape.Of("account"),
	}, nil
}

// DisableSerialConsole answers DisableSerialConsoleAccess, which finds it as it is.
func (s *Service) DisableSerialConsole(
	context.Context, *ec2wire.DisableSerialConsoleAccessRequest,
) (*ec2wire.DisableSerialConsoleAccessResult, error) {
	return &ec2wire.DisableSerialConsoleAccessResult{SerialConsoleAccessEnabled: shape.Of(false)}, nil
}

// Service answers the actions about what an account's instances in a region have where a launch does not say.
type Service struct{ db state.DB }

// New makes the room.
func New(db state.DB) *Service { return &Service{db} }

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"GetInstanceMetadataDefaults":   action.Read(s.Metadata).On(action.Nothing),
		"GetDefaultCreditSpecification": action.Read(s.Credits).On(action.Nothing),
		"ModifyDefaultCreditSpecification": action.Do(s.ModifyCredits).Bucket(action.Mutating).
			Repeats(action.NoToken).On(action.Nothing),
		"GetSerialConsoleAccessStatus": action.Read(s.SerialConsole).On(action.Nothing),
		"DisableSerialConsoleAccess": action.Do(s.DisableSerialConsole).Bucket(action.Mutating).
			Repeats(action.NoToken).On(action.Nothing),
		"ModifyInstanceMetadataDefaults": action.Do(s.ModifyMetadata).Bucket(action.Settings).
			Repeats(action.NoToken).On(action.Nothing),
	}
}
