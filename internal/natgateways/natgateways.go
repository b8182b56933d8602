// Package natgateways is the room of NAT gateways: an interface and an elastic address that stand for subnets which
// are not to be reached. It must not translate anything: the data plane follows the records.
package natgateways

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/interfaces"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the NAT gateway actions.
type Service struct {
	db        state.DB
	addresses *addresses.Service
	now       func() time.Time
}

// New makes the room.
func New(db state.DB, a *addresses.Service, now func() time.Time) *Service {
	return &Service{db, a, now}
}

// shownFor is how long a gateway that has ended stays in the list.
const shownFor = time.Hour

// requester owns the interfaces of gateways: their users may look at them, not change them.
const requester = "amazon-nat"

func read(in *ec2wire.CreateNatGatewayRequest) (g *slipway.NATGateway, err error) {
	switch c := shape.Get(in.ConnectivityType); {
	case c == "private":
		return nil, slipway.Refused("ConnectivityType private", "a NAT gateway here leads to the internet gateway only.")
	case c != "" && c != "public":
		return nil, slipway.Invalid(c, "connectivityType", "It must be public.")
	case shape.Get(in.AvailabilityMode) != "" && *in.AvailabilityMode != "zonal", shape.Get(in.VpcId) != "",
		len(in.AvailabilityZoneAddresses) > 0:
		return nil, slipway.Refused("AvailabilityMode regional", "a NAT gateway here lives in one subnet.")
	case len(in.SecondaryAllocationIds) > 0:
		return nil, slipway.Refused("SecondaryAllocationId", "a NAT gateway here has one address.")
	case len(in.SecondaryPrivateIpAddresses) > 0 || shape.Get(in.SecondaryPrivateIpAddressCount) > 0:
		return nil, slipway.Refused("SecondaryPrivateIpAddress", "a NAT gateway here has one address.")
	}
	g = &slipway.NATGateway{ID: slipway.NewNATGatewayID(), State: slipway.NATGatewayStateAvailable, Connectivity: "public"}
	if g.Subnet, err = shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID); err != nil {
		return nil, err
	}
	allocation, err := shape.Need(in.AllocationId, "AllocationId")
	if err != nil {
		return nil, err
	}
	g.Allocation = slipway.AllocationID(allocation)
	if text := shape.Get(in.PrivateIpAddress); text != "" {
		if g.Private, err = netip.ParseAddr(text); err != nil {
			return nil, slipway.Invalid(text, "privateIpAddress", "Invalid IP address.")
		}
	}
	g.Tags, err = shape.TagsOf(in.TagSpecifications, "natgateway")
	return g, err
}

// Create answers CreateNatGateway. In a VPC without an internet gateway it fails after it was made, as in EC2.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateNatGatewayRequest) (*ec2wire.CreateNatGatewayResult, error) {
	asked, err := read(in)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	same := *in
	same.ConnectivityType = shape.Of(cmp.Or(shape.Get(in.ConnectivityType), "public"))
	once := state.OnceOf(scope, "CreateNatGateway", &same) // to say what is so unsaid makes no other request
	var g *slipway.NATGateway
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			g, err = state.NATGateways.Require(tx, scope, before.Result)
			return err
		}
		made := *asked
		g = &made
		g.Account, g.Region, g.Created = scope.Account, scope.Region, s.now()
		if err := s.connect(tx, g); err != nil {
			return err
		}
		if err := state.NATGateways.Put(tx, g); err != nil {
			return err
		}
		return once.Keep(tx, string(g.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	w := wire(nil, g)
	w.State = shape.Of("pending")
	return &ec2wire.CreateNatGatewayResult{ClientToken: in.ClientToken, NatGateway: &w}, nil
}

// connect gives the gateway its interface and its address.
func (s *Service) connect(tx store.Tx, g *slipway.NATGateway) error {
	scope := state.Scope{Account: g.Account, Region: g.Region}
	subnet, err := state.Subnets.Require(tx, scope, string(g.Subnet))
	if err != nil {
		return err
	}
	g.VPC = subnet.VPC
	a, err := state.Addresses.Get(tx, scope, string(g.Allocation))
	if err != nil {
		return err
	}
	if a.Association != "" {
		return slipway.Errorf(slipway.ResourceAlreadyAssociated,
			"resource %s is already associated with associate-id %s", a.ID, a.Association)
	}
	n, err := interfaces.Create(tx,
		interfaces.Wanted{
			Subnet: subnet, InterfaceAddresses: slipway.InterfaceAddresses{Primary: g.Private}, Type: "nat_gateway",
			Description: "Interface for NAT Gateway " + string(g.ID),
		}, s.now())
	if err != nil {
		return err
	}
	n.Requester, n.SourceDestCheck = requester, false
	g.Association, err = s.addresses.Join(tx, a, n, 0)
	if slipway.CodeOf(err) == slipway.GatewayNotAttached {
		interfaces.Remove(tx, n)
		g.Ended = s.now()
		g.FailureCode, g.FailureMessage = string(slipway.GatewayNotAttached),
			"Network "+string(g.VPC)+" has no Internet gateway attached"
		return g.Become(slipway.NATGatewayStateFailed)
	}
	g.Interface, g.Private, g.Public = n.ID, n.IP(), a.IP
	return err
}

// Delete answers DeleteNatGateway. The elastic address stays its owner's.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteNatGatewayRequest) (*ec2wire.DeleteNatGatewayResult, error) {
	id, err := shape.Need(in.NatGatewayId, "NatGatewayId")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	err = s.db.Update(ctx, func(tx store.Tx) error {
		return state.NATGateways.Edit(tx, scope, id, func(g *slipway.NATGateway) error {
			if g.State != slipway.NATGatewayStateAvailable {
				return nil
			}
			if n, err := state.Interfaces.Get(tx, scope, string(g.Interface)); err == nil {
				if err := addresses.Free(tx, n); err != nil {
					return err
				}
				interfaces.Remove(tx, n)
			}
			g.Ended = s.now()
			return g.Become(slipway.NATGatewayStateDeleted)
		})
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.DeleteNatGatewayResult{NatGatewayId: &id}, nil
}

// Sweep removes gateways that ended a while ago.
func (s *Service) Sweep(ctx context.Context) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for g := range state.NATGateways.By(tx, state.Global, "/ended") {
			if s.now().Sub(g.Ended) > shownFor {
				state.NATGateways.Delete(tx, state.Scope{Account: g.Account, Region: g.Region}, string(g.ID))
			}
		}
		return nil
	})
}

func wire(_ store.Reader, g *slipway.NATGateway) ec2wire.NatGateway {
	w := ec2wire.NatGateway{
		NatGatewayId: shape.Text(g.ID), State: shape.Text(g.State), SubnetId: shape.Text(g.Subnet), VpcId: shape.Text(g.VPC),
		ConnectivityType: &g.Connectivity, CreateTime: &g.Created,
		DeleteTime: shape.Time(g.Ended), FailureCode: shape.Text(g.FailureCode),
		FailureMessage: shape.Text(g.FailureMessage), Tags: shape.Tags(g.Tags), AvailabilityMode: shape.Of("zonal"),
	}
	a := ec2wire.NatGatewayAddress{
		AllocationId: shape.Text(g.Allocation), IsPrimary: shape.Of(true), Status: shape.Of("succeeded"),
	}
	if g.Interface != "" {
		a.NetworkInterfaceId, a.PrivateIp, a.PublicIp, a.AssociationId = shape.Text(g.Interface),
			shape.Of(g.Private.String()), shape.Of(g.Public.String()), shape.Text(g.Association)
	} else {
		a.Status, a.FailureMessage = shape.Of("failed"), w.FailureMessage
	}
	w.NatGatewayAddresses = []ec2wire.NatGatewayAddress{a}
	return w
}

var kind = describe.Kind[slipway.NATGateway, ec2wire.NatGateway]{
	Table: state.NATGateways, Tags: func(g *slipway.NATGateway) slipway.Tags { return g.Tags }, Wire: wire,
	Fields: describe.Fixed(filters.Fields[*slipway.NATGateway]{
		"nat-gateway-id": func(g *slipway.NATGateway) []string { return shape.One(g.ID) },
		"state":          func(g *slipway.NATGateway) []string { return shape.One(g.State) },
		"subnet-id":      func(g *slipway.NATGateway) []string { return shape.One(g.Subnet) },
		"vpc-id":         func(g *slipway.NATGateway) []string { return shape.One(g.VPC) },
	}),
}

// Describe answers DescribeNatGateways.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeNatGatewaysRequest,
) (*ec2wire.DescribeNatGatewaysResult, error) {
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.NatGatewayIds, Filters: in.Filter, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeNatGatewaysResult{NatGateways: page, NextToken: next}, err
}
