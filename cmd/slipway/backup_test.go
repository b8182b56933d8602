package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/seal"
	"slipway/internal/state"
	"slipway/internal/store/etcd"
	"slipway/internal/vpcs"
)

// shortDir is a directory whose name is short enough for sockets in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// furnished is a state directory with an account, of an installation.
func furnished(t *testing.T) string {
	t.Helper()
	cfg := defaults()
	cfg.State = filepath.Join(shortDir(t), "s")
	db, done, err := open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	d := stateDir{path: cfg.State, who: person{os.Geteuid(), os.Getegid()}}
	if err := identify(t.Context(), db, d, "etcd"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := accounts.New(db, time.Now, vpcs.EnsureDefault).Create(t.Context(), slipway.Account{Name: "dev"}); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"tokens.key": "key", "slot": "3\n", "agent/i-1.json": "{}", "tls/ca.key": "key",
	} {
		if err := os.MkdirAll(filepath.Dir(d.join(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.join(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cfg.State
}

// recordsOf are a directory's, by key.
func recordsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	cfg := defaults()
	cfg.State = dir
	db, done, err := open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	r, err := db.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for it := range r.Range("") {
		out[it.Key] = string(it.Value)
	}
	return out
}

func TestABackupBringsAllRecordsAndFilesBack(t *testing.T) {
	dir := furnished(t)
	want := recordsOf(t, dir)
	file := filepath.Join(shortDir(t), "b")
	var out strings.Builder
	if err := backupCommand(t.Context(), []string{"--state", dir, file}, &out); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", fi.Mode(), err)
	}
	if err := backupCommand(t.Context(), []string{"--state", dir, file}, &out); err == nil ||
		!strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second backup to the same file: %v", err)
	}
	restore := func(dir string) error { return restoreCommand(t.Context(), []string{"--state", dir, file}, &out) }
	if err := restore(dir); err == nil || !strings.Contains(err.Error(), "nothing is written over them") {
		t.Errorf("over records that are there: %v", err)
	}
	if got := recordsOf(t, dir); !maps.Equal(got, want) {
		t.Error("the refused restore changed the records")
	}
	if err := restore(furnished(t)); err == nil || !strings.Contains(err.Error(), "belongs to the installation") {
		t.Errorf("into another installation's directory: %v", err)
	}
	// The records are lost, and the files beside them are newer than the backup.
	if err := os.Rename(filepath.Join(dir, "etcd"), filepath.Join(dir, "etcd.lost")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "agent", "i-1.json"), []byte(`{"Boots":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, into := range []string{dir, filepath.Join(shortDir(t), "new")} {
		if err := restore(into); err != nil {
			t.Fatalf("into %s: %v", into, err)
		}
		got := recordsOf(t, into)
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if got[k] != want[k] {
				t.Errorf("the record %s is %q, was %q", k, got[k], want[k])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d records, want %d", len(got), len(want))
		}
		for _, name := range []string{"tokens.key", "secrets.key", "slot", "installation", "tls/ca.key"} {
			if _, err := os.Stat(filepath.Join(into, name)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(into, "etcd.restored")); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "agent", "i-1.json")); string(b) != `{"Boots":2}` {
		t.Errorf("the newer file was overwritten: %s", b)
	}
}

func TestARestoreThatBrokeOffBeginsAgain(t *testing.T) {
	dir := furnished(t)
	file := filepath.Join(shortDir(t), "b")
	var out strings.Builder
	if err := backupCommand(t.Context(), []string{"--state", dir, file}, &out); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(shortDir(t), "new")
	d, err := openState(into, person{os.Geteuid(), os.Getegid()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(d.join("etcd.restored", "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.join("tokens.key"), []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restoreCommand(t.Context(), []string{"--state", into, file}, &out); err != nil {
		t.Fatal(err)
	}
	if got, want := recordsOf(t, into), recordsOf(t, dir); !maps.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

// TestADamagedBackupChangesNothing: cut short, changed, or made to write elsewhere.
func TestADamagedBackupChangesNothing(t *testing.T) {
	b := &backup{
		manifest: manifest{Form: backupForm, Layout: layout, Installation: "X", Records: 1, Files: 1},
		records:  []record{{installationKey, []byte("X")}}, files: map[string][]byte{"slot": []byte("1\n")},
	}
	var whole bytes.Buffer
	if err := b.encode(&whole); err != nil {
		t.Fatal(err)
	}
	if _, err := readBackup(bytes.NewReader(whole.Bytes())); err != nil {
		t.Fatalf("a whole one: %v", err)
	}
	bad := map[string][]byte{"empty": nil, "text": []byte("hello")}
	for n := 1; n < whole.Len(); n += 37 {
		bad["cut at "+string(rune('0'+n%10))+" "+time.Duration(n).String()] = whole.Bytes()[:n]
	}
	for _, name := range []string{
		"files/../../etc/passwd", "files/etcd/member", "files/slot/../../x", "files//etc/x", "records",
	} {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		w := tar.NewWriter(z)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: 1}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("x"))
		w.Close()
		z.Close()
		bad[name] = out.Bytes()
	}
	missing := *b
	missing.Records = 2
	var fewer bytes.Buffer
	if err := missing.encode(&fewer); err != nil {
		t.Fatal(err)
	}
	bad["a record missing"] = fewer.Bytes()
	for name, content := range bad {
		file := filepath.Join(shortDir(t), "b")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		into := filepath.Join(shortDir(t), "new")
		var out strings.Builder
		if err := restoreCommand(t.Context(), []string{"--state", into, file}, &out); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if _, err := os.Stat(into); err == nil {
			t.Errorf("%s: the directory was made", name)
		}
	}
}

// TestABackupComesBackIntoACluster: from an embedded etcd, and back out of the cluster.
func TestABackupComesBackIntoACluster(t *testing.T) {
	dir := furnished(t)
	want := recordsOf(t, dir)
	file, again := filepath.Join(shortDir(t), "b"), filepath.Join(shortDir(t), "b")
	var out strings.Builder
	if err := backupCommand(t.Context(), []string{"--state", dir, file}, &out); err != nil {
		t.Fatal(err)
	}
	cluster := shortDir(t)
	keys, err := seal.Load(filepath.Join(cluster, "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := etcd.Embed(t.Context(), filepath.Join(cluster, "etcd"), filepath.Join(cluster, "s"), "/others/",
		etcd.Sealed(state.Schema(), keys), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	endpoint := "unix://" + filepath.Join(cluster, "s")
	into := filepath.Join(shortDir(t), "new")
	restore := func() error {
		return restoreCommand(t.Context(), []string{"--state", into, "--etcd-endpoints", endpoint, file}, &out)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if err := restore(); err == nil || !strings.Contains(err.Error(), "nothing is written over them") {
		t.Errorf("over a cluster that has records: %v", err)
	}
	if err := backupCommand(t.Context(), []string{"--state", into, "--etcd-endpoints", endpoint, again}, &out); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(again)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := readBackup(f)
	if err != nil {
		t.Fatal(err)
	}
	own, err := seal.Load(filepath.Join(into, secretsFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.unseal(own); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.records {
		if want[r.Key] != string(r.Value) {
			t.Errorf("the record %s is %q, was %q", r.Key, r.Value, want[r.Key])
		}
	}
	if len(b.records) != len(want) {
		t.Errorf("%d records, want %d", len(b.records), len(want))
	}
}

// TestNoEntryOfTheStateDirectoryIsForgotten: of each, somebody has decided whether a backup has it.
func TestNoEntryOfTheStateDirectoryIsForgotten(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "## The state directory\n")
	if !ok {
		t.Fatal("docs/architecture.md does not show the state directory")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	var entries []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for i, name := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				entries = append(entries, strings.TrimSuffix(name, "/"))
			}
		}
	}
	if len(entries) < 10 {
		t.Fatalf("%d entries are listed: the test looks at the wrong place", len(entries))
	}
	for _, e := range entries {
		if slices.Contains(backedUp, e) == slices.Contains(notBackedUp, e) {
			t.Errorf("%s is in both of backedUp and notBackedUp, or in none", e)
		}
	}
}

// notBackedUp are the others: what has its own copies, what the machines write, and what a new directory gets by itself.
var notBackedUp = []string{"version", "etcd", "blocks", "audit", "imports", "machines"}
