package addresses

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"AllocateAddress": action.Do(s.Allocate).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.AllocateAddressRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "elastic-ip")),
		"ReleaseAddress":   action.Void(s.Release).Bucket(action.Mutating).Repeats(action.NoToken).On(released),
		"AssociateAddress": action.Do(s.Associate).Bucket(action.Mutating).Repeats(action.NoToken).On(joined),
		"DisassociateAddress": action.Void(s.Disassociate).Bucket(action.Mutating).Repeats(action.NoToken).On(
			parted),
		"DescribeAddresses": action.Read(s.Describe).Filters("domain").On(action.Nothing),
		"DescribeAddressesAttribute": action.Read(s.Attribute).On(
			action.Each("elastic-ip", func(in *ec2wire.DescribeAddressesAttributeRequest) []string {
				return in.AllocationIds
			})),
	}
}
