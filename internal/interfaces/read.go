package interfaces

import (
	"net/netip"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

func readAddress(text, parameter string, four bool) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Is4() != four {
		return ip, slipway.Errorf(slipway.InvalidParameterValue, "Value (%s) for parameter %s is invalid. Invalid IP address.", text, parameter)
	}
	return ip, nil
}

func readAddresses(texts []string, parameter string, four bool) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, text := range texts {
		ip, err := readAddress(text, parameter, four)
		if err != nil {
			return nil, err
		}
		out = append(out, ip)
	}
	return out, nil
}

func readPrefixes(texts []string, parameter string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, slipway.Invalid(text, parameter, "Invalid prefix.")
		}
		out = append(out, p)
	}
	return out, nil
}

func together(a, b string) error {
	return slipway.Errorf(slipway.InvalidParameterCombination, "The parameter %s cannot be used with the parameter %s", a, b)
}

// readWanted takes from CreateNetworkInterface what the interface shall have.
func readWanted(in *ec2wire.CreateNetworkInterfaceRequest) (Wanted, error) {
	w := Wanted{
		Description: shape.Get(in.Description), SecondaryCount: int(shape.Get(in.SecondaryPrivateIpAddressCount)), IPv6Count: int(shape.Get(in.Ipv6AddressCount)),
		PrefixCount: int(shape.Get(in.Ipv4PrefixCount)), Prefix6Count: int(shape.Get(in.Ipv6PrefixCount)), PrimaryIPv6: shape.Get(in.EnablePrimaryIpv6),
	}
	switch t := shape.Get(in.InterfaceType); t {
	case "", "interface":
	case "efa", "efa-only", "branch", "trunk":
		return w, slipway.Refused("InterfaceType "+t, "no instance type here has a card of that kind.")
	default:
		return w, slipway.Invalid(t, "interfaceType", "It must be interface.")
	}
	switch {
	case in.ConnectionTrackingSpecification != nil:
		return w, slipway.Refused("ConnectionTrackingSpecification", "the host's kernel has one set of time-outs for all interfaces.")
	case in.Operator != nil && shape.Get(in.Operator.Principal) != "":
		return w, slipway.Refused("Operator", "no services manage interfaces here.")
	}
	var err error
	if text := shape.Get(in.PrivateIpAddress); text != "" {
		if w.Primary, err = readAddress(text, "privateIpAddress", true); err != nil {
			return w, err
		}
	}
	if err := w.listed(in.PrivateIpAddresses); err != nil {
		return w, err
	}
	var six, prefixes, prefixes6 []string
	for _, a := range in.Ipv6Addresses {
		six = append(six, shape.Get(a.Ipv6Address))
		w.PrimaryIPv6 = w.PrimaryIPv6 || shape.Get(a.IsPrimaryIpv6)
	}
	for _, p := range in.Ipv4Prefixes {
		prefixes = append(prefixes, shape.Get(p.Ipv4Prefix))
	}
	for _, p := range in.Ipv6Prefixes {
		prefixes6 = append(prefixes6, shape.Get(p.Ipv6Prefix))
	}
	if w.IPv6, err = readAddresses(six, "ipv6Addresses", false); err != nil {
		return w, err
	}
	if w.Prefixes, err = readPrefixes(prefixes, "ipv4Prefix"); err != nil {
		return w, err
	}
	if w.Prefixes6, err = readPrefixes(prefixes6, "ipv6Prefix"); err != nil {
		return w, err
	}
	switch {
	case w.SecondaryCount > 0 && len(w.Secondary) > 0:
		return w, together("secondaryPrivateIpAddressCount", "privateIpAddresses")
	case w.IPv6Count > 0 && len(w.IPv6) > 0:
		return w, together("ipv6AddressCount", "ipv6Addresses")
	case w.PrefixCount > 0 && len(w.Prefixes) > 0:
		return w, together("ipv4PrefixCount", "ipv4Prefixes")
	case w.Prefix6Count > 0 && len(w.Prefixes6) > 0:
		return w, together("ipv6PrefixCount", "ipv6Prefixes")
	case len(w.Description) > 255:
		return w, slipway.Invalid(w.Description, "description", "It may have 255 characters at most.")
	}
	return w, nil
}

// listed takes PrivateIpAddresses, of which one is the primary.
func (w *Wanted) listed(in []ec2wire.PrivateIpAddressSpecification) error {
	primaries := 0
	for _, a := range in {
		ip, err := readAddress(shape.Get(a.PrivateIpAddress), "privateIpAddresses", true)
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
	if len(in) > 0 && (primaries > 1 || primaries == 0 && !w.Primary.IsValid()) {
		return slipway.Errorf(slipway.InvalidParameterValue, "Exactly one of privateIpAddresses must be primary.")
	}
	return nil
}
