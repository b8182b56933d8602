package prefixlists

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateManagedPrefixList":          action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken),
		"ModifyManagedPrefixList":          action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteManagedPrefixList":          action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeManagedPrefixLists":       action.Read(s.Describe).Filters(documentedFilters...),
		"GetManagedPrefixListEntries":      action.Read(s.Entries),
		"GetManagedPrefixListAssociations": action.Read(s.Associations),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"owner-id", "prefix-list-id", "prefix-list-name", "tag-key", "tag-value", "tag:<key>",
}
