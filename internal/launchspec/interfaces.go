package launchspec

import (
	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/interfacespec"
	"slipway/internal/shape"
)

// readInterfaces reads NetworkInterface.N (rule interface-members).
func readInterfaces(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	seen := map[[2]int32]bool{}
	for i := range in.NetworkInterfaces {
		w := &in.NetworkInterfaces[i]
		n, err := launchInterface(w, s.Max)
		if err != nil {
			return err
		}
		place := [2]int32{n.Card, n.DeviceIndex}
		if seen[place] {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"Each network interface requires a unique device index; %d is given twice.", n.DeviceIndex)
		}
		seen[place] = true
		if n.Public != nil && *n.Public && (len(in.NetworkInterfaces) > 1 || n.Existing != "" || n.DeviceIndex != 0) {
			return Combination("The associatePublicIPAddress parameter cannot be specified when launching with " +
				"multiple network interfaces.")
		}
		s.Network.Interfaces = append(s.Network.Interfaces, n)
	}
	if len(seen) > 0 && !seen[[2]int32{0, 0}] {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"When specifying network interfaces, you must include a device at index 0.")
	}
	return nil
}

func launchInterface(w *ec2wire.InstanceNetworkInterfaceSpecification, count int32) (slipway.LaunchInterface, error) {
	n := slipway.LaunchInterface{
		DeviceIndex: shape.Get(w.DeviceIndex), Card: shape.Get(w.NetworkCardIndex), Public: w.AssociatePublicIpAddress,
		DeleteOnTermination: w.DeleteOnTermination, Description: shape.Get(w.Description), Type: shape.Get(w.InterfaceType),
	}
	if w.DeviceIndex == nil {
		return n, slipway.Missing("NetworkInterface.DeviceIndex")
	}
	if err := OneOf(w.InterfaceType, "interfaceType", "interface", "efa", "efa-only"); err != nil {
		return n, err
	}
	switch {
	case n.Type == "efa" || n.Type == "efa-only":
		return n, slipway.Errorf(slipway.Unsupported,
			"The interface type %s is not supported: no instance type here has an Elastic Fabric Adapter.", n.Type)
	case n.Card != 0:
		return n, slipway.Errorf(slipway.InvalidParameterValue,
			"Network card index %d is invalid: instance types here have one network card.", n.Card)
	case shape.Get(w.AssociateCarrierIpAddress):
		return n, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter NetworkInterface.AssociateCarrierIpAddress is not supported: there are no Wavelength zones here.")
	case w.EnaSrdSpecification != nil && !shape.Get(w.EnaSrdSpecification.EnaSrdEnabled) &&
		w.EnaSrdSpecification.EnaSrdUdpSpecification != nil &&
		shape.Get(w.EnaSrdSpecification.EnaSrdUdpSpecification.EnaSrdUdpEnabled):
		return n, Combination("The parameter enaSrdUdpEnabled requires enaSrdEnabled.")
	case w.EnaSrdSpecification != nil && shape.Get(w.EnaSrdSpecification.EnaSrdEnabled):
		return n, slipway.Errorf(slipway.Unsupported,
			"The parameter NetworkInterface.EnaSrdSpecification is not supported on this instance type.")
	case w.EnaQueueCount != nil:
		return n, slipway.Errorf(slipway.Unsupported,
			"The parameter NetworkInterface.EnaQueueCount is not supported on this instance type.")
	case w.ConnectionTrackingSpecification != nil:
		return n, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter NetworkInterface.ConnectionTrackingSpecification is not supported: the host's kernel has "+
				"one set of time-outs for all interfaces.")
	}
	var err error
	if id := shape.Get(w.SubnetId); id != "" {
		if n.Subnet, err = slipway.ParseSubnetID(id); err != nil {
			return n, err
		}
	}
	if n.Groups, err = GroupIDs(w.Groups); err != nil {
		return n, err
	}
	n.InterfaceAddresses, err = interfacespec.Addresses{
		Primary: w.PrivateIpAddress, Private: w.PrivateIpAddresses, Count: w.SecondaryPrivateIpAddressCount,
		IPv6: w.Ipv6Addresses, IPv6Count: w.Ipv6AddressCount, PrimaryIPv6: w.PrimaryIpv6,
		Prefixes: w.Ipv4Prefixes, PrefixCount: w.Ipv4PrefixCount, Prefixes6: w.Ipv6Prefixes, Prefix6Count: w.Ipv6PrefixCount,
	}.Read()
	if err != nil {
		return n, err
	}
	explicit := n.Primary.IsValid() || len(n.Secondary)+len(n.IPv6)+len(n.Prefixes)+len(n.Prefixes6) > 0
	if id := shape.Get(w.NetworkInterfaceId); id != "" {
		if n.Existing, err = slipway.ParseInterfaceID(id); err != nil {
			return n, err
		}
		switch {
		case n.Subnet != "" || len(n.Groups) > 0 || explicit ||
			n.SecondaryCount+n.IPv6Count+n.PrefixCount+n.Prefix6Count > 0 || n.Description != "" || n.Public != nil:
			return n,
				Combination("A network interface may not specify both a network interface ID and properties of a new one.")
		case shape.Get(n.DeleteOnTermination):
			return n, Combination("A network interface may not specify a network interface ID and delete on termination")
		case count > 1:
			return n, Combination("A network interface can only be attached when launching a single instance.")
		}
	}
	if count > 1 && explicit {
		return n, Combination("Addresses of network interfaces can only be specified when launching a single instance.")
	}
	return n, nil
}
