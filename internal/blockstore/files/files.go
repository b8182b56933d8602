package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/durable"
	"slipway/internal/qcow2"
)

// Store is a directory of qcow2 files.
type Store struct {
	dir string
	log *slog.Logger
	// importer is the user that reads images from elsewhere, and owns nothing else: should a file that refers to
	// others get past every check, it has nothing of the host's to read.
	importer int
	after    func(time.Duration) <-chan time.Time

	// A snapshot may not go while a volume is being put on it.
	bases sync.RWMutex
}

var _ blockstore.Store = (*Store)(nil)

const (
	suffix  = ".qcow2"
	partial = ".part"
	removed = ".removed"
)

// New opens the store in dir and clears what a crash left. importer is a user that is nobody else's.
func New(dir string, importer int, log *slog.Logger) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("qemu-img"); err != nil {
		return nil, fmt.Errorf("%w (Debian: apt install qemu-utils)", err)
	}
	s := &Store{dir: dir, importer: importer, log: log, after: time.After}
	// A machine is shown its own files, one by one: nobody but us walks here.
	for _, sub := range []string{"volumes", "snapshots", "boot"} {
		if err := errors.Join(os.MkdirAll(s.path(sub), 0o700), os.Chmod(s.path(sub), 0o700)); err != nil {
			return nil, err
		}
		left, err := filepath.Glob(s.path(sub, "*"+partial))
		if err != nil {
			return nil, err
		}
		for _, path := range left {
			log.Info("unfinished file removed", "path", path)
			if err := remove(path); err != nil {
				return nil, err
			}
		}
	}
	if err := os.MkdirAll(s.path("memory"), 0o700); err != nil {
		return nil, err
	}
	return s, s.collect()
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}
func (s *Store) volume(id slipway.VolumeID) string { return s.path("volumes", string(id)+suffix) }
func (s *Store) snapshot(id slipway.SnapshotID) string {
	return s.path("snapshots", string(id)+suffix)
}
func (s *Store) mark(id slipway.SnapshotID) string { return s.path("snapshots", string(id)+removed) }

// MemoryPath is where a hibernated instance's memory lies.
func (s *Store) MemoryPath(id slipway.InstanceID) string { return s.path("memory", string(id)) }

// BootFile is where a kernel or initial file system lies.
func (s *Store) BootFile(name string) string {
	if name == "" {
		return ""
	}
	return s.path("boot", filepath.Base(name))
}

// AddBootFile keeps a copy of file.
func (s *Store) AddBootFile(_ context.Context, file, name string) error {
	to := s.BootFile(name)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to + partial)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return errors.Join(full(err), remove(to+partial))
	}
	return s.finish(to, 0o444)
}

// EnsureVolume makes the volume's file, or enlarges it.
func (s *Store) EnsureVolume(ctx context.Context, v blockstore.Volume) (string, error) {
	path := s.volume(v.ID)
	h, err := qcow2.Read(path)
	if err == nil {
		if err := ownBase(v, h); err != nil {
			return "", err
		}
		if h.Size >= int64(v.SizeGiB)<<30 {
			return path, nil
		}
		return path, s.grow(ctx, v)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := s.makeVolume(ctx, v, path); err != nil {
		return "", fmt.Errorf("make %s: %w", v.ID, err)
	}
	return path, nil
}

// ownBase says whether a volume's file still says that it is an overlay of what it was made on. A machine that has
// broken out could have written another name there, and be shown that file at its next start.
func ownBase(v blockstore.Volume, h qcow2.Header) error {
	if h.Backing != backing(v.Snapshot) {
		return fmt.Errorf("the file of %s says that it is an overlay of %q, and it was made on %q: it is not opened",
			v.ID, h.Backing, backing(v.Snapshot))
	}
	return nil
}

// backing is what a volume's header says of the snapshot that it is an overlay of.
func backing(id slipway.SnapshotID) string {
	if id == "" {
		return ""
	}
	return filepath.Join("..", "snapshots", string(id)+suffix)
}

func (s *Store) makeVolume(ctx context.Context, v blockstore.Volume, path string) error {
	s.bases.RLock()
	defer s.bases.RUnlock()
	size := int64(v.SizeGiB) << 30
	// qemu-img shall not open the snapshot, whose secret it would need: its size is given, and its format.
	args := []string{"create", "-q", "-u", "-f", "qcow2"}
	if v.Snapshot != "" {
		base, ok := s.SnapshotPath(v.Snapshot)
		if !ok {
			return fmt.Errorf("%s: %w", v.Snapshot, blockstore.ErrNoSnapshot)
		}
		h, err := qcow2.Read(base)
		if err != nil {
			return err
		}
		size = max(size, h.Size)
		args = append(args, "-b", backing(v.Snapshot), "-F", "qcow2")
	}
	if size == 0 {
		return errors.New("a blank volume needs a size")
	}
	keys := keyring{}
	args = append(args, encryption(keys.add(v.Secret), "encrypt.")...)
	args = append(args, path+partial, strconv.FormatInt(size, 10))
	if err := s.qemuImg(ctx, keys, args...); err != nil {
		return errors.Join(err, remove(path+partial))
	}
	return s.finish(path, 0o600)
}

// grow enlarges a volume's file.
func (s *Store) grow(ctx context.Context, v blockstore.Volume) error {
	keys := keyring{}
	opts, err := s.image(&keys, s.volume(v.ID), v.Secret, v.BaseSecret)
	if err != nil {
		return fmt.Errorf("grow %s: %w", v.ID, err)
	}
	args := []string{"resize", "-q", "--image-opts", opts, strconv.Itoa(v.SizeGiB) + "G"}
	if err := s.qemuImg(ctx, keys, args...); err != nil {
		return fmt.Errorf("grow %s: %w", v.ID, err)
	}
	return nil
}

// GrowVolume enlarges a plain volume.
func (s *Store) GrowVolume(ctx context.Context, id slipway.VolumeID, sizeGiB int) error {
	h, err := qcow2.Read(s.volume(id))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("grow %s: %w", id, blockstore.ErrNoVolume)
	}
	if err != nil || h.Size >= int64(sizeGiB)<<30 {
		return err
	}
	if h.Encrypted {
		return fmt.Errorf("grow %s: it is encrypted, and EnsureVolume has its secret", id)
	}
	return s.grow(ctx, blockstore.Volume{ID: id, SizeGiB: sizeGiB})
}

// RemoveVolume removes a volume's file, and snapshots that only waited for it.
func (s *Store) RemoveVolume(_ context.Context, id slipway.VolumeID) error {
	path := s.volume(id)
	h, err := qcow2.Read(path)
	if err := remove(path); err != nil {
		return err
	}
	if err == nil && h.Backing == "" {
		return nil
	}
	return s.collect()
}

// SnapshotPath is where a snapshot's file is, or has to be written.
func (s *Store) SnapshotPath(id slipway.SnapshotID) (string, bool) {
	path := s.snapshot(id)
	if _, err := os.Stat(path); err != nil {
		return path + partial, false
	}
	if _, err := os.Stat(s.mark(id)); err == nil {
		return path + partial, false
	}
	return path, true
}

// FinishSnapshot gives a snapshot's file its name.
func (s *Store) FinishSnapshot(_ context.Context, id slipway.SnapshotID) error {
	path := s.snapshot(id)
	if _, ok := s.SnapshotPath(id); ok {
		return nil
	}
	if os.Geteuid() == 0 { // a machine may have written it
		if err := os.Chown(path+partial, 0, 0); err != nil {
			return err
		}
	}
	if err := s.seal(path + partial); err != nil {
		return err
	}
	h, err := qcow2.Read(path + partial)
	if err == nil && (h.Backing != "" || h.ExternalData) {
		err = fmt.Errorf("%s refers to another file: it becomes no snapshot", id)
	}
	if err != nil {
		return err
	}
	return s.finish(path, 0o444)
}

// seal sees to it that nobody can still write to a file: a machine that has broken out may have kept a descriptor of
// what it was given to write. The kernel grants a read lease only where nobody has the file open for writing; else the
// file gives way to a copy of itself.
func (s *Store) seal(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		return err
	}
	if !errors.Is(err, unix.EAGAIN) {
		return nil // a file system without leases, or a file that is not ours: nothing can be told, nor mended
	}
	s.log.Error("a snapshot is still open for writing: it is copied", "path", path)
	out, err := os.OpenFile(path+".sealed"+partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		return errors.Join(full(err), remove(out.Name()))
	}
	return nil
}

// finish gives a file its name once its content is on the disk.
func (s *Store) finish(path string, mode os.FileMode) error {
	if err := errors.Join(os.Chmod(path+partial, mode), durable.Sync(path+partial)); err != nil {
		return full(err)
	}
	if err := os.Rename(path+partial, path); err != nil {
		return full(err)
	}
	return full(durable.Sync(filepath.Dir(path)))
}

// SnapshotVolume copies a volume that lies still, with all it is an overlay of.
func (s *Store) SnapshotVolume(ctx context.Context, v blockstore.Volume, id slipway.SnapshotID) error {
	if _, err := os.Stat(s.volume(v.ID)); err != nil {
		return fmt.Errorf("%s: %w", v.ID, blockstore.ErrNoVolume)
	}
	return s.copy(ctx, id, source{s.volume(v.ID), v.Secret, v.BaseSecret}, v.Secret)
}

// CopySnapshot copies a snapshot.
func (s *Store) CopySnapshot(ctx context.Context, from, id slipway.SnapshotID, fromSecret, secret []byte) error {
	s.bases.RLock()
	defer s.bases.RUnlock()
	path, ok := s.SnapshotPath(from)
	if !ok {
		return fmt.Errorf("%s: %w", from, blockstore.ErrNoSnapshot)
	}
	return s.copy(ctx, id, source{path, fromSecret, nil}, secret)
}

// source is a file to copy and the secrets of it and of what it is an overlay of.
type source struct {
	path         string
	secret, base []byte
}

func (s *Store) copy(ctx context.Context, id slipway.SnapshotID, from source, secret []byte) error {
	if _, ok := s.SnapshotPath(id); ok {
		return nil
	}
	keys := keyring{}
	args := []string{"convert", "-q", "-O", "qcow2", "--image-opts"}
	opts, err := s.image(&keys, from.path, from.secret, from.base)
	if err != nil {
		return err
	}
	args = append(args, encryption(keys.add(secret), "encrypt.")...)
	return s.convert(ctx, id, keys, append(args, opts, s.snapshot(id)+partial)...)
}

// ImportSnapshot converts a raw or qcow2 file. Which it is, its first bytes say; a file that refers to others is refused,
// because it could name any file of the host.
func (s *Store) ImportSnapshot(ctx context.Context, file string, id slipway.SnapshotID) error {
	if _, ok := s.SnapshotPath(id); ok {
		return nil
	}
	format := "qcow2"
	h, err := qcow2.Read(file)
	switch {
	case errors.Is(err, qcow2.ErrFormat):
		format = "raw"
	case err != nil:
		return err
	case h.Backing != "" || h.Encrypted:
		return fmt.Errorf("%s: an overlay or an encrypted file cannot be imported", filepath.Base(file))
	case h.ExternalData:
		return fmt.Errorf("%s: a qcow2 file whose data lies in another cannot be imported", filepath.Base(file))
	}
	if format == "qcow2" && sealed(file) && os.Link(file, s.snapshot(id)+partial) == nil {
		return s.FinishSnapshot(ctx, id)
	}
	if err := s.convert(ctx, id, nil, "convert", "-q", "-f", format, "-O", "qcow2", file, s.snapshot(id)+partial); err != nil {
		return fmt.Errorf("import %s: %w", filepath.Base(file), err)
	}
	return nil
}

// sealed says that the file is ours and nobody may write to it, as with a built image: a second name for it is as good as a
// copy, and hundreds of megabytes cheaper.
func sealed(file string) bool {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o222 != 0 {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Geteuid()
}

func (s *Store) convert(ctx context.Context, id slipway.SnapshotID, keys keyring, args ...string) error {
	if err := s.qemuImg(ctx, keys, args...); err != nil {
		return errors.Join(err, remove(s.snapshot(id)+partial))
	}
	return s.FinishSnapshot(ctx, id)
}

// RemoveSnapshot removes a snapshot, or hides it until no volume relies on it.
func (s *Store) RemoveSnapshot(_ context.Context, id slipway.SnapshotID) error {
	if err := remove(s.snapshot(id) + partial); err != nil {
		return err
	}
	if _, err := os.Stat(s.snapshot(id)); errors.Is(err, fs.ErrNotExist) {
		return remove(s.mark(id))
	}
	if err := os.WriteFile(s.mark(id), nil, 0o600); err != nil {
		return full(err)
	}
	return s.collect()
}

// collect removes the files of removed snapshots that no volume relies on any more.
func (s *Store) collect() error {
	marks, err := filepath.Glob(s.path("snapshots", "*"+removed))
	if err != nil || len(marks) == 0 {
		return err
	}
	s.bases.Lock()
	defer s.bases.Unlock()
	used, err := s.backings()
	if err != nil {
		return err
	}
	for _, mark := range marks {
		file := strings.TrimSuffix(mark, removed) + suffix
		if used[filepath.Base(file)] {
			continue
		}
		if err := errors.Join(remove(file), remove(mark)); err != nil {
			return err
		}
	}
	return nil
}

// backings are the snapshots' files that volumes rely on.
func (s *Store) backings() (map[string]bool, error) {
	volumes, err := filepath.Glob(s.path("volumes", "vol-*"+suffix))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, path := range volumes {
		h, err := qcow2.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err // better to keep too much than to take a volume's ground away
		}
		used[filepath.Base(h.Backing)] = true
	}
	return used, nil
}

// Volumes lists the volumes.
func (s *Store) Volumes(context.Context) ([]slipway.VolumeID, error) {
	return list[slipway.VolumeID](s.path("volumes", "vol-*"+suffix))
}

// Snapshots lists the snapshots that are not removed.
func (s *Store) Snapshots(context.Context) ([]slipway.SnapshotID, error) {
	all, err := list[slipway.SnapshotID](s.path("snapshots", "snap-*"+suffix))
	return slices.DeleteFunc(all, func(id slipway.SnapshotID) bool { _, ok := s.SnapshotPath(id); return !ok }), err
}

func list[ID ~string](pattern string) ([]ID, error) {
	paths, err := filepath.Glob(pattern)
	var ids []ID
	for _, p := range paths {
		ids = append(ids, ID(strings.TrimSuffix(filepath.Base(p), suffix)))
	}
	return ids, err
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// full names the one failure that the host's owner can mend at once.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", blockstore.ErrFull, err)
	}
	return err
}
