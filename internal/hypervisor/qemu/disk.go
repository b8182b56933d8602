package qemu

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway"
	"slipway/internal/hypervisor"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

// unplugLimit is how long a guest may take to let go of a device. One that is busy booting does not answer at all.
const unplugLimit = 30 * time.Second

// AttachDisk plugs a disk in.
func (d *Driver) AttachDisk(ctx context.Context, id slipway.InstanceID, disk hypervisor.Disk) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.Leave()
	if err := d.attachDisk(ctx, m, mon, disk); err != nil {
		return fmt.Errorf("attach %s to %s: %w", disk.Volume, id, err)
	}
	return nil
}

func (d *Driver) attachDisk(ctx context.Context, m *machine, mon *qmp.Monitor, disk hypervisor.Disk) error {
	if there, err := qmp.HasDevice(ctx, mon, qemuargs.DiskID(disk.Volume)); there || err != nil {
		return err
	}
	m.mu.Lock()
	uid := m.rec.UID
	m.mu.Unlock()
	chain, err := giveDisk(disk.Path, uid)
	if err != nil {
		return err
	}
	for _, f := range layers(chain) {
		if err := m.show(f); err != nil {
			return err
		}
	}
	if err := m.allow(fileLimit(chain)); err != nil {
		return err
	}
	// An earlier try may have come half-way.
	if err := dropDisk(ctx, mon, disk.Volume); err != nil {
		return err
	}
	for _, key := range qemuargs.Secrets(disk, chain) {
		if err := mon.Run(ctx, "object-add", map[string]any{"qom-type": "secret", "id": key.Name,
			"data": base64.StdEncoding.EncodeToString(key.Value), "format": "base64"}, nil); err != nil {
			return err
		}
	}
	slot, err := m.reserve(qemuargs.DiskID(disk.Volume))
	if err != nil {
		return err
	}
	err = mon.Run(ctx, "object-add", qemuargs.ThrottleGroup(disk), nil)
	if err == nil {
		err = mon.Run(ctx, "blockdev-add", qemuargs.DiskNode(disk, chain), nil)
	}
	if err == nil {
		err = mon.Run(ctx, "device_add", qemuargs.DiskDevice(disk.Volume, slot), nil)
	}
	if err != nil {
		undo := dropDisk(context.WithoutCancel(ctx), mon, disk.Volume)
		return errors.Join(err, undo, m.release(qemuargs.DiskID(disk.Volume)))
	}
	return m.update(func(r *record) {
		r.Disks = add(r.Disks, disk.Volume)
		r.file(disk.Volume, disk.Path)
	})
}

func (m *machine) reserve(device string) (slot int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rec.place(device); err != nil {
		return 0, err
	}
	return m.rec.Slots[device], m.rec.write(m.dir)
}

func (m *machine) release(device string) error {
	return m.update(func(r *record) { delete(r.Slots, device) })
}

func add[T comparable](list []T, more ...T) []T {
	for _, v := range more {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func without[T comparable](list []T, v T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(o T) bool { return o == v })
}

// dropDisk removes what stands behind a disk, as far as it is there.
func dropDisk(ctx context.Context, mon *qmp.Monitor, v slipway.VolumeID) error {
	nodes, err := qmp.BlockNodes(ctx, mon)
	if err != nil {
		return err
	}
	if qmp.HasNode(nodes, qemuargs.TopNode(v)) {
		if err := mon.Run(ctx, "blockdev-del", map[string]any{"node-name": qemuargs.TopNode(v)}, nil); err != nil {
			return err
		}
	}
	names, err := qmp.Objects(ctx, mon, "/objects")
	if err != nil {
		return err
	}
	for _, name := range []string{qemuargs.ThrottleName(v), qemuargs.SecretName(v), qemuargs.BaseSecret(v)} {
		if slices.Contains(names, name) {
			if err := mon.Run(ctx, "object-del", map[string]any{"id": name}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// unplug asks the guest to let go of a device and waits until it has.
func unplug(ctx context.Context, mon *qmp.Monitor, device string) error {
	ctx, cancel := context.WithTimeout(ctx, unplugLimit)
	defer cancel()
	var asked time.Time
	err := mon.Await(ctx, func() (bool, error) {
		there, err := qmp.HasDevice(ctx, mon, device)
		if !there || err != nil {
			return !there, err
		}
		// A guest that is still booting loses the request, so it is repeated; QEMU refuses one while another is pending.
		if time.Since(asked) > 5*time.Second {
			asked = time.Now()
			var refusal *qmp.Error
			if err := mon.Run(ctx, "device_del", map[string]any{"id": device}, nil); err != nil && !errors.As(err, &refusal) {
				return false, err
			}
		}
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the guest has not let go of it within %v", unplugLimit)
	}
	return err
}

// DetachDisk unplugs a disk.
func (d *Driver) DetachDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID) error {
	m, mon, err := d.live(ctx, id)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.op.Leave()
	if err := unplug(ctx, mon, qemuargs.DiskID(v)); err != nil {
		return fmt.Errorf("detach %s from %s: %w", v, id, err)
	}
	err = dropDisk(ctx, mon, v)
	if file := m.fileOf(v); err == nil && file != "" {
		err = m.hide(file) // what the guest has let go of, QEMU must not find again
	}
	if err != nil {
		return fmt.Errorf("detach %s from %s: %w", v, id, err)
	}
	return m.update(func(r *record) {
		delete(r.Slots, qemuargs.DiskID(v))
		delete(r.Files, v)
		r.Disks = without(r.Disks, v)
	})
}

// LimitDisk changes a disk's throttle.
func (d *Driver) LimitDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, l hypervisor.Limits) error {
	return d.simple(ctx, id, "qom-set",
		map[string]any{"path": "/objects/" + qemuargs.ThrottleName(v), "property": "limits", "value": qemuargs.Limits(l)})
}

// GrowDisk makes a running disk larger.
func (d *Driver) GrowDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, sizeGiB int) error {
	if err := d.machine(id).allow(roomOf(int64(sizeGiB) << 30)); err != nil {
		return err
	}
	return d.simple(ctx, id, "block_resize", map[string]any{"node-name": qemuargs.TopNode(v), "size": int64(sizeGiB) << 30})
}
