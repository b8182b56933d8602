// Package interfaces is the room of elastic network interfaces: their addresses inside a subnet, their groups, and what
// attaches them to instances. It must not start or stop anything: the agent follows the records.
package interfaces

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Wanted is an interface to be made.
type Wanted struct {
	Subnet *slipway.Subnet
	Groups []slipway.SecurityGroupID
	slipway.InterfaceAddresses
	Description string
	AutoPublic  bool
	Type        string
	Tags        slipway.Tags
}

// Create makes an interface with its addresses in the subnet. Refusals: InsufficientFreeAddressesInSubnet,
// InvalidIPAddress.InUse, InvalidParameterValue.
func Create(tx store.Tx, w Wanted, now time.Time) (*slipway.Interface, error) {
	n := &slipway.Interface{
		ID: slipway.NewInterfaceID(), Account: w.Subnet.Account, Region: w.Subnet.Region, VPC: w.Subnet.VPC,
		Subnet: w.Subnet.ID,
		Zone:   w.Subnet.Zone, Description: w.Description, MAC: newMAC(), Groups: w.Groups, SourceDestCheck: true,
		Type: w.Type, AutoPublic: w.AutoPublic, PrimaryIPv6: w.PrimaryIPv6, Created: now, Tags: w.Tags,
	}
	if n.Type == "" {
		n.Type = "interface"
	}
	if w.Subnet.CIDR.IsValid() && n.Type != "efa-only" {
		if err := addIPv4(tx, n, w); err != nil {
			return nil, err
		}
	}
	if err := AddIPv6(tx, n, w.Subnet, w.IPv6, w.IPv6Count); err != nil {
		return nil, err
	}
	if err := addPrefixes(tx, n, w); err != nil {
		return nil, err
	}
	return n, state.Interfaces.Put(tx, n)
}

func addIPv4(tx store.Tx, n *slipway.Interface, w Wanted) error {
	given := append([]netip.Addr{w.Primary}, w.Secondary...)
	if !w.Primary.IsValid() {
		ip, err := free(tx, n, w.Subnet)
		if err != nil {
			return err
		}
		n.Addresses = append(n.Addresses, slipway.PrivateAddress{IP: ip})
		given = given[1:]
	}
	for _, ip := range given {
		if err := Claim(tx, n, w.Subnet, ip); err != nil {
			return err
		}
	}
	return AddSecondary(tx, n, w.Subnet, w.SecondaryCount)
}

// AddSecondary gives the interface count more addresses of the subnet.
func AddSecondary(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet, count int) error {
	for range count {
		ip, err := free(tx, n, subnet)
		if err != nil {
			return err
		}
		n.Addresses = append(n.Addresses, slipway.PrivateAddress{IP: ip})
	}
	return nil
}

// Claim gives the interface one address that the caller named.
func Claim(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet, ip netip.Addr) error {
	if err := CheckAddress(subnet, ip); err != nil {
		return err
	}
	if !use(tx, n, ip) {
		return slipway.Errorf(slipway.InvalidIPAddressInUse, "Address %s is in use.", ip)
	}
	n.Addresses = append(n.Addresses, slipway.PrivateAddress{IP: ip})
	return nil
}

// CheckAddress refuses an address that no interface of the subnet could have.
func CheckAddress(subnet *slipway.Subnet, ip netip.Addr) error {
	if !subnet.CIDR.Contains(ip) {
		return slipway.Errorf(slipway.InvalidParameterValue, "Address %s does not fall within the subnet's address range", ip)
	}
	if Reserved(subnet.CIDR, ip) {
		return slipway.Errorf(slipway.InvalidParameterValue, "Address is in subnet's reserved address range")
	}
	return nil
}

// Reserved says whether EC2 keeps the address for itself: the first four and the last of a subnet.
func Reserved(subnet netip.Prefix, ip netip.Addr) bool {
	base, size := span(subnet)
	offset := number(ip) - base
	return offset < 4 || offset == size-1
}

// FreeCount is how many addresses a subnet still has (availableIpAddressCount).
func FreeCount(r store.Reader, subnet *slipway.Subnet) int {
	if !subnet.CIDR.IsValid() {
		return 0
	}
	_, size := span(subnet.CIDR)
	used := 0
	for u := range r.Range(usesOf(subnet)) {
		if !isIPv6Key(u.Key) {
			used++
		}
	}
	return int(size) - 5 - used - kept(state.ReservationsIn(r, subnet)).withheld(r, subnet)
}

func isIPv6Key(key string) bool {
	for i := len(key) - 1; i >= 0 && key[i] != '/'; i-- {
		if key[i] == ':' {
			return true
		}
	}
	return false
}

func usesOf(subnet *slipway.Subnet) string {
	return state.InUse.Prefix(state.Scope{Account: subnet.Account, Region: subnet.Region}) + string(subnet.ID) + "/"
}

// free finds an unused address, starting where the interface's random id says, so that launches at the same moment seldom
// want the same one.
func free(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet) (netip.Addr, error) {
	base, size := span(subnet.CIDR)
	usable := size - 5
	h := fnv.New32a()
	h.Write([]byte(n.ID))
	start := h.Sum32() % usable
	reserved := kept(state.ReservationsIn(tx, subnet))
	for i := range usable {
		ip := address(base + 4 + (start+i)%usable)
		if !reserved.holds(ip) && use(tx, n, ip) {
			return ip, nil
		}
	}
	return netip.Addr{}, slipway.Errorf(slipway.InsufficientFreeAddressesInSubnet,
		"There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", subnet.ID)
}

func use(tx store.Tx, n *slipway.Interface, ip netip.Addr) bool {
	scope := state.Scope{Account: n.Account, Region: n.Region}
	id := state.AddressKey(string(n.Subnet), ip)
	if tx.Get(state.InUse.Key(scope, id)) != nil {
		return false
	}
	return state.InUse.Put(tx, &state.Use{Scope: scope, ID: id, By: string(n.ID)}) == nil
}

// Unuse gives an address of the interface back to its subnet.
func Unuse(tx store.Tx, n *slipway.Interface, ip netip.Addr) {
	state.InUse.Delete(tx, state.Scope{Account: n.Account, Region: n.Region}, state.AddressKey(string(n.Subnet), ip))
}

// AddIPv6 gives the interface IPv6 addresses of the subnet: those named, then count chosen ones.
func AddIPv6(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet, named []netip.Addr, count int) error {
	if len(named)+count == 0 {
		return nil
	}
	if !subnet.IPv6.Prefix.IsValid() {
		return slipway.Errorf(slipway.InvalidParameterValue, "The subnet '%s' does not have an IPv6 CIDR block.", subnet.ID)
	}
	for _, ip := range named {
		if !subnet.IPv6.Prefix.Contains(ip) {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"Address %s does not fall within the subnet's address range", ip)
		}
		if !use(tx, n, ip) {
			return slipway.Errorf(slipway.InvalidIPAddressInUse, "Address %s is in use.", ip)
		}
		n.IPv6 = append(n.IPv6, ip)
	}
	reserved := kept(state.ReservationsIn(tx, subnet))
	for range count {
		ip, err := freeIPv6(tx, n, subnet, reserved)
		if err != nil {
			return err
		}
		n.IPv6 = append(n.IPv6, ip)
	}
	return nil
}

func addPrefixes(tx store.Tx, n *slipway.Interface, w Wanted) error {
	for _, p := range w.Prefixes {
		if p.Bits() != 28 || p.Masked() != p || !w.Subnet.CIDR.Contains(p.Addr()) {
			return slipway.Invalid(p.String(), "ipv4Prefix", "An IPv4 prefix is a /28 within the subnet.")
		}
		if !claimPrefix(tx, n, p) {
			return slipway.Errorf(slipway.InvalidIPAddressInUse, "Prefix %s is in use.", p)
		}
	}
	for range w.PrefixCount {
		if !freePrefix(tx, n, w.Subnet) {
			return slipway.Errorf(slipway.InsufficientFreeAddressesInSubnet, "The subnet '%s' has no free /28 prefix.",
				w.Subnet.ID)
		}
	}
	for _, p := range w.Prefixes6 {
		if p.Bits() != 80 || p.Masked() != p || !w.Subnet.IPv6.Prefix.IsValid() || !w.Subnet.IPv6.Prefix.Contains(p.Addr()) {
			return slipway.Invalid(p.String(), "ipv6Prefix", "An IPv6 prefix is a /80 within the subnet.")
		}
		n.Prefixes6 = append(n.Prefixes6, p)
	}
	for range w.Prefix6Count {
		if !w.Subnet.IPv6.Prefix.IsValid() {
			return slipway.Errorf(slipway.InvalidParameterValue, "The subnet '%s' does not have an IPv6 CIDR block.",
				w.Subnet.ID)
		}
		p, err := freePrefix6(tx, w.Subnet, state.ReservationsIn(tx, w.Subnet))
		if err != nil {
			return err
		}
		n.Prefixes6 = append(n.Prefixes6, p)
	}
	return nil
}

// claimPrefix takes all 16 addresses of a /28, or none.
func claimPrefix(tx store.Tx, n *slipway.Interface, p netip.Prefix) bool {
	scope := state.Scope{Account: n.Account, Region: n.Region}
	for ip := p.Addr(); p.Contains(ip); ip = ip.Next() {
		if tx.Get(state.InUse.Key(scope, state.AddressKey(string(n.Subnet), ip))) != nil {
			return false
		}
	}
	for ip := p.Addr(); p.Contains(ip); ip = ip.Next() {
		use(tx, n, ip)
	}
	n.Prefixes = append(n.Prefixes, p)
	return true
}

// Remove deletes the interface and gives its private addresses back. Public ones are the caller's matter.
func Remove(tx store.Tx, n *slipway.Interface) {
	for _, a := range n.Addresses {
		Unuse(tx, n, a.IP)
	}
	for _, ip := range n.IPv6 {
		Unuse(tx, n, ip)
	}
	for _, p := range n.Prefixes {
		for ip := p.Addr(); p.Contains(ip); ip = ip.Next() {
			Unuse(tx, n, ip)
		}
	}
	state.Interfaces.Delete(tx, state.Scope{Account: n.Account, Region: n.Region}, string(n.ID))
}

// newMAC makes a locally administered address of the kind that EC2 shows.
func newMAC() string {
	var b [6]byte
	rand.Read(b[:])
	b[0] = 0x02
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}

func span(p netip.Prefix) (base, size uint32) {
	return number(p.Masked().Addr()), 1 << (32 - p.Bits())
}

func number(ip netip.Addr) uint32 { b := ip.As4(); return binary.BigEndian.Uint32(b[:]) }

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
