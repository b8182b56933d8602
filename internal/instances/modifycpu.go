package instances

import (
	"context"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// ModifyCPU answers ModifyInstanceCpuOptions, for a stopped instance.
func (s *Service) ModifyCPU(
	ctx context.Context, in *ec2wire.ModifyInstanceCpuOptionsRequest,
) (*ec2wire.ModifyInstanceCpuOptionsResult, error) {
	cores, threads := shape.Get(in.CoreCount), shape.Get(in.ThreadsPerCore)
	if shape.Get(in.NestedVirtualization) == "enabled" {
		return nil, slipway.Errorf(slipway.Unsupported,
			"The parameter NestedVirtualization is not supported on this instance type.")
	}
	if in.CoreCount == nil || in.ThreadsPerCore == nil {
		return nil, launchspec.Combination("CoreCount and ThreadsPerCore must be specified together.")
	}
	err := s.named(ctx, in.InstanceId, whenStopped(func(tx store.Tx, i *slipway.Instance) error {
		t := slipway.FindInstanceType(i.Type)
		if err := admission.CheckCPU(t, cores, threads); err != nil {
			return err
		}
		b, err := state.Ledgers.Get(tx, state.Global, string(i.Host))
		if err != nil {
			return err
		}
		b.VCPUs += int(cores*threads - i.Cores*i.ThreadsPerCore)
		i.Cores, i.ThreadsPerCore = cores, threads
		return state.Ledgers.Put(tx, b)
	}))
	return &ec2wire.ModifyInstanceCpuOptionsResult{
		InstanceId: in.InstanceId, CoreCount: in.CoreCount, ThreadsPerCore: in.ThreadsPerCore,
	}, err
}
