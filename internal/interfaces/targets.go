package interfaces

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// detached is the interface that an attachment is of, and its instance.
func detached(v action.View, in *ec2wire.DetachNetworkInterfaceRequest) []action.Resource {
	for n := range state.Interfaces.All(v, v.Scope()) {
		if a := n.Attachment; a != nil && string(a.ID) == shape.Get(in.AttachmentId) {
			return []action.Resource{{Kind: "network-interface", ID: string(n.ID)}, {Kind: "instance", ID: string(a.Instance)}}
		}
	}
	return []action.Resource{{Kind: "network-interface", ID: action.New}, {Kind: "instance", ID: action.New}}
}

// ofInstance is the instance whose attachment changes.
func ofInstance(v action.View, in *ec2wire.ModifyNetworkInterfaceAttributeRequest) []action.Resource {
	if in.Attachment == nil {
		return nil
	}
	if n := state.Interfaces.See(v, v.Scope(), shape.Get(in.NetworkInterfaceId)); n != nil && n.Attachment != nil {
		return action.Some("instance", &n.Attachment.Instance)
	}
	return nil
}
