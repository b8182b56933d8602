package addresses

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func wire(r store.Reader, a *slipway.Address) ec2wire.Address {
	w := ec2wire.Address{
		AllocationId: shape.Text(a.ID), PublicIp: shape.Of(a.IP.String()), Domain: shape.Of("vpc"),
		PublicIpv4Pool: shape.Of("amazon"), NetworkBorderGroup: &a.Region, Tags: shape.Tags(a.Tags),
	}
	if a.Interface == "" {
		return w
	}
	w.AssociationId, w.NetworkInterfaceId, w.NetworkInterfaceOwnerId, w.PrivateIpAddress = shape.Text(a.Association),
		shape.Text(a.Interface), &a.Account, shape.Of(a.PrivateIP.String())
	if n := state.Interfaces.See(r, state.Scope{Account: a.Account, Region: a.Region}, string(a.Interface)); n != nil &&
		n.Attachment != nil {
		w.InstanceId = shape.Text(n.Attachment.Instance)
	}
	return w
}

var fields = func() filters.Fields[ec2wire.Address] {
	f := filters.Fields[ec2wire.Address]{}
	for name, get := range map[string]func(ec2wire.Address) *string{
		"allocation-id":              func(w ec2wire.Address) *string { return w.AllocationId },
		"association-id":             func(w ec2wire.Address) *string { return w.AssociationId },
		"domain":                     func(w ec2wire.Address) *string { return w.Domain },
		"instance-id":                func(w ec2wire.Address) *string { return w.InstanceId },
		"network-border-group":       func(w ec2wire.Address) *string { return w.NetworkBorderGroup },
		"network-interface-id":       func(w ec2wire.Address) *string { return w.NetworkInterfaceId },
		"network-interface-owner-id": func(w ec2wire.Address) *string { return w.NetworkInterfaceOwnerId },
		"private-ip-address":         func(w ec2wire.Address) *string { return w.PrivateIpAddress },
		"public-ip":                  func(w ec2wire.Address) *string { return w.PublicIp },
	} {
		f[name] = func(w ec2wire.Address) []string { return shape.One(shape.Get(get(w))) }
	}
	return f
}()

func tagsOf(w ec2wire.Address) slipway.Tags {
	out := slipway.Tags{}
	for _, t := range w.Tags {
		out[*t.Key] = *t.Value
	}
	return out
}

// Describe answers DescribeAddresses, which has no pages.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeAddressesRequest,
) (*ec2wire.DescribeAddressesResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), fields, tagsOf)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	if _, err := state.Addresses.RequireAll(r, scope, in.AllocationIds); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, ip := range in.PublicIps {
		for range state.Addresses.By(r, scope, "ip/"+ip) {
			found[ip] = true
		}
	}
	if missing := shape.Unseen(in.PublicIps, found); len(missing) > 0 {
		return nil, slipway.NotFound(slipway.InvalidAddressNotFound, "Address '%s' not found.", missing...)
	}
	named := len(in.AllocationIds)+len(in.PublicIps) > 0
	out := &ec2wire.DescribeAddressesResult{Addresses: []ec2wire.Address{}}
	for a := range state.Addresses.All(r, scope) {
		if named && !slices.Contains(in.AllocationIds, string(a.ID)) && !slices.Contains(in.PublicIps, a.IP.String()) {
			continue
		}
		if w := wire(r, a); match(w) {
			out.Addresses = append(out.Addresses, w)
		}
	}
	return out, nil
}

// Attribute answers DescribeAddressesAttribute: no address here has a reverse name of its own.
func (s *Service) Attribute(
	ctx context.Context, in *ec2wire.DescribeAddressesAttributeRequest,
) (*ec2wire.DescribeAddressesAttributeResult, error) {
	if a := shape.Get(in.Attribute); a != "" && a != "domain-name" {
		return nil, slipway.Invalid(a, "attribute", "It must be domain-name.")
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := state.Addresses.RequireAll(r, state.Of(ctx), in.AllocationIds); err != nil {
		return nil, err
	}
	return &ec2wire.DescribeAddressesAttributeResult{Addresses: []ec2wire.AddressAttribute{}}, nil
}
