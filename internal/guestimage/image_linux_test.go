package guestimage

import (
	"os/exec"
	"testing"
	"time"
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
