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

// exactly refuses a request that names none of its alternatives, or several.
func exactly(first string, given ...bool) error {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	switch n {
	case 0:
		return slipway.Missing(first)
	case 1:
		return nil
	}
	return slipway.Errorf(slipway.InvalidParameterCombination, "Only one of addresses, their count, prefixes and their count can be specified")
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
func (s *Service) Assign(ctx context.Context, in *ec2wire.AssignPrivateIpAddressesRequest) (*ec2wire.AssignPrivateIpAddressesResult, error) {
	count, prefixCount := int(shape.Get(in.SecondaryPrivateIpAddressCount)), int(shape.Get(in.Ipv4PrefixCount))
	if err := exactly("PrivateIpAddress", len(in.PrivateIpAddresses) > 0, count > 0, len(in.Ipv4Prefixes) > 0, prefixCount > 0); err != nil {
		return nil, err
	}
	named, err := readAddresses(in.PrivateIpAddresses, "privateIpAddress", true)
	if err != nil {
		return nil, err
	}
	prefixes, err := readPrefixes(in.Ipv4Prefixes, "ipv4Prefix")
	if err != nil {
		return nil, err
	}
	out := &ec2wire.AssignPrivateIpAddressesResult{}
	id, err := s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) error {
		subnet, err := state.Subnets.Must(tx, state.Of(ctx), string(n.Subnet))
		if err != nil {
			return err
		}
		had, hadPrefixes := len(n.Addresses), len(n.Prefixes)
		for _, ip := range named {
			if err := s.take(tx, n, subnet, ip, shape.Get(in.AllowReassignment)); err != nil {
				return err
			}
		}
		if err := AddSecondary(tx, n, subnet, count); err != nil {
			return err
		}
		if err := addPrefixes(tx, n, Wanted{Subnet: subnet, Prefixes: prefixes, PrefixCount: prefixCount}); err != nil {
			return err
		}
		out.AssignedPrivateIpAddresses, out.AssignedIpv4Prefixes = []ec2wire.AssignedPrivateIpAddress{}, []ec2wire.Ipv4PrefixSpecification{}
		for _, a := range n.Addresses[had:] {
			out.AssignedPrivateIpAddresses = append(out.AssignedPrivateIpAddresses, ec2wire.AssignedPrivateIpAddress{PrivateIpAddress: shape.Of(a.IP.String())})
		}
		for _, p := range n.Prefixes[hadPrefixes:] {
			out.AssignedIpv4Prefixes = append(out.AssignedIpv4Prefixes, ec2wire.Ipv4PrefixSpecification{Ipv4Prefix: shape.Of(p.String())})
		}
		return limits(s.kind(tx, n), n)
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
			return slipway.Errorf(slipway.ResourceAlreadyAssigned, "The private IP address %s is already assigned to the network interface '%s'.", ip, from.ID)
		case i == 0:
			return slipway.Errorf(slipway.InvalidParameterValue, "The private IP address %s is the primary one of the network interface '%s'.", ip, from.ID)
		}
		moved := from.Addresses[i]
		from.Addresses = slices.Delete(from.Addresses, i, i+1)
		Unuse(tx, from, ip)
		use(tx, n, ip)
		n.Addresses = append(n.Addresses, moved)
		if moved.Allocation != "" {
			err := state.Addresses.Edit(tx, scope, string(moved.Allocation), func(a *slipway.Address) error { a.Interface = n.ID; return nil })
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
	if err := exactly("PrivateIpAddress", len(in.PrivateIpAddresses) > 0, len(in.Ipv4Prefixes) > 0); err != nil {
		return err
	}
	named, err := readAddresses(in.PrivateIpAddresses, "privateIpAddress", true)
	if err != nil {
		return err
	}
	prefixes, err := readPrefixes(in.Ipv4Prefixes, "ipv4Prefix")
	if err != nil {
		return err
	}
	_, err = s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) error {
		for _, ip := range named {
			i := slices.IndexFunc(n.Addresses, func(a slipway.PrivateAddress) bool { return a.IP == ip })
			if i < 0 {
				return slipway.Errorf(slipway.InvalidParameterValue, "The private IP address %s is not assigned to the network interface '%s'.", ip, n.ID)
			}
			if i == 0 {
				return slipway.Errorf(slipway.InvalidParameterValue, "The primary private IP address %s cannot be unassigned.", ip)
			}
			if err := addresses.Free(tx, &slipway.Interface{Account: n.Account, Region: n.Region, Addresses: n.Addresses[i : i+1]}); err != nil {
				return err
			}
			Unuse(tx, n, ip)
			n.Addresses = slices.Delete(n.Addresses, i, i+1)
		}
		for _, p := range prefixes {
			i := slices.Index(n.Prefixes, p)
			if i < 0 {
				return slipway.Errorf(slipway.InvalidParameterValue, "The prefix %s is not assigned to the network interface '%s'.", p, n.ID)
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
func (s *Service) AssignIPv6(ctx context.Context, in *ec2wire.AssignIpv6AddressesRequest) (*ec2wire.AssignIpv6AddressesResult, error) {
	count, prefixCount := int(shape.Get(in.Ipv6AddressCount)), int(shape.Get(in.Ipv6PrefixCount))
	if err := exactly("Ipv6Addresses", len(in.Ipv6Addresses) > 0, count > 0, len(in.Ipv6Prefixes) > 0, prefixCount > 0); err != nil {
		return nil, err
	}
	named, err := readAddresses(in.Ipv6Addresses, "ipv6Addresses", false)
	if err != nil {
		return nil, err
	}
	prefixes, err := readPrefixes(in.Ipv6Prefixes, "ipv6Prefix")
	if err != nil {
		return nil, err
	}
	out := &ec2wire.AssignIpv6AddressesResult{}
	id, err := s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) error {
		subnet, err := state.Subnets.Must(tx, state.Of(ctx), string(n.Subnet))
		if err != nil {
			return err
		}
		had, hadPrefixes := len(n.IPv6), len(n.Prefixes6)
		if err := AddIPv6(tx, n, subnet, named, count); err != nil {
			return err
		}
		if err := addPrefixes(tx, n, Wanted{Subnet: subnet, Prefixes6: prefixes, Prefix6Count: prefixCount}); err != nil {
			return err
		}
		out.AssignedIpv6Addresses, out.AssignedIpv6Prefixes = []string{}, []string{}
		for _, ip := range n.IPv6[had:] {
			out.AssignedIpv6Addresses = append(out.AssignedIpv6Addresses, ip.String())
		}
		for _, p := range n.Prefixes6[hadPrefixes:] {
			out.AssignedIpv6Prefixes = append(out.AssignedIpv6Prefixes, p.String())
		}
		return limits(s.kind(tx, n), n)
	})
	if err != nil {
		return nil, err
	}
	out.NetworkInterfaceId = shape.Text(id)
	return out, nil
}

// UnassignIPv6 answers UnassignIpv6Addresses.
func (s *Service) UnassignIPv6(ctx context.Context, in *ec2wire.UnassignIpv6AddressesRequest) (*ec2wire.UnassignIpv6AddressesResult, error) {
	if err := exactly("Ipv6Addresses", len(in.Ipv6Addresses) > 0, len(in.Ipv6Prefixes) > 0); err != nil {
		return nil, err
	}
	named, err := readAddresses(in.Ipv6Addresses, "ipv6Addresses", false)
	if err != nil {
		return nil, err
	}
	prefixes, err := readPrefixes(in.Ipv6Prefixes, "ipv6Prefix")
	if err != nil {
		return nil, err
	}
	out := &ec2wire.UnassignIpv6AddressesResult{UnassignedIpv6Addresses: in.Ipv6Addresses, UnassignedIpv6Prefixes: in.Ipv6Prefixes}
	id, err := s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) error {
		for _, ip := range named {
			i := slices.Index(n.IPv6, ip)
			switch {
			case i < 0:
				return slipway.Errorf(slipway.InvalidParameterValue, "The IPv6 address %s is not assigned to the network interface '%s'.", ip, n.ID)
			case i == 0 && n.PrimaryIPv6:
				return slipway.Errorf(slipway.InvalidParameterValue, "The primary IPv6 address %s cannot be unassigned.", ip)
			}
			Unuse(tx, n, ip)
			n.IPv6 = slices.Delete(n.IPv6, i, i+1)
		}
		for _, p := range prefixes {
			i := slices.Index(n.Prefixes6, p)
			if i < 0 {
				return slipway.Errorf(slipway.InvalidParameterValue, "The prefix %s is not assigned to the network interface '%s'.", p, n.ID)
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
