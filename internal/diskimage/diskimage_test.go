package diskimage

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// made is an image as qemu-img makes it.
func made(tb testing.TB, format, size string, options ...string) []byte {
	tb.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		tb.Skip("qemu-img is not installed")
	}
	dir := tb.TempDir()
	raw, file := filepath.Join(dir, "raw"), filepath.Join(dir, "disk.img")
	for _, args := range [][]string{
		{"create", "-q", "-f", "raw", raw, size},
		append(append([]string{"convert", "-q", "-f", "raw", "-O", format}, options...), raw, file),
	} {
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			tb.Fatalf("qemu-img %v: %v: %s", args, err, out)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func check(b []byte, f Format) (int64, error) { return Check(bytes.NewReader(b), int64(len(b)), f) }

func TestImagesThatStandAlone(t *testing.T) {
	for _, tt := range []struct {
		name, driver string
		format       Format
		options      []string
	}{
		{"raw", "raw", RAW, nil},
		{"qcow2", "qcow2", QCOW2, nil},
		{"compressed qcow2", "qcow2", QCOW2, []string{"-c"}},
		{"qcow2 of the old version", "qcow2", QCOW2, []string{"-o", "compat=0.10"}},
		{"monolithicSparse", "vmdk", VMDK, nil},
		{"streamOptimized", "vmdk", VMDK, []string{"-o", "subformat=streamOptimized"}},
		{"dynamic VHD", "vpc", VHD, []string{"-o", "force_size=on"}},
		{"fixed VHD", "vpc", VHD, []string{"-o", "subformat=fixed,force_size=on"}},
		{"dynamic VHDX", "vhdx", VHDX, nil},
		{"fixed VHDX", "vhdx", VHDX, []string{"-o", "subformat=fixed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image := made(t, tt.driver, "3M", tt.options...)
			if got, err := check(image, tt.format); err != nil || got != 3<<20 {
				t.Errorf("Check = %d, %v, want %d", got, err, 3<<20)
			}
			for _, other := range Formats() {
				if other == tt.format || other == RAW && tt.format == VHD { // whose content is a raw disk's, but for its end
					continue
				}
				if _, err := check(image, other); err == nil {
					t.Errorf("it is taken for %s as well", other)
				}
			}
		})
	}
}

// TestImagesThatReferElsewhere are those by which a caller could have the host's files read.
func TestImagesThatReferElsewhere(t *testing.T) {
	qcow := func(change func(b []byte)) []byte {
		b := made(t, "qcow2", "3M")
		change(b)
		return b
	}
	vmdk := func(old, replacement string) []byte {
		b := made(t, "vmdk", "3M")
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("no %q in the descriptor", old)
		}
		return bytes.Replace(b, []byte(old),
			append([]byte(replacement), make([]byte, len(old))...)[:max(len(old), len(replacement))], 1)
	}
	vhd := func(change func(b []byte)) []byte {
		b := made(t, "vpc", "3M")
		change(b[len(b)-512:])
		copy(b, b[len(b)-512:])
		return b
	}
	vhdx := func(change func(metadata []byte)) []byte {
		b := made(t, "vhdx", "3M")
		at := bytes.Index(b, []byte("metadata"))
		change(b[at:])
		return b
	}
	for _, tt := range []struct {
		name, says string
		format     Format
		image      []byte
	}{
		{"a backing file", "overlay", QCOW2, qcow(func(b []byte) {
			big.PutUint64(b[8:], 1024)
			big.PutUint32(b[16:], uint32(copy(b[1024:], "/etc/passwd")))
		})},
		{"an external data file", "another file", QCOW2, qcow(func(b []byte) { b[79] |= 4 })},
		{"LUKS", "encrypted", QCOW2, qcow(func(b []byte) { big.PutUint32(b[32:], 2) })},
		{"the AES of old", "encrypted", QCOW2, qcow(func(b []byte) { big.PutUint32(b[32:], 1) })},
		{"a version of the future", "version 9", QCOW2, qcow(func(b []byte) { big.PutUint32(b[4:], 9) })},
		{"too large a disk", "largest volume", QCOW2, qcow(func(b []byte) { big.PutUint64(b[24:], MaxSize+512) })},
		{"a descriptor", "only a descriptor", VMDK,
			[]byte("# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"/etc/passwd\" 0\n" +
				strings.Repeat("\n", 512))},
		{"a header without capacity", "no capacity", VMDK,
			func() []byte { b := made(t, "vmdk", "3M"); little.PutUint64(b[12:], 0); return b }()},
		{"an extent elsewhere", "other than the image", VMDK, vmdk(`SPARSE "disk.img"`, `SPARSE "/etc/passwd"`)},
		{"a flat extent", "other than the image", VMDK, vmdk(`SPARSE "disk.img"`, `FLAT "passwd" 0`)},
		{"two extents", "several", VMDK, vmdk("# The Disk Data Base", "RW 6144 SPARSE \"b\"\n#")},
		{"a parent", "parent", VMDK, vmdk("# Extent description", "parentFileNameHint=\"/etc/passwd\"")},
		{"a parent where the header has no descriptor", "parent", VMDK, func() []byte {
			b := vmdk("# Extent description", "parentFileNameHint=\"/etc/passwd\"")
			little.PutUint64(b[28:], 0)
			return b
		}()},
		{"ESX's older form", "no VMDK header", VMDK, append([]byte("COWD"), make([]byte, 4096)...)},
		{"a footer without capacity", "footer", VMDK, func() []byte {
			b := made(t, "vmdk", "3M", "-o", "subformat=streamOptimized")
			little.PutUint64(b[56:], vmdkAtEnd)
			return append(b, make([]byte, 1536)...)
		}()},
		{"a differencing disk", "differencing", VHD, vhd(func(b []byte) { big.PutUint32(b[60:], vhdDifferencing) })},
		{"footers that differ", "Footers not identical", VHD, func() []byte { b := made(t, "vpc", "3M"); b[60]++; return b }()},
		{"a fixed disk that begins with a footer", "begins with a footer", VHD,
			vhd(func(b []byte) { big.PutUint32(b[60:], vhdFixed) })},
		{"a dynamic disk without the first footer", "copy of the footer", VHD,
			func() []byte { b := made(t, "vpc", "3M"); b[0] = 0; return b }()},
		{"a VHDX with a parent", "parent", VHDX, vhdx(func(m []byte) { m[64<<10+4] |= vhdxHasParent })},
		{"a VHDX with a locator", "parent", VHDX, vhdx(func(m []byte) { copy(m[32+32*4:], vhdxLocator) })},
		{"a VHDX without regions", "no size", VHDX,
			func() []byte { b := made(t, "vhdx", "3M"); clear(b[vhdxRegions : vhdxRegions+128<<10]); return b }()},
		{"another format called raw", "in the format QCOW2", RAW, made(t, "qcow2", "3M")},
		{"nothing", "too early", RAW, nil},
		{"half a header", "too early", VMDK, []byte("KDMV")},
	} {
		t.Run(string(tt.format)+": "+tt.name, func(t *testing.T) {
			_, err := check(tt.image, tt.format)
			if _, ours := errors.AsType[*Refusal](err); !ours || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Check = %v, want a refusal naming %q", err, tt.says)
			}
		})
	}
}

// FuzzCheck: whatever the file, Check ends, and what it takes has a size that can be.
func FuzzCheck(f *testing.F) {
	for i, driver := range []string{"raw", "vmdk", "vpc", "vhdx", "qcow2"} {
		b := made(f, driver, "1M")
		f.Add(b[:min(len(b), 512<<10)], i)
	}
	f.Fuzz(func(t *testing.T, b []byte, format int) {
		if format < 0 || format >= len(Formats()) {
			return
		}
		if size, err := check(b, Formats()[format]); err == nil && (size <= 0 || size > MaxSize) {
			t.Errorf("a disk of %d bytes is taken", size)
		}
	})
}
