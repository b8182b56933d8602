package controlplane_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// notProvoked are the codes that source names and no test brings about, with the reason.
var notProvoked = map[string]string{
	"InternalFailure":                      "as InternalError, in the documents of the other services",
	"InsufficientReservedInstanceCapacity": "only its status is named: there are no reserved instances",
	"ParameterLimitExceeded":               "after ten thousand parameters of one account",
	"ServerInternal":                       "only its status is named",
}

// TestEveryCodeIsProvoked: a code that source can answer is one that some test has seen.
func TestEveryCodeIsProvoked(t *testing.T) {
	declared, err := os.ReadFile("../../code.go")
	if err != nil {
		t.Fatal(err)
	}
	var source, tests strings.Builder
	err = filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		into := &source
		switch {
		case err != nil:
			return err
		case d.Name() == "codes_test.go":
			return nil
		case d.Name() == "ec2wire" || d.Name() == "node_modules":
			return fs.SkipDir
		case strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".tsv"):
			into = &tests
		case !strings.HasSuffix(name, ".go") || name == "../../code.go":
			return nil
		}
		b, err := os.ReadFile(name)
		into.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+)\s+Code = "([^"]+)"`).FindAllStringSubmatch(string(declared), -1) {
		name, code := m[1], m[2]
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(source.String()) {
			continue
		}
		seen := strings.Contains(tests.String(), `"`+code) ||
			regexp.MustCompile(`slipway\.`+name+`\b`).MatchString(tests.String())
		if reason := notProvoked[name]; seen == (reason != "") {
			t.Errorf("%s: provoked by a test: %v, and the reason why not: %q", code, seen, reason)
		}
	}
}
