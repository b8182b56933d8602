package conformance

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// row is a client's in docs/conformance.md.
type row struct {
	client, version, did, result string
	calls                        int
	called, refused              []string
	took                         time.Duration
}

var report []row

// record reports the client when the test ends, however it ends.
func (s *service) record(client, version, did string) {
	began := time.Now()
	s.t.Cleanup(func() {
		result := "pass"
		if s.t.Failed() {
			result = "**fail**"
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		report = append(report,
			row{
				client, version, did, result, s.calls, slices.Sorted(maps.Keys(s.called)),
				slices.Sorted(maps.Keys(s.refused)), time.Since(began),
			})
	})
}

// TestMain writes the report to the file that SLIPWAY_CONFORMANCE names.
func TestMain(m *testing.M) {
	code := m.Run()
	if path := os.Getenv("SLIPWAY_CONFORMANCE"); path != "" && len(report) > 0 {
		if err := os.WriteFile(path, []byte(document(report, time.Now())), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func document(rows []row, now time.Time) string {
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.client, b.client) })
	var b strings.Builder
	fmt.Fprintf(&b, "# Clients that work unmodified\n\n"+
		"Written by `make conformance` on %s: do not edit. Each client is as its package has it and is given an "+
		"endpoint,\na region and keys, no more. Instances are real virtual machines under software emulation, on a machine of "+
		"two cores that\nhas other work.\n\n"+
		"| client | version | what it did | calls | actions | result | seconds |\n|---|---|---|---|---|---|---|\n",
		now.UTC().Format(time.DateOnly))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %s | %.0f |\n", r.client, r.version, r.did, r.calls, len(r.called),
			r.result, r.took.Seconds())
	}
	b.WriteString("\nCalls are those that reached slipway, a waiter's polls included.\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", r.client, filled(strings.Join(r.called, ", ")+"."))
		if len(r.refused) > 0 {
			refused := "Refused, as slipway does not have them: " + strings.Join(r.refused, ", ") + "."
			fmt.Fprintf(&b, "\n%s\n", filled(refused))
		}
	}
	return b.String()
}

// filled breaks a text into lines of at most 120 columns.
func filled(text string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
		case column+1+len(word) > 120:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
