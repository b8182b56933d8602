package snapshots

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Delete answers DeleteSnapshot. For callers it is gone at once; its record stays until its host has removed the file, which
// itself stays while a volume lies on it.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteSnapshotRequest) error {
	id, err := named(in.SnapshotId)
	if err != nil {
		return err
	}
	return s.edit(ctx, id, func(tx store.Tx, n *slipway.Snapshot) error { return Remove(tx, n, "") })
}

// Remove marks a snapshot as one to be removed, unless an image needs it, other than the one that goes as well, or a copy
// of it is being made. The caller writes it.
func Remove(tx store.Tx, n *slipway.Snapshot, except slipway.ImageID) error {
	for im := range state.Images.All(tx, state.Shared(n.Region)) {
		if im.ID != except && slices.ContainsFunc(im.Devices, func(m slipway.Mapping) bool { return m.Snapshot == n.ID }) {
			return slipway.Errorf(slipway.InvalidSnapshotInUse, "The snapshot %s is currently in use by %s", n.ID, im.ID)
		}
	}
	for copied := range state.Snapshots.By(tx, state.Global, "/source/"+string(n.ID)) {
		return slipway.Errorf(slipway.InvalidSnapshotInUse,
			"The snapshot %s is currently in use by %s, a copy that is being made", n.ID, copied.ID)
	}
	return n.Become(slipway.SnapshotStateDeleting)
}
