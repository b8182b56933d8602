// Package addresses is the room of public addresses: the pool that auto-assigned ones come from, and elastic addresses. On
// one machine the pool is a range of loopback, so the host reaches guests with nothing to configure.
package addresses

import (
	"encoding/binary"
	"net/netip"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Pool is the range of public addresses that this installation may give out.
type Pool struct {
	Range netip.Prefix
	Draw  func(n uint32) uint32 // a number from 0 to n-1: where the search for a free address begins
}

// usePublic is the part of an address's key that says that the address is public, and so unique over all accounts.
const usePublic = "public"

// Take picks a free public address for by, anywhere in the range so that two launches at once seldom meet.
func (p Pool) Take(tx store.Tx, by string) (netip.Addr, error) {
	size := uint32(1) << (32 - p.Range.Bits())
	base := binary.BigEndian.Uint32(p.Range.Masked().Addr().AsSlice())
	start := p.Draw(size)
	for i := range size {
		offset := (start + i) % size
		if last := byte(base + offset); last == 0 || last == 255 {
			continue
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], base+offset)
		ip := netip.AddrFrom4(b)
		if p.takeExact(tx, ip, by) {
			return ip, nil
		}
	}
	return netip.Addr{}, slipway.Errorf(slipway.InsufficientAddressCapacity,
		"Insufficient public addresses: all of %s are in use", p.Range)
}

func (p Pool) takeExact(tx store.Tx, ip netip.Addr, by string) bool {
	id := state.AddressKey(usePublic, ip)
	if tx.Get(state.InUse.Key(state.Global, id)) != nil {
		return false
	}
	return state.InUse.Put(tx, &state.Use{Scope: state.Global, ID: id, By: by}) == nil
}

// Give returns a public address to the pool.
func (p Pool) Give(tx store.Tx, ip netip.Addr) {
	state.InUse.Delete(tx, state.Global, state.AddressKey(usePublic, ip))
}
