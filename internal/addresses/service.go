package addresses

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

// Service answers the elastic address actions.
type Service struct {
	db   state.DB
	pool Pool
	now  func() time.Time
}

// New makes the room.
func New(db state.DB, pool Pool, now func() time.Time) *Service { return &Service{db, pool, now} }

// Allocate answers AllocateAddress.
func (s *Service) Allocate(ctx context.Context, in *ec2wire.AllocateAddressRequest) (*ec2wire.AllocateAddressResult, error) {
	scope := state.Of(ctx)
	switch {
	case shape.Get(in.Domain) == "standard":
		return nil, slipway.Refused("Domain standard", "in EC2-Classic instances have the addresses of the pool only.")
	case shape.Get(in.Domain) != "" && *in.Domain != "vpc":
		return nil, slipway.Invalid(*in.Domain, "domain", "It must be vpc.")
	case shape.Get(in.CustomerOwnedIpv4Pool) != "":
		return nil, slipway.Refused("CustomerOwnedIpv4Pool", "there are no Outposts here.")
	case shape.Get(in.IpamPoolId) != "":
		return nil, slipway.Refused("IpamPoolId", "there is no IP address manager here.")
	case shape.Get(in.PublicIpv4Pool) != "" && *in.PublicIpv4Pool != "amazon":
		return nil, slipway.Refused("PublicIpv4Pool",
			"there is one pool of public addresses, amazon, which is the installation's.")
	case shape.Get(in.NetworkBorderGroup) != "" && *in.NetworkBorderGroup != scope.Region:
		return nil, slipway.Invalid(*in.NetworkBorderGroup, "networkBorderGroup",
			"There are no local zones here: it is the region's name.")
	}
	wanted := netip.Addr{}
	if text := shape.Get(in.Address); text != "" {
		var err error
		if wanted, err = netip.ParseAddr(text); err != nil {
			return nil, slipway.Invalid(text, "address", "It must be an IPv4 address.")
		}
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "elastic-ip")
	if err != nil {
		return nil, err
	}
	a := &slipway.Address{ID: slipway.NewAllocationID(), Account: scope.Account, Region: scope.Region, Tags: tags}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if err := room(tx, scope); err != nil {
			return err
		}
		if wanted.IsValid() {
			if !s.pool.Range.Contains(wanted) || !s.pool.takeExact(tx, wanted, string(a.ID)) {
				return slipway.Errorf(slipway.InvalidAddressNotFound, "Address '%s' is not available.", wanted)
			}
			a.IP = wanted
		} else if a.IP, err = s.pool.Take(tx, string(a.ID)); err != nil {
			return err
		}
		return state.Addresses.Put(tx, a)
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.AllocateAddressResult{
		AllocationId: shape.Text(a.ID), PublicIp: shape.Of(a.IP.String()), Domain: shape.Of("vpc"),
		PublicIpv4Pool: shape.Of("amazon"), NetworkBorderGroup: &scope.Region,
	}, nil
}

// room refuses an address more than the account may have; without a quota of its own it may have as many as the pool gives.
func room(tx store.Tx, scope state.Scope) error {
	account := state.Accounts.See(tx, state.Global, scope.Account)
	if account == nil || account.Quotas["addresses"] == 0 {
		return nil
	}
	n := 0
	for range state.Addresses.All(tx, scope) {
		n++
	}
	if n >= account.Quotas["addresses"] {
		return slipway.Errorf(slipway.AddressLimitExceeded, "The maximum number of addresses has been reached.")
	}
	return nil
}

// Release answers ReleaseAddress.
func (s *Service) Release(ctx context.Context, in *ec2wire.ReleaseAddressRequest) error {
	scope := state.Of(ctx)
	if shape.Get(in.AllocationId) == "" && shape.Get(in.PublicIp) != "" {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"You must specify an allocation id when releasing a VPC elastic IP address")
	}
	id, err := shape.Need(in.AllocationId, "AllocationId")
	if err != nil {
		return err
	}
	if g := shape.Get(in.NetworkBorderGroup); g != "" && g != scope.Region {
		return slipway.Invalid(g, "networkBorderGroup", "There are no local zones here: it is the region's name.")
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		a, err := state.Addresses.Require(tx, scope, id)
		if err != nil {
			return err
		}
		if a.Association != "" {
			return slipway.Errorf(slipway.InvalidIPAddressInUse, "Address %s is in use.", a.IP)
		}
		s.pool.Give(tx, a.IP)
		state.Addresses.Delete(tx, scope, id)
		return nil
	})
}
