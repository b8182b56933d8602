package volumes

import (
	"context"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Modify answers ModifyVolume. EC2 takes four changes of a volume in 24 hours; here there is no such bound.
func (s *Service) Modify(ctx context.Context, in *ec2wire.ModifyVolumeRequest) (*ec2wire.ModifyVolumeResult, error) {
	id, err := named(in.VolumeId)
	if err != nil {
		return nil, err
	}
	switch {
	case shape.Get(in.MultiAttachEnabled):
		return nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter MultiAttachEnabled is not supported: a volume here is a file that one machine has open.")
	case shape.Get(in.Size) == 0 && shape.Get(in.VolumeType) == "" && shape.Get(in.Iops) == 0 && shape.Get(in.Throughput) == 0:
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"No attributes to modify were given: Size, VolumeType, Iops or Throughput.")
	}
	var out ec2wire.VolumeModification
	err = s.edit(ctx, id, func(tx store.Tx, v *slipway.Volume) error {
		switch {
		case v.State != slipway.VolumeStateAvailable && v.State != slipway.VolumeStateInUse:
			return slipway.Errorf(slipway.IncorrectState, "Volume '%s' is in the '%s' state.", v.ID, v.State)
		case v.Modification != nil && v.Modification.State == slipway.ModificationStateModifying:
			return slipway.Errorf(slipway.IncorrectModificationState, "Volume '%s' is already being modified.", v.ID)
		}
		root, err := boots(tx, v)
		if err != nil {
			return err
		}
		to, err := modified(v, in, root)
		if err != nil {
			return err
		}
		if err := Quota(tx, state.Of(ctx), 0, to.SizeGiB-v.SizeGiB); err != nil {
			return err
		}
		v.Modification = &slipway.Modification{
			State: slipway.ModificationStateModifying, Start: s.now(), OriginalSize: v.SizeGiB, TargetSize: to.SizeGiB, OriginalType: v.Type,
			TargetType:   to.Type,
			OriginalIOPS: v.IOPS, TargetIOPS: to.IOPS, OriginalThroughput: v.Throughput, TargetThroughput: to.Throughput,
		}
		v.SizeGiB, v.Type, v.IOPS, v.Throughput = to.SizeGiB, to.Type, to.IOPS, to.Throughput
		out = wireModification(nil, v)
		return nil
	})
	return &ec2wire.ModifyVolumeResult{VolumeModification: &out}, err
}

// boots says whether an instance boots from the volume.
func boots(tx store.Tx, v *slipway.Volume) (bool, error) {
	if v.Attachment == nil {
		return false, nil
	}
	i, err := state.Instances.Get(tx, state.Scope{Account: v.Account, Region: v.Region}, string(v.Attachment.Instance))
	return err == nil && v.Attachment.Device == i.RootDevice, err
}

// modified is the volume as asked for: members left out keep their value while the type stays, and begin with the new type's.
func modified(v *slipway.Volume, in *ec2wire.ModifyVolumeRequest, root bool) (Spec, error) {
	to := Spec{Type: v.Type, SizeGiB: v.SizeGiB, Boot: root, IOPS: shape.Get(in.Iops), Throughput: shape.Get(in.Throughput)}
	if size := shape.Get(in.Size); size != 0 {
		if size < v.SizeGiB {
			return to, slipway.Errorf(slipway.InvalidParameterValue, "New size cannot be smaller than existing size")
		}
		to.SizeGiB = size
	}
	if t := shape.Get(in.VolumeType); t != "" && t != v.Type {
		to.Type = t
		if to.IOPS == 0 && kinds[t].needsIOPS {
			to.IOPS = 3000
		}
		return Complete(to)
	}
	k := kinds[v.Type]
	if to.IOPS == 0 && k.maxIOPS > 0 {
		to.IOPS = v.IOPS
	}
	if to.Throughput == 0 {
		to.Throughput = v.Throughput
	}
	return Complete(to)
}

var modificationKind = describe.Kind[slipway.Volume, ec2wire.VolumeModification]{
	Table: state.Volumes, Parse: describe.Form(slipway.ParseVolumeID), Wire: wireModification,
	See: func(_ state.Scope, v *slipway.Volume, _ bool) bool { return v.Modification != nil },
	Shown: describe.Shown[ec2wire.VolumeModification](
		"modification-state", "original-iops", "original-multi-attach-enabled", "original-size", "original-throughput",
		"original-volume-type", "originalMultiAttachEnabled=OriginalMultiAttachEnabled", "start-time", "target-iops",
		"target-multi-attach-enabled", "target-size", "target-throughput", "target-volume-type",
		"targetMultiAttachEnabled=TargetMultiAttachEnabled", "volume-id",
	),
}

func wireModification(_ store.Reader, v *slipway.Volume) ec2wire.VolumeModification {
	m := v.Modification
	w := ec2wire.VolumeModification{
		VolumeId: shape.Text(v.ID), ModificationState: shape.Text(m.State), Progress: shape.Of(int32(0)), StartTime: &m.Start,
		EndTime:    shape.Time(m.End),
		TargetSize: &m.TargetSize, TargetIops: shape.Some(m.TargetIOPS), TargetVolumeType: &m.TargetType,
		TargetThroughput: shape.Some(m.TargetThroughput), TargetMultiAttachEnabled: shape.Of(false),
		OriginalSize: &m.OriginalSize, OriginalIops: shape.Some(m.OriginalIOPS), OriginalVolumeType: &m.OriginalType,
		OriginalThroughput: shape.Some(m.OriginalThroughput), OriginalMultiAttachEnabled: shape.Of(false),
	}
	if m.State == slipway.ModificationStateCompleted {
		w.Progress = shape.Of(int32(100))
	}
	return w
}

// Modifications answers DescribeVolumesModifications. A volume that was never modified has a refusal of its own, which clients
// read as "nothing is in progress".
func (s *Service) Modifications(
	ctx context.Context, in *ec2wire.DescribeVolumesModificationsRequest,
) (*ec2wire.DescribeVolumesModificationsResult, error) {
	page, next, err := modificationKind.List(ctx, s.db,
		describe.Query{IDs: in.VolumeIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	if slipway.CodeOf(err) == slipway.InvalidVolumeNotFound {
		var never []string
		for _, id := range in.VolumeIds {
			if v := state.Volumes.See(s.db.Local(), state.Of(ctx), id); v != nil && v.Modification == nil {
				never = append(never, id)
			}
		}
		if len(never) > 0 {
			err = slipway.NotFound(slipway.InvalidVolumeModificationNotFound,
				"Modification for volume '%s' does not exist.", never...)
		}
	}
	return &ec2wire.DescribeVolumesModificationsResult{VolumesModifications: page, NextToken: next}, err
}
