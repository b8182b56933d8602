package slipway_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rank orders the packages: imports go to a smaller number only. Packages of one rank do not know each other.
var rank = map[string]int{
	"slipway": 0,

	"slipway/internal/store": 10, "slipway/internal/ec2query": 10, "slipway/internal/sigv4": 10,
	"slipway/internal/placement":  10,
	"slipway/internal/hypervisor": 10, "slipway/internal/dataplane": 10, "slipway/internal/blockstore": 10,
	"slipway/internal/qcow2": 8, "slipway/internal/diskimage": 9, "slipway/internal/golden": 5,
	"slipway/internal/gate": 4, "slipway/internal/qmp": 6, "slipway/internal/screenshot": 7, "slipway/internal/processes": 5,
	"slipway/internal/cgroup": 5, "slipway/internal/hostusers": 5,
	"slipway/internal/await": 5, "slipway/internal/guard": 4, "slipway/internal/thread": 5, "slipway/internal/jail": 6,
	"slipway/internal/durable": 4, "slipway/internal/certificates": 5, "slipway/internal/audit": 5, "slipway/internal/seal": 5,
	"slipway/internal/imds": 10, "slipway/internal/reconcile": 10, "slipway/internal/guestimage": 10,
	"slipway/internal/policy": 10, "slipway/internal/imagesource": 10, "slipway/internal/filters": 6,

	"slipway/internal/iamwire": 11, "slipway/internal/stswire": 11, "slipway/internal/ssmwire": 11,
	"slipway/internal/ec2wire": 11, "slipway/internal/store/etcd": 11, "slipway/internal/store/memory": 11,
	"slipway/internal/store/adversary": 11, "slipway/internal/store/storetest": 11,
	"slipway/internal/qemuargs": 11, "slipway/internal/hypervisor/qemu": 12, "slipway/internal/hypervisor/fake": 11,
	"slipway/internal/hypervisor/hypervisortest": 11,
	"slipway/internal/blockstore/files":          11, "slipway/internal/blockstore/fake": 11,
	"slipway/internal/blockstore/blockstoretest": 11,

	"slipway/internal/state": 20, "slipway/internal/hostapi": 20, "slipway/internal/shape": 20,
	"slipway/internal/describe": 25, "slipway/internal/action": 25,

	"slipway/internal/accounts": 30, "slipway/internal/consistency": 30, "slipway/internal/addresses": 30,
	"slipway/internal/instancetypes": 30,
	"slipway/internal/keypairs":      30, "slipway/internal/regions": 30, "slipway/internal/tags": 30,
	"slipway/internal/volumes": 30,
	"slipway/internal/vpcs":    30, "slipway/internal/launchtemplates": 30, "slipway/internal/placementgroups": 30,
	"slipway/internal/prefixlists": 30, "slipway/internal/timelines": 30, "slipway/internal/peerings": 30,

	"slipway/internal/networkacls": 40, "slipway/internal/interfacespec": 30, "slipway/internal/firstrules": 20,
	"slipway/internal/instancedefaults": 47, "slipway/internal/launchspec": 46,
	"slipway/internal/capacity": 42, "slipway/internal/admission": 48,
	"slipway/internal/securitygroups": 40, "slipway/internal/interfaces": 45, "slipway/internal/snapshots": 40,
	"slipway/internal/imports": 50, "slipway/internal/instances": 50, "slipway/internal/natgateways": 50,
	"slipway/internal/hosts": 60, "slipway/internal/capacityreservations": 60, "slipway/internal/dedicatedhosts": 60,
	"slipway/internal/spot": 60, "slipway/internal/fleets": 60, "slipway/internal/images": 60,
	"slipway/internal/computehost": 76, "slipway/internal/controlplane": 76, "slipway/internal/apitest": 78,
	"slipway/internal/iam": 40, "slipway/internal/parameters": 40,
	"slipway/internal/server": 70, "slipway/internal/agent": 70,
	"slipway/cmd/slipway": 80, "slipway/test/e2e": 80, "slipway/test/conformance": 80, "slipway/test/torture": 80,
	"slipway/internal/traces": 5,
}

type listed struct {
	ImportPath, Doc  string
	Imports, GoFiles []string
}

// packages are those of both modules: the product's, and test's.
func packages(t *testing.T) []listed {
	t.Helper()
	return append(packagesOf(t, "."), packagesOf(t, "test")...)
}

func packagesOf(t *testing.T, module string) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-C", module, "-json=ImportPath,Doc,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestClientsAreTheTestsOwn: whoever builds slipway, or answers for what it is built of, has nothing to do with the clients
// of EC2 that drive it in tests; and these are tests of the product with the versions that it is built with.
func TestClientsAreTheTestsOwn(t *testing.T) {
	required := regexp.MustCompile(`(?m)^\t(\S+) (v\S+)`)
	product := map[string]string{}
	for _, m := range required.FindAllStringSubmatch(read(t, "go.mod"), -1) {
		product[m[1]] = m[2]
		if strings.Contains(m[1], "aws-sdk-go-v2/service/") {
			t.Errorf("go.mod requires %s: what drives EC2 belongs to test/go.mod", m[1])
		}
	}
	clients, shared := 0, 0
	for _, m := range required.FindAllStringSubmatch(read(t, "test/go.mod"), -1) {
		if strings.Contains(m[1], "aws-sdk-go-v2/service/") {
			clients++
		}
		if version, both := product[m[1]]; both {
			shared++
			if version != m[2] {
				t.Errorf("test/go.mod requires %s %s, go.mod %s: `go mod tidy` in both", m[1], m[2], version)
			}
		}
	}
	if clients < 4 || shared < 10 {
		t.Errorf("%d clients and %d modules of both were found: the test looks at the wrong places", clients, shared)
	}
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range packages(t) {
		own, ok := rank[p.ImportPath]
		if !ok {
			t.Errorf("%s has no rank: give it one in tree_test.go", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if to, ours := rank[imp]; ours && to >= own {
				t.Errorf("%s imports %s: imports go down. Move the shared part below both, or the caller above.",
					p.ImportPath, imp)
			}
		}
	}
}

// TestRoomsKnowNothingOfHTTP: what an action means does not depend on how it came. The front speaks HTTP, and nobody
// between the records and the front.
func TestRoomsKnowNothingOfHTTP(t *testing.T) {
	rooms := 0
	for _, p := range packages(t) {
		if r := rank[p.ImportPath]; r < rank["slipway/internal/state"] || r >= rank["slipway/internal/server"] {
			continue
		}
		rooms++
		if slices.Contains(p.Imports, "net/http") {
			t.Errorf("%s imports net/http. What it needs of a request belongs into slipway.Call.", p.ImportPath)
		}
	}
	if rooms < 30 {
		t.Errorf("%d rooms were looked at", rooms)
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(strings.Fields(p.Doc)) < 6 {
			t.Errorf("%s has no package comment: what is it, who are its neighbours, what must it not do?", p.ImportPath)
		}
	}
}

// guarded are the packages that serve foreign input or work in the background: a panic or a lost stream there must not
// end the process, nor anything else but itself, so each goroutine of theirs begins with internal/guard (or
// internal/thread, which is built on it).
var guarded = []string{
	"internal/agent", "internal/dataplane", "internal/imds", "internal/hypervisor/qemu", "internal/qmp",
	"internal/processes", "internal/reconcile",
	"internal/blockstore/files", "internal/imagesource", "internal/computehost", "internal/controlplane", "cmd/slipway",
}

func TestGoroutinesAreGuarded(t *testing.T) {
	starts := 0
	for _, dir := range guarded {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s: a goroutine of its own: start it by guard.Go", set.Position(n.Pos()))
				case *ast.CallExpr:
					f, ok := n.Fun.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					on, _ := f.X.(*ast.Ident)
					switch called := f.Sel.Name; {
					case on != nil && on.Name == "guard":
						starts++
					case called == "AfterFunc" && on != nil && on.Name == "time":
						if _, plain := n.Args[1].(*ast.FuncLit); plain {
							t.Errorf("%s: a timer of its own: start it by guard.After", set.Position(n.Pos()))
						}
					case called == "Go":
						t.Errorf("%s: a goroutine of its own: start it by guard.Group", set.Position(n.Pos()))
					}
				}
				return true
			})
		}
	}
	if starts < 20 {
		t.Errorf("%d guarded starts were found: the test looks at the wrong places", starts)
	}
}

// TestSpansAreOfAClockThatNobodySets: a time that is kept as a number has lost the monotonic clock's reading, so a
// span from it to now is hours when somebody sets the clock. Numbers are for what leaves the process.
func TestSpansAreOfAClockThatNobodySets(t *testing.T) {
	number := regexp.MustCompile(`time\.Now\(\)\.Unix`)
	looked := 0
	for _, root := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			looked += strings.Count(string(b), "time.Now()")
			if number.Match(b) {
				t.Errorf("%s keeps the present time as a number: keep the time.Time", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 10 {
		t.Errorf("the present time is asked for %d times: the test looks at the wrong places", looked)
	}
}
