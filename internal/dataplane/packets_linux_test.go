package dataplane

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/guard"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// allow is a rule; protocol and ports as in "tcp 80" or "udp 1000-2000", ranges or a group.
func allow(egress bool, protocol string, from, to int32, sources ...string) Rule {
	r := Rule{Egress: egress, Protocol: protocol, From: from, To: to}
	for _, s := range sources {
		if strings.HasPrefix(s, "sg-") {
			r.Group = slipway.SecurityGroupID(s)
		} else {
			r.CIDRs = append(r.CIDRs, netip.MustParsePrefix(s))
		}
	}
	return r
}

// The networks of the table: one of three subnets, one with the same addresses, one that is peered with the first.
func tableNetworks() []Network {
	id := func(n int) slipway.InterfaceID {
		return slipway.InterfaceID(fmt.Sprintf("eni-%017x", os.Getpid()<<8|n))
	}
	vpc := func(n int) slipway.VPCID { return slipway.VPCID(fmt.Sprintf("vpc-%017x", os.Getpid()<<8|n)) }
	everything := []Rule{allow(true, "-1", -1, -1, "0.0.0.0/0", "::/0")}
	way := []Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Target: Internet}}
	pool := LoopbackPool(40 + os.Getpid()%50).Addr()
	public := func(n int) netip.Addr { b := pool.As4(); b[3] += byte(n); return netip.AddrFrom4(b) }
	port := func(n int, subnet, group string, v4, v6 []string) Port {
		p := Port{
			Interface: id(n), Instance: slipway.InstanceID(fmt.Sprintf("i-%017x", n)), Subnet: slipway.SubnetID(subnet),
			MAC:       fmt.Sprintf("02:00:00:00:00:%02x", n),
			Addresses: addrs(v4...), Addresses6: addrs(v6...),
			Groups: []slipway.SecurityGroupID{slipway.SecurityGroupID(group)}, SourceDestCheck: true,
		}
		return p
	}
	exposed := func(p Port, n int) Port {
		p.Public = map[netip.Addr]netip.Addr{p.Addresses[0]: public(n)}
		return p
	}
	router := port(5, "subnet-a1", "sg-web", []string{"10.0.1.40"}, nil)
	router.SourceDestCheck = false
	prefixed := port(7, "subnet-a1", "sg-open", []string{"10.0.1.60"}, []string{"2001:db8:a::60"})
	prefixed.Prefixes, prefixed.Prefixes6 = prefixes("10.0.1.64/28"), prefixes("2001:db8:a:0:1::/80")
	a := Network{
		VPC: vpc(1), CIDRs: prefixes("10.0.0.0/16"), CIDRs6: prefixes("2001:db8:a::/56"),
		Subnets: []Subnet{
			{ID: "subnet-a1", CIDR: netip.MustParsePrefix("10.0.1.0/24"),
				CIDR6: netip.MustParsePrefix("2001:db8:a::/64"),
				Routes: append(slices.Clone(way),
					Route{Destination: netip.MustParsePrefix("10.8.0.0/16"), Target: ToPeer, Via: "pcx-00000000000000001"})},
			{ID: "subnet-a2", CIDR: netip.MustParsePrefix("10.0.2.0/24"),
				Routes: []Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Target: ToNAT, Via: "nat-1"}},
				ACL: []slipway.ACLEntry{
					{Number: 100, Protocol: "6", Allow: true, CIDR: netip.MustParsePrefix("10.0.1.0/24"), From: 5432, To: 5432},
					{Number: 110, Protocol: "17", Allow: true, CIDR: netip.MustParsePrefix("0.0.0.0/0"), From: 4000, To: 4010},
					{Number: 120, Protocol: "1", Allow: true, CIDR: netip.MustParsePrefix("10.0.0.0/16"), ICMPType: 8,
						ICMPCode: -1},
					{Number: 130, Protocol: "17", CIDR: netip.MustParsePrefix("203.0.113.0/24"), From: 0, To: 65535},
					{Number: 100, Egress: true, Protocol: "-1", CIDR: netip.MustParsePrefix("10.0.1.30/32")},
					{Number: 110, Egress: true, Protocol: "-1", Allow: true, CIDR: netip.MustParsePrefix("0.0.0.0/0")},
				}},
			{ID: "subnet-a3", CIDR: netip.MustParsePrefix("10.0.3.0/24")},
		},
		Ports: []Port{
			exposed(port(1, "subnet-a1", "sg-web", []string{"10.0.1.10"}, []string{"2001:db8:a::10"}), 5),
			port(2, "subnet-a2", "sg-db", []string{"10.0.2.10", "10.0.2.11"}, nil),
			port(3, "subnet-a1", "sg-client", []string{"10.0.1.20"}, []string{"2001:db8:a::20"}),
			exposed(port(4, "subnet-a1", "sg-jailed", []string{"10.0.1.30"}, nil), 6), router,
			port(6, "subnet-a3", "sg-open", []string{"10.0.3.10"}, nil), prefixed,
		},
		Groups: map[slipway.SecurityGroupID][]Rule{
			"sg-web": append([]Rule{
				allow(false, "tcp", 80, 80, "0.0.0.0/0"), allow(false, "tcp", 443, 443, "0.0.0.0/0", "::/0"),
				allow(false, "udp", 1000, 2000, "10.0.0.0/16", "2001:db8:a::/56"),
				allow(false, "icmp", 8, -1, "10.0.0.0/8"), allow(false, "icmpv6", 128, 0, "2001:db8:a::20/128"),
				allow(false, "50", -1, -1, "10.0.1.0/24"), allow(false, "udp", 3000, 3000, "127.0.0.0/8"),
			}, everything...),
			"sg-db": append([]Rule{
				allow(false, "tcp", 5432, 5432, "sg-web"), allow(false, "udp", 0, 65535, "sg-web"),
				allow(false, "icmp", -1, -1, "sg-web"), allow(false, "udp", 4000, 4000, "0.0.0.0/0"),
			}, everything...),
			"sg-client": everything,
			"sg-jailed": {allow(true, "tcp", 443, 443, "0.0.0.0/0"), allow(true, "udp", 1000, 1000, "sg-web"),
				allow(false, "-1", -1, -1, "10.0.1.0/24")},
			"sg-open": append([]Rule{allow(false, "-1", -1, -1, "0.0.0.0/0", "::/0")}, everything...),
		},
		Members: map[slipway.SecurityGroupID][]netip.Addr{"sg-web": addrs("10.0.1.10", "10.0.1.40", "2001:db8:a::10")},
		DNS:     DNS{Enabled: true, Names: map[string][]netip.Addr{}},
		Peers:   []Peer{{ID: "pcx-00000000000000001", VPC: vpc(3), CIDRs: prefixes("10.8.0.0/16")}},
		NATs:    []NAT{{ID: "nat-1", Subnet: "subnet-a1", Private: netip.MustParseAddr("10.0.1.77"), Public: public(7)}},
	}
	b := Network{
		VPC: vpc(2), CIDRs: prefixes("10.0.0.0/16"),
		Subnets: []Subnet{{ID: "subnet-b1", CIDR: netip.MustParsePrefix("10.0.1.0/24"), Routes: way}},
		Ports: []Port{
			exposed(port(8, "subnet-b1", "sg-open", []string{"10.0.1.10"}, nil), 8),
			port(9, "subnet-b1", "sg-open", []string{"10.0.1.99"}, nil),
		},
		Groups: map[slipway.SecurityGroupID][]Rule{"sg-open": a.Groups["sg-open"]},
	}
	c := Network{
		VPC: vpc(3), CIDRs: prefixes("10.8.0.0/16"),
		Peers: []Peer{{ID: "pcx-00000000000000001", VPC: vpc(1), CIDRs: prefixes("10.0.0.0/16")}},
		Subnets: []Subnet{
			{ID: "subnet-c1", CIDR: netip.MustParsePrefix("10.8.1.0/24"),
				Routes: []Route{
					{Destination: netip.MustParsePrefix("10.0.0.0/16"), Target: ToPeer, Via: "pcx-00000000000000001"},
				}},
		},
		Ports:  []Port{port(10, "subnet-c1", "sg-open", []string{"10.8.1.10"}, nil)},
		Groups: map[slipway.SecurityGroupID][]Rule{"sg-open": a.Groups["sg-open"]},
	}
	return []Network{a, b, c}
}

// tableGuests are the ports of tableNetworks by their numbers.
var tableGuests = map[int]string{
	1: "web", 2: "db", 3: "client", 4: "jailed", 5: "router", 6: "lonely", 7: "prefixed", 8: "twin", 9: "twin2", 10: "peer",
}

func tableWorld(t *testing.T, networks ...Network) *world {
	w := newWorld(t, networks...)
	for _, n := range networks {
		for _, p := range n.Ports {
			var number int
			fmt.Sscanf(p.MAC, "02:00:00:00:00:%x", &number)
			w.plug(tableGuests[number], n, p)
		}
	}
	return w
}

// flow is one line of testdata/flows.txt.
type flow struct {
	line     int
	from, to string // names, or addresses
	what     string
	opts     map[string]string
	verdict  string // pass, drop, answer, silence
	at       string // who sees it
}

func flows(t *testing.T) []flow {
	t.Helper()
	b, err := os.ReadFile("testdata/flows.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []flow
	for i, line := range strings.Split(string(b), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 4 {
			t.Fatalf("flows.txt:%d: %q", i+1, line)
		}
		f := flow{line: i + 1, from: words[0], to: words[1], what: words[2], opts: map[string]string{}}
		for _, w := range words[3:] {
			switch key, value, given := strings.Cut(w, "="); {
			case given:
				f.opts[key] = value
			case strings.HasPrefix(w, "@"):
				f.at = w[1:]
			default:
				f.verdict = w
			}
		}
		switch f.verdict {
		case "pass", "drop", "answer", "silence":
		default:
			t.Fatalf("flows.txt:%d: %q is no verdict", i+1, f.verdict)
		}
		out = append(out, f)
	}
	return out
}

// address is what a name of the table stands for, and who has it.
func (w *world) address(from, name string) (netip.Addr, string) {
	w.Helper()
	base, kind, _ := strings.Cut(name, ".")
	if g := w.guests[base]; g != nil {
		switch kind {
		case "":
			return g.port.Addresses[0], base
		case "6":
			return g.port.Addresses6[0], base
		case "pub":
			return g.port.Public[g.port.Addresses[0]], base
		case "outer":
			return w.plane.site.Outer(g.port.Public[g.port.Addresses[0]]), base
		}
	}
	switch name {
	case "link", "hostlink":
		host, inner := w.plane.site.link(w.plane.links[w.guests[from].vpc])
		return map[string]netip.Addr{"link": inner, "hostlink": host}[name], "host"
	case "internet":
		return netip.MustParseAddr(internet), "lan"
	}
	a, err := netip.ParseAddr(name)
	if err != nil {
		w.Fatalf("%q is neither a guest nor an address", name)
	}
	return a, map[string]string{lanNeighbour: "lan", lanHost: "host", "127.0.0.1": "host"}[name]
}

// sent is a flow's frames and how its answer is known.
type sent struct {
	frames [][]byte
	answer func(frame []byte) bool
}

// build makes the frames of a flow from src to dst, on a wire between two cards.
func (f flow) build(n int, own, next net.HardwareAddr, src, dst netip.Addr) (sent, error) {
	text := []byte(fmt.Sprintf("flow-%04d", n))
	sport := uint16(20000 + n)
	if s, err := strconv.Atoi(f.opts["sport"]); err == nil {
		sport = uint16(s)
	}
	kind, value, _ := strings.Cut(f.what, "/")
	number, _ := strconv.Atoi(value)
	var protocol byte
	var payload []byte
	echoes := func(frame []byte) bool { return bytes.Contains(frame, text) }
	s := sent{answer: echoes}
	switch kind {
	case "udp":
		protocol, payload = 17, udp(src, dst, sport, uint16(number), text)
	case "tcp":
		seq := uint32(0xf1000000 + n)
		protocol, payload = 6, syn(src, dst, sport, uint16(number), seq, text)
		s.answer = func(frame []byte) bool { // an acknowledgement of our first byte, and no refusal
			ack := binary.BigEndian.AppendUint32(nil, seq+1)
			i := bytes.Index(frame, ack)
			return i > 0 && i+6 < len(frame) && frame[i+5]&0x12 == 0x12
		}
	case "icmp":
		protocol, payload = 1, echo(src, dst, byte(number), uint16(n), text)
	case "icmp6":
		protocol, payload = 58, echo(src, dst, byte(number), uint16(n), text)
	case "proto":
		protocol, payload = byte(number), text
	case "dns":
		protocol, payload = 17, udp(src, dst, sport, 53, question(uint16(n), string(text), "ec2", "internal"))
	case "arp":
		s.frames = [][]byte{ether(net.HardwareAddr{255, 255, 255, 255, 255, 255}, own, etherARP, arpAsk(own, src, dst))}
		s.answer = func(frame []byte) bool {
			return len(frame) >= 42 && binary.BigEndian.Uint16(frame[12:]) == etherARP && frame[21] == 2 &&
				bytes.Equal(frame[28:32], dst.AsSlice())
		}
		return s, nil
	case "nd":
		t, p := ip(src, dst, 58, false, 0, solicit(own, src, dst))
		s.frames = [][]byte{ether(next, own, t, p)}
		s.answer = func(frame []byte) bool {
			return len(frame) >= 78 && binary.BigEndian.Uint16(frame[12:]) == etherIPv6 && frame[54] == 136 &&
				bytes.Equal(frame[62:78], dst.AsSlice())
		}
		return s, nil
	default:
		return s, fmt.Errorf("%q is no kind of packet", f.what)
	}
	if f.opts["frag"] != "" { // the second piece bears the marker, too
		payload = append(payload, bytes.Repeat([]byte{'.'}, 24-len(payload)%8)...)
		if kind == "udp" {
			payload = udp(src, dst, sport, uint16(number), append(payload[8:], text...))
		}
		cut := 16
		if f.opts["frag"] != "second" {
			t, p := ip(src, dst, protocol, true, 0, payload[:cut])
			s.frames = append(s.frames, ether(next, own, t, p))
		}
		t, p := ip(src, dst, protocol, false, cut, payload[cut:])
		s.frames = append(s.frames, ether(next, own, t, p))
		return s, nil
	}
	t, p := ip(src, dst, protocol, false, 0, payload)
	s.frames = [][]byte{ether(next, own, t, p)}
	return s, nil
}

// TestPacketTable sends the packets of testdata/flows.txt through real networks: what is to pass arrives where it
// should and nowhere else, what is not arrives nowhere.
func TestPacketTable(t *testing.T) {
	w := tableWorld(t, tableNetworks()...)
	table := flows(t)
	if len(table) < 200 {
		t.Errorf("the table has %d flows, want 200", len(table))
	}
	silent := map[int]func([]byte) bool{}
	for n, f := range table {
		dst, owner := w.address(f.from, f.to)
		answer, err := w.dispatch(n, f, dst)
		if err != nil {
			t.Fatalf("flows.txt:%d: %v", f.line, err)
		}
		text, at := fmt.Sprintf("flow-%04d", n), f.at
		if at == "" {
			at = owner
		}
		switch f.verdict {
		case "pass":
			w.eventually(fmt.Sprintf("flows.txt:%d: %s to %s, %s, at %s (seen at %v)", f.line, f.from, f.to, f.what, at,
				w.arrived(text)), func() bool { return slices.Contains(w.arrived(text), at) })
		case "answer":
			w.eventually(fmt.Sprintf("flows.txt:%d: an answer for %s from %s to %s", f.line, f.from, f.to, f.what),
				func() bool { return w.has(f.from, answer) })
		case "silence":
			silent[n] = answer
		}
	}
	// All that was allowed has come, what was sent before it included: what has not come by now does not come.
	for n, f := range table {
		seen := w.arrived(fmt.Sprintf("flow-%04d", n))
		_, owner := w.address(f.from, f.to)
		if f.at != "" {
			owner = f.at
		}
		for _, at := range seen {
			if f.verdict == "drop" ||
				f.verdict == "pass" && at != owner && !(at == f.from && strings.HasPrefix(f.what, "icmp")) ||
				f.verdict == "silence" && at != f.from {
				t.Errorf("flows.txt:%d: %s to %s, %s: arrived at %s, want %s", f.line, f.from, f.to, f.what, at, f.verdict)
			}
		}
		if answer := silent[n]; answer != nil && w.has(f.from, answer) {
			t.Errorf("flows.txt:%d: %s to %s, %s: was answered", f.line, f.from, f.to, f.what)
		}
	}
}

// dispatch sends a flow from where it comes from.
func (w *world) dispatch(n int, f flow, dst netip.Addr) (answer func([]byte) bool, err error) {
	if f.from == "host" { // by a socket, as the host's programs do
		return nil, w.host.do(func() error {
			kind, port, _ := strings.Cut(f.what, "/")
			if kind != "udp" {
				return errors.New("the host sends datagrams only")
			}
			c, err := net.Dial("udp", net.JoinHostPort(dst.String(), port))
			if err != nil {
				if f.verdict == "drop" {
					return nil
				}
				return err
			}
			defer c.Close()
			_, err = fmt.Fprintf(c, "flow-%04d", n)
			if errors.Is(err, unix.EPERM) && f.verdict == "drop" {
				err = nil
			}
			return err
		})
	}
	g := w.guests[f.from]
	own, next := w.link[1], w.link[0]
	src := netip.MustParseAddr(lanNeighbour)
	if g != nil {
		own, _ = net.ParseMAC(g.port.MAC)
		next, src = g.router, g.port.Addresses[0]
		if dst.Is6() && len(g.port.Addresses6) > 0 {
			src = g.port.Addresses6[0]
		}
	}
	if s := f.opts["src"]; s != "" {
		src, _ = w.address(f.from, s)
	}
	if m := f.opts["mac"]; m != "" {
		if own, err = net.ParseMAC(m); err != nil {
			return nil, err
		}
	}
	s, err := f.build(n, own, next, src, dst)
	if err != nil {
		return nil, err
	}
	for _, frame := range s.frames {
		if g != nil {
			err = errors.Join(err, g.send(frame))
		} else {
			err = errors.Join(err, w.sendLAN(frame))
		}
	}
	return s.answer, err
}

// TestOneGuestCannotTakeWhatAllShare: neighbours, connections that are kept track of, answers of the services.
func TestOneGuestCannotTakeWhatAllShare(t *testing.T) {
	w := tableWorld(t, tableNetworks()[:1]...)
	g, namespace := w.guests["client"], w.plane.site.namespace(w.guests["client"].vpc)
	own, _ := net.ParseMAC(g.port.MAC)
	src := g.port.Addresses[0]
	count := func(what string, most int, fn func() (int, error)) {
		t.Helper()
		n := 0
		w.must(inside(namespace, func() (err error) { n, err = fn(); return err }))
		if n > most {
			t.Errorf("%d %s, want at most %d", n, what, most)
		}
	}
	neighbours := func(family int) func() (int, error) {
		return func() (int, error) { list, err := netlink.NeighList(0, family); return len(list), err }
	}
	for n := range 3000 {
		from := netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
		w.must(g.send(ether(net.HardwareAddr{255, 255, 255, 255, 255, 255}, own, etherARP,
			arpAsk(own, from, netip.MustParseAddr("10.0.1.1")))))
		local := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 14: byte(n >> 8), 15: byte(n)})
		kind, p := ip(local, linkRouter, 58, false, 0, solicit(own, local, linkRouter))
		w.must(g.send(ether(g.router, own, kind, p)))
	}
	count("neighbours", 30, neighbours(netlink.FAMILY_V4))
	count("neighbours over IPv6", 30, neighbours(netlink.FAMILY_V6))
	lonely := w.guests["lonely"].port.Addresses[0]
	began := time.Now()
	for n := range 20000 {
		kind, p := ip(src, lonely, 17, false, 0, udp(src, lonely, uint16(2000+n), uint16(n), nil))
		w.must(g.send(ether(g.router, own, kind, p)))
	}
	most := min(maxTracked, 4096+2000*int(1+time.Since(began).Seconds())) // newRate's burst, and what comes after it
	count("connections", most+maxServed+100, func() (n int, err error) {
		b, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
		if err == nil {
			_, err = fmt.Sscan(string(b), &n)
		}
		return n, err
	})
	for n := range 1000 {
		kind, p := ip(src, metadataIP, 6, false, 0, syn(src, metadataIP, uint16(10000+n), 80, uint32(n), nil))
		w.must(g.send(ether(g.router, own, kind, p)))
	}
	other := w.guests["web"]
	mac, _ := net.ParseMAC(other.port.MAC)
	kind, p := ip(other.port.Addresses[0], metadataIP, 6, false, 0, syn(other.port.Addresses[0], metadataIP, 5000, 80, 7, nil))
	w.must(other.send(ether(other.router, mac, kind, p)))
	accepted := func(f []byte) bool { return len(f) >= 54 && f[23] == 6 && f[47]&0x12 == 0x12 }
	w.eventually("metadata for another guest", func() bool { return w.has("web", accepted) })
	ports := map[uint16]bool{}
	w.mu.Lock()
	for _, f := range w.frames["client"] {
		if accepted(f) {
			ports[binary.BigEndian.Uint16(f[36:])] = true
		}
	}
	w.mu.Unlock()
	if len(ports) > maxServed+1 || len(ports) < maxServed/2 {
		t.Errorf("%d connections to the metadata service at a time, want %d", len(ports), maxServed)
	}
}

// TestQuestionsOfOneGuestAreBounded, and leave room for others'.
func TestQuestionsOfOneGuestAreBounded(t *testing.T) {
	r := &resolver{asked: map[netip.Addr]int{}}
	one, other := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")
	n := 0
	for range 1000 {
		if r.begin(one) {
			n++
		}
	}
	if n != maxAsked || !r.begin(other) {
		t.Errorf("one guest has %d questions wait, want %d, and another is refused", n, maxAsked)
	}
	for range maxAsked {
		r.done(one)
	}
	r.done(other)
	if len(r.asked) != 0 || r.all != 0 || !r.begin(one) {
		t.Errorf("after the answers %v are left", r.asked)
	}
}

// TestAPanicInAServiceCostsOneMessage, not the service, and not the process.
func TestAPanicInAServiceCostsOneMessage(t *testing.T) {
	s := &service{log: slog.New(slog.DiscardHandler)}
	answered := 0
	s.serve("test", func([]byte) (func(), error) {
		if answered == 3 {
			return nil, net.ErrClosed
		}
		return func() {
			if answered++; answered == 2 {
				panic("a hostile message")
			}
		}, nil
	})
	if answered != 3 {
		t.Errorf("%d messages were served, want 3", answered)
	}
}

// TestASocketThatCannotBeReadIsLeftAlone for longer each time, and at once again after a message.
func TestASocketThatCannotBeReadIsLeftAlone(t *testing.T) {
	var pauses []time.Duration
	s := &service{log: slog.New(slog.DiscardHandler), sleep: func(d time.Duration) { pauses = append(pauses, d) }}
	came := []error{net.ErrWriteToConnected, net.ErrWriteToConnected, nil, net.ErrWriteToConnected, net.ErrClosed}
	s.serve("test", func([]byte) (func(), error) {
		err := came[0]
		came = came[1:]
		return func() {}, err
	})
	if want := []time.Duration{guard.FirstPause, 2 * guard.FirstPause, guard.FirstPause}; !slices.Equal(pauses, want) {
		t.Errorf("the pauses are %v, want %v", pauses, want)
	}
}
