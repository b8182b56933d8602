// Package interfacespec reads what requests say of the addresses of a network interface that is to be: their forms, and
// that nothing is both given and counted. What addresses there are, it does not know: interfaces gives them.
package interfacespec

import (
	"net/netip"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// ReadAddress reads an address of version 4 or 6. Its error names the parameter.
func ReadAddress(text, parameter string, four bool) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Is4() != four {
		return ip, slipway.Invalid(text, parameter, "Invalid IP address.")
	}
	return ip, nil
}

// ReadPrefix adds a prefix to a list. Its error names the parameter.
func ReadPrefix(list []netip.Prefix, text, parameter string) ([]netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, slipway.Invalid(text, parameter, "Invalid prefix.")
	}
	return append(list, p), nil
}

func together(a, b string) error {
	return slipway.Errorf(slipway.InvalidParameterCombination, "The parameter %s cannot be used with the parameter %s", a, b)
}

// Addresses are what requests say of a new interface's addresses: a launch and CreateNetworkInterface alike.
type Addresses struct {
	Primary      *string
	Private      []ec2wire.PrivateIpAddressSpecification // of which one is the primary
	Count        *int32
	IPv6         []ec2wire.InstanceIpv6Address
	IPv6Count    *int32
	PrimaryIPv6  *bool
	Prefixes     []ec2wire.Ipv4PrefixSpecificationRequest
	PrefixCount  *int32
	Prefixes6    []ec2wire.Ipv6PrefixSpecificationRequest
	Prefix6Count *int32
}

// Read checks their forms, and that nothing is both given and counted.
func (p Addresses) Read() (slipway.InterfaceAddresses, error) {
	w := slipway.InterfaceAddresses{
		SecondaryCount: int(shape.Get(p.Count)), IPv6Count: int(shape.Get(p.IPv6Count)), PrimaryIPv6: shape.Get(p.PrimaryIPv6),
		PrefixCount: int(shape.Get(p.PrefixCount)), Prefix6Count: int(shape.Get(p.Prefix6Count)),
	}
	if err := p.readIPv4(&w); err != nil {
		return w, err
	}
	if err := p.readIPv6(&w); err != nil {
		return w, err
	}
	var err error
	for _, b := range p.Prefixes {
		if w.Prefixes, err = ReadPrefix(w.Prefixes, shape.Get(b.Ipv4Prefix), "ipv4Prefix"); err != nil {
			return w, err
		}
	}
	for _, b := range p.Prefixes6 {
		if w.Prefixes6, err = ReadPrefix(w.Prefixes6, shape.Get(b.Ipv6Prefix), "ipv6Prefix"); err != nil {
			return w, err
		}
	}
	switch {
	case w.SecondaryCount > 0 && len(w.Secondary) > 0:
		return w, together("secondaryPrivateIpAddressCount", "privateIpAddresses")
	case w.IPv6Count > 0 && len(w.IPv6) > 0:
		return w, together("ipv6Addresses", "ipv6AddressCount")
	case w.PrefixCount > 0 && len(w.Prefixes) > 0:
		return w, together("ipv4Prefixes", "ipv4PrefixCount")
	case w.Prefix6Count > 0 && len(w.Prefixes6) > 0:
		return w, together("ipv6Prefixes", "ipv6PrefixCount")
	}
	return w, nil
}

func (p Addresses) readIPv4(w *slipway.InterfaceAddresses) error {
	var err error
	if text := shape.Get(p.Primary); text != "" {
		if w.Primary, err = ReadAddress(text, "privateIpAddress", true); err != nil {
			return err
		}
	}
	primaries := 0
	for _, a := range p.Private {
		ip, err := ReadAddress(shape.Get(a.PrivateIpAddress), "privateIpAddresses", true)
		if err != nil {
			return err
		}
		if !shape.Get(a.Primary) {
			w.Secondary = append(w.Secondary, ip)
			continue
		}
		primaries++
		if w.Primary.IsValid() && w.Primary != ip {
			return together("privateIpAddress", "privateIpAddresses")
		}
		w.Primary = ip
	}
	if len(p.Private) > 0 && (primaries > 1 || primaries == 0 && !w.Primary.IsValid()) {
		return slipway.Errorf(slipway.InvalidParameterValue, "Exactly one of privateIpAddresses must be primary.")
	}
	return nil
}

func (p Addresses) readIPv6(w *slipway.InterfaceAddresses) error {
	primary := false
	for _, a := range p.IPv6 {
		ip, err := ReadAddress(shape.Get(a.Ipv6Address), "ipv6Addresses", false)
		if err != nil {
			return err
		}
		if !shape.Get(a.IsPrimaryIpv6) {
			w.IPv6 = append(w.IPv6, ip)
			continue
		}
		if primary {
			return slipway.Errorf(slipway.InvalidParameterValue, "Only one IPv6 address may be primary.")
		}
		primary, w.PrimaryIPv6, w.IPv6 = true, true, slices.Insert(w.IPv6, 0, ip)
	}
	return nil
}
