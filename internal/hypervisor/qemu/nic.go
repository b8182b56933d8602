package qemu

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway"
	"slipway/internal/hypervisor"
)

// AttachNIC plugs a network card in.
func (d *Driver) AttachNIC(ctx context.Context, id slipway.InstanceID, n hypervisor.NIC) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.leave()
	if err := d.attachNIC(ctx, m, mon, n); err != nil {
		return fmt.Errorf("attach %s to %s: %w", n.Interface, id, err)
	}
	return nil
}

func (d *Driver) attachNIC(ctx context.Context, m *machine, mon *monitor, n hypervisor.NIC) error {
	if there, err := has(ctx, mon, nicID(n.Interface)); there || err != nil {
		return err
	}
	dropNIC(ctx, mon, n.Interface) // an earlier try may have come half-way
	tap, err := n.OpenTap()
	if err != nil {
		return fmt.Errorf("tap: %w", err)
	}
	defer tap.Close()
	slot, err := m.reserve(nicID(n.Interface))
	if err != nil {
		return err
	}
	name := netdevName(n.Interface)
	err = mon.runWithFile(ctx, "getfd", map[string]any{"fdname": name}, tap, nil)
	if err == nil {
		err = mon.run(ctx, "netdev_add", map[string]any{"type": "tap", "id": name, "fd": name}, nil)
	}
	if err == nil {
		err = mon.run(ctx, "device_add", nicDevice(n, slot), nil)
	}
	if err != nil {
		dropNIC(context.WithoutCancel(ctx), mon, n.Interface)
		return errors.Join(err, m.release(nicID(n.Interface)))
	}
	return m.update(func(r *record) { r.NICs = add(r.NICs, n.Interface) })
}

// dropNIC closes the tap behind a card. It answers an error when there is none, which is what it is for.
func dropNIC(ctx context.Context, mon *monitor, eni slipway.InterfaceID) {
	mon.run(ctx, "netdev_del", map[string]any{"id": netdevName(eni)}, nil)
	mon.run(ctx, "closefd", map[string]any{"fdname": netdevName(eni)}, nil)
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
	defer m.op.leave()
	m.mu.Lock()
	known := slices.Contains(m.rec.NICs, eni)
	m.mu.Unlock()
	if err := unplug(ctx, mon, nicID(eni)); err != nil {
		return fmt.Errorf("detach %s from %s: %w", eni, id, err)
	}
	if !known {
		return nil
	}
	dropNIC(ctx, mon, eni)
	return m.update(func(r *record) {
		delete(r.Slots, nicID(eni))
		r.NICs = without(r.NICs, eni)
	})
}
