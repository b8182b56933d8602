package guestimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// makeDisk makes a qcow2 disk whose whole extent is an ext4 file system with the content of tree. Nothing is mounted, so
// no privilege is needed but for the files' owners, for which a builder that is not root borrows a user namespace.
func makeDisk(ctx context.Context, tree, disk, label string, sizeMiB int, options string) error {
	if err := need(map[string]string{"mke2fs": "e2fsprogs", "qemu-img": "qemu-utils"}); err != nil {
		return err
	}
	raw := disk + ".raw"
	defer os.Remove(raw)
	f, err := os.Create(raw)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(int64(sizeMiB)<<20), f.Close()); err != nil {
		return err
	}
	args := []string{"-q", "-F", "-t", "ext4", "-L", label, "-m", "1", "-E", "root_owner=0:0," + options, "-d", tree, raw}
	if _, err := asRoot(ctx, filepath.Dir(disk), "mke2fs", args...); err != nil {
		return err
	}
	return convert(ctx, "raw", raw, disk)
}

// asRoot runs a program that deals with files of several owners: as root or, for want of it, as root of a user namespace
// with all the ids that the user was given.
func asRoot(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	if os.Geteuid() == 0 {
		return run(ctx, dir, program, args...)
	}
	ids := "--map-root-user"
	if _, err := exec.LookPath("newuidmap"); err == nil {
		ids = "--map-root-user --map-auto"
	}
	return run(ctx, dir, "unshare", append(append(strings.Fields(ids), program), args...)...)
}

// convert writes a disk as a qcow2 file that stands alone.
func convert(ctx context.Context, format, from, to string) error {
	_, err := run(ctx, filepath.Dir(to), "qemu-img", "convert", "-f", format, "-O", "qcow2", "-o", "lazy_refcounts=off",
		from, to)
	if err != nil {
		return fmt.Errorf("convert %s: %w", filepath.Base(from), err)
	}
	return nil
}
