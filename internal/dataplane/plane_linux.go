package dataplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"slipway"
	"slipway/internal/durable"
)

// Plane is the data plane of one host.
type Plane struct {
	site Site
	host ledger // of the host's settings
	dir  string // remembers which VPC has which link
	log  *slog.Logger
	// serve is given each port's metadata listeners; what it returns ends the service.
	serve func(vpc slipway.VPCID, p Port, listeners []net.Listener) (stop func())

	// peering is held while networks with peers are changed: one may write the other's routes.
	peering sync.Mutex

	mu    sync.Mutex
	links map[slipway.VPCID]int
	nets  map[slipway.VPCID]*running
}

// running is a VPC that has been made real.
type running struct {
	mu       sync.Mutex
	network  Network
	wanted   Wanted
	services map[slipway.InterfaceID]*service
	resolver *resolver
}

// NewPlane makes a data plane. dir survives restarts; serve answers metadata requests.
func NewPlane(site Site, dir string, serve func(slipway.VPCID, Port, []net.Listener) func(), log *slog.Logger) (*Plane, error) {
	p := &Plane{
		site: site, host: theHosts(), dir: dir, log: log, serve: serve, links: map[slipway.VPCID]int{},
		nets: map[slipway.VPCID]*running{},
	}
	b, err := os.ReadFile(p.linksFile())
	if err == nil {
		err = json.Unmarshal(b, &p.links)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", p.linksFile(), err)
	}
	return p, nil
}

func (p *Plane) linksFile() string { return filepath.Join(p.dir, "links.json") }

// link is the VPC's index among this host's, kept over restarts because running guests' connections depend on it.
func (p *Plane) link(id slipway.VPCID) (int, error) {
	if i, ok := p.links[id]; ok {
		return i, nil
	}
	used := slices.Collect(maps.Values(p.links))
	i := 0
	for slices.Contains(used, i) {
		i++
	}
	if i >= 1024 {
		return 0, fmt.Errorf("this host has 1024 VPCs, and room for no more")
	}
	p.links[id] = i
	return i, p.saveLinks()
}

func (p *Plane) saveLinks() error {
	b, err := json.Marshal(p.links)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	return durable.Replace(p.linksFile(), b, 0o600)
}

func (p *Plane) get(id slipway.VPCID) (*running, int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, err := p.link(id)
	if err != nil {
		return nil, 0, err
	}
	if p.nets[id] == nil {
		p.nets[id] = &running{services: map[slipway.InterfaceID]*service{}}
	}
	return p.nets[id], i, nil
}

// Ensure makes the kernel match the network, and serves addresses, names and metadata in it.
func (p *Plane) Ensure(ctx context.Context, n Network) error {
	r, index, err := p.get(n.VPC)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w := Plan(p.site, index, n)
	if err := p.apply(ctx, r, n, w); err != nil {
		return err
	}
	p.mu.Lock()
	exposed := map[netip.Addr]netip.Addr{}
	for _, other := range p.nets {
		maps.Copy(exposed, other.wanted.Exposed)
	}
	err = applyHost(ctx, p.host, p.site, exposed)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return p.services(ctx, r, n, w)
}

// apply makes the kernel match, and the route tables of peers to which the way has been made with it.
func (p *Plane) apply(ctx context.Context, r *running, n Network, w Wanted) error {
	if len(w.Peers)+len(r.wanted.Peers) > 0 {
		p.peering.Lock()
		defer p.peering.Unlock()
	}
	joined, err := apply(ctx, w)
	p.mu.Lock()
	r.network, r.wanted = n, w
	var others []Wanted
	for _, other := range p.nets {
		if slices.Contains(joined, other.wanted.Namespace) {
			others = append(others, other.wanted)
		}
	}
	p.mu.Unlock()
	for _, other := range others {
		err = errors.Join(err, inside(other.Namespace, func() error { return applyRules(other) }))
	}
	return err
}

// services starts and stops what answers guests, port by port.
func (p *Plane) services(ctx context.Context, r *running, n Network, w Wanted) error {
	ctx = context.WithoutCancel(ctx)
	if r.resolver == nil {
		made, err := newResolver(ctx, w.Namespace, w.Local, p.log)
		if err != nil {
			return fmt.Errorf("resolver of %s: %w", n.VPC, err)
		}
		r.resolver = made
	}
	r.resolver.set(n)
	wanted := map[slipway.InterfaceID]bool{}
	for _, port := range n.Ports {
		wanted[port.Interface] = true
		if s := r.services[port.Interface]; s != nil {
			s.set(port, n)
			continue
		}
		s, err := p.start(ctx, w.Namespace, port, n)
		if err != nil {
			return fmt.Errorf("services of %s: %w", port.Interface, err)
		}
		r.services[port.Interface] = s
	}
	for id, s := range r.services {
		if !wanted[id] {
			s.stop()
			delete(r.services, id)
		}
	}
	return nil
}

// Remove takes away all of a network.
func (p *Plane) Remove(ctx context.Context, id slipway.VPCID) error {
	p.mu.Lock()
	r := p.nets[id]
	delete(p.nets, id)
	exposed := map[netip.Addr]netip.Addr{}
	for _, other := range p.nets {
		maps.Copy(exposed, other.wanted.Exposed)
	}
	had := namespaceExists(p.site.namespace(id))
	delete(p.links, id)
	err := p.saveLinks()
	if had {
		err = errors.Join(err, applyHost(ctx, p.host, p.site, exposed))
	}
	p.mu.Unlock()
	if r != nil {
		r.mu.Lock()
		for _, s := range r.services {
			s.stop()
		}
		if r.resolver != nil {
			r.resolver.stop()
		}
		r.mu.Unlock()
	}
	return errors.Join(err, removeUplink(p.site.uplink(id)), removeNamespace(p.site.namespace(id)))
}

// Networks are those that exist on this host, of this site.
func (p *Plane) Networks() ([]slipway.VPCID, error) {
	names, err := namespaces(p.site.prefix())
	out := make([]slipway.VPCID, len(names))
	for i, n := range names {
		out[i] = slipway.VPCID(strings.TrimPrefix(n, p.site.prefix()))
	}
	return out, err
}

// OpenTap opens an interface's device.
func (p *Plane) OpenTap(vpc slipway.VPCID, eni slipway.InterfaceID) (*os.File, error) {
	return openTap(p.site.namespace(vpc), tap(eni))
}

// Close stops what answers guests. Networks and guests stay: connections run on.
func (p *Plane) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.nets {
		for _, s := range r.services {
			s.stop()
		}
		if r.resolver != nil {
			r.resolver.stop()
		}
	}
}

// Clear removes everything of this site from the host.
func (p *Plane) Clear(ctx context.Context) error {
	ids, err := p.Networks()
	for _, id := range ids {
		err = errors.Join(err, p.Remove(ctx, id))
	}
	return errors.Join(err, removeHost(ctx, p.host, p.site))
}
