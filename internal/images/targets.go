package images

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// snapshotsOf are those that a mapping names.
func snapshotsOf[In any](mapping func(*In) []ec2wire.BlockDeviceMapping) action.Resolver[In] {
	return func(_ action.View, in *In) []action.Resource {
		var out []action.Resource
		for _, m := range mapping(in) {
			if m.Ebs != nil {
				out = append(out, action.Some("snapshot", m.Ebs.SnapshotId)...)
			}
		}
		return out
	}
}

// withSnapshots are the snapshots that go with an image, if they shall.
func withSnapshots(v action.View, in *ec2wire.DeregisterImageRequest) []action.Resource {
	im := state.FindImage(v, v.Call.Region, shape.Get(in.ImageId))
	if im == nil || !shape.Get(in.DeleteAssociatedSnapshots) {
		return nil
	}
	var out []action.Resource
	for _, m := range im.Devices {
		if m.Snapshot != "" {
			out = append(out, action.Resource{Right: "ec2:DeleteSnapshot", Kind: "snapshot", ID: string(m.Snapshot)})
		}
	}
	return out
}

// source is the image that is copied, where it is.
func source(_ action.View, in *ec2wire.CopyImageRequest) []action.Resource {
	out := action.Some("image", in.SourceImageId)
	for i := range out {
		out[i].Region = shape.Get(in.SourceRegion)
	}
	return out
}
