package tags

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateTags":   action.Void(s.Create).Bucket(action.Tagged).Repeats(action.NoToken).On(tagged),
		"DeleteTags":   action.Void(s.Delete).Bucket(action.Tagged).Repeats(action.NoToken).On(untagged),
		"DescribeTags": action.Read(s.Describe).Filters(documentedFilters...).On(action.Nothing),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"key", "resource-id", "resource-type", "tag-key", "tag-value", "tag:<key>", "value",
}
