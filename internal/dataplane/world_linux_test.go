package dataplane

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/await"
	"slipway/internal/thread"
)

// world is a host of its own, in a network namespace that begins with nothing but lo: VPCs on it, guests that are
// descriptors of taps, and a neighbour on its LAN, behind whom lies the internet.
type world struct {
	*testing.T
	plane  *Plane
	host   place
	lan    place
	link   [2]net.HardwareAddr // the LAN's: the host's end, the neighbour's
	guests map[string]*guest
	wire   int // the neighbour's packet socket

	mu     sync.Mutex
	frames map[string][][]byte // by observer
	seen   map[string][]string // marker to observers
}

// guest is one end of a tap.
type guest struct {
	name   string
	vpc    slipway.VPCID
	port   Port
	tap    *os.File
	router net.HardwareAddr
}

// place is a thread in a network namespace.
type place chan func()

func newPlace(t *testing.T) (p place, ns netns.NsHandle) {
	t.Helper()
	p = make(place)
	ready := make(chan error, 1)
	go thread.Run(func() error {
		var err error
		if ns, err = netns.New(); err == nil { // leaves the thread inside
			err = sysctl("net.ipv6.conf.all.accept_dad", "0")
		}
		ready <- err
		for work := range p {
			work()
		}
		return nil
	})
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(p); ns.Close() })
	return p, ns
}

func (p place) do(fn func() error) error {
	done := make(chan error, 1)
	p <- func() { done <- fn() }
	return <-done
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

const (
	lanHost      = "192.168.77.1"
	lanNeighbour = "192.168.77.2"
	internet     = "203.0.113.9"
)

func newWorld(t *testing.T, networks ...Network) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed: `make deps` installs it")
	}
	w := &world{T: t, guests: map[string]*guest{}, frames: map[string][][]byte{}, seen: map[string][]string{}}
	var neighbour netns.NsHandle
	w.host, _ = newPlace(t)
	w.lan, neighbour = newPlace(t)
	w.layLAN(neighbour)
	slot := 40 + os.Getpid()%50 // no installation's
	var err error
	w.plane, err = NewPlane(Site{Slot: slot, Public: LoopbackPool(slot)}, t.TempDir(), w.metadata,
		slog.New(slog.NewTextHandler(t.Output(), nil)))
	w.must(err)
	w.plane.host = ledger{file: filepath.Join(t.TempDir(), "forwarding.json"), proc: "/proc/sys"}
	t.Cleanup(func() {
		w.plane.Close()
		if err := w.host.do(func() error { return w.plane.Clear(context.Background()) }); err != nil {
			t.Errorf("Clear: %v", err)
		}
		if on := w.setting("/proc/sys/net/ipv4/ip_forward"); on != "0" {
			t.Errorf("the host forwards after the end: %s", on)
		}
	})
	for _, n := range networks {
		w.must(w.host.do(func() error { return w.plane.Ensure(context.Background(), n) }))
	}
	for _, n := range networks { // the first knew nothing of the second
		w.must(w.host.do(func() error { return w.plane.Ensure(context.Background(), n) }))
	}
	return w
}

// setting is one of the host's.
func (w *world) setting(path string) string {
	w.Helper()
	var b []byte
	w.must(w.host.do(func() (err error) { b, err = os.ReadFile(path); return err }))
	return string(bytes.TrimSpace(b))
}

// metadata answers nothing, but is there.
func (w *world) metadata(_ slipway.VPCID, _ Port, listeners []net.Listener) func() {
	return func() {
		for _, l := range listeners {
			l.Close()
		}
	}
}

// layLAN makes the LAN: the neighbour is the host's way to the internet.
func (w *world) layLAN(neighbour netns.NsHandle) {
	w.Helper()
	address := func(device, ip string) error {
		l, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		return errors.Join(netlink.AddrReplace(l, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix(ip))}), netlink.LinkSetUp(l))
	}
	through := func(device, via string) error {
		l, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{
			LinkIndex: l.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("0.0.0.0/0")), Gw: net.ParseIP(via),
		})
	}
	mac := func(device string, into *net.HardwareAddr) error {
		l, err := netlink.LinkByName(device)
		if err == nil {
			*into = l.Attrs().HardwareAddr
		}
		return err
	}
	w.must(w.host.do(func() error {
		pair := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "lan0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(neighbour)),
		}
		// The settings of a new namespace are those that the machine has by now.
		for _, setting := range []string{"ip_forward", "conf.all.route_localnet", "conf.default.route_localnet"} {
			if err := sysctl("net.ipv4."+setting, "0"); err != nil {
				return err
			}
		}
		return errors.Join(netlink.LinkAdd(pair), address("lo", "127.0.0.1/8"), address("lan0", lanHost+"/24"))
	}))
	w.must(w.lan.do(func() error {
		return errors.Join(address("lo", internet+"/32"), address("eth0", lanNeighbour+"/24"), mac("eth0", &w.link[1]))
	}))
	w.must(w.host.do(func() error { return errors.Join(through("lan0", lanNeighbour), mac("lan0", &w.link[0])) }))
	w.must(w.lan.do(func() (err error) {
		if w.wire, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
			int(htons(unix.ETH_P_ALL))); err != nil {
			return err
		}
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return unix.Bind(w.wire, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: l.Attrs().Index})
	}))
	f := os.NewFile(uintptr(w.wire), "lan")
	w.Cleanup(func() { f.Close() })
	go w.observe("lan", f, 0)
	w.listen("host", "0.0.0.0:5000", "127.0.0.1:4566")
}

// listen has the host's programs wait for datagrams.
func (w *world) listen(observer string, addresses ...string) {
	w.Helper()
	for _, a := range addresses {
		var c net.PacketConn
		w.must(w.host.do(func() (err error) { c, err = net.ListenPacket("udp4", a); return err }))
		w.Cleanup(func() { c.Close() })
		go func() {
			buf := make([]byte, 2048)
			for {
				n, _, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				w.note(observer, buf[:n])
			}
		}()
	}
}

// vnetHeader stands before each frame of a tap.
const vnetHeader = 10

// plug opens a guest's tap.
func (w *world) plug(name string, n Network, p Port) *guest {
	w.Helper()
	g := &guest{name: name, vpc: n.VPC, port: p}
	var err error
	g.tap, err = w.plane.OpenTap(n.VPC, p.Interface)
	w.must(err)
	w.Cleanup(func() { g.tap.Close() })
	w.must(inside(w.plane.site.namespace(n.VPC), func() error {
		l, err := netlink.LinkByName(tap(p.Interface))
		if err == nil {
			g.router = l.Attrs().HardwareAddr
		}
		return err
	}))
	w.guests[name] = g
	go w.observe(name, g.tap, vnetHeader)
	return g
}

var marker = regexp.MustCompile(`flow-\d{4}`)

func (w *world) observe(name string, f *os.File, skip int) {
	buf := make([]byte, 1<<16)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		if n > skip {
			w.note(name, slices.Clone(buf[skip:n]))
		}
	}
}

func (w *world) note(name string, frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := marker.Find(frame); m != nil && !refusal(frame) {
		if name != "lan" || !bytes.Equal(frame[6:12], w.link[1]) { // what the neighbour itself sends comes by its socket again
			w.seen[string(m)] = append(w.seen[string(m)], name)
		}
	}
	w.frames[name] = append(w.frames[name], frame)
}

// refusal says whether a frame is an ICMP error, which quotes what it refuses.
func refusal(frame []byte) bool {
	if len(frame) < 55 {
		return false
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherIPv4:
		return frame[23] == 1 && slices.Contains([]byte{3, 4, 5, 11}, frame[34])
	case etherIPv6:
		return frame[20] == 58 && frame[54] < 128
	}
	return false
}

// arrived are the observers that saw a marker.
func (w *world) arrived(marker string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen[marker])
}

// has says whether an observer has a frame like this.
func (w *world) has(observer string, like func(frame []byte) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.frames[observer], like)
}

func (w *world) eventually(what string, ok func() bool) {
	w.Helper()
	await.Success(w.T, 5*time.Second, func() error {
		if !ok() {
			return fmt.Errorf("%s: not seen", what)
		}
		return nil
	})
}

// send puts a frame on a guest's wire.
func (g *guest) send(frame []byte) error {
	_, err := g.tap.Write(append(make([]byte, vnetHeader), frame...))
	return err
}

func (w *world) sendLAN(frame []byte) error {
	_, err := unix.Write(w.wire, frame)
	return err
}
