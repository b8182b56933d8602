package conformance

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// javaScriptVersion is the client's whose schema slipway's shapes are generated from.
const javaScriptVersion = "3.1169.0"

//go:embed javascript.mjs
var javaScript string

// TestJavaScriptWaitersAndPaginators runs javascript.mjs on npm's client.
func TestJavaScriptWaitersAndPaginators(t *testing.T) {
	s := serve(t)
	s.record("@aws-sdk/client-ec2, waiters and paginators", javaScriptVersion+", node "+version(t, "node", "--version"),
		"every waiter about what slipway serves, and every Describe that it pages: `test/conformance/javascript.mjs`")
	dir := t.TempDir()
	s.command(exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", dir,
		"@aws-sdk/client-ec2@"+javaScriptVersion))
	path := filepath.Join(dir, "javascript.mjs")
	if err := os.WriteFile(path, []byte(javaScript), 0o644); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("node", path)
	run.Env = s.env("IMAGE=" + *s.image(s.client(), "amazon", "tiny-*").ImageId)
	out := s.command(run)
	t.Log(out)
	paged := strings.Fields(regexp.MustCompile(`(?m)^paged (.*)$`).FindString(out))
	if len(paged) < 40 {
		t.Errorf("%d Describes are paged, want 40 and more: %v", len(paged), paged)
	}
}
