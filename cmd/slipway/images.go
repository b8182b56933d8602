package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"slipway"
	"strings"
	"time"

	"slipway/internal/guard"
	"slipway/internal/guestimage"
	"slipway/internal/hypervisor"
	"slipway/internal/images"
	"slipway/internal/state"

	"golang.org/x/sys/unix"
)

// builders are the recipes of images that slipway makes itself.
var builders = map[string]func(context.Context, string, func(string)) (guestimage.Built, error){
	"tiny":      guestimage.Tiny,
	"debian-12": guestimage.Debian,
}

// bringImages registers every built image as an AMI of the system's. The tiny one is built if it is not there.
func (d *devRun) bringImages(ctx context.Context) error {
	if d.cfg.Hypervisor == "simulated" {
		if err := d.api.Images.Provide(ctx, d.host.Disks, devHost, guestimage.Simulated()); err != nil {
			return err
		}
		return d.bringImported(ctx)
	}
	tiny, err := buildImage(ctx, d.cfg, "tiny")
	if err != nil {
		return err
	}
	built := newest(imageDir(d.cfg), d.cfg.imported())
	built[tiny.Name] = tiny
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

// imported is where the images lie that were imported into the state: what the owner brings is one state's, what slipway
// makes by its recipes is shared.
func (c Config) imported() string { return filepath.Join(c.State, "images") }

// newest are the images in the directories by name: of several under one name, the last.
func newest(dirs ...string) map[string]guestimage.Built {
	built := map[string]guestimage.Built{}
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir) // it may not be there
		for _, e := range entries {
			if b, err := guestimage.Load(filepath.Join(dir, e.Name())); err == nil && b.Created.After(built[b.Name].Created) {
				built[b.Name] = b
			}
		}
	}
	return built
}

func (d *devRun) bringImported(ctx context.Context) error {
	for _, b := range newest(d.cfg.imported()) {
		if err := d.api.Images.Provide(ctx, d.host.Disks, devHost, b); err != nil {
			return fmt.Errorf("image %s: %w", b.Name, err)
		}
	}
	return nil
}

// importedEvery is how often a server looks whether an image was imported into its state.
const importedEvery = time.Second

// watchImported registers what is imported while the server runs.
func (d *devRun) watchImported(ctx context.Context) {
	var seen time.Time
	said := "" // the last fault: it is told once, and tried again
	for guard.Sleep(ctx, importedEvery) {
		fi, err := os.Stat(d.cfg.imported())
		if err != nil || fi.ModTime().Equal(seen) {
			continue
		}
		if err := d.bringImported(ctx); err != nil {
			if err.Error() != said {
				d.log.Error("imported images not brought in", "error", err)
			}
			said = err.Error()
			continue
		}
		seen, said = fi.ModTime(), ""
	}
}

// importImage brings a disk of the owner's into one state, at once where a server serves it.
func importImage(ctx context.Context, c Config, file string, as guestimage.Import) error {
	b, err := guestimage.ImportFile(ctx, c.imported(), file, as, progress)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	id, _ := images.IDs(b)
	if !c.served() {
		fmt.Printf("%s will be %s when a slipway serves %s\n", b.Name, id, c.State)
		return nil
	}
	for until := time.Now().Add(importPatience); time.Now().Before(until) && guard.Sleep(ctx, importedEvery/4); {
		r, done, err := openSnapshot(ctx, c)
		if err != nil {
			return fmt.Errorf("image: %w", err)
		}
		there := state.Images.See(r, state.Global, string(id)) != nil
		done()
		if there {
			fmt.Printf("%s is %s\n", b.Name, id)
			return nil
		}
	}
	return fmt.Errorf("image: %s is in %s, and the slipway that serves it has not brought it in within %v: its log says why",
		b.Name, c.State, importPatience)
}

// importPatience is how long bringing in an imported disk may take a server.
const importPatience = time.Minute

// served says whether a process serves the state.
func (c Config) served() bool {
	f, err := os.OpenFile(filepath.Join(c.State, "lock"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}

// removeImage takes an imported image out of a state. Instances that it started run on.
func removeImage(ctx context.Context, c Config, word string) error {
	id, err := slipway.ParseImageID(word)
	if err != nil {
		return fmt.Errorf("image: %q is no image id: `slipway image list` has them", word)
	}
	if err := c.haveState(); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	db, done, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	im := state.Images.See(db.Local(), state.Global, word)
	if im == nil {
		return fmt.Errorf("image: %s is no image of the system's: deregister an account's own through the API", id)
	}
	for _, made := range slices.Sorted(maps.Keys(builders)) {
		if strings.HasPrefix(im.Name, made+"-") {
			return fmt.Errorf("image: slipway makes %s itself, and would make it again", made)
		}
	}
	entries, _ := os.ReadDir(c.imported())
	for _, e := range entries { // first, or a server would bring it in once more
		dir := filepath.Join(c.imported(), e.Name())
		b, err := guestimage.Load(dir)
		if err != nil {
			continue
		}
		if of, _ := images.IDs(b); of == id {
			if err := os.RemoveAll(dir); err != nil {
				return fmt.Errorf("image: %w", err)
			}
		}
	}
	if err := images.Withdraw(ctx, db, id); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	fmt.Printf("%s (%s) is removed\n", id, im.Name)
	return nil
}
