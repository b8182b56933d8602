package hosts

import (
	"context"

	"slipway"
	"slipway/internal/diskimage"
	"slipway/internal/hostapi"
	"slipway/internal/imports"
	"slipway/internal/state"
	"slipway/internal/store"
)

func importByID(r store.Reader, id string) *slipway.ImportTask {
	for t := range state.ImportTasks.By(r, state.Global, "/id/"+id) {
		return t
	}
	return nil
}

// Import says what is wanted of an import.
func (s *Service) Import(
	ctx context.Context, host slipway.HostID, id slipway.ImportTaskID,
) (_ hostapi.Import, found bool, err error) {
	defer state.Catch(&err)
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return hostapi.Import{}, false, err
	}
	t := importByID(r, string(id))
	if t == nil || t.Host != host {
		return hostapi.Import{}, false, state.Whole(r)
	}
	out := hostapi.Import{ID: t.ID, Cancelled: t.State == slipway.ImportStateDeleting}
	for i, d := range t.Disks {
		w := hostapi.ImportDisk{
			Source: d.Source, Format: diskimage.Format(d.Format), From: d.From, Snapshot: d.Snapshot, Secret: d.Secret,
			MaxGiB: imports.MaxGiB(id), Boots: id.OfImage() && i == 0,
		}
		if d.From != "" {
			if n := state.FindSnapshot(r, t.Region, string(d.From)); n != nil {
				w.FromSecret = n.Secret
			}
		}
		out.Disks = append(out.Disks, w)
	}
	return out, true, nil
}

func (s *Service) importTask(tx store.Tx, host slipway.HostID, r hostapi.Report) error {
	seen := importByID(tx, r.Ref.ID)
	if seen == nil || seen.Host != host {
		return nil
	}
	return state.ImportTasks.Edit(tx, state.Scope{Account: seen.Account, Region: seen.Region}, r.Ref.ID,
		func(t *slipway.ImportTask) error {
			if r.Phase == hostapi.PhaseRemoved {
				return imports.End(t, t.Message, s.now())
			}
			if t.State != slipway.ImportStateActive { // cancelled meanwhile: the host hears of it
				return nil
			}
			for i, d := range r.Images[:min(len(r.Images), len(t.Disks))] {
				to := &t.Disks[i]
				to.FileSize, to.SizeGiB, to.Progress = max(to.FileSize, d.FileSize), max(to.SizeGiB, int32(d.SizeGiB)),
					int32(d.Percent)
			}
			switch r.Phase {
			case hostapi.PhaseProgress:
				imports.Advance(t)
			case hostapi.PhaseFailed:
				return imports.End(t, r.Reason.Message, s.now())
			case hostapi.PhaseDone:
				return imports.Complete(tx, t, s.now())
			}
			return nil
		})
}
