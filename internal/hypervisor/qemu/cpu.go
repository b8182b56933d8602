package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"slipway"
)

// ticksPerSecond is the unit of /proc/PID/stat, fixed for user space.
const ticksPerSecond = 100

// CPUTime is user and system time of the machine's process.
func (d *Driver) CPUTime(_ context.Context, id slipway.InstanceID) (time.Duration, error) {
	p := d.machine(id).process()
	if p == nil || !p.alive() {
		return 0, fmt.Errorf("%s: %w", id, ErrNotRunning)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	return parseCPUTime(b)
}

func parseCPUTime(stat []byte) (time.Duration, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("stat: too short")
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 62)
	system, err2 := strconv.ParseUint(fields[12], 10, 62)
	return time.Duration(user+system) * (time.Second / ticksPerSecond), errors.Join(err1, err2)
}

// LimitCPU changes the bound of the machine's control group.
func (d *Driver) LimitCPU(_ context.Context, id slipway.InstanceID, cpus float64) error {
	if p := d.machine(id).process(); p == nil || !p.alive() {
		return fmt.Errorf("%s: %w", id, ErrNotRunning)
	}
	dir := d.cgroups.dirs["cpu"]
	if dir == "" {
		return nil
	}
	return d.cgroups.limitCPU(filepath.Join(dir, string(id)), cpus)
}
