// Package blockstore says what a host can do with volumes and snapshots that no machine has open: make, enlarge, copy,
// remove. files keeps them as qcow2 files, fake remembers them; blockstoretest holds both to one contract. What a running
// machine does to its disks is the hypervisor's. The package knows no account and no instance's state.
package blockstore

import (
	"context"
	"errors"
	"os"

	"slipway"
	"slipway/internal/diskimage"
)

// Volume is a volume as wanted.
type Volume struct {
	ID         slipway.VolumeID
	Snapshot   slipway.SnapshotID // it begins as a copy of; "" for a blank one
	SizeGiB    int                // at least the snapshot's
	Secret     []byte             // passphrase of an encrypted volume; nil: plain
	BaseSecret []byte             // of the snapshot, where that is encrypted
}

// Received is a disk image that comes from elsewhere, and for which nobody here vouches.
type Received struct {
	Format diskimage.Format
	Secret []byte // the snapshot's passphrase; nil: plain
	MaxGiB int    // a larger disk is refused
	Boots  bool   // a disk without a boot record is refused
	// Fetch writes the image to a file of this host, and may take long.
	Fetch func(ctx context.Context, to *os.File) error
	// Converted hears, in percent, how far the image has been converted.
	Converted func(percent float64)
}

// Take fetches the image into a file and says how large its disk is, in bytes and as a volume, or why it is refused.
func (r Received) Take(ctx context.Context, f *os.File) (disk int64, gib int, err error) {
	if err := r.Fetch(ctx, f); err != nil {
		return 0, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if disk, err = diskimage.Check(f, info.Size(), r.Format); err != nil {
		return 0, 0, err
	}
	gib, err = diskimage.GiB(disk, r.MaxGiB)
	return disk, gib, err
}

// Errors that callers tell apart.
var (
	ErrFull       = errors.New("the host's disk is full")
	ErrNoSnapshot = errors.New("no such snapshot on this host")
	ErrNoVolume   = errors.New("no such volume on this host")
)

// Store keeps one host's volumes and snapshots. Every method is free to repeat: what is there is not made again, and
// removing what is absent is nil. After a crash a volume or snapshot is whole or absent.
type Store interface {
	// EnsureVolume makes the volume, enlarges it if it is smaller than wanted, and says where its file is. A machine that
	// has the volume open is an error only if it would have to be enlarged.
	EnsureVolume(ctx context.Context, v Volume) (path string, err error)
	// GrowVolume enlarges a volume. An encrypted one is enlarged by EnsureVolume, which has its secret.
	GrowVolume(ctx context.Context, id slipway.VolumeID, sizeGiB int) error
	RemoveVolume(ctx context.Context, id slipway.VolumeID) error

	// SnapshotPath is where a snapshot's file has to be written; ok says that it is complete, and path is then where it is.
	SnapshotPath(id slipway.SnapshotID) (path string, ok bool)
	// FinishSnapshot makes what was written to SnapshotPath a complete snapshot.
	FinishSnapshot(ctx context.Context, id slipway.SnapshotID) error
	// SnapshotVolume copies a volume that lies still. The snapshot has the volume's secret. Of v, id and secrets are read.
	SnapshotVolume(ctx context.Context, v Volume, id slipway.SnapshotID) error
	// CopySnapshot makes a snapshot of another. With a secret of its own it is encrypted anew.
	CopySnapshot(ctx context.Context, from, id slipway.SnapshotID, fromSecret, secret []byte) error
	// ImportSnapshot makes a snapshot of a raw or qcow2 file, which it leaves as it is.
	ImportSnapshot(ctx context.Context, file string, id slipway.SnapshotID) error
	// ReceiveSnapshot makes a snapshot of an image that is fetched, and says how large it is. An image that cannot be
	// taken is a diskimage.Refusal. Nothing is left of one that fails, nor of one that ctx ends.
	ReceiveSnapshot(ctx context.Context, image Received, id slipway.SnapshotID) (sizeGiB int, err error)
	// RemoveSnapshot removes a snapshot. Its file stays, invisible, while a volume relies on it.
	RemoveSnapshot(ctx context.Context, id slipway.SnapshotID) error

	// Volumes and Snapshots list what is complete.
	Volumes(ctx context.Context) ([]slipway.VolumeID, error)
	Snapshots(ctx context.Context) ([]slipway.SnapshotID, error)

	// MemoryPath is where a hibernated instance's memory lies.
	MemoryPath(id slipway.InstanceID) string
	// AddBootFile keeps a copy of a kernel or initial file system under a name; BootFile says where it lies, "" for "".
	AddBootFile(ctx context.Context, file, name string) error
	BootFile(name string) string
}
