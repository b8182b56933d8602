package qemu

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// reap ends the processes of this directory's machines whose directories are gone: someone deleted the state directory
// while its machines ran on, and nobody else will ever end them. Whose a process is, its control group and its
// environment say, never its name. One whose directory is there is left alone, whatever its record looks like.
func (d *Driver) reap() {
	groups := d.cgroups.Members()
	for _, pid := range d.marked() {
		id := machineOf(pid)
		groups[id] = add(groups[id], pid)
	}
	for id, pids := range groups {
		if id == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(d.cfg.Dir, id)); !absent(err) {
			continue
		}
		for _, pid := range pids {
			if err := d.endOrphan(pid); err != nil {
				d.log.Error("a machine without a directory runs on", "instance", id, "pid", pid, "error", err)
				continue
			}
			d.log.Warn("machine ended: its directory had been deleted while it ran", "instance", id, "pid", pid)
		}
		d.cgroups.Remove(id)
		os.Remove(filepath.Join(d.cfg.RunDir, id+".qmp"))
	}
}

// orphanPatience is how long a killed process may take to be gone; one that waits for a disk is not interrupted.
const orphanPatience = 10 * time.Second

func (d *Driver) endOrphan(pid int) error {
	p, err := openProcess(pid, nil)
	if err != nil {
		return nil // gone meanwhile
	}
	defer p.File.Close()
	if err := p.Signal(unix.SIGKILL); err != nil {
		return err
	}
	if !p.WaitDead(orphanPatience) {
		return fmt.Errorf("it has not ended within %v", orphanPatience)
	}
	return nil
}

// marked are the processes that say in their environment that they are this directory's machines, and run QEMU.
func (d *Driver) marked() []int {
	var out []int
	want := []byte(marker(d.cfg.Dir) + "\x00")
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(b, want) && !bytes.Contains(b, append([]byte{0}, want...)) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		out = append(out, pid)
	}
	return out
}

// machineOf reads a QEMU's command line for the machine it runs; "" for any other process.
func machineOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := bytes.Split(b, []byte{0})
	for i, w := range words[:max(0, len(words)-1)] {
		if string(w) == "-name" {
			id, debug, _ := bytes.Cut(words[i+1], []byte(","))
			if string(debug) == "debug-threads=on" && bytes.HasPrefix(id, []byte("i-")) {
				return string(id)
			}
		}
	}
	return ""
}
