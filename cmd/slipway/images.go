package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/internal/guestimage"
	"slipway/internal/hypervisor"
)

// builders are the recipes of images that slipway makes itself.
var builders = map[string]func(context.Context, string, func(string)) (guestimage.Built, error){
	"tiny":      guestimage.Tiny,
	"debian-12": guestimage.Debian,
}

// bringImages registers every built image as an AMI of the system's. The tiny one is built if it is not there.
func (d *devRun) bringImages(ctx context.Context) error {
	if d.cfg.Hypervisor == "simulated" {
		return d.api.Images.Provide(ctx, d.host.Disks, devHost, guestimage.Simulated())
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
		if err := d.api.Images.Provide(ctx, d.host.Disks, devHost, b); err != nil {
			return fmt.Errorf("image %s: %w", b.Name, err)
		}
	}
	if d.cfg.Accel == "auto" {
		d.host.Probe(ctx, hypervisor.Boot{Kernel: tiny.Kernel, Initrd: tiny.Initrd, Append: tiny.Append})
	}
	return nil
}
