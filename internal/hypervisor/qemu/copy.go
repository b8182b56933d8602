package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/guard"
	"slipway/internal/jail"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

// CopyDisk copies a running disk as it is now.
func (d *Driver) CopyDisk(
	ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, target string, done func(error),
) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.Leave()
	c := diskCopy{m: m, mon: mon, volume: v, target: target}
	if err := c.begin(ctx); err != nil {
		return errors.Join(fmt.Errorf("copy %s of %s: %w", v, id, err), c.abandon())
	}
	guard.Group(&d.watches, d.log, "a copy of a disk", func() { c.follow(d, done) })
	return nil
}

// diskCopy is one backup job inside QEMU. Its parts' names come from the volume's, so that a copy which an earlier driver
// began is found and cleared away.
type diskCopy struct {
	m      *machine
	mon    *qmp.Monitor
	volume slipway.VolumeID
	target string
}

func (c *diskCopy) node() string      { return string(c.volume) + "-copy" }
func (c *diskCopy) fileNode() string  { return string(c.volume) + "-file" }
func (c *diskCopy) job() string       { return string(c.volume) + "-copy" }
func (c *diskCopy) createJob() string { return string(c.volume) + "-make" }

func (c *diskCopy) begin(ctx context.Context) error {
	if err := c.abandon(); err != nil {
		return err
	}
	nodes, err := qmp.BlockNodes(ctx, c.mon)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(nodes, func(n qmp.BlockNode) bool { return n.Name == qemuargs.FormatNode(c.volume) })
	if i < 0 {
		return errors.New("the machine has no such disk")
	}
	c.m.mu.Lock()
	uid := c.m.rec.UID
	c.m.mu.Unlock()
	if err := c.m.allow(roomOf(nodes[i].Image.Size)); err != nil {
		return err
	}
	node := map[string]any{
		"driver": "qcow2", "node-name": c.node(), "discard": "unmap",
		"file": map[string]any{"driver": "file", "filename": c.target},
	}
	if nodes[i].Encrypted {
		node["encrypt"] = map[string]any{"format": "luks", "key-secret": qemuargs.SecretName(c.volume)}
		err = c.makeEncrypted(ctx, nodes[i].Image.Size, uid)
	} else {
		err = c.makePlain(ctx, nodes[i].Image.Size, uid)
	}
	if err != nil {
		return err
	}
	if err := c.mon.Run(ctx, "blockdev-add", node, nil); err != nil {
		return err
	}
	// The source is the node below the throttle: the copy must not spend the customer's operations.
	return c.mon.Run(ctx, "blockdev-backup",
		map[string]any{"job-id": c.job(), "device": qemuargs.FormatNode(c.volume), "target": c.node(),
			"sync": "full", "auto-dismiss": false}, nil)
}

func (c *diskCopy) makePlain(ctx context.Context, size int64, uid int) error {
	out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", c.target,
		strconv.FormatInt(size, 10)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("qemu-img create: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return c.give(uid)
}

// give lets QEMU write the target.
func (c *diskCopy) give(uid int) error {
	if err := chown(c.target, uid); err != nil {
		return err
	}
	return c.m.show(jail.File{Path: c.target, Write: true})
}

func chown(path string, uid int) error {
	if uid == 0 {
		return nil
	}
	return os.Chown(path, uid, uid)
}

// makeEncrypted has QEMU make the file, because it has the passphrase and the driver has not kept it.
func (c *diskCopy) makeEncrypted(ctx context.Context, size int64, uid int) error {
	if err := errors.Join(os.WriteFile(c.target, nil, 0o600), c.give(uid)); err != nil {
		return err
	}
	if err := c.mon.Run(ctx, "blockdev-add",
		map[string]any{"driver": "file", "node-name": c.fileNode(), "filename": c.target}, nil); err != nil {
		return err
	}
	options := map[string]any{"driver": "qcow2", "file": c.fileNode(), "size": size,
		"encrypt": map[string]any{"format": "luks", "key-secret": qemuargs.SecretName(c.volume), "iter-time": 10}}
	for tries := 1; ; tries++ {
		err := c.mon.Run(ctx, "blockdev-create", map[string]any{"job-id": c.createJob(), "options": options}, nil)
		if err == nil {
			err = qmp.AwaitJob(ctx, c.mon, c.createJob())
		}
		if err != nil && tries < 10 && strings.Contains(err.Error(), "Unable to get accurate CPU usage") {
			continue // QEMU measures how fast it derives keys, and a coarse clock defeats it now and then
		}
		if err != nil {
			return err
		}
		return c.mon.Run(ctx, "blockdev-del", map[string]any{"node-name": c.fileNode()}, nil)
	}
}

// follow waits for the copy's end. It has no deadline: a large disk takes hours, and the machine's end ends it.
func (c *diskCopy) follow(d *Driver, done func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	guard.Go(d.log, "a copy of a disk", func() {
		select {
		case <-d.closed:
			cancel()
		case <-ctx.Done():
		}
	})
	err := guard.Call(func() error { return qmp.AwaitJob(ctx, c.mon, c.job()) })
	select {
	case <-d.closed:
		return
	default:
	}
	if err == nil {
		err = c.mon.Run(ctx, "blockdev-del", map[string]any{"node-name": c.node()}, nil)
	}
	if err == nil && os.Geteuid() == 0 {
		err = errors.Join(os.Chown(c.target, 0, 0), c.m.hide(c.target))
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("copy %s of %s: %w", c.volume, c.m.id, err), c.abandon())
	}
	done(err)
}

// abandon leaves nothing of a copy: no job, no node, no file.
func (c *diskCopy) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	removed := os.Remove(c.target)
	if absent(removed) {
		removed = nil
	}
	removed = errors.Join(removed, c.m.hide(c.target))
	for _, id := range []string{c.job(), c.createJob()} {
		j, ok, err := qmp.FindJob(ctx, c.mon, id)
		if errors.Is(err, qmp.ErrGone) {
			return removed // with the machine went all of it
		}
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if j.Status != "concluded" {
			if err := c.mon.Run(ctx, "job-cancel", map[string]any{"id": id}, nil); err != nil {
				return err
			}
		}
		qmp.AwaitJob(ctx, c.mon, id) // its error is that it was cancelled
	}
	nodes, err := qmp.BlockNodes(ctx, c.mon)
	if err != nil {
		return err
	}
	for _, name := range []string{c.node(), c.fileNode()} {
		if qmp.HasNode(nodes, name) {
			if err := c.mon.Run(ctx, "blockdev-del", map[string]any{"node-name": name}, nil); err != nil {
				return err
			}
		}
	}
	return removed
}
