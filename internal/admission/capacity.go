package admission

import (
	"cmp"
	"maps"
	"slices"

	"slipway"
	"slipway/internal/capacity"
	"slipway/internal/placement"
	"slipway/internal/state"
	"slipway/internal/store"
)

// findCapacity is the dedicated host that the launch names or may use, and the capacity reservation that it names.
func (l *launch) findCapacity() error {
	p := &l.spec.Placement
	if p.Tenancy == "" && l.vpc != nil {
		p.Tenancy = l.vpc.Tenancy // a dedicated VPC makes its instances dedicated
	}
	if l.vpc != nil && l.vpc.Tenancy == "dedicated" && p.Tenancy == "default" {
		p.Tenancy = "dedicated"
	}
	if p.Tenancy == "host" {
		if err := l.findDedicatedHost(); err != nil {
			return err
		}
	}
	if id := l.spec.CapacityTarget; id != "" {
		c, err := state.CapacityReservations.Require(l.tx, l.scope, string(id))
		if err != nil {
			return err
		}
		if why := l.unfit(c); why != "" {
			return slipway.Errorf(slipway.InvalidParameterCombination,
				"The capacity reservation '%s' does not fit the launch: %s.", id, why)
		}
	}
	return nil
}

// unfit says why a capacity reservation cannot hold the launch's instances.
func (l *launch) unfit(c *slipway.CapacityReservation) string {
	tenancy := cmp.Or(l.spec.Placement.Tenancy, "default")
	switch {
	case c.State != slipway.CapacityReservationStateActive:
		return "it is " + string(c.State)
	case c.Type != l.kind.Name:
		return "it is for " + c.Type
	case c.Zone != l.zone.Name:
		return "it is in " + c.Zone
	case c.Tenancy != tenancy:
		return "its tenancy is " + c.Tenancy
	}
	return ""
}

// fromReservations takes room in capacity reservations: in the one that is named, or in open ones that fit. What they
// keep is charged to the hosts' ledgers already.
func (l *launch) fromReservations(most int) error {
	preference := cmp.Or(l.spec.CapacityPreference, "open")
	if preference == "none" || l.spec.Spot != nil {
		return nil
	}
	var list []*slipway.CapacityReservation
	for c := range state.CapacityReservations.All(l.tx, l.scope) {
		named := c.ID == l.spec.CapacityTarget
		if l.unfit(c) == "" && (named || l.spec.CapacityTarget == "" && !c.Targeted) {
			list = append(list, c)
		}
	}
	for _, shared := range list {
		c, err := state.CapacityReservations.Get(l.tx, l.scope, string(shared.ID))
		if err != nil {
			return err
		}
		free := capacity.FreeSlots(l.tx, c)
		for _, h := range slices.Sorted(maps.Keys(free)) {
			if l.boot.UEFI && capacity.LacksUEFI(l.tx, h) != "" {
				continue
			}
			for range free[h] {
				if len(l.hosts) < most {
					l.hosts, l.reserved = append(l.hosts, h), append(l.reserved, c.ID)
				}
			}
		}
		// Written as it is: two launches into one reservation must see each other.
		if err := state.CapacityReservations.Put(l.tx, c); err != nil {
			return err
		}
	}
	only := preference == "capacity-reservations-only" || l.spec.CapacityTarget != ""
	if only && len(l.hosts) < int(l.spec.Min) {
		return slipway.Errorf(slipway.ReservationCapacityExceeded,
			"The requested reservation does not have sufficient compatible and available capacity for this request.")
	}
	l.full = only
	return nil
}

// findDedicatedHost is the host that the launch names, or one that takes what names none.
func (l *launch) findDedicatedHost() error {
	p := &l.spec.Placement
	if p.DedicatedHost != "" {
		h, err := state.DedicatedHosts.Require(l.tx, l.scope, string(p.DedicatedHost))
		if err != nil {
			return err
		}
		switch {
		case !h.Released.IsZero():
			return state.DedicatedHosts.Absent(string(h.ID))
		case h.Zone != l.zone.Name:
			return slipway.Errorf(slipway.ZonesMismatched, "The dedicated host '%s' is in %s and the launch in %s.",
				h.ID, h.Zone, l.zone.Name)
		case !h.Runs(l.kind):
			return slipway.Errorf(slipway.UnsupportedInstanceTypeOnHost,
				"The instance type '%s' is not supported on the dedicated host '%s'.", l.kind.Name, h.ID)
		}
		l.dedicated = h
		return nil
	}
	for h := range state.DedicatedHosts.All(l.tx, l.scope) {
		if h.AutoPlacement == "on" && h.Released.IsZero() && h.Zone == l.zone.Name && h.Runs(l.kind) && l.roomOn(h) >= int(l.spec.Min) &&
			l.dedicated == nil {
			l.dedicated = h
		}
	}
	if l.dedicated == nil {
		return slipway.Errorf(slipway.InsufficientHostCapacity,
			"There is no dedicated host in %s that takes %d instances of type %s by itself. Name one by "+
				"Placement.HostId, or allocate one with auto-placement.",
			l.zone.Name, l.spec.Min, l.kind.Name)
	}
	return nil
}

// roomOn is how many more of the launch's instances a dedicated host takes.
func (l *launch) roomOn(h *slipway.DedicatedHost) int {
	free := h.VCPUs()
	for in := range state.Instances.By(l.tx, l.scope, "dedicated/"+string(h.ID)) {
		free -= in.Cores * in.ThreadsPerCore
	}
	return int(free) / l.vcpus()
}

// tenants narrows the hosts to those whose tenants may live together: an instance that wants to be alone shares a host
// with its own account's only.
func (l *launch) tenants(hosts []placement.Host) []placement.Host {
	tenancy := l.spec.Placement.Tenancy
	return slices.DeleteFunc(hosts, func(h placement.Host) bool {
		why := ""
		if l.dedicated != nil && h.ID != l.dedicated.Host {
			why = "is not where the dedicated host " + string(l.dedicated.ID) + " is"
		}
		for in := range state.Instances.By(l.tx, state.Global, "/alone/"+string(h.ID)) {
			if in.Account != l.scope.Account {
				why = "runs dedicated instances of another account"
			}
		}
		if tenancy == "dedicated" || tenancy == "host" {
			for in := range state.Instances.By(l.tx, state.Global, "/host/"+string(h.ID)) {
				if in.Account != l.scope.Account && in.Alive() {
					why = "runs instances of another account, and the launch is dedicated"
					break
				}
			}
		}
		if why != "" {
			l.notes["host "+string(h.ID)] = why
		}
		return why != ""
	})
}

// Persistent says whether an instance's spot request comes back.
func Persistent(r store.Reader, in *slipway.Instance) bool {
	q := state.SpotRequests.See(r, state.Scope{Account: in.Account, Region: in.Region}, string(in.SpotRequest))
	return q != nil && q.Options.Persistent
}

// Hibernation's bounds (rule hibernation).
const maxHibernatedMiB = 150 << 10

// fitsHibernation checks what hibernation needs: it can only be asked for at launch.
func (l *launch) fitsHibernation() error {
	if !l.spec.Hibernation {
		return nil
	}
	no := func(format string, args ...any) error {
		return slipway.Errorf(slipway.UnsupportedHibernationConfiguration, format, args...)
	}
	root := l.devices[0]
	switch {
	case hibernates(l.kind) != nil:
		return hibernates(l.kind)
	case !root.encrypted:
		return no("Hibernation requires an encrypted root volume.")
	case !slices.Contains([]string{"gp2", "gp3", "io1", "io2"}, root.spec.Type):
		return no("Hibernation requires a root volume of type gp2, gp3, io1 or io2, not %s.", root.spec.Type)
	}
	return holdsMemory(l.kind, root.spec.SizeGiB)
}
