package images

import (
	"context"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// cooldown is how long a protection against deregistration with one lasts after it was disabled.
const cooldown = 24 * time.Hour

// Deprecate answers EnableImageDeprecation. EC2 keeps the minute.
func (s *Service) Deprecate(
	ctx context.Context, in *ec2wire.EnableImageDeprecationRequest,
) (*ec2wire.EnableImageDeprecationResult, error) {
	if in.DeprecateAt == nil {
		return nil, slipway.Missing("DeprecateAt")
	}
	at := in.DeprecateAt.UTC().Round(time.Minute)
	switch now := s.now(); {
	case in.DeprecateAt.Before(now):
		return nil, slipway.Errorf(slipway.InvalidParameterValue, "The deprecation time %s is in the past.",
			in.DeprecateAt.UTC().Format(time.RFC3339))
	case in.DeprecateAt.After(now.AddDate(10, 0, 0)):
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"The deprecation time %s is more than ten years ahead.", in.DeprecateAt.UTC().Format(time.RFC3339))
	}
	err := s.edit(ctx, in.ImageId, func(_ store.Tx, im *slipway.Image) error { im.Deprecated = at; return nil })
	return &ec2wire.EnableImageDeprecationResult{Return: shape.Of(true)}, err
}

// Undeprecate answers DisableImageDeprecation.
func (s *Service) Undeprecate(
	ctx context.Context, in *ec2wire.DisableImageDeprecationRequest,
) (*ec2wire.DisableImageDeprecationResult, error) {
	err := s.edit(ctx, in.ImageId, func(_ store.Tx, im *slipway.Image) error { im.Deprecated = time.Time{}; return nil })
	return &ec2wire.DisableImageDeprecationResult{Return: shape.Of(true)}, err
}

// Disable answers DisableImage: nobody can launch it, and nobody else sees it, for good: enabled again, it is private.
func (s *Service) Disable(ctx context.Context, in *ec2wire.DisableImageRequest) (*ec2wire.DisableImageResult, error) {
	err := s.edit(ctx, in.ImageId, func(_ store.Tx, im *slipway.Image) error {
		if im.State != "available" {
			return slipway.Errorf(slipway.IncorrectState,
				"The image '%s' is %s: only an available one can be disabled.", im.ID, im.State)
		}
		im.Disabled, im.Public, im.LaunchableBy = true, false, nil
		return nil
	})
	return &ec2wire.DisableImageResult{Return: shape.Of(true)}, err
}

// Enable answers EnableImage.
func (s *Service) Enable(ctx context.Context, in *ec2wire.EnableImageRequest) (*ec2wire.EnableImageResult, error) {
	err := s.edit(ctx, in.ImageId, func(_ store.Tx, im *slipway.Image) error { im.Disabled = false; return nil })
	return &ec2wire.EnableImageResult{Return: shape.Of(true)}, err
}

// Protect answers EnableImageDeregistrationProtection.
func (s *Service) Protect(
	ctx context.Context, in *ec2wire.EnableImageDeregistrationProtectionRequest,
) (*ec2wire.EnableImageDeregistrationProtectionResult, error) {
	out := &ec2wire.EnableImageDeregistrationProtectionResult{}
	err := s.edit(ctx, in.ImageId, func(_ store.Tx, im *slipway.Image) error {
		im.Protected, im.Cooldown, im.ProtectedUntil = true, shape.Get(in.WithCooldown), time.Time{}
		out.Return = shape.Of(protection(im))
		return nil
	})
	return out, err
}

// Unprotect answers DisableImageDeregistrationProtection.
func (s *Service) Unprotect(
	ctx context.Context, in *ec2wire.DisableImageDeregistrationProtectionRequest,
) (*ec2wire.DisableImageDeregistrationProtectionResult, error) {
	out := &ec2wire.DisableImageDeregistrationProtectionResult{}
	err := s.edit(ctx, in.ImageId, func(_ store.Tx, im *slipway.Image) error {
		if im.Protected && im.Cooldown {
			im.ProtectedUntil = s.now().Add(cooldown)
		}
		im.Protected, im.Cooldown = false, false
		out.Return = shape.Of(protection(im))
		return nil
	})
	return out, err
}

const (
	unblocked = "unblocked"
	blocked   = "block-new-sharing"
)

func (s *Service) block(ctx context.Context, public bool) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.Regions.Edit(tx, state.Of(ctx), "-", func(r *slipway.Region) error {
			r.Settings.BlockPublicAMIs = public
			return nil
		})
	})
}

// BlockPublic answers EnableImageBlockPublicAccess: what is public stays so.
func (s *Service) BlockPublic(
	ctx context.Context, in *ec2wire.EnableImageBlockPublicAccessRequest,
) (*ec2wire.EnableImageBlockPublicAccessResult, error) {
	switch v := shape.Get(in.ImageBlockPublicAccessState); v {
	case blocked:
	case "":
		return nil, slipway.Missing("ImageBlockPublicAccessState")
	default:
		return nil, slipway.Invalid(v, "imageBlockPublicAccessState", "It must be "+blocked+".")
	}
	return &ec2wire.EnableImageBlockPublicAccessResult{ImageBlockPublicAccessState: shape.Of(blocked)}, s.block(ctx, true)
}

// UnblockPublic answers DisableImageBlockPublicAccess.
func (s *Service) UnblockPublic(
	ctx context.Context, _ *ec2wire.DisableImageBlockPublicAccessRequest,
) (*ec2wire.DisableImageBlockPublicAccessResult, error) {
	return &ec2wire.DisableImageBlockPublicAccessResult{ImageBlockPublicAccessState: shape.Of(unblocked)}, s.block(ctx, false)
}

// PublicBlock answers GetImageBlockPublicAccessState.
func (s *Service) PublicBlock(
	ctx context.Context, _ *ec2wire.GetImageBlockPublicAccessStateRequest,
) (*ec2wire.GetImageBlockPublicAccessStateResult, error) {
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.GetImageBlockPublicAccessStateResult{
		ImageBlockPublicAccessState: shape.Of(unblocked), ManagedBy: shape.Of("account"),
	}
	if reg := state.Regions.See(r, state.Of(ctx), "-"); reg != nil && reg.Settings.BlockPublicAMIs {
		out.ImageBlockPublicAccessState = shape.Of(blocked)
	}
	return out, nil
}
