package conformance

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slipway/internal/filters"
	"strings"
	"testing"
)

// awsCLI is Debian's, wherever another may come first.
const awsCLI = "/usr/bin/aws"

//go:embed aws.script
var awsScript string

// TestAWSCommandLine runs aws.script from its first line to the first that does not show what it should.
func TestAWSCommandLine(t *testing.T) {
	s := serve(t)
	s.record("AWS CLI, Debian's awscli", version(t, awsCLI, "--version"),
		"a script through everything around a launch, each of its commands checked by --query: `test/conformance/aws.script`")
	env := s.env()
	vars := map[string]string{"$": "$"}
	for i, line := range strings.Split(awsScript, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " |")
		if len(parts) != 3 {
			t.Fatalf("aws.script:%d: %d parts, want 3", i+1, len(parts))
		}
		for j := range parts {
			parts[j] = os.Expand(strings.TrimSpace(parts[j]), func(name string) string {
				if _, ok := vars[name]; !ok {
					t.Fatalf("aws.script:%d: $%s is not known", i+1, name)
				}
				return vars[name]
			})
		}
		args, query, want := append([]string{"--endpoint-url", s.endpoint, "--output", "json"},
			strings.Fields(parts[0])...), parts[1], parts[2]
		if query != "" {
			args = append(args, "--query", query)
		}
		t.Logf("aws %s", parts[0])
		cmd := exec.Command(awsCLI, args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if code, refused := strings.CutPrefix(want, "!"); refused {
			if err == nil || !strings.Contains(string(out), "("+code+")") {
				t.Fatalf("aws.script:%d: %s: %v: %s, want %s", i+1, parts[0], err, out, code)
			}
			continue
		}
		if err != nil {
			t.Fatalf("aws.script:%d: %s: %v: %s", i+1, parts[0], err, out)
		}
		name, pattern, keep := strings.Cut(want, ":=")
		if !keep {
			pattern = want
		}
		got := flat(t, out)
		if !filters.Wildcard(pattern, got) {
			t.Fatalf("aws.script:%d: %s shows %q, want %q", i+1, parts[0], got, pattern)
		}
		if keep {
			vars[name] = got
		}
	}
}

// flat is what an answer holds, value after value.
func flat(t *testing.T, answer []byte) string {
	t.Helper()
	if len(answer) == 0 {
		return ""
	}
	var held any
	if err := json.Unmarshal(answer, &held); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return strings.Join(values(held), " ")
}

func values(v any) []string {
	switch v := v.(type) {
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, values(e)...)
		}
		return all
	default:
		return []string{fmt.Sprint(v)}
	}
}
