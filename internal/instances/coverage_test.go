package instances_test

import (
	_ "embed"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/apitest"
	"slipway/internal/ec2wire"
	"slipway/internal/server"
)

var update = flag.Bool("update", false, "rewrite generated documents")

//go:embed coverage.tsv
var coverageTSV string

// covered is a row of the table: what becomes of one member of RunInstances. expect is how it shows: element=value in what
// DescribeInstances says of the launch (volume: in DescribeVolumes), -element for its absence, !Code for a refusal, or
// the test that shows the effect.
type covered struct{ member, status, what, params, expect string }

func coverage(t testing.TB) []covered {
	t.Helper()
	var out []covered
	for i, line := range strings.Split(strings.TrimSpace(coverageTSV), "\n") {
		cells := strings.Split(line, "\t")
		if len(cells) != 5 {
			t.Fatalf("coverage.tsv, line %d: %d cells, want 5", i+1, len(cells))
		}
		if i > 0 {
			out = append(out, covered{cells[0], cells[1], cells[2], cells[3], cells[4]})
		}
	}
	return out
}

// members are the request's leaves.
func members(prefix string, t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f, at := t.Field(i), t.Field(i).Type
		for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice && at.Elem().Kind() != reflect.Uint8 {
			at = at.Elem()
		}
		if at.Kind() == reflect.Struct && at != reflect.TypeFor[time.Time]() {
			out = append(out, members(prefix+f.Name+".", at)...)
			continue
		}
		out = append(out, prefix+f.Name)
	}
	return out
}

func TestCoverageNamesEveryMember(t *testing.T) {
	want := members("", reflect.TypeFor[ec2wire.RunInstancesRequest]())
	seen := map[string]bool{}
	for _, c := range coverage(t) {
		if seen[c.member] || !slices.Contains(want, c.member) {
			t.Errorf("%s is there twice, or is no member of RunInstances", c.member)
		}
		seen[c.member] = true
		if c.status != "honoured" && c.status != "refused" || c.expect == "" ||
			c.status == "refused" && !strings.HasPrefix(c.expect, "!") {
			t.Errorf("%s: %q is neither honoured nor refused, or shows nothing (%q)", c.member, c.status, c.expect)
		}
	}
	for _, m := range want {
		if !seen[m] {
			t.Errorf("%s is not in coverage.tsv: it has its effect, or is refused by name", m)
		}
	}
}

// TestEveryMemberHasItsEffectOrItsRefusal sends each member and looks for what the table says of it.
func TestEveryMemberHasItsEffectOrItsRefusal(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	names := w.Names(o)
	tests, err := exec.Command("grep", "-rhoE", "^func Test[A-Za-z0-9_]+", "--include=*_test.go", "../..").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range coverage(t) {
		t.Run(c.member, func(t *testing.T) {
			params := url.Values{"ImageId": {o.Image}, "InstanceType": {"t3.micro"}, "MinCount": {"1"}, "MaxCount": {"1"}}
			for pair := range strings.SplitSeq(names.Replace(c.params), "&") {
				if k, v, ok := strings.Cut(pair, "="); ok {
					params.Set(k, v)
				}
			}
			var list []string
			for k := range params {
				list = append(list, k, params.Get(k))
			}
			a := w.Call("RunInstances", list...)
			expect := names.Replace(c.expect)
			if code, refused := strings.CutPrefix(expect, "!"); refused {
				if a.Code != code || c.status == "refused" && !isNamed(c.member, a.Message) {
					t.Errorf("got %d %s %q, want %s naming %s", a.Status, a.Code, a.Message, code, c.member)
				}
				return
			}
			if a.Status != 200 {
				t.Fatalf("%v: %d %s %s", list, a.Status, a.Code, a.Message)
			}
			id := apitest.First(a.Body, "instanceId")
			defer func() {
				if w.Call("TerminateInstances", "InstanceId.1", id).Status == 200 {
					w.Await(id, "terminated")
				}
			}()
			body := a.Body
			if c.member != "ClientToken" {
				w.Await(id, "running")
				body = w.Call("DescribeInstances", "Filter.1.Name", "reservation-id", "Filter.1.Value.1",
					apitest.First(a.Body, "reservationId")).Body
			}
			if test, by := strings.CutPrefix(expect, "test:"); by {
				if !strings.Contains(string(tests), "func "+test+"\n") {
					t.Errorf("there is no %s", test)
				}
				return
			}
			if absent, ok := strings.CutPrefix(expect, "-"); ok {
				if strings.Contains(body, absent) {
					t.Errorf("%s shows in %s", absent, body)
				}
				return
			}
			if volume, ok := strings.CutPrefix(expect, "volume:"); ok {
				expect = volume
				body = w.Call("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", id).Body
			}
			element, value, _ := strings.Cut(expect, "=")
			want := "<" + element + ">" + value + "</" + element + ">"
			if value == "*" {
				want = "<" + element + ">"
			}
			if !strings.Contains(body, want) {
				t.Errorf("%s does not show in %s", want, body)
			}
		})
	}
}

// ownWords are refusals that EC2 itself words without the member's name.
var ownWords = map[string]string{
	"AdditionalInfo": "Bad property set", "KernelId": "The image id '[aki-", "RamdiskId": "The image id '[ari-",
}

// isNamed says whether a refusal names the member, or the structure that it is a part of.
func isNamed(member, message string) bool {
	if own, ok := ownWords[member]; ok {
		return strings.Contains(message, own)
	}
	for part := range strings.SplitSeq(member, ".") {
		if strings.Contains(strings.ToLower(message), strings.ToLower(strings.TrimSuffix(part, "s"))) {
			return true
		}
	}
	return false
}

//go:embed limits.tsv
var limitsTSV string

// limits are where a served action is less than EC2's, or other.
func limits(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(limitsTSV) {
		name, limit, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || out[name] != "" {
			t.Errorf("limits.tsv: %q has no limit, or is there twice", line)
		}
		out[name] = limit
	}
	return out
}

// TestCoverageDocumentIsFresh: docs/coverage.md says what the tables say; -update writes it.
func TestCoverageDocumentIsFresh(t *testing.T) {
	w := apitest.New(t)
	var b strings.Builder
	actions := w.Actions()
	fmt.Fprintf(&b,
		"# What slipway covers of EC2\n\nGenerated by `go test ./internal/instances -run CoverageDocument -update` "+
			"from the action table and\ncoverage.tsv, which tests hold to what the API does.\n\n")
	rows := coverage(t)
	refused := 0
	for _, c := range rows {
		if c.status == "refused" {
			refused++
		}
	}
	fmt.Fprintf(&b,
		"## RunInstances, member by member\n\n%d members with their sub-members: %d have their effect, %d are "+
			"refused by name.\n\n| member | | effect, or reason | refusal |\n|---|---|---|---|\n",
		len(rows), len(rows)-refused, refused)
	for _, c := range rows {
		code := ""
		if c.status == "refused" {
			code = "`" + c.expect[1:] + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.member, c.status, c.what, code)
	}
	fmt.Fprintf(&b,
		"\n## Actions that are served: %d\n\nEach honours DryRun.\n\n| action | as EC2, but for |\n|---|---|\n", len(actions))
	limits := limits(t)
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, limits[name])
		delete(limits, name)
	}
	for name := range limits {
		t.Errorf("limits.tsv speaks of %s, which is not served", name)
	}
	fmt.Fprintf(&b, "\nOf other services, on the same listener:")
	front := w.Wiring()
	for _, service := range slices.Sorted(maps.Keys(front.Services)) {
		fmt.Fprintf(&b, " %s", service)
	}
	var others []string
	for name := range ec2wire.KnownActions {
		if actions[name] == nil {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	fmt.Fprintf(&b,
		".\n\n## Actions that EC2 has and slipway answers with `UnsupportedOperation`: %d\n\nThe reason stands in "+
			"the answer too.\n\n| action | reason |\n|---|---|\n",
		len(others))
	for _, name := range others {
		why := server.WhyNot(name)
		if why == "" {
			t.Errorf("%s is not served, and internal/server/unserved.go does not say why", name)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, why)
	}
	const path = "../../docs/coverage.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != b.String() {
		t.Errorf("docs/coverage.md is stale (%v): run `make generate`", err)
	}
}
