package admission

import (
	"slices"

	"slipway"
	"slipway/internal/state"
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
	return slipway.Errorf(slipway.Unsupported, "The image '%s' boots by UEFI, which no host in %s can: %s.", l.image.ID,
		l.zone.Name, why)
}
