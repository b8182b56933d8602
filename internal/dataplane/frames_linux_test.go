package dataplane

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// The few kinds of frames that guests send in tests, byte by byte.

const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

func ether(dst, src net.HardwareAddr, kind uint16, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16(append(append([]byte{}, dst...), src...), kind), payload...)
}

// sum is the internet checksum over several pieces.
func sum(pieces ...[]byte) uint16 {
	var s uint32
	for _, b := range pieces {
		for i := 0; i+1 < len(b); i += 2 {
			s += uint32(binary.BigEndian.Uint16(b[i:]))
		}
		if len(b)%2 == 1 {
			s += uint32(b[len(b)-1]) << 8
		}
	}
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// pseudo is what transport checksums count besides.
func pseudo(src, dst netip.Addr, protocol byte, length int) []byte {
	b := append(src.AsSlice(), dst.AsSlice()...)
	return append(b, 0, 0, byte(length>>8), byte(length), 0, 0, 0, protocol)
}

// ip wraps a transport payload; more and offset make a fragment of an IPv4 packet.
func ip(src, dst netip.Addr, protocol byte, more bool, offset int, payload []byte) (uint16, []byte) {
	if src.Is6() {
		h := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), protocol, 255}
		return etherIPv6, append(append(append(h, src.AsSlice()...), dst.AsSlice()...), payload...)
	}
	h := make([]byte, 20)
	h[0], h[8], h[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(h[4:], 0x1234)
	flags := uint16(offset / 8)
	if more {
		flags |= 0x2000
	}
	binary.BigEndian.PutUint16(h[6:], flags)
	copy(h[12:], src.AsSlice())
	copy(h[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], sum(h))
	return etherIPv4, append(h, payload...)
}

func udp(src, dst netip.Addr, from, to uint16, payload []byte) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[6:], sum(pseudo(src, dst, 17, len(b)), b))
	return b
}

// syn is a TCP segment that opens a connection, with data already.
func syn(src, dst netip.Addr, from, to uint16, seq uint32, payload []byte) []byte {
	b := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint32(b[4:], seq)
	b[12], b[13] = 5<<4, 2
	binary.BigEndian.PutUint16(b[14:], 65535)
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[16:], sum(pseudo(src, dst, 6, len(b)), b))
	return b
}

func echo(src, dst netip.Addr, kind byte, id uint16, payload []byte) []byte {
	b := append([]byte{kind, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}, payload...)
	if src.Is6() {
		binary.BigEndian.PutUint16(b[2:], sum(pseudo(src, dst, 58, len(b)), b))
	} else {
		binary.BigEndian.PutUint16(b[2:], sum(b))
	}
	return b
}

// arpAsk asks who has dst.
func arpAsk(mac net.HardwareAddr, src, dst netip.Addr) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, 1}
	b = append(append(b, mac...), src.AsSlice()...)
	return append(append(b, 0, 0, 0, 0, 0, 0), dst.AsSlice()...)
}

// solicit asks for dst over IPv6, to dst itself.
func solicit(mac net.HardwareAddr, src, dst netip.Addr) []byte {
	b := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, dst.AsSlice()...)
	b = append(append(b, 1, 1), mac...)
	binary.BigEndian.PutUint16(b[2:], sum(pseudo(src, dst, 58, len(b)), b))
	return b
}

// question asks DNS for a name's address.
func question(id uint16, labels ...string) []byte {
	b := []byte{byte(id >> 8), byte(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for _, l := range labels {
		b = append(append(b, byte(len(l))), l...)
	}
	return append(b, 0, 0, 1, 0, 1)
}
