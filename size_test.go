package slipway_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The bounds of what one reads at a time. Aim at less: lines of 120 columns, functions of a screen.
const (
	maxColumns  = 140
	maxFields   = 25
	maxFunction = 80   // lines, of tests too, without those of tables
	maxPackage  = 3000 // lines, without tests
	maxChain    = 10   // of packages that import each other
)

// larger are those that are larger for a reason.
var larger = map[string]string{
	"struct controlplane.ControlPlane": "one field a room",

	"function instances.makeFields":                            "a table of filters",
	"function instances.portFields":                            "a table of filters",
	"function instancetypes.requirements":                      "a table of what EC2 asks of types",
	"function storetest.each":                                  "a contract's cases",
	"function storetest.together":                              "a contract's cases",
	"function hosts.affected":                                  "a table of what a key's change concerns",
	"function conformance.TestGoWaiters":                       "one real life from end to end: each step stands on the one before",
	"function conformance.TestKarpenter":                       "one real life from end to end: each step stands on the one before",
	"function e2e.TestAVolumeThroughItsLife":                   "one real life from end to end: each step stands on the one before",
	"function e2e.TestGatewaysAndPeerings":                     "one real life from end to end: each step stands on the one before",
	"function e2e.TestLaunchFromATemplate":                     "one real life from end to end: each step stands on the one before",
	"function e2e.TestLaunchTemplateThroughItsLife":            "one real life from end to end: each step stands on the one before",
	"function e2e.TestLostRecordsComeBackWithTheGuestsRunning": "one real life from end to end: each step stands on the one before",
	"function e2e.TestNetworksAreReal":                         "one real life from end to end: each step stands on the one before",
	"function e2e.TestNetworksOfOnesOwn":                       "one real life from end to end: each step stands on the one before",
	"function e2e.TestOneInstanceThroughItsLife":               "one real life from end to end: each step stands on the one before",
	"function e2e.TestOptionsOfALaunchAreReal":                 "one real life from end to end: each step stands on the one before",
	"function e2e.TestPlacementGroupThroughItsLife":            "one real life from end to end: each step stands on the one before",

	"package .":                                "a table of codes and one of ids besides what is read",
	"package internal/ec2wire":                 "generated",
	"tests internal/apitest":                   "what tests stand on",
	"tests internal/await":                     "what tests stand on",
	"tests internal/golden":                    "what tests stand on",
	"tests internal/blockstore":                "an interface: blockstoretest is its contract",
	"tests internal/hypervisor":                "an interface: hypervisortest is its contract",
	"tests internal/hostapi":                   "an interface: agent and hosts are tested from both sides of it",
	"tests internal/store/storetest":           "a contract, run by the stores' tests",
	"tests internal/blockstore/blockstoretest": "a contract, run by the stores' tests",
	"tests internal/hypervisor/hypervisortest": "a contract, run by the drivers' tests",
}

// writtenFiles yields the tree's Go files that people write.
func writtenFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	out, set := map[string]*ast.File{}, token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "tools" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err == nil && !ast.IsGenerated(f) {
			out[path] = f
			fileSets[f] = set
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 300 {
		t.Fatalf("only %d files are looked at", len(out))
	}
	return out
}

var fileSets = map[*ast.File]*token.FileSet{}

// TestLinesAreNarrow: a line that is wider holds one string of data, which is not cut to pieces.
func TestLinesAreNarrow(t *testing.T) {
	for path, f := range writtenFiles(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		set := fileSets[f]
		data := map[int]bool{} // lines with a long string, or within a raw one
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && len(l.Value) > 60 {
				for line := set.Position(l.Pos()).Line; line <= set.Position(l.End()).Line; line++ {
					data[line] = true
				}
			}
			return true
		})
		for i, line := range strings.Split(string(b), "\n") {
			if n := utf8.RuneCountInString(line); n > maxColumns && !data[i+1] {
				t.Errorf("%s:%d has %d columns, more than %d", path, i+1, n, maxColumns)
			}
		}
	}
}

// steps are a function's lines without those that composite literals take: a table is read by the row.
func steps(set *token.FileSet, f *ast.FuncDecl) int {
	line := func(p token.Pos) int { return set.Position(p).Line }
	n := line(f.End()) - line(f.Pos()) + 1
	ast.Inspect(f, func(node ast.Node) bool {
		table, ok := node.(*ast.CompositeLit)
		if ok {
			n -= line(table.End()) - line(table.Pos())
		}
		return !ok // what is in a table is counted once
	})
	return n
}

func TestStepsAreCountedWithoutTables(t *testing.T) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "", "package p\nfunc f() {\n\ta := []int{\n\t\t1,\n\t}\n\tb := [][]int{{\n\t\t1,\n\t}}\n\tg()\n}\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := steps(set, f.Decls[0].(*ast.FuncDecl)); n != 5 {
		t.Errorf("%d lines are counted, want 5: the function's own two, one a table, and a call", n)
	}
}

// TestNothingIsTooLarge: what grows past comfort lacks a concept. The list of exceptions holds nothing that is not one.
func TestNothingIsTooLarge(t *testing.T) {
	unused := maps.Clone(larger)
	maps.DeleteFunc(unused, func(k, _ string) bool { return strings.HasPrefix(k, "tests ") })
	check := func(what, where string, n, most int) {
		if n <= most {
			return
		}
		if _, listed := larger[what]; !listed {
			t.Errorf("%s: %s has %d, more than %d: find what is missing, or list it with the reason", where, what, n, most)
		}
		delete(unused, what)
	}
	lines := map[string]int{}
	for path, f := range writtenFiles(t) {
		set := fileSets[f]
		isTest := strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "test/")
		if !isTest {
			lines[filepath.Dir(path)] += set.Position(f.End()).Line
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Body != nil {
					check("function "+f.Name.Name+"."+n.Name.Name, path, steps(set, n), maxFunction)
				}
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok {
					check("struct "+f.Name.Name+"."+n.Name.Name, path, s.Fields.NumFields(), maxFields)
				}
			}
			return true
		})
	}
	for dir, n := range lines {
		check("package "+filepath.ToSlash(dir), dir, n, maxPackage)
	}
	delete(unused, "package internal/ec2wire") // not looked at
	for _, what := range slices.Sorted(maps.Keys(unused)) {
		t.Errorf("%s is listed as larger, and is not: take it off", what)
	}
}

func TestEveryPackageHasTests(t *testing.T) {
	for _, p := range packages(t) {
		dir := strings.TrimPrefix(p.ImportPath, "slipway/")
		if !strings.HasPrefix(dir, "internal/") || larger["tests "+dir] != "" {
			continue
		}
		if found, _ := filepath.Glob(filepath.Join(dir, "*_test.go")); len(found) == 0 {
			t.Errorf("%s has no test of its own", dir)
		}
	}
}

// TestImportChainsAreShort: how many packages one may have to understand below another.
func TestImportChainsAreShort(t *testing.T) {
	below := map[string][]string{}
	for _, p := range packages(t) {
		below[p.ImportPath] = p.Imports
	}
	depth := map[string]int{}
	var down func(string) int
	down = func(path string) int {
		imports, ours := below[path]
		if !ours {
			return 0
		}
		if depth[path] == 0 {
			most := 0
			for _, i := range imports {
				most = max(most, down(i))
			}
			depth[path] = most + 1
		}
		return depth[path]
	}
	longest, end := 0, ""
	for path := range below {
		if n := down(path); n > longest && !strings.Contains(path, "/apitest") {
			longest, end = n, path
		}
	}
	if longest > maxChain {
		t.Errorf("a chain of %d packages ends in %s, more than %d", longest, end, maxChain)
	}
}
