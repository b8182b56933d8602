// Package jail starts programs that see next to nothing of the host: mount, pid, ipc and network namespaces of their own, the
// system's read-only libraries, and the files that they are given, each at its own path. Because the files are bound into that
// view, a program needs no right to walk to them, and what it is not given does not exist for it. More files can be
// shown to one that runs. qemu starts its machines by it; the package knows no machine, and must not read the state directory.
package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"slipway/internal/thread"
)

// File is a file or device of the host that a program sees at the same path.
type File struct {
	Path  string // absolute
	Write bool
}

// Content is a file that exists in the view alone, in memory, readable by its owner alone.
type Content struct {
	Path  string
	Bytes []byte
	UID   int
}

// View is what a program sees.
type View struct {
	Root     string // an empty directory of the host, over which the view is made; the host goes on seeing it empty
	Files    []File
	Contents []Content
}

// system is what any program needs to run: read-only, and without anything of the host's configuration.
var system = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc/ld.so.cache"}

// devices are those that every program may have.
var devices = []string{"/dev/null", "/dev/zero", "/dev/urandom"}

// viewSize bounds what the view itself may take of memory.
const viewSize = "size=4m,nr_inodes=8192,mode=755"

// Start starts cmd inside v, in namespaces of its own, with an empty bounding set, unable to gain rights. cmd.Path is
// absolute and below one of the system's directories or one of v.Files; cmd's process is the first of its pid namespace.
func Start(cmd *exec.Cmd, v View) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWNET
	return thread.Run(func() error {
		if err := enter(v); err != nil {
			return fmt.Errorf("a view of its own: %w", err)
		}
		if err := giveUp(); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// enter makes v and stands in it.
func enter(v View) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	unix.Umask(0o022) // this thread's own by now
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("view", v.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, viewSize); err != nil {
		return fmt.Errorf("mount %s: %w", v.Root, err)
	}
	for _, path := range system {
		if err := mirror(v.Root, path); err != nil {
			return err
		}
	}
	for _, path := range devices {
		if err := show(v.Root, File{Path: path, Write: true}); err != nil {
			return err
		}
	}
	for _, f := range v.Files {
		if err := show(v.Root, f); err != nil {
			return err
		}
	}
	for _, c := range v.Contents {
		if err := c.write(v.Root); err != nil {
			return err
		}
	}
	return turn(v.Root)
}

// mirror shows one of the system's paths as it is: a link as a link, what is absent not at all.
func mirror(root, path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		var to string
		if to, err = os.Readlink(path); err == nil {
			err = os.Symlink(to, root+path)
		}
		return err
	}
	if err != nil {
		return err
	}
	return show(root, File{Path: path})
}

func (c Content) write(root string) error {
	path := root + c.Path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, c.Bytes, 0o400); err != nil {
		return err
	}
	return os.Chown(path, c.UID, c.UID)
}

// show binds a file of the host at its path below root.
func show(root string, f File) error {
	tree, err := grab(f)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return put(tree, root+f.Path)
}

// grab takes a file as a mount that is attached nowhere yet, with the flags it shall have.
func grab(f File) (int, error) {
	if !filepath.IsAbs(f.Path) || strings.Contains(f.Path, "\x00") {
		return -1, fmt.Errorf("%q is no absolute path", f.Path)
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, f.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("show %s: %w", f.Path, err)
	}
	flags := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID}
	if !f.Write {
		flags.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &flags); err != nil {
		unix.Close(tree)
		return -1, fmt.Errorf("show %s: set flags: %w", f.Path, err)
	}
	return tree, nil
}

// put attaches a mount at path, where it makes what it is attached to.
func put(tree int, path string) error {
	var fi unix.Stat_t
	if err := unix.Fstat(tree, &fi); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if fi.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			return err
		}
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("show at %s: %w", path, err)
	}
	return nil
}

// turn makes root the root, and lets go of the host's.
func turn(root string) error {
	old := root + "/.host"
	if err := os.Mkdir(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/.host", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's root: %w", err)
	}
	return os.Remove("/.host")
}

// giveUp sees to it that no program of this thread can have or gain a capability.
func giveUp() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) && c > 0 {
			break // past the last one
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// Show lets a running program see one more file. What it sees already at that path is left, if it is the same. A
// program without a view of its own sees it anyhow.
func Show(pidfd int, f File) error {
	return thread.Run(func() error {
		tree, err := grab(f)
		if err != nil {
			return err
		}
		defer unix.Close(tree)
		if own, err := join(pidfd); !own || err != nil {
			return err
		}
		var want, have unix.Stat_t
		if err := unix.Fstat(tree, &want); err != nil {
			return err
		}
		if unix.Stat(f.Path, &have) == nil {
			if want.Dev == have.Dev && want.Ino == have.Ino {
				return nil
			}
			if err := hide(f.Path); err != nil {
				return err
			}
		}
		return put(tree, f.Path)
	})
}

// Hide takes a file out of a running program's view. What the program has open stays open.
func Hide(pidfd int, path string) error {
	return thread.Run(func() error {
		if own, err := join(pidfd); !own || err != nil {
			return err
		}
		return hide(path)
	})
}

func hide(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("hide %s: %w", path, err)
	}
	// Only what the view is made of is taken away, never a file that is shown.
	var root, left unix.Stat_t
	if unix.Lstat(path, &left) != nil {
		return nil
	}
	if err := unix.Stat("/", &root); err != nil {
		return err
	}
	if left.Dev != root.Dev {
		return fmt.Errorf("hide %s: it is still shown", path)
	}
	return os.Remove(path)
}

// join enters the view of a running program; own is false where that is the view of everybody else.
func join(pidfd int) (own bool, err error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return false, err
	}
	unix.Umask(0o022)
	var ours, its unix.Stat_t
	if err := unix.Stat("/", &ours); err != nil {
		return false, err
	}
	if err := unix.Setns(pidfd, unix.CLONE_NEWNS); err != nil {
		return false, fmt.Errorf("enter its view: %w", err)
	}
	if err := unix.Stat("/", &its); err != nil {
		return false, err
	}
	return ours.Dev != its.Dev || ours.Ino != its.Ino, nil
}
