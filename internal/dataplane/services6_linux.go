package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"slipway/internal/guard"
)

// Over IPv6 a guest learns of its router from advertisements, which tell it to ask for its addresses by DHCPv6.
// Nothing is on the link but the router, as with IPv4: so there are no prefixes to advertise, and every packet goes by it.
var (
	linkRouter  = netip.MustParseAddr("fe80::1") // the router, on every tap
	allNodes    = netip.MustParseAddr("ff02::1")
	allRouters  = netip.MustParseAddr("ff02::2")
	dhcpServers = net.ParseIP("ff02::1:2")
)

const (
	advertiseEvery = 2 * time.Minute
	routerLifetime = 30 * time.Minute
)

// start6 opens the sockets of both on a port's device.
func (s *service) start6(ctx context.Context, namespace, device string) error {
	var conn *ndp.Conn
	var hardware net.HardwareAddr
	index := 0
	err := inside(namespace, func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		// The router's address does not wait for a carrier, which comes with the machine.
		if err := netlink.AddrReplace(link,
			&netlink.Addr{IPNet: ipNet(netip.PrefixFrom(linkRouter, 64)), Flags: unix.IFA_F_NODAD}); err != nil {
			return err
		}
		hardware, index = link.Attrs().HardwareAddr, link.Attrs().Index
		ifi, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if conn, _, err = ndp.Listen(ifi, ndp.Unspecified); err != nil {
			return err
		}
		return conn.JoinGroup(allRouters)
	})
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return err
	}
	s.close = append(s.close, func() { conn.Close() })
	guard.Go(s.log, "router advertisements", func() { s.advertise(conn, index, hardware) })

	dhcp, err := listenPacket(ctx, namespace, device, "udp6", "[::]:547")
	if err != nil {
		return err
	}
	s.close = append(s.close, func() { dhcp.Close() })
	err = inside(namespace, func() error {
		ifi, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		return ipv6.NewPacketConn(dhcp).JoinGroup(ifi, &net.UDPAddr{IP: dhcpServers})
	})
	if err != nil {
		return err
	}
	guard.Go(s.log, "DHCPv6", func() { s.dhcp6(dhcp, duid(hardware)) })
	return nil
}

// advertise answers solicitations, and repeats itself now and then.
func (s *service) advertise(c *ndp.Conn, index int, hardware net.HardwareAddr) {
	from := &ipv6.ControlMessage{HopLimit: ndp.HopLimit, IfIndex: index, Src: net.IP(linkRouter.AsSlice())}
	s.serve("router advertisements", func([]byte) (func(), error) {
		c.SetReadDeadline(time.Now().Add(advertiseEvery))
		m, _, _, err := c.ReadFrom()
		_, asked := m.(*ndp.RouterSolicitation)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			asked, err = true, nil
		}
		if _, broken := errors.AsType[*net.OpError](err); err != nil && !broken {
			err = nil // no message that anybody meant
		}
		return func() {
			a := s.now.Load()
			if !asked || len(a.port.Addresses6) == 0 {
				return
			}
			if err := c.WriteTo(a.advertisement(hardware), from, allNodes); err != nil {
				s.log.Debug("router advertisement not sent", slog.Any("error", err))
			}
		}, err
	})
}

func (a *answer) advertisement(hardware net.HardwareAddr) *ndp.RouterAdvertisement {
	mtu := a.port.MTU
	if mtu == 0 {
		mtu = 1500
	}
	ra := &ndp.RouterAdvertisement{
		CurrentHopLimit: 64, ManagedConfiguration: true, OtherConfiguration: true,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: hardware}, ndp.NewMTU(uint32(mtu))},
	}
	if a.port.DeviceIndex == 0 { // only the first card shows the way out
		ra.RouterLifetime = routerLifetime
	}
	return ra
}

// duid is the server's name: it follows from the device, so that a restart is the same server.
func duid(hardware net.HardwareAddr) dhcpv6.DUID {
	return &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: hardware}
}

func (s *service) dhcp6(c net.PacketConn, server dhcpv6.DUID) {
	s.serve("DHCPv6", func(buf []byte) (func(), error) {
		n, from, err := c.ReadFrom(buf)
		return func() {
			ask, err := dhcpv6.MessageFromBytes(buf[:n])
			if err != nil {
				return
			}
			if reply := s.now.Load().reply6(ask, server); reply != nil {
				if _, err := c.WriteTo(reply.ToBytes(), from); err != nil {
					s.log.Debug("dhcpv6 answer not sent", "error", err)
				}
			}
		}, err
	})
}

// reply6 is a pure function from what a guest asks to what it is told; nil for silence.
func (a *answer) reply6(ask *dhcpv6.Message, server dhcpv6.DUID) dhcpv6.DHCPv6 {
	if len(a.port.Addresses6) == 0 || ask.Options.ClientID() == nil {
		return nil
	}
	mods := []dhcpv6.Modifier{dhcpv6.WithServerID(server), dhcpv6.WithDNS(net.IP(resolverIP6.AsSlice()))}
	if a.domain != "" {
		mods = append(mods, dhcpv6.WithDomainSearchList(a.domain))
	}
	if ia := ask.Options.OneIANA(); ia != nil {
		mods = append(mods, dhcpv6.WithOption(a.lease6(ia.IaId)))
	}
	var reply *dhcpv6.Message
	var err error
	switch ask.MessageType {
	case dhcpv6.MessageTypeSolicit:
		if ask.GetOneOption(dhcpv6.OptionRapidCommit) != nil {
			reply, err = dhcpv6.NewReplyFromMessage(ask, append(mods, dhcpv6.WithRapidCommit)...)
			break
		}
		reply, err = dhcpv6.NewAdvertiseFromSolicit(ask, mods...)
	case dhcpv6.MessageTypeRequest, dhcpv6.MessageTypeConfirm, dhcpv6.MessageTypeRenew, dhcpv6.MessageTypeRebind,
		dhcpv6.MessageTypeRelease,
		dhcpv6.MessageTypeInformationRequest:
		reply, err = dhcpv6.NewReplyFromMessage(ask, mods...)
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	return reply
}

// lease6 holds all of the port's addresses.
func (a *answer) lease6(id [4]byte) *dhcpv6.OptIANA {
	ia := &dhcpv6.OptIANA{IaId: id, T1: leaseTime / 2, T2: leaseTime * 4 / 5}
	for _, ip := range a.port.Addresses6 {
		ia.Options.Add(&dhcpv6.OptIAAddress{
			IPv6Addr: net.IP(ip.AsSlice()), PreferredLifetime: leaseTime, ValidLifetime: leaseTime,
		})
	}
	return ia
}
