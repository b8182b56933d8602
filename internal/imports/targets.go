package imports

import (
	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// cancelled is the task, of an image or of a snapshot.
func cancelled(_ action.View, in *ec2wire.CancelImportTaskRequest) []action.Resource {
	id := shape.Get(in.ImportTaskId)
	if kind := slipway.ResourceTypes[slipway.Prefix(id)]; kind != "" {
		return []action.Resource{{Kind: kind, ID: id}}
	}
	return nil
}

// disks are the snapshots that an image is made of.
func disks(_ action.View, in *ec2wire.ImportImageRequest) []action.Resource {
	var out []action.Resource
	for _, d := range in.DiskContainers {
		out = append(out, action.Some("snapshot", d.SnapshotId)...)
	}
	return out
}
