// Package golden compares text that slipway emits, such as command lines and firewall rules, with files under testdata. It is
// for tests only: with -update they rewrite the files, whose difference is then reviewed like code.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Match compares text with the file of the name.
func Match(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: -update rewrites it. got:\n%s", path, got)
	}
}
