package snapshots

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// What an account bars its snapshots from, in a region: from becoming public, or from being public at all.
const (
	unblocked     = "unblocked"
	blockNew      = "block-new-sharing"
	blockAll      = "block-all-sharing"
	publicBlocked = "You can't publicly share this snapshot because block public access for snapshots is enabled " +
		"for this account in this region."
)

// block sets the region's state. Under block-all-sharing what was public is not so for others until that is taken back.
func (s *Service) block(ctx context.Context, to string) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		scope := state.Of(ctx)
		for n := range state.Snapshots.All(tx, state.Shared(scope.Region)) {
			if n.Account != scope.Account || !n.Public && !n.PublicBarred || n.PublicBarred == (to == blockAll) {
				continue
			}
			if err := state.Snapshots.Edit(tx, state.Shared(scope.Region), string(n.ID), func(n *slipway.Snapshot) error {
				n.PublicBarred = to == blockAll
				n.Public = !n.PublicBarred
				return nil
			}); err != nil {
				return err
			}
		}
		return state.Regions.Edit(tx, scope, "-", func(r *slipway.Region) error {
			r.Settings.BlockPublicSnapshots = to
			if to == unblocked {
				r.Settings.BlockPublicSnapshots = ""
			}
			return nil
		})
	})
}

// BlockPublic answers EnableSnapshotBlockPublicAccess.
func (s *Service) BlockPublic(
	ctx context.Context, in *ec2wire.EnableSnapshotBlockPublicAccessRequest,
) (*ec2wire.EnableSnapshotBlockPublicAccessResult, error) {
	switch v := shape.Get(in.State); v {
	case blockNew, blockAll:
		return &ec2wire.EnableSnapshotBlockPublicAccessResult{State: in.State}, s.block(ctx, v)
	case "":
		return nil, slipway.Missing("State")
	default:
		return nil, slipway.Invalid(v, "state", "It must be "+blockNew+" or "+blockAll+".")
	}
}

// UnblockPublic answers DisableSnapshotBlockPublicAccess.
func (s *Service) UnblockPublic(
	ctx context.Context, _ *ec2wire.DisableSnapshotBlockPublicAccessRequest,
) (*ec2wire.DisableSnapshotBlockPublicAccessResult, error) {
	return &ec2wire.DisableSnapshotBlockPublicAccessResult{State: shape.Of(unblocked)}, s.block(ctx, unblocked)
}

// PublicBlock answers GetSnapshotBlockPublicAccessState.
func (s *Service) PublicBlock(
	ctx context.Context, _ *ec2wire.GetSnapshotBlockPublicAccessStateRequest,
) (*ec2wire.GetSnapshotBlockPublicAccessStateResult, error) {
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.GetSnapshotBlockPublicAccessStateResult{State: shape.Of(unblocked), ManagedBy: shape.Of("account")}
	if reg := state.Regions.See(r, state.Of(ctx), "-"); reg != nil && reg.Settings.BlockPublicSnapshots != "" {
		out.State = shape.Of(reg.Settings.BlockPublicSnapshots)
	}
	return out, nil
}
