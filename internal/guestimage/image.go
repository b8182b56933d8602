package guestimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/durable"
)

// Built is a finished image. Its files are readable by every user, because machines run as users of their own.
type Built struct {
	Name         string    `json:"name"` // "tiny", "debian-12", or as imported
	Description  string    `json:"description"`
	Dir          string    `json:"-"`
	RootDisk     string    `json:"rootDisk"`         // qcow2; in Dir, as are Kernel and Initrd
	Kernel       string    `json:"kernel,omitempty"` // empty: booted by the disk's own loader
	Initrd       string    `json:"initrd,omitempty"`
	Append       string    `json:"append,omitempty"`
	UEFI         bool      `json:"uefi,omitempty"` // the disk's loader wants UEFI
	Architecture string    `json:"architecture"`
	RootDevice   string    `json:"rootDevice"`
	SizeGiB      int       `json:"sizeGiB"` // of the root disk, rounded up
	User         string    `json:"user"`    // who may log in with the instance's key
	Digest       string    `json:"digest"`  // of the recipe and every package that went in
	Packages     []Package `json:"packages,omitempty"`
	Created      time.Time `json:"created"`
}

// Package is one package that went into an image.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitempty"`
}

const (
	architecture = "x86_64"
	rootDevice   = "/dev/xvda"
	manifest     = "image.json"
)

// Simulated stands for an image where nothing boots.
func Simulated() Built {
	return Built{
		Name: "tiny", Description: "simulated", Digest: "simulated", Architecture: "x86_64", RootDevice: "/dev/xvda",
		SizeGiB: 1, User: "root",
		Created: time.Unix(0, 0),
	}
}

// DefaultCacheDir is where images are kept unless the owner says otherwise. Root's lies outside of its home directory,
// which machines' users cannot enter.
func DefaultCacheDir() string {
	if os.Geteuid() == 0 {
		return "/var/cache/slipway"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "slipway")
	}
	return filepath.Join(dir, "slipway")
}

// Load reads the image in dir.
func Load(dir string) (Built, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifest))
	if err != nil {
		return Built{}, err
	}
	var b Built
	if err := json.Unmarshal(data, &b); err != nil {
		return Built{}, fmt.Errorf("%s: %w", dir, err)
	}
	b.Dir = dir
	for _, file := range []*string{&b.RootDisk, &b.Kernel, &b.Initrd} {
		if *file != "" {
			*file = filepath.Join(dir, filepath.Base(*file))
		}
	}
	return b, nil
}

// build makes the image dir by calling make with a directory that becomes dir when make succeeds. Of several processes
// that want the same image, one makes it and the others wait.
func build(ctx context.Context, dir string, make func(work string) (Built, error)) (Built, error) {
	if b, err := Load(dir); err == nil {
		return b, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Built{}, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return Built{}, err
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return Built{}, err
	}
	defer unlock()
	if b, err := Load(dir); err == nil {
		return b, nil
	}
	work := dir + ".part" // what an interrupted build left is of no use
	if err := removeAll(work); err != nil {
		return Built{}, err
	}
	if err := os.Mkdir(work, 0o755); err != nil {
		return Built{}, err
	}
	b, err := make(work)
	if err == nil {
		err = finish(b, work, dir)
	}
	if err != nil {
		return Built{}, errors.Join(fmt.Errorf("image %s: %w", filepath.Base(dir), err), removeAll(work))
	}
	return Load(dir)
}

// removeAll removes a tree even if its files have owners that only a user namespace of ours can be.
func removeAll(tree string) error {
	if os.RemoveAll(tree) == nil {
		return nil
	}
	_, err := asRoot(context.Background(), filepath.Dir(tree), "rm", "-rf", tree)
	return err
}

func finish(b Built, work, dir string) error {
	b.Architecture, b.RootDevice, b.Created = architecture, rootDevice, time.Now().UTC().Truncate(time.Second)
	for _, file := range []*string{&b.RootDisk, &b.Kernel, &b.Initrd} {
		if *file == "" {
			continue
		}
		*file = filepath.Base(*file)
		path := filepath.Join(work, *file)
		if err := errors.Join(os.Chmod(path, 0o444), durable.Sync(path)); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, manifest), append(data, '\n'), 0o444); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(work, 0o755), durable.Sync(filepath.Join(work, manifest)), durable.Sync(work)); err != nil {
		return err
	}
	if err := os.Rename(work, dir); err != nil {
		return err
	}
	return durable.Sync(filepath.Dir(dir))
}

// lock is held until unlock, which takes the file away: whoever waited for it makes another one.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && still(f, path) {
			return func() { os.Remove(path); f.Close() }, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// still says whether a file lies where it was opened.
func still(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}

// need says which programs are missing, and which Debian packages bring them.
func need(programs map[string]string) error {
	var missing []error
	for program, pkg := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Errorf("%s is not installed (Debian: apt install %s)", program, pkg))
		}
	}
	return errors.Join(missing...)
}

// run runs a program and answers its standard output. What it says when it fails becomes the error.
func run(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	// Asked first: what installs packages has things to put away.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(unix.SIGTERM) }, 10*time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, tail(stderr.String()))
	}
	return out, nil
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > 4 {
		lines = lines[len(lines)-4:]
	}
	return strings.Join(lines, "; ")
}

// digest is the name of a content.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		io.WriteString(h, p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// treeDigest is the name of the content of a directory.
func treeDigest(tree fs.FS) string {
	var parts []string
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(tree, path)
		parts = append(parts, path, string(b))
		return err
	})
	if err != nil {
		panic(err) // the tree is embedded
	}
	return digest(parts...)
}
