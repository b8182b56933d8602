package dedicatedhosts

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"AllocateHosts": action.Do(s.Allocate).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.AllocateHostsRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "dedicated-host")),
		"DescribeHosts": action.Read(s.Describe).Filters("tag:<key>").On(action.Nothing),
		"ModifyHosts": action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("dedicated-host", func(in *ec2wire.ModifyHostsRequest) []string { return in.HostIds })),
		"ReleaseHosts": action.Do(s.Release).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("dedicated-host", func(in *ec2wire.ReleaseHostsRequest) []string { return in.HostIds })),
	}
}
