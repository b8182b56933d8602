package main

import (
	"os"
	"strings"
	"testing"
)

// TestTheOperatorsCommandsExist: docs/operations.md gives no command that slipway does not know.
func TestTheOperatorsCommandsExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "slipway" || strings.HasPrefix(line, " ") {
			continue
		}
		found++
		if !strings.Contains(usage, "\n  slipway "+words[1]) {
			t.Errorf("`slipway help` does not list %q", strings.TrimSpace(line))
		}
		if words[1] == "version" {
			continue
		}
		if _, _, err := readConfig(words[1], words[2:], func(string) string { return "" }, nil); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if found < 8 {
		t.Errorf("%d commands were found: the test looks at the wrong place", found)
	}
}
