package vpcs

import (
	"context"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// EC2-Classic here links to no VPC: ClassicLink is off for each of them, which is also what EC2 says since it retired Classic.

var classicLinkKind = describe.Kind[slipway.VPC, ec2wire.VpcClassicLink]{
	Table: state.VPCs, Parse: vpcKind.Parse, Tags: vpcKind.Tags,
	Fields: describe.Fixed(filters.Fields[*slipway.VPC]{
		"is-classic-link-enabled": func(*slipway.VPC) []string { return shape.Yes(false) },
	}),
	Wire: func(_ store.Reader, v *slipway.VPC) ec2wire.VpcClassicLink {
		return ec2wire.VpcClassicLink{VpcId: shape.Text(v.ID), ClassicLinkEnabled: shape.Of(false), Tags: shape.Tags(v.Tags)}
	},
}

var classicLinkDNSKind = describe.Kind[slipway.VPC, ec2wire.ClassicLinkDnsSupport]{
	Table: state.VPCs, Parse: vpcKind.Parse, Tags: vpcKind.Tags, Fields: describe.Fixed(filters.Fields[*slipway.VPC]{}),
	Wire: func(_ store.Reader, v *slipway.VPC) ec2wire.ClassicLinkDnsSupport {
		return ec2wire.ClassicLinkDnsSupport{VpcId: shape.Text(v.ID), ClassicLinkDnsSupported: shape.Of(false)}
	},
}

// ClassicLink answers DescribeVpcClassicLink.
func (s *Service) ClassicLink(
	ctx context.Context, in *ec2wire.DescribeVpcClassicLinkRequest,
) (*ec2wire.DescribeVpcClassicLinkResult, error) {
	all, _, err := classicLinkKind.List(ctx, s.db, describe.Query{IDs: in.VpcIds, Filters: in.Filters})
	return &ec2wire.DescribeVpcClassicLinkResult{Vpcs: all}, err
}

// ClassicLinkDNS answers DescribeVpcClassicLinkDnsSupport.
func (s *Service) ClassicLinkDNS(
	ctx context.Context, in *ec2wire.DescribeVpcClassicLinkDnsSupportRequest,
) (*ec2wire.DescribeVpcClassicLinkDnsSupportResult, error) {
	page, next, err := classicLinkDNSKind.List(ctx, s.db,
		describe.Query{IDs: in.VpcIds, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeVpcClassicLinkDnsSupportResult{Vpcs: page, NextToken: next}, err
}
