package instances

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/store"
)

// ModifyBandwidth answers ModifyInstanceNetworkPerformanceOptions.
func (s *Service) ModifyBandwidth(
	ctx context.Context, in *ec2wire.ModifyInstanceNetworkPerformanceRequest,
) (*ec2wire.ModifyInstanceNetworkPerformanceResult, error) {
	err := s.named(ctx, in.InstanceId, func(store.Tx, *slipway.Instance) error {
		if w := shape.Get(in.BandwidthWeighting); w != "" && w != "default" {
			return slipway.Errorf(slipway.Unsupported,
				"The bandwidth weighting %s is not supported: no instance type here shares bandwidth between "+
					"network and volumes.", w)
		}
		return nil
	})
	return &ec2wire.ModifyInstanceNetworkPerformanceResult{
		InstanceId: in.InstanceId, BandwidthWeighting: shape.Of("default"),
	}, err
}
