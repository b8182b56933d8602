package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"slipway"
	"slipway/internal/dataplane"
	"slipway/internal/hostapi"
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
	if id, err := a.strangerIn(ctx, vpc, want.Ports); err != nil {
		return err
	} else if id != "" {
		return fmt.Errorf("the network of %s stays as it is: there is no record of its machine %s", vpc, id)
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

// strangerIn is a machine in the VPC that runs, has none of the ports, and of which the server has no record.
func (a *Agent) strangerIn(ctx context.Context, vpc slipway.VPCID, ports []dataplane.Port) (slipway.InstanceID, error) {
	machines, err := a.vmm.Running(ctx)
	if err != nil {
		return "", fmt.Errorf("list machines: %w", err)
	}
	for _, m := range machines {
		if slices.ContainsFunc(ports, func(p dataplane.Port) bool { return p.Instance == m.ID }) {
			continue
		}
		rec, known, err := a.record.Get(m.ID)
		if err != nil {
			return "", err
		}
		if !known || rec.VPC != vpc {
			continue
		}
		if _, _, err := a.api.Instance(ctx, a.host.ID, m.ID); errors.Is(err, hostapi.ErrUnknown) {
			return m.ID, nil
		}
	}
	return "", nil
}

func (a *Agent) network(ctx context.Context, id slipway.VPCID) error {
	net := a.networks.get(id)
	net.mu.Lock()
	defer net.mu.Unlock()
	return net.apply(ctx, a, id)
}
