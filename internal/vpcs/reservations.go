package vpcs

import (
	"context"
	"net/netip"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// CreateReservation answers CreateSubnetCidrReservation. What is in use in the range already stays so.
func (s *Service) CreateReservation(
	ctx context.Context, in *ec2wire.CreateSubnetCidrReservationRequest,
) (*ec2wire.CreateSubnetCidrReservationResult, error) {
	subnet, err := shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID)
	if err != nil {
		return nil, err
	}
	text, err := shape.Need(in.Cidr, "Cidr")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	v := &state.SubnetReservation{
		ID: slipway.NewID("scr"), Scope: scope, Subnet: subnet, Type: shape.Get(in.ReservationType),
		Description: shape.Get(in.Description),
	}
	switch v.Type {
	case "":
		return nil, slipway.Missing("ReservationType")
	case state.ReservedPrefixes, state.ReservedExplicitly:
	default:
		return nil, slipway.Invalid(v.Type, "reservationType", "It must be prefix or explicit.")
	}
	if v.CIDR, err = netip.ParsePrefix(text); err != nil || v.CIDR.Masked() != v.CIDR {
		return nil, slipway.Invalid(text, "cidr", "This is not a valid CIDR block.")
	}
	if v.Tags, err = shape.TagsOf(in.TagSpecifications, "subnet-cidr-reservation"); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		sub, err := state.Subnets.Require(tx, scope, string(subnet))
		if err != nil {
			return err
		}
		if err := fitsSubnet(tx, sub, v); err != nil {
			return err
		}
		return state.SubnetReservations.Put(tx, v)
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.CreateSubnetCidrReservationResult{SubnetCidrReservation: wireReservation(v)}, nil
}

// fitsSubnet refuses a range that is not the subnet's, that holds no prefix where prefixes are taken from it, or that
// another reservation has.
func fitsSubnet(r store.Reader, sub *slipway.Subnet, v *state.SubnetReservation) error {
	of, smallest := sub.CIDR, 28
	if v.CIDR.Addr().Is6() {
		of, smallest = sub.IPv6.Prefix, 80
	}
	switch {
	case !of.IsValid() || !of.Contains(v.CIDR.Addr()) || v.CIDR.Bits() < of.Bits():
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Reservation CIDR %s is not within the CIDR block of subnet %s", v.CIDR, sub.ID)
	case v.Type == state.ReservedPrefixes && v.CIDR.Bits() > smallest:
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Reservation CIDR %s is too small for the reservation type prefix: it must be a /%d or larger.", v.CIDR, smallest)
	}
	for _, other := range state.ReservationsIn(r, sub) {
		if other.CIDR.Overlaps(v.CIDR) {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"Reservation CIDR %s has overlap with existing reserved CIDR block", v.CIDR)
		}
	}
	return nil
}

func wireReservation(v *state.SubnetReservation) *ec2wire.SubnetCidrReservation {
	return &ec2wire.SubnetCidrReservation{
		SubnetCidrReservationId: &v.ID, SubnetId: shape.Text(v.Subnet), Cidr: shape.Of(v.CIDR.String()),
		ReservationType: &v.Type, OwnerId: &v.Scope.Account, Description: shape.Text(v.Description), Tags: shape.Tags(v.Tags),
	}
}

var reservationFields = filters.Fields[*state.SubnetReservation]{
	"reservationType": func(v *state.SubnetReservation) []string { return shape.One(v.Type) },
	"subnet-id":       func(v *state.SubnetReservation) []string { return shape.One(v.Subnet) },
}

// Reservations answers GetSubnetCidrReservations.
func (s *Service) Reservations(
	ctx context.Context, in *ec2wire.GetSubnetCidrReservationsRequest,
) (*ec2wire.GetSubnetCidrReservationsResult, error) {
	id, err := shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID)
	if err != nil {
		return nil, err
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), reservationFields,
		func(v *state.SubnetReservation) slipway.Tags { return v.Tags })
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	sub, err := state.Subnets.Require(r, state.Of(ctx), string(id))
	if err != nil {
		return nil, err
	}
	var found []*state.SubnetReservation
	for _, v := range state.ReservationsIn(r, sub) {
		if match(v) {
			found = append(found, v)
		}
	}
	page, next, err := describe.Page(found, in.MaxResults, in.NextToken, false, 5)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.GetSubnetCidrReservationsResult{
		SubnetIpv4CidrReservations: []ec2wire.SubnetCidrReservation{},
		SubnetIpv6CidrReservations: []ec2wire.SubnetCidrReservation{}, NextToken: next,
	}
	for _, v := range page {
		if w := wireReservation(v); v.CIDR.Addr().Is4() {
			out.SubnetIpv4CidrReservations = append(out.SubnetIpv4CidrReservations, *w)
		} else {
			out.SubnetIpv6CidrReservations = append(out.SubnetIpv6CidrReservations, *w)
		}
	}
	return out, nil
}

// DeleteReservation answers DeleteSubnetCidrReservation: what was taken from the range stays taken.
func (s *Service) DeleteReservation(
	ctx context.Context, in *ec2wire.DeleteSubnetCidrReservationRequest,
) (*ec2wire.DeleteSubnetCidrReservationResult, error) {
	id, err := shape.Need(in.SubnetCidrReservationId, "SubnetCidrReservationId")
	if err != nil {
		return nil, err
	}
	scope, out := state.Of(ctx), &ec2wire.DeleteSubnetCidrReservationResult{}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		v, err := state.SubnetReservations.Require(tx, scope, id)
		if err != nil {
			return err
		}
		out.DeletedSubnetCidrReservation = wireReservation(v)
		state.SubnetReservations.Delete(tx, scope, id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
