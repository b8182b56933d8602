package vpcs

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

// destination reads the one destination of a route.
func destination(four, six, list *string) (netip.Prefix, string, error) {
	given := 0
	for _, p := range []*string{four, six, list} {
		if shape.Get(p) != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return netip.Prefix{}, "", slipway.Missing("DestinationCidrBlock")
	case given > 1:
		return netip.Prefix{}, "", slipway.Errorf(slipway.InvalidParameterCombination,
			"Exactly one of destinationCidrBlock, destinationIpv6CidrBlock and destinationPrefixListId can be specified")
	case shape.Get(list) != "":
		return netip.Prefix{}, *list, nil
	}
	text, name := shape.Get(four), "destinationCidrBlock"
	if text == "" {
		text, name = *six, "destinationIpv6CidrBlock"
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4() != (name == "destinationCidrBlock") {
		return p, "", slipway.Invalid(text, name, "This is not a valid CIDR block.")
	}
	return p.Masked(), "", nil
}

// target is what a route's request says about where it leads.
type target struct {
	route slipway.Route
	local bool
}

// readTarget takes exactly one target and refuses those that do not exist here.
func readTarget(in *ec2wire.ReplaceRouteRequest) (target, error) {
	for name, p := range map[string]*string{
		"VpcEndpointId": in.VpcEndpointId, "TransitGatewayId": in.TransitGatewayId, "LocalGatewayId": in.LocalGatewayId,
		"CarrierGatewayId": in.CarrierGatewayId, "CoreNetworkArn": in.CoreNetworkArn, "OdbNetworkArn": in.OdbNetworkArn,
	} {
		if shape.Get(p) != "" {
			return target{}, slipway.Refused(name, "there are no gateways of that kind here.")
		}
	}
	t := target{local: shape.Get(in.LocalTarget)}
	t.route = slipway.Route{
		Gateway: shape.Get(in.GatewayId), EgressOnly: shape.Get(in.EgressOnlyInternetGatewayId),
		NAT:     shape.Get(in.NatGatewayId),
		Peering: shape.Get(in.VpcPeeringConnectionId),
	}
	given := 0
	for _, s := range []string{
		t.route.Gateway, t.route.EgressOnly, t.route.NAT, t.route.Peering, shape.Get(in.InstanceId),
		shape.Get(in.NetworkInterfaceId),
	} {
		if s != "" {
			given++
		}
	}
	if t.local {
		given++
	}
	switch {
	case given == 0:
		return t, slipway.Missing("GatewayId")
	case given > 1:
		return t, slipway.Errorf(slipway.InvalidParameterCombination, "A route has exactly one target")
	}
	var err error
	if id := shape.Get(in.InstanceId); id != "" {
		t.route.Instance, err = slipway.ParseInstanceID(id)
	}
	if id := shape.Get(in.NetworkInterfaceId); id != "" {
		t.route.Interface, err = slipway.ParseInterfaceID(id)
	}
	return t, err
}

// reach refuses a target that is not there, or not in the table's network.
func reach(tx store.Tx, t *slipway.RouteTable, r slipway.Route) error {
	scope := state.Scope{Account: t.Account, Region: t.Region}
	apart := func(what string, id string) error {
		return slipway.Errorf(slipway.InvalidParameterValue, "route table %s and %s %s belong to different networks",
			t.ID, what, id)
	}
	noGateway := func(id string) error {
		return slipway.Errorf(slipway.InvalidGatewayIDNotFound, "The gateway ID '%s' does not exist", id)
	}
	switch {
	case r.Gateway != "":
		g := state.InternetGateways.See(tx, scope, r.Gateway)
		switch {
		case g == nil:
			return noGateway(r.Gateway)
		case g.VPC != t.VPC:
			return apart("network gateway", r.Gateway)
		}
	case r.EgressOnly != "":
		g := state.EgressOnlyGateways.See(tx, scope, r.EgressOnly)
		switch {
		case g == nil:
			return noGateway(r.EgressOnly)
		case g.VPC != t.VPC:
			return apart("network gateway", r.EgressOnly)
		case r.PrefixList == "" && r.Destination.Addr().Is4():
			return slipway.Invalid(r.Destination.String(), "destinationCidrBlock",
				"An egress-only internet gateway carries IPv6 only.")
		}
	case r.NAT != "":
		g := state.NATGateways.See(tx, scope, r.NAT)
		switch {
		case g == nil || g.State != slipway.NATGatewayStateAvailable:
			return slipway.Errorf(slipway.InvalidNatGatewayIDNotFound, "The natGateway ID '%s' does not exist", r.NAT)
		case g.VPC != t.VPC:
			return apart("NAT gateway", r.NAT)
		case r.PrefixList == "" && !r.Destination.Addr().Is4():
			return slipway.Refused("DestinationIpv6CidrBlock", "a NAT gateway here carries IPv4 only.")
		}
	case r.Peering != "":
		p := state.Peerings.See(tx, state.Shared(t.Region), r.Peering)
		switch {
		case p == nil || p.Requester.VPC != t.VPC && p.Accepter.VPC != t.VPC:
			return state.Peerings.Absent(r.Peering)
		case r.PrefixList == "" && !r.Destination.Addr().Is4():
			return slipway.Refused("DestinationIpv6CidrBlock", "a peering here carries IPv4 only.")
		case p.Status != slipway.PeeringStateActive && p.Status != slipway.PeeringStatePending:
			return slipway.Errorf(slipway.InvalidStateTransition, "The VPC peering connection %s is %s", p.ID, p.Status)
		}
	case r.Instance != "":
		in, err := state.Instances.Require(tx, scope, string(r.Instance))
		switch {
		case err != nil:
			return err
		case in.VPC != t.VPC:
			return apart("instance", string(r.Instance))
		case len(in.Interfaces) > 1:
			return slipway.Errorf(slipway.InvalidInstanceID,
				"There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the "+
					"operation instead.",
				r.Instance)
		}
	case r.Interface != "":
		n, err := state.Interfaces.Require(tx, scope, string(r.Interface))
		switch {
		case err != nil:
			return err
		case n.VPC != t.VPC:
			return apart("interface", string(r.Interface))
		}
	}
	if r.PrefixList != "" {
		_, err := state.PrefixLists.Require(tx, scope, r.PrefixList)
		return err
	}
	return nil
}

func at(t *slipway.RouteTable, p netip.Prefix, list string) int {
	return slices.IndexFunc(t.Routes, func(r slipway.Route) bool { return r.Destination == p && r.PrefixList == list })
}

// isLocal says whether a destination is one of the VPC's ranges; inside says whether it is a part of one.
func isLocal(v *slipway.VPC, p netip.Prefix) (local, inside bool) {
	for _, c := range append(slices.Clone(v.CIDRs), v.IPv6...) {
		local = local || c.Prefix == p
		inside = inside || p.IsValid() && c.Prefix.Contains(p.Addr()) && c.Prefix.Bits() < p.Bits()
	}
	return local, inside
}

func name(p netip.Prefix, list string) string {
	if list != "" {
		return list
	}
	return p.String()
}

// editTable changes a route table of a VPC.
func (s *Service) editTable(
	ctx context.Context, id string, change func(store.Tx, *slipway.RouteTable, *slipway.VPC) error,
) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.RouteTables.Edit(tx, state.Of(ctx), id, func(t *slipway.RouteTable) error {
			v, err := state.VPCs.Require(tx, state.Of(ctx), string(t.VPC))
			if err != nil {
				return err
			}
			return change(tx, t, v)
		})
	})
}

// CreateRoute answers CreateRoute.
func (s *Service) CreateRoute(ctx context.Context, in *ec2wire.CreateRouteRequest) (*ec2wire.CreateRouteResult, error) {
	id, err := shape.Need(in.RouteTableId, "RouteTableId")
	if err != nil {
		return nil, err
	}
	same := &ec2wire.ReplaceRouteRequest{
		VpcEndpointId: in.VpcEndpointId, TransitGatewayId: in.TransitGatewayId, LocalGatewayId: in.LocalGatewayId,
		CarrierGatewayId: in.CarrierGatewayId,
		CoreNetworkArn:   in.CoreNetworkArn, OdbNetworkArn: in.OdbNetworkArn, GatewayId: in.GatewayId,
		EgressOnlyInternetGatewayId: in.EgressOnlyInternetGatewayId,
		InstanceId:                  in.InstanceId, NetworkInterfaceId: in.NetworkInterfaceId,
		VpcPeeringConnectionId: in.VpcPeeringConnectionId, NatGatewayId: in.NatGatewayId,
	}
	p, list, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return nil, err
	}
	to, err := readTarget(same)
	if err != nil {
		return nil, err
	}
	to.route.Destination, to.route.PrefixList = p, list
	err = s.editTable(ctx, id, func(tx store.Tx, t *slipway.RouteTable, v *slipway.VPC) error {
		local, inside := isLocal(v, p)
		switch {
		case local || at(t, p, list) >= 0:
			return slipway.Errorf(slipway.RouteAlreadyExists, "The route identified by %s already exists.", name(p, list))
		case inside:
			return slipway.Refused("DestinationCidrBlock",
				"what is inside the VPC's own range always goes straight to its interface here.")
		}
		if err := reach(tx, t, to.route); err != nil {
			return err
		}
		t.Routes = append(t.Routes, to.route)
		return nil
	})
	return &ec2wire.CreateRouteResult{Return: shape.Of(true)}, err
}

// ReplaceRoute answers ReplaceRoute.
func (s *Service) ReplaceRoute(ctx context.Context, in *ec2wire.ReplaceRouteRequest) error {
	id, err := shape.Need(in.RouteTableId, "RouteTableId")
	if err != nil {
		return err
	}
	p, list, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return err
	}
	to, err := readTarget(in)
	if err != nil {
		return err
	}
	to.route.Destination, to.route.PrefixList = p, list
	return s.editTable(ctx, id, func(tx store.Tx, t *slipway.RouteTable, v *slipway.VPC) error {
		local, _ := isLocal(v, p)
		i := at(t, p, list)
		switch {
		case local && to.local:
			return nil // it is so already
		case local:
			return slipway.Refused("DestinationCidrBlock",
				"the local route always leads straight to the VPC's interfaces here.")
		case to.local:
			return slipway.Invalid("true", "localTarget", "Only the local route can have the local target.")
		case i < 0:
			return slipway.Errorf(slipway.InvalidParameterValue,
				"There is no route defined for '%s' in the route table. Use CreateRoute instead.", name(p, list))
		}
		if err := reach(tx, t, to.route); err != nil {
			return err
		}
		t.Routes[i] = to.route
		return nil
	})
}

// DeleteRoute answers DeleteRoute.
func (s *Service) DeleteRoute(ctx context.Context, in *ec2wire.DeleteRouteRequest) error {
	id, err := shape.Need(in.RouteTableId, "RouteTableId")
	if err != nil {
		return err
	}
	p, list, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return err
	}
	return s.editTable(ctx, id, func(tx store.Tx, t *slipway.RouteTable, v *slipway.VPC) error {
		if local, _ := isLocal(v, p); local {
			return slipway.Errorf(slipway.InvalidParameterValue, "cannot remove local route %s in route table %s", p, id)
		}
		i := at(t, p, list)
		if i < 0 {
			return slipway.Errorf(slipway.InvalidRouteNotFound,
				"no route with destination-cidr-block %s in route table %s", name(p, list), id)
		}
		t.Routes = slices.Delete(t.Routes, i, i+1)
		return nil
	})
}

// wireRoutes shows the local routes, which follow from the VPC's ranges, and those that were made.
func wireRoutes(r store.Reader, t *slipway.RouteTable) []ec2wire.Route {
	out := []ec2wire.Route{}
	scope := state.Scope{Account: t.Account, Region: t.Region}
	to := func(w ec2wire.Route, p netip.Prefix) ec2wire.Route {
		if p.Addr().Is4() {
			w.DestinationCidrBlock = shape.Of(p.String())
		} else {
			w.DestinationIpv6CidrBlock = shape.Of(p.String())
		}
		return w
	}
	if v := state.VPCs.See(r, scope, string(t.VPC)); v != nil {
		for _, c := range append(slices.Clone(v.CIDRs), v.IPv6...) {
			out = append(out,
				to(ec2wire.Route{
					GatewayId: shape.Of("local"), Origin: shape.Of("CreateRouteTable"), State: shape.Of("active"),
				}, c.Prefix))
		}
	}
	for _, route := range t.Routes {
		w := ec2wire.Route{
			GatewayId: shape.Text(route.Gateway), EgressOnlyInternetGatewayId: shape.Text(route.EgressOnly),
			NatGatewayId:           shape.Text(route.NAT),
			VpcPeeringConnectionId: shape.Text(route.Peering), Origin: shape.Of("CreateRoute"), State: shape.Of("blackhole"),
		}
		if alive(r, t, route) {
			w.State = shape.Of("active")
		}
		if n := routeInterface(r, scope, route); n != nil {
			w.NetworkInterfaceId = shape.Text(n.ID)
			if n.Attachment != nil {
				w.InstanceId, w.InstanceOwnerId = shape.Text(n.Attachment.Instance), &t.Account
			}
		} else {
			w.InstanceId, w.NetworkInterfaceId = shape.Text(route.Instance), shape.Text(route.Interface)
		}
		if route.PrefixList != "" {
			w.DestinationPrefixListId = shape.Of(route.PrefixList)
		} else {
			w = to(w, route.Destination)
		}
		out = append(out, w)
	}
	return out
}

// routeInterface is the interface that a route leads to, if it leads to one.
func routeInterface(r store.Reader, scope state.Scope, route slipway.Route) *slipway.Interface {
	id := route.Interface
	if route.Instance != "" {
		in := state.Instances.See(r, scope, string(route.Instance))
		if in == nil || len(in.Interfaces) == 0 {
			return nil
		}
		id = in.Interfaces[0]
	}
	if id == "" {
		return nil
	}
	return state.Interfaces.See(r, scope, string(id))
}

// alive says whether a route leads anywhere.
func alive(r store.Reader, t *slipway.RouteTable, route slipway.Route) bool {
	scope := state.Scope{Account: t.Account, Region: t.Region}
	switch {
	case route.Gateway != "":
		g := state.InternetGateways.See(r, scope, route.Gateway)
		return g != nil && g.VPC == t.VPC
	case route.EgressOnly != "":
		return state.EgressOnlyGateways.See(r, scope, route.EgressOnly) != nil
	case route.NAT != "":
		g := state.NATGateways.See(r, scope, route.NAT)
		return g != nil && g.State == slipway.NATGatewayStateAvailable
	case route.Peering != "":
		p := state.Peerings.See(r, state.Shared(t.Region), route.Peering)
		return p != nil && p.Status == slipway.PeeringStateActive
	}
	n := routeInterface(r, scope, route)
	if n == nil || n.Attachment == nil {
		return false
	}
	in := state.Instances.See(r, scope, string(n.Attachment.Instance))
	return in != nil && in.State == slipway.Running
}
