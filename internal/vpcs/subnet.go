package vpcs

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// zone finds the zone that a request names by name or id; the first of the region when it names none.
func zone(region string, name, id *string) (slipway.Zone, error) {
	zones := slipway.Zones(region)
	text, parameter := shape.Get(name), "availabilityZone"
	if text == "" {
		text, parameter = shape.Get(id), "availabilityZoneId"
	}
	if text == "" {
		return zones[0], nil
	}
	z, ok := slipway.FindZone(region, text)
	if !ok || shape.Get(name) != "" && z.Name != text {
		names := make([]string, len(zones))
		for i := range zones {
			names[i] = zones[i].Name
		}
		return z, slipway.Invalid(text, parameter,
			"Subnets can currently only be created in the following availability zones: "+strings.Join(names, ", ")+".")
	}
	if shape.Get(name) != "" && shape.Get(id) != "" && z.ID != *id {
		return z, slipway.Errorf(slipway.InvalidParameterCombination,
			"The availability zone '%s' does not have the ID '%s'.", *name, *id)
	}
	return z, nil
}

// CreateSubnet answers CreateSubnet.
func (s *Service) CreateSubnet(ctx context.Context, in *ec2wire.CreateSubnetRequest) (*ec2wire.CreateSubnetResult, error) {
	scope := state.Of(ctx)
	id, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return nil, err
	}
	switch {
	case shape.Get(in.OutpostArn) != "":
		return nil, slipway.Refused("OutpostArn", "there are no Outposts here.")
	case shape.Get(in.Ipv6Native):
		return nil, slipway.Refused("Ipv6Native",
			"instances here need an IPv4 address to find their metadata and their way out.")
	case shape.Get(in.Ipv4IpamPoolId) != "" || in.Ipv4NetmaskLength != nil:
		return nil, slipway.Refused("Ipv4IpamPoolId", "there is no IP address manager here.")
	case shape.Get(in.Ipv6IpamPoolId) != "" || in.Ipv6NetmaskLength != nil:
		return nil, slipway.Refused("Ipv6IpamPoolId", "there is no IP address manager here.")
	}
	text, err := shape.Need(in.CidrBlock, "CidrBlock")
	if err != nil {
		return nil, err
	}
	z, err := zone(scope.Region, in.AvailabilityZone, in.AvailabilityZoneId)
	if err != nil {
		return nil, err
	}
	sub := &slipway.Subnet{
		ID: slipway.NewSubnetID(), Account: scope.Account, Region: scope.Region, VPC: id, Zone: z.Name,
		DNS:            slipway.PrivateDNS{HostnameType: "ip-name"},
		ACLAssociation: slipway.NewID("aclassoc"),
	}
	if sub.Tags, err = shape.TagsOf(in.TagSpecifications, "subnet"); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		v, err := state.VPCs.Require(tx, scope, string(id))
		if err != nil {
			return err
		}
		if sub.CIDR, err = subnetRange(tx, v, text); err != nil {
			return err
		}
		if shape.Get(in.Ipv6CidrBlock) != "" {
			if sub.IPv6, err = subnetRange6(tx, v, *in.Ipv6CidrBlock); err != nil {
				return err
			}
		}
		return putSubnet(tx, sub)
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.CreateSubnetResult{Subnet: fresh(sub)}, nil
}

// fresh is a subnet as the call that makes it shows it.
func fresh(sub *slipway.Subnet) *ec2wire.Subnet {
	w := wireSubnet(sub, 1<<(32-sub.CIDR.Bits())-5)
	w.State = shape.Of("pending")
	return &w
}

// putSubnet writes a new subnet with its VPC's default ACL.
func putSubnet(tx store.Tx, sub *slipway.Subnet) error {
	scope := state.Scope{Account: sub.Account, Region: sub.Region}
	acl, err := defaultACL(tx, scope, sub.VPC)
	if err != nil {
		return err
	}
	sub.NetworkACL = acl.ID
	return state.Subnets.Put(tx, sub)
}

func defaultACL(tx store.Tx, scope state.Scope, id slipway.VPCID) (*slipway.NetworkACL, error) {
	for a := range state.NetworkACLs.By(tx, scope, "vpc/"+string(id)) {
		if a.Default {
			return a, nil
		}
	}
	return nil, state.VPCs.Absent(string(id))
}

func subnetRange(tx store.Tx, v *slipway.VPC, text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return p, slipway.Invalid(text, "cidrBlock", "This is not a valid CIDR block.")
	}
	p = p.Masked()
	within := func(c slipway.CIDRBlock) bool { return c.Prefix.Contains(p.Addr()) && c.Prefix.Bits() <= p.Bits() }
	if p.Bits() < 16 || p.Bits() > 28 || !slices.ContainsFunc(v.CIDRs, within) {
		return p, slipway.Errorf(slipway.InvalidSubnetRange, "The CIDR '%s' is invalid.", text)
	}
	for other := range state.Subnets.By(tx, state.Scope{Account: v.Account, Region: v.Region}, "vpc/"+string(v.ID)) {
		if other.CIDR.Overlaps(p) {
			return p, slipway.Errorf(slipway.InvalidSubnetConflict, "The CIDR '%s' conflicts with another subnet", p)
		}
	}
	return p, nil
}

// CreateDefaultSubnet answers CreateDefaultSubnet: a /20 of the default VPC that no subnet overlaps.
func (s *Service) CreateDefaultSubnet(
	ctx context.Context, in *ec2wire.CreateDefaultSubnetRequest,
) (*ec2wire.CreateDefaultSubnetResult, error) {
	scope := state.Of(ctx)
	if shape.Get(in.Ipv6Native) {
		return nil, slipway.Refused("Ipv6Native",
			"instances here need an IPv4 address to find their metadata and their way out.")
	}
	if shape.Get(in.AvailabilityZone) == "" && shape.Get(in.AvailabilityZoneId) == "" {
		return nil, slipway.Missing("AvailabilityZone")
	}
	z, err := zone(scope.Region, in.AvailabilityZone, in.AvailabilityZoneId)
	if err != nil {
		return nil, err
	}
	var made *slipway.Subnet
	err = s.db.Update(ctx, func(tx store.Tx) error {
		region, err := state.Regions.Get(tx, scope, "-")
		if err != nil {
			return err
		}
		if region.DefaultVPC == "" {
			return slipway.Errorf(slipway.DefaultVpcDoesNotExist, "No default VPC exists for this account in this region.")
		}
		v, err := state.VPCs.Require(tx, scope, string(region.DefaultVPC))
		if err != nil {
			return err
		}
		var taken []netip.Prefix
		for other := range state.Subnets.By(tx, scope, "vpc/"+string(v.ID)) {
			if other.DefaultForZone && other.Zone == z.Name {
				return slipway.Errorf(slipway.DefaultSubnetAlreadyExistsInAvailabilityZone,
					"'%s' is already the default subnet in %s.", other.ID, z.Name)
			}
			taken = append(taken, other.CIDR)
		}
		for n := range 16 {
			made = DefaultSubnet(v, "", z.Name, n)
			if !slices.ContainsFunc(taken, made.CIDR.Overlaps) {
				return putSubnet(tx, made)
			}
		}
		return slipway.Errorf(slipway.InvalidSubnetConflict, "The default VPC has no free /20 for a default subnet")
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.CreateDefaultSubnetResult{Subnet: new(wireSubnet(made, 1<<(32-made.CIDR.Bits())-5))}, nil
}

// DeleteSubnet answers DeleteSubnet.
func (s *Service) DeleteSubnet(ctx context.Context, in *ec2wire.DeleteSubnetRequest) error {
	id, err := shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID)
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		sub, err := state.Subnets.Require(tx, scope, string(id))
		if err != nil {
			return err
		}
		for range state.Interfaces.By(tx, scope, "subnet/"+string(id)) {
			return slipway.Errorf(slipway.DependencyViolation, "The subnet '%s' has dependencies and cannot be deleted.", id)
		}
		for t := range state.RouteTables.By(tx, scope, "vpc/"+string(sub.VPC)) {
			of := func(a slipway.RouteAssociation) bool { return a.Subnet == id }
			if !slices.ContainsFunc(t.Associations, of) {
				continue
			}
			err := state.RouteTables.Edit(tx, scope, string(t.ID), func(t *slipway.RouteTable) error {
				t.Associations = slices.DeleteFunc(t.Associations, of)
				return nil
			})
			if err != nil {
				return err
			}
		}
		for _, v := range state.ReservationsIn(tx, sub) {
			state.SubnetReservations.Delete(tx, scope, v.ID)
		}
		state.Subnets.Delete(tx, scope, string(id))
		return nil
	})
}

// ModifySubnet answers ModifySubnetAttribute.
func (s *Service) ModifySubnet(ctx context.Context, in *ec2wire.ModifySubnetAttributeRequest) error {
	id, err := shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID)
	if err != nil {
		return err
	}
	set := func(v *ec2wire.AttributeBooleanValue) bool { return v != nil && v.Value != nil }
	on := func(v *ec2wire.AttributeBooleanValue) bool { return set(v) && *v.Value }
	switch {
	case on(in.MapCustomerOwnedIpOnLaunch) || shape.Get(in.CustomerOwnedIpv4Pool) != "":
		return slipway.Refused("MapCustomerOwnedIpOnLaunch", "there are no Outposts here.")
	case in.EnableLniAtDeviceIndex != nil || on(in.DisableLniAtDeviceIndex):
		return slipway.Refused("EnableLniAtDeviceIndex", "there are no Outposts here.")
	case on(in.EnableDns64):
		return slipway.Refused("EnableDns64", "there is no NAT64 here that its answers could lead to.")
	}
	err = one(set(in.AssignIpv6AddressOnCreation), set(in.MapPublicIpOnLaunch), set(in.MapCustomerOwnedIpOnLaunch),
		set(in.EnableDns64), shape.Get(in.PrivateDnsHostnameTypeOnLaunch) != "",
		set(in.EnableResourceNameDnsARecordOnLaunch), set(in.EnableResourceNameDnsAAAARecordOnLaunch),
		set(in.DisableLniAtDeviceIndex))
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.Subnets.Edit(tx, state.Of(ctx), string(id), func(sub *slipway.Subnet) error {
			switch {
			case set(in.AssignIpv6AddressOnCreation):
				if *in.AssignIpv6AddressOnCreation.Value && !sub.IPv6.Prefix.IsValid() {
					return slipway.Errorf(slipway.InvalidParameterValue,
						"Invalid value 'true' for assignIpv6AddressOnCreation. The subnet '%s' must be associated "+
							"with an IPv6 CIDR block.",
						id)
				}
				sub.IPv6OnCreation = *in.AssignIpv6AddressOnCreation.Value
			case set(in.MapPublicIpOnLaunch):
				sub.PublicOnLaunch = *in.MapPublicIpOnLaunch.Value
			case set(in.EnableResourceNameDnsARecordOnLaunch):
				sub.DNS.ARecord = *in.EnableResourceNameDnsARecordOnLaunch.Value
			case set(in.EnableResourceNameDnsAAAARecordOnLaunch):
				sub.DNS.AAAARecord = *in.EnableResourceNameDnsAAAARecordOnLaunch.Value
			case in.PrivateDnsHostnameTypeOnLaunch != nil:
				t := *in.PrivateDnsHostnameTypeOnLaunch
				if t != "ip-name" && t != "resource-name" {
					return slipway.Invalid(t, "privateDnsHostnameTypeOnLaunch", "It must be ip-name or resource-name.")
				}
				sub.DNS.HostnameType = t
			}
			return nil
		})
	})
}
