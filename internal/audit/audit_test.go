package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTrailsAreBounded in the size of a file and in the number of files; the newest records stay.
func TestTrailsAreBounded(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "audit"), time.Unix(1700000000, 0)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	open := func() *Trail {
		t.Helper()
		tr, err := Open(dir, "calls", Limits{Bytes: 4000, Files: 3}, slog.New(slog.DiscardHandler), clock)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	tr := open()
	for i := range 100 {
		if i == 50 { // as after a restart
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
			tr = open()
		}
		tr.Write(Record{EventName: "DescribeVpcs", RequestID: fmt.Sprint("r", i)})
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%v %v, want the present file and three", files, err)
	}
	for _, f := range files {
		fi, err := os.Stat(f)
		if err != nil || fi.Size() > 4000 || fi.Size() < 200 || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, %v %v", f, fi.Size(), fi.Mode(), err)
		}
		b, _ := os.ReadFile(f)
		for line := range bytes.Lines(b) {
			var r Record
			if err := json.Unmarshal(line, &r); err != nil {
				t.Errorf("%s: %v: %s", f, err, line)
			}
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "calls.jsonl")); !strings.Contains(string(b), `"r99"`) {
		t.Errorf("the last record is not in the present file: %s", b)
	}
}

// TestWhatCannotBeWrittenStopsNobody: a full disk loses records, says so once, and is got over.
func TestWhatCannotBeWrittenStopsNobody(t *testing.T) {
	var said bytes.Buffer
	now := time.Unix(1700000000, 0)
	tr, err := Open(t.TempDir(), "calls", DefaultLimits, slog.New(slog.NewTextHandler(&said, nil)), func() time.Time {
		return now
	})
	if err != nil {
		t.Fatal(err)
	}
	good := tr.file
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no disk that is always full: %v", err)
	}
	tr.file = full
	for range 20 {
		tr.Write(Record{EventName: "RunInstances"})
	}
	if n := strings.Count(said.String(), "could not be written"); n != 1 {
		t.Errorf("said %d times: %s", n, said.String())
	}
	tr.file = good
	tr.Write(Record{EventName: "StopInstances"})
	b, _ := os.ReadFile(tr.path())
	if !strings.Contains(string(b), "StopInstances") || strings.Contains(string(b), "RunInstances") ||
		!strings.Contains(said.String(), "lost=20") {
		t.Errorf("afterwards: %s, said %s", b, said.String())
	}
}

func TestIdentities(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::123456789012:root":                "Root  ",
		"arn:aws:iam::123456789012:user/team/ann":       "IAMUser ann ",
		"arn:aws:sts::123456789012:assumed-role/app/s1": "AssumedRole  arn:aws:iam::123456789012:role/app",
	} {
		id, issuer := IdentityOf("123456789012", arn, "AROA:s1", "AKIA"), ""
		if id.Session != nil {
			issuer = id.Session.Issuer.ARN
		}
		if got := id.Type + " " + id.UserName + " " + issuer; got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
	if id := IdentityOf("", "", "", "AKIA"); id.Type != "Unknown" || id.ARN != "" {
		t.Errorf("nobody: %+v", id)
	}
}

// TestTheNewestRecordsStayWhenTheClockIsSetBack: files that are full are put aside in the order in which they were written.
func TestTheNewestRecordsStayWhenTheClockIsSetBack(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "audit"), time.Unix(1700000000, 0)
	tr, err := Open(dir, "calls", Limits{Bytes: 400, Files: 3}, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // each record fills a file
		now = now.Add(-10 * time.Hour)
		tr.Write(Record{EventName: strings.Repeat("x", 300), RequestID: fmt.Sprint("r", i)})
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%v %v, want the present file and three", files, err)
	}
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	for i := 16; i < 20; i++ {
		if !bytes.Contains(all, fmt.Appendf(nil, `"r%d"`, i)) {
			t.Errorf("record %d of 20 is gone, of which the last four are kept", i)
		}
	}
}
