package qemu

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/hypervisor"
)

// unplugLimit is how long a guest may take to let go of a device. One that is busy booting does not answer at all.
const unplugLimit = 30 * time.Second

// devices lists what is plugged into the machine.
func devices(ctx context.Context, mon *monitor) ([]string, error) {
	return objects(ctx, mon, "/machine/peripheral")
}

func objects(ctx context.Context, mon *monitor, path string) ([]string, error) {
	var list []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := mon.run(ctx, "qom-list", map[string]any{"path": path}, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, o := range list {
		if strings.HasPrefix(o.Type, "child<") {
			names = append(names, o.Name)
		}
	}
	return names, nil
}

func has(ctx context.Context, mon *monitor, device string) (bool, error) {
	list, err := devices(ctx, mon)
	return slices.Contains(list, device), err
}

// AttachDisk plugs a disk in.
func (d *Driver) AttachDisk(ctx context.Context, id slipway.InstanceID, disk hypervisor.Disk) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.leave()
	if err := d.attachDisk(ctx, m, mon, disk); err != nil {
		return fmt.Errorf("attach %s to %s: %w", disk.Volume, id, err)
	}
	return nil
}

func (d *Driver) attachDisk(ctx context.Context, m *machine, mon *monitor, disk hypervisor.Disk) error {
	if there, err := has(ctx, mon, diskID(disk.Volume)); there || err != nil {
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
	for _, key := range secrets(disk, chain) {
		if err := mon.run(ctx, "object-add", map[string]any{"qom-type": "secret", "id": key.name,
			"data": base64.StdEncoding.EncodeToString(key.value), "format": "base64"}, nil); err != nil {
			return err
		}
	}
	slot, err := m.reserve(diskID(disk.Volume))
	if err != nil {
		return err
	}
	err = mon.run(ctx, "object-add", throttleGroup(disk), nil)
	if err == nil {
		err = mon.run(ctx, "blockdev-add", diskNode(disk, chain), nil)
	}
	if err == nil {
		err = mon.run(ctx, "device_add", diskDevice(disk.Volume, slot), nil)
	}
	if err != nil {
		undo := dropDisk(context.WithoutCancel(ctx), mon, disk.Volume)
		return errors.Join(err, undo, m.release(diskID(disk.Volume)))
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
func dropDisk(ctx context.Context, mon *monitor, v slipway.VolumeID) error {
	nodes, err := blockNodes(ctx, mon)
	if err != nil {
		return err
	}
	if hasNode(nodes, topNode(v)) {
		if err := mon.run(ctx, "blockdev-del", map[string]any{"node-name": topNode(v)}, nil); err != nil {
			return err
		}
	}
	names, err := objects(ctx, mon, "/objects")
	if err != nil {
		return err
	}
	for _, name := range []string{throttleName(v), secretName(v), baseSecret(v)} {
		if slices.Contains(names, name) {
			if err := mon.run(ctx, "object-del", map[string]any{"id": name}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// unplug asks the guest to let go of a device and waits until it has.
func unplug(ctx context.Context, mon *monitor, device string) error {
	ctx, cancel := context.WithTimeout(ctx, unplugLimit)
	defer cancel()
	var asked time.Time
	err := mon.await(ctx, func() (bool, error) {
		there, err := has(ctx, mon, device)
		if !there || err != nil {
			return !there, err
		}
		// A guest that is still booting loses the request, so it is repeated; QEMU refuses one while another is pending.
		if time.Since(asked) > 5*time.Second {
			asked = time.Now()
			var refusal *qmpError
			if err := mon.run(ctx, "device_del", map[string]any{"id": device}, nil); err != nil && !errors.As(err, &refusal) {
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
	defer m.op.leave()
	if err := unplug(ctx, mon, diskID(v)); err != nil {
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
		delete(r.Slots, diskID(v))
		delete(r.Files, v)
		r.Disks = without(r.Disks, v)
	})
}

// LimitDisk changes a disk's throttle.
func (d *Driver) LimitDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, l hypervisor.Limits) error {
	return d.simple(ctx, id, "qom-set",
		map[string]any{"path": "/objects/" + throttleName(v), "property": "limits", "value": limits(l)})
}

// GrowDisk makes a running disk larger.
func (d *Driver) GrowDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, sizeGiB int) error {
	if err := d.machine(id).allow(roomOf(int64(sizeGiB) << 30)); err != nil {
		return err
	}
	return d.simple(ctx, id, "block_resize", map[string]any{"node-name": topNode(v), "size": int64(sizeGiB) << 30})
}
