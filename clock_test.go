package slipway_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ownClock are the files below internal/ that may read the clock, wait by it, or draw lots by themselves, and why. All
// others are handed what they need of it, so that a test says what time it is and repeats by its seed.
var ownClock = map[string]string{
	"internal/apitest/actors.go":                           "test support: what AWS's signer is told",
	"internal/apitest/wire.go":                             "test support: the seed, and what AWS's signer is told",
	"internal/apitest/world.go":                            "test support: policies that expire",
	"internal/await/await.go":                              "waits in tests for what other processes do",
	"internal/dataplane/probe_linux.go":                    "a socket's deadline",
	"internal/dataplane/services6_linux.go":                "a socket's deadline",
	"internal/guard/guard.go":                              "supervises goroutines; its tests run in a bubble",
	"internal/guestimage/image.go":                         "when an image was built, and another process's lock",
	"internal/hypervisor/fake/fake.go":                     "pretends that machines take time; its tests run in a bubble",
	"internal/hypervisor/hypervisortest/hypervisortest.go": "waits in tests for what a driver does",
	"internal/hypervisor/qemu/accel.go":                    "measures another process",
	"internal/hypervisor/qemu/disk.go":                     "follows another process",
	"internal/hypervisor/qemu/driver.go":                   "follows another process",
	"internal/processes/processes.go":                      "waits for another process",
	"internal/qmp/qmp.go":                                  "a socket's deadline",
	"internal/hypervisor/qemu/serial.go":                   "a socket's deadline",
	"internal/hypervisor/qemu/start.go":                    "a socket's deadline, and when a machine began",
	"internal/imagesource/s3.go":                           "a connection that says nothing is given up",
	"internal/server/away.go":                              "tells of many at once; its tests run in a bubble",
	"internal/store/etcd/embed.go":                         "follows another process",
	"internal/store/etcd/etcd.go":                          "pauses between tries to reach etcd",
	"internal/store/etcd/fence.go":                         "how long ago others committed, by the clock nobody sets",
	"internal/store/etcd/staged.go":                        "how long ago others began, by the clock nobody sets",
	"internal/store/etcd/turns.go":                         "pauses by chance, so that two who lost do not meet again",
}

// sleepers are the tests outside a bubble that sleep, and why.
var sleepers = map[string]string{
	"test/e2e/refusals_test.go":  "a kill comes at a moment that nothing foretells",
	"test/e2e/terraform_test.go": "polls as the provider does, and ends a step instead of a test",
}

// TestClocksAreHandedIn: a rule that reads the clock or draws lots by itself cannot be tested for what it does tomorrow,
// and a test that sleeps is slow on one machine and wrong on another.
func TestClocksAreHandedIn(t *testing.T) {
	own, asleep := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		test := strings.HasSuffix(path, "_test.go")
		if !test && !strings.HasPrefix(path, "internal/") {
			return nil
		}
		clock, sleeps, bubble := readsClock(t, path)
		if !test && clock {
			own[path] = true
		}
		if test && sleeps && !bubble {
			asleep[path] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ownClock", own, ownClock, "take the clock or the dice as a parameter")
	same(t, "sleepers", asleep, sleepers, "wait for the event (internal/await), or run in a bubble (testing/synctest)")
}

func same(t *testing.T, list string, found map[string]bool, listed map[string]string, advice string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if listed[path] == "" {
			t.Errorf("%s reads the clock, waits by it or draws lots: %s, or list it in %s with the reason", path, advice, list)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(listed)) {
		if !found[path] {
			t.Errorf("%s lists %s, which needs no exception", list, path)
		}
	}
}

// readsClock says whether a file calls the clock's functions or math/rand's own generator, whether it calls time.Sleep,
// and whether it knows bubbles. To hand time.Now in is no call of it.
func readsClock(t *testing.T, path string) (clock, sleeps, bubble bool) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, imp := range file.Imports {
		full, _ := strconv.Unquote(imp.Path.Value)
		name := filepath.Base(strings.TrimSuffix(full, "/v2"))
		if imp.Name != nil {
			name = imp.Name.Name
		}
		names[name] = full
		bubble = bubble || full == "testing/synctest"
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		switch names[pkg.Name] {
		case "time":
			clock = clock || slices.Contains([]string{"Now", "Sleep", "After", "NewTimer", "NewTicker", "AfterFunc", "Tick", "Since",
				"Until"}, sel.Sel.Name)
			sleeps = sleeps || sel.Sel.Name == "Sleep"
		case "math/rand", "math/rand/v2":
			clock = clock || !strings.HasPrefix(sel.Sel.Name, "New")
		}
		return true
	})
	return clock, sleeps, bubble
}
