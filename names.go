package slipway

import (
	"net/netip"
	"strings"
)

// DashedIP is an IPv4 address as names hold it: 10-0-0-5.
func DashedIP(ip netip.Addr) string { return strings.ReplaceAll(ip.String(), ".", "-") }

// PrivateName is the private DNS name of an address of an instance (rule private-names).
func PrivateName(region string, dns PrivateDNS, id InstanceID, ip netip.Addr) string {
	if dns.HostnameType == "resource-name" && id != "" {
		return string(id) + "." + PrivateDomain(region)
	}
	if !ip.IsValid() {
		return ""
	}
	return "ip-" + DashedIP(ip) + "." + PrivateDomain(region)
}

// PublicName is the public DNS name of an address; a VPC without DNS host names has none.
func PublicName(region string, hostnames bool, ip netip.Addr) string {
	if !hostnames || !ip.IsValid() {
		return ""
	}
	return "ec2-" + DashedIP(ip) + "." + PublicDomain(region)
}
