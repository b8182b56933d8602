package snapshots

import (
	"slices"

	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// ofInstance is the instance whose volumes are kept, and those volumes.
func ofInstance(v action.View, in *ec2wire.CreateSnapshotsRequest) []action.Resource {
	if in.InstanceSpecification == nil {
		return nil
	}
	out := action.Some("instance", in.InstanceSpecification.InstanceId)
	i := state.Instances.See(v, v.Scope(), shape.Get(in.InstanceSpecification.InstanceId))
	if i == nil {
		return append(out, action.Resource{Kind: "volume", ID: action.New})
	}
	for _, b := range i.Volumes {
		left := b.Device == i.RootDevice && shape.Get(in.InstanceSpecification.ExcludeBootVolume) ||
			slices.Contains(in.InstanceSpecification.ExcludeDataVolumeIds, string(b.Volume))
		if !left {
			out = append(out, action.Some("volume", &b.Volume)...)
		}
	}
	return out
}

// source is the snapshot that is copied, where it is.
func source(_ action.View, in *ec2wire.CopySnapshotRequest) []action.Resource {
	out := action.Some("snapshot", in.SourceSnapshotId)
	for i := range out {
		out[i].Region = shape.Get(in.SourceRegion)
	}
	return out
}
