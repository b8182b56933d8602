package instances

import (
	"context"
	"slipway"
	"slipway/internal/ec2wire"
)

// Run launches instances. All of it commits in one transaction: a launch is there wholly or not at all.
func (s *Service) Run(ctx context.Context, in *ec2wire.RunInstancesRequest) (*ec2wire.Reservation, error) {
	spec, err := s.admission.Prepare(ctx, in)
	if err != nil {
		return nil, err
	}
	made, err := s.admission.Launch(ctx, spec)
	if err != nil {
		return nil, err
	}
	v, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return s.reservation(v, made, made[0].State == slipway.Pending), nil
}
