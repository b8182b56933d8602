package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/diskimage"
	"slipway/internal/guard"
	"slipway/internal/hostapi"
)

// Sources fetches disk images from where the operator lets them come from.
type Sources interface {
	// Fetch writes an image to a file; heard is told how much of how much is there.
	Fetch(ctx context.Context, from slipway.DiskSource, to *os.File, heard func(done, of int64)) error
}

const (
	maxImports   = 2           // at a time: each keeps a processor and the disk busy
	progressEach = time.Second // between two reports
)

// importing is an import that is under way, or that has ended and is not yet reported.
type importing struct {
	cancel context.CancelFunc
	disks  []hostapi.ImportedDisk // the job's own until it has ended
	ended  bool
	err    error
}

func importRef(id slipway.ImportTaskID) hostapi.Ref {
	return hostapi.Ref{Kind: hostapi.ImportKind, ID: string(id)}
}

// importTask begins an import, ends a cancelled one, and reports the outcome. The job runs on by itself, and its end
// brings the task back into the queue; after a restart it begins anew, and finds the disks that are whole.
func (a *Agent) importTask(ctx context.Context, id slipway.ImportTaskID) (time.Duration, error) {
	want, found, err := a.api.Import(ctx, a.host.ID, id)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	job, runs := a.imports[id], a.imports[id] != nil && !a.imports[id].ended
	a.mu.Unlock()
	r := hostapi.Report{Ref: importRef(id), At: a.now()}
	switch {
	case runs:
		if !found || want.Cancelled {
			job.cancel()
		}
		return 0, nil
	case !found:
		a.forgetImport(id)
		return 0, nil
	case want.Cancelled:
		r.Phase = hostapi.PhaseRemoved
	case job == nil:
		a.beginImport(want)
		return 0, nil
	case job.err != nil:
		level := slog.LevelError
		if _, theirs := errors.AsType[*diskimage.Refusal](job.err); theirs {
			level = slog.LevelInfo
		}
		a.log.Log(ctx, level, "import failed", "task", id, "error", job.err)
		r.Phase, r.Images, r.Reason = hostapi.PhaseFailed, job.disks,
			slipway.Reason{Code: "Client.ImportFailed", Message: blame(job.err)}
	default:
		r.Phase, r.Images = hostapi.PhaseDone, job.disks
	}
	if r.Phase != hostapi.PhaseDone {
		for _, d := range want.Disks {
			if err := a.disks.RemoveSnapshot(ctx, d.Snapshot); err != nil {
				return 0, err
			}
		}
	}
	if err := a.report(ctx, r); err != nil {
		return 0, err
	}
	a.forgetImport(id)
	return 0, nil
}

// blame says in EC2's form what was wrong: with the image, or here.
func blame(err error) string {
	if refusal, ours := errors.AsType[*diskimage.Refusal](err); ours {
		return "ClientError: Disk validation failed [" + refusal.Why + "]"
	}
	switch {
	case errors.Is(err, blockstore.ErrFull):
		return "ServerError: The host's disk is full."
	case errors.Is(err, blockstore.ErrNoSnapshot):
		return "ClientError: The snapshot does not exist any more."
	}
	return "ServerError: An internal error has occurred; slipway's log says which."
}

func (a *Agent) forgetImport(id slipway.ImportTaskID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.imports, id)
}

func (a *Agent) beginImport(want hostapi.Import) {
	ctx, cancel := a.untilEnding()
	job := &importing{cancel: cancel, disks: make([]hostapi.ImportedDisk, len(want.Disks))}
	a.mu.Lock()
	a.imports[want.ID] = job
	a.mu.Unlock()
	guard.Group(&a.copies, a.log, "an import", func() {
		defer cancel()
		err := guard.Call(func() error { return a.bringIn(ctx, want, job) })
		select {
		case <-a.ending: // the next agent takes it up
			return
		default:
		}
		a.mu.Lock()
		job.ended, job.err = true, err
		a.mu.Unlock()
		a.queue.Add(importRef(want.ID))
	})
}

// largest is the host's bound on imports under EC2's.
func (a *Agent) largest(most int) int {
	if a.limits.ImportGiB > 0 {
		return min(most, a.limits.ImportGiB)
	}
	return most
}

// bringIn makes all of an import's disks, one after the other.
func (a *Agent) bringIn(ctx context.Context, want hostapi.Import, job *importing) error {
	select {
	case a.importing <- struct{}{}:
		defer func() { <-a.importing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var last time.Time
	progress := func(now bool) {
		if !now && a.now().Sub(last) < progressEach {
			return
		}
		last = a.now()
		if err := a.report(ctx,
			hostapi.Report{
				Ref: importRef(want.ID), At: last, Phase: hostapi.PhaseProgress, Images: job.disks,
			}); err != nil && ctx.Err() == nil {
			a.log.Warn("progress not reported", "task", want.ID, "error", err)
		}
	}
	progress(true)
	for i, d := range want.Disks {
		if err := a.bringDisk(ctx, d, &job.disks[i], func() { progress(false) }); err != nil {
			return err
		}
		job.disks[i].Percent = 100
		progress(true)
	}
	return nil
}

// bringDisk fetches and converts one disk: half the way each.
func (a *Agent) bringDisk(ctx context.Context, want hostapi.ImportDisk, have *hostapi.ImportedDisk, progress func()) error {
	if want.From != "" {
		return a.disks.CopySnapshot(ctx, want.From, want.Snapshot, want.FromSecret, want.Secret)
	}
	gib, err := a.disks.ReceiveSnapshot(ctx, blockstore.Received{
		Format: want.Format, Secret: want.Secret, MaxGiB: a.largest(want.MaxGiB), Boots: want.Boots,
		Fetch: func(ctx context.Context, to *os.File) error {
			err := a.sources.Fetch(ctx, want.Source, to, func(done, of int64) {
				if of > 0 {
					have.FileSize, have.Percent = of, int(50*done/of)
				}
				progress()
			})
			if info, failed := to.Stat(); err == nil && failed == nil {
				have.FileSize = info.Size()
			}
			return err
		},
		Converted: func(percent float64) {
			have.Percent = 50 + min(int(percent/2), 49)
			progress()
		},
	}, want.Snapshot)
	have.SizeGiB = gib
	return err
}
