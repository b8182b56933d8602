package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"slipway/internal/guard"
)

// service is what answers one port's guest: DHCP, and listeners for metadata. Each socket is bound to the port's device, so
// what comes in is that guest's and nobody else's.
type service struct {
	now   atomic.Pointer[answer]
	log   *slog.Logger
	close []func()
	once  sync.Once
	sleep func(time.Duration)
}

// answer is what DHCP says to a port.
type answer struct {
	port   Port
	subnet netip.Prefix
	dns    []netip.Addr
	domain string
	ntp    []netip.Addr
	names  []netip.Addr // NetBIOS
	node   byte
}

func (s *service) set(p Port, n Network) {
	a := &answer{port: p, domain: n.DNS.Domain, ntp: n.DNS.NTP, names: n.DNS.NetBIOS, node: n.DNS.NodeType}
	for _, sub := range n.Subnets {
		if sub.ID == p.Subnet {
			a.subnet = sub.CIDR
		}
	}
	if r := n.resolver(); n.DNS.Provided && n.DNS.Enabled && r.IsValid() {
		a.dns = []netip.Addr{r}
	}
	a.dns = append(a.dns, n.DNS.Servers...)
	s.now.Store(a)
}

func (s *service) stop() {
	s.once.Do(func() {
		for _, f := range s.close {
			f()
		}
	})
}

func (p *Plane) start(ctx context.Context, namespace string, port Port, n Network) (*service, error) {
	s := &service{log: p.log, sleep: time.Sleep}
	s.set(port, n)
	device := tap(port.Interface)
	dhcp, err := listenPacket(ctx, namespace, device, "udp4", "0.0.0.0:67")
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() { dhcp.Close() })
	guard.Go(p.log, "DHCP", func() { s.dhcp(dhcp) })
	if err := s.start6(ctx, namespace, device); err != nil {
		s.stop()
		return nil, err
	}
	var listeners []net.Listener
	for _, where := range []string{net.JoinHostPort(metadataIP.String(), "80"), net.JoinHostPort(metadataIP6.String(), "80")} {
		l, err := listen(ctx, namespace, device, "tcp", where)
		if err != nil {
			s.stop()
			return nil, err
		}
		listeners = append(listeners, l)
	}
	stop := p.serve(n.VPC, port, listeners)
	s.close = append(s.close, stop)
	return s, nil
}

// leaseTime is EC2's.
const leaseTime = time.Hour

func (s *service) dhcp(c net.PacketConn) {
	s.serve("DHCP", func(buf []byte) (func(), error) {
		n, _, err := c.ReadFrom(buf)
		return func() {
			ask, err := dhcpv4.FromBytes(buf[:n])
			if err != nil || ask.OpCode != dhcpv4.OpcodeBootRequest {
				return
			}
			if reply := s.now.Load().reply(ask); reply != nil {
				if _, err := c.WriteTo(reply.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 68}); err != nil {
					s.log.Debug("dhcp answer not sent", "error", err)
				}
			}
		}, err
	})
}

// serve answers one message after the other until their socket is closed. A message that brings a panic about costs
// that message, and a socket that cannot be read just now, as when its device goes down, is tried again.
func (s *service) serve(what string, next func(buf []byte) (answer func(), err error)) {
	buf := make([]byte, 2048)
	pause := guard.FirstPause
	for {
		answer, err := next(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("messages of a guest not read", "service", what, "error", err, "again", pause)
			s.sleep(pause)
			pause = min(2*pause, guard.LastPause)
			continue
		}
		pause = guard.FirstPause
		guard.Do(s.log, what, answer)
	}
}

// reply is a pure function from what a guest asks to what it is told; nil for silence.
func (a *answer) reply(ask *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	if len(a.port.Addresses) == 0 || ask.ClientHWAddr.String() != a.port.MAC {
		return nil
	}
	ip := net.IP(a.port.Addresses[0].AsSlice())
	kind := dhcpv4.MessageTypeOffer
	switch ask.MessageType() {
	case dhcpv4.MessageTypeDiscover:
	case dhcpv4.MessageTypeRequest:
		kind = dhcpv4.MessageTypeAck
		if want := ask.RequestedIPAddress(); want != nil && !want.Equal(ip) ||
			!ask.ClientIPAddr.IsUnspecified() && !ask.ClientIPAddr.Equal(ip) {
			kind = dhcpv4.MessageTypeNak
		}
	case dhcpv4.MessageTypeInform:
		kind = dhcpv4.MessageTypeAck
	default:
		return nil
	}
	router := net.IP(Gateway(a.subnet).AsSlice())
	mods := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind), dhcpv4.WithServerIP(router),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(router)), dhcpv4.WithBroadcast(true),
	}
	if kind != dhcpv4.MessageTypeNak {
		mtu := a.port.MTU
		if mtu == 0 {
			mtu = 1500
		}
		mods = append(mods,
			dhcpv4.WithYourIP(ip), dhcpv4.WithLeaseTime(uint32(leaseTime.Seconds())),
			dhcpv4.WithNetmask(net.CIDRMask(a.subnet.Bits(), 32)),
			dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionInterfaceMTU, []byte{byte(mtu >> 8), byte(mtu)})),
		)
		// Only the first card shows the way out: two default routes would fight.
		if a.port.DeviceIndex == 0 {
			mods = append(mods, dhcpv4.WithRouter(router), dhcpv4.WithOption(dhcpv4.OptHostName(a.port.Hostname)))
		}
		if len(a.dns) > 0 {
			mods = append(mods, dhcpv4.WithDNS(ips(a.dns)...))
		}
		if a.domain != "" {
			mods = append(mods, dhcpv4.WithOption(dhcpv4.OptDomainName(a.domain)))
		}
		if len(a.ntp) > 0 {
			mods = append(mods, dhcpv4.WithOption(dhcpv4.OptNTPServers(ips(a.ntp)...)))
		}
		if len(a.names) > 0 {
			mods = append(mods,
				dhcpv4.WithOption(dhcpv4.Option{
					Code: dhcpv4.OptionNetBIOSOverTCPIPNameServer, Value: dhcpv4.IPs(ips(a.names)),
				}))
		}
		if a.node != 0 {
			mods = append(mods, dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionNetBIOSOverTCPIPNodeType, []byte{a.node})))
		}
	}
	reply, err := dhcpv4.NewReplyFromRequest(ask, mods...)
	if err != nil {
		return nil
	}
	return reply
}

func ips(in []netip.Addr) []net.IP {
	out := make([]net.IP, len(in))
	for i, a := range in {
		out[i] = a.AsSlice()
	}
	return out
}
