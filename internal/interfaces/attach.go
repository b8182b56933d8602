package interfaces

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func noAttachment(id string) error {
	return slipway.Errorf(slipway.InvalidAttachmentIDNotFound, "The attachment ID '%s' does not exist", id)
}

// Attach answers AttachNetworkInterface: a running guest gets a new card, a stopped one finds it at its start.
func (s *Service) Attach(
	ctx context.Context, in *ec2wire.AttachNetworkInterfaceRequest,
) (*ec2wire.AttachNetworkInterfaceResult, error) {
	id, err := shape.ID(in.InstanceId, "InstanceId", slipway.ParseInstanceID)
	if err != nil {
		return nil, err
	}
	switch {
	case in.DeviceIndex == nil:
		return nil, slipway.Missing("DeviceIndex")
	case *in.DeviceIndex < 0:
		return nil, slipway.Errorf(slipway.InvalidParameterValue, "Invalid value '%d' for deviceIndex.", *in.DeviceIndex)
	case shape.Get(in.NetworkCardIndex) != 0:
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"Network card index %d is invalid: instance types here have one network card.", *in.NetworkCardIndex)
	case in.EnaSrdSpecification != nil && shape.Get(in.EnaSrdSpecification.EnaSrdEnabled):
		return nil, slipway.Refused("EnaSrdSpecification", "no instance type here has ENA Express.")
	case in.EnaQueueCount != nil:
		return nil, slipway.Refused("EnaQueueCount", "guests here have virtio network cards.")
	}
	attachment := slipway.NewAttachmentID()
	_, err = s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) error {
		i, err := state.Instances.Get(tx, state.Of(ctx), string(id))
		if err != nil {
			return err
		}
		if err := fits(tx, i, n, *in.DeviceIndex); err != nil {
			return err
		}
		n.Attachment = &slipway.Attachment{
			ID: attachment, Instance: id, DeviceIndex: *in.DeviceIndex, AttachTime: s.now(),
			Attaching: i.State == slipway.Running,
		}
		i.Interfaces = append(i.Interfaces, n.ID)
		return state.Instances.Put(tx, i)
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.AttachNetworkInterfaceResult{
		AttachmentId: shape.Text(attachment), NetworkCardIndex: shape.Of(int32(0)),
	}, nil
}

// fits refuses an interface that cannot be a card of the instance.
func fits(tx store.Tx, i *slipway.Instance, n *slipway.Interface, index int32) error {
	switch {
	case i.State != slipway.Running && i.State != slipway.Stopped:
		return slipway.Errorf(slipway.IncorrectState, "Instance '%s' is not 'running' or 'stopped'.", i.ID)
	case n.Attachment != nil:
		return slipway.Errorf(slipway.InvalidNetworkInterfaceInUse, "Network interface '%s' is currently in use.", n.ID)
	case i.Zone != n.Zone:
		return slipway.Errorf(slipway.InvalidParameterCombination,
			"You may not attach a network interface to an instance if they are not in the same availability zone")
	case i.VPC != n.VPC:
		return slipway.Errorf(slipway.UnsupportedOperation,
			"The network interface '%s' and the instance '%s' are in different VPCs, which is not supported.", n.ID, i.ID)
	}
	for _, id := range i.Interfaces {
		if other := state.Interfaces.See(tx, state.Scope{Account: i.Account, Region: i.Region},
			string(id)); other != nil && other.Attachment != nil && other.Attachment.DeviceIndex == index {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"Instance '%s' already has an interface attached at device index '%d'.", i.ID, index)
		}
	}
	kind := slipway.FindInstanceType(i.Type)
	if kind != nil && len(i.Interfaces) >= int(kind.MaxInterfaces) {
		return slipway.Errorf(slipway.AttachmentLimitExceeded, "Interface count %d exceeds the limit for %s",
			len(i.Interfaces)+1, i.Type)
	}
	if len(i.Volumes)+len(i.Interfaces) >= slipway.MachineSlots {
		return slipway.Errorf(slipway.AttachmentLimitExceeded,
			"The instance '%s' has %d volumes and interfaces, and room for no more.", i.ID, slipway.MachineSlots)
	}
	return limits(kind, n)
}

// limits refuses more addresses than the instance type carries on one interface; a prefix counts for one.
func limits(kind *slipway.InstanceType, n *slipway.Interface) error {
	switch {
	case kind == nil:
		return nil
	case len(n.Addresses)+len(n.Prefixes) > int(kind.IPv4PerInterface):
		return slipway.Errorf(slipway.PrivateIpAddressLimitExceeded, "Number of private addresses will exceed limit.")
	case len(n.IPv6)+len(n.Prefixes6) > int(kind.IPv6PerInterface):
		return slipway.Errorf(slipway.InvalidInterfaceIpAddressLimitExceeded, "Number of IPv6 addresses will exceed limit.")
	}
	return nil
}

// Detach answers DetachNetworkInterface. By force, nobody waits for the guest to let the card go.
func (s *Service) Detach(ctx context.Context, in *ec2wire.DetachNetworkInterfaceRequest) error {
	id, err := shape.ID(in.AttachmentId, "AttachmentId", slipway.ParseAttachmentID)
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		for shared := range state.Interfaces.By(tx, scope, "attachment/"+string(id)) {
			n, err := state.Interfaces.Get(tx, scope, string(shared.ID))
			if err != nil {
				return err
			}
			if err := managed(n); err != nil {
				return err
			}
			return detach(tx, n, shape.Get(in.Force))
		}
		return noAttachment(string(id))
	})
}

func detach(tx store.Tx, n *slipway.Interface, force bool) error {
	if n.Attachment.DeviceIndex == 0 {
		return slipway.Errorf(slipway.OperationNotPermitted,
			"The network interface at device index 0 and networkCard index 0 cannot be detached.")
	}
	i, err := state.Instances.Get(tx, state.Scope{Account: n.Account, Region: n.Region}, string(n.Attachment.Instance))
	if err != nil {
		return err
	}
	if i.State != slipway.Stopped && !force {
		n.Attachment.Detaching = true
		return state.Interfaces.Put(tx, n)
	}
	n.Attachment = nil
	i.Interfaces = slices.DeleteFunc(i.Interfaces, func(id slipway.InterfaceID) bool { return id == n.ID })
	if err := state.Instances.Put(tx, i); err != nil {
		return err
	}
	return state.Interfaces.Put(tx, n)
}
