package dataplane

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestPublicNamesOfOtherNetworks are their public addresses, and no guest is led to itself.
func TestPublicNamesOfOtherNetworks(t *testing.T) {
	own := map[string][]netip.Addr{"ec2-203-0-113-7.compute-1.amazonaws.com.": {netip.MustParseAddr("10.0.1.7")}}
	z := &zone{enabled: true, names: own, reverse: map[string]string{}}
	for _, tt := range []struct {
		name  string
		kind  uint16
		rcode int
		want  string
		says  string
	}{
		{"ec2-203-0-113-7.compute-1.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "10.0.1.7", ""},
		{"ec2-203-0-113-8.compute-1.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "203.0.113.8", ""},
		{"EC2-203-0-113-9.eu-west-1.compute.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "203.0.113.9", ""},
		{"ec2-203-0-113-8.compute-1.amazonaws.com.", dns.TypeAAAA, dns.RcodeSuccess, "", ""},
		{"ec2-127-100-0-9.compute-1.amazonaws.com.", dns.TypeA, dns.RcodeRefused, "", "--public-range"},
		{"ip-10-9-9-9.ec2.internal.", dns.TypeA, dns.RcodeNameError, "", ""},
	} {
		reply := new(dns.Msg)
		if !z.own(dns.Question{Name: tt.name, Qtype: tt.kind, Qclass: dns.ClassINET}, reply) {
			t.Errorf("%s is asked of others", tt.name)
			continue
		}
		got, said := "", ""
		for _, rr := range reply.Answer {
			got = rr.(*dns.A).A.String()
		}
		if opt := reply.IsEdns0(); opt != nil {
			said = opt.Option[0].(*dns.EDNS0_EDE).ExtraText
		}
		if reply.Rcode != tt.rcode || got != tt.want || !strings.Contains(said, tt.says) {
			t.Errorf("%s: %s %q %q, want %q", tt.name, dns.RcodeToString[reply.Rcode], got, said, tt.want)
		}
	}
	for _, name := range []string{"example.com.", "ec2-1-2-3.compute-1.amazonaws.com.", "ec2-1-2-3-400.compute-1.amazonaws.com."} {
		if z.own(dns.Question{Name: name, Qtype: dns.TypeA}, new(dns.Msg)) {
			t.Errorf("%s is not ours to answer", name)
		}
	}
}
