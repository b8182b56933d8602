package dataplane

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/miekg/dns"
)

// fuzzed is what a port's services know.
func fuzzed() *answer {
	n := twoSubnets()
	return &answer{
		port: n.Ports[0], subnet: n.Subnets[0].CIDR, dns: []netip.Addr{resolverIP}, domain: "ec2.internal",
		ntp: []netip.Addr{metadataIP}, names: []netip.Addr{metadataIP}, node: 2,
	}
}

func FuzzDHCP(f *testing.F) {
	mac, _ := net.ParseMAC(fuzzed().port.MAC)
	for _, kind := range []dhcpv4.MessageType{dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform} {
		m, err := dhcpv4.New(dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(mac),
			dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 0, 1, 10))))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.ToBytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if ask, err := dhcpv4.FromBytes(b); err == nil {
			if reply := fuzzed().reply(ask); reply != nil {
				reply.ToBytes()
			}
		}
	})
}

func FuzzDHCPv6(f *testing.F) {
	mac, _ := net.ParseMAC(fuzzed().port.MAC)
	if m, err := dhcpv6.NewSolicit(mac); err == nil {
		f.Add(m.ToBytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if ask, err := dhcpv6.MessageFromBytes(b); err == nil {
			if reply := fuzzed().reply6(ask, duid(mac)); reply != nil {
				reply.ToBytes()
			}
		}
	})
}

func FuzzDNS(f *testing.F) {
	for _, name := range []string{"ip-10-0-1-10.ec2.internal.", "10.1.0.10.in-addr.arpa.", "."} {
		m := new(dns.Msg)
		m.SetQuestion(name, dns.TypeANY)
		if b, err := m.Pack(); err == nil {
			f.Add(b)
		}
	}
	r := &resolver{}
	r.set(twoSubnets())
	f.Fuzz(func(t *testing.T, b []byte) {
		q := new(dns.Msg)
		if q.Unpack(b) != nil || len(q.Question) != 1 {
			return
		}
		reply := new(dns.Msg)
		reply.SetReply(q)
		if r.zone.Load().own(q.Question[0], reply) {
			if _, err := reply.Pack(); err != nil {
				t.Errorf("an answer of ours cannot be sent: %v", err)
			}
		}
	})
}
