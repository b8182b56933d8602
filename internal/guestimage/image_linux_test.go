package guestimage

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/internal/qcow2"
)

func requirePrograms(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

func TestTinyIsMadeOnce(t *testing.T) {
	requirePrograms(t, "apt-get", "dpkg-deb", "mke2fs", "qemu-img")
	progress := func(s string) { t.Log(s) }
	began := time.Now()
	b, err := Tiny(t.Context(), DefaultCacheDir(), progress)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s in %v", b.Dir, time.Since(began))
	again, err := Tiny(t.Context(), DefaultCacheDir(), func(s string) { t.Errorf("the second build does something: %s", s) })
	if err != nil || again.Digest != b.Digest {
		t.Errorf("second Tiny = %q, %v, want %q", again.Digest, err, b.Digest)
	}
}

// bootRecord is the smallest disk that a loader would try.
func bootRecord(t *testing.T, name string, size int) string {
	t.Helper()
	disk := make([]byte, size)
	disk[510], disk[511] = 0x55, 0xaa
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImportTakesRawAndQcow2(t *testing.T) {
	requirePrograms(t, "qemu-img")
	raw := bootRecord(t, "cloud.raw", 3<<30/2)
	packed := raw + ".qcow2"
	if out, err := exec.Command("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw,
		packed).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cache := t.TempDir()
	quiet := func(string) {}
	for _, tt := range []struct {
		file string
		as   Import
	}{
		{raw, Import{Name: "mine", User: "ubuntu"}},
		{packed, Import{Name: "theirs", UEFI: true}},
	} {
		t.Run(tt.as.Name, func(t *testing.T) {
			b, err := ImportFile(t.Context(), cache, tt.file, tt.as, quiet)
			if err != nil {
				t.Fatal(err)
			}
			if b.Name != tt.as.Name || b.User != tt.as.User || b.UEFI != tt.as.UEFI || b.Kernel != "" || b.SizeGiB != 2 {
				t.Errorf("ImportFile = %+v", b)
			}
			if h, err := qcow2.Read(b.RootDisk); err != nil || h.Size != 3<<30/2 {
				t.Errorf("its disk is %+v, %v", h, err)
			}
			again, err := ImportFile(t.Context(), cache, tt.file, tt.as, func(s string) {
				if strings.HasPrefix(s, "copying") {
					t.Error("the second import copies again")
				}
			})
			if err != nil || again.Dir != b.Dir {
				t.Errorf("second ImportFile = %s, %v, want %s", again.Dir, err, b.Dir)
			}
		})
	}
}

func TestImportRefuses(t *testing.T) {
	requirePrograms(t, "qemu-img")
	good, cache := bootRecord(t, "cloud.raw", 1<<20), t.TempDir()
	overlay := filepath.Join(t.TempDir(), "overlay.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", good, "-F", "raw",
		overlay).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	claims := filepath.Join(t.TempDir(), "empty.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", claims, "60T").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	compressed := filepath.Join(t.TempDir(), "cloud.raw.xz")
	if err := os.WriteFile(compressed, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, as, want string }{
		{"a file that is not there", good + ".none", "mine", "no such file"},
		{"an overlay", overlay, "mine", "stand alone"},
		{"what has no boot record", compressed, "mine", "no boot record"},
		{"no name", good, "", "are a name"},
		{"a name that leads elsewhere", good, "../mine", "are a name"},
		{"the name of a recipe", good, "debian-12", "slipway makes"},
		{"a small file that claims to be 60 TiB", claims, "mine", "imports.max_gib"},
		{"a name that would pass for a recipe's", good, "tiny-mine", "slipway makes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ImportFile(t.Context(), cache, tt.file, Import{Name: tt.as, MaxGiB: 4096},
				func(string) {}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ImportFile = %v, want %q", err, tt.want)
			}
		})
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		if filepath.Ext(file) != ".lock" {
			t.Errorf("a refused import leaves %s", file)
		}
	}
}
