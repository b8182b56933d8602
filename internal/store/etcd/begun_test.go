package etcd_test

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/internal/store/etcd"
)

// TestWhatAKilledBeginningLeftIsCounted: a first start that was killed leaves its log, which is as large as what the next one asks for.
func TestWhatAKilledBeginningLeftIsCounted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etcd")
	if n := etcd.Begun(dir); n != 0 {
		t.Errorf("of nothing: %d bytes", n)
	}
	log := filepath.Join(dir+".new", "member", "wal")
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := etcd.Begun(dir); n < 3<<20 || n > 4<<20 {
		t.Errorf("of 3 MiB: %d bytes", n)
	}
}
