package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/state"
)

// said runs a command of the operator's.
func said(t *testing.T, command func(context.Context, []string, io.Writer) error, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := command(t.Context(), args, &out)
	return out.String(), err
}

// secretIn is the secret of the access key that a furnished directory has.
func secretIn(t *testing.T, dir string) string {
	t.Helper()
	cfg := defaults()
	cfg.State = dir
	r, done, err := openSnapshot(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for k := range state.AccessKeys.All(r, state.Global) {
		return k.Secret
	}
	t.Fatal("there is no access key")
	return ""
}

// TestTheStateDirectoryAndItsBackupsShowNoSecret: but for the credentials, which are the owner's.
func TestTheStateDirectoryAndItsBackupsShowNoSecret(t *testing.T) {
	dir := furnished(t)
	secret := secretIn(t, dir)
	elsewhere := filepath.Join(shortDir(t), "key")
	if err := os.Rename(filepath.Join(dir, secretsFile), elsewhere); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(shortDir(t), "b")
	out, err := said(t, backupCommand, "--state", dir, "--secrets-key", elsewhere, file)
	if err != nil || !strings.Contains(out, elsewhere) {
		t.Fatalf("%q, %v: want to be told where the key is", out, err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s shows the secret of an access key", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil || bytes.Contains(content, []byte(secret)) || !bytes.Contains(content, []byte("records.jsonl")) {
		t.Errorf("the backup (%d bytes) shows the secret, or is none: %v", len(content), err)
	}
	into := filepath.Join(shortDir(t), "new")
	if _, err := said(t, restoreCommand, "--state", into, file); err == nil || !strings.Contains(err.Error(), "--secrets-key") {
		t.Errorf("restored without the key: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(into, "etcd*")); len(left) > 0 {
		t.Errorf("the refused restore made %v", left)
	}
	if _, err := said(t, restoreCommand, "--state", into, "--secrets-key", elsewhere, file); err != nil {
		t.Errorf("restored with the key: %v", err)
	}
}

func TestSecretsAreRotatedAndOlderBackupsComeBack(t *testing.T) {
	dir := furnished(t)
	want, secret := recordsOf(t, dir), secretIn(t, dir)
	before, err := os.ReadFile(filepath.Join(dir, secretsFile))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(shortDir(t), "b")
	if _, err := said(t, backupCommand, "--state", dir, file); err != nil {
		t.Fatal(err)
	}
	if out, err := said(t, secretsCommand, "status", "--state", dir); err != nil ||
		!strings.Contains(out, "1 records\tthe key of what is written now") {
		t.Errorf("status: %q, %v", out, err)
	}
	prepared, err := said(t, secretsCommand, "prepare", "--state", dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := said(t, secretsCommand, "rotate", "--state", dir)
	if err != nil || !strings.Contains(out, " "+strings.Fields(prepared)[2]+",") {
		t.Errorf("%q, %v: want the key of %q", out, err, prepared)
	}
	after, err := os.ReadFile(filepath.Join(dir, secretsFile))
	if err != nil || bytes.Contains(after, bytes.Split(before, []byte("\n"))[1]) {
		t.Errorf("the key before is still in the file (%v)", err)
	}
	if got := recordsOf(t, dir); !maps.Equal(got, want) {
		t.Error("the rotation changed the records")
	}
	for _, bad := range [][]string{{}, {"status", "rotate"}, {"turn"}} {
		if _, err := said(t, secretsCommand, append(bad, "--state", dir)...); err == nil || err.Error() != secretsUsage {
			t.Errorf("%v: %v", bad, err)
		}
	}
	// The records are lost. The newest backup is older than the rotation, and the file has the new key alone.
	if err := os.Rename(filepath.Join(dir, "etcd"), filepath.Join(dir, "etcd.lost")); err != nil {
		t.Fatal(err)
	}
	if _, err := said(t, restoreCommand, "--state", dir, file); err != nil {
		t.Fatal(err)
	}
	if got := recordsOf(t, dir); !maps.Equal(got, want) || secretIn(t, dir) != secret {
		t.Error("the records that came back are others")
	}
}

// TestAKeyFileThatIsMissingOrOpenIsRefused, in one line that says what helps, and no other is made.
func TestAKeyFileThatIsMissingOrOpenIsRefused(t *testing.T) {
	dir := furnished(t)
	file := filepath.Join(dir, secretsFile)
	wants := func(name string, words ...string) {
		t.Helper()
		_, err := said(t, stateCommand, "check", "--state", dir)
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want one line with %q", name, err, w)
			}
		}
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	wants("readable by others", file, "chmod 600")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	wants("missing", file, "sealed under the key", "bring the file")
	if _, err := os.Stat(file); err == nil {
		t.Error("another key was made in its place")
	}
}
