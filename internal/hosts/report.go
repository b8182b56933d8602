package hosts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/hostapi"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Report turns observations into states. A report about an earlier start than the present one is ignored.
func (s *Service) Report(ctx context.Context, host slipway.HostID, reports []hostapi.Report) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for _, r := range reports {
			var err error
			switch r.Ref.Kind {
			case hostapi.InstanceKind:
				err = s.instance(tx, host, r)
			case hostapi.VolumeKind:
				err = s.volume(tx, host, r)
			case hostapi.SnapshotKind:
				err = s.snapshot(tx, host, r)
			case hostapi.ImportKind:
				err = s.importTask(tx, host, r)
			}
			if err != nil {
				return fmt.Errorf("report on %s: %w", r.Ref.ID, err)
			}
		}
		return nil
	})
}

func (s *Service) instance(tx store.Tx, host slipway.HostID, r hostapi.Report) error {
	seen := instanceByID(tx, slipway.InstanceID(r.Ref.ID))
	if seen == nil || seen.Host != host {
		return nil
	}
	scope := state.Scope{Account: seen.Account, Region: seen.Region}
	in, err := state.Instances.Get(tx, scope, r.Ref.ID)
	if err != nil || in.Boots != r.Boots || in.State == slipway.Terminated {
		return err
	}
	before := in.State
	if err := s.observe(tx, in, r); err != nil {
		return err
	}
	if in.State != before {
		s.log.Info("instance "+string(in.State), "instance", in.ID, "host", host, "account", in.Account, "reason",
			in.Reason.Code)
	}
	if err := s.timeline(tx, scope, in, r); err != nil {
		return err
	}
	if in.State == slipway.Terminated {
		return nil // Finish has written it
	}
	return state.Instances.Put(tx, in)
}

// observe applies one phase (rules instance-states, state-reasons and guest-shutdown).
func (s *Service) observe(tx store.Tx, in *slipway.Instance, r hostapi.Report) error {
	switch r.Phase {
	case hostapi.PhaseRunning:
		return s.running(tx, in, r)
	case hostapi.PhaseStopped, hostapi.PhaseHibernated:
		if in.State != slipway.Stopping {
			return nil
		}
		in.Hibernated = r.Phase == hostapi.PhaseHibernated
		return s.stopped(tx, in, in.Reason)
	case hostapi.PhasePowerOff:
		return s.ended(tx, in, slipway.ReasonInstanceShutdown)
	case hostapi.PhaseDied:
		if in.State == slipway.Running && in.AutoRecovery != "disabled" && !s.lately(in.Recovered) {
			s.log.Warn("machine died: its instance is recovered", "instance", in.ID, "why", r.Reason.Message)
			in.Boots, in.Recovered, in.Reachable = in.Boots+1, s.now(), ""
			return nil
		}
		if in.State == slipway.Running || in.State == slipway.Pending {
			in.Wanted = slipway.WantStopped
			return s.stopped(tx, in, r.Reason)
		}
		return s.ended(tx, in, in.Reason)
	case hostapi.PhaseFailed:
		if in.Boots == 1 {
			return admission.Finish(tx, s.pool, in, r.Reason, s.now())
		}
		in.Wanted = slipway.WantStopped
		return s.stopped(tx, in, r.Reason)
	case hostapi.PhaseRemoved:
		return admission.Finish(tx, s.pool, in, slipway.Reason{}, s.now())
	case hostapi.PhaseReachable, hostapi.PhaseUnreachable:
		in.Reachable = "failed"
		if r.Phase == hostapi.PhaseReachable {
			in.Reachable = "passed"
		}
		in.StatusSince = s.now()
	}
	return nil
}

// recoveryPause is how long a recovered machine must live for the next death to be recovered too.
const recoveryPause = 5 * time.Minute

// lately says whether a machine was recovered within the pause; not where the clock was ahead then, and nobody knows
// when it was.
func (s *Service) lately(recovered time.Time) bool {
	ago := s.now().Sub(recovered)
	return ago >= 0 && ago <= recoveryPause
}

func (s *Service) running(tx store.Tx, in *slipway.Instance, r hostapi.Report) error {
	// A report of before the last change says nothing of it.
	wanted := in.Metadata
	wanted.Applied = true
	if r.Options == wanted {
		in.Metadata = wanted
	}
	in.Hibernated = false
	if in.State == slipway.Pending {
		if err := in.Become(slipway.Running, slipway.Reason{}); err != nil {
			return err
		}
		in.TransitionReason, in.Reachable = "", ""
	}
	scope := state.Scope{Account: in.Account, Region: in.Region}
	kept := in.Volumes[:0]
	for _, b := range in.Volumes {
		there := slices.Contains(r.Disks, b.Volume)
		v, err := state.Volumes.Get(tx, scope, string(b.Volume))
		switch {
		case err != nil:
			continue
		case b.Detaching && !there:
			if err := release(tx, v); err != nil {
				return err
			}
			continue
		case there && v.Attachment != nil && v.Attachment.State == slipway.VolumeAttachmentStateAttaching:
			err := errors.Join(v.Attachment.Become(slipway.VolumeAttachmentStateAttached), state.Volumes.Put(tx, v))
			if err != nil {
				return err
			}
		}
		kept = append(kept, b)
	}
	in.Volumes = kept
	ports := in.Interfaces[:0]
	for _, id := range in.Interfaces {
		n, err := state.Interfaces.Get(tx, scope, string(id))
		if err != nil {
			continue
		}
		if n.Attachment != nil && n.Attachment.Detaching && !slices.Contains(r.NICs, id) {
			n.Attachment = nil
			if err := state.Interfaces.Put(tx, n); err != nil {
				return err
			}
			continue
		}
		if n.Attachment != nil && n.Attachment.Attaching && slices.Contains(r.NICs, id) {
			n.Attachment.Attaching = false
			if err := state.Interfaces.Put(tx, n); err != nil {
				return err
			}
		}
		ports = append(ports, id)
	}
	in.Interfaces = ports
	return nil
}

func (s *Service) stopped(tx store.Tx, in *slipway.Instance, why slipway.Reason) error {
	in.Reachable = ""
	if err := conclude(tx, in); err != nil {
		return err
	}
	if err := in.Become(slipway.Stopped, why); err != nil {
		return err
	}
	return admission.ReleasePublic(tx, s.pool, in)
}

// ended is a guest that switched itself off: its shutdown behaviour decides, and no protection holds it.
func (s *Service) ended(tx store.Tx, in *slipway.Instance, why slipway.Reason) error {
	switch in.State {
	case slipway.Running, slipway.Pending:
		if in.ShutdownBehavior == "terminate" {
			in.Wanted = slipway.WantTerminated
			return in.Become(slipway.ShuttingDown, why)
		}
		in.Wanted = slipway.WantStopped
		return s.stopped(tx, in, why)
	case slipway.Stopping:
		return s.stopped(tx, in, in.Reason)
	}
	return nil
}

// timeline keeps what happened on the way.
func (s *Service) timeline(tx store.Tx, scope state.Scope, in *slipway.Instance, r hostapi.Report) error {
	t, err := state.Timelines.Get(tx, scope, string(in.ID))
	if err != nil {
		t = &state.Timeline{
			Scope: scope, ID: string(in.ID),
			Events: []state.Event{{Step: "admitted", At: in.LaunchTime, Note: "reservation " + string(in.Reservation)}},
		}
	}
	for _, step := range r.Steps {
		t.Add(state.Event{Step: step.Name, At: step.At})
	}
	if len(r.Steps) == 0 || r.Reason.Code != "" {
		t.Add(state.Event{Step: string(r.Phase), At: r.At, Note: r.Reason.Message})
	}
	return state.Timelines.Put(tx, t)
}

func (s *Service) volume(tx store.Tx, host slipway.HostID, r hostapi.Report) error {
	seen := volumeByID(tx, r.Ref.ID)
	if seen == nil || seen.Host != host {
		return nil
	}
	scope := state.Scope{Account: seen.Account, Region: seen.Region}
	if r.Phase == hostapi.PhaseRemoved {
		state.Volumes.Delete(tx, scope, r.Ref.ID)
		return nil
	}
	return state.Volumes.Edit(tx, scope, r.Ref.ID, func(v *slipway.Volume) error {
		switch {
		case r.Phase == hostapi.PhaseFailed && v.State == slipway.VolumeStateCreating:
			return v.Become(slipway.VolumeStateError)
		case v.State == slipway.VolumeStateCreating:
			if err := v.Become(slipway.VolumeStateAvailable); err != nil {
				return err
			}
		}
		switch m := v.Modification; {
		case m == nil || m.State != slipway.ModificationStateModifying || r.Size != int(v.SizeGiB):
		case r.Phase == hostapi.PhaseFailed:
			m.End = s.now()
			v.SizeGiB, v.Type, v.IOPS, v.Throughput = m.OriginalSize, m.OriginalType, m.OriginalIOPS, m.OriginalThroughput
			return m.Become(slipway.ModificationStateFailed)
		default:
			m.End = s.now()
			return m.Become(slipway.ModificationStateCompleted)
		}
		return nil
	})
}

func (s *Service) snapshot(tx store.Tx, host slipway.HostID, r hostapi.Report) error {
	seen := snapshotByID(tx, r.Ref.ID)
	if seen == nil || seen.Host != host {
		return nil
	}
	scope := state.Shared(seen.Region)
	if r.Phase == hostapi.PhaseRemoved {
		state.Snapshots.Delete(tx, scope, r.Ref.ID)
		return nil
	}
	err := state.Snapshots.Edit(tx, scope, r.Ref.ID, func(n *slipway.Snapshot) error {
		if n.State != slipway.SnapshotStatePending {
			return nil
		}
		if r.Phase == hostapi.PhaseFailed {
			n.Message = r.Reason.Message
			return n.Become(slipway.SnapshotStateError)
		}
		n.Progress, n.Completed = 100, s.now()
		return n.Become(slipway.SnapshotStateCompleted)
	})
	if err != nil {
		return err
	}
	return s.images(tx, scope, r)
}

// images that waited for a snapshot become available with their last one, or fail with their first.
func (s *Service) images(tx store.Tx, scope state.Scope, r hostapi.Report) error {
	for shared := range state.Images.All(tx, scope) {
		if shared.State != slipway.ImageStatePending ||
			!slices.ContainsFunc(shared.Devices, func(m slipway.Mapping) bool { return string(m.Snapshot) == r.Ref.ID }) {
			continue
		}
		err := state.Images.Edit(tx, scope, string(shared.ID), func(im *slipway.Image) error {
			if r.Phase == hostapi.PhaseFailed {
				im.Reason = slipway.Reason{Code: "Server.InternalError", Message: r.Reason.Message}
				return im.Become(slipway.ImageStateFailed)
			}
			for _, m := range im.Devices {
				if n, err := state.Snapshots.Get(tx, scope, string(m.Snapshot)); m.Snapshot != "" &&
					(err != nil || n.State != slipway.SnapshotStateCompleted) {
					return nil
				}
			}
			return im.Become(slipway.ImageStateAvailable)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
