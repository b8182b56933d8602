package admission

import (
	"encoding/binary"
	"net/netip"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/launchspec"
	"slipway/internal/securitygroups"
	"slipway/internal/state"
	"slipway/internal/store"
)

// classicNetwork is rule R4: no VPC, no subnet, no interface; the zone is chosen unless it was named.
func (l *launch) classicNetwork() error {
	n := &l.spec.Network
	vpcOnly := func(parameter string) error {
		return launchspec.Combination("The parameter %s may only be used in a VPC, and the launch is in EC2-Classic.",
			parameter)
	}
	switch {
	case n.PrivateIP.IsValid():
		return vpcOnly("privateIpAddress")
	case n.IPv6Count > 0 || len(n.IPv6) > 0 || n.PrimaryIPv6:
		return vpcOnly("ipv6Addresses")
	case l.spec.HostnameType != "" || l.spec.ARecord != nil || l.spec.AAAARecord != nil:
		return vpcOnly("privateDnsNameOptions")
	case l.spec.Placement.Tenancy != "" && l.spec.Placement.Tenancy != "default":
		return vpcOnly("tenancy")
	}
	if l.zone.Name == "" {
		if l.chosen = l.roomiest(func(string) bool { return true }); l.chosen == "" {
			return errNoOtherZone
		}
		l.zone, _ = slipway.FindZone(l.scope.Region, l.chosen)
		l.notes["zone why"] = "EC2-Classic: the zone with most free capacity, the first by name among equals"
	} else {
		l.notes["zone why"] = "the request's zone"
	}
	l.notes["subnet"] = "none: EC2-Classic"
	if len(n.GroupIDs)+len(n.GroupNames) == 0 {
		id, err := securitygroups.EnsureClassicDefault(l.tx, l.scope)
		l.groups = []slipway.SecurityGroupID{id}
		return err
	}
	var err error
	l.groups, err = securitygroups.Resolve(l.tx, l.scope, "", n.GroupIDs, n.GroupNames)
	if err != nil {
		return err
	}
	for _, id := range l.groups {
		if g, err := state.SecurityGroups.Get(l.tx, l.scope, string(id)); err == nil && g.VPC != "" {
			return slipway.Errorf(slipway.InvalidParameter,
				"Security group %s belongs to a VPC, and the launch is in EC2-Classic.", id)
		}
	}
	return nil
}

// classic gives the instance what it has instead of an interface.
func (l *launch) classic(in *slipway.Instance) error {
	in.ClassicGroups = l.groups
	return takeClassic(l.tx, l.s.pool, in)
}

// takeClassic gives a starting instance a private and a public address: EC2-Classic renews both at each start.
func takeClassic(tx store.Tx, pool addresses.Pool, in *slipway.Instance) error {
	base := binary.BigEndian.Uint32(slipway.ClassicRange().Addr().AsSlice())
	size := uint32(1) << (32 - slipway.ClassicRange().Bits())
	for range 1000 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], base+256+pool.Draw(size-512)) // the router and its like live at the ends
		ip := netip.AddrFrom4(b)
		id := state.AddressKey(string(slipway.ClassicNetwork(in.Region)), ip)
		if tx.Get(state.InUse.Key(state.Global, id)) != nil {
			continue
		}
		if err := state.InUse.Put(tx, &state.Use{Scope: state.Global, ID: id, By: string(in.ID)}); err != nil {
			return err
		}
		var err error
		in.ClassicIP = ip
		in.ClassicPublic, err = pool.Take(tx, string(in.ID))
		return err
	}
	return slipway.Errorf(slipway.InsufficientAddressCapacity, "EC2-Classic has no free addresses.")
}

// releaseClassic gives both back.
func releaseClassic(tx store.Tx, pool addresses.Pool, in *slipway.Instance) {
	if in.ClassicPublic.IsValid() {
		pool.Give(tx, in.ClassicPublic)
	}
	if in.ClassicIP.IsValid() {
		state.InUse.Delete(tx, state.Global, state.AddressKey(string(slipway.ClassicNetwork(in.Region)), in.ClassicIP))
	}
	in.ClassicPublic, in.ClassicIP = netip.Addr{}, netip.Addr{}
}
