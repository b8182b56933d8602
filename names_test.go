package slipway

import (
	"net/netip"
	"testing"
)

// TestNamesOfAnInstance: us-east-1 has suffixes of its own, and a name is by the address or by the instance (rule
// private-names).
func TestNamesOfAnInstance(t *testing.T) {
	ip := netip.MustParseAddr("10.0.0.5")
	for want, got := range map[string]string{
		"ip-10-0-0-5.ec2.internal":                     PrivateName("us-east-1", PrivateDNS{HostnameType: "ip-name"}, "i-0", ip),
		"ip-10-0-0-5.eu-west-1.compute.internal":       PrivateName("eu-west-1", PrivateDNS{}, "i-0", ip),
		"i-0.ec2.internal":                             PrivateName("us-east-1", PrivateDNS{HostnameType: "resource-name"}, "i-0", ip),
		"ec2-10-0-0-5.compute-1.amazonaws.com":         PublicName("us-east-1", true, ip),
		"ec2-10-0-0-5.eu-west-1.compute.amazonaws.com": PublicName("eu-west-1", true, ip),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := PrivateName("us-east-1", PrivateDNS{}, "i-0", netip.Addr{}) + PublicName("us-east-1", false, ip); got != "" {
		t.Errorf("without an address, or without host names in the VPC, the names are %q", got)
	}
}
