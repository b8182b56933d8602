// Package traces finds what a slipway has on this host beside the files of its state directory, so that tests can tell
// that nothing is left: processes, control groups, namespaces, links and rules. Tests that drive the built slipway use
// it; it must not mend anything.
package traces

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Of are the traces of the installation in a state directory that has the slot, one a line, sorted; slot is -1 for one
// without machines.
func Of(state string, slot int) ([]string, error) {
	out := append(Processes(state), groups(state)...)
	if slot >= 0 {
		network, err := network(slot)
		if err != nil {
			return nil, err
		}
		out = append(out, network...)
	}
	slices.Sort(out)
	return out, nil
}

// Processes are the QEMUs that have the state directory's files.
func Processes(state string) (out []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range processes {
		b, err := os.ReadFile(p)
		if words := strings.Split(string(b), "\x00"); err == nil && strings.Contains(words[0], "qemu") &&
			strings.Contains(string(b), state+"/") {
			out = append(out, "process "+strings.Join(words[:min(3, len(words))], " "))
		}
	}
	return out
}

func groups(state string) (out []string) {
	sum := sha256.Sum256([]byte(filepath.Join(state, "machines")))
	key := hex.EncodeToString(sum[:6])
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, "/slipway/"+key) {
			out = append(out, "control group "+path)
		}
		return nil
	})
	return out
}

func network(slot int) ([]string, error) {
	prefix := fmt.Sprintf("sw%02d-", slot)
	out, _ := filepath.Glob("/run/netns/" + prefix + "*")
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if strings.HasPrefix(l.Name, prefix) {
			out = append(out, "link "+l.Name)
		}
	}
	rules, err := exec.Command("nft", "list", "ruleset").Output()
	if err != nil {
		return nil, fmt.Errorf("nft: %w", err)
	}
	for _, table := range strings.Split(string(rules), "\ntable ") {
		if strings.Contains(table, prefix) {
			for line := range strings.Lines(table) {
				out = append(out, "rule "+strings.TrimSpace(line))
			}
		}
	}
	return out, nil
}

// Slot is the state directory's place among the installations on this machine; -1: it has none, because it has no machines.
func Slot(state string) int {
	b, err := os.ReadFile(filepath.Join(state, "slot"))
	var n int
	if _, scanned := fmt.Sscan(string(b), &n); err != nil || scanned != nil {
		return -1
	}
	return n
}

// Book remembers which installations a test binary has had.
type Book struct {
	mu  sync.Mutex
	had map[string]had // by state directory
}

type had struct {
	slot int
	by   string
}

// Note takes down an installation, which is up, and the test that uses it.
func (b *Book) Note(state, by string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.had == nil {
		b.had = map[string]had{}
	}
	b.had[state] = had{Slot(state), by}
}

// Left are the traces of all of them, when all have ended. What has a slot that is another installation's by now is that one's.
func (b *Book) Left() (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, state := range slices.Sorted(maps.Keys(b.had)) {
		h := b.had[state]
		owner, _ := os.ReadFile(fmt.Sprintf("/run/slipway/slot%02d", h.slot))
		if strings.TrimSpace(string(owner)) != state {
			h.slot = -1
		}
		left, err := Of(state, h.slot)
		if err != nil {
			left = append(left, err.Error())
		}
		for _, line := range left {
			out = append(out, h.by+": "+line)
		}
	}
	return out
}
