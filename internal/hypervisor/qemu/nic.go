package qemu

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway"
	"slipway/internal/hypervisor"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

// AttachNIC plugs a network card in.
func (d *Driver) AttachNIC(ctx context.Context, id slipway.InstanceID, n hypervisor.NIC) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.Leave()
	if err := d.attachNIC(ctx, m, mon, n); err != nil {
		return fmt.Errorf("attach %s to %s: %w", n.Interface, id, err)
	}
	return nil
}

func (d *Driver) attachNIC(ctx context.Context, m *machine, mon *qmp.Monitor, n hypervisor.NIC) error {
	if there, err := qmp.HasDevice(ctx, mon, qemuargs.NICID(n.Interface)); there || err != nil {
		return err
	}
	dropNIC(ctx, mon, n.Interface) // an earlier try may have come half-way
	tap, err := n.OpenTap()
	if err != nil {
		return fmt.Errorf("tap: %w", err)
	}
	defer tap.Close()
	slot, err := m.reserve(qemuargs.NICID(n.Interface))
	if err != nil {
		return err
	}
	name := qemuargs.NetdevName(n.Interface)
	err = mon.RunWithFile(ctx, "getfd", map[string]any{"fdname": name}, tap, nil)
	if err == nil {
		err = mon.Run(ctx, "netdev_add", map[string]any{"type": "tap", "id": name, "fd": name}, nil)
	}
	if err == nil {
		err = mon.Run(ctx, "device_add", qemuargs.NICDevice(n, slot), nil)
	}
	if err != nil {
		dropNIC(context.WithoutCancel(ctx), mon, n.Interface)
		return errors.Join(err, m.release(qemuargs.NICID(n.Interface)))
	}
	return m.update(func(r *record) { r.NICs = add(r.NICs, n.Interface) })
}

// dropNIC closes the tap behind a card. It answers an error when there is none, which is what it is for.
func dropNIC(ctx context.Context, mon *qmp.Monitor, eni slipway.InterfaceID) {
	mon.Run(ctx, "netdev_del", map[string]any{"id": qemuargs.NetdevName(eni)}, nil)
	mon.Run(ctx, "closefd", map[string]any{"fdname": qemuargs.NetdevName(eni)}, nil)
}

// DetachNIC unplugs a network card.
func (d *Driver) DetachNIC(ctx context.Context, id slipway.InstanceID, eni slipway.InterfaceID) error {
	m, mon, err := d.live(ctx, id)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.op.Leave()
	m.mu.Lock()
	known := slices.Contains(m.rec.NICs, eni)
	m.mu.Unlock()
	if err := unplug(ctx, mon, qemuargs.NICID(eni)); err != nil {
		return fmt.Errorf("detach %s from %s: %w", eni, id, err)
	}
	if !known {
		return nil
	}
	dropNIC(ctx, mon, eni)
	return m.update(func(r *record) {
		delete(r.Slots, qemuargs.NICID(eni))
		r.NICs = without(r.NICs, eni)
	})
}
