package interfaces

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"DescribeNetworkInterfaces":           action.Read(s.Describe).Filters(documentedFilters...),
		"CreateNetworkInterface":              action.Do(s.CreateOne).Bucket(action.Frequent).Repeats(action.ByToken),
		"DeleteNetworkInterface":              action.Void(s.Delete).Bucket(action.Frequent).Repeats(action.NoToken),
		"AttachNetworkInterface":              action.Do(s.Attach).Bucket(action.Mutating).Repeats(action.NoToken),
		"DetachNetworkInterface":              action.Void(s.Detach).Bucket(action.Mutating).Repeats(action.NoToken),
		"ModifyNetworkInterfaceAttribute":     action.Void(s.Modify).Bucket(action.Frequent).Repeats(action.NoToken),
		"DescribeNetworkInterfaceAttribute":   action.Read(s.Attribute),
		"ResetNetworkInterfaceAttribute":      action.Void(s.Reset).Bucket(action.Mutating).Repeats(action.NoToken),
		"AssignPrivateIpAddresses":            action.Do(s.Assign).Bucket(action.Frequent).Repeats(action.NoToken),
		"UnassignPrivateIpAddresses":          action.Void(s.Unassign).Bucket(action.Mutating).Repeats(action.NoToken),
		"AssignIpv6Addresses":                 action.Do(s.AssignIPv6).Bucket(action.Frequent).Repeats(action.NoToken),
		"UnassignIpv6Addresses":               action.Do(s.UnassignIPv6).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeNetworkInterfacePermissions": action.Read(s.Permissions).Filters(),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"addresses.association.public-ip", "addresses.primary", "addresses.private-ip-address",
	"association.allocation-id", "association.association-id", "association.public-ip", "attachment.attach-time",
	"attachment.attachment-id", "attachment.delete-on-termination", "attachment.device-index",
	"attachment.instance-id", "attachment.instance-owner-id", "attachment.status", "availability-zone",
	"description", "group-id", "group-name", "interface-type", "ipv6-addresses.ipv6-address", "mac-address",
	"network-interface-id", "owner-id", "private-dns-name", "private-ip-address", "requester-id",
	"requester-managed", "source-dest-check", "status", "subnet-id", "tag-key", "tag-value", "tag:<key>", "vpc-id",
}
