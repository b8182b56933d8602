// Package capacity is what hosts have room for: their ledgers, which every launch and every end changes, and the slots
// that capacity reservations keep. It chooses no host (placement does) and admits nothing (admission does).
package capacity

import (
	"slipway"
	"slipway/internal/placement"
	"slipway/internal/state"
	"slipway/internal/store"
)

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

// Room is what is left of each host, where one of its vCPUs carries as many of instances as overcommit says.
func Room(r store.Reader, overcommit float64) []placement.Host {
	used := map[slipway.HostID]*slipway.Ledger{}
	for b := range state.Ledgers.All(r, state.Global) {
		used[b.Host] = b
	}
	var out []placement.Host
	for h := range state.Hosts.All(r, state.Global) {
		p := placement.Host{
			ID: h.ID, Zones: h.Zones, VCPUs: int(float64(h.VCPUs) * overcommit), MemoryMiB: h.MemoryMiB, NoUEFI: h.NoUEFI,
		}
		if b := used[h.ID]; b != nil {
			p.VCPUs -= b.VCPUs
			p.MemoryMiB -= b.MemoryMiB
		}
		out = append(out, p)
	}
	return out
}

// Charge changes a host's ledger by n instances of a type.
func Charge(tx store.Tx, h slipway.HostID, t *slipway.InstanceType, n int) error {
	return ChargeSize(tx, h, n, int(t.VCPUs), int(t.MemoryMiB))
}

// ChargeSize changes a host's ledger by n instances of a size. The first one opens it.
func ChargeSize(tx store.Tx, h slipway.HostID, n, vcpus, memoryMiB int) error {
	b := slipway.Ledger{Host: h}
	if open := state.Ledgers.See(tx, state.Global, string(h)); open != nil {
		b = *open
	}
	b.Instances += n
	b.VCPUs += n * vcpus
	b.MemoryMiB += n * memoryMiB
	return state.Ledgers.Put(tx, &b)
}

// LacksUEFI is what a host lacks to boot by UEFI.
func LacksUEFI(r store.Reader, id slipway.HostID) string {
	if h := state.Hosts.See(r, state.Global, string(id)); h != nil {
		return h.NoUEFI
	}
	return ""
}
