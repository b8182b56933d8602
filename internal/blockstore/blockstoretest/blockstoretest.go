// Package blockstoretest is the contract of blockstore.Store, as tests that every store runs.
package blockstoretest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/diskimage"
)

// Run holds a store to the contract. newStore makes an empty one.
func Run(t *testing.T, newStore func(tb testing.TB) blockstore.Store) {
	for _, c := range []struct {
		name string
		test func(c *check)
	}{
		{"a volume is made once, and grows when more is wanted", volumes},
		{"a volume on a snapshot is at least as large", overlay},
		{"an encrypted volume grows with its secret", encrypted},
		{"a snapshot is complete only once it is finished", finish},
		{"a removed snapshot is gone for new volumes and stays for old ones", removal},
		{"snapshots are made of volumes, snapshots and files", snapshots},
		{"an image from elsewhere becomes a snapshot or leaves nothing", received},
		{"boot files have places", bootFiles},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&check{T: t, s: newStore(t)}) })
	}
}

type check struct {
	*testing.T
	s blockstore.Store
}

func (c *check) must(what string, err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

func (c *check) ensure(v blockstore.Volume) string {
	c.Helper()
	path, err := c.s.EnsureVolume(c.Context(), v)
	c.must("EnsureVolume", err)
	if path == "" {
		c.Error("EnsureVolume: no path")
	}
	return path
}

func (c *check) has(volumes []slipway.VolumeID, snapshots []slipway.SnapshotID) {
	c.Helper()
	v, err := c.s.Volumes(c.Context())
	c.must("Volumes", err)
	s, err := c.s.Snapshots(c.Context())
	c.must("Snapshots", err)
	slices.Sort(volumes)
	slices.Sort(snapshots)
	if !slices.Equal(v, volumes) || !slices.Equal(s, snapshots) {
		c.Errorf("the store has %v and %v, want %v and %v", v, s, volumes, snapshots)
	}
}

func (c *check) imported() slipway.SnapshotID {
	c.Helper()
	file := filepath.Join(c.TempDir(), "disk.raw")
	c.must("make a raw disk", os.WriteFile(file, make([]byte, 1<<20), 0o600))
	id := slipway.NewSnapshotID()
	c.must("ImportSnapshot", c.s.ImportSnapshot(c.Context(), file, id))
	return id
}

func volumes(c *check) {
	v := blockstore.Volume{ID: slipway.NewVolumeID(), SizeGiB: 1}
	if again, first := c.ensure(v), c.ensure(v); again != first {
		c.Errorf("EnsureVolume = %s, then %s", first, again)
	}
	v.SizeGiB = 2
	c.ensure(v)
	c.must("GrowVolume", c.s.GrowVolume(c.Context(), v.ID, 3))
	c.must("GrowVolume to less", c.s.GrowVolume(c.Context(), v.ID, 1))
	c.has([]slipway.VolumeID{v.ID}, nil)
	c.must("RemoveVolume", c.s.RemoveVolume(c.Context(), v.ID))
	c.must("second RemoveVolume", c.s.RemoveVolume(c.Context(), v.ID))
	c.has(nil, nil)
	if err := c.s.GrowVolume(c.Context(), v.ID, 4); !errors.Is(err, blockstore.ErrNoVolume) {
		c.Errorf("GrowVolume of none = %v, want %v", err, blockstore.ErrNoVolume)
	}
	if _, err := c.s.EnsureVolume(c.Context(), blockstore.Volume{ID: slipway.NewVolumeID()}); err == nil {
		c.Error("EnsureVolume of nothing and no size: got no error")
	}
}

func overlay(c *check) {
	snap := c.imported()
	small := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: snap}
	c.ensure(small)
	large := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: snap, SizeGiB: 16 << 10}
	c.ensure(large)
	c.has([]slipway.VolumeID{small.ID, large.ID}, []slipway.SnapshotID{snap})
	_, err := c.s.EnsureVolume(c.Context(),
		blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: slipway.NewSnapshotID(), SizeGiB: 1})
	if !errors.Is(err, blockstore.ErrNoSnapshot) {
		c.Errorf("EnsureVolume on an absent snapshot = %v, want %v", err, blockstore.ErrNoSnapshot)
	}
}

func encrypted(c *check) {
	v := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: c.imported(), SizeGiB: 1, Secret: []byte("first secret")}
	c.ensure(v)
	if err := c.s.GrowVolume(c.Context(), v.ID, 2); err == nil {
		c.Error("GrowVolume of an encrypted volume without its secret: got no error")
	}
	v.SizeGiB = 2
	c.ensure(v)
	snap := slipway.NewSnapshotID()
	c.must("SnapshotVolume", c.s.SnapshotVolume(c.Context(), v, snap))
	next := blockstore.Volume{
		ID: slipway.NewVolumeID(), Snapshot: snap, SizeGiB: 2, Secret: []byte("second secret"), BaseSecret: v.Secret,
	}
	c.ensure(next)
	next.SizeGiB = 3
	c.ensure(next)
	third := slipway.NewSnapshotID()
	c.must("SnapshotVolume on an encrypted snapshot", c.s.SnapshotVolume(c.Context(), next, third))
	c.must("CopySnapshot with another secret",
		c.s.CopySnapshot(c.Context(), third, slipway.NewSnapshotID(), next.Secret, []byte("third secret")))
}

func finish(c *check) {
	id := slipway.NewSnapshotID()
	path, ok := c.s.SnapshotPath(id)
	if ok || path == "" {
		c.Fatalf("SnapshotPath of none = %q, %v", path, ok)
	}
	v := blockstore.Volume{ID: slipway.NewVolumeID(), SizeGiB: 1}
	if content, err := os.ReadFile(c.ensure(v)); err == nil { // a simulated store has no files
		c.must("write", os.WriteFile(path, content, 0o600))
	}
	c.has([]slipway.VolumeID{v.ID}, nil)
	c.must("FinishSnapshot", c.s.FinishSnapshot(c.Context(), id))
	c.must("second FinishSnapshot", c.s.FinishSnapshot(c.Context(), id))
	if _, ok := c.s.SnapshotPath(id); !ok {
		c.Error("SnapshotPath after FinishSnapshot: not complete")
	}
	c.has([]slipway.VolumeID{v.ID}, []slipway.SnapshotID{id})
}

func removal(c *check) {
	snap := c.imported()
	v := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: snap, SizeGiB: 1}
	path := c.ensure(v)
	c.must("RemoveSnapshot", c.s.RemoveSnapshot(c.Context(), snap))
	c.must("second RemoveSnapshot", c.s.RemoveSnapshot(c.Context(), snap))
	c.has([]slipway.VolumeID{v.ID}, nil)
	if got := c.ensure(v); got != path {
		c.Errorf("EnsureVolume after its snapshot's removal = %s, want %s", got, path)
	}
	_, err := c.s.EnsureVolume(c.Context(), blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: snap, SizeGiB: 1})
	if !errors.Is(err, blockstore.ErrNoSnapshot) {
		c.Errorf("EnsureVolume on a removed snapshot = %v, want %v", err, blockstore.ErrNoSnapshot)
	}
	c.must("SnapshotVolume of what relies on it", c.s.SnapshotVolume(c.Context(), v, slipway.NewSnapshotID()))
	c.must("RemoveVolume", c.s.RemoveVolume(c.Context(), v.ID))
	c.must("RemoveSnapshot of an absent one", c.s.RemoveSnapshot(c.Context(), slipway.NewSnapshotID()))
}

func snapshots(c *check) {
	first := c.imported()
	v := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: first, SizeGiB: 1}
	c.ensure(v)
	second, third := slipway.NewSnapshotID(), slipway.NewSnapshotID()
	for range 2 {
		c.must("SnapshotVolume", c.s.SnapshotVolume(c.Context(), v, second))
		c.must("CopySnapshot", c.s.CopySnapshot(c.Context(), second, third, nil, nil))
	}
	c.has([]slipway.VolumeID{v.ID}, []slipway.SnapshotID{first, second, third})
	if err := c.s.CopySnapshot(c.Context(), slipway.NewSnapshotID(), slipway.NewSnapshotID(), nil, nil); !errors.Is(err,
		blockstore.ErrNoSnapshot) {
		c.Errorf("CopySnapshot of none = %v, want %v", err, blockstore.ErrNoSnapshot)
	}
	if err := c.s.SnapshotVolume(c.Context(), blockstore.Volume{ID: slipway.NewVolumeID()},
		slipway.NewSnapshotID()); !errors.Is(err, blockstore.ErrNoVolume) {
		c.Errorf("SnapshotVolume of none = %v, want %v", err, blockstore.ErrNoVolume)
	}
}

// image is one of RAW with the content.
func image(content []byte) blockstore.Received {
	return blockstore.Received{
		Format: diskimage.RAW, MaxGiB: 4, Converted: func(float64) {}, Fetch: func(_ context.Context, to *os.File) error {
			_, err := to.Write(content)
			return err
		},
	}
}

func received(c *check) {
	id, disk := slipway.NewSnapshotID(), make([]byte, 1<<20)
	for range 2 {
		gib, err := c.s.ReceiveSnapshot(c.Context(), image(disk), id)
		if err != nil || gib != 1 {
			c.Fatalf("ReceiveSnapshot of a mebibyte = %d GiB, %v, want 1", gib, err)
		}
	}
	c.has(nil, []slipway.SnapshotID{id})
	refusal := func(what string, err error) {
		if _, ours := errors.AsType[*diskimage.Refusal](err); !ours {
			c.Errorf("ReceiveSnapshot of %s = %v, want a refusal", what, err)
		}
	}
	other := image(append([]byte("QFI\xfb"), disk...))
	_, err := c.s.ReceiveSnapshot(c.Context(), other, slipway.NewSnapshotID())
	refusal("another format", err)
	large := image(disk)
	large.MaxGiB = 0
	_, err = c.s.ReceiveSnapshot(c.Context(), large, slipway.NewSnapshotID())
	refusal("too large a disk", err)

	lost := errors.New("connection lost")
	broken := image(disk)
	broken.Fetch = func(context.Context, *os.File) error { return lost }
	if _, err := c.s.ReceiveSnapshot(c.Context(), broken, slipway.NewSnapshotID()); !errors.Is(err, lost) {
		c.Errorf("ReceiveSnapshot of what cannot be fetched = %v, want %v", err, lost)
	}
	ctx, cancel := context.WithCancel(c.Context())
	endless := image(disk)
	endless.Fetch = func(ctx context.Context, _ *os.File) error { cancel(); <-ctx.Done(); return ctx.Err() }
	if _, err := c.s.ReceiveSnapshot(ctx, endless, slipway.NewSnapshotID()); !errors.Is(err, context.Canceled) {
		c.Errorf("ReceiveSnapshot that is cancelled = %v, want %v", err, context.Canceled)
	}
	c.has(nil, []slipway.SnapshotID{id})
}

func bootFiles(c *check) {
	file := filepath.Join(c.TempDir(), "vmlinuz")
	c.must("write", os.WriteFile(file, []byte("kernel"), 0o600))
	c.must("AddBootFile", c.s.AddBootFile(c.Context(), file, "tiny-vmlinuz"))
	c.must("second AddBootFile", c.s.AddBootFile(c.Context(), file, "tiny-vmlinuz"))
	if c.s.BootFile("tiny-vmlinuz") == "" || c.s.BootFile("") != "" || c.s.MemoryPath(slipway.NewInstanceID()) == "" {
		c.Errorf("BootFile = %q and %q", c.s.BootFile("tiny-vmlinuz"), c.s.BootFile(""))
	}
}
