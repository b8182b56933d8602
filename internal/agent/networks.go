package agent

import (
	"context"
	"sync"

	"slipway"
	"slipway/internal/dataplane"
)

// networks remembers what was last applied of each VPC, so that twenty instances that come up together cost few changes.
type networks struct {
	mu sync.Mutex
	of map[slipway.VPCID]*network
}

type network struct {
	mu    sync.Mutex
	ports map[slipway.InterfaceID]bool
}

func (n *networks) get(id slipway.VPCID) *network {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of[id] == nil {
		n.of[id] = &network{ports: map[slipway.InterfaceID]bool{}}
	}
	return n.of[id]
}

// ensure makes sure that the ports exist; what else has changed in the VPC comes with its own notice.
func (n *networks) ensure(ctx context.Context, a *Agent, vpc slipway.VPCID, ports []dataplane.Port) error {
	net := n.get(vpc)
	net.mu.Lock()
	defer net.mu.Unlock()
	for _, p := range ports {
		if !net.ports[p.Interface] {
			return net.apply(ctx, a, vpc)
		}
	}
	return nil
}

func (n *network) apply(ctx context.Context, a *Agent, vpc slipway.VPCID) error {
	want, found, err := a.api.Network(ctx, a.host.ID, vpc)
	if err != nil {
		return err
	}
	clear(n.ports)
	if !found {
		return a.wires.Remove(ctx, vpc)
	}
	if err := a.wires.Ensure(ctx, want); err != nil {
		return err
	}
	for _, p := range want.Ports {
		n.ports[p.Interface] = true
	}
	return nil
}

func (a *Agent) network(ctx context.Context, id slipway.VPCID) error {
	net := a.networks.get(id)
	net.mu.Lock()
	defer net.mu.Unlock()
	return net.apply(ctx, a, id)
}
