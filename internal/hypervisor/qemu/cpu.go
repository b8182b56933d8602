package qemu

import (
	"context"
	"fmt"
	"time"

	"slipway"
	"slipway/internal/processes"
)

// CPUTime is user and system time of the machine's process.
func (d *Driver) CPUTime(_ context.Context, id slipway.InstanceID) (time.Duration, error) {
	p := d.machine(id).process()
	if p == nil || !p.Alive() {
		return 0, fmt.Errorf("%s: %w", id, ErrNotRunning)
	}
	return processes.CPUTime(p.PID)
}

// LimitCPU changes the bound of the machine's control group.
func (d *Driver) LimitCPU(_ context.Context, id slipway.InstanceID, cpus float64) error {
	if p := d.machine(id).process(); p == nil || !p.Alive() {
		return fmt.Errorf("%s: %w", id, ErrNotRunning)
	}
	return d.cgroups.LimitCPU(string(id), cpus)
}
