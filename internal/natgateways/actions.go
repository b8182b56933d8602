package natgateways

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateNatGateway": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateNatGatewayRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "natgateway"),
			action.One("subnet", func(in *ec2wire.CreateNatGatewayRequest) *string { return in.SubnetId }),
			action.One("elastic-ip", func(in *ec2wire.CreateNatGatewayRequest) *string { return in.AllocationId }),
			action.Each("elastic-ip", func(in *ec2wire.CreateNatGatewayRequest) []string { return in.SecondaryAllocationIds }),
		),
		"DeleteNatGateway": action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("natgateway", func(in *ec2wire.DeleteNatGatewayRequest) *string { return in.NatGatewayId })),
		"DescribeNatGateways": action.Read(s.Describe).Filters().On(action.Nothing),
	}
}
