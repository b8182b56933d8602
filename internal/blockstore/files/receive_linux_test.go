package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/diskimage"
	"slipway/internal/qcow2"
)

// elsewhere is a file's image as one that is fetched.
func elsewhere(file string, format diskimage.Format) blockstore.Received {
	return blockstore.Received{
		Format: format, MaxGiB: 16, Converted: func(float64) {}, Fetch: func(_ context.Context, to *os.File) error {
			from, err := os.Open(file)
			if err != nil {
				return err
			}
			defer from.Close()
			_, err = io.Copy(to, from)
			return err
		},
	}
}

// left are the files below the snapshots' folder.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func qemuImg(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img %v: %v: %s", args, err, out)
	}
}

// TestEveryFormatKeepsTheContent: what the image's disk holds is what the snapshot's holds, encrypted or not.
func TestEveryFormatKeepsTheContent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	raw := filepath.Join(t.TempDir(), "raw")
	content := make([]byte, 3<<20)
	for i := range content[:2<<20] {
		content[i] = byte(i * 7 >> 3)
	}
	content[510], content[511] = 0x55, 0xaa
	if err := os.WriteFile(raw, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, driver string
		format       diskimage.Format
		options      []string
		secret       []byte
	}{
		{"raw", "raw", diskimage.RAW, nil, nil},
		{"compressed qcow2", "qcow2", diskimage.QCOW2, []string{"-c"}, nil},
		{"monolithicSparse VMDK", "vmdk", diskimage.VMDK, nil, nil},
		{"streamOptimized VMDK", "vmdk", diskimage.VMDK, []string{"-o", "subformat=streamOptimized"}, nil},
		{"streamOptimized VMDK, to be encrypted", "vmdk", diskimage.VMDK, []string{"-o", "subformat=streamOptimized"},
			[]byte("secret")},
		{"dynamic VHD", "vpc", diskimage.VHD, []string{"-o", "force_size=on"}, nil},
		{"fixed VHD", "vpc", diskimage.VHD, []string{"-o", "subformat=fixed,force_size=on"}, nil},
		{"VHDX", "vhdx", diskimage.VHDX, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image")
			qemuImg(t, append(append([]string{"convert", "-f", "raw", "-O", tt.driver}, tt.options...), raw, file)...)
			id, heard := slipway.NewSnapshotID(), 0.0
			image := elsewhere(file, tt.format)
			image.Secret, image.Boots, image.Converted = tt.secret, true, func(percent float64) { heard = percent }
			if gib, err := s.ReceiveSnapshot(t.Context(), image, id); err != nil || gib != 1 || heard != 100 {
				t.Fatalf("ReceiveSnapshot = %d GiB, %v after %v %%, want 1 GiB after 100 %%", gib, err, heard)
			}
			path, _ := s.SnapshotPath(id)
			if h, err := qcow2.Read(path); err != nil || h.Encrypted != (tt.secret != nil) {
				t.Errorf("encrypted = %v (%v)", h.Encrypted, err)
			}
			plain := slipway.NewSnapshotID()
			if err := s.CopySnapshot(t.Context(), id, plain, tt.secret, nil); err != nil {
				t.Fatal(err)
			}
			path, _ = s.SnapshotPath(plain)
			back := filepath.Join(t.TempDir(), "back")
			qemuImg(t, "convert", "-f", "qcow2", "-O", "raw", path, back)
			if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, content) {
				t.Errorf("the content differs (%d bytes, %v)", len(got), err)
			}
		})
	}
	for _, name := range left(t, dir) {
		if strings.Contains(name, partial) {
			t.Errorf("%s is left", name)
		}
	}
}

// TestWhatCannotBeConvertedLeavesNothing: refused by its header, by qemu-img, or for want of a boot record.
func TestWhatCannotBeConvertedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	empty := filepath.Join(t.TempDir(), "empty")
	qemuImg(t, "create", "-q", "-f", "qcow2", empty, "2M")
	overlay := filepath.Join(t.TempDir(), "overlay")
	qemuImg(t, "create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", overlay)
	damaged := filepath.Join(t.TempDir(), "damaged")
	qemuImg(t, "create", "-q", "-f", "qcow2", damaged, "2M")
	f, err := os.OpenFile(damaged, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{0, 0, 0, 99}, 36) // the size of the first table of clusters
	f.WriteAt([]byte{0xff}, 40)        // and where it lies
	f.Close()
	for _, tt := range []struct{ name, file, says string }{
		{"an overlay", overlay, "overlay"}, {"a disk without a boot record", empty, "No bootable partition"},
		{"a damaged image", damaged, "cannot be read"},
	} {
		image := elsewhere(tt.file, diskimage.QCOW2)
		image.Boots = true
		_, err := s.ReceiveSnapshot(t.Context(), image, slipway.NewSnapshotID())
		if _, refused := errors.AsType[*diskimage.Refusal](err); !refused || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want a refusal naming %q", tt.name, err, tt.says)
		}
		if files := left(t, dir); len(files) > 0 {
			t.Errorf("%s: left are %v", tt.name, files)
		}
	}
}

// TestTheConverterHasNoRights is the last line of defence: a descriptor that got past the check finds no file of the host's.
func TestTheConverterHasNoRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give rights up")
	}
	s := open(t, t.TempDir())
	secret, descriptor := filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "descriptor")
	if err := os.WriteFile(secret, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"" +
		secret + "\" 0\n"
	if err := os.WriteFile(descriptor, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	qemuImg(t, "info", "-f", "vmdk", descriptor) // as root, QEMU follows it
	f, err := os.Open(descriptor)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := conversion{s: s, image: elsewhere(descriptor, diskimage.VMDK), file: f}
	if err := c.run(t.Context(), filepath.Join(t.TempDir(), "target"), 4096); err == nil ||
		!strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a descriptor that names root's file: %v, want that it may not be opened", err)
	}
}

// TestAFullDiskEndsAnImport before there is no room for the machines' volumes.
func TestAFullDiskEndsAnImport(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("slipway-test", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	s, err := New(dir, 0x70000000-1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Skip(err)
	}
	_, err = s.ReceiveSnapshot(t.Context(), elsewhere(pattern(t, "x"), diskimage.RAW), slipway.NewSnapshotID())
	if files := left(t, dir); !errors.Is(err, blockstore.ErrFull) || len(files) > 0 {
		t.Errorf("ReceiveSnapshot = %v, leaving %v, want %v and nothing", err, files, blockstore.ErrFull)
	}
}
