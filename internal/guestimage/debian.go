package guestimage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// debianRecipe is for debian-12 what recipe is for the tiny image.
const debianRecipe = "2"

const (
	debianSuite   = "bookworm"
	debianSizeMiB = 3 * 1024
	debianAppend  = "root=/dev/vda ro console=tty0 console=ttyS0 no_timer_check tsc=reliable random.trust_cpu=on edd=off"
)

// debianPackages are, beyond the essential ones, what cloud-init needs to bring an instance up and what a user who logs in
// expects to find. What they recommend stays out.
var debianPackages = []string{
	"linux-image-cloud-amd64", "initramfs-tools", "zstd", // the kernel, whose initrd is unpacked
	"systemd-sysv", "udev", "dbus", "libpam-systemd", "kmod", // a running system: logind heeds the power button
	"cloud-init", "cloud-guest-utils", "ifupdown", "isc-dhcp-client", "iproute2", "netbase", // the instance and its network
	"openssh-server", "sudo", "ca-certificates", "python3", "procps", "iputils-ping", "curl", "less",
}

// debianHooks run around the installation; $1 is the image's root. What would make two instances the same one goes: host
// keys, and the builder's name and resolver, which mmdebstrap copied. The initrd is left uncompressed, because reading it
// costs the emulator less than decompressing it costs the guest.
var debianHooks = []string{
	`--essential-hook=sync-in tree /`,
	`--customize-hook=for f in "$1"/boot/initrd.img-*; do zstd="/boot/${f##*/}"; chroot "$1" sh -c "zstd -dqc $zstd >/boot/plain && mv /boot/plain $zstd"; done`,
	`--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*_key* "$1"/etc/hostname "$1"/etc/resolv.conf`,
}

// Debian is Debian 12 with its own cloud-init, which finds out by itself that it runs in EC2: nothing here tells it.
func Debian(ctx context.Context, cacheDir string, progress func(string)) (Built, error) {
	tree, err := fs.Sub(guest, "guest/debian-12")
	if err != nil {
		return Built{}, err
	}
	key := debianKey(tree)
	return build(ctx, filepath.Join(cacheDir, "debian-12-"+key[:12]), func(work string) (Built, error) {
		d := debian{work: work, tree: tree, progress: progress}
		return d.make(ctx, key)
	})
}

// debianKey is the name of the recipe, of which everything that shapes the image is a part.
func debianKey(tree fs.FS) string {
	return digest(debianRecipe, treeDigest(tree), debianSuite, debianAppend,
		fmt.Sprint(debianSizeMiB, debianPackages, debianHooks))
}

// debian is one run of the recipe.
type debian struct {
	work     string
	tree     fs.FS
	progress func(string)
}

func (d *debian) make(ctx context.Context, key string) (Built, error) {
	programs := map[string]string{
		"mmdebstrap": "mmdebstrap", "apt-get": "apt", "tar": "tar", "mke2fs": "e2fsprogs", "qemu-img": "qemu-utils",
	}
	if os.Geteuid() != 0 {
		programs["newuidmap"] = "uidmap"
	}
	if err := need(programs); err != nil {
		return Built{}, err
	}
	sources, err := aptSources(ctx, debianSuite, d.progress)
	if err != nil {
		return Built{}, err
	}
	tar, stage := filepath.Join(d.work, "root.tar"), filepath.Join(d.work, "stage")
	if err := d.install(ctx, sources, tar); err != nil {
		return Built{}, err
	}
	d.progress("making the root disk")
	if err := os.Mkdir(stage, 0o755); err != nil {
		return Built{}, err
	}
	if _, err := asRoot(ctx, d.work, "tar", "-xpf", tar, "--exclude=./dev/*", "--numeric-owner", "--xattrs",
		"--xattrs-include=*", "-C", stage); err != nil {
		return Built{}, err
	}
	b := Built{
		Name: "debian-12", Description: "Debian 12 with systemd, OpenSSH and its own cloud-init",
		RootDisk: "root.qcow2", Kernel: "vmlinuz", Initrd: "initrd", Append: debianAppend, SizeGiB: debianSizeMiB / 1024,
		User: "debian", // as /etc/cloud/cloud.cfg of Debian's cloud-init has it
	}
	if b.Packages, err = installed(ctx, stage); err != nil {
		return Built{}, err
	}
	versions := []string{key}
	for _, p := range b.Packages {
		versions = append(versions, p.Name, p.Version)
	}
	b.Digest = digest(versions...)
	for from, to := range map[string]string{"vmlinuz": b.Kernel, "initrd.img": b.Initrd} {
		found, err := filepath.Glob(filepath.Join(stage, "boot", from+"-*"))
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("%d files boot/%s-*, want 1", len(found), from)
		}
		if err == nil {
			err = copyFile(found[0], filepath.Join(d.work, to), 0o444)
		}
		if err != nil {
			return Built{}, err
		}
	}
	if err := makeDisk(ctx, stage, filepath.Join(d.work, b.RootDisk), b.Name, debianSizeMiB,
		"lazy_itable_init=1,lazy_journal_init=1"); err != nil {
		return Built{}, err
	}
	return b, errors.Join(removeAll(stage), os.Remove(tar), os.RemoveAll(filepath.Join(d.work, "tree")),
		os.Remove(filepath.Join(d.work, "sources.list")))
}

// install makes the file system as an archive. The environment keeps what an interrupted run leaves inside of the work
// directory, which goes away as a whole.
func (d *debian) install(ctx context.Context, sources []string, tar string) error {
	list := filepath.Join(d.work, "sources.list")
	if err := errors.Join(os.WriteFile(list, lines(sources), 0o644),
		os.CopyFS(filepath.Join(d.work, "tree"), d.tree)); err != nil {
		return err
	}
	d.progress(fmt.Sprintf("installing Debian 12 with %d packages and what they need", len(debianPackages)))
	args := []string{"TMPDIR=" + d.work, "mmdebstrap", "--quiet", "--variant=minbase", "--aptopt=APT::Install-Recommends false",
		"--include=" + strings.Join(debianPackages, ",")}
	_, err := run(ctx, d.work, "env", append(append(args, debianHooks...), debianSuite, tar, list)...)
	return err
}

// aptSources are the lines by which the host's own apt finds a suite of Debian with its updates.
func aptSources(ctx context.Context, suite string, progress func(string)) ([]string, error) {
	show := func() ([]string, error) {
		out, err := run(ctx, "", "apt-get", "indextargets", "--format", "$(CODENAME) deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
			"Created-By: Packages", "Origin: Debian", "Architecture: amd64")
		list := sourcesOf(suite, string(out))
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("apt knows no source of Debian's %s: add one to its sources", suite)
		}
		return list, err
	}
	list, err := show()
	if err == nil {
		return list, nil
	}
	progress("updating the lists of packages")
	if _, updateErr := run(ctx, "", "apt-get", "-q", "update"); updateErr != nil {
		return nil, errors.Join(err, updateErr)
	}
	return show()
}

// sourcesOf picks a suite's lines out of those of all; each begins with its suite's name.
func sourcesOf(suite, all string) []string {
	var list []string
	for line := range strings.Lines(all) {
		codename, source, _ := strings.Cut(strings.TrimSpace(line), " ")
		if slices.Contains([]string{suite, suite + "-updates", suite + "-security"}, codename) &&
			!slices.Contains(list, source) {
			list = append(list, source)
		}
	}
	return list
}

// installed are the packages of the system below root.
func installed(ctx context.Context, root string) ([]Package, error) {
	out, err := run(ctx, "", "dpkg-query", "--admindir="+filepath.Join(root, "var/lib/dpkg"), "--show",
		"--showformat=${Package} ${Version}\n")
	if err != nil {
		return nil, err
	}
	var list []Package
	for line := range strings.Lines(string(out)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, Package{Name: name, Version: version})
	}
	return list, nil
}
