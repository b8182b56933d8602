package instances

import (
	"cmp"
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/store"
)

// ModifyMaintenance answers ModifyInstanceMaintenanceOptions.
func (s *Service) ModifyMaintenance(
	ctx context.Context, in *ec2wire.ModifyInstanceMaintenanceOptionsRequest,
) (*ec2wire.ModifyInstanceMaintenanceOptionsResult, error) {
	if err := launchspec.OneOf(in.AutoRecovery, "autoRecovery", "default", "disabled"); err != nil {
		return nil, err
	}
	if err := launchspec.OneOf(in.RebootMigration, "rebootMigration", "default"); err != nil {
		return nil, err // there is nowhere to migrate to, so it cannot be disabled either
	}
	out := &ec2wire.ModifyInstanceMaintenanceOptionsResult{InstanceId: in.InstanceId, RebootMigration: shape.Of("default")}
	err := s.named(ctx, in.InstanceId, func(_ store.Tx, i *slipway.Instance) error {
		i.AutoRecovery = cmp.Or(shape.Get(in.AutoRecovery), i.AutoRecovery)
		out.AutoRecovery = shape.Of(orDefault(i.AutoRecovery))
		return nil
	})
	return out, err
}
