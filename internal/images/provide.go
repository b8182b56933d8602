package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/guestimage"
	"slipway/internal/snapshots"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Provide makes a built image one of the system's AMIs, with its snapshot on the host whose disks are given. Its ids
// follow from its content, so they are the same on every machine, and to provide it again changes nothing.
func (s *Service) Provide(ctx context.Context, disks blockstore.Store, host slipway.HostID, b guestimage.Built) error {
	ami, snap := IDs(b)
	if n := state.FindSnapshot(s.db.Local(), "", string(snap)); n != nil && n.State == slipway.SnapshotStateDeleting {
		return fmt.Errorf("what was removed under this name is still being taken away")
	}
	boot, err := provideDisk(ctx, disks, snap, ami, b)
	if err != nil {
		return err
	}
	if state.Images.See(s.db.Local(), state.Global, string(ami)) != nil {
		return nil
	}
	keep := true
	mode := "legacy-bios"
	if b.UEFI {
		mode = "uefi"
	}
	description := b.Description
	if b.User != "" {
		description += ", log in as " + b.User
	}
	name := b.Name + "-" + b.Architecture + "-" + b.Created.UTC().Format("20060102")
	return s.db.Update(ctx, func(tx store.Tx) error {
		err := state.Snapshots.Put(tx, &slipway.Snapshot{
			ID: snap, Account: slipway.SystemAccount, Host: host, SizeGiB: int32(b.SizeGiB), Description: b.Description,
			State: slipway.SnapshotStateCompleted, Progress: 100, Start: b.Created, Completed: b.Created, Public: true, Boot: boot,
		})
		if err != nil {
			return err
		}
		return state.Images.Put(tx, &slipway.Image{
			ID: ami, Owner: slipway.SystemAccount, Name: name, Description: description, Location: "amazon/" + name,
			State: slipway.ImageStateAvailable, Created: b.Created,
			ImageSharing: slipway.ImageSharing{Public: true},
			ImageMachine: slipway.ImageMachine{
				Architecture: b.Architecture, RootDevice: b.RootDevice, Boot: boot, BootMode: mode, ENA: true,
				Virtualization: "hvm", User: b.User, Devices: []slipway.Mapping{
					{Device: b.RootDevice, Snapshot: snap, SizeGiB: int32(b.SizeGiB), Type: "gp2", DeleteOnTermination: &keep},
				},
			},
		})
	})
}

// IDs are the ids under which an image is registered: they are its name's and its content's.
func IDs(b guestimage.Built) (slipway.ImageID, slipway.SnapshotID) {
	sum := sha256.Sum256([]byte(b.Name + b.Digest))
	suffix := "0" + hex.EncodeToString(sum[:8])
	return slipway.ImageID("ami-" + suffix), slipway.SnapshotID("snap-" + suffix)
}

// Withdraw takes one of the system's images away, and its snapshot if no other image needs it. Instances run on.
func Withdraw(ctx context.Context, db state.DB, id slipway.ImageID) error {
	return db.Update(ctx, func(tx store.Tx) error {
		im, err := state.Images.Require(tx, state.Global, string(id))
		if err != nil {
			return err
		}
		state.Images.Delete(tx, state.Global, string(id))
		for _, m := range im.Devices {
			err := state.Snapshots.Edit(tx, state.Global, string(m.Snapshot), func(n *slipway.Snapshot) error {
				return snapshots.Remove(tx, n, id)
			})
			if err != nil && slipway.CodeOf(err) != slipway.InvalidSnapshotInUse {
				return err
			}
		}
		return nil
	})
}

// provideDisk brings the image's files in, unless they are there, and answers what its machines boot by.
func provideDisk(
	ctx context.Context, disks blockstore.Store, snap slipway.SnapshotID, ami slipway.ImageID, b guestimage.Built,
) (slipway.Boot, error) {
	boot := slipway.Boot{Append: b.Append, UEFI: b.UEFI}
	_, there := disks.SnapshotPath(snap)
	for _, f := range []struct {
		file string
		to   *string
	}{{b.Kernel, &boot.Kernel}, {b.Initrd, &boot.Initrd}} {
		if f.file == "" {
			continue
		}
		*f.to = string(ami) + "-" + filepath.Base(f.file)
		if there {
			continue
		}
		if err := disks.AddBootFile(ctx, f.file, *f.to); err != nil {
			return boot, err
		}
	}
	if there {
		return boot, nil
	}
	return boot, disks.ImportSnapshot(ctx, b.RootDisk, snap)
}
