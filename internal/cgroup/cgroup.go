// Package cgroup limits what a machine takes of its host: CPU time, memory, and the number of its processes.
//
// A machine's control group is NAME/INSTALLATION/MACHINE, in the one hierarchy of version 2 or in each that is needed
// of version 1. The installation is told by the directory of its machines, so that whoever finds a process in a group
// knows whose it is, even after that directory is gone. A driver holds a shared lock on its installation's groups for
// as long as it lives: groups that nobody holds are of an installation that has ended or was killed, and whatever of
// them no process is in, any driver may remove.
//
// The package knows neither QEMU nor what a machine is: a group has a name and a room.
package cgroup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// controllers are what machines are limited in. Where one is missing, the others work.
var controllers = []string{"cpu", "memory", "pids"}

// Groups is where machines' control groups are made. With none, machines still run, but share the driver's group, where
// a service manager that stops the driver may end them too, and no limit has an effect.
type Groups struct {
	Dirs    map[string]string   // controller -> the installation's group; one directory for all with version 2
	held    map[string]*os.File // the installation's groups, locked
	unified bool
}

// Room is what a machine may take of its host.
type Room struct {
	CPUs      float64 // 0: no limit
	MemoryMiB int
	Tasks     int
}

// cpuPeriod is the microseconds over which CPU time is counted.
const cpuPeriod = 100_000

// GroupKey names an installation by the directory of its machines.
func GroupKey(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:6])
}

// Find makes an installation's groups below NAME where control groups are mounted, with whatever of them can be had. It
// says in log what machines are not limited in.
func Find(mount, name, installation string, log *slog.Logger) Groups {
	c := Groups{Dirs: map[string]string{}, held: map[string]*os.File{}}
	var mounted unix.Statfs_t
	if err := unix.Statfs(mount, &mounted); err != nil {
		log.Warn("no control groups: machines are not limited in CPU time, memory and processes", "error", err)
		return c
	}
	c.unified = mounted.Type == unix.CGROUP2_SUPER_MAGIC
	for _, controller := range controllers {
		dir := filepath.Join(mount, name, GroupKey(installation))
		if !c.unified {
			dir = filepath.Join(mount, controller, name, GroupKey(installation))
		}
		if err := c.open(controller, dir); err != nil {
			log.Warn("machines are not limited", "controller", controller, "error", err)
			continue
		}
		c.Dirs[controller] = dir
	}
	if c.unified && len(c.Dirs) == 0 { // no controller is to be had, but groups are
		if dir := filepath.Join(mount, name, GroupKey(installation)); c.hold(dir) == nil {
			c.Dirs[""] = dir
		}
	}
	return c
}

// open makes the installation's group in one hierarchy and lets the machines' groups below it be limited.
func (c Groups) open(controller, dir string) error {
	parent := filepath.Dir(dir)
	if !c.unified {
		if _, err := os.Stat(filepath.Dir(parent)); err != nil {
			return err
		}
	}
	sweep(parent)
	if err := c.hold(dir); err != nil || !c.unified {
		return err
	}
	for _, d := range []string{filepath.Dir(parent), parent, dir} {
		if err := os.WriteFile(filepath.Join(d, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return err
		}
	}
	return nil
}

// hold makes the installation's group and locks it. One that somebody removes meanwhile is made again.
func (c Groups) hold(dir string) error {
	for c.held[dir] == nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		f, err := os.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil { // who has it alone removes it, which is quick
			f.Close()
			return fmt.Errorf("lock %s: %w", dir, err)
		}
		locked, err := f.Stat()
		there, gone := os.Stat(dir)
		if err == nil && gone == nil && os.SameFile(locked, there) {
			c.held[dir] = f
			continue
		}
		f.Close()
	}
	return nil
}

// sweep removes what installations left that were killed, or have ended while machines ran on that have ended since.
func sweep(parent string) {
	groups, _ := os.ReadDir(parent)
	for _, g := range groups {
		if g.IsDir() {
			clearGroup(filepath.Join(parent, g.Name()))
		}
	}
}

// clearGroup removes an installation's group, and those of its machines, unless a driver holds it. The kernel refuses
// to remove a group that a process is in.
func clearGroup(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return
	}
	machines, _ := f.ReadDir(-1)
	for _, m := range machines {
		if m.IsDir() {
			os.Remove(filepath.Join(dir, m.Name()))
		}
	}
	os.Remove(dir)
}

// each goes through the installation's groups, once each.
func (c Groups) each(do func(controller, dir string) error) error {
	seen := map[string]bool{}
	var errs []error
	for controller, dir := range c.Dirs {
		if !seen[dir] {
			seen[dir] = true
			errs = append(errs, do(controller, dir))
		}
	}
	return errors.Join(errs...)
}

// Close removes what open made, unless machines are in it.
func (c Groups) Close() {
	for _, f := range c.held { // of those too that could be made and not be used
		f.Close()
		clearGroup(f.Name())
		os.Remove(filepath.Dir(f.Name()))
	}
}

// Enter makes a machine's groups and arranges for a process to be born in them.
func (c Groups) Enter(name string, r Room, attr *syscall.SysProcAttr) (leave func(), err error) {
	leave = func() {}
	for controller, dir := range c.Dirs {
		group := filepath.Join(dir, name)
		if err := os.Mkdir(group, 0o755); err != nil && !os.IsExist(err) {
			return leave, err
		}
		if err := c.limit(controller, group, r); err != nil {
			return leave, fmt.Errorf("limit %s: %w", controller, err)
		}
	}
	if !c.unified || len(c.Dirs) == 0 {
		return leave, nil
	}
	for _, dir := range c.Dirs {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return leave, err
		}
		attr.UseCgroupFD, attr.CgroupFD = true, int(f.Fd())
		return func() { f.Close() }, nil
	}
	return leave, nil
}

// limit bounds one group in what one controller counts.
func (c Groups) limit(controller, group string, r Room) error {
	set := func(file, value string) error { return os.WriteFile(filepath.Join(group, file), []byte(value), 0) }
	switch controller {
	case "cpu":
		return c.setCPU(group, r.CPUs)
	case "memory":
		bytes := strconv.FormatInt(int64(r.MemoryMiB)<<20, 10)
		if c.unified {
			return set("memory.max", bytes)
		}
		return set("memory.limit_in_bytes", bytes)
	case "pids":
		return set("pids.max", strconv.Itoa(r.Tasks))
	}
	return nil
}

// LimitCPU changes how many CPUs' time a machine may take; 0 is no limit.
func (c Groups) LimitCPU(name string, cpus float64) error {
	dir := c.Dirs["cpu"]
	if dir == "" {
		return nil
	}
	return c.setCPU(filepath.Join(dir, name), cpus)
}

func (c Groups) setCPU(group string, cpus float64) error {
	quota := -1
	if cpus > 0 {
		quota = max(int(cpus*cpuPeriod), 1000) // the kernel's minimum
	}
	if !c.unified {
		return os.WriteFile(filepath.Join(group, "cpu.cfs_quota_us"), []byte(strconv.Itoa(quota)), 0)
	}
	text := "max"
	if quota > 0 {
		text = strconv.Itoa(quota)
	}
	return os.WriteFile(filepath.Join(group, "cpu.max"), fmt.Appendf(nil, "%s %d", text, cpuPeriod), 0)
}

// Add moves a process to its groups where it could not be born in them.
func (c Groups) Add(name string, pid int) {
	if c.unified {
		return
	}
	for _, dir := range c.Dirs {
		os.WriteFile(filepath.Join(dir, name, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	}
}

// Remove removes a machine's groups, unless a process is in them.
func (c Groups) Remove(name string) {
	c.each(func(_, dir string) error { return os.Remove(filepath.Join(dir, name)) })
}

// Members are the processes in the installation's groups, by the machine that the group is named after.
func (c Groups) Members() map[string][]int {
	found := map[string][]int{}
	c.each(func(_, dir string) error {
		groups, err := os.ReadDir(dir)
		for _, g := range groups {
			if !g.IsDir() {
				continue
			}
			b, _ := os.ReadFile(filepath.Join(dir, g.Name(), "cgroup.procs"))
			for _, pid := range pids(b) {
				if !slices.Contains(found[g.Name()], pid) {
					found[g.Name()] = append(found[g.Name()], pid)
				}
			}
		}
		return err
	})
	return found
}

func pids(b []byte) []int {
	var out []int
	for line := range bytes.Lines(b) {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(line))); err == nil {
			out = append(out, pid)
		}
	}
	return out
}
