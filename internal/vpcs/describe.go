package vpcs

import (
	"context"
	"time"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the network actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

var vpcKind = describe.Kind[slipway.VPC, ec2wire.Vpc]{
	Table: state.VPCs, Parse: describe.Form(slipway.ParseVPCID),
	Tags: func(v *slipway.VPC) slipway.Tags { return v.Tags }, Wire: wireVPC,
	Shown: describe.Shown[ec2wire.Vpc](
		"cidr=CidrBlock", "cidr-block", "cidr-block-association.association-id=CidrBlockAssociationSet.AssociationId",
		"cidr-block-association.cidr-block=CidrBlockAssociationSet.CidrBlock",
		"cidr-block-association.state=CidrBlockAssociationSet.CidrBlockState.State", "cidrBlock=CidrBlock", "dhcp-options-id",
		"ipv6-cidr-block-association.association-id=Ipv6CidrBlockAssociationSet.AssociationId",
		"ipv6-cidr-block-association.ipv6-cidr-block=Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
		"ipv6-cidr-block-association.ipv6-pool=Ipv6CidrBlockAssociationSet.Ipv6Pool",
		"ipv6-cidr-block-association.state=Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State", "is-default",
		"isDefault=IsDefault", // as Ansible asks
		"owner-id", "state", "vpc-id",
	),
}

func wireVPC(_ store.Reader, v *slipway.VPC) ec2wire.Vpc {
	w := ec2wire.Vpc{
		VpcId: shape.Text(v.ID), State: shape.Of("available"), CidrBlock: shape.Of(v.CIDR().String()),
		DhcpOptionsId: &v.DHCPOptions, InstanceTenancy: &v.Tenancy,
		OwnerId: &v.Account, IsDefault: &v.Default, Tags: shape.Tags(v.Tags),
	}
	for _, c := range v.CIDRs {
		w.CidrBlockAssociationSet = append(w.CidrBlockAssociationSet, wireRange(c, "associated"))
	}
	for _, c := range v.IPv6 {
		w.Ipv6CidrBlockAssociationSet = append(w.Ipv6CidrBlockAssociationSet, wireRange6(c, v.Region, "associated"))
	}
	return w
}

// Describe answers DescribeVpcs.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeVpcsRequest) (*ec2wire.DescribeVpcsResult, error) {
	page, next, err := vpcKind.List(ctx, s.db,
		describe.Query{IDs: in.VpcIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeVpcsResult{Vpcs: page, NextToken: next}, err
}

// Attribute answers DescribeVpcAttribute; the one asked for is always there.
func (s *Service) Attribute(
	ctx context.Context, in *ec2wire.DescribeVpcAttributeRequest,
) (*ec2wire.DescribeVpcAttributeResult, error) {
	if shape.Get(in.VpcId) == "" {
		return nil, slipway.Missing("VpcId")
	}
	if _, err := slipway.ParseVPCID(*in.VpcId); err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	v, err := state.VPCs.Require(r, state.Of(ctx), *in.VpcId)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribeVpcAttributeResult{VpcId: shape.Text(v.ID)}
	yes := func(b bool) *ec2wire.AttributeBooleanValue { return &ec2wire.AttributeBooleanValue{Value: &b} }
	switch a := shape.Get(in.Attribute); a {
	case "enableDnsSupport":
		out.EnableDnsSupport = yes(v.DNSSupport)
	case "enableDnsHostnames":
		out.EnableDnsHostnames = yes(v.DNSHostnames)
	case "enableNetworkAddressUsageMetrics":
		out.EnableNetworkAddressUsageMetrics = yes(v.AddressMetrics)
	case "":
		return nil, slipway.Missing("Attribute")
	default:
		return nil, slipway.Invalid(a, "attribute", "Unknown attribute.")
	}
	return out, nil
}

// FreeAddresses counts a subnet's free addresses, which are the matter of a room above.
type FreeAddresses func(store.Reader, *slipway.Subnet) int

// Subnets answers DescribeSubnets.
func (s *Service) Subnets(
	free FreeAddresses,
) func(context.Context, *ec2wire.DescribeSubnetsRequest) (*ec2wire.DescribeSubnetsResult, error) {
	kind := describe.Kind[slipway.Subnet, ec2wire.Subnet]{
		Table: state.Subnets, Parse: describe.Form(slipway.ParseSubnetID),
		Tags:  func(v *slipway.Subnet) slipway.Tags { return v.Tags },
		Shown: subnetFields,
		Wire:  func(r store.Reader, v *slipway.Subnet) ec2wire.Subnet { return wireSubnet(v, free(r, v)) },
	}
	return func(ctx context.Context, in *ec2wire.DescribeSubnetsRequest) (*ec2wire.DescribeSubnetsResult, error) {
		page, next, err := kind.List(ctx, s.db,
			describe.Query{IDs: in.SubnetIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
		return &ec2wire.DescribeSubnetsResult{Subnets: page, NextToken: next}, err
	}
}

var subnetFields = describe.Shown[ec2wire.Subnet](
	"availability-zone", "availability-zone-id", "availabilityZone=AvailabilityZone",
	"availabilityZoneId=AvailabilityZoneId", "available-ip-address-count", "cidr=CidrBlock", "cidr-block",
	"cidrBlock=CidrBlock", "customer-owned-ipv4-pool", "default-for-az", "defaultForAz=DefaultForAz", "enable-dns64",
	"enable-lni-at-device-index", "ipv6-cidr-block-association.association-id=Ipv6CidrBlockAssociationSet.AssociationId",
	"ipv6-cidr-block-association.ipv6-cidr-block=Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
	"ipv6-cidr-block-association.state=Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State", "ipv6-native",
	"map-customer-owned-ip-on-launch", "map-public-ip-on-launch", "outpost-arn", "owner-id",
	"private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
	"private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
	"private-dns-name-options-on-launch.hostname-type", "state", "subnet-arn", "subnet-id", "vpc-id",
)

func wireSubnet(v *slipway.Subnet, free int) ec2wire.Subnet {
	z, _ := slipway.FindZone(v.Region, v.Zone)
	w := ec2wire.Subnet{
		SubnetId: shape.Text(v.ID), SubnetArn: shape.Of(slipway.ARN(v.Region, v.Account, "subnet/"+string(v.ID))),
		State: shape.Of("available"), VpcId: shape.Text(v.VPC),
		CidrBlock: shape.Of(v.CIDR.String()), AvailableIpAddressCount: shape.Of(int32(free)), AvailabilityZone: &v.Zone,
		AvailabilityZoneId: &z.ID,
		DefaultForAz:       &v.DefaultForZone, MapPublicIpOnLaunch: &v.PublicOnLaunch,
		AssignIpv6AddressOnCreation: &v.IPv6OnCreation, OwnerId: &v.Account,
		EnableDns64: &v.DNS64, Ipv6Native: shape.Of(false), MapCustomerOwnedIpOnLaunch: shape.Of(false),
		Tags:                        shape.Tags(v.Tags),
		Ipv6CidrBlockAssociationSet: []ec2wire.SubnetIpv6CidrBlockAssociation{},
		PrivateDnsNameOptionsOnLaunch: &ec2wire.PrivateDnsNameOptionsOnLaunch{
			HostnameType: &v.DNS.HostnameType, EnableResourceNameDnsARecord: &v.DNS.ARecord,
			EnableResourceNameDnsAAAARecord: &v.DNS.AAAARecord,
		},
	}
	if v.IPv6.Prefix.IsValid() {
		w.Ipv6CidrBlockAssociationSet = append(w.Ipv6CidrBlockAssociationSet, wireSubnetRange(v.IPv6, "associated"))
	}
	return w
}
