package interfacespec_test

import (
	"net/netip"
	"reflect"
	"testing"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/interfacespec"
	"slipway/internal/shape"
)

func TestAddressesAreRead(t *testing.T) {
	private := func(ip string, primary bool) ec2wire.PrivateIpAddressSpecification {
		return ec2wire.PrivateIpAddressSpecification{PrivateIpAddress: &ip, Primary: &primary}
	}
	version6 := func(ip string, primary bool) ec2wire.InstanceIpv6Address {
		return ec2wire.InstanceIpv6Address{Ipv6Address: &ip, IsPrimaryIpv6: &primary}
	}
	a, b := netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.5")
	six, seven := netip.MustParseAddr("fd00::6"), netip.MustParseAddr("fd00::7")
	for name, tt := range map[string]struct {
		in   interfacespec.Addresses
		want slipway.InterfaceAddresses
	}{
		"nothing":     {},
		"the primary": {interfacespec.Addresses{Primary: shape.Of("10.0.0.4")}, slipway.InterfaceAddresses{Primary: a}},
		"a list": {
			interfacespec.Addresses{Private: []ec2wire.PrivateIpAddressSpecification{private("10.0.0.5", false), private("10.0.0.4", true)}},
			slipway.InterfaceAddresses{Primary: a, Secondary: []netip.Addr{b}},
		},
		"the primary twice": {
			interfacespec.Addresses{
				Primary: shape.Of("10.0.0.4"), Private: []ec2wire.PrivateIpAddressSpecification{private("10.0.0.4", true)},
			},
			slipway.InterfaceAddresses{Primary: a},
		},
		"the primary of version 6 comes first": {
			interfacespec.Addresses{IPv6: []ec2wire.InstanceIpv6Address{version6("fd00::6", false), version6("fd00::7", true)}},
			slipway.InterfaceAddresses{IPv6: []netip.Addr{seven, six}, PrimaryIPv6: true},
		},
		"numbers": {
			interfacespec.Addresses{
				Count: shape.Of(int32(2)), IPv6Count: shape.Of(int32(3)), PrefixCount: shape.Of(int32(4)), Prefix6Count: shape.Of(int32(5)),
			},
			slipway.InterfaceAddresses{SecondaryCount: 2, IPv6Count: 3, PrefixCount: 4, Prefix6Count: 5},
		},
		"prefixes": {
			interfacespec.Addresses{
				Prefixes:  []ec2wire.Ipv4PrefixSpecificationRequest{{Ipv4Prefix: shape.Of("10.0.1.0/28")}},
				Prefixes6: []ec2wire.Ipv6PrefixSpecificationRequest{{Ipv6Prefix: shape.Of("fd00:1::/80")}},
			},
			slipway.InterfaceAddresses{
				Prefixes:  []netip.Prefix{netip.MustParsePrefix("10.0.1.0/28")},
				Prefixes6: []netip.Prefix{netip.MustParsePrefix("fd00:1::/80")},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := tt.in.Read(); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Read = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestAddressesThatCannotBeAreRefused(t *testing.T) {
	private := func(ip string, primary bool) ec2wire.PrivateIpAddressSpecification {
		return ec2wire.PrivateIpAddressSpecification{PrivateIpAddress: &ip, Primary: &primary}
	}
	six := []ec2wire.InstanceIpv6Address{{Ipv6Address: shape.Of("fd00::6"), IsPrimaryIpv6: shape.Of(true)}}
	prefix := []ec2wire.Ipv4PrefixSpecificationRequest{{Ipv4Prefix: shape.Of("10.0.1.0/28")}}
	prefix6 := []ec2wire.Ipv6PrefixSpecificationRequest{{Ipv6Prefix: shape.Of("fd00:1::/80")}}
	two := shape.Of(int32(2))
	for name, tt := range map[string]struct {
		in   interfacespec.Addresses
		code slipway.Code
	}{
		"no address":               {interfacespec.Addresses{Primary: shape.Of("here")}, slipway.InvalidParameterValue},
		"one of the other version": {interfacespec.Addresses{Primary: shape.Of("fd00::6")}, slipway.InvalidParameterValue},
		"no primary": {
			interfacespec.Addresses{Private: []ec2wire.PrivateIpAddressSpecification{private("10.0.0.4", false)}},
			slipway.InvalidParameterValue,
		},
		"two primaries": {
			interfacespec.Addresses{Private: []ec2wire.PrivateIpAddressSpecification{private("10.0.0.4", true), private("10.0.0.4", true)}},
			slipway.InvalidParameterValue,
		},
		"another primary": {
			interfacespec.Addresses{
				Primary: shape.Of("10.0.0.4"), Private: []ec2wire.PrivateIpAddressSpecification{private("10.0.0.5", true)},
			},
			slipway.InvalidParameterCombination,
		},
		"secondaries and their number": {
			interfacespec.Addresses{
				Count: two, Private: []ec2wire.PrivateIpAddressSpecification{private("10.0.0.4", true), private("10.0.0.5", false)},
			},
			slipway.InvalidParameterCombination,
		},
		"two primaries of version 6": {interfacespec.Addresses{IPv6: append(six, six...)}, slipway.InvalidParameterValue},
		"version 6 and its number":   {interfacespec.Addresses{IPv6: six, IPv6Count: two}, slipway.InvalidParameterCombination},
		"prefixes and their number":  {interfacespec.Addresses{Prefixes: prefix, PrefixCount: two}, slipway.InvalidParameterCombination},
		"prefixes of version 6 and their number": {
			interfacespec.Addresses{Prefixes6: prefix6, Prefix6Count: two}, slipway.InvalidParameterCombination,
		},
		"no prefix": {
			interfacespec.Addresses{Prefixes: []ec2wire.Ipv4PrefixSpecificationRequest{{Ipv4Prefix: shape.Of("10.0.1.0")}}},
			slipway.InvalidParameterValue,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tt.in.Read(); slipway.CodeOf(err) != tt.code || err == nil {
				t.Errorf("Read = %v, want %s", err, tt.code)
			}
		})
	}
}
