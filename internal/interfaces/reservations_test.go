package interfaces_test

import (
	"net/netip"
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// TestReservedRanges: what is reserved in a subnet is not given to who names nothing, explicit addresses and prefixes are
// taken from it.
func TestReservedRanges(t *testing.T) {
	w := apitest.New(t)
	n := apitest.NewNetwork(w, "77")
	subnet := w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10.77.8.0/26")
	reserve := func(cidr, kind string) []string {
		return []string{"SubnetId", subnet, "Cidr", cidr, "ReservationType", kind}
	}
	explicit := w.Must("subnetCidrReservationId", "CreateSubnetCidrReservation",
		append(reserve("10.77.8.0/27", "explicit"), "Description", "ours", "TagSpecification.1.ResourceType",
			"subnet-cidr-reservation", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v")...)
	prefixes := w.Must("subnetCidrReservationId", "CreateSubnetCidrReservation", reserve("10.77.8.48/28", "prefix")...)
	free := func() string { return w.Must("availableIpAddressCount", "DescribeSubnets", "SubnetId.1", subnet) }
	if got := free(); got != "16" { // 10.77.8.32 to 47
		t.Errorf("%s addresses are free, want 16", got)
	}
	within := netip.MustParsePrefix("10.77.8.32/28")
	for range 16 {
		ip := w.Must("privateIpAddress", "CreateNetworkInterface", "SubnetId", subnet)
		if !within.Contains(netip.MustParseAddr(ip)) {
			t.Errorf("%s is reserved, and given out", ip)
		}
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("nothing is left", "InsufficientFreeAddressesInSubnet", subnet, "CreateNetworkInterface",
			[]string{"SubnetId", subnet}),
		apitest.Case("another's range", "InvalidParameterValue", "has overlap with existing reserved CIDR block",
			"CreateSubnetCidrReservation", reserve("10.77.8.16/28", "prefix")),
		apitest.Case("outside", "InvalidParameterValue", "10.77.9.0/28", "CreateSubnetCidrReservation",
			reserve("10.77.9.0/28", "explicit")),
		apitest.Case("too small for prefixes", "InvalidParameterValue", "too small", "CreateSubnetCidrReservation",
			reserve("10.77.8.40/29", "prefix")),
		apitest.Case("another type", "InvalidParameterValue", "reservationType", "CreateSubnetCidrReservation",
			reserve("10.77.8.40/29", "mine")),
		apitest.Case("no range", "InvalidParameterValue", "cidr", "CreateSubnetCidrReservation",
			reserve("10.77.8.41/29", "explicit")),
		apitest.Case("one that is not there", "InvalidSubnetCidrReservationID.NotFound", "scr-00000000",
			"DeleteSubnetCidrReservation", []string{"SubnetCidrReservationId", "scr-00000000"}),
	})
	eni := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", subnet, "PrivateIpAddress", "10.77.8.20")
	apitest.Shows(t, w.Call("AssignPrivateIpAddresses", "NetworkInterfaceId", eni, "Ipv4PrefixCount", "1").Body,
		"ipv4Prefix", "10.77.8.48/28")
	shown := w.Call("GetSubnetCidrReservations", "SubnetId", subnet).Body
	for _, want := range [][2]string{
		{"subnetCidrReservationId", explicit}, {"subnetCidrReservationId", prefixes}, {"cidr", "10.77.8.0/27"},
		{"reservationType", "explicit"}, {"description", "ours"}, {"key", "k"},
	} {
		apitest.Shows(t, shown, want[0], want[1])
	}
	if got := w.Must("subnetCidrReservationId", "GetSubnetCidrReservations", "SubnetId", subnet, "Filter.1.Name",
		"reservationType", "Filter.1.Value.1", "prefix"); got != prefixes {
		t.Errorf("the filter finds %s, want %s", got, prefixes)
	}
	w.Must("subnetCidrReservationId", "DeleteSubnetCidrReservation", "SubnetCidrReservationId", explicit)
	w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", subnet)
	if got := free(); got != "26" { // 10.77.8.4 to 31, but for 20 and the last one
		t.Errorf("%s addresses are free without the reservation, want 26", got)
	}
}

// TestReservedIPv6Ranges are kept as those of IPv4.
func TestReservedIPv6Ranges(t *testing.T) {
	w := apitest.New(t)
	n := apitest.NewNetwork(w, "78")
	w.Must("associationId", "AssociateVpcCidrBlock", "VpcId", n.VPC, "AmazonProvidedIpv6CidrBlock", "true")
	block := netip.MustParsePrefix(strings.Replace(w.Must("ipv6CidrBlock", "DescribeVpcs", "VpcId.1", n.VPC), "/56", "/64", 1))
	subnet := w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10.78.2.0/24", "Ipv6CidrBlock", block.String())
	half := netip.PrefixFrom(block.Addr(), 65)
	w.Must("subnetCidrReservationId", "CreateSubnetCidrReservation", "SubnetId", subnet, "Cidr", half.String(),
		"ReservationType", "prefix")
	for range 8 {
		eni := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", subnet, "Ipv6AddressCount", "1")
		ip := netip.MustParseAddr(w.Must("ipv6Address", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni))
		if half.Contains(ip) || !block.Contains(ip) {
			t.Errorf("%s is reserved, or not the subnet's", ip)
		}
		p := netip.MustParsePrefix(apitest.First(w.Must("assignedIpv6PrefixSet", "AssignIpv6Addresses", "NetworkInterfaceId",
			eni, "Ipv6PrefixCount", "1"), "item"))
		if !half.Contains(p.Addr()) || p.Bits() != 80 {
			t.Errorf("%s is not of the reserved %s", p, half)
		}
	}
	w.Must("return", "DeleteSubnet", "SubnetId", w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10.78.3.0/24"))
}
