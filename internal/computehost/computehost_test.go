package computehost_test

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/internal/computehost"
)

// TestTheTokenKeyIsKept: guests' metadata tokens outlive a restart, nobody else reads the key, and what is damaged is
// said, not replaced.
func TestTheTokenKeyIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.key")
	first, err := computehost.TokenKey(file)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := computehost.TokenKey(file); err != nil || again != first {
		t.Errorf("another key after a restart: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v (%v)", info.Mode(), err)
	}
	if other, err := computehost.TokenKey(filepath.Join(t.TempDir(), "tokens.key")); err != nil || other == first {
		t.Errorf("another installation has the same key (%v)", err)
	}
	if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := computehost.TokenKey(file); err == nil {
		t.Error("a damaged key is taken")
	}
}
