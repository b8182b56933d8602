package dataplane

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway"
)

// arpPatience is how long a guest may take to answer.
const arpPatience = 700 * time.Millisecond

// Reachable asks the guest of a port by ARP for its own address, as EC2's instance status check does.
func (p *Plane) Reachable(ctx context.Context, vpc slipway.VPCID, eni slipway.InterfaceID) bool {
	p.mu.Lock()
	r := p.nets[vpc]
	var port Port
	var gateway net.IP
	if r != nil {
		for _, candidate := range r.network.Ports {
			if candidate.Interface == eni {
				port = candidate
			}
		}
		for _, s := range r.network.Subnets {
			if s.ID == port.Subnet && s.CIDR.IsValid() {
				gateway = Gateway(s.CIDR).AsSlice()
			}
		}
	}
	p.mu.Unlock()
	if len(port.Addresses) == 0 || gateway == nil {
		return false
	}
	ok := false
	err := inside(p.site.namespace(vpc), func() error {
		var err error
		ok, err = askARP(tap(eni), gateway, port.Addresses[0].AsSlice())
		return err
	})
	return err == nil && ok
}

func askARP(device string, from, to net.IP) (bool, error) {
	l, err := netlink.LinkByName(device)
	if err != nil {
		return false, err
	}
	const arp = 0x0806
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(arp)))
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	where := &unix.SockaddrLinklayer{
		Protocol: htons(arp), Ifindex: l.Attrs().Index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255},
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(arp), Ifindex: l.Attrs().Index}); err != nil {
		return false, err
	}
	ask := []byte{0, 1, 8, 0, 6, 4, 0, 1}
	ask = append(ask, l.Attrs().HardwareAddr...)
	ask = append(ask, from.To4()...)
	ask = append(ask, 0, 0, 0, 0, 0, 0)
	ask = append(ask, to.To4()...)
	if err := unix.Sendto(fd, ask, 0, where); err != nil {
		return false, err
	}
	until := time.Now().Add(arpPatience)
	buf := make([]byte, 128)
	for left := time.Until(until); left > 0; left = time.Until(until) {
		tv := unix.NsecToTimeval(left.Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return false, err
		}
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false, nil
		case err != nil:
			return false, err
		case n >= 28 && binary.BigEndian.Uint16(buf[6:]) == 2 && bytes.Equal(buf[14:18], to.To4()):
			return true, nil
		}
	}
	return false, nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// removeUplink removes the host's end, and with it the namespace's.
func removeUplink(name string) error {
	l, err := linkByName(name)
	if err != nil || l == nil {
		return err
	}
	return netlink.LinkDel(l)
}
