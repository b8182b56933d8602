package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/guard"
	"slipway/internal/hostapi"
	"slipway/internal/hypervisor"
)

// instance makes one instance as it is wanted.
func (a *Agent) instance(ctx context.Context, id slipway.InstanceID) (time.Duration, error) {
	want, found, err := a.api.Instance(ctx, a.host.ID, id)
	if errors.Is(err, hostapi.ErrUnknown) {
		return a.stranger(ctx, id)
	}
	if err != nil {
		return 0, err
	}
	have, err := a.running(ctx, id)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, a.forget(ctx, id, have != nil)
	}
	switch want.Wanted {
	case slipway.WantRunning:
		return a.run(ctx, want, have)
	case slipway.WantHibernated:
		return a.hibernate(ctx, want, have)
	case slipway.WantStopped:
		return a.stop(ctx, want, have, a.limits.Stop)
	case slipway.WantTerminated:
		return a.terminate(ctx, want, have)
	}
	return 0, fmt.Errorf("%s is wanted %q, which nobody can be", id, want.Wanted)
}

// strangerPause is how long until a machine without a record is looked at again.
const strangerPause = 10 * time.Minute

// stranger is an instance of which the server has no record. Nothing that is missing ends a guest: it stays as it is, and
// somebody is told.
func (a *Agent) stranger(ctx context.Context, id slipway.InstanceID) (time.Duration, error) {
	have, err := a.running(ctx, id)
	if err != nil {
		return 0, err
	}
	rec, known, err := a.record.Get(id)
	switch {
	case have != nil:
		a.log.Error("a machine runs of which there is no record: it and its network are left alone. Restore the "+
			"state that has it, or end its process to be rid of it",
			"instance", id)
		return strangerPause, nil
	case err != nil:
		return 0, err
	case known && !rec.Removed:
		a.log.Error("there is no record of an instance that this host had: what it left is kept. Restore the state "+
			"that has it, or delete its files",
			"instance", id)
		return 0, nil
	}
	return 0, a.forget(ctx, id, false)
}

func (a *Agent) running(ctx context.Context, id slipway.InstanceID) (*hypervisor.Status, error) {
	all, err := a.vmm.Running(ctx)
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", err)
	}
	for _, m := range all {
		if m.ID == id {
			return &m, nil
		}
	}
	return nil, nil
}

// run starts the instance, or notices that it ended, or brings what changed to the running machine.
func (a *Agent) run(ctx context.Context, want hostapi.Assignment, have *hypervisor.Status) (time.Duration, error) {
	rec, known, err := a.record.Get(want.ID)
	if err != nil && have == nil {
		return 0, err // whether this start has been carried out is not known: a guest that ended itself must not run again
	}
	carriedOut := known && rec.Boots == want.Boots
	if have == nil && carriedOut {
		if again, rebooting := a.finishReboot(ctx, want, rec); rebooting {
			return again, nil
		}
		return a.ended(ctx, want)
	}
	if have == nil {
		if !a.hold(volumeIDs(want)...) {
			return busyPause, nil
		}
		defer a.releaseVolumes(volumeIDs(want)...)
		return 0, a.start(ctx, want)
	}
	if !carriedOut {
		// The machine of this start runs, but the crash came before the record; or an earlier start's machine never went.
		if err := a.record.Put(want.ID, Record{Boots: want.Boots, Reboots: want.Reboots, VPC: want.VPC}); err != nil {
			return 0, err
		}
		rec.Reboots = want.Reboots
	}
	a.with(want.ID, func(l *liveState) { l.baseline, l.vcpus = want.Baseline, want.Cores*want.Threads })
	if err := a.networks.ensure(ctx, a, want.VPC, want.Interfaces); err != nil {
		return 0, err
	}
	a.wires.Publish(want.VPC, want.Metadata)
	if err := a.match(ctx, want, have); err != nil {
		return 0, err
	}
	if err := a.reportSteps(ctx, want, running(want)); err != nil {
		return 0, err
	}
	if want.Reboots > rec.Reboots {
		return a.reboot(ctx, want, rec)
	}
	return 0, nil
}

// start brings the instance up for the first time in this boot.
func (a *Agent) start(ctx context.Context, want hostapi.Assignment) error {
	steps := []hostapi.Step{{Name: "assigned", At: a.now()}}
	done := func(name string) { steps = append(steps, hostapi.Step{Name: name, At: a.now()}) }
	if want.Refuse != nil {
		return a.failed(ctx, want, *want.Refuse, steps)
	}
	err := a.bringUp(ctx, want, done)
	if err == nil {
		if err = a.record.Put(want.ID, Record{Boots: want.Boots, Reboots: want.Reboots, VPC: want.VPC}); err != nil {
			return err
		}
		a.with(want.ID, func(l *liveState) {
			*l = liveState{
				heard: l.heard, baseline: want.Baseline, vcpus: want.Cores * want.Threads,
				balance: launchCredit(want.Cores * want.Threads),
			}
		})
		done("running")
		r := running(want)
		r.Steps = steps
		return a.reportSteps(ctx, want, r)
	}
	if ctx.Err() != nil {
		return err
	}
	tries := 0
	a.with(want.ID, func(l *liveState) { l.starts++; tries = l.starts })
	if tries < maxStarts {
		return err
	}
	a.log.Error("instance cannot start", "instance", want.ID, "error", err)
	reason := slipway.ReasonInternal
	reason.Message += ": " + firstLine(err.Error())
	return a.failed(ctx, want, reason, steps)
}

func (a *Agent) bringUp(ctx context.Context, want hostapi.Assignment, done func(string)) error {
	m, err := a.machine(ctx, want)
	if err != nil {
		return err
	}
	done("disk")
	if err := a.networks.ensure(ctx, a, want.VPC, want.Interfaces); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	a.with(want.ID, func(l *liveState) { l.heard = false })
	a.wires.Publish(want.VPC, want.Metadata)
	done("network")
	memory := a.disks.MemoryPath(want.ID)
	if want.Resume {
		if _, err := os.Stat(memory); err == nil {
			err = a.vmm.Resume(ctx, m, memory)
			done("resumed")
			return err
		}
		a.log.Warn("no saved memory: the instance boots instead", "instance", want.ID)
	}
	return a.vmm.Start(ctx, m)
}

// machine makes the disks and says what the driver shall run.
func (a *Agent) machine(ctx context.Context, want hostapi.Assignment) (hypervisor.Machine, error) {
	m := hypervisor.Machine{
		ID: want.ID, UUID: want.UUID, InstanceType: want.Type, Cores: want.Cores, ThreadsPerCore: want.Threads,
		MemoryMiB: want.MemoryMiB,
		Boot: hypervisor.Boot{
			Kernel: a.disks.BootFile(want.Boot.Kernel), Initrd: a.disks.BootFile(want.Boot.Initrd),
			Append: want.Boot.Append, UEFI: want.Boot.UEFI,
		},
	}
	for _, v := range want.Volumes {
		d, err := a.disk(ctx, v)
		if err != nil {
			return m, err
		}
		m.Disks = append(m.Disks, d)
	}
	for _, p := range want.Interfaces {
		m.NICs = append(m.NICs, a.card(want.VPC, p.Interface, p.MAC, p.MTU))
	}
	return m, nil
}

func (a *Agent) disk(ctx context.Context, v hostapi.Volume) (hypervisor.Disk, error) {
	path, err := a.disks.EnsureVolume(ctx, file(v))
	if err != nil {
		return hypervisor.Disk{}, fmt.Errorf("volume %s: %w", v.ID, err)
	}
	return hypervisor.Disk{
		Volume: v.ID, Device: v.Device, Path: path, Secret: v.Secret, BaseSecret: v.BaseSecret, Limits: limits(v),
		DeleteOnExit: v.Ephemeral,
	}, nil
}

func limits(v hostapi.Volume) hypervisor.Limits {
	return hypervisor.Limits{IOPS: v.IOPS, BurstIOPS: v.BurstIOPS, ThroughputMiBps: v.Throughput}
}

// file is a volume as the block store knows it.
func file(v hostapi.Volume) blockstore.Volume {
	return blockstore.Volume{ID: v.ID, Snapshot: v.Snapshot, SizeGiB: v.SizeGiB, Secret: v.Secret, BaseSecret: v.BaseSecret}
}

func (a *Agent) card(vpc slipway.VPCID, eni slipway.InterfaceID, mac string, mtu int) hypervisor.NIC {
	return hypervisor.NIC{
		Interface: eni, MAC: mac, MTU: mtu, OpenTap: func() (*os.File, error) { return a.wires.OpenTap(vpc, eni) },
	}
}

// match attaches and detaches disks and cards of a running machine.
func (a *Agent) match(ctx context.Context, want hostapi.Assignment, have *hypervisor.Status) error {
	for _, v := range want.Volumes {
		if slices.Contains(have.Disks, v.ID) {
			continue
		}
		if !a.hold(v.ID) {
			return fmt.Errorf("attach %s: it is being copied", v.ID)
		}
		d, err := a.disk(ctx, v)
		if err == nil {
			err = a.vmm.AttachDisk(ctx, want.ID, d)
		}
		a.releaseVolumes(v.ID)
		if err != nil {
			return fmt.Errorf("attach %s: %w", v.ID, err)
		}
	}
	for _, id := range have.Disks {
		if !slices.Contains(volumeIDs(want), id) {
			if err := a.vmm.DetachDisk(ctx, want.ID, id); err != nil {
				return fmt.Errorf("detach %s: %w", id, err)
			}
		}
	}
	for _, p := range want.Interfaces {
		if !slices.Contains(have.NICs, p.Interface) {
			if err := a.vmm.AttachNIC(ctx, want.ID, a.card(want.VPC, p.Interface, p.MAC, p.MTU)); err != nil {
				return fmt.Errorf("attach %s: %w", p.Interface, err)
			}
		}
	}
	for _, id := range have.NICs {
		if !slices.Contains(interfaceIDs(want), id) {
			if err := a.vmm.DetachNIC(ctx, want.ID, id); err != nil {
				return fmt.Errorf("detach %s: %w", id, err)
			}
		}
	}
	return nil
}

// eventGrace is how long the word of how a machine ended may come after its end.
const eventGrace = 2 * time.Second

// ended reports a machine that is gone although it should run.
func (a *Agent) ended(ctx context.Context, want hostapi.Assignment) (time.Duration, error) {
	l := a.seen(want.ID)
	if l.exit == nil && l.missing.IsZero() {
		a.with(want.ID, func(l *liveState) { l.missing = a.now() })
		return eventGrace, nil
	}
	if l.exit == nil && a.now().Sub(l.missing) < eventGrace {
		return eventGrace, nil
	}
	phase, detail := hostapi.PhasePowerOff, "" // in which nothing failed
	if l.exit == nil {
		phase, detail = hostapi.PhaseDied, "the machine was gone when its host looked"
	} else if l.exit.Kind == hypervisor.Exited {
		phase, detail = hostapi.PhaseDied, l.exit.Detail
	}
	a.wires.Withdraw(want.VPC, want.ID)
	var why slipway.Reason
	if phase == hostapi.PhaseDied {
		why = slipway.Reason{Code: "Server.InternalError", Message: "Server.InternalError: " + firstLine(detail)}
	}
	err := a.reportSteps(ctx, want, hostapi.Report{Phase: phase, Reason: why})
	if err == nil {
		a.with(want.ID, func(l *liveState) { l.exit, l.missing = nil, time.Time{} })
	}
	return 0, err
}

// failed cleans up after a launch that cannot be, and says so.
func (a *Agent) failed(ctx context.Context, want hostapi.Assignment, why slipway.Reason, steps []hostapi.Step) error {
	if err := a.vmm.Kill(ctx, want.ID); err != nil {
		return err
	}
	a.wires.Withdraw(want.VPC, want.ID)
	if want.Boots == 1 {
		for _, v := range want.Volumes {
			if err := a.disks.RemoveVolume(ctx, v.ID); err != nil {
				return err
			}
		}
	}
	if err := a.record.Put(want.ID, Record{Boots: want.Boots, VPC: want.VPC}); err != nil {
		return err
	}
	return a.reportSteps(ctx, want, hostapi.Report{Phase: hostapi.PhaseFailed, Reason: why, Steps: steps})
}

// reboot asks the guest to restart; a guest that does not obey in time is reset.
func (a *Agent) reboot(ctx context.Context, want hostapi.Assignment, rec Record) (time.Duration, error) {
	asked := a.seen(want.ID).rebooting
	done := func() (time.Duration, error) {
		a.with(want.ID, func(l *liveState) { l.rebooting = time.Time{} })
		rec.Reboots, rec.Boots, rec.VPC = want.Reboots, want.Boots, want.VPC
		return 0, a.record.Put(want.ID, rec)
	}
	if asked.IsZero() {
		// The guest's own reset clears rebooting, and the event brings us back here; it may come before the answer.
		a.with(want.ID, func(l *liveState) { l.rebooting = a.now() })
		if err := a.vmm.Reboot(ctx, want.ID); err != nil {
			a.with(want.ID, func(l *liveState) { l.rebooting = time.Time{} })
			return 0, err
		}
		rec.Reboots, rec.Boots, rec.VPC = want.Reboots, want.Boots, want.VPC
		if err := a.record.Put(want.ID, rec); err != nil {
			return 0, err
		}
		guard.After(a.limits.Reboot, a.log, "a reboot", func() { a.insist(want.ID) })
		return 0, nil
	}
	return done()
}

// insist resets a guest that was asked to reboot and has not.
func (a *Agent) insist(id slipway.InstanceID) {
	pending := false
	a.with(id, func(l *liveState) { pending, l.rebooting = !l.rebooting.IsZero(), time.Time{} })
	if !pending {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a.log.Info("guest did not reboot when asked: reset", "instance", id)
	if err := a.vmm.Reset(ctx, id); err != nil {
		a.log.Warn("reset failed", "instance", id, "error", err)
	}
}

// finishReboot starts the machine again when the guest took a request to reboot for one to switch off.
func (a *Agent) finishReboot(ctx context.Context, want hostapi.Assignment, rec Record) (time.Duration, bool) {
	if a.seen(want.ID).rebooting.IsZero() {
		return 0, false
	}
	if !a.hold(volumeIDs(want)...) {
		return busyPause, true
	}
	defer a.releaseVolumes(volumeIDs(want)...)
	a.with(want.ID, func(l *liveState) { l.rebooting, l.exit = time.Time{}, nil })
	if err := a.bringUp(ctx, want, func(string) {}); err != nil {
		a.log.Error("instance did not come back from a reboot", "instance", want.ID, "error", err)
		return 0, false
	}
	return 0, true
}

// stop ends the machine: by its power button, after the limit by force.
func (a *Agent) stop(
	ctx context.Context, want hostapi.Assignment, have *hypervisor.Status, limit time.Duration,
) (time.Duration, error) {
	again, err := a.down(ctx, want, have, limit)
	if again > 0 || err != nil {
		return again, err
	}
	for _, v := range want.Volumes {
		if v.Ephemeral {
			if err := a.disks.RemoveVolume(ctx, v.ID); err != nil {
				return 0, err
			}
		}
	}
	return 0, a.reportSteps(ctx, want, hostapi.Report{Phase: hostapi.PhaseStopped})
}

// down gets the machine's process gone. again asks to look later.
func (a *Agent) down(
	ctx context.Context, want hostapi.Assignment, have *hypervisor.Status, limit time.Duration,
) (again time.Duration, err error) {
	if have != nil {
		now, seen := a.now(), a.seen(want.ID)
		if !want.Force && (seen.asked.IsZero() || now.Sub(seen.asked) < limit) {
			if now.Sub(seen.pressed) >= pressAgain {
				seen.asked, seen.pressed = cmp.Or(seen.asked, now), now
				a.with(want.ID, func(l *liveState) { l.asked, l.pressed = seen.asked, seen.pressed })
				asking, cancel := context.WithTimeout(ctx, pressPatience)
				if err := a.vmm.PowerButton(asking, want.ID); err != nil {
					a.log.Warn("power button", "instance", want.ID, "error", err)
				}
				cancel()
			}
			return min(limit-now.Sub(seen.asked), pressAgain-now.Sub(seen.pressed)), nil
		}
		if err := a.vmm.Kill(ctx, want.ID); err != nil {
			return 0, err
		}
	}
	a.with(want.ID, func(l *liveState) {
		l.asked, l.pressed, l.exit, l.rebooting, l.reachable = time.Time{}, time.Time{}, nil, time.Time{}, false
		l.silent, l.judged = time.Time{}, false
	})
	a.wires.Withdraw(want.VPC, want.ID)
	return 0, nil
}

// pressAgain is how long a guest has to react to the power button before it is pressed anew: one that boots is deaf to
// it, and QEMU keeps no press.
const pressAgain = 5 * time.Second

// pressPatience is how long a press may take: a machine that is frozen must not occupy a worker until it is ended by force.
const pressPatience = 2 * time.Second

func (a *Agent) hibernate(ctx context.Context, want hostapi.Assignment, have *hypervisor.Status) (time.Duration, error) {
	if have != nil {
		if err := a.vmm.Suspend(ctx, want.ID, a.disks.MemoryPath(want.ID)); err != nil {
			return 0, fmt.Errorf("save memory: %w", err)
		}
	}
	a.wires.Withdraw(want.VPC, want.ID)
	return 0, a.reportSteps(ctx, want, hostapi.Report{Phase: hostapi.PhaseHibernated})
}

func (a *Agent) terminate(ctx context.Context, want hostapi.Assignment, have *hypervisor.Status) (time.Duration, error) {
	again, err := a.down(ctx, want, have, a.limits.Terminate)
	if again > 0 || err != nil {
		return again, err
	}
	for _, id := range want.DeleteVolumes {
		if err := a.disks.RemoveVolume(ctx, id); err != nil {
			return 0, err
		}
	}
	if err := a.record.Put(want.ID,
		Record{Boots: want.Boots, Reboots: want.Reboots, VPC: want.VPC, Removed: true}); err != nil {
		return 0, err
	}
	a.keepConsole(ctx, want.ID)
	// Reported first: once the server says terminated, nothing here is wanted any more and forget takes the rest.
	if err := a.reportSteps(ctx, want, hostapi.Report{Phase: hostapi.PhaseRemoved}); err != nil {
		return 0, err
	}
	return 0, a.forget(ctx, want.ID, false)
}

// forget removes what this host still has of an instance that is none of its business.
func (a *Agent) forget(ctx context.Context, id slipway.InstanceID, runs bool) error {
	if runs {
		a.log.Warn("machine of an instance that this host does not have: killed", "instance", id)
		if err := a.vmm.Kill(ctx, id); err != nil {
			return err
		}
	}
	rec, known, err := a.record.Get(id)
	if err != nil {
		return err
	}
	if known {
		a.wires.Withdraw(rec.VPC, id)
	}
	if err := os.Remove(a.disks.MemoryPath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := a.vmm.Forget(ctx, id); err != nil {
		return err
	}
	if err := a.record.Delete(id); err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.live, id)
	a.mu.Unlock()
	if known {
		a.queue.Add(hostapi.Ref{Kind: hostapi.NetworkKind, ID: string(rec.VPC)})
	}
	return nil
}

// running says that the machine runs, and with what.
func running(want hostapi.Assignment) hostapi.Report {
	return hostapi.Report{
		Phase: hostapi.PhaseRunning, Disks: volumeIDs(want), NICs: interfaceIDs(want), Options: published(want),
	}
}

// published are the metadata options as they are in force.
func published(want hostapi.Assignment) slipway.MetadataOptions {
	o := want.Metadata.Options
	o.Applied = true
	return o
}

// reportSteps reports a phase once for each boot and shape.
func (a *Agent) reportSteps(ctx context.Context, want hostapi.Assignment, r hostapi.Report) error {
	now := reported{want.Boots, r.Phase, shape(want), published(want)}
	if a.seen(want.ID).reported == now {
		return nil
	}
	r.Ref, r.Boots, r.At = ref(want.ID), want.Boots, a.now()
	if err := a.report(ctx, r); err != nil {
		return err
	}
	a.with(want.ID, func(l *liveState) { l.reported = now })
	return nil
}

func shape(want hostapi.Assignment) string {
	var b strings.Builder
	for _, v := range want.Volumes {
		b.WriteString(string(v.ID) + v.Device)
	}
	for _, p := range want.Interfaces {
		b.WriteString(string(p.Interface))
	}
	return b.String()
}

func volumeIDs(want hostapi.Assignment) []slipway.VolumeID {
	out := make([]slipway.VolumeID, len(want.Volumes))
	for i, v := range want.Volumes {
		out[i] = v.ID
	}
	return out
}

func interfaceIDs(want hostapi.Assignment) []slipway.InterfaceID {
	out := make([]slipway.InterfaceID, len(want.Interfaces))
	for i, p := range want.Interfaces {
		out[i] = p.Interface
	}
	return out
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}
