package agent

import (
	"context"
	"net"
	"os"

	"slipway"
	"slipway/internal/dataplane"
	"slipway/internal/imds"
)

// Plane joins the data plane and the metadata service: the Wires of a host with real networks.
type Plane struct {
	*dataplane.Plane
	Metadata *imds.Server
}

// Publish says what the metadata service answers to the instance.
func (p Plane) Publish(_ slipway.VPCID, in imds.Instance) { p.Metadata.Publish(in) }

// Withdraw says that it answers nothing.
func (p Plane) Withdraw(_ slipway.VPCID, id slipway.InstanceID) { p.Metadata.Withdraw(id) }

// ServeMetadata is what a dataplane.Plane calls for each port.
func ServeMetadata(s *imds.Server) func(slipway.VPCID, dataplane.Port, []net.Listener) func() {
	return func(_ slipway.VPCID, p dataplane.Port, l []net.Listener) func() { return s.Serve(p.Instance, l) }
}

// NoWires are those of simulated hosts, whose machines have no network. Every guest counts as reachable.
type NoWires struct{}

// Ensure does nothing.
func (NoWires) Ensure(context.Context, dataplane.Network) error { return nil }

// Remove does nothing.
func (NoWires) Remove(context.Context, slipway.VPCID) error { return nil }

// Networks are none.
func (NoWires) Networks() ([]slipway.VPCID, error) { return nil, nil }

// OpenTap opens nothing that anybody reads.
func (NoWires) OpenTap(slipway.VPCID, slipway.InterfaceID) (*os.File, error) {
	return os.Open(os.DevNull)
}

// Reachable is always so.
func (NoWires) Reachable(context.Context, slipway.VPCID, slipway.InterfaceID) bool { return true }

// Publish does nothing.
func (NoWires) Publish(slipway.VPCID, imds.Instance) {}

// Withdraw does nothing.
func (NoWires) Withdraw(slipway.VPCID, slipway.InstanceID) {}
