package peerings

import (
	"context"
	"net/netip"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func (s *Service) wire(_ store.Reader, p *slipway.Peering) ec2wire.VpcPeeringConnection {
	code, message := p.StatusAt(s.now())
	w := ec2wire.VpcPeeringConnection{
		VpcPeeringConnectionId: shape.Text(p.ID),
		Status:                 &ec2wire.VpcPeeringConnectionStateReason{Code: shape.Text(code), Message: &message},
		Tags:                   shape.Tags(p.Tags),
		RequesterVpcInfo:       wireSide(p.Region, p.Requester), AccepterVpcInfo: wireSide(p.Region, s.accepter(p)),
	}
	if code == slipway.PeeringStatePending {
		w.ExpirationTime = &p.Expires
	}
	return w
}

// accepter is the side that was asked, as both may see it: its ranges are known once it has agreed.
func (s *Service) accepter(p *slipway.Peering) slipway.PeeringSide {
	side := p.Accepter
	if code, _ := p.StatusAt(s.now()); code != slipway.PeeringStateActive {
		side.CIDRs, side.IPv6 = nil, nil
	}
	return side
}

func wireSide(region string, side slipway.PeeringSide) *ec2wire.VpcPeeringConnectionVpcInfo {
	no, named := shape.Of(false), side.Named
	w := &ec2wire.VpcPeeringConnectionVpcInfo{
		VpcId: shape.Text(side.VPC), OwnerId: shape.Of(side.Account), Region: &region,
		PeeringOptions: &ec2wire.VpcPeeringConnectionOptionsDescription{
			AllowDnsResolutionFromRemoteVpc: &named, AllowEgressFromLocalClassicLinkToRemoteVpc: no,
			AllowEgressFromLocalVpcToRemoteClassicLink: no,
		},
	}
	for i, c := range side.CIDRs {
		if i == 0 {
			w.CidrBlock = shape.Of(c.String())
		}
		w.CidrBlockSet = append(w.CidrBlockSet, ec2wire.CidrBlock{CidrBlock: shape.Of(c.String())})
	}
	for _, c := range side.IPv6 {
		w.Ipv6CidrBlockSet = append(w.Ipv6CidrBlockSet, ec2wire.Ipv6CidrBlock{Ipv6CidrBlock: shape.Of(c.String())})
	}
	return w
}

func (s *Service) fields(store.Reader) filters.Fields[*slipway.Peering] {
	f := filters.Fields[*slipway.Peering]{
		"vpc-peering-connection-id": func(p *slipway.Peering) []string { return shape.One(p.ID) },
		"status-code": func(p *slipway.Peering) []string {
			code, _ := p.StatusAt(s.now())
			return shape.One(code)
		},
		"status-message":  func(p *slipway.Peering) []string { _, m := p.StatusAt(s.now()); return shape.One(m) },
		"expiration-time": func(p *slipway.Peering) []string { return []string{p.Expires.UTC().Format(ec2query.TimeForm)} },
	}
	of := func(prefix string, get func(*slipway.Peering) slipway.PeeringSide) {
		f[prefix+"owner-id"] = func(p *slipway.Peering) []string { return shape.One(get(p).Account) }
		f[prefix+"vpc-id"] = func(p *slipway.Peering) []string { return shape.One(get(p).VPC) }
		f[prefix+"cidr-block"] = func(p *slipway.Peering) []string { return texts(get(p).CIDRs) }
	}
	of("requester-vpc-info.", func(p *slipway.Peering) slipway.PeeringSide { return p.Requester })
	of("accepter-vpc-info.", s.accepter)
	return f
}

func texts(list []netip.Prefix) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.String()
	}
	return out
}

// Describe answers DescribeVpcPeeringConnections: those that the caller has a part in.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeVpcPeeringConnectionsRequest,
) (*ec2wire.DescribeVpcPeeringConnectionsResult, error) {
	kind := describe.Kind[slipway.Peering, ec2wire.VpcPeeringConnection]{
		Table: state.Peerings, Tags: func(p *slipway.Peering) slipway.Tags { return p.Tags }, Wire: s.wire, Fields: s.fields,
		Scopes: func(own state.Scope) []state.Scope { return []state.Scope{state.Shared(own.Region)} },
		See:    func(own state.Scope, p *slipway.Peering, _ bool) bool { return p.Of(own.Account) },
	}
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.VpcPeeringConnectionIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeVpcPeeringConnectionsResult{VpcPeeringConnections: page, NextToken: next}, err
}
