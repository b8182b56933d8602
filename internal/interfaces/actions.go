package interfaces

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"DescribeNetworkInterfaces": action.Read(s.Describe).
			Also(func(in *ec2wire.DescribeNetworkInterfacesRequest) (action.Bucket, int) {
				return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
			}).Filters("group-name").On(action.Nothing),
		"CreateNetworkInterface": action.Do(s.CreateOne).Bucket(action.Frequent).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateNetworkInterfaceRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "network-interface"),
			action.One("subnet", func(in *ec2wire.CreateNetworkInterfaceRequest) *string { return in.SubnetId }),
			action.Each("security-group", func(in *ec2wire.CreateNetworkInterfaceRequest) []string { return in.Groups }),
		),
		"DeleteNetworkInterface": action.Void(s.Delete).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.DeleteNetworkInterfaceRequest) *string {
				return in.NetworkInterfaceId
			})),
		"AttachNetworkInterface": action.Do(s.Attach).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.AttachNetworkInterfaceRequest) *string {
				return in.NetworkInterfaceId
			}),
			action.One("instance", func(in *ec2wire.AttachNetworkInterfaceRequest) *string { return in.InstanceId }),
		),
		"DetachNetworkInterface": action.Void(s.Detach).Bucket(action.Mutating).Repeats(action.NoToken).On(
			detached),
		"ModifyNetworkInterfaceAttribute": action.Void(s.Modify).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.ModifyNetworkInterfaceAttributeRequest) *string {
				return in.NetworkInterfaceId
			}),
			action.Each("security-group", func(in *ec2wire.ModifyNetworkInterfaceAttributeRequest) []string {
				return in.Groups
			}),
			ofInstance,
		),
		"DescribeNetworkInterfaceAttribute": action.Read(s.Attribute).On(
			action.One("network-interface", func(in *ec2wire.DescribeNetworkInterfaceAttributeRequest) *string {
				return in.NetworkInterfaceId
			})),
		"ResetNetworkInterfaceAttribute": action.Void(s.Reset).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.ResetNetworkInterfaceAttributeRequest) *string {
				return in.NetworkInterfaceId
			})),
		"AssignPrivateIpAddresses": action.Do(s.Assign).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.AssignPrivateIpAddressesRequest) *string {
				return in.NetworkInterfaceId
			})),
		"UnassignPrivateIpAddresses": action.Void(s.Unassign).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.UnassignPrivateIpAddressesRequest) *string {
				return in.NetworkInterfaceId
			})),
		"AssignIpv6Addresses": action.Do(s.AssignIPv6).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.AssignIpv6AddressesRequest) *string {
				return in.NetworkInterfaceId
			})),
		"UnassignIpv6Addresses": action.Do(s.UnassignIPv6).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-interface", func(in *ec2wire.UnassignIpv6AddressesRequest) *string {
				return in.NetworkInterfaceId
			})),
		"DescribeNetworkInterfacePermissions": action.Read(s.Permissions).Filters().On(action.Nothing),
	}
}
