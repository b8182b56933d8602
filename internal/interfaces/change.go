package interfaces

import (
	"context"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/ec2wire"
	"slipway/internal/securitygroups"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// maxGroups is the quota of groups of an interface.
const maxGroups = 5

// ReadGroups resolves groups for an interface in a VPC; with none named, the VPC's default group.
func ReadGroups(r store.Reader, scope state.Scope, vpc slipway.VPCID, names []string) ([]slipway.SecurityGroupID, error) {
	ids := make([]slipway.SecurityGroupID, 0, len(names))
	for _, n := range names {
		id, err := slipway.ParseSecurityGroupID(n)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	out, err := securitygroups.Resolve(r, scope, vpc, ids, nil)
	if err != nil {
		return nil, err
	}
	for _, id := range out {
		if g := state.SecurityGroups.See(r, scope, string(id)); g == nil || g.VPC != vpc {
			return nil, slipway.Errorf(slipway.InvalidParameter,
				"Security group %s and the interface belong to different networks.", id)
		}
	}
	if len(out) > maxGroups {
		return nil, slipway.Errorf(slipway.SecurityGroupsPerInterfaceLimitExceeded,
			"The maximum number of security groups per interface has been reached: %d.", maxGroups)
	}
	return out, nil
}

// CreateOne answers CreateNetworkInterface.
func (s *Service) CreateOne(
	ctx context.Context, in *ec2wire.CreateNetworkInterfaceRequest,
) (*ec2wire.CreateNetworkInterfaceResult, error) {
	subnet, err := shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID)
	if err != nil {
		return nil, err
	}
	w, err := readWanted(in)
	if err != nil {
		return nil, err
	}
	if w.Tags, err = shape.TagsOf(in.TagSpecifications, "network-interface"); err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	once := state.OnceOf(scope, "CreateNetworkInterface", in)
	out := &ec2wire.CreateNetworkInterfaceResult{ClientToken: in.ClientToken}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			n, err := state.Interfaces.Require(tx, scope, before.Result)
			if err == nil {
				out.NetworkInterface = shape.Of(Wire(tx, n))
			}
			return err
		}
		if w.Subnet, err = state.Subnets.Require(tx, scope, string(subnet)); err != nil {
			return err
		}
		if w.Groups, err = ReadGroups(tx, scope, w.Subnet.VPC, in.Groups); err != nil {
			return err
		}
		made := w
		if w.Subnet.IPv6OnCreation && len(w.IPv6) == 0 && w.IPv6Count == 0 {
			made.IPv6Count = 1
		}
		n, err := Create(tx, made, s.now())
		if err != nil {
			return err
		}
		out.NetworkInterface = shape.Of(Wire(tx, n))
		out.NetworkInterface.Status = shape.Of("pending")
		return once.Keep(tx, string(n.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// managed refuses changes of an interface that belongs to a gateway.
func managed(n *slipway.Interface) error {
	if n.Requester != "" {
		return slipway.Errorf(slipway.OperationNotPermitted,
			"You do not have permission to access the network interface '%s': it belongs to '%s'.", n.ID, n.Description)
	}
	return nil
}

// edit changes one interface that is the caller's own.
func (s *Service) edit(
	ctx context.Context, id *string, change func(store.Tx, *slipway.Interface) error,
) (slipway.InterfaceID, error) {
	eni, err := shape.ID(id, "NetworkInterfaceId", slipway.ParseInterfaceID)
	if err != nil {
		return "", err
	}
	return eni, s.db.Update(ctx, func(tx store.Tx) error {
		n, err := state.Interfaces.Get(tx, state.Of(ctx), string(eni))
		if err != nil {
			return err
		}
		if err := managed(n); err != nil {
			return err
		}
		if err := change(tx, n); err != nil {
			return err
		}
		return state.Interfaces.Put(tx, n)
	})
}

// Delete answers DeleteNetworkInterface.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteNetworkInterfaceRequest) error {
	id, err := shape.ID(in.NetworkInterfaceId, "NetworkInterfaceId", slipway.ParseInterfaceID)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		n, err := state.Interfaces.Get(tx, state.Of(ctx), string(id))
		if err != nil {
			return err
		}
		if err := managed(n); err != nil {
			return err
		}
		if n.Attachment != nil {
			return slipway.Errorf(slipway.InvalidNetworkInterfaceInUse, "Network interface '%s' is currently in use.", id)
		}
		if err := addresses.Free(tx, n); err != nil {
			return err
		}
		Remove(tx, n)
		return nil
	})
}

// Modify answers ModifyNetworkInterfaceAttribute: exactly one attribute.
func (s *Service) Modify(ctx context.Context, in *ec2wire.ModifyNetworkInterfaceAttributeRequest) error {
	switch {
	case in.ConnectionTrackingSpecification != nil:
		return slipway.Refused("ConnectionTrackingSpecification",
			"the host's kernel has one set of time-outs for all interfaces.")
	case in.EnaSrdSpecification != nil && shape.Get(in.EnaSrdSpecification.EnaSrdEnabled):
		return slipway.Refused("EnaSrdSpecification", "no instance type here has ENA Express.")
	case len(in.AssociatedSubnetIds) > 0:
		return slipway.Refused("AssociatedSubnetId", "an interface here is in one subnet.")
	case in.Attachment != nil && (in.Attachment.EnaQueueCount != nil || in.Attachment.DefaultEnaQueueCount != nil):
		return slipway.Refused("Attachment.EnaQueueCount", "guests here have virtio network cards.")
	}
	given := 0
	for _, set := range []bool{
		len(in.Groups) > 0, in.SourceDestCheck != nil, in.Description != nil, in.Attachment != nil,
		in.EnablePrimaryIpv6 != nil, in.AssociatePublicIpAddress != nil,
	} {
		if set {
			given++
		}
	}
	switch given {
	case 1:
	case 0:
		return slipway.Errorf(slipway.InvalidParameterCombination, "No attributes specified.")
	default:
		return slipway.Errorf(slipway.InvalidParameterCombination, "Fields for multiple attribute types specified")
	}
	_, err := s.edit(ctx, in.NetworkInterfaceId, func(tx store.Tx, n *slipway.Interface) (err error) {
		switch {
		case len(in.Groups) > 0:
			n.Groups, err = ReadGroups(tx, state.Of(ctx), n.VPC, in.Groups)
		case in.SourceDestCheck != nil:
			n.SourceDestCheck = shape.Get(in.SourceDestCheck.Value)
		case in.Description != nil:
			n.Description = shape.Get(in.Description.Value)
		case in.AssociatePublicIpAddress != nil:
			n.AutoPublic = *in.AssociatePublicIpAddress
		case in.EnablePrimaryIpv6 != nil:
			if !*in.EnablePrimaryIpv6 && n.PrimaryIPv6 {
				return slipway.Errorf(slipway.InvalidParameterValue,
					"The primary IPv6 address of '%s' cannot be given up.", n.ID)
			}
			if *in.EnablePrimaryIpv6 && len(n.IPv6) == 0 {
				return slipway.Errorf(slipway.InvalidParameterValue, "The network interface '%s' has no IPv6 address.", n.ID)
			}
			n.PrimaryIPv6 = *in.EnablePrimaryIpv6
		default:
			id := shape.Get(in.Attachment.AttachmentId)
			if n.Attachment == nil || string(n.Attachment.ID) != id {
				return noAttachment(id)
			}
			if in.Attachment.DeleteOnTermination == nil {
				return slipway.Missing("Attachment.DeleteOnTermination")
			}
			n.Attachment.DeleteOnTermination = *in.Attachment.DeleteOnTermination
		}
		return err
	})
	return err
}

// Reset answers ResetNetworkInterfaceAttribute, which knows one attribute.
func (s *Service) Reset(ctx context.Context, in *ec2wire.ResetNetworkInterfaceAttributeRequest) error {
	_, err := s.edit(ctx, in.NetworkInterfaceId, func(_ store.Tx, n *slipway.Interface) error {
		n.SourceDestCheck = true
		return nil
	})
	return err
}

// Attribute answers DescribeNetworkInterfaceAttribute.
func (s *Service) Attribute(
	ctx context.Context, in *ec2wire.DescribeNetworkInterfaceAttributeRequest,
) (*ec2wire.DescribeNetworkInterfaceAttributeResult, error) {
	id, err := shape.ID(in.NetworkInterfaceId, "NetworkInterfaceId", slipway.ParseInterfaceID)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	n, err := state.Interfaces.Require(r, state.Of(ctx), string(id))
	if err != nil {
		return nil, err
	}
	w := Wire(r, n)
	out := &ec2wire.DescribeNetworkInterfaceAttributeResult{NetworkInterfaceId: w.NetworkInterfaceId}
	switch a := shape.Get(in.Attribute); a {
	case "description":
		out.Description = &ec2wire.AttributeValue{Value: w.Description}
	case "groupSet":
		out.Groups = w.Groups
	case "sourceDestCheck":
		out.SourceDestCheck = &ec2wire.AttributeBooleanValue{Value: w.SourceDestCheck}
	case "attachment":
		out.Attachment = w.Attachment
	case "associatePublicIpAddress":
		out.AssociatePublicIpAddress = &n.AutoPublic
	case "":
		return nil, slipway.Missing("Attribute")
	default:
		return nil, slipway.Invalid(a, "attribute", "Unknown attribute.")
	}
	return out, nil
}

// Permissions answers DescribeNetworkInterfacePermissions: nobody has been given any.
func (s *Service) Permissions(
	_ context.Context, in *ec2wire.DescribeNetworkInterfacePermissionsRequest,
) (*ec2wire.DescribeNetworkInterfacePermissionsResult, error) {
	for _, id := range in.NetworkInterfacePermissionIds {
		return nil, slipway.Errorf(slipway.InvalidPermissionIDNotFound,
			"The network interface permission '%s' does not exist", id)
	}
	return &ec2wire.DescribeNetworkInterfacePermissionsResult{
		NetworkInterfacePermissions: []ec2wire.NetworkInterfacePermission{},
	}, nil
}
