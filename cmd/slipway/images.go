package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"slipway"
	"slipway/internal/guestimage"
	"slipway/internal/hypervisor"
	"slipway/internal/hypervisor/qemu"
	"slipway/internal/state"
	"slipway/internal/store"
)

// builders are the recipes of images that slipway makes itself.
var builders = map[string]func(context.Context, string, func(string)) (guestimage.Built, error){
	"tiny":      guestimage.Tiny,
	"debian-12": guestimage.Debian,
}

// bringImages registers every built image as an AMI of the system's. The tiny one is built if it is not there.
func (d *devRun) bringImages(ctx context.Context) error {
	if d.cfg.Hypervisor == "simulated" {
		return d.register(ctx, guestimage.Built{Name: "tiny", Description: "simulated", Digest: "simulated", Architecture: "x86_64", RootDevice: "/dev/xvda", SizeGiB: 1, User: "root", Created: time.Unix(0, 0)})
	}
	tiny, err := buildImage(ctx, d.cfg, "tiny")
	if err != nil {
		return err
	}
	built := map[string]guestimage.Built{tiny.Name: tiny}
	entries, err := os.ReadDir(imageDir(d.cfg))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		b, err := guestimage.Load(filepath.Join(imageDir(d.cfg), e.Name()))
		if err == nil && b.Name != tiny.Name && b.Created.After(built[b.Name].Created) {
			built[b.Name] = b // of several builds of one recipe, the newest
		}
	}
	for _, b := range built {
		if err := d.register(ctx, b); err != nil {
			return fmt.Errorf("image %s: %w", b.Name, err)
		}
	}
	if q, ok := d.vmm.(*qemu.Driver); ok && d.cfg.Accel == "auto" {
		q.BeginProbe(ctx, hypervisor.Boot{Kernel: tiny.Kernel, Initrd: tiny.Initrd, Append: tiny.Append})
	}
	return nil
}

// register makes one AMI with its snapshot. Its ids follow from its content, so they are the same on every machine.
func (d *devRun) register(ctx context.Context, b guestimage.Built) error {
	sum := sha256.Sum256([]byte(b.Name + b.Digest))
	suffix := "0" + hex.EncodeToString(sum[:8])
	snap, ami := slipway.SnapshotID("snap-"+suffix), slipway.ImageID("ami-"+suffix)
	boot := slipway.Boot{Append: b.Append, UEFI: b.UEFI}
	_, done := d.disks.SnapshotPath(snap)
	for _, f := range []struct {
		file string
		to   *string
	}{{b.Kernel, &boot.Kernel}, {b.Initrd, &boot.Initrd}} {
		if f.file == "" {
			continue
		}
		*f.to = string(ami) + "-" + filepath.Base(f.file)
		if !done {
			if err := d.disks.AddBootFile(ctx, f.file, *f.to); err != nil {
				return err
			}
		}
	}
	if !done {
		if err := d.disks.ImportSnapshot(ctx, b.RootDisk, snap); err != nil {
			return err
		}
	}
	if state.Images.See(d.db.Local(), state.Global, string(ami)) != nil {
		return nil
	}
	keep := true
	mode := "legacy-bios"
	if b.UEFI {
		mode = "uefi"
	}
	var tags slipway.Tags
	if b.User != "" {
		tags = slipway.Tags{slipway.UserTag: b.User}
	}
	name := b.Name + "-" + b.Architecture + "-" + b.Created.UTC().Format("20060102")
	return d.db.Update(ctx, func(tx store.Tx) error {
		err := state.Snapshots.Put(tx, &slipway.Snapshot{
			ID: snap, Account: slipway.SystemAccount, Host: devHost, SizeGiB: int32(b.SizeGiB), Description: b.Description, State: "completed", Progress: 100,
			Start: b.Created, Completed: b.Created, Public: true, Boot: boot,
		})
		if err != nil {
			return err
		}
		return state.Images.Put(tx, &slipway.Image{
			ID: ami, Owner: slipway.SystemAccount, Name: name, Description: b.Description, Location: "amazon/" + name, State: "available", Public: true,
			Architecture: b.Architecture, RootDevice: b.RootDevice, Boot: boot, BootMode: mode, ENA: true, Virtualization: "hvm", Created: b.Created,
			Devices: []slipway.Mapping{{Device: b.RootDevice, Snapshot: snap, SizeGiB: int32(b.SizeGiB), Type: "gp2", DeleteOnTermination: &keep}},
			Tags:    tags,
		})
	})
}
