package prefixlists

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateManagedPrefixList": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateManagedPrefixListRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "prefix-list")),
		"ModifyManagedPrefixList": action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("prefix-list", func(in *ec2wire.ModifyManagedPrefixListRequest) *string { return in.PrefixListId })),
		"DeleteManagedPrefixList": action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("prefix-list", func(in *ec2wire.DeleteManagedPrefixListRequest) *string { return in.PrefixListId })),
		"DescribeManagedPrefixLists": action.Read(s.Describe).Filters("tag:<key>").On(action.Nothing),
		"DescribePrefixLists":        action.Read(s.DescribeAWS).Filters().On(action.Nothing),
		"GetManagedPrefixListEntries": action.Read(s.Entries).On(
			action.One("prefix-list", func(in *ec2wire.GetManagedPrefixListEntriesRequest) *string { return in.PrefixListId })),
		"GetManagedPrefixListAssociations": action.Read(s.Associations).On(
			action.One("prefix-list", func(in *ec2wire.GetManagedPrefixListAssociationsRequest) *string {
				return in.PrefixListId
			})),
	}
}
