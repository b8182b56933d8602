package instances

import (
	"context"
	"slipway"
	"slipway/internal/ec2wire"
)

// UEFI answers GetInstanceUefiData, which no instance here can give: the store is OVMF's own flash, and EC2's form of it is
// Amazon's.
func (s *Service) UEFI(
	ctx context.Context, in *ec2wire.GetInstanceUefiDataRequest,
) (*ec2wire.GetInstanceUefiDataResult, error) {
	i, err := s.one(ctx, in.InstanceId)
	if err != nil {
		return nil, err
	}
	if err := dry(ctx); err != nil {
		return nil, err
	}
	if !i.Boot.UEFI {
		return nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The instance '%s' boots by legacy-bios and has no UEFI variable store.", i.ID)
	}
	return nil, slipway.Errorf(slipway.UnsupportedOperation,
		"The UEFI variable store of the instance '%s' is kept by its host and cannot be read.", i.ID)
}
