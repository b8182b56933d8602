package addresses

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"AllocateAddress":            action.Do(s.Allocate).Bucket(action.Mutating).Repeats(action.NoToken),
		"ReleaseAddress":             action.Void(s.Release).Bucket(action.Mutating).Repeats(action.NoToken),
		"AssociateAddress":           action.Do(s.Associate).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisassociateAddress":        action.Void(s.Disassociate).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeAddresses":          action.Read(s.Describe).Filters(documentedFilters...),
		"DescribeAddressesAttribute": action.Read(s.Attribute),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"allocation-id", "association-id", "domain", "instance-id", "network-border-group", "network-interface-id",
	"network-interface-owner-id", "private-ip-address", "public-ip", "tag-key", "tag-value", "tag:<key>",
}
