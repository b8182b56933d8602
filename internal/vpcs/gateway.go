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

// CreateGateway answers CreateInternetGateway.
func (s *Service) CreateGateway(
	ctx context.Context, in *ec2wire.CreateInternetGatewayRequest,
) (*ec2wire.CreateInternetGatewayResult, error) {
	scope := state.Of(ctx)
	tags, err := shape.TagsOf(in.TagSpecifications, "internet-gateway")
	if err != nil {
		return nil, err
	}
	g := &slipway.InternetGateway{ID: slipway.NewInternetGatewayID(), Account: scope.Account, Region: scope.Region, Tags: tags}
	if err := s.db.Update(ctx, func(tx store.Tx) error { return state.InternetGateways.Put(tx, g) }); err != nil {
		return nil, err
	}
	w := wireGateway(nil, g)
	return &ec2wire.CreateInternetGatewayResult{InternetGateway: &w}, nil
}

// withGateway changes a gateway for the sake of a VPC.
func (s *Service) withGateway(
	ctx context.Context, gateway, vpc *string, change func(store.Tx, *slipway.InternetGateway, slipway.VPCID) error,
) error {
	id, err := shape.Need(gateway, "InternetGatewayId")
	if err != nil {
		return err
	}
	of, err := shape.ID(vpc, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.InternetGateways.Edit(tx, state.Of(ctx), id, func(g *slipway.InternetGateway) error {
			return change(tx, g, of)
		})
	})
}

// AttachGateway answers AttachInternetGateway: a VPC has one at most.
func (s *Service) AttachGateway(ctx context.Context, in *ec2wire.AttachInternetGatewayRequest) error {
	return s.withGateway(ctx, in.InternetGatewayId, in.VpcId,
		func(tx store.Tx, g *slipway.InternetGateway, vpc slipway.VPCID) error {
			scope := state.Of(ctx)
			if _, err := state.VPCs.Require(tx, scope, string(vpc)); err != nil {
				return err
			}
			if g.VPC != "" {
				return slipway.Errorf(slipway.ResourceAlreadyAssociated,
					"resource %s is already attached to network %s", g.ID, g.VPC)
			}
			for range state.InternetGateways.By(tx, scope, "vpc/"+string(vpc)) {
				return slipway.Errorf(slipway.InvalidParameterValue, "Network %s already has an internet gateway attached", vpc)
			}
			g.VPC = vpc
			return nil
		})
}

// DetachGateway answers DetachInternetGateway.
func (s *Service) DetachGateway(ctx context.Context, in *ec2wire.DetachInternetGatewayRequest) error {
	return s.withGateway(ctx, in.InternetGatewayId, in.VpcId,
		func(tx store.Tx, g *slipway.InternetGateway, vpc slipway.VPCID) error {
			scope := state.Of(ctx)
			if g.VPC != vpc {
				return slipway.Errorf(slipway.GatewayNotAttached, "resource %s is not attached to network %s", g.ID, vpc)
			}
			for n := range state.Interfaces.By(tx, scope, "vpc/"+string(vpc)) {
				for _, a := range n.Addresses {
					if a.Public.IsValid() {
						return slipway.Errorf(slipway.DependencyViolation,
							"Network %s has some mapped public address(es). Please unmap those public address(es) "+
								"before detaching the gateway.",
							vpc)
					}
				}
			}
			g.VPC = ""
			return nil
		})
}

// DeleteGateway answers DeleteInternetGateway.
func (s *Service) DeleteGateway(ctx context.Context, in *ec2wire.DeleteInternetGatewayRequest) error {
	return Remove(ctx, s.db, state.InternetGateways, in.InternetGatewayId, "InternetGatewayId",
		func(_ store.Tx, g *slipway.InternetGateway) error {
			if g.VPC != "" {
				return slipway.Errorf(slipway.DependencyViolation,
					"The internetGateway '%s' has dependencies and cannot be deleted.", g.ID)
			}
			return nil
		})
}

// attachments say "available", not "attached": clients wait for that word.
func attachments(vpc slipway.VPCID, word string) []ec2wire.InternetGatewayAttachment {
	if vpc == "" {
		return []ec2wire.InternetGatewayAttachment{}
	}
	return []ec2wire.InternetGatewayAttachment{{State: &word, VpcId: shape.Text(vpc)}}
}

func wireGateway(_ store.Reader, g *slipway.InternetGateway) ec2wire.InternetGateway {
	return ec2wire.InternetGateway{
		InternetGatewayId: shape.Text(g.ID), OwnerId: &g.Account, Attachments: attachments(g.VPC, "available"),
		Tags: shape.Tags(g.Tags),
	}
}

var gatewayKind = describe.Kind[slipway.InternetGateway, ec2wire.InternetGateway]{
	Table: state.InternetGateways, Tags: func(g *slipway.InternetGateway) slipway.Tags { return g.Tags }, Wire: wireGateway,
	Fields: describe.Fixed(filters.Fields[*slipway.InternetGateway]{
		"internet-gateway-id": func(g *slipway.InternetGateway) []string { return shape.One(g.ID) },
		"owner-id":            func(g *slipway.InternetGateway) []string { return shape.One(g.Account) },
		"attachment.vpc-id":   func(g *slipway.InternetGateway) []string { return shape.One(g.VPC) },
		"attachment.state": func(g *slipway.InternetGateway) []string {
			if g.VPC == "" {
				return nil
			}
			return []string{"available"}
		},
	}),
}

// DescribeGateways answers DescribeInternetGateways.
func (s *Service) DescribeGateways(
	ctx context.Context, in *ec2wire.DescribeInternetGatewaysRequest,
) (*ec2wire.DescribeInternetGatewaysResult, error) {
	page, next, err := gatewayKind.List(ctx, s.db,
		describe.Query{IDs: in.InternetGatewayIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeInternetGatewaysResult{InternetGateways: page, NextToken: next}, err
}

// CreateEgressOnly answers CreateEgressOnlyInternetGateway.
func (s *Service) CreateEgressOnly(
	ctx context.Context, in *ec2wire.CreateEgressOnlyInternetGatewayRequest,
) (*ec2wire.CreateEgressOnlyInternetGatewayResult, error) {
	p, err := ReadPart(ctx, "egress-only-internet-gateway", in.VpcId, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	once := state.OnceOf(p.Scope, "CreateEgressOnlyInternetGateway", in)
	g := &slipway.EgressOnlyGateway{
		ID: slipway.NewID("eigw"), Account: p.Scope.Account, Region: p.Scope.Region, VPC: p.Vpc, Tags: p.Tags,
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			g, err = state.EgressOnlyGateways.Require(tx, p.Scope, before.Result)
			return err
		}
		if _, err := state.VPCs.Require(tx, p.Scope, string(p.Vpc)); err != nil {
			return err
		}
		if err := state.EgressOnlyGateways.Put(tx, g); err != nil {
			return err
		}
		return once.Keep(tx, g.ID, s.now())
	})
	if err != nil {
		return nil, err
	}
	w := wireEgressOnly(nil, g)
	return &ec2wire.CreateEgressOnlyInternetGatewayResult{ClientToken: in.ClientToken, EgressOnlyInternetGateway: &w}, nil
}

// DeleteEgressOnly answers DeleteEgressOnlyInternetGateway.
func (s *Service) DeleteEgressOnly(
	ctx context.Context, in *ec2wire.DeleteEgressOnlyInternetGatewayRequest,
) (*ec2wire.DeleteEgressOnlyInternetGatewayResult, error) {
	err := Remove(ctx, s.db, state.EgressOnlyGateways, in.EgressOnlyInternetGatewayId, "EgressOnlyInternetGatewayId",
		func(store.Tx, *slipway.EgressOnlyGateway) error { return nil })
	return &ec2wire.DeleteEgressOnlyInternetGatewayResult{ReturnCode: shape.Of(true)}, err
}

func wireEgressOnly(_ store.Reader, g *slipway.EgressOnlyGateway) ec2wire.EgressOnlyInternetGateway {
	return ec2wire.EgressOnlyInternetGateway{
		EgressOnlyInternetGatewayId: &g.ID, Attachments: attachments(g.VPC, "attached"), Tags: shape.Tags(g.Tags),
	}
}

var egressOnlyKind = describe.Kind[slipway.EgressOnlyGateway, ec2wire.EgressOnlyInternetGateway]{
	Table: state.EgressOnlyGateways, Tags: func(g *slipway.EgressOnlyGateway) slipway.Tags { return g.Tags },
	Wire:   wireEgressOnly,
	Fields: describe.Fixed(filters.Fields[*slipway.EgressOnlyGateway]{}),
}

// DescribeEgressOnly answers DescribeEgressOnlyInternetGateways.
func (s *Service) DescribeEgressOnly(
	ctx context.Context, in *ec2wire.DescribeEgressOnlyInternetGatewaysRequest,
) (*ec2wire.DescribeEgressOnlyInternetGatewaysResult, error) {
	page, next, err := egressOnlyKind.List(ctx, s.db,
		describe.Query{IDs: in.EgressOnlyInternetGatewayIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeEgressOnlyInternetGatewaysResult{EgressOnlyInternetGateways: page, NextToken: next}, err
}
