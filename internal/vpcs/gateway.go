package vpcs

import (
	"context"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// CreateGateway answers CreateInternetGateway.
func (s *Service) CreateGateway(ctx context.Context, in *ec2wire.CreateInternetGatewayRequest) (*ec2wire.CreateInternetGatewayResult, error) {
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

// AttachGateway answers AttachInternetGateway: a VPC has one at most.
func (s *Service) AttachGateway(ctx context.Context, in *ec2wire.AttachInternetGatewayRequest) error {
	id, err := shape.Need(in.InternetGatewayId, "InternetGatewayId")
	if err != nil {
		return err
	}
	vpc, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		g, err := state.InternetGateways.Get(tx, scope, id)
		if err != nil {
			return err
		}
		if _, err := state.VPCs.Must(tx, scope, string(vpc)); err != nil {
			return err
		}
		if g.VPC != "" {
			return slipway.Errorf(slipway.ResourceAlreadyAssociated, "resource %s is already attached to network %s", id, g.VPC)
		}
		tx.Guard(state.InternetGateways.Prefix(scope))
		for range state.InternetGateways.By(tx, scope, "vpc/"+string(vpc)) {
			return slipway.Errorf(slipway.InvalidParameterValue, "Network %s already has an internet gateway attached", vpc)
		}
		g.VPC = vpc
		return state.InternetGateways.Put(tx, g)
	})
}

// DetachGateway answers DetachInternetGateway.
func (s *Service) DetachGateway(ctx context.Context, in *ec2wire.DetachInternetGatewayRequest) error {
	id, err := shape.Need(in.InternetGatewayId, "InternetGatewayId")
	if err != nil {
		return err
	}
	vpc, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		g, err := state.InternetGateways.Get(tx, scope, id)
		if err != nil {
			return err
		}
		if g.VPC != vpc {
			return slipway.Errorf(slipway.GatewayNotAttached, "resource %s is not attached to network %s", id, vpc)
		}
		tx.Guard(state.Interfaces.Prefix(scope))
		for n := range state.Interfaces.By(tx, scope, "vpc/"+string(vpc)) {
			for _, a := range n.Addresses {
				if a.Public.IsValid() {
					return slipway.Errorf(slipway.DependencyViolation, "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpc)
				}
			}
		}
		g.VPC = ""
		return state.InternetGateways.Put(tx, g)
	})
}

// DeleteGateway answers DeleteInternetGateway.
func (s *Service) DeleteGateway(ctx context.Context, in *ec2wire.DeleteInternetGatewayRequest) error {
	id, err := shape.Need(in.InternetGatewayId, "InternetGatewayId")
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		g, err := state.InternetGateways.Must(tx, scope, id)
		if err != nil {
			return err
		}
		if g.VPC != "" {
			return slipway.Errorf(slipway.DependencyViolation, "The internetGateway '%s' has dependencies and cannot be deleted.", id)
		}
		state.InternetGateways.Delete(tx, scope, id)
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
	return ec2wire.InternetGateway{InternetGatewayId: shape.Text(g.ID), OwnerId: &g.Account, Attachments: attachments(g.VPC, "available"), Tags: shape.Tags(g.Tags)}
}

var gatewayKind = describe.Kind[slipway.InternetGateway, ec2wire.InternetGateway]{
	Table: state.InternetGateways, Tags: func(g *slipway.InternetGateway) slipway.Tags { return g.Tags }, Wire: wireGateway,
	Fields: describe.Fixed(slipway.Fields[*slipway.InternetGateway]{
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
func (s *Service) DescribeGateways(ctx context.Context, in *ec2wire.DescribeInternetGatewaysRequest) (*ec2wire.DescribeInternetGatewaysResult, error) {
	page, next, err := gatewayKind.List(ctx, s.db, describe.Query{IDs: in.InternetGatewayIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeInternetGatewaysResult{InternetGateways: page, NextToken: next}, err
}

// CreateEgressOnly answers CreateEgressOnlyInternetGateway.
func (s *Service) CreateEgressOnly(ctx context.Context, in *ec2wire.CreateEgressOnlyInternetGatewayRequest) (*ec2wire.CreateEgressOnlyInternetGatewayResult, error) {
	scope := state.Of(ctx)
	vpc, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "egress-only-internet-gateway")
	if err != nil {
		return nil, err
	}
	g := &slipway.EgressOnlyGateway{ID: slipway.NewID("eigw"), Account: scope.Account, Region: scope.Region, VPC: vpc, Tags: tags}
	once := state.Once{Scope: scope, Action: "CreateEgressOnlyInternetGateway", Token: shape.Get(in.ClientToken), Hash: state.HashOf(vpc, tags)}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			g, err = state.EgressOnlyGateways.Must(tx, scope, before.Result)
			return err
		}
		if _, err := state.VPCs.Must(tx, scope, string(vpc)); err != nil {
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
func (s *Service) DeleteEgressOnly(ctx context.Context, in *ec2wire.DeleteEgressOnlyInternetGatewayRequest) (*ec2wire.DeleteEgressOnlyInternetGatewayResult, error) {
	id, err := shape.Need(in.EgressOnlyInternetGatewayId, "EgressOnlyInternetGatewayId")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := state.EgressOnlyGateways.Must(tx, scope, id); err != nil {
			return err
		}
		state.EgressOnlyGateways.Delete(tx, scope, id)
		return nil
	})
	return &ec2wire.DeleteEgressOnlyInternetGatewayResult{ReturnCode: shape.Of(true)}, err
}

func wireEgressOnly(_ store.Reader, g *slipway.EgressOnlyGateway) ec2wire.EgressOnlyInternetGateway {
	return ec2wire.EgressOnlyInternetGateway{EgressOnlyInternetGatewayId: &g.ID, Attachments: attachments(g.VPC, "attached"), Tags: shape.Tags(g.Tags)}
}

var egressOnlyKind = describe.Kind[slipway.EgressOnlyGateway, ec2wire.EgressOnlyInternetGateway]{
	Table: state.EgressOnlyGateways, Tags: func(g *slipway.EgressOnlyGateway) slipway.Tags { return g.Tags }, Wire: wireEgressOnly,
	Fields: describe.Fixed(slipway.Fields[*slipway.EgressOnlyGateway]{}),
}

// DescribeEgressOnly answers DescribeEgressOnlyInternetGateways.
func (s *Service) DescribeEgressOnly(ctx context.Context, in *ec2wire.DescribeEgressOnlyInternetGatewaysRequest) (*ec2wire.DescribeEgressOnlyInternetGatewaysResult, error) {
	page, next, err := egressOnlyKind.List(ctx, s.db, describe.Query{IDs: in.EgressOnlyInternetGatewayIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeEgressOnlyInternetGatewaysResult{EgressOnlyInternetGateways: page, NextToken: next}, err
}
