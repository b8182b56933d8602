package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/guard"
	"slipway/internal/hostapi"
)

// volume makes one volume's file as wanted: its size and limits while it is attached, or its absence.
func (a *Agent) volume(ctx context.Context, id slipway.VolumeID) (time.Duration, error) {
	want, found, err := a.api.Volume(ctx, a.host.ID, id)
	if err != nil || !found {
		return 0, err
	}
	r := hostapi.Report{
		Ref: hostapi.Ref{Kind: hostapi.VolumeKind, ID: string(id)}, Phase: hostapi.PhaseDone, At: a.now(), Size: want.SizeGiB,
	}
	if want.Deleted {
		if err := a.disks.RemoveVolume(ctx, id); err != nil {
			return 0, err
		}
		r.Phase = hostapi.PhaseRemoved
		return 0, a.report(ctx, r)
	}
	if want.Attached != "" {
		have, err := a.running(ctx, want.Attached)
		if err != nil {
			return 0, err
		}
		if have != nil && slices.Contains(have.Disks, id) {
			if err := a.vmm.GrowDisk(ctx, want.Attached, id, want.SizeGiB); err != nil {
				return 0, fmt.Errorf("grow: %w", err)
			}
			if err := a.vmm.LimitDisk(ctx, want.Attached, id, limits(want)); err != nil {
				return 0, fmt.Errorf("limit: %w", err)
			}
			return 0, a.report(ctx, r)
		}
	}
	_, err = a.disks.EnsureVolume(ctx, file(want))
	if errors.Is(err, blockstore.ErrFull) || errors.Is(err, blockstore.ErrNoSnapshot) {
		a.log.Error("volume cannot be made", "volume", id, "error", err)
		r.Phase, r.Reason = hostapi.PhaseFailed, slipway.Reason{Code: "Server.InternalError", Message: firstLine(err.Error())}
	} else if err != nil {
		return 0, err
	}
	return 0, a.report(ctx, r)
}

// copying is a snapshot that is being made.
type copying struct {
	live  bool  // of a running machine's disk
	err   error // it has failed
	tries int   // of which this was the last
}

// again says whether a copy that has failed is worth another try: what lacks room or its source will lack it again.
func (c copying) again() bool {
	return c.tries < maxStarts && !errors.Is(c.err, blockstore.ErrFull) &&
		!errors.Is(c.err, blockstore.ErrNoSnapshot) && !errors.Is(c.err, blockstore.ErrNoVolume)
}

// snapshot makes one snapshot's file: from a running machine's disk, a file that lies still, another snapshot, or an import.
// The copy runs on by itself, and its end brings the snapshot back into the queue.
func (a *Agent) snapshot(ctx context.Context, id slipway.SnapshotID) (time.Duration, error) {
	want, found, err := a.api.Snapshot(ctx, a.host.ID, id)
	if err != nil || !found {
		return 0, err
	}
	r := hostapi.Report{Ref: snapshotRef(id), At: a.now()}
	over := func() (time.Duration, error) { // said, and then forgotten
		err := a.report(ctx, r)
		if err == nil {
			a.forgetCopy(id)
		}
		return 0, err
	}
	now, runs := a.outcome(id)
	switch {
	case runs:
		return 0, nil
	case want.Deleted && want.Awaited:
		return time.Second, nil
	case want.Deleted:
		if err := a.disks.RemoveSnapshot(ctx, id); err != nil {
			return 0, err
		}
		r.Phase = hostapi.PhaseRemoved
		return over()
	case want.Done:
		return 0, nil
	}
	if _, done := a.disks.SnapshotPath(id); done {
		r.Phase = hostapi.PhaseDone
		return 0, a.report(ctx, r)
	}
	machine, err := a.attached(ctx, want)
	if err != nil {
		return 0, err
	}
	// A live copy ends with its machine; the file then lies still, and holds all that the machine wrote.
	switch {
	case now.err == nil || now.live && !machine:
	case now.again():
		a.log.Warn("snapshot is tried again", "snapshot", id, "error", now.err, "tries", now.tries)
	default:
		a.log.Error("snapshot failed", "snapshot", id, "error", now.err)
		r.Phase, r.Reason = hostapi.PhaseFailed,
			slipway.Reason{Code: "Server.InternalError", Message: firstLine(now.err.Error())}
		return over()
	}
	switch {
	case want.Import != "":
		a.copy(id, func(ctx context.Context) error { return a.disks.ImportSnapshot(ctx, want.Import, id) })
	case want.Source != "":
		a.copy(id, func(ctx context.Context) error {
			return a.disks.CopySnapshot(ctx, want.Source, id, want.SourceSecret, want.Secret)
		})
	case machine && a.rebootsFirst(want):
		return rebootPause, nil
	default:
		return a.copyVolume(ctx, want)
	}
	return 0, nil
}

// rebootPause is how long after a guest has shut itself down a copy begins at the latest. The guest is then with its firmware.
const rebootPause = 20 * time.Millisecond

// rebootsFirst says whether the instance's guest has still to shut down and begin anew, so that nothing is left in its memory
// that belongs on the disk.
func (a *Agent) rebootsFirst(want hostapi.Snapshot) bool {
	rec, _, err := a.record.Get(want.Instance)
	if err != nil {
		return true // the instance's own step writes it anew
	}
	return rec.Reboots < want.Reboots || want.Reboots > 0 && !a.seen(want.Instance).rebooting.IsZero()
}

func snapshotRef(id slipway.SnapshotID) hostapi.Ref {
	return hostapi.Ref{Kind: hostapi.SnapshotKind, ID: string(id)}
}

// outcome says whether the snapshot's copy runs, and how the last try ended.
func (a *Agent) outcome(id slipway.SnapshotID) (c copying, runs bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, known := a.copying[id]
	return c, known && c.err == nil
}

func (a *Agent) forgetCopy(id slipway.SnapshotID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.copying, id)
}

func (a *Agent) begin(id slipway.SnapshotID, live bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.copying[id] = copying{live: live, tries: a.copying[id].tries + 1}
}

// done is a copy's end.
func (a *Agent) done(id slipway.SnapshotID, err error) {
	a.mu.Lock()
	if c := a.copying[id]; err != nil {
		c.err = err
		a.copying[id] = c
	} else {
		delete(a.copying, id)
	}
	a.mu.Unlock()
	a.queue.Add(snapshotRef(id))
}

// copy runs until it is done or the agent ends, and then leaves nothing that the next agent does not find.
func (a *Agent) copy(id slipway.SnapshotID, work func(context.Context) error) {
	a.begin(id, false)
	guard.Group(&a.copies, a.log, "a copy", func() {
		ctx, cancel := a.untilEnding()
		defer cancel()
		if err := guard.Call(func() error { return work(ctx) }); ctx.Err() == nil {
			a.done(id, err)
		}
	})
}

// untilEnding is a context that ends with the agent.
func (a *Agent) untilEnding() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	guard.Go(a.log, "the agent's end", func() {
		select {
		case <-a.ending:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, cancel
}

// busyPause is how long to wait for a volume that another step is busy with.
const busyPause = 100 * time.Millisecond

// hold takes volumes for one step, all of them or none: QEMU locks a file that a machine has open against being copied still,
// and one that is being copied against the machine.
func (a *Agent) hold(ids ...slipway.VolumeID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		if a.held[id] {
			return false
		}
	}
	for _, id := range ids {
		a.held[id] = true
	}
	return true
}

func (a *Agent) releaseVolumes(ids ...slipway.VolumeID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		delete(a.held, id)
	}
}

func (a *Agent) attached(ctx context.Context, want hostapi.Snapshot) (bool, error) {
	if want.Instance == "" {
		return false, nil
	}
	have, err := a.running(ctx, want.Instance)
	return have != nil && slices.Contains(have.Disks, want.Volume), err
}

// copyVolume begins the copy of a volume, live if a machine has it.
func (a *Agent) copyVolume(ctx context.Context, want hostapi.Snapshot) (time.Duration, error) {
	if !a.hold(want.Volume) {
		return busyPause, nil
	}
	machine, err := a.attached(ctx, want)
	if err == nil && !machine {
		a.copy(want.ID, func(ctx context.Context) error {
			defer a.releaseVolumes(want.Volume)
			return a.copyStill(ctx, want)
		})
		return 0, nil
	}
	defer a.releaseVolumes(want.Volume)
	if err != nil {
		return 0, err
	}
	target, _ := a.disks.SnapshotPath(want.ID)
	a.begin(want.ID, true)
	err = a.vmm.CopyDisk(ctx, want.Instance, want.Volume, target, func(err error) {
		if err == nil {
			err = a.disks.FinishSnapshot(context.Background(), want.ID)
		}
		a.done(want.ID, err)
	})
	if err != nil {
		a.forgetCopy(want.ID)
		return 0, fmt.Errorf("copy %s: %w", want.Volume, err)
	}
	return 0, nil
}

// copyStill copies a volume's file, which may not have been made yet.
func (a *Agent) copyStill(ctx context.Context, want hostapi.Snapshot) error {
	v, _, err := a.api.Volume(ctx, a.host.ID, want.Volume)
	if err != nil {
		return err
	}
	if v.ID != "" {
		if _, err := a.disks.EnsureVolume(ctx, file(v)); err != nil {
			return err
		}
	}
	return a.disks.SnapshotVolume(ctx,
		blockstore.Volume{ID: want.Volume, Secret: want.Secret, BaseSecret: want.SourceSecret}, want.ID)
}
