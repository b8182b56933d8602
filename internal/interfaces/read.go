package interfaces

import (
	"net/netip"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/interfacespec"
	"slipway/internal/shape"
)

func readAddresses(texts []string, parameter string, four bool) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, text := range texts {
		ip, err := interfacespec.ReadAddress(text, parameter, four)
		if err != nil {
			return nil, err
		}
		out = append(out, ip)
	}
	return out, nil
}

func readPrefixes(texts []string, parameter string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	var err error
	for _, text := range texts {
		if out, err = interfacespec.ReadPrefix(out, text, parameter); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readWanted takes from CreateNetworkInterface what the interface shall have.
func readWanted(in *ec2wire.CreateNetworkInterfaceRequest) (Wanted, error) {
	w := Wanted{Description: shape.Get(in.Description)}
	switch t := shape.Get(in.InterfaceType); t {
	case "", "interface":
	case "efa", "efa-only", "branch", "trunk":
		return w, slipway.Refused("InterfaceType "+t, "no instance type here has a card of that kind.")
	default:
		return w, slipway.Invalid(t, "interfaceType", "It must be interface.")
	}
	switch {
	case in.ConnectionTrackingSpecification != nil:
		return w, slipway.Refused("ConnectionTrackingSpecification",
			"the host's kernel has one set of time-outs for all interfaces.")
	case in.Operator != nil && shape.Get(in.Operator.Principal) != "":
		return w, slipway.Refused("Operator", "no services manage interfaces here.")
	}
	var err error
	w.InterfaceAddresses, err = interfacespec.Addresses{
		Primary: in.PrivateIpAddress, Private: in.PrivateIpAddresses, Count: in.SecondaryPrivateIpAddressCount,
		IPv6: in.Ipv6Addresses, IPv6Count: in.Ipv6AddressCount, PrimaryIPv6: in.EnablePrimaryIpv6,
		Prefixes: in.Ipv4Prefixes, PrefixCount: in.Ipv4PrefixCount, Prefixes6: in.Ipv6Prefixes,
		Prefix6Count: in.Ipv6PrefixCount,
	}.Read()
	return w, err
}
