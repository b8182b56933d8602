// Package peerings is the room of VPC peering connections: who asked whom, and who agreed. It must not route anything: the data
// plane follows the records and the VPCs' route tables.
package peerings

import (
	"context"
	"net/netip"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the peering actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

// shownFor is how long a peering that has ended stays in the list.
const shownFor = 2 * time.Hour

func side(v *slipway.VPC) slipway.PeeringSide {
	s := slipway.PeeringSide{Account: v.Account, VPC: v.ID}
	for _, c := range v.CIDRs {
		s.CIDRs = append(s.CIDRs, c.Prefix)
	}
	for _, c := range v.IPv6 {
		s.IPv6 = append(s.IPv6, c.Prefix)
	}
	return s
}

func overlap(a, b []netip.Prefix) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Overlaps(y) {
				return true
			}
		}
	}
	return false
}

// Create answers CreateVpcPeeringConnection. What is wrong with the other side shows in the peering's status, as in EC2: a
// caller learns nothing about VPCs that are not its own.
func (s *Service) Create(
	ctx context.Context, in *ec2wire.CreateVpcPeeringConnectionRequest,
) (*ec2wire.CreateVpcPeeringConnectionResult, error) {
	scope := state.Of(ctx)
	id, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return nil, err
	}
	peer, err := shape.ID(in.PeerVpcId, "PeerVpcId", slipway.ParseVPCID)
	if err != nil {
		return nil, err
	}
	if r := shape.Get(in.PeerRegion); r != "" && r != scope.Region {
		return nil, slipway.Refused("PeerRegion", "peerings here join VPCs of one region.")
	}
	if peer == id {
		return nil, slipway.Errorf(slipway.InvalidParameterValue, "The VPC '%s' cannot be peered with itself.", id)
	}
	p := &slipway.Peering{
		ID: slipway.NewPeeringID(), Region: scope.Region, Status: slipway.PeeringStatePending,
		Expires: s.now().Add(slipway.PeeringExpiry),
	}
	if p.Tags, err = shape.TagsOf(in.TagSpecifications, "vpc-peering-connection"); err != nil {
		return nil, err
	}
	owner := shape.Get(in.PeerOwnerId)
	if owner == "" {
		owner = scope.Account
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		v, err := state.VPCs.Require(tx, scope, string(id))
		if err != nil {
			return err
		}
		for old := range state.Peerings.By(tx, state.Shared(scope.Region), "vpc/"+string(id)) {
			status, _ := old.StatusAt(s.now())
			if (status == slipway.PeeringStateActive || status == slipway.PeeringStatePending) &&
				(old.Requester.VPC == peer || old.Accepter.VPC == peer) {
				return slipway.Errorf(slipway.VpcPeeringConnectionAlreadyExists,
					"The VPC peering connection '%s' already exists between these VPCs.", old.ID)
			}
		}
		p.Requester, p.Accepter = side(v), slipway.PeeringSide{Account: owner, VPC: peer}
		p.Message = "Pending Acceptance by " + owner
		other := state.VPCs.See(tx, state.Scope{Account: owner, Region: scope.Region}, string(peer))
		if other != nil {
			p.Accepter = side(other)
		}
		if other == nil || overlap(p.Requester.CIDRs, p.Accepter.CIDRs) {
			p.Message, p.Ended = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range", s.now()
			if err := p.Become(slipway.PeeringStateFailed); err != nil {
				return err
			}
		}
		return state.Peerings.Put(tx, p)
	})
	if err != nil {
		return nil, err
	}
	w := s.wire(nil, p)
	w.Status = &ec2wire.VpcPeeringConnectionStateReason{
		Code: shape.Of("initiating-request"), Message: shape.Of("Initiating Request to " + owner),
	}
	return &ec2wire.CreateVpcPeeringConnectionResult{VpcPeeringConnection: &w}, nil
}

// become changes the status of a peering that the caller has a part in; may says whether its part allows that.
func (s *Service) become(
	ctx context.Context, id *string, to slipway.PeeringState, message string, from []slipway.PeeringState,
	may func(p *slipway.Peering, account string) bool,
) (*slipway.Peering, error) {
	text, err := shape.Need(id, "VpcPeeringConnectionId")
	if err != nil {
		return nil, err
	}
	account, shared := state.Of(ctx).Account, state.Shared(state.Of(ctx).Region)
	var out *slipway.Peering
	err = s.db.Update(ctx, func(tx store.Tx) error {
		p, err := state.Peerings.Get(tx, shared, text)
		if err != nil {
			return err
		}
		if !p.Of(account) {
			return state.Peerings.Absent(text)
		}
		if !may(p, account) {
			return slipway.Errorf(slipway.OperationNotPermitted, "User %s cannot change peering %s to %s", account, p.ID, to)
		}
		now, _ := p.StatusAt(s.now())
		lawful := false
		for _, f := range from {
			lawful = lawful || f == now
		}
		if !lawful {
			return slipway.Errorf(slipway.InvalidStateTransition,
				"Invalid state transition for %s, attempted to transition from %s to %s", p.ID, now, to)
		}
		if err := p.Become(to); err != nil {
			return err
		}
		if p.Message = message; to != slipway.PeeringStateActive {
			p.Ended = s.now()
		}
		out = p
		return state.Peerings.Put(tx, p)
	})
	return out, err
}

func accepter(p *slipway.Peering, account string) bool { return p.Accepter.Account == account }

// Accept answers AcceptVpcPeeringConnection.
func (s *Service) Accept(
	ctx context.Context, in *ec2wire.AcceptVpcPeeringConnectionRequest,
) (*ec2wire.AcceptVpcPeeringConnectionResult, error) {
	p, err := s.become(ctx, in.VpcPeeringConnectionId, slipway.PeeringStateActive, "Active",
		[]slipway.PeeringState{slipway.PeeringStatePending}, accepter)
	if err != nil {
		return nil, err
	}
	w := s.wire(nil, p)
	w.Status = &ec2wire.VpcPeeringConnectionStateReason{Code: shape.Of("provisioning"), Message: shape.Of("Provisioning")}
	return &ec2wire.AcceptVpcPeeringConnectionResult{VpcPeeringConnection: &w}, nil
}

// Reject answers RejectVpcPeeringConnection.
func (s *Service) Reject(
	ctx context.Context, in *ec2wire.RejectVpcPeeringConnectionRequest,
) (*ec2wire.RejectVpcPeeringConnectionResult, error) {
	_, err := s.become(ctx, in.VpcPeeringConnectionId, slipway.PeeringStateRejected, "Rejected by "+state.Of(ctx).Account,
		[]slipway.PeeringState{slipway.PeeringStatePending}, accepter)
	return &ec2wire.RejectVpcPeeringConnectionResult{Return: shape.Of(true)}, err
}

// Delete answers DeleteVpcPeeringConnection: either side ends an active peering, the requester also its request.
func (s *Service) Delete(
	ctx context.Context, in *ec2wire.DeleteVpcPeeringConnectionRequest,
) (*ec2wire.DeleteVpcPeeringConnectionResult, error) {
	_, err := s.become(ctx, in.VpcPeeringConnectionId, slipway.PeeringStateDeleted, "Deleted by "+state.Of(ctx).Account,
		[]slipway.PeeringState{slipway.PeeringStateActive, slipway.PeeringStatePending, slipway.PeeringStateFailed},
		func(p *slipway.Peering, account string) bool {
			return p.Status == slipway.PeeringStateActive || p.Requester.Account == account
		})
	return &ec2wire.DeleteVpcPeeringConnectionResult{Return: shape.Of(true)}, err
}

// Options answers ModifyVpcPeeringConnectionOptions: each side's are its account's to change, while the peering is active.
func (s *Service) Options(
	ctx context.Context, in *ec2wire.ModifyVpcPeeringConnectionOptionsRequest,
) (*ec2wire.ModifyVpcPeeringConnectionOptionsResult, error) {
	id, err := shape.Need(in.VpcPeeringConnectionId, "VpcPeeringConnectionId")
	if err != nil {
		return nil, err
	}
	for _, o := range []*ec2wire.PeeringConnectionOptionsRequest{
		in.AccepterPeeringConnectionOptions, in.RequesterPeeringConnectionOptions,
	} {
		if o != nil &&
			(shape.Get(o.AllowEgressFromLocalClassicLinkToRemoteVpc) ||
				shape.Get(o.AllowEgressFromLocalVpcToRemoteClassicLink)) {
			return nil, slipway.Refused("AllowEgressFromLocalClassicLinkToRemoteVpc", "there is no ClassicLink here.")
		}
	}
	out := &ec2wire.ModifyVpcPeeringConnectionOptionsResult{}
	return out, s.db.Update(ctx, func(tx store.Tx) error {
		scope := state.Of(ctx)
		p, err := state.Peerings.Get(tx, state.Shared(scope.Region), id)
		if err != nil {
			return err
		}
		if !p.Of(scope.Account) {
			return state.Peerings.Absent(id)
		}
		if p.Status != slipway.PeeringStateActive {
			return slipway.Errorf(slipway.OperationNotPermitted,
				"The peering %s is not active: options can be set for active peerings only.", id)
		}
		set := func(
			o *ec2wire.PeeringConnectionOptionsRequest, side *slipway.PeeringSide, name string,
		) (*ec2wire.PeeringConnectionOptions, error) {
			if o == nil {
				return nil, nil
			}
			if side.Account != scope.Account {
				return nil, slipway.Errorf(slipway.OperationNotPermitted,
					"User %s cannot set the %sPeeringConnectionOptions of %s: that VPC is another account's.",
					scope.Account, name, id)
			}
			if o.AllowDnsResolutionFromRemoteVpc != nil {
				side.Named = *o.AllowDnsResolutionFromRemoteVpc
			}
			no, named := shape.Of(false), side.Named
			return &ec2wire.PeeringConnectionOptions{
				AllowDnsResolutionFromRemoteVpc: &named, AllowEgressFromLocalClassicLinkToRemoteVpc: no,
				AllowEgressFromLocalVpcToRemoteClassicLink: no,
			}, nil
		}
		if out.AccepterPeeringConnectionOptions, err = set(in.AccepterPeeringConnectionOptions, &p.Accepter,
			"accepter"); err != nil {
			return err
		}
		if out.RequesterPeeringConnectionOptions, err = set(in.RequesterPeeringConnectionOptions, &p.Requester,
			"requester"); err != nil {
			return err
		}
		return state.Peerings.Put(tx, p)
	})
}

// Sweep removes peerings that ended a while ago, and requests that expired.
func (s *Service) Sweep(ctx context.Context) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for p := range state.Peerings.By(tx, state.Global, "/asked") {
			if s.now().Sub(p.Expires) > shownFor {
				state.Peerings.Delete(tx, state.Shared(p.Region), string(p.ID))
			}
		}
		for p := range state.Peerings.By(tx, state.Global, "/ended") {
			if s.now().Sub(p.Ended) > shownFor {
				state.Peerings.Delete(tx, state.Shared(p.Region), string(p.ID))
			}
		}
		return nil
	})
}
