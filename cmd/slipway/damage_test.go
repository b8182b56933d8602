package main

import (
	"os"
	"slipway/internal/computehost"
	"strings"
	"testing"
)

// A file of the state directory that cannot be read is not absent: making a new one in its place would lose what it says.
func TestDamagedFilesAreNotReplaced(t *testing.T) {
	for name, open := range map[string]func(*devRun) error{
		"credentials.json": func(d *devRun) error { _, err := d.firstAccount(t.Context()); return err },
		"tokens.key":       func(d *devRun) error { _, err := computehost.TokenKey(d.dir.join("tokens.key")); return err },
		"slot":             func(d *devRun) error { _, err := d.dir.slot(); return err },
	} {
		d := &devRun{dir: stateDir{path: t.TempDir()}}
		file := d.dir.join(name)
		if err := os.WriteFile(file, []byte("{half"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := open(d)
		if err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s that is damaged: %v, want one line that names it", name, err)
		}
		if b, _ := os.ReadFile(file); string(b) != "{half" {
			t.Errorf("%s was replaced by %q", name, b)
		}
	}
}
