package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/hostapi"
)

// volume makes one volume's file as wanted: its size and limits while it is attached, or its absence.
func (a *Agent) volume(ctx context.Context, id slipway.VolumeID) (time.Duration, error) {
	want, found, err := a.api.Volume(ctx, a.host.ID, id)
	if err != nil || !found {
		return 0, err
	}
	r := hostapi.Report{Ref: hostapi.Ref{Kind: hostapi.VolumeKind, ID: string(id)}, Phase: hostapi.PhaseDone, At: a.now(), Size: want.SizeGiB}
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

// snapshot makes one snapshot's file: from a running machine's disk, a file that lies still, another snapshot, or an import.
func (a *Agent) snapshot(ctx context.Context, id slipway.SnapshotID) (time.Duration, error) {
	want, found, err := a.api.Snapshot(ctx, a.host.ID, id)
	if err != nil || !found {
		return 0, err
	}
	r := hostapi.Report{Ref: hostapi.Ref{Kind: hostapi.SnapshotKind, ID: string(id)}, At: a.now()}
	if want.Deleted {
		if err := a.disks.RemoveSnapshot(ctx, id); err != nil {
			return 0, err
		}
		r.Phase = hostapi.PhaseRemoved
		return 0, a.report(ctx, r)
	}
	if want.Done {
		return 0, nil
	}
	r.Phase = hostapi.PhaseDone
	target, done := a.disks.SnapshotPath(id)
	if done {
		return 0, a.report(ctx, r)
	}
	switch {
	case want.Import != "":
		err = a.disks.ImportSnapshot(ctx, want.Import, id)
	case want.Source != "":
		err = a.disks.CopySnapshot(ctx, want.Source, id, want.SourceSecret, want.Secret)
	default:
		var runs bool
		if runs, err = a.attached(ctx, want); runs && err == nil {
			return a.copyLive(ctx, want, target)
		}
		if err == nil {
			err = a.disks.SnapshotVolume(ctx, blockstore.Volume{ID: want.Volume, Secret: want.Secret, BaseSecret: want.SourceSecret}, id)
		}
	}
	if err != nil {
		r.Phase, r.Reason = hostapi.PhaseFailed, slipway.Reason{Code: "Server.InternalError", Message: firstLine(err.Error())}
		a.log.Error("snapshot failed", "snapshot", id, "error", err)
	}
	return 0, a.report(ctx, r)
}

func (a *Agent) attached(ctx context.Context, want hostapi.Snapshot) (bool, error) {
	if want.Instance == "" {
		return false, nil
	}
	have, err := a.running(ctx, want.Instance)
	return have != nil && slices.Contains(have.Disks, want.Volume), err
}

// copyLive begins the copy of a running machine's disk; its end brings the snapshot back into the queue.
func (a *Agent) copyLive(ctx context.Context, want hostapi.Snapshot, target string) (time.Duration, error) {
	r := hostapi.Report{Ref: hostapi.Ref{Kind: hostapi.SnapshotKind, ID: string(want.ID)}, At: a.now()}
	a.mu.Lock()
	failure, runs := a.copying[want.ID]
	if !runs || failure != nil {
		delete(a.copying, want.ID)
	}
	if !runs {
		a.copying[want.ID] = nil
	}
	a.mu.Unlock()
	if runs && failure == nil {
		return 0, nil
	}
	if failure != nil {
		r.Phase, r.Reason = hostapi.PhaseFailed, slipway.Reason{Code: "Server.InternalError", Message: firstLine(failure.Error())}
		return 0, a.report(ctx, r)
	}
	err := a.vmm.CopyDisk(ctx, want.Instance, want.Volume, target, func(err error) {
		if err == nil {
			err = a.disks.FinishSnapshot(context.Background(), want.ID)
		}
		a.mu.Lock()
		if err != nil {
			a.copying[want.ID] = err
		} else {
			delete(a.copying, want.ID)
		}
		a.mu.Unlock()
		a.queue.Add(r.Ref)
	})
	if err != nil {
		a.mu.Lock()
		delete(a.copying, want.ID)
		a.mu.Unlock()
		return 0, fmt.Errorf("copy %s: %w", want.Volume, err)
	}
	return 0, nil
}
