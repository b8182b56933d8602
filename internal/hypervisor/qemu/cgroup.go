package qemu

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroups is where machines' control groups are made. With none, machines still run, but share the driver's group, where
// a service manager that stops the driver may end them too, and CPUShare has no effect.
type cgroups struct {
	dir     string // "" when there are none to be had
	unified bool   // version 2
	cpu     bool   // CPU time can be limited
}

// cpuPeriod is the interval, in microseconds, over which CPU time is counted.
const cpuPeriod = 100_000

func findCgroups(mount, name string, log *slog.Logger) cgroups {
	var fs unix.Statfs_t
	err := unix.Statfs(mount, &fs)
	c := cgroups{dir: filepath.Join(mount, "cpu", name), cpu: true}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		c = cgroups{dir: filepath.Join(mount, name), unified: true}
	}
	if err == nil {
		err = c.open()
	}
	if err != nil {
		log.Warn("no control groups: machines are not limited in CPU time", "error", err)
		return cgroups{}
	}
	if err := c.delegate(); err != nil {
		log.Warn("machines are not limited in CPU time", "error", err)
		return c
	}
	c.cpu = true
	return c
}

// open makes the group that holds the machines' groups.
func (c cgroups) open() error {
	if err := os.Mkdir(c.dir, 0o755); !os.IsExist(err) {
		return err
	}
	return nil
}

// delegate lets the CPU time of the machines' groups be limited.
func (c cgroups) delegate() error {
	if !c.unified {
		return nil
	}
	for _, dir := range []string{filepath.Dir(c.dir), c.dir} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
			return err
		}
	}
	return nil
}

// close removes what open made, unless machines are in it: the kernel refuses that.
func (c cgroups) close() {
	if c.dir != "" {
		os.Remove(c.dir)
	}
}

// enter makes a machine's group and arranges for a process to be born in it.
func (c cgroups) enter(name string, cpus float64, attr *syscall.SysProcAttr) (leave func(), err error) {
	leave = func() {}
	if c.dir == "" {
		return leave, nil
	}
	dir := filepath.Join(c.dir, name)
	err = os.Mkdir(dir, 0o755)
	if absent(err) { // another slipway of this host has ended, and its close took the empty parent along
		if err = c.open(); err == nil && c.cpu {
			err = c.delegate()
		}
		if err == nil {
			err = os.Mkdir(dir, 0o755)
		}
	}
	if err != nil && !os.IsExist(err) {
		return leave, err
	}
	if c.cpu {
		if err := c.limit(dir, cpus); err != nil {
			return leave, fmt.Errorf("limit CPU time: %w", err)
		}
	}
	if !c.unified {
		return leave, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return leave, err
	}
	attr.UseCgroupFD, attr.CgroupFD = true, int(f.Fd())
	return func() { f.Close() }, nil
}

func (c cgroups) limit(dir string, cpus float64) error {
	quota := -1
	if cpus > 0 {
		quota = max(int(cpus*cpuPeriod), 1000) // the kernel's minimum
	}
	if !c.unified {
		return os.WriteFile(filepath.Join(dir, "cpu.cfs_quota_us"), []byte(strconv.Itoa(quota)), 0)
	}
	text := "max"
	if quota > 0 {
		text = strconv.Itoa(quota)
	}
	return os.WriteFile(filepath.Join(dir, "cpu.max"), fmt.Appendf(nil, "%s %d", text, cpuPeriod), 0)
}

// add moves a process to its group where it could not be born in it.
func (c cgroups) add(name string, pid int) {
	if c.dir != "" && !c.unified {
		os.WriteFile(filepath.Join(c.dir, name, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	}
}

func (c cgroups) remove(name string) {
	if c.dir != "" {
		os.Remove(filepath.Join(c.dir, name))
	}
}
