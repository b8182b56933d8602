package vpcs

import (
	"context"
	"net/netip"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// reserved are ranges that no VPC may overlap: they mean something else to every host, or stand for links of the data plane.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("224.0.0.0/3"),
}

// readRange takes an IPv4 range of a VPC: /16 to /28. Host bits are cleared, as EC2 does.
func readRange(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return p, slipway.Invalid(s, "cidrBlock", "This is not a valid CIDR block.")
	}
	if p.Bits() < 16 || p.Bits() > 28 {
		return p, slipway.Errorf(slipway.InvalidVpcRange, "The CIDR '%s' is invalid.", s)
	}
	for _, r := range reserved {
		if r.Overlaps(p) {
			return p, slipway.Errorf(slipway.InvalidVpcRange, "The CIDR '%s' is invalid: %s is reserved.", s, r)
		}
	}
	return p.Masked(), nil
}

// ipv6Source refuses ranges that are not Amazon's to give: there are no address pools of one's own here.
func ipv6Source(pool, block, ipamPool, border *string, length *int32, region string) error {
	switch {
	case shape.Get(pool) != "":
		return slipway.Refused("Ipv6Pool", "there are no address pools of one's own; ask for AmazonProvidedIpv6CidrBlock.")
	case shape.Get(block) != "":
		return slipway.Refused("Ipv6CidrBlock", "there are no address pools of one's own; ask for AmazonProvidedIpv6CidrBlock.")
	case shape.Get(ipamPool) != "" || length != nil:
		return slipway.Refused("Ipv6IpamPoolId", "there is no IP address manager here.")
	case shape.Get(border) != "" && *border != region:
		return slipway.Invalid(*border, "ipv6CidrBlockNetworkBorderGroup",
			"There are no local zones here: it is the region's name.")
	}
	return nil
}

// CreateVPC answers CreateVpc.
func (s *Service) CreateVPC(ctx context.Context, in *ec2wire.CreateVpcRequest) (*ec2wire.CreateVpcResult, error) {
	scope := state.Of(ctx)
	switch {
	case shape.Get(in.Ipv4IpamPoolId) != "" || in.Ipv4NetmaskLength != nil:
		return nil, slipway.Refused("Ipv4IpamPoolId", "there is no IP address manager here.")
	case in.VpcEncryptionControl != nil:
		return nil, slipway.Refused("VpcEncryptionControl", "traffic between instances is not encrypted here.")
	}
	if err := ipv6Source(in.Ipv6Pool, in.Ipv6CidrBlock, in.Ipv6IpamPoolId, in.Ipv6CidrBlockNetworkBorderGroup,
		in.Ipv6NetmaskLength, scope.Region); err != nil {
		return nil, err
	}
	text, err := shape.Need(in.CidrBlock, "CidrBlock")
	if err != nil {
		return nil, err
	}
	block, err := readRange(text)
	if err != nil {
		return nil, err
	}
	v := &slipway.VPC{
		ID: slipway.NewVPCID(), Account: scope.Account, Region: scope.Region,
		CIDRs: []slipway.CIDRBlock{NewCIDR(block)}, Tenancy: "default", DNSSupport: true,
	}
	switch t := shape.Get(in.InstanceTenancy); t {
	case "", "default":
	case "dedicated": // its instances are, without saying so
		v.Tenancy = t
	default:
		return nil, slipway.Invalid(t, "instanceTenancy", "It must be default or dedicated.")
	}
	if shape.Get(in.AmazonProvidedIpv6CidrBlock) {
		v.IPv6 = []slipway.CIDRBlock{NewCIDR(NewIPv6Range())}
	}
	if v.Tags, err = shape.TagsOf(in.TagSpecifications, "vpc"); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		options, err := EnsureDHCPOptions(tx, scope)
		if err != nil {
			return err
		}
		v.DHCPOptions = string(options)
		_, err = Create(tx, v, "default VPC security group")
		return err
	})
	if err != nil {
		return nil, err
	}
	w := wireVPC(nil, v)
	w.State = shape.Of("pending")
	return &ec2wire.CreateVpcResult{Vpc: &w}, nil
}

// CreateDefaultVPC answers CreateDefaultVpc.
func (s *Service) CreateDefaultVPC(
	ctx context.Context, _ *ec2wire.CreateDefaultVpcRequest,
) (*ec2wire.CreateDefaultVpcResult, error) {
	scope := state.Of(ctx)
	var v *slipway.VPC
	err := s.db.Update(ctx, func(tx store.Tx) error {
		region, err := state.Regions.Get(tx, scope, "-")
		if err != nil {
			return err
		}
		if region.DefaultVPC != "" {
			return slipway.Errorf(slipway.DefaultVpcAlreadyExists,
				"A Default VPC already exists for this account in this region.")
		}
		if v, err = CreateDefault(tx, scope); err != nil {
			return err
		}
		region.DefaultVPC = v.ID
		return state.Regions.Put(tx, region)
	})
	if err != nil {
		return nil, err
	}
	w := wireVPC(nil, v)
	w.State = shape.Of("pending")
	return &ec2wire.CreateDefaultVpcResult{Vpc: &w}, nil
}

// DeleteVPC answers DeleteVpc: what came with the VPC goes with it, all else must have gone before.
func (s *Service) DeleteVPC(ctx context.Context, in *ec2wire.DeleteVpcRequest) error {
	id, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		v, err := state.VPCs.Require(tx, scope, string(id))
		if err != nil {
			return err
		}
		if inhabited(tx, scope, id) {
			return slipway.Errorf(slipway.DependencyViolation, "The vpc '%s' has dependencies and cannot be deleted.", id)
		}
		for t := range state.RouteTables.By(tx, scope, "vpc/"+string(id)) {
			state.RouteTables.Delete(tx, scope, string(t.ID))
		}
		for a := range state.NetworkACLs.By(tx, scope, "vpc/"+string(id)) {
			state.NetworkACLs.Delete(tx, scope, string(a.ID))
		}
		for g := range state.SecurityGroups.By(tx, scope, "vpc/"+string(id)) {
			state.SecurityGroups.Delete(tx, scope, string(g.ID))
		}
		if v.Default {
			err := state.Regions.Edit(tx, scope, "-", func(r *slipway.Region) error { r.DefaultVPC = ""; return nil })
			if err != nil {
				return err
			}
		}
		state.VPCs.Delete(tx, scope, string(id))
		return nil
	})
}

// inhabited says whether a VPC holds anything that did not come with it.
func inhabited(tx store.Tx, scope state.Scope, id slipway.VPCID) bool {
	term := "vpc/" + string(id)
	for range state.Subnets.By(tx, scope, term) {
		return true
	}
	for range state.Interfaces.By(tx, scope, term) {
		return true
	}
	for range state.InternetGateways.By(tx, scope, term) {
		return true
	}
	for range state.EgressOnlyGateways.By(tx, scope, term) {
		return true
	}
	for p := range state.Peerings.By(tx, state.Shared(scope.Region), term) {
		if p.Status == slipway.PeeringStateActive {
			return true
		}
	}
	for t := range state.RouteTables.By(tx, scope, term) {
		if !isMain(t) {
			return true
		}
	}
	for a := range state.NetworkACLs.By(tx, scope, term) {
		if !a.Default {
			return true
		}
	}
	for g := range state.SecurityGroups.By(tx, scope, term) {
		if g.Name != "default" {
			return true
		}
	}
	return false
}

func isMain(t *slipway.RouteTable) bool {
	for _, a := range t.Associations {
		if a.Main {
			return true
		}
	}
	return false
}

// one counts the attributes that a Modify call names: EC2 takes exactly one.
func one(given ...bool) error {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	switch n {
	case 0:
		return slipway.Errorf(slipway.InvalidParameterCombination, "No attributes specified.")
	case 1:
		return nil
	}
	return slipway.Errorf(slipway.InvalidParameterCombination, "Fields for multiple attribute types specified")
}

// ModifyVPC answers ModifyVpcAttribute.
func (s *Service) ModifyVPC(ctx context.Context, in *ec2wire.ModifyVpcAttributeRequest) error {
	id, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return err
	}
	if err := one(in.EnableDnsSupport != nil, in.EnableDnsHostnames != nil,
		in.EnableNetworkAddressUsageMetrics != nil); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.VPCs.Edit(tx, state.Of(ctx), string(id), func(v *slipway.VPC) error {
			switch {
			case in.EnableDnsSupport != nil:
				v.DNSSupport = shape.Get(in.EnableDnsSupport.Value)
			case in.EnableDnsHostnames != nil:
				v.DNSHostnames = shape.Get(in.EnableDnsHostnames.Value)
			default:
				v.AddressMetrics = shape.Get(in.EnableNetworkAddressUsageMetrics.Value)
			}
			return nil
		})
	})
}

// ModifyTenancy answers ModifyVpcTenancy: what a VPC's instances have by default can be made default again, and never
// dedicated.
func (s *Service) ModifyTenancy(
	ctx context.Context, in *ec2wire.ModifyVpcTenancyRequest,
) (*ec2wire.ModifyVpcTenancyResult, error) {
	if shape.Get(in.VpcId) == "" {
		return nil, slipway.Missing("VpcId")
	}
	if _, err := slipway.ParseVPCID(*in.VpcId); err != nil {
		return nil, err
	}
	switch v := shape.Get(in.InstanceTenancy); v {
	case "default":
	case "":
		return nil, slipway.Missing("InstanceTenancy")
	default:
		return nil, slipway.Errorf(slipway.UnsupportedTenancy,
			"The tenancy '%s' is not supported: the tenancy of a VPC can be changed to default only.", v)
	}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		return state.VPCs.Edit(tx, state.Of(ctx), *in.VpcId, func(v *slipway.VPC) error { v.Tenancy = "default"; return nil })
	})
	return &ec2wire.ModifyVpcTenancyResult{ReturnValue: shape.Of(true)}, err
}
