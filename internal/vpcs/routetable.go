package vpcs

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

// CreateTable answers CreateRouteTable.
func (s *Service) CreateTable(
	ctx context.Context, in *ec2wire.CreateRouteTableRequest,
) (*ec2wire.CreateRouteTableResult, error) {
	p, err := ReadPart(ctx, "route-table", in.VpcId, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	once := state.OnceOf(p.Scope, "CreateRouteTable", in)
	t := &slipway.RouteTable{
		ID: slipway.NewRouteTableID(), Account: p.Scope.Account, Region: p.Scope.Region, VPC: p.Vpc, Tags: p.Tags,
	}
	out := &ec2wire.CreateRouteTableResult{ClientToken: in.ClientToken}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			if t, err = state.RouteTables.Require(tx, p.Scope, before.Result); err != nil {
				return err
			}
		} else if _, err := state.VPCs.Require(tx, p.Scope, string(p.Vpc)); err != nil {
			return err
		} else if err := state.RouteTables.Put(tx, t); err != nil {
			return err
		} else if err := once.Keep(tx, string(t.ID), s.now()); err != nil {
			return err
		}
		out.RouteTable = shape.Of(wireTable(tx, t))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteTable answers DeleteRouteTable.
func (s *Service) DeleteTable(ctx context.Context, in *ec2wire.DeleteRouteTableRequest) error {
	return Remove(ctx, s.db, state.RouteTables, in.RouteTableId, "RouteTableId", func(_ store.Tx, t *slipway.RouteTable) error {
		if len(t.Associations) > 0 {
			return slipway.Errorf(slipway.DependencyViolation,
				"The routeTable '%s' has dependencies and cannot be deleted.", t.ID)
		}
		return nil
	})
}

// associated is the word of every association: nothing here takes time.
func associated() *ec2wire.RouteTableAssociationState {
	return &ec2wire.RouteTableAssociationState{State: shape.Of("associated")}
}

// AssociateTable answers AssociateRouteTable: a subnet has one table of its own at most.
func (s *Service) AssociateTable(
	ctx context.Context, in *ec2wire.AssociateRouteTableRequest,
) (*ec2wire.AssociateRouteTableResult, error) {
	id, err := shape.Need(in.RouteTableId, "RouteTableId")
	if err != nil {
		return nil, err
	}
	if shape.Get(in.GatewayId) != "" || shape.Get(in.PublicIpv4Pool) != "" {
		return nil, slipway.Refused("GatewayId", "what comes in by a gateway goes straight to its interface here.")
	}
	subnet, err := shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	a := slipway.RouteAssociation{ID: slipway.NewID("rtbassoc"), Subnet: subnet}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		t, err := state.RouteTables.Get(tx, scope, id)
		if err != nil {
			return err
		}
		sub, err := state.Subnets.Require(tx, scope, string(subnet))
		if err != nil {
			return err
		}
		if sub.VPC != t.VPC {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"route table %s and subnet %s belong to different networks", id, subnet)
		}
		for other := range state.RouteTables.By(tx, scope, "vpc/"+string(t.VPC)) {
			if slices.ContainsFunc(other.Associations, func(x slipway.RouteAssociation) bool { return x.Subnet == subnet }) {
				return slipway.Errorf(slipway.ResourceAlreadyAssociated,
					"the specified association for route table %s conflicts with an existing association", id)
			}
		}
		t.Associations = append(t.Associations, a)
		return state.RouteTables.Put(tx, t)
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.AssociateRouteTableResult{AssociationId: &a.ID, AssociationState: associated()}, nil
}

// association finds the table that has one.
func association(tx store.Tx, scope state.Scope, id string) (*slipway.RouteTable, slipway.RouteAssociation, error) {
	for shared := range state.RouteTables.All(tx, scope) {
		for _, a := range shared.Associations {
			if a.ID == id {
				t, err := state.RouteTables.Get(tx, scope, string(shared.ID))
				return t, a, err
			}
		}
	}
	return nil, slipway.RouteAssociation{},
		slipway.Errorf(slipway.InvalidAssociationIDNotFound, "The association ID '%s' does not exist", id)
}

func without(t *slipway.RouteTable, id string) {
	t.Associations = slices.DeleteFunc(t.Associations, func(a slipway.RouteAssociation) bool { return a.ID == id })
}

// ReplaceAssociation answers ReplaceRouteTableAssociation; with the main association it makes another table the main one.
func (s *Service) ReplaceAssociation(
	ctx context.Context, in *ec2wire.ReplaceRouteTableAssociationRequest,
) (*ec2wire.ReplaceRouteTableAssociationResult, error) {
	id, err := shape.Need(in.AssociationId, "AssociationId")
	if err != nil {
		return nil, err
	}
	table, err := shape.Need(in.RouteTableId, "RouteTableId")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	fresh := slipway.NewID("rtbassoc")
	err = s.db.Update(ctx, func(tx store.Tx) error {
		from, a, err := association(tx, scope, id)
		if err != nil {
			return err
		}
		to, err := state.RouteTables.Get(tx, scope, table)
		if err != nil {
			return err
		}
		if to.VPC != from.VPC {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"route table %s and route table %s belong to different networks", from.ID, to.ID)
		}
		a.ID = fresh
		if to.ID == from.ID {
			to = from
		}
		without(from, id)
		to.Associations = append(to.Associations, a)
		if err := state.RouteTables.Put(tx, from); err != nil {
			return err
		}
		return state.RouteTables.Put(tx, to)
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.ReplaceRouteTableAssociationResult{NewAssociationId: &fresh, AssociationState: associated()}, nil
}

// DisassociateTable answers DisassociateRouteTable: the subnet falls back to the main table.
func (s *Service) DisassociateTable(ctx context.Context, in *ec2wire.DisassociateRouteTableRequest) error {
	id, err := shape.Need(in.AssociationId, "AssociationId")
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		t, a, err := association(tx, state.Of(ctx), id)
		if err != nil {
			return err
		}
		if a.Main {
			return slipway.Errorf(slipway.InvalidParameterValue, "cannot disassociate the main route table association %s", id)
		}
		without(t, id)
		return state.RouteTables.Put(tx, t)
	})
}

func wireTable(r store.Reader, t *slipway.RouteTable) ec2wire.RouteTable {
	w := ec2wire.RouteTable{
		RouteTableId: shape.Text(t.ID), VpcId: shape.Text(t.VPC), OwnerId: &t.Account, Tags: shape.Tags(t.Tags),
		PropagatingVgws: []ec2wire.PropagatingVgw{},
		Associations:    []ec2wire.RouteTableAssociation{}, Routes: wireRoutes(r, t),
	}
	for i := range t.Associations {
		a := &t.Associations[i]
		w.Associations = append(w.Associations, ec2wire.RouteTableAssociation{
			RouteTableAssociationId: &a.ID, RouteTableId: w.RouteTableId, SubnetId: shape.Text(a.Subnet), Main: &a.Main,
			AssociationState: associated(),
		})
	}
	return w
}

func tableFields(r store.Reader) filters.Fields[*slipway.RouteTable] {
	f := filters.Fields[*slipway.RouteTable]{
		"route-table-id": func(t *slipway.RouteTable) []string { return shape.One(t.ID) },
		"vpc-id":         func(t *slipway.RouteTable) []string { return shape.One(t.VPC) },
		"owner-id":       func(t *slipway.RouteTable) []string { return shape.One(t.Account) },
	}
	of := func(name string, get func(*slipway.RouteTable, slipway.RouteAssociation) []string) {
		f["association."+name] = func(t *slipway.RouteTable) []string {
			var out []string
			for _, a := range t.Associations {
				out = append(out, get(t, a)...)
			}
			return out
		}
	}
	of("main", func(_ *slipway.RouteTable, a slipway.RouteAssociation) []string { return shape.Yes(a.Main) })
	of("route-table-association-id", func(_ *slipway.RouteTable, a slipway.RouteAssociation) []string {
		return shape.One(a.ID)
	})
	of("route-table-id", func(t *slipway.RouteTable, _ slipway.RouteAssociation) []string { return shape.One(t.ID) })
	of("subnet-id", func(_ *slipway.RouteTable, a slipway.RouteAssociation) []string { return shape.One(a.Subnet) })
	of("gateway-id", func(*slipway.RouteTable, slipway.RouteAssociation) []string { return nil })
	each := func(name string, get func(ec2wire.Route) *string) {
		f["route."+name] = func(t *slipway.RouteTable) []string {
			var out []string
			for _, w := range wireRoutes(r, t) {
				out = append(out, shape.One(shape.Get(get(w)))...)
			}
			return out
		}
	}
	each("destination-cidr-block", func(w ec2wire.Route) *string { return w.DestinationCidrBlock })
	each("destination-ipv6-cidr-block", func(w ec2wire.Route) *string { return w.DestinationIpv6CidrBlock })
	each("destination-prefix-list-id", func(w ec2wire.Route) *string { return w.DestinationPrefixListId })
	each("egress-only-internet-gateway-id", func(w ec2wire.Route) *string { return w.EgressOnlyInternetGatewayId })
	each("gateway-id", func(w ec2wire.Route) *string { return w.GatewayId })
	each("instance-id", func(w ec2wire.Route) *string { return w.InstanceId })
	each("network-interface-id", func(w ec2wire.Route) *string { return w.NetworkInterfaceId })
	each("nat-gateway-id", func(w ec2wire.Route) *string { return w.NatGatewayId })
	each("transit-gateway-id", func(w ec2wire.Route) *string { return w.TransitGatewayId })
	each("vpc-peering-connection-id", func(w ec2wire.Route) *string { return w.VpcPeeringConnectionId })
	each("origin", func(w ec2wire.Route) *string { return w.Origin })
	each("state", func(w ec2wire.Route) *string { return w.State })
	return f
}

var tableKind = describe.Kind[slipway.RouteTable, ec2wire.RouteTable]{
	Table: state.RouteTables, Tags: func(t *slipway.RouteTable) slipway.Tags { return t.Tags }, Wire: wireTable,
	Fields: tableFields,
}

// DescribeTables answers DescribeRouteTables.
func (s *Service) DescribeTables(
	ctx context.Context, in *ec2wire.DescribeRouteTablesRequest,
) (*ec2wire.DescribeRouteTablesResult, error) {
	page, next, err := tableKind.List(ctx, s.db,
		describe.Query{IDs: in.RouteTableIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeRouteTablesResult{RouteTables: page, NextToken: next}, err
}
