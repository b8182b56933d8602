package admission

import (
	"fmt"
	"strings"

	"slipway"
	"slipway/internal/capacity"
	"slipway/internal/placement"
	"slipway/internal/state"
	"slipway/internal/store"
)

// place chooses hosts for as many instances as fit, at least Min.
func (l *launch) place() error {
	hosts := l.tenants(l.candidates())
	r := placement.Request{VCPUs: l.vcpus(), MemoryMiB: int(l.kind.MemoryMiB), UEFI: l.boot.UEFI, Max: int(l.spec.Max)}
	if err := l.quota(&r); err != nil {
		return err
	}
	if err := l.join(&r); err != nil {
		return err
	}
	if l.dedicated != nil {
		r.Max = min(r.Max, l.roomOn(l.dedicated))
		if r.Max < int(l.spec.Min) {
			return slipway.Errorf(slipway.InsufficientCapacityOnHost,
				"The dedicated host '%s' has room for %d instances of type %s.", l.dedicated.ID, r.Max, l.kind.Name)
		}
		// Written as it is: two launches onto one host must see each other.
		if err := state.DedicatedHosts.Put(l.tx, l.dedicated); err != nil {
			return err
		}
	}
	if l.group == nil {
		if err := l.fromReservations(r.Max); err != nil {
			return err
		}
	}
	if r.Max -= len(l.hosts); r.Max == 0 || l.full {
		return nil
	}
	r.ZoneLetter = l.zone.Letter()
	choice := placement.Choose(hosts, r)
	for h, why := range choice.Refused {
		l.notes["host "+string(h)] = why
	}
	if len(l.hosts)+len(choice.Hosts) < int(l.spec.Min) {
		l.s.log.Info("no capacity", "type", l.kind.Name, "zone", l.zone.Name, "wanted", l.spec.Min, "fits",
			len(l.hosts)+len(choice.Hosts), "hosts", fmt.Sprint(l.notes))
		if l.spec.Spot != nil {
			return &capacity.Shortage{
				Err: slipway.Errorf(slipway.InsufficientInstanceCapacity,
					"There is no Spot capacity available that matches your request."), Hosts: l.notes,
			}
		}
		words := fmt.Sprintf("We currently do not have sufficient %s capacity in the Availability Zone you requested (%s). "+
			"Our system will be working on provisioning additional capacity.", l.kind.Name, l.zone.Name)
		if zones := l.zonesWithRoom(hosts, r); len(zones) > 0 {
			words += fmt.Sprintf(" You can currently get %s capacity by not specifying an Availability Zone in your request or "+
				"choosing %s.", l.kind.Name, strings.Join(zones, ", "))
		}
		return &capacity.Shortage{
			Err: &slipway.Error{Code: slipway.InsufficientInstanceCapacity, Message: words}, Hosts: l.notes,
		}
	}
	l.hosts, l.partitions = append(l.hosts, choice.Hosts...), choice.Partitions
	return nil
}

// zonesWithRoom are the other zones in which the launch would find its hosts now.
func (l *launch) zonesWithRoom(hosts []placement.Host, r placement.Request) []string {
	var out []string
	for _, o := range slipway.Zones(l.zone.Region) {
		r.ZoneLetter = o.Letter()
		if o.Name != l.zone.Name && len(placement.Choose(hosts, r).Hosts) >= int(l.spec.Min) {
			out = append(out, o.Name)
		}
	}
	return out
}

func (l *launch) vcpus() int {
	if l.spec.Cores != 0 {
		return int(l.spec.Cores * l.spec.Threads)
	}
	return int(l.kind.VCPUs)
}

// candidates are all hosts with what is left of them, as a snapshot: only the chosen ones' ledgers are read again.
func (l *launch) candidates() []placement.Host {
	mates, partitions := l.matesByHost()
	out := l.s.Room(l.tx)
	for i := range out {
		out[i].Mates, out[i].Partitions = mates[out[i].ID], partitions[out[i].ID]
	}
	return out
}

// ChargeSize writes the launch into the chosen hosts' ledgers, which are read again: a launch that took the room
// meanwhile makes this one choose anew.
func (l *launch) ChargeSize() error {
	per := map[slipway.HostID]int{}
	for i, h := range l.hosts {
		if i >= len(l.reserved) { // what a reservation keeps is charged already
			per[h]++
		}
	}
	for h, n := range per {
		if err := capacity.ChargeSize(l.tx, h, n, l.vcpus(), int(l.kind.MemoryMiB)); err != nil {
			return err
		}
	}
	return nil
}

// Room is what is left of each host.
func (s *Service) Room(r store.Reader) []placement.Host { return capacity.Room(r, s.cfg.Overcommit) }
