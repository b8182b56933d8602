package computehost

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/internal/agent"
	"slipway/internal/hostapi"
	"slipway/internal/traces"
)

// TestAHostThatDoesNotOpenLeavesNothing: what was made before the fault was found goes with it.
func TestAHostThatDoesNotOpenLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a real host needs root")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("a real host needs qemu-system-x86_64: `make deps` installs it")
	}
	dir, err := os.MkdirTemp("/var/tmp", "sw") // sockets in it need a short name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "tokens.key"), []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{ID: "local", Accel: "tcg", Dir: dir, RunDir: dir, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	var api struct{ hostapi.Host }
	var sources struct{ agent.Sources }
	if _, err := Open(c, api, sources); err == nil || !strings.Contains(err.Error(), "tokens.key") {
		t.Fatalf("Open = %v, want what is wrong with tokens.key", err)
	}
	left, err := traces.Of(dir, -1)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
