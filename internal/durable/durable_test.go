package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"slipway/internal/durable"
)

func TestSync(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := durable.Sync(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(file, []byte("a"), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, dir} {
		if err := durable.Sync(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := durable.Sync("/dev/null"); err == nil {
		t.Error("what cannot be flushed is said to be")
	}
}
