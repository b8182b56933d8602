package durable

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// alone fails unless path is all that its directory holds, with this content and mode.
func alone(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the directory holds %v", entries)
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != content {
		t.Errorf("it holds %q, %v, want %q", b, err, content)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != mode {
		t.Errorf("its mode is %v, %v, want %v", fi.Mode(), err, mode)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, tt := range []struct {
		content string
		mode    os.FileMode
	}{{"first, and long", 0o644}, {"second", 0o600}, {"", 0o400}, {"fourth", 0o666}} { // whatever the umask is
		if err := Replace(path, []byte(tt.content), tt.mode); err != nil {
			t.Fatal(err)
		}
		alone(t, path, tt.content, tt.mode)
	}
}

// TestReplaceIsOnTheDiskBeforeItHasItsName: and its name is before Replace answers.
func TestReplaceIsOnTheDiskBeforeItHasItsName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	var order []string
	s := steps{
		func(f *os.File) error {
			b, err := os.ReadFile(f.Name())
			fi, _ := f.Stat()
			order = append(order, "file "+string(b)+" "+fi.Mode().String())
			return errors.Join(err, f.Sync())
		},
		func(from, to string) error { order = append(order, "name"); return os.Rename(from, to) },
		func(d string) error {
			order = append(order, "directory "+strings.TrimPrefix(d, dir))
			alone(t, path, "all", 0o644)
			return Sync(d)
		},
	}
	finish := func(unnamed string) error {
		if _, err := os.Stat(path); err == nil || filepath.Dir(unnamed) != dir {
			t.Errorf("%s is finished under its name", unnamed)
		}
		order = append(order, "finish")
		return nil
	}
	if err := s.replace(path, []byte("all"), 0o644, []func(string) error{finish}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"finish", "file all -rw-r--r--", "name", "directory "}; !slices.Equal(order, want) {
		t.Errorf("it did %q, want %q", order, want)
	}
}

// TestReplaceThatFailsLeavesWhatWas, and nothing beside it.
func TestReplaceThatFailsLeavesWhatWas(t *testing.T) {
	no := errors.New("no")
	works := steps{(*os.File).Sync, os.Rename, Sync}
	for name, tt := range map[string]struct {
		change func(*steps)
		finish func(string) error
	}{
		"finish":   {func(*steps) {}, func(string) error { return no }},
		"the disk": {func(s *steps) { s.syncFile = func(*os.File) error { return no } }, nil},
		"the name": {func(s *steps) { s.rename = func(string, string) error { return no } }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path, s := filepath.Join(t.TempDir(), "f"), works
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			tt.change(&s)
			var finish []func(string) error
			if tt.finish != nil {
				finish = append(finish, tt.finish)
			}
			if err := s.replace(path, []byte("new"), 0o644, finish); !errors.Is(err, no) {
				t.Errorf("Replace = %v", err)
			}
			alone(t, path, "old", 0o600)
		})
	}
	t.Run("a directory that is not there", func(t *testing.T) {
		if err := Replace(filepath.Join(t.TempDir(), "none", "f"), nil, 0o600); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Replace = %v", err)
		}
	})
	t.Run("the name's directory cannot be flushed", func(t *testing.T) {
		path, s := filepath.Join(t.TempDir(), "f"), works
		s.syncDir = func(string) error { return no }
		if err := s.replace(path, []byte("new"), 0o600, nil); !errors.Is(err, no) {
			t.Errorf("Replace = %v: what may be lost with the power is said to be kept", err)
		}
		alone(t, path, "new", 0o600)
	})
}

func TestReplacementsAtOnceDoNotMix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := Replace(path, []byte(strings.Repeat(string(rune('a'+i)), 10_000)), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 10_000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	alone(t, path, strings.Repeat(string(b[0]), 10_000), 0o600)
}

// TestReplaceFollowsNoLink: in a folder that is somebody else's, the name may be made to lead elsewhere.
func TestReplaceFollowsNoLink(t *testing.T) {
	path, elsewhere := filepath.Join(t.TempDir(), "f"), filepath.Join(t.TempDir(), "passwd")
	if err := errors.Join(os.WriteFile(elsewhere, []byte("old"), 0o600), os.Symlink(elsewhere, path)); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	alone(t, elsewhere, "old", 0o600)
	alone(t, path, "new", 0o600)
}

func TestSweepLeavesWhatIsNotOfTheFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"f", ".f.new-12", ".f.new-", ".g.new-1", "f.new-1", ".f"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(filepath.Join(dir, "f")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{".f", ".g.new-1", "f", "f.new-1"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}
