package interfaces

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// kept are the reservations in a subnet.
type kept []*state.SubnetReservation

// holds says whether an address is reserved, so that nobody is given it who does not name it.
func (k kept) holds(ip netip.Addr) bool {
	return slices.ContainsFunc(k, func(v *state.SubnetReservation) bool { return v.CIDR.Contains(ip) })
}

// overlaps says whether a range meets a reserved one.
func (k kept) overlaps(p netip.Prefix) bool {
	return slices.ContainsFunc(k, func(v *state.SubnetReservation) bool { return v.CIDR.Overlaps(p) })
}

// forPrefixes are the ranges that prefixes are taken from, of IPv4 or of IPv6.
func (k kept) forPrefixes(four bool) []netip.Prefix {
	var out []netip.Prefix
	for _, v := range k {
		if v.Type == state.ReservedPrefixes && v.CIDR.Addr().Is4() == four {
			out = append(out, v.CIDR)
		}
	}
	return out
}

// withheld is how many more addresses of a subnet's than those used are not given out, because they are reserved.
func (k kept) withheld(r store.Reader, subnet *slipway.Subnet) int {
	n := 0
	base, size := span(subnet.CIDR)
	for _, v := range k {
		if !v.CIDR.Addr().Is4() {
			continue
		}
		n += 1 << (32 - v.CIDR.Bits())
		for _, offset := range []uint32{0, 1, 2, 3, size - 1} {
			if v.CIDR.Contains(address(base + offset)) {
				n--
			}
		}
	}
	if n == 0 {
		return 0
	}
	for u := range r.Range(usesOf(subnet)) {
		ip, err := netip.ParseAddr(u.Key[strings.LastIndexByte(u.Key, '/')+1:])
		if err == nil && ip.Is4() && k.holds(ip) {
			n--
		}
	}
	return n
}

// freePrefix takes a /28 of the subnet for the interface: from what is reserved for prefixes, then from what is not
// reserved.
func freePrefix(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet) bool {
	reserved := kept(state.ReservationsIn(tx, subnet))
	for _, p := range reserved.forPrefixes(true) {
		base, size := span(p)
		for at := uint32(0); at+16 <= size; at += 16 {
			block := netip.PrefixFrom(address(base+at), 28)
			if !holdsReserved(subnet.CIDR, block) && claimPrefix(tx, n, block) {
				return true
			}
		}
	}
	base, size := span(subnet.CIDR)
	for at := uint32(16); at+16 <= size; at += 16 {
		block := netip.PrefixFrom(address(base+at), 28)
		if !reserved.overlaps(block) && claimPrefix(tx, n, block) {
			return true
		}
	}
	return false
}

// holdsReserved says whether a block has one of the addresses that EC2 keeps at the subnet's beginning: the last block of
// a subnet is given out with its last address, as it always was.
func holdsReserved(subnet, block netip.Prefix) bool { return block.Contains(subnet.Masked().Addr()) }

// tries bounds the search for something in a range that has 2⁴⁸ of them at least and may be reserved.
const tries = 1000

// freeIPv6 is an address of the subnet's that is neither taken nor reserved.
func freeIPv6(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet, reserved kept) (netip.Addr, error) {
	for range tries {
		b := subnet.IPv6.Prefix.Masked().Addr().As16()
		rand.Read(b[8:])
		if ip := netip.AddrFrom16(b); !reserved.holds(ip) && use(tx, n, ip) {
			return ip, nil
		}
	}
	return netip.Addr{}, slipway.Errorf(slipway.InsufficientFreeAddressesInSubnet,
		"There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", subnet.ID)
}

// freePrefix6 is a /80 of the subnet: of what is reserved for prefixes if anything is, else of what is not reserved.
func freePrefix6(tx store.Tx, subnet *slipway.Subnet, reserved kept) (netip.Prefix, error) {
	from := reserved.forPrefixes(false)
	inUse := map[netip.Prefix]bool{}
	for other := range state.Interfaces.By(tx, state.Scope{Account: subnet.Account, Region: subnet.Region},
		"subnet/"+string(subnet.ID)) {
		for _, p := range other.Prefixes6 {
			inUse[p] = true
		}
	}
	for i := range tries {
		of := subnet.IPv6.Prefix
		if len(from) > 0 {
			of = from[i%len(from)]
		}
		b := of.Masked().Addr().As16()
		var chance [16]byte
		rand.Read(chance[8:10])
		for bit := of.Bits(); bit < 80; bit++ {
			b[bit/8] |= chance[bit/8] & (0x80 >> (bit % 8))
		}
		p := netip.PrefixFrom(netip.AddrFrom16(b), 80)
		if !inUse[p] && (len(from) > 0 || !reserved.overlaps(p)) {
			return p, nil
		}
	}
	return netip.Prefix{}, slipway.Errorf(slipway.InsufficientFreeAddressesInSubnet, "The subnet '%s' has no free /80 prefix.",
		subnet.ID)
}
