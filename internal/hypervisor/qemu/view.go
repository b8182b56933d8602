package qemu

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/hostusers"
	"slipway/internal/hypervisor"
	"slipway/internal/jail"
	"slipway/internal/qcow2"
	"slipway/internal/qemuargs"
)

// A driver that is root starts each QEMU in a view of its own, where there are the system's libraries and the
// machine's own files and no others. What is plugged in later is shown to the running process first.

// confines says whether machines get a view of their own; only root can make one.
func confines() bool { return os.Geteuid() == 0 }

// environment is all that a QEMU finds in its environment. It says which driver's the process is, to whoever finds it later.
func (d *Driver) environment() []string {
	return []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", marker(d.cfg.Dir)}
}

func marker(dir string) string { return "SLIPWAY_MACHINES=" + dir }

// launch starts cmd, in a view of its own where that can be. dir is a directory in which the view's place may be made.
func (d *Driver) launch(cmd *exec.Cmd, dir string, v jail.View) error {
	if !confines() {
		return cmd.Start()
	}
	v.Root = filepath.Join(dir, "view")
	if err := os.Mkdir(v.Root, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	defer os.Remove(v.Root) // the view has become the root of another namespace by then
	v.Files = append(slices.Clone(v.Files), jail.File{Path: d.cfg.Binary})
	return jail.Start(cmd, v)
}

// tryView proves before the first machine that QEMU can be started as machines are, and says what is in the way.
func (d *Driver) tryView() error {
	if !confines() {
		return nil
	}
	if err := d.tryOwner(); err != nil {
		return err
	}
	cmd := exec.Command(d.cfg.Binary, "-version")
	cmd.Dir, cmd.Env = "/", d.environment()
	uid := 0
	if !d.cfg.SameUser {
		uid = d.cfg.FirstUser + hostusers.Machines
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(uid)}
	err := d.launch(cmd, d.cfg.Dir, jail.View{})
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("machines cannot be confined here (QEMU in namespaces of its own, as user %d): %w; "+
			"in a container, run it with --privileged; kernels from 5.12 on can", uid, err)
	}
	return nil
}

// tryOwner proves that files can be given to machines' users, which a network file system may refuse to root.
func (d *Driver) tryOwner() error {
	if d.cfg.SameUser {
		return nil
	}
	f, err := os.CreateTemp(d.cfg.Dir, ".owner-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Chown(d.cfg.FirstUser, d.cfg.FirstUser); err != nil {
		return fmt.Errorf("files below %s cannot belong to machines' users: %w; keep the state on a local file system (--state)",
			d.cfg.Dir, err)
	}
	return nil
}

// sees adds files to the view, but for those without a name.
func (s *spawn) sees(files ...jail.File) { s.view.Files = append(s.view.Files, files...) }

// bootFiles are a directly booted kernel's.
func bootFiles(b hypervisor.Boot) []jail.File {
	var files []jail.File
	for _, path := range []string{b.Kernel, b.Initrd} {
		if path != "" {
			files = append(files, jail.File{Path: path})
		}
	}
	return files
}

// kvm is the device, where there is one.
func kvm() []jail.File {
	if _, err := os.Stat("/dev/kvm"); err != nil {
		return nil
	}
	return []jail.File{{Path: "/dev/kvm", Write: true}}
}

// layers are a chain's files, of which only the first is written.
func layers(chain []qcow2.Layer) []jail.File {
	files := make([]jail.File, len(chain))
	for i, l := range chain {
		files[i] = jail.File{Path: l.Path, Write: i == 0}
	}
	return files
}

// giveSecret puts a passphrase where QEMU alone finds it: in the memory of its view, or in its machine's directory
// where it has none.
func (d *Driver) giveSecret(s *spawn, key qemuargs.Secret) (path string, err error) {
	if confines() {
		path = "/secrets/" + key.Name
		s.view.Contents = append(s.view.Contents, jail.Content{Path: path, Bytes: key.Value, UID: s.uid})
		return path, nil
	}
	f, err := secretFile(key.Value)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("/dev/fd/%d", s.add(f)), nil
}

// show makes a file visible to the running machine.
func (m *machine) show(f jail.File) error {
	return m.inView(func(pidfd int) error { return jail.Show(pidfd, f) })
}

// hide takes it away again. A machine that is gone sees nothing.
func (m *machine) hide(path string) error {
	err := m.inView(func(pidfd int) error { return jail.Hide(pidfd, path) })
	if errors.Is(err, ErrNotRunning) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (m *machine) inView(do func(pidfd int) error) error {
	if !confines() {
		return nil
	}
	p := m.process()
	if p == nil {
		return ErrNotRunning
	}
	conn, err := p.File.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := conn.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil {
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	return done
}

// secretFile is an anonymous file that holds a passphrase; QEMU reads it through its descriptor's name.
func secretFile(secret []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("secret", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "secret")
	_, err = f.Write(secret)
	if err = errors.Join(err, f.Chmod(0o400)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// fileOf is where a volume's file lies; "" when that is not known.
func (m *machine) fileOf(v slipway.VolumeID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rec.Files[v]
}

// roomOf is how large the file of a disk may become: a qcow2 file holds tables beside the disk's content.
func roomOf(disk int64) int64 { return disk + disk/16 + fileOverhead }

// fileLimit is roomOf for a chain's first file, the only one that is written.
func fileLimit(chain []qcow2.Layer) int64 {
	if len(chain) == 0 {
		return fileOverhead
	}
	return roomOf(chain[0].Size)
}

// allow lets the running machine's files grow to size bytes, and leaves a larger limit as it is.
func (m *machine) allow(size int64) error {
	p := m.process()
	if !confines() || p == nil {
		return nil
	}
	var now unix.Rlimit
	if err := setLimit(p.PID, unix.RLIMIT_FSIZE, nil, &now); err != nil || now.Max >= uint64(size) {
		return err
	}
	return setLimit(p.PID, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(size), Max: uint64(size)}, nil)
}

// bound sets the limits that belong to a process, not to its group: how large its files may become, and that it leaves
// no image of its memory, where passphrases are: at 1 byte, because one of 0 still lets the kernel hand the image to a
// program that collects them.
func bound(pid int, largest int64) error {
	if !confines() {
		return nil
	}
	size := unix.Rlimit{Cur: uint64(largest), Max: uint64(largest)}
	return errors.Join(setLimit(pid, unix.RLIMIT_FSIZE, &size, nil),
		setLimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}, nil))
}

// setLimit is prlimit, without a fault where root may not do that (in a container without CAP_SYS_RESOURCE): nothing is limited
// there then, and nothing has to be raised. A process that is gone needs no limit either.
func setLimit(pid, resource int, limit, old *unix.Rlimit) error {
	err := unix.Prlimit(pid, resource, limit, old)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("limits of process %d: %w", pid, err)
	}
	return nil
}
