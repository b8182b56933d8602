package admission

import (
	"net/netip"

	"slipway"
	"slipway/internal/interfaces"
	"slipway/internal/securitygroups"
	"slipway/internal/state"
)

// port is one interface of the launch: a new one to be made for each instance, or an existing one.
type port struct {
	index      int32
	wanted     interfaces.Wanted
	existing   *slipway.Interface
	deleteWith bool
}

func (p port) count4() int {
	if p.existing != nil {
		return len(p.existing.Addresses)
	}
	return 1 + len(p.wanted.Secondary) + p.wanted.SecondaryCount + len(p.wanted.Prefixes) + p.wanted.PrefixCount
}

// findNetwork decides in which network the launch lands, in the order of rule network-order.
func (l *launch) findNetwork() error {
	n := &l.spec.Network
	switch {
	case len(n.Interfaces) > 0:
		return l.namedInterfaces()
	case n.Subnet != "":
		return l.impliedInterface(n.Subnet, "the request's subnet")
	case l.region.DefaultVPC != "":
		subnet, why, err := l.defaultSubnet()
		if err != nil {
			return err
		}
		return l.impliedInterface(subnet, why)
	case l.account.Classic && l.kind.Classic:
		return l.classicNetwork()
	case l.account.Classic:
		return slipway.Errorf(slipway.VPCResourceNotSpecified,
			"The specified instance type can only be used in a VPC. A subnet ID or network interface ID is required "+
				"to carry out the request.")
	}
	return noDefaultVPC()
}

func noDefaultVPC() error {
	return slipway.Errorf(slipway.VPCIDNotSpecified,
		"No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
}

// defaultSubnet is rule R2: the default subnet of the zone asked for, or of the one with most room, the first by name
// among equals.
func (l *launch) defaultSubnet() (slipway.SubnetID, string, error) {
	subnets := map[string]*slipway.Subnet{}
	for s := range state.Subnets.By(l.tx, l.scope, "vpc/"+string(l.region.DefaultVPC)) {
		if s.DefaultForZone {
			subnets[s.Zone] = s
		}
	}
	zone, why := l.zone.Name, "the request's zone"
	if zone == "" {
		zone, why = l.clusterZone(), "the zone of the placement group's other instances"
	}
	if zone != "" {
		if s := subnets[zone]; s != nil {
			return s.ID, why, nil
		}
		return "", "", slipway.Errorf(slipway.InvalidInput, "No default subnet for availability zone: '%s'.", zone)
	}
	best := l.roomiest(func(zone string) bool { return subnets[zone] != nil })
	switch {
	case best == "" && len(l.passed) > 0:
		return "", "", errNoOtherZone
	case best == "":
		return "", "", slipway.Errorf(slipway.MissingInput,
			"No subnets found for the default VPC '%s'. Please specify a subnet.", l.region.DefaultVPC)
	}
	if l.chosen = best; len(l.passed) > 0 {
		return subnets[best].ID, "the default VPC's zone with most free capacity of those that have room", nil
	}
	return subnets[best].ID, "the default VPC's zone with most free capacity, the first by name among equals", nil
}

// roomiest is the zone with most free capacity of those that may be and have not been passed over, the first by name
// among equals.
func (l *launch) roomiest(may func(zone string) bool) string {
	room := map[string]int{}
	for _, h := range l.candidates() {
		for _, letter := range h.Zones {
			room[l.scope.Region+letter] += h.MemoryMiB
		}
	}
	best := ""
	for _, z := range slipway.Zones(l.scope.Region) {
		if may(z.Name) && !l.passed[z.Name] && (best == "" || room[z.Name] > room[best]) {
			best = z.Name
		}
	}
	return best
}

// subnet looks one up and settles the zone by it.
func (l *launch) subnet(id slipway.SubnetID) (*slipway.Subnet, error) {
	s, err := state.Subnets.Require(l.tx, l.scope, string(id))
	if err != nil {
		return nil, err
	}
	if l.zone.Name != "" && l.zone.Name != s.Zone {
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"The availability zone '%s' does not match the subnet's availability zone '%s'.", l.zone.Name, s.Zone)
	}
	l.zone, _ = slipway.FindZone(l.scope.Region, s.Zone)
	if l.vpc, err = state.VPCs.Require(l.tx, l.scope, string(s.VPC)); err != nil {
		return nil, err
	}
	return s, nil
}

// impliedInterface is the one that the instance-level members describe.
func (l *launch) impliedInterface(id slipway.SubnetID, why string) error {
	n := &l.spec.Network
	l.fixed = l.fixed || n.Subnet != ""
	s, err := l.subnet(id)
	if err != nil {
		return err
	}
	l.notes["subnet"], l.notes["zone why"] = string(s.ID)+": "+why, why
	if len(n.GroupNames) > 0 && l.vpc.ID != l.region.DefaultVPC {
		return noDefaultVPC()
	}
	l.groups, err = securitygroups.Resolve(l.tx, l.scope, l.vpc.ID, n.GroupIDs, n.GroupNames)
	if err != nil {
		return err
	}
	if len(n.GroupNames) > 0 { // a launch that comes later has these, and not others of the names
		n.GroupIDs, n.GroupNames = l.groups, nil
	}
	if err := l.belong(l.groups, s); err != nil {
		return err
	}
	p := port{deleteWith: true, wanted: interfaces.Wanted{
		Subnet: s, Groups: l.groups, AutoPublic: s.PublicOnLaunch,
		InterfaceAddresses: slipway.InterfaceAddresses{
			Primary: n.PrivateIP, IPv6: n.IPv6, IPv6Count: int(n.IPv6Count), PrimaryIPv6: n.PrimaryIPv6,
		},
	}}
	if s.IPv6OnCreation && len(n.IPv6) == 0 && n.IPv6Count == 0 && l.kind.IPv6 {
		p.wanted.IPv6Count = 1
	}
	l.ports = []port{p}
	return l.checkAddresses(p)
}

// belong refuses groups of another VPC than the subnet's.
func (l *launch) belong(groups []slipway.SecurityGroupID, s *slipway.Subnet) error {
	for _, id := range groups {
		if g := state.SecurityGroups.See(l.tx, l.scope, string(id)); g != nil && g.VPC != s.VPC {
			return slipway.Errorf(slipway.InvalidParameter,
				"Security group %s and subnet %s belong to different networks.", id, s.ID)
		}
	}
	if len(groups) > 5 {
		return slipway.Errorf(slipway.SecurityGroupsPerInterfaceLimitExceeded,
			"The maximum number of security groups per interface has been reached: 5.")
	}
	return nil
}

// checkAddresses refuses, before anything is made, addresses that the subnet cannot give: a dry run says so too.
func (l *launch) checkAddresses(p port) error {
	if !p.wanted.Primary.IsValid() && len(p.wanted.Secondary) == 0 {
		return nil
	}
	for _, ip := range append([]netip.Addr{p.wanted.Primary}, p.wanted.Secondary...) {
		if !ip.IsValid() {
			continue
		}
		if err := interfaces.CheckAddress(p.wanted.Subnet, ip); err != nil {
			return err
		}
	}
	return nil
}

// namedInterfaces are those of NetworkInterface.N.
func (l *launch) namedInterfaces() error {
	list := l.spec.Network.Interfaces
	for i, n := range list {
		var p port
		var err error
		if n.Existing != "" {
			p, err = l.existing(n)
		} else {
			p, err = l.fresh(n)
		}
		if err != nil {
			return err
		}
		if i > 0 && p.wanted.Subnet.VPC != l.ports[0].wanted.Subnet.VPC {
			return slipway.Errorf(slipway.InvalidParameterCombination, "The network interfaces must be in one VPC.")
		}
		l.ports = append(l.ports, p)
		if n.DeviceIndex == 0 && i > 0 { // the primary comes first
			l.ports[0], l.ports[i] = l.ports[i], l.ports[0]
		}
	}
	l.groups = l.ports[0].wanted.Groups
	l.notes["subnet"], l.notes["zone why"] = string(l.ports[0].wanted.Subnet.ID)+": the request's network interface",
		"the network interface's subnet"
	return nil
}

func (l *launch) existing(n slipway.LaunchInterface) (port, error) {
	eni, err := state.Interfaces.Get(l.tx, l.scope, string(n.Existing))
	if err != nil {
		return port{}, err
	}
	if eni.Attachment != nil {
		return port{}, slipway.Errorf(slipway.InvalidNetworkInterfaceInUse,
			"The network interface '%s' is currently in use", eni.ID)
	}
	l.fixed = true
	s, err := l.subnet(eni.Subnet)
	if err != nil {
		return port{}, err
	}
	return port{index: n.DeviceIndex, existing: eni, wanted: interfaces.Wanted{Subnet: s, Groups: eni.Groups}}, nil
}

func (l *launch) fresh(n slipway.LaunchInterface) (port, error) {
	id := n.Subnet
	switch {
	case id != "":
		l.fixed = true
	case l.region.DefaultVPC != "":
		var err error
		if id, _, err = l.defaultSubnet(); err != nil {
			return port{}, err
		}
	default:
		return port{}, noDefaultVPC()
	}
	s, err := l.subnet(id)
	if err != nil {
		return port{}, err
	}
	groups, err := securitygroups.Resolve(l.tx, l.scope, l.vpc.ID, n.Groups, nil)
	if err != nil {
		return port{}, err
	}
	if err := l.belong(groups, s); err != nil {
		return port{}, err
	}
	p := port{
		index: n.DeviceIndex, deleteWith: n.DeleteOnTermination == nil || *n.DeleteOnTermination, wanted: interfaces.Wanted{
			Subnet: s, Groups: groups, InterfaceAddresses: n.InterfaceAddresses, Description: n.Description, Type: n.Type,
		},
	}
	single := len(l.spec.Network.Interfaces) == 1
	p.wanted.AutoPublic = single && n.DeviceIndex == 0 && s.PublicOnLaunch
	if n.Public != nil {
		p.wanted.AutoPublic = *n.Public
	}
	if s.IPv6OnCreation && len(n.IPv6) == 0 && n.IPv6Count == 0 && l.kind.IPv6 {
		p.wanted.IPv6Count = 1
	}
	return p, l.checkAddresses(p)
}
