package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/dataplane"
	"slipway/internal/store/etcd"
)

// layout is the version of the state directory's form.
const layout = "1"

// newFree is how much room a state directory needs for an etcd to begin in it: for its log, and for what is kept free
// while it runs. One that has its records needs none to be read.
const newFree = 320 << 20

// stateDir is an opened state directory.
type stateDir struct {
	path string
	run  string // short, for sockets
	lock *os.File
	who  person // for whom it is
}

func (d stateDir) join(parts ...string) string {
	return filepath.Join(append([]string{d.path}, parts...)...)
}

func (d stateDir) socket() string { return filepath.Join(d.run, "etcd.sock") }

// openState makes or checks the directory. It changes nothing in one of another version.
func openState(path string, who person) (stateDir, error) {
	d := stateDir{path: path, who: who}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return d, fmt.Errorf("state directory: %w: name one that you may write with --state", err)
	}
	b, err := os.ReadFile(d.join("version"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 && !onlyOurs(entries) {
			return d, fmt.Errorf("state directory %s holds other things: name an empty one with --state", path)
		}
		if err := os.WriteFile(d.join("version"), []byte(layout+"\n"), 0o644); err != nil {
			return d, fmt.Errorf("state directory: %w", err)
		}
	case err != nil:
		return d, fmt.Errorf("state directory: %w", err)
	case strings.TrimSpace(string(b)) != layout:
		return d,
			fmt.Errorf("state directory %s has version %s, and this slipway reads version %s: use the slipway that "+
				"made it, or another directory",
				path, strings.TrimSpace(string(b)), layout)
	}
	d.run = d.join("run")
	if len(d.run) > 60 { // a socket's path has at most 107 bytes
		sum := sha256.Sum256([]byte(path))
		base := "/run/slipway"
		if os.Geteuid() != 0 {
			base = filepath.Join(os.TempDir(), fmt.Sprintf("slipway-%d", os.Geteuid()))
		}
		d.run = filepath.Join(base, hex.EncodeToString(sum[:6]))
	}
	if err := os.MkdirAll(d.run, 0o700); err != nil {
		return d, fmt.Errorf("state directory: %w", err)
	}
	return d, nil
}

// mayBegin says whether there is room for an etcd to begin in the directory, if none has.
func (d stateDir) mayBegin() error {
	if _, err := os.Stat(d.join("etcd")); err == nil {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(d.path, &fs); err != nil {
		return nil
	}
	free := fs.Bavail*uint64(fs.Bsize) + etcd.Begun(d.join("etcd"))
	if free >= newFree {
		return nil
	}
	return fmt.Errorf("the disk of %s has %d MiB free, and %d are needed to begin there: make room, or name another "+
		"directory with --state",
		d.path, free>>20, newFree>>20)
}

func onlyOurs(entries []os.DirEntry) bool {
	for _, e := range entries {
		if e.Name() != "run" && e.Name() != "imports" && e.Name() != "images" && e.Name() != "lock" && e.Name() != "lost+found" {
			return false
		}
	}
	return true
}

// claim makes this process the directory's only server, and the directory the person's for whom it runs.
func (d *stateDir) claim() error {
	if err := d.who.give(d.path); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	f, err := os.OpenFile(d.join("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	// What a server had begun when it was killed has all its files open until it becomes another program: for a moment the
	// locks of the dead are still held, the slot's and those of etcd's log as well. Whoever has this one finds those free.
	for began := time.Now(); unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; time.Sleep(claimPause) {
		if time.Since(began) > claimPatience {
			f.Close()
			return fmt.Errorf("another slipway serves %s: stop it, or name another directory with --state", d.path)
		}
	}
	d.lock = f
	return nil
}

// claimPatience is how long the lock of a server that has died may still be held, claimPause how often it is tried meanwhile.
const claimPatience, claimPause = 5 * time.Second, 20 * time.Millisecond

// slot claims a place among the installations on this machine, the one it had before if it had one.
func (d *stateDir) slot() (int, error) {
	const dir = "/run/slipway"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	try := func(n int) bool {
		f, err := os.OpenFile(fmt.Sprintf("%s/slot%02d", dir, n), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return false
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			f.Close()
			return false
		}
		held, _ := os.ReadFile(f.Name())
		owner := strings.TrimSpace(string(held))
		// A slot whose owner is only away keeps its guests; one whose directory is gone is free.
		if owner != "" && owner != d.path {
			if _, err := os.Stat(filepath.Join(owner, "slot")); err == nil {
				f.Close()
				return false
			}
		}
		f.Truncate(0)
		f.WriteAt([]byte(d.path), 0)
		slots = append(slots, f) // held until the process ends
		return true
	}
	var had int
	b, err := os.ReadFile(d.join("slot"))
	if err == nil {
		_, err = fmt.Sscan(string(b), &had)
	}
	switch {
	case err == nil && try(had):
		return had, nil
	case err != nil && !errors.Is(err, os.ErrNotExist): // guests may have addresses of it
		return 0,
			fmt.Errorf("%s is damaged: write the number in it that a file of /run/slipway has for this directory, "+
				"or remove it when no guest runs",
				d.join("slot"))
	}
	for n := range dataplane.MaxSlots {
		if try(n) {
			return n, os.WriteFile(d.join("slot"), fmt.Appendln(nil, n), 0o644)
		}
	}
	return 0, fmt.Errorf("%d installations of slipway are on this machine, and there is room for no more", dataplane.MaxSlots)
}

// slots keeps the claimed slot's file open, and so locked, as long as the process lives.
var slots []*os.File

const etcdPrefix = "/slipway/"

// openStore opens the directory's state for a command: the running server's, or the files themselves.
func openStore(ctx context.Context, d stateDir, c Config, log *slog.Logger) (*etcd.Store, error) {
	schema, err := c.schema(d)
	if err != nil {
		return nil, err
	}
	if len(c.EtcdEndpoints) > 0 {
		return c.cluster().Dial(ctx, etcdPrefix, etcd.DefaultLimits, schema, log)
	}
	if err := d.mayBegin(); err != nil {
		return nil, err
	}
	return etcd.OpenDir(ctx, d.join("etcd"), d.socket(), etcdPrefix, schema, log)
}
