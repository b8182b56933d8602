package files

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/blockstore/blockstoretest"
	"slipway/internal/qcow2"
)

func open(tb testing.TB, dir string) *Store {
	tb.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		tb.Skip("qemu-img is not installed")
	}
	s, err := New(dir, 0x70000000-1, slog.New(slog.NewTextHandler(tb.Output(), nil)))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	blockstoretest.Run(t, func(tb testing.TB) blockstore.Store { return open(tb, tb.TempDir()) })
}

// pattern is a raw disk whose content can be recognised.
func pattern(t *testing.T, content string) string {
	t.Helper()
	b := make([]byte, 1<<20)
	copy(b[4096:], content)
	file := filepath.Join(t.TempDir(), "pattern.raw")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSecretsGuardWhatIsStored(t *testing.T) {
	ctx, s := t.Context(), open(t, t.TempDir())
	base, snap := slipway.NewSnapshotID(), slipway.NewSnapshotID()
	if err := s.ImportSnapshot(ctx, pattern(t, "plain content"), base); err != nil {
		t.Fatal(err)
	}
	v := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: base, SizeGiB: 1, Secret: []byte("secret")}
	if _, err := s.EnsureVolume(ctx, v); err != nil {
		t.Fatal(err)
	}
	if err := s.SnapshotVolume(ctx, v, snap); err != nil {
		t.Fatal(err)
	}
	path, _ := s.SnapshotPath(snap)
	b, err := os.ReadFile(path)
	if err != nil || bytes.Contains(b, []byte("plain content")) {
		t.Errorf("the encrypted snapshot shows its content (%v)", err)
	}
	back := slipway.NewSnapshotID()
	if err := s.CopySnapshot(ctx, snap, back, []byte("wrong"), nil); err == nil {
		t.Error("CopySnapshot with a wrong secret: got no error")
	}
	if err := s.CopySnapshot(ctx, snap, back, v.Secret, nil); err != nil {
		t.Fatal(err)
	}
	path, _ = s.SnapshotPath(back)
	raw := filepath.Join(t.TempDir(), "raw")
	if out, err := exec.Command("qemu-img", "convert", "-O", "raw", path, raw).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if b, err := os.ReadFile(raw); err != nil || !bytes.Equal(b[4096:4096+13], []byte("plain content")) {
		t.Errorf("decrypted content = %q, %v", b[4096:4096+13], err)
	}
}

func TestRemovedSnapshotsFileGoesWithItsLastVolume(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s, snap := open(t, dir), slipway.NewSnapshotID()
	if err := s.ImportSnapshot(ctx, pattern(t, "x"), snap); err != nil {
		t.Fatal(err)
	}
	file, _ := s.SnapshotPath(snap)
	v := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: snap, SizeGiB: 1}
	if _, err := s.EnsureVolume(ctx, v); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveSnapshot(ctx, snap); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("a volume lost its ground: %v", err)
	}
	if err := s.RemoveVolume(ctx, v.ID); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestNewClearsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	v := blockstore.Volume{ID: slipway.NewVolumeID(), SizeGiB: 1}
	path, err := s.EnsureVolume(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+partial); err != nil { // as if it had crashed before the last step
		t.Fatal(err)
	}
	s = open(t, dir)
	if _, err := os.Stat(path + partial); err == nil {
		t.Error("an unfinished file is still there")
	}
	if got, err := s.EnsureVolume(t.Context(), v); err != nil || got != path {
		t.Errorf("EnsureVolume = %s, %v, want %s", got, err, path)
	}
}

func TestImportRefusesFilesThatNameOthers(t *testing.T) {
	s, file := open(t, t.TempDir()), filepath.Join(t.TempDir(), "overlay.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", file,
		"1M").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := s.ImportSnapshot(t.Context(), file, slipway.NewSnapshotID()); err == nil {
		t.Error("an overlay was imported")
	}
	file = filepath.Join(t.TempDir(), "external.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-o",
		"data_file="+file+".data,data_file_raw=on", file, "1M").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if h, err := qcow2.Read(file); err != nil || !h.ExternalData {
		t.Errorf("Read = %+v, %v, want external data", h, err)
	}
	if err := s.ImportSnapshot(t.Context(), file, slipway.NewSnapshotID()); err == nil {
		t.Error("a file with external data was imported")
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("cannot mount: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s, id := open(t, dir), slipway.NewSnapshotID()
	file := filepath.Join(t.TempDir(), "large.raw")
	if err := os.WriteFile(file, bytes.Repeat([]byte("large "), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.ImportSnapshot(t.Context(), file, id); !errors.Is(err, blockstore.ErrFull) {
		t.Errorf("ImportSnapshot on a full disk = %v, want %v", err, blockstore.ErrFull)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func BenchmarkEnsureVolume(b *testing.B) {
	s, snap := open(b, b.TempDir()), slipway.NewSnapshotID()
	file := filepath.Join(b.TempDir(), "raw")
	if err := errors.Join(os.WriteFile(file, make([]byte, 1<<20), 0o600),
		s.ImportSnapshot(b.Context(), file, snap)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.EnsureVolume(b.Context(),
			blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: snap, SizeGiB: 8}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestImportCopiesNoSealedImage(t *testing.T) {
	s, dir := open(t, t.TempDir()), t.TempDir()
	for _, tt := range []struct {
		name   string
		mode   os.FileMode
		shared bool
	}{
		{"what nobody may write gets a second name", 0o444, true},
		{"what somebody may write is copied", 0o644, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, id := filepath.Join(dir, tt.mode.String()), slipway.NewSnapshotID()
			if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", file, "1M").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := errors.Join(os.Chmod(file, tt.mode), s.ImportSnapshot(t.Context(), file, id)); err != nil {
				t.Fatal(err)
			}
			path, ok := s.SnapshotPath(id)
			if !ok {
				t.Fatal("there is no snapshot")
			}
			from, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			to, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if os.SameFile(from, to) != tt.shared {
				t.Errorf("the snapshot is the image's own file: %t, want %t", !tt.shared, tt.shared)
			}
			if err := s.RemoveSnapshot(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("the image went with its snapshot: %v", err)
			}
		})
	}
}

// TestAFinishedSnapshotIsNobodysToWrite, although a machine that was given the file may have kept a descriptor of it.
func TestAFinishedSnapshotIsNobodysToWrite(t *testing.T) {
	s := open(t, t.TempDir())
	for name, keep := range map[string]bool{"a descriptor that was closed": false, "one that was kept": true} {
		id := slipway.NewSnapshotID()
		path, _ := s.SnapshotPath(id)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", path, "1M").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !keep {
			f.Close()
		}
		if err := s.FinishSnapshot(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if keep {
			if _, err := f.WriteAt([]byte("something else entirely"), 0); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		path, ok := s.SnapshotPath(id)
		if b, err := os.ReadFile(path); !ok || err != nil || !bytes.Equal(b, was) {
			t.Errorf("%s: the snapshot has changed, %v", name, err)
		}
	}
	left, _ := filepath.Glob(s.path("snapshots", "*"+partial))
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// rebase writes another name into a file's header, as a machine could that has broken out.
func rebase(t *testing.T, file, base, format string) {
	t.Helper()
	if out, err := exec.Command("qemu-img", "rebase", "-u", "-b", base, "-F", format, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestAHeaderIsAGuestsWord: what it names is not read for it, whatever is done with the volume.
func TestAHeaderIsAGuestsWord(t *testing.T) {
	ctx, s := t.Context(), open(t, t.TempDir())
	base, other := slipway.NewSnapshotID(), slipway.NewSnapshotID()
	for _, id := range []slipway.SnapshotID{base, other} {
		if err := s.ImportSnapshot(ctx, pattern(t, "content of "+string(id)), id); err != nil {
			t.Fatal(err)
		}
	}
	hidden := pattern(t, "a file of the host's")
	for name, forge := range map[string]func(file string){
		"a raw file of the host's": func(file string) { rebase(t, file, hidden, "raw") },
		"another snapshot": func(file string) {
			rebase(t, file, filepath.Join("..", "snapshots", string(other)+suffix), "qcow2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := blockstore.Volume{ID: slipway.NewVolumeID(), Snapshot: base, SizeGiB: 1}
			path, err := s.EnsureVolume(ctx, v)
			if err != nil {
				t.Fatal(err)
			}
			forge(path)
			if _, err := s.EnsureVolume(ctx, v); err == nil {
				t.Error("EnsureVolume hands it to a machine")
			}
			v.SizeGiB = 2
			if _, err := s.EnsureVolume(ctx, v); err == nil {
				t.Error("EnsureVolume grows it")
			}
			if name == "another snapshot" {
				return // whose it is, only EnsureVolume is told, which comes first
			}
			if err := s.GrowVolume(ctx, v.ID, 3); err == nil {
				t.Error("GrowVolume opens it")
			}
			if err := s.SnapshotVolume(ctx, v, slipway.NewSnapshotID()); err == nil {
				t.Error("SnapshotVolume copies it")
			}
		})
	}
	id := slipway.NewSnapshotID()
	path, _ := s.SnapshotPath(id)
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", hidden, "-F", "raw",
		path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := s.FinishSnapshot(ctx, id); err == nil {
		t.Error("a file that refers to another becomes a snapshot")
	}
}

// TestQemuImgIsToldNoPassphraseByItsArguments: nor by its environment, which is slipway's own in nothing.
func TestQemuImgIsToldNoPassphraseByItsArguments(t *testing.T) {
	cmd := exec.Command("qemu-img", "info")
	if err := pass(cmd, keyring{[]byte("opensesame"), []byte("closesesame")}); err != nil {
		t.Fatal(err)
	}
	told := strings.Join(append(cmd.Args, bare...), " ")
	if strings.Contains(told, "sesame") || strings.Count(told, "file=/dev/fd/") != 2 {
		t.Errorf("qemu-img is told: %s", told)
	}
	for i, want := range []string{"opensesame", "closesesame"} {
		got := make([]byte, 32)
		n, _ := cmd.ExtraFiles[i].ReadAt(got, 0)
		if string(got[:n]) != want {
			t.Errorf("file %d holds %q, want %q", i, got[:n], want)
		}
		cmd.ExtraFiles[i].Close()
	}
}
