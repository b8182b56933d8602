package addresses

import (
	"context"
	"net/netip"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Associate answers AssociateAddress: the address leads to an interface's private address from now on, wherever it led before.
func (s *Service) Associate(ctx context.Context, in *ec2wire.AssociateAddressRequest) (*ec2wire.AssociateAddressResult, error) {
	instance, eni := shape.Get(in.InstanceId), shape.Get(in.NetworkInterfaceId)
	switch {
	case shape.Get(in.AllocationId) == "" && shape.Get(in.PublicIp) != "":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"You must specify an allocation id when mapping an address to a VPC instance")
	case shape.Get(in.AllocationId) == "":
		return nil, slipway.Missing("AllocationId")
	case instance == "" && eni == "":
		return nil, slipway.Errorf(slipway.MissingParameter,
			"Either public IP or allocation id must be specified with an instance ID or a network interface ID")
	case instance != "" && eni != "":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"You may specify either an instance ID or a network interface ID, but not both")
	}
	private := netip.Addr{}
	if text := shape.Get(in.PrivateIpAddress); text != "" {
		var err error
		if private, err = netip.ParseAddr(text); err != nil {
			return nil, slipway.Invalid(text, "privateIpAddress", "It must be an IPv4 address.")
		}
	}
	may := in.AllowReassociation == nil || *in.AllowReassociation
	var out slipway.AssociationID
	err := s.db.Update(ctx, func(tx store.Tx) error {
		a, err := state.Addresses.Get(tx, state.Of(ctx), *in.AllocationId)
		if err != nil {
			return err
		}
		n, err := target(tx, state.Of(ctx), instance, eni)
		if err != nil {
			return err
		}
		i, err := index(n, private)
		if err != nil {
			return err
		}
		if a.Interface == n.ID && a.PrivateIP == n.Addresses[i].IP {
			out = a.Association
			return nil
		}
		was := n.Addresses[i].Association
		if !may && (a.Association != "" || was != "") {
			if a.Association != "" {
				was = a.Association
			}
			return slipway.Errorf(slipway.ResourceAlreadyAssociated,
				"resource %s is already associated with associate-id %s", a.ID, was)
		}
		if err := s.part(tx, a); err != nil {
			return err
		}
		if a.Interface == n.ID { // it moves between two addresses of one interface
			if n, err = state.Interfaces.Get(tx, state.Of(ctx), string(n.ID)); err != nil {
				return err
			}
		}
		a.Interface, a.PrivateIP, a.Association = "", netip.Addr{}, ""
		out, err = s.Join(tx, a, n, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.AssociateAddressResult{AssociationId: shape.Text(out)}, nil
}

// Join leads a free elastic address to the i-th private address of an interface. What led there before does no longer: an
// address of the pool goes back to it, an elastic one stays its owner's.
func (s *Service) Join(tx store.Tx, a *slipway.Address, n *slipway.Interface, i int) (slipway.AssociationID, error) {
	scope := state.Scope{Account: n.Account, Region: n.Region}
	if !attachedGateway(tx, n) {
		return "", slipway.Errorf(slipway.GatewayNotAttached, "Network %s is not attached to any internet gateway", n.VPC)
	}
	p := &n.Addresses[i]
	switch {
	case p.Allocation != "":
		err := state.Addresses.Edit(tx, scope, string(p.Allocation), func(old *slipway.Address) error {
			old.Interface, old.PrivateIP, old.Association = "", netip.Addr{}, ""
			return nil
		})
		if err != nil {
			return "", err
		}
	case p.Public.IsValid():
		s.pool.Give(tx, p.Public)
	}
	a.Interface, a.PrivateIP, a.Association = n.ID, p.IP, slipway.NewAssociationID()
	p.Public, p.Allocation, p.Association = a.IP, a.ID, a.Association
	if err := state.Interfaces.Put(tx, n); err != nil {
		return "", err
	}
	return a.Association, state.Addresses.Put(tx, a)
}

// part ends an elastic address's association; its instance gets an address of the pool again at its next start, not before.
func (s *Service) part(tx store.Tx, a *slipway.Address) error {
	if a.Interface == "" {
		return nil
	}
	n, err := state.Interfaces.Get(tx, state.Scope{Account: a.Account, Region: a.Region}, string(a.Interface))
	if err != nil {
		return err
	}
	if n.Requester != "" {
		return slipway.Errorf(slipway.OperationNotPermitted,
			"The address %s belongs to '%s' and cannot be taken from it.", a.IP, n.Description)
	}
	for i := range n.Addresses {
		if p := &n.Addresses[i]; p.Allocation == a.ID {
			p.Public, p.Allocation, p.Association = netip.Addr{}, "", ""
		}
	}
	return state.Interfaces.Put(tx, n)
}

func attachedGateway(tx store.Tx, n *slipway.Interface) bool {
	for range state.InternetGateways.By(tx, state.Scope{Account: n.Account, Region: n.Region}, "vpc/"+string(n.VPC)) {
		return true
	}
	return false
}

// target is the interface that an address shall lead to: the one named, or the only one of the instance named.
func target(tx store.Tx, scope state.Scope, instance, eni string) (*slipway.Interface, error) {
	if eni != "" {
		id, err := slipway.ParseInterfaceID(eni)
		if err != nil {
			return nil, err
		}
		n, err := state.Interfaces.Get(tx, scope, string(id))
		if err == nil && n.Requester != "" {
			return nil, slipway.Errorf(slipway.OperationNotPermitted,
				"The network interface '%s' is managed by its requester.", eni)
		}
		return n, err
	}
	id, err := slipway.ParseInstanceID(instance)
	if err != nil {
		return nil, err
	}
	in, err := state.Instances.Require(tx, scope, string(id))
	switch {
	case err != nil:
		return nil, err
	case in.VPC == "":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The instance '%s' is in EC2-Classic, where it has the addresses of the pool only.", id)
	case in.State == slipway.Pending:
		return nil, slipway.Errorf(slipway.InvalidInstanceID,
			"The pending instance '%s' is not in a valid state for this operation.", id)
	case in.State == slipway.ShuttingDown || in.State == slipway.Terminated:
		return nil, slipway.Errorf(slipway.InvalidInstanceID,
			"The instance '%s' is not in a valid state for this operation.", id)
	case len(in.Interfaces) > 1:
		return nil, slipway.Errorf(slipway.InvalidInstanceID,
			"There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.",
			id)
	}
	return state.Interfaces.Get(tx, scope, string(in.Interfaces[0]))
}

func index(n *slipway.Interface, private netip.Addr) (int, error) {
	if !private.IsValid() && len(n.Addresses) > 0 {
		return 0, nil
	}
	i := slices.IndexFunc(n.Addresses, func(p slipway.PrivateAddress) bool { return p.IP == private })
	if i < 0 {
		return 0, slipway.Errorf(slipway.InvalidParameterValue,
			"The private IP address %s is not assigned to the network interface '%s'.", private, n.ID)
	}
	return i, nil
}

// Disassociate answers DisassociateAddress.
func (s *Service) Disassociate(ctx context.Context, in *ec2wire.DisassociateAddressRequest) error {
	if shape.Get(in.AssociationId) == "" && shape.Get(in.PublicIp) != "" {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"You must specify an association id when unmapping an address from a VPC instance")
	}
	id, err := shape.Need(in.AssociationId, "AssociationId")
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		for shared := range state.Addresses.By(tx, scope, "association/"+id) {
			a, err := state.Addresses.Get(tx, scope, string(shared.ID))
			if err != nil {
				return err
			}
			if err := s.part(tx, a); err != nil {
				return err
			}
			a.Interface, a.PrivateIP, a.Association = "", netip.Addr{}, ""
			return state.Addresses.Put(tx, a)
		}
		return slipway.Errorf(slipway.InvalidAssociationIDNotFound, "The association ID '%s' does not exist", id)
	})
}

// Free takes the elastic addresses of an interface that goes from it.
func Free(tx store.Tx, n *slipway.Interface) error {
	for _, p := range n.Addresses {
		if p.Allocation == "" {
			continue
		}
		err := state.Addresses.Edit(tx, state.Scope{Account: n.Account, Region: n.Region}, string(p.Allocation),
			func(a *slipway.Address) error {
				a.Interface, a.PrivateIP, a.Association = "", netip.Addr{}, ""
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}
