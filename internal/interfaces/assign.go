package interfaces

import (
	"context"
	"net/netip"
	"slices"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// version is what an IP version's parameters are called.
type version struct{ first, address, prefix string }

var (
	ipv4 = version{"PrivateIpAddress", "privateIpAddress", "ipv4Prefix"}
	ipv6 = version{"Ipv6Addresses", "ipv6Addresses", "ipv6Prefix"}
)

// read checks that a request gives addresses, prefixes or a count of one of them, and nothing besides.
func (v version) read(addresses, prefixes []string, counts ...int) (ips []netip.Addr, blocks []netip.Prefix, err error) {
	given := 0
	for _, n := range append(counts, len(addresses), len(prefixes)) {
		if n > 0 {
			given++
		}
	}
	switch given {
	case 0:
		return nil, nil, slipway.Missing(v.first)
	case 1:
	default:
		return nil, nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"Only one of addresses, their count, prefixes and their count can be specified")
	}
	if ips, err = readAddresses(addresses, v.address, v == ipv4); err != nil {
		return nil, nil, err
	}
	blocks, err = readPrefixes(prefixes, v.prefix)
	return ips, blocks, err
}

// assign is edit for what gives an interface more of its subnet's addresses, within what its instance's type has.
func (s *Service) assign(
	ctx context.Context, name *string, give func(store.Tx, *slipway.Interface, *slipway.Subnet) error,
) (slipway.InterfaceID, error) {
	return s.edit(ctx, name, func(tx store.Tx, n *slipway.Interface) error {
		subnet, err := state.Subnets.Require(tx, state.Of(ctx), string(n.Subnet))
		if err != nil {
			return err
		}
		if err := give(tx, n, subnet); err != nil {
			return err
		}
		return limits(s.kind(tx, n), n)
	})
}

func (s *Service) kind(tx store.Tx, n *slipway.Interface) *slipway.InstanceType {
	if n.Attachment == nil {
		return nil
	}
	i := state.Instances.See(tx, state.Scope{Account: n.Account, Region: n.Region}, string(n.Attachment.Instance))
	if i == nil {
		return nil
	}
	return slipway.FindInstanceType(i.Type)
}

// Assign answers AssignPrivateIpAddresses.
func (s *Service) Assign(
	ctx context.Context, in *ec2wire.AssignPrivateIpAddressesRequest,
) (*ec2wire.AssignPrivateIpAddressesResult, error) {
	count, prefixCount := int(shape.Get(in.SecondaryPrivateIpAddressCount)), int(shape.Get(in.Ipv4PrefixCount))
	named, prefixes, err := ipv4.read(in.PrivateIpAddresses, in.Ipv4Prefixes, count, prefixCount)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.AssignPrivateIpAddressesResult{}
	id, err := s.assign(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet) error {
		had, hadPrefixes := len(n.Addresses), len(n.Prefixes)
		for _, ip := range named {
			if err := s.take(tx, n, subnet, ip, shape.Get(in.AllowReassignment)); err != nil {
				return err
			}
		}
		if err := AddSecondary(tx, n, subnet, count); err != nil {
			return err
		}
		if err := addPrefixes(tx, n,
			Wanted{
				Subnet: subnet, InterfaceAddresses: slipway.InterfaceAddresses{Prefixes: prefixes, PrefixCount: prefixCount},
			}); err != nil {
			return err
		}
		out.AssignedPrivateIpAddresses, out.AssignedIpv4Prefixes = []ec2wire.AssignedPrivateIpAddress{},
			[]ec2wire.Ipv4PrefixSpecification{}
		for _, a := range n.Addresses[had:] {
			out.AssignedPrivateIpAddresses = append(out.AssignedPrivateIpAddresses,
				ec2wire.AssignedPrivateIpAddress{PrivateIpAddress: shape.Of(a.IP.String())})
		}
		for _, p := range n.Prefixes[hadPrefixes:] {
			out.AssignedIpv4Prefixes = append(out.AssignedIpv4Prefixes,
				ec2wire.Ipv4PrefixSpecification{Ipv4Prefix: shape.Of(p.String())})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.NetworkInterfaceId = shape.Text(id)
	return out, nil
}

// take gives an interface an address that the caller named, from another interface of the subnet if it may; the elastic address
// that leads to it comes along.
func (s *Service) take(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet, ip netip.Addr, reassign bool) error {
	is := func(a slipway.PrivateAddress) bool { return a.IP == ip }
	if slices.ContainsFunc(n.Addresses, is) {
		return nil
	}
	scope := state.Scope{Account: n.Account, Region: n.Region}
	for shared := range state.Interfaces.By(tx, scope, "ip/"+ip.String()) {
		if shared.Subnet != n.Subnet {
			continue
		}
		from, err := state.Interfaces.Get(tx, scope, string(shared.ID))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(from.Addresses, is)
		switch {
		case i < 0:
			continue
		case !reassign:
			return slipway.Errorf(slipway.ResourceAlreadyAssigned,
				"The private IP address %s is already assigned to the network interface '%s'.", ip, from.ID)
		case i == 0:
			return slipway.Errorf(slipway.InvalidParameterValue,
				"The private IP address %s is the primary one of the network interface '%s'.", ip, from.ID)
		}
		moved := from.Addresses[i]
		from.Addresses = slices.Delete(from.Addresses, i, i+1)
		Unuse(tx, from, ip)
		use(tx, n, ip)
		n.Addresses = append(n.Addresses, moved)
		if moved.Allocation != "" {
			err := state.Addresses.Edit(tx, scope, string(moved.Allocation), func(a *slipway.Address) error {
				a.Interface = n.ID
				return nil
			})
			if err != nil {
				return err
			}
		}
		return state.Interfaces.Put(tx, from)
	}
	return Claim(tx, n, subnet, ip)
}

// Unassign answers UnassignPrivateIpAddresses: the primary stays.
func (s *Service) Unassign(ctx context.Context, in *ec2wire.UnassignPrivateIpAddressesRequest) error {
	named, prefixes, err := ipv4.read(in.PrivateIpAddresses, in.Ipv4Prefixes)
	if err != nil {
		return err
	}
	_, err = s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) error {
		for _, ip := range named {
			i := slices.IndexFunc(n.Addresses, func(a slipway.PrivateAddress) bool { return a.IP == ip })
			if i < 0 {
				return slipway.Errorf(slipway.InvalidParameterValue,
					"The private IP address %s is not assigned to the network interface '%s'.", ip, n.ID)
			}
			if i == 0 {
				return slipway.Errorf(slipway.InvalidParameterValue,
					"The primary private IP address %s cannot be unassigned.", ip)
			}
			if err := addresses.Free(tx,
				&slipway.Interface{Account: n.Account, Region: n.Region, Addresses: n.Addresses[i : i+1]}); err != nil {
				return err
			}
			Unuse(tx, n, ip)
			n.Addresses = slices.Delete(n.Addresses, i, i+1)
		}
		for _, p := range prefixes {
			i := slices.Index(n.Prefixes, p)
			if i < 0 {
				return slipway.Errorf(slipway.InvalidParameterValue,
					"The prefix %s is not assigned to the network interface '%s'.", p, n.ID)
			}
			for ip := p.Addr(); p.Contains(ip); ip = ip.Next() {
				Unuse(tx, n, ip)
			}
			n.Prefixes = slices.Delete(n.Prefixes, i, i+1)
		}
		return nil
	})
	return err
}

// AssignIPv6 answers AssignIpv6Addresses.
func (s *Service) AssignIPv6(
	ctx context.Context, in *ec2wire.AssignIpv6AddressesRequest,
) (*ec2wire.AssignIpv6AddressesResult, error) {
	count, prefixCount := int(shape.Get(in.Ipv6AddressCount)), int(shape.Get(in.Ipv6PrefixCount))
	named, prefixes, err := ipv6.read(in.Ipv6Addresses, in.Ipv6Prefixes, count, prefixCount)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.AssignIpv6AddressesResult{}
	id, err := s.assign(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface, subnet *slipway.Subnet) error {
		had, hadPrefixes := len(n.IPv6), len(n.Prefixes6)
		if err := AddIPv6(tx, n, subnet, named, count); err != nil {
			return err
		}
		if err := addPrefixes(tx, n,
			Wanted{
				Subnet: subnet, InterfaceAddresses: slipway.InterfaceAddresses{Prefixes6: prefixes, Prefix6Count: prefixCount},
			}); err != nil {
			return err
		}
		out.AssignedIpv6Addresses, out.AssignedIpv6Prefixes = []string{}, []string{}
		for _, ip := range n.IPv6[had:] {
			out.AssignedIpv6Addresses = append(out.AssignedIpv6Addresses, ip.String())
		}
		for _, p := range n.Prefixes6[hadPrefixes:] {
			out.AssignedIpv6Prefixes = append(out.AssignedIpv6Prefixes, p.String())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.NetworkInterfaceId = shape.Text(id)
	return out, nil
}

// UnassignIPv6 answers UnassignIpv6Addresses.
func (s *Service) UnassignIPv6(
	ctx context.Context, in *ec2wire.UnassignIpv6AddressesRequest,
) (*ec2wire.UnassignIpv6AddressesResult, error) {
	named, prefixes, err := ipv6.read(in.Ipv6Addresses, in.Ipv6Prefixes)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.UnassignIpv6AddressesResult{
		UnassignedIpv6Addresses: in.Ipv6Addresses, UnassignedIpv6Prefixes: in.Ipv6Prefixes,
	}
	id, err := s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) error {
		for _, ip := range named {
			i := slices.Index(n.IPv6, ip)
			switch {
			case i < 0:
				return slipway.Errorf(slipway.InvalidParameterValue,
					"The IPv6 address %s is not assigned to the network interface '%s'.", ip, n.ID)
			case i == 0 && n.PrimaryIPv6:
				return slipway.Errorf(slipway.InvalidParameterValue, "The primary IPv6 address %s cannot be unassigned.", ip)
			}
			Unuse(tx, n, ip)
			n.IPv6 = slices.Delete(n.IPv6, i, i+1)
		}
		for _, p := range prefixes {
			i := slices.Index(n.Prefixes6, p)
			if i < 0 {
				return slipway.Errorf(slipway.InvalidParameterValue,
					"The prefix %s is not assigned to the network interface '%s'.", p, n.ID)
			}
			n.Prefixes6 = slices.Delete(n.Prefixes6, i, i+1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.NetworkInterfaceId = shape.Text(id)
	return out, nil
}
