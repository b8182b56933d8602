package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// resolver answers names in one VPC: its own from the network, all others by the host's resolvers.
type resolver struct {
	zone    atomic.Pointer[zone]
	servers []*dns.Server
	log     *slog.Logger
}

type zone struct {
	enabled bool
	names   map[string][]netip.Addr
	reverse map[string]string
}

// nameTTL is short: addresses move between instances.
const nameTTL = 60

func newResolver(ctx context.Context, namespace string, local []netip.Addr, log *slog.Logger) (*resolver, error) {
	r := &resolver{log: log}
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
		l, err := listen(ctx, namespace, "", "tcp", where)
		if err != nil {
			pc.Close()
			r.stop()
			return nil, err
		}
		for _, s := range []*dns.Server{{PacketConn: pc, Handler: r}, {Listener: l, Handler: r}} {
			r.servers = append(r.servers, s)
			go s.ActivateAndServe()
		}
	}
	return r, nil
}

func (r *resolver) stop() {
	for _, s := range r.servers {
		s.Shutdown()
	}
}

func (r *resolver) set(n Network) {
	z := &zone{enabled: n.DNS.Enabled, names: n.DNS.Names, reverse: map[string]string{}}
	for name, addrs := range n.DNS.Names {
		for _, ip := range addrs {
			if rev, err := dns.ReverseAddr(ip.String()); err == nil && (z.reverse[rev] == "" || strings.HasPrefix(name, "ip-")) {
				z.reverse[rev] = name
			}
		}
	}
	r.zone.Store(z)
}

// ServeDNS answers one question.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
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
		if answer := r.forward(q, w.RemoteAddr().Network()); answer != nil {
			reply = answer
		} else {
			reply.Rcode = dns.RcodeServerFailure
		}
	}
	if err := w.WriteMsg(reply); err != nil {
		r.log.Debug("dns answer not sent", "error", err)
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
	if !ok && (strings.HasSuffix(name, ".compute.internal.") || strings.HasSuffix(name, ".ec2.internal.")) {
		reply.Rcode = dns.RcodeNameError
		return true
	}
	return ok
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
