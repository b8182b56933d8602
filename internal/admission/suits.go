package admission

import (
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Suits refuses what a launch of the instance, as it has become, with the type would be refused: what is changed afterwards
// must not get around a launch's rules (rule launch-rules).
func Suits(r store.Reader, i *slipway.Instance, t *slipway.InstanceType) error {
	scope := state.Scope{Account: i.Account, Region: i.Region}
	if err := checkOptimized(t, i.EBSOptimized); err != nil {
		return err
	}
	if err := checkPorts(t, len(i.Interfaces)); err != nil {
		return err
	}
	for _, id := range i.Interfaces {
		n := state.Interfaces.See(r, scope, string(id))
		if n == nil {
			continue
		}
		if err := checkAddresses(t, len(n.Addresses)+len(n.Prefixes), len(n.IPv6)+len(n.Prefixes6)); err != nil {
			return err
		}
	}
	if t.MaxAttachments > 0 && len(i.Volumes) > int(t.MaxAttachments) {
		return slipway.Errorf(slipway.AttachmentLimitExceeded, "The instance type %s takes at most %d volumes", t.Name,
			t.MaxAttachments)
	}
	if i.Hibernation {
		if err := hibernates(t); err != nil {
			return err
		}
		for _, b := range i.Volumes {
			if v := state.Volumes.See(r, scope, string(b.Volume)); b.Device == i.RootDevice && v != nil {
				if err := holdsMemory(t, v.SizeGiB); err != nil {
					return err
				}
			}
		}
	}
	if g := state.PlacementGroups.See(r, scope, i.Placement.GroupName); g != nil {
		if err := CheckStrategy(t, g); err != nil {
			return err
		}
	}
	if h := state.DedicatedHosts.See(r, scope, string(i.Placement.DedicatedHost)); h != nil && !h.Runs(t) {
		return slipway.Errorf(slipway.UnsupportedInstanceTypeOnHost,
			"The instance type '%s' is not supported on the dedicated host '%s'.", t.Name, h.ID)
	}
	return nil
}

func checkOptimized(t *slipway.InstanceType, optimized bool) error {
	if optimized && t.EBSOptimized == "unsupported" {
		return slipway.Errorf(slipway.Unsupported, "The instance type %s does not support EBS optimization.", t.Name)
	}
	return nil
}

func checkPorts(t *slipway.InstanceType, n int) error {
	if n > int(t.MaxInterfaces) {
		return slipway.Errorf(slipway.AttachmentLimitExceeded, "Interface count %d exceeds the limit for %s", n, t.Name)
	}
	return nil
}

// checkAddresses is about those of one interface.
func checkAddresses(t *slipway.InstanceType, four, six int) error {
	switch {
	case four > int(t.IPv4PerInterface):
		return slipway.Errorf(slipway.PrivateIpAddressLimitExceeded,
			"Number of private addresses %d exceeds the limit of %d for %s", four, t.IPv4PerInterface, t.Name)
	case six > 0 && !t.IPv6:
		return slipway.Errorf(slipway.InvalidParameterCombination,
			"The instance type %s does not support IPv6 addresses.", t.Name)
	case six > int(t.IPv6PerInterface):
		return slipway.Errorf(slipway.InvalidInterfaceIpAddressLimitExceeded,
			"Number of IPv6 addresses %d exceeds the limit of %d for %s", six, t.IPv6PerInterface, t.Name)
	}
	return nil
}

// CheckStrategy refuses a type that no placement group of the group's strategy takes.
func CheckStrategy(t *slipway.InstanceType, g *slipway.PlacementGroup) error {
	if !slices.Contains(t.PlacementStrategies, g.Strategy) {
		return slipway.Errorf(slipway.InvalidParameterCombination,
			"The instance type %s cannot be launched into a placement group of strategy %s.", t.Name, g.Strategy)
	}
	return nil
}

func hibernates(t *slipway.InstanceType) error {
	switch {
	case !t.Hibernation:
		return slipway.Errorf(slipway.UnsupportedHibernationConfiguration,
			"The instance type %s does not support hibernation.", t.Name)
	case t.MemoryMiB >= maxHibernatedMiB:
		return slipway.Errorf(slipway.UnsupportedHibernationConfiguration,
			"Hibernation requires less than 150 GiB of memory; %s has %d MiB.", t.Name, t.MemoryMiB)
	}
	return nil
}

func holdsMemory(t *slipway.InstanceType, rootGiB int32) error {
	if int64(rootGiB)<<10 < t.MemoryMiB {
		return slipway.Errorf(slipway.UnsupportedHibernationConfiguration,
			"Hibernation requires a root volume that holds the memory: %d GiB are less than %d MiB.", rootGiB, t.MemoryMiB)
	}
	return nil
}
