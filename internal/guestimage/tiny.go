package guestimage

import (
	"context"
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed guest
var guest embed.FS

// recipe is part of every image's name: change it when the code that makes images changes what they hold.
const recipe = "2"

const (
	tinySizeMiB = 1024
	// The second line is what makes an emulated boot a second shorter: no BIOS disk probe, no relocation, no self-tests of
	// ciphers, no certificates for modules that are not signed.
	tinyAppend = "console=tty0 console=ttyS0 quiet loglevel=4 no_timer_check tsc=reliable random.trust_cpu=on " +
		"panic=60 net.ifnames=0 " +
		"edd=off nokaslr cryptomgr.notests initcall_blacklist=init_kprobe_trace,load_system_certificate_list"
)

var tinyPackages = []string{
	"busybox-static", "dropbear-bin", "e2fsprogs", "libblkid1", "libc6", "libcom-err2", "libcrypt1", "libext2fs2",
	"libgmp10", "libtomcrypt1", "libtommath1", "libuuid1", "zlib1g",
}

// bootModules lead to the root disk and the network, in the order in which they must be loaded: an unmet need fails
// without a word. laterModules can wait until ssh answers.
var (
	bootModules = []string{
		"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover", "net_failover",
		"virtio_net", "virtio_blk",
	}
	laterModules = []string{"button", "evdev", "virtio-rng", "pvpanic", "pvpanic-mmio"}
)

// Tiny is a small guest for tests and quick trials: Debian's cloud kernel, busybox, dropbear.
func Tiny(ctx context.Context, cacheDir string, progress func(string)) (Built, error) {
	tree, err := fs.Sub(guest, "guest/tiny")
	if err != nil {
		return Built{}, err
	}
	key := digest(recipe, treeDigest(tree), tinyAppend, fmt.Sprint(tinySizeMiB, tinyPackages, bootModules, laterModules))
	return build(ctx, filepath.Join(cacheDir, "tiny-"+key[:12]), func(work string) (Built, error) {
		t := tiny{work: work, tree: tree, stage: filepath.Join(work, "stage"), progress: progress}
		return t.make(ctx, key)
	})
}

// tiny is one run of the recipe.
type tiny struct {
	work, stage string
	tree        fs.FS
	debs        *debs
	kernel      string // its release
	progress    func(string)
}

func (t *tiny) make(ctx context.Context, key string) (Built, error) {
	kernel, err := dependency(ctx, "linux-image-cloud-amd64", t.progress)
	if err != nil {
		return Built{}, err
	}
	t.kernel = strings.TrimPrefix(kernel, "linux-image-")
	if t.debs, err = fetch(ctx, filepath.Join(t.work, "packages"), append([]string{kernel}, tinyPackages...),
		t.progress); err != nil {
		return Built{}, err
	}
	b := Built{
		Name: "tiny", Description: "Debian's cloud kernel, busybox and dropbear; for tests and quick trials",
		RootDisk: "root.qcow2", Kernel: "vmlinuz", Initrd: "initrd", Append: tinyAppend,
		SizeGiB: tinySizeMiB / 1024, User: "admin", Packages: t.debs.packages,
	}
	versions := []string{key}
	for _, p := range b.Packages {
		versions = append(versions, p.Name, p.SHA256)
	}
	b.Digest = digest(versions...)
	t.progress("making the initial file system")
	if err := t.makeInitramfs(filepath.Join(t.work, b.Initrd)); err != nil {
		return Built{}, err
	}
	vmlinuz, err := t.debs.find("boot/vmlinuz-" + t.kernel)
	if err != nil {
		return Built{}, err
	}
	t.progress("making the root disk")
	if err := errors.Join(copyFile(vmlinuz, filepath.Join(t.work, b.Kernel), 0o444), t.makeRoot(ctx)); err != nil {
		return Built{}, err
	}
	if err := makeDisk(ctx, t.stage, filepath.Join(t.work, b.RootDisk), "tiny", tinySizeMiB,
		"lazy_itable_init=1,lazy_journal_init=1"); err != nil {
		return Built{}, err
	}
	return b, errors.Join(os.RemoveAll(t.stage), os.RemoveAll(t.debs.dir))
}

func (t *tiny) module(name string) (string, error) {
	root, err := t.debs.find("lib/modules/" + t.kernel)
	if err != nil {
		return "", err
	}
	var found string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == name+".ko" {
			found = path
			return fs.SkipAll
		}
		return err
	})
	if err == nil && found == "" {
		err = fmt.Errorf("kernel %s has no module %s", t.kernel, name)
	}
	return found, err
}

// makeInitramfs leaves it uncompressed: reading it costs the emulator less than decompressing it costs the guest.
func (t *tiny) makeInitramfs(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	a := newArchive(f)
	for _, dir := range []string{"bin", "dev", "modules", "proc", "root"} {
		a.dir(dir)
	}
	a.device("dev/console", 5, 1)
	busybox, err := t.debs.find("bin/busybox")
	if err != nil {
		return err
	}
	a.copy("bin/busybox", 0o755, busybox)
	init, err := fs.ReadFile(t.tree, "initramfs/init")
	if err != nil {
		return err
	}
	a.file("init", 0o755, init)
	a.file("modules/order", 0o644, lines(bootModules))
	for _, m := range bootModules {
		path, err := t.module(m)
		if err != nil {
			return err
		}
		a.copy("modules/"+m+".ko", 0o644, path)
	}
	return errors.Join(a.close(), f.Sync())
}

func lines(s []string) []byte { return []byte(strings.Join(s, "\n") + "\n") }

// makeRoot lays out the root file system in t.stage.
func (t *tiny) makeRoot(ctx context.Context) error {
	for _, dir := range []string{
		"bin", "dev", "etc/dropbear", "home", "lib/slipway/modules", "lib64", "mnt", "proc", "run", "sbin", "sys",
		"usr/bin", "usr/sbin", "var/lib/slipway", "var/log", "var/www",
	} {
		if err := os.MkdirAll(filepath.Join(t.stage, dir), 0o755); err != nil {
			return err
		}
	}
	for _, home := range []string{"root", "home/admin", "home/ec2-user"} {
		if err := os.MkdirAll(filepath.Join(t.stage, home, ".ssh"), 0o700); err != nil {
			return err
		}
	}
	tmp := filepath.Join(t.stage, "tmp")
	if err := errors.Join(os.Mkdir(tmp, 0o777), os.Chmod(tmp, 0o777|fs.ModeSticky),
		os.Symlink("/run", filepath.Join(t.stage, "var/run"))); err != nil {
		return err
	}
	root, err := fs.Sub(t.tree, "root")
	if err != nil {
		return err
	}
	if err := t.copyTree(root); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(t.stage, "lib/slipway/modules/order"), lines(laterModules), 0o644); err != nil {
		return err
	}
	for _, m := range laterModules {
		path, err := t.module(m)
		if err == nil {
			err = copyFile(path, filepath.Join(t.stage, "lib/slipway/modules", m+".ko"), 0o644)
		}
		if err != nil {
			return err
		}
	}
	for _, program := range []string{"usr/sbin/dropbear", "usr/bin/dropbearkey", "usr/bin/dbclient", "sbin/resize2fs"} {
		if err := t.program(program); err != nil {
			return err
		}
	}
	const loader = "ld-linux-x86-64.so.2" // where programs look for it
	if err := os.Symlink("/lib/x86_64-linux-gnu/"+loader, filepath.Join(t.stage, "lib64", loader)); err != nil {
		return err
	}
	return t.busybox(ctx)
}

// copyTree copies the recipe's own files. What begins as a script is executable.
func (t *tiny) copyTree(root fs.FS) error {
	return fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(t.stage, path)
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		b, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(string(b), "#!") {
			mode = 0o755
		}
		if path == "etc/shadow" {
			mode = 0o600
		}
		return os.WriteFile(to, b, mode)
	})
}

// busybox puts busybox in place with a link for each of its names, where nothing better has the name.
func (t *tiny) busybox(ctx context.Context) error {
	from, err := t.debs.find("bin/busybox")
	if err != nil {
		return err
	}
	if err := copyFile(from, filepath.Join(t.stage, "bin/busybox"), 0o755); err != nil {
		return err
	}
	list, err := run(ctx, "", from, "--list-full")
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(list)) {
		link := filepath.Join(t.stage, name)
		if name == "bin/busybox" ||
			slices.Contains([]string{"linuxrc", "usr/bin/dpkg", "usr/bin/dpkg-deb", "usr/bin/rpm"}, name) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("/bin/busybox", link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// program copies a dynamically linked program with all the libraries it needs.
func (t *tiny) program(path string) error {
	from, err := t.debs.find(path)
	if err != nil {
		return err
	}
	to := filepath.Join(t.stage, path)
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := copyFile(from, to, 0o755); err != nil {
		return err
	}
	file, err := elf.Open(from)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, lib := range libraries {
		if err := t.library(lib); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (t *tiny) library(name string) error {
	var errs []error
	for _, dir := range []string{"lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"} {
		err := t.program(filepath.Join(dir, name))
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close())
}
