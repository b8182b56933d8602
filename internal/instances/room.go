package instances

import (
	"fmt"
	"strings"

	"slipway"
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
			return slipway.Errorf(slipway.InsufficientCapacityOnHost, "The dedicated host '%s' has room for %d instances of type %s.", l.dedicated.ID, r.Max, l.kind.Name)
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
		l.s.log.Info("no capacity", "type", l.kind.Name, "zone", l.zone.Name, "wanted", l.spec.Min, "fits", len(l.hosts)+len(choice.Hosts), "hosts", fmt.Sprint(l.notes))
		if l.spec.Spot != nil {
			return &Shortage{Err: slipway.Errorf(slipway.InsufficientInstanceCapacity, "There is no Spot capacity available that matches your request."), Hosts: l.notes}
		}
		return &Shortage{Err: slipway.Errorf(slipway.InsufficientInstanceCapacity,
			"We currently do not have sufficient %s capacity in the Availability Zone you requested (%s). Our system will be working on provisioning additional capacity. You can currently get %s capacity by not specifying an Availability Zone in your request or choosing %s.",
			l.kind.Name, l.zone.Name, l.kind.Name, strings.Join(otherZones(l.zone), ", ")), Hosts: l.notes}
	}
	l.hosts, l.partitions = append(l.hosts, choice.Hosts...), choice.Partitions
	return nil
}

// Shortage is a refusal for want of capacity with what each host was short of: the call's explanation shows it.
type Shortage struct {
	Err   *slipway.Error
	Hosts map[string]string
}

func (s *Shortage) Error() string { return s.Err.Error() }

// Notes are what the refusal's timeline keeps.
func (s *Shortage) Notes() map[string]string { return s.Hosts }

// Unwrap gives the caller's words.
func (s *Shortage) Unwrap() error { return s.Err }

func otherZones(z slipway.Zone) []string {
	var out []string
	for _, o := range slipway.Zones(z.Region) {
		if o.Name != z.Name {
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

// Room is what is left of each host.
func (s *Service) Room(r store.Reader) []placement.Host {
	used := map[slipway.HostID]*slipway.Ledger{}
	for b := range state.Ledgers.All(r, state.Global) {
		used[b.Host] = b
	}
	var out []placement.Host
	for h := range state.Hosts.All(r, state.Global) {
		p := placement.Host{ID: h.ID, Zones: h.Zones, VCPUs: int(float64(h.VCPUs) * s.cfg.Overcommit), MemoryMiB: h.MemoryMiB, NoUEFI: h.NoUEFI}
		if b := used[h.ID]; b != nil {
			p.VCPUs -= b.VCPUs
			p.MemoryMiB -= b.MemoryMiB
		}
		out = append(out, p)
	}
	return out
}

// charge writes the launch into the chosen hosts' ledgers, which are read again: a launch that took the room meanwhile makes
// this one choose anew.
func (l *launch) charge() error {
	per := map[slipway.HostID]int{}
	for i, h := range l.hosts {
		if i >= len(l.reserved) { // what a reservation keeps is charged already
			per[h]++
		}
	}
	for h, n := range per {
		if err := charge(l.tx, h, n, l.vcpus(), int(l.kind.MemoryMiB)); err != nil {
			return err
		}
	}
	return nil
}

// Charge changes a host's ledger by n instances of a type.
func Charge(tx store.Tx, h slipway.HostID, t *slipway.InstanceType, n int) error {
	return charge(tx, h, n, int(t.VCPUs), int(t.MemoryMiB))
}

// charge changes a host's ledger by n instances of a size. The first one opens it.
func charge(tx store.Tx, h slipway.HostID, n, vcpus, memoryMiB int) error {
	b, err := state.Ledgers.Get(tx, state.Global, string(h))
	if err != nil {
		b = &slipway.Ledger{Host: h}
	}
	b.Instances += n
	b.VCPUs += n * vcpus
	b.MemoryMiB += n * memoryMiB
	return state.Ledgers.Put(tx, b)
}
