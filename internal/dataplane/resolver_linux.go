package dataplane

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/netutil"

	"slipway/internal/guard"
)

// resolver answers names in one VPC: its own from the network, all others by the host's resolvers.
type resolver struct {
	zone  atomic.Pointer[zone]
	log   *slog.Logger
	end   context.CancelFunc
	close []io.Closer

	mu    sync.Mutex
	asked map[netip.Addr]int // questions of each guest that wait for the host's resolvers
	all   int
}

// How many questions may wait for the host's resolvers, each of which takes a descriptor for some seconds.
const (
	maxAsked    = 32  // of one guest
	maxAskedAll = 256 // of a VPC
	maxDNSConns = 256 // connections by TCP; the filter counts those of each guest
)

type zone struct {
	enabled bool
	names   map[string][]netip.Addr
	reverse map[string]string
}

// nameTTL is short: addresses move between instances.
const nameTTL = 60

func newResolver(ctx context.Context, namespace string, local []netip.Addr, log *slog.Logger) (*resolver, error) {
	r := &resolver{log: log, asked: map[netip.Addr]int{}}
	running, end := context.WithCancel(context.Background())
	r.end = end
	r.zone.Store(&zone{})
	for _, ip := range local {
		if ip == metadataIP || ip == metadataIP6 || ip.As16()[15] == 1 && ip.Is4() && !ip.IsLinkLocalUnicast() {
			continue // the metadata service's, and the subnets' routers
		}
		where := net.JoinHostPort(ip.String(), "53")
		pc, err := listenPacket(ctx, namespace, "", "udp", where)
		if err != nil {
			r.stop()
			return nil, err
		}
		r.close = append(r.close, pc)
		l, err := listen(ctx, namespace, "", "tcp", where)
		if err != nil {
			r.stop()
			return nil, err
		}
		l = netutil.LimitListener(l, maxDNSConns)
		r.close = append(r.close, l)
		for network, server := range map[string]func() *dns.Server{
			"udp": func() *dns.Server { return &dns.Server{PacketConn: pc, Handler: r} },
			"tcp": func() *dns.Server { return &dns.Server{Listener: l, Handler: r, IdleTimeout: dnsIdle} },
		} {
			what := "DNS at " + where + " by " + network
			guard.Go(log, what, func() {
				guard.Loop(running, log, what, func(context.Context) error { return server().ActivateAndServe() })
			})
		}
	}
	return r, nil
}

// dnsIdle is how long a connection may say nothing.
func dnsIdle() time.Duration { return 4 * time.Second }

func (r *resolver) stop() {
	r.end()
	for _, c := range r.close {
		c.Close()
	}
}

func (r *resolver) set(n Network) {
	z := &zone{enabled: n.DNS.Enabled, names: n.DNS.Names, reverse: map[string]string{}}
	for name, addrs := range n.DNS.Names {
		for _, ip := range addrs {
			if rev, err := dns.ReverseAddr(ip.String()); err == nil &&
				(z.reverse[rev] == "" || strings.HasPrefix(name, "ip-")) {
				z.reverse[rev] = name
			}
		}
	}
	r.zone.Store(z)
}

// ServeDNS answers one question; one that makes it panic goes unanswered.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	guard.Do(r.log, "DNS", func() { r.serve(w, q) })
}

func (r *resolver) serve(w dns.ResponseWriter, q *dns.Msg) {
	z := r.zone.Load()
	reply := new(dns.Msg)
	reply.SetReply(q)
	reply.RecursionAvailable = true
	switch {
	case !z.enabled:
		reply.Rcode = dns.RcodeRefused
	case len(q.Question) != 1:
		reply.Rcode = dns.RcodeFormatError
	case !z.own(q.Question[0], reply):
		reply.Rcode = dns.RcodeServerFailure
		who := guestOf(w.RemoteAddr())
		if !r.begin(who) {
			break
		}
		defer r.done(who)
		if answer := r.forward(q, w.RemoteAddr().Network()); answer != nil {
			reply = answer
		}
	}
	if q.IsEdns0() == nil {
		reply.Extra = nil // who did not say that it reads more gets no more
	}
	if err := w.WriteMsg(reply); err != nil {
		r.log.Debug("dns answer not sent", "error", err)
	}
}

func guestOf(a net.Addr) netip.Addr {
	from, _ := netip.ParseAddrPort(a.String())
	return from.Addr().Unmap()
}

// begin says whether a guest may have one more question wait.
func (r *resolver) begin(who netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked[who] >= maxAsked || r.all >= maxAskedAll {
		return false
	}
	r.asked[who]++
	r.all++
	return true
}

func (r *resolver) done(who netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.asked[who]--; r.asked[who] == 0 {
		delete(r.asked, who)
	}
}

// own answers from the VPC's names; false when the name is none of them.
func (z *zone) own(q dns.Question, reply *dns.Msg) bool {
	name := strings.ToLower(q.Name)
	head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: nameTTL}
	if target, ok := z.reverse[name]; ok {
		if q.Qtype == dns.TypePTR {
			reply.Answer = append(reply.Answer, &dns.PTR{Hdr: head, Ptr: target})
		}
		return true
	}
	addrs, ok := z.names[name]
	for _, ip := range addrs {
		switch {
		case ip.Is4() && q.Qtype == dns.TypeA:
			reply.Answer = append(reply.Answer, &dns.A{Hdr: head, A: ip.AsSlice()})
		case ip.Is6() && q.Qtype == dns.TypeAAAA:
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: head, AAAA: ip.AsSlice()})
		}
	}
	if public, is := publicName(name); is && !ok {
		answerPublic(public, q, head, reply)
		return true
	}
	if !ok && (strings.HasSuffix(name, ".compute.internal.") || strings.HasSuffix(name, ".ec2.internal.")) {
		reply.Rcode = dns.RcodeNameError
		return true
	}
	return ok
}

var publicForm = regexp.MustCompile(
	`^ec2-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(?:compute-1|[a-z0-9-]+\.compute)\.amazonaws\.com\.$`)

// publicName is the public address that EC2's name for it holds.
func publicName(name string) (netip.Addr, bool) {
	m := publicForm.FindStringSubmatch(name)
	if m == nil {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(strings.Join(m[1:], "."))
	return ip, err == nil
}

// answerPublic answers for an instance of another network: it is the public address. One of the host's loopback range would
// be the guest itself: that is refused, and says why to who asks (RFC 8914).
func answerPublic(ip netip.Addr, q dns.Question, head dns.RR_Header, reply *dns.Msg) {
	if ip.IsLoopback() {
		reply.Rcode = dns.RcodeRefused
		reply.SetEdns0(1232, false)
		opt := reply.IsEdns0()
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{
			InfoCode: dns.ExtendedErrorCodeProhibited,
			ExtraText: "public addresses of this installation are of the host's loopback, where a guest finds itself: " +
				"dial the private address, or give slipway a --public-range",
		})
		return
	}
	if q.Qtype == dns.TypeA {
		reply.Answer = append(reply.Answer, &dns.A{Hdr: head, A: ip.AsSlice()})
	}
}

// forward asks the host's resolvers, from the host's own network.
func (r *resolver) forward(q *dns.Msg, network string) *dns.Msg {
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	c := &dns.Client{Net: strings.TrimSuffix(network, "4"), Timeout: 2 * time.Second}
	for _, server := range conf.Servers {
		answer, _, err := c.Exchange(q, net.JoinHostPort(server, conf.Port))
		if err == nil {
			return answer
		}
		r.log.Debug("name not resolved", "server", server, "error", errors.Unwrap(err))
	}
	return nil
}
