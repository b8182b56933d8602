package qemu

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
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
	defer m.op.Unlock()
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
	// An earlier try may have come half-way.
	if err := dropDisk(ctx, mon, disk.Volume); err != nil {
		return err
	}
	if disk.Secret != nil {
		if err := mon.run(ctx, "object-add", map[string]any{"qom-type": "secret", "id": secretName(disk.Volume),
			"data": base64.StdEncoding.EncodeToString(disk.Secret), "format": "base64"}, nil); err != nil {
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
		if disk.Secret != nil {
			r.Secret = add(r.Secret, disk.Volume)
		}
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

func add[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func without[T comparable](list []T, v T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(o T) bool { return o == v })
}

// dropDisk removes what stands behind a disk, as far as it is there.
func dropDisk(ctx context.Context, mon *monitor, v slipway.VolumeID) error {
	var nodes []struct {
		Name string `json:"node-name"`
	}
	if err := mon.run(ctx, "query-named-block-nodes", map[string]any{"flat": true}, &nodes); err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Name == topNode(v) {
			if err := mon.run(ctx, "blockdev-del", map[string]any{"node-name": topNode(v)}, nil); err != nil {
				return err
			}
		}
	}
	names, err := objects(ctx, mon, "/objects")
	if err != nil {
		return err
	}
	for _, name := range []string{throttleName(v), secretName(v)} {
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
	defer m.op.Unlock()
	if err := unplug(ctx, mon, diskID(v)); err != nil {
		return fmt.Errorf("detach %s from %s: %w", v, id, err)
	}
	if err := dropDisk(ctx, mon, v); err != nil {
		return fmt.Errorf("detach %s from %s: %w", v, id, err)
	}
	return m.update(func(r *record) {
		delete(r.Slots, diskID(v))
		r.Disks, r.Secret = without(r.Disks, v), without(r.Secret, v)
	})
}

// LimitDisk changes a disk's throttle.
func (d *Driver) LimitDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, iops, throughputMiBps int) error {
	return d.simple(ctx, id, "qom-set", map[string]any{"path": "/objects/" + throttleName(v), "property": "limits", "value": limits(iops, throughputMiBps)})
}

// GrowDisk makes a running disk larger.
func (d *Driver) GrowDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, sizeGiB int) error {
	return d.simple(ctx, id, "block_resize", map[string]any{"node-name": topNode(v), "size": int64(sizeGiB) << 30})
}

// CopyDisk copies a running disk as it is now.
func (d *Driver) CopyDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, target string, done func(error)) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.Unlock()
	c := diskCopy{m: m, mon: mon, volume: v, target: target}
	if err := c.begin(ctx); err != nil {
		c.tidy()
		os.Remove(target)
		return fmt.Errorf("copy %s of %s: %w", v, id, err)
	}
	d.watches.Go(func() {
		err := c.finish(d.closed)
		if err != nil {
			os.Remove(target)
			err = fmt.Errorf("copy %s of %s: %w", v, id, err)
		}
		done(err)
	})
	return nil
}

// diskCopy is one backup job inside QEMU.
type diskCopy struct {
	m      *machine
	mon    *monitor
	volume slipway.VolumeID
	target string
	added  bool
	job    string
}

func (c *diskCopy) node() string { return string(c.volume) + "-copy" }

func (c *diskCopy) begin(ctx context.Context) error {
	var nodes []struct {
		Name  string `json:"node-name"`
		Image struct {
			Size int64 `json:"virtual-size"`
		} `json:"image"`
	}
	if err := c.mon.run(ctx, "query-named-block-nodes", map[string]any{"flat": true}, &nodes); err != nil {
		return err
	}
	var size int64
	for _, n := range nodes {
		if n.Name == formatNode(c.volume) {
			size = n.Image.Size
		}
	}
	if size == 0 {
		return errors.New("no such disk")
	}
	c.m.mu.Lock()
	uid, secret := c.m.rec.UID, slices.Contains(c.m.rec.Secret, c.volume)
	c.m.mu.Unlock()
	if secret {
		if err := c.create(ctx, size); err != nil {
			return err
		}
	} else if out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", c.target, strconv.FormatInt(size, 10)).CombinedOutput(); err != nil {
		return fmt.Errorf("qemu-img create: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if uid != 0 {
		if err := os.Chown(c.target, uid, uid); err != nil {
			return err
		}
	}
	node := map[string]any{"driver": "qcow2", "node-name": c.node(), "discard": "unmap",
		"file": map[string]any{"driver": "file", "filename": c.target}}
	if secret {
		node["encrypt"] = map[string]any{"format": "luks", "key-secret": secretName(c.volume)}
	}
	if err := c.mon.run(ctx, "blockdev-add", node, nil); err != nil {
		return err
	}
	c.added = true
	job := string(c.volume) + "-copy"
	// The source is the node below the throttle: the copy must not spend the customer's operations.
	err := c.mon.run(ctx, "blockdev-backup", map[string]any{"job-id": job, "device": formatNode(c.volume), "target": c.node(),
		"sync": "full", "auto-finalize": true, "auto-dismiss": false}, nil)
	if err == nil {
		c.job = job
	}
	return err
}

// create makes an encrypted target inside QEMU, which has the passphrase; the driver does not keep it.
func (c *diskCopy) create(ctx context.Context, size int64) error {
	f, err := os.OpenFile(c.target, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	c.m.mu.Lock()
	uid := c.m.rec.UID
	c.m.mu.Unlock()
	if uid != 0 {
		if err := os.Chown(c.target, uid, uid); err != nil {
			return err
		}
	}
	file := c.node() + "-f"
	if err := c.mon.run(ctx, "blockdev-add", map[string]any{"driver": "file", "node-name": file, "filename": c.target}, nil); err != nil {
		return err
	}
	defer c.mon.run(context.WithoutCancel(ctx), "blockdev-del", map[string]any{"node-name": file}, nil)
	job := string(c.volume) + "-create"
	if err := c.mon.run(ctx, "blockdev-create", map[string]any{"job-id": job, "options": map[string]any{"driver": "qcow2", "file": file, "size": size,
		"encrypt": map[string]any{"format": "luks", "key-secret": secretName(c.volume), "iter-time": 10}}}, nil); err != nil {
		return err
	}
	return c.await(ctx, job)
}

func (c *diskCopy) await(ctx context.Context, job string) error {
	err := c.mon.await(ctx, func() (bool, error) {
		var jobs []struct {
			ID     string `json:"id"`
			Status string `json:"status"`
			Error  string `json:"error"`
		}
		if err := c.mon.run(ctx, "query-jobs", nil, &jobs); err != nil {
			return false, err
		}
		for _, j := range jobs {
			if j.ID != job {
				continue
			}
			if j.Status == "concluded" && j.Error != "" {
				return false, errors.New(j.Error)
			}
			return j.Status == "concluded", nil
		}
		return false, errors.New("the job is gone")
	})
	c.mon.run(context.WithoutCancel(ctx), "job-dismiss", map[string]any{"id": job}, nil)
	return err
}

// finish waits for the job's end. It has no deadline: a large disk takes hours, and the machine's end ends it.
func (c *diskCopy) finish(closed <-chan struct{}) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := c.await(ctx, c.job)
	if err == nil {
		c.job = ""
	}
	c.tidy()
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(c.target, 0, 0)
	}
	return err
}

// tidy leaves nothing of the copy inside QEMU.
func (c *diskCopy) tidy() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if c.job != "" {
		c.mon.run(ctx, "job-cancel", map[string]any{"id": c.job}, nil)
		c.await(ctx, c.job)
	}
	if c.added {
		c.mon.run(ctx, "blockdev-del", map[string]any{"node-name": c.node()}, nil)
	}
}
