package instances

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// findFirmware refuses what boots by UEFI where no host of the zone can: an instance would only die there.
func (l *launch) findFirmware() error {
	if !l.boot.UEFI {
		return nil
	}
	why := ""
	for h := range state.Hosts.All(l.tx, state.Global) {
		if !slices.Contains(h.Zones, l.zone.Letter()) {
			continue
		}
		if why = h.NoUEFI; why == "" {
			return nil
		}
	}
	if why == "" { // no host serves the zone, which is capacity's to say
		return nil
	}
	return slipway.Errorf(slipway.Unsupported, "The image '%s' boots by UEFI, which no host in %s can: %s.", l.image.ID, l.zone.Name, why)
}

// lacksUEFI is what a host lacks to boot by UEFI.
func lacksUEFI(r store.Reader, id slipway.HostID) string {
	if h := state.Hosts.See(r, state.Global, string(id)); h != nil {
		return h.NoUEFI
	}
	return ""
}

// UEFI answers GetInstanceUefiData, which no instance here can give: the store is OVMF's own flash, and EC2's form of it is
// Amazon's.
func (s *Service) UEFI(ctx context.Context, in *ec2wire.GetInstanceUefiDataRequest) (*ec2wire.GetInstanceUefiDataResult, error) {
	i, err := s.one(ctx, in.InstanceId)
	if err != nil {
		return nil, err
	}
	if err := dry(ctx); err != nil {
		return nil, err
	}
	if !i.Boot.UEFI {
		return nil, slipway.Errorf(slipway.UnsupportedOperation, "The instance '%s' boots by legacy-bios and has no UEFI variable store.", i.ID)
	}
	return nil, slipway.Errorf(slipway.UnsupportedOperation, "The UEFI variable store of the instance '%s' is kept by its host and cannot be read.", i.ID)
}
