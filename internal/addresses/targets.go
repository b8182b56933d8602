package addresses

import (
	"net/netip"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// elastic is the address that a request names by its allocation, its association or itself.
func elastic(v action.View, allocation, association, public *string) *slipway.Address {
	if id := shape.Get(allocation); id != "" {
		return state.Addresses.See(v, v.Scope(), id)
	}
	ip, _ := netip.ParseAddr(shape.Get(public))
	for a := range state.Addresses.All(v, v.Scope()) {
		if a.Association != "" && string(a.Association) == shape.Get(association) || ip.IsValid() && a.IP == ip {
			return a
		}
	}
	return nil
}

// with is an address with the interface that it leads to and that one's instance; what is named, where there is none.
func with(v action.View, a *slipway.Address, named *string) []action.Resource {
	if a == nil {
		return []action.Resource{action.OrAny("elastic-ip", shape.Get(named))}
	}
	return append([]action.Resource{{Kind: "elastic-ip", ID: string(a.ID)}},
		port(v, state.Interfaces.See(v, v.Scope(), string(a.Interface)))...)
}

func port(v action.View, n *slipway.Interface) []action.Resource {
	if n == nil {
		return nil
	}
	out := []action.Resource{{Kind: "network-interface", ID: string(n.ID)}}
	if n.Attachment != nil {
		out = append(out, action.Some("instance", &n.Attachment.Instance)...)
	}
	return out
}

func released(v action.View, in *ec2wire.ReleaseAddressRequest) []action.Resource {
	return with(v, elastic(v, in.AllocationId, nil, in.PublicIp), in.AllocationId)
}

func parted(v action.View, in *ec2wire.DisassociateAddressRequest) []action.Resource {
	return with(v, elastic(v, nil, in.AssociationId, in.PublicIp), nil)
}

// joined is the address with what it leads to now, and what it shall lead to: an interface, or an instance's only one.
func joined(v action.View, in *ec2wire.AssociateAddressRequest) []action.Resource {
	out := with(v, elastic(v, in.AllocationId, nil, in.PublicIp), in.AllocationId)
	if id := shape.Get(in.NetworkInterfaceId); id != "" {
		if n := state.Interfaces.See(v, v.Scope(), id); n != nil {
			return append(out, port(v, n)...)
		}
		return append(out, action.OrAny("network-interface", id))
	}
	out = append(out, action.Some("instance", in.InstanceId)...)
	if i := state.Instances.See(v, v.Scope(), shape.Get(in.InstanceId)); i != nil && len(i.Interfaces) == 1 {
		out = append(out, action.Some("network-interface", &i.Interfaces[0])...)
	}
	return out
}
