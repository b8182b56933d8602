package tags

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateTags":   action.Void(s.Create).Bucket(action.Tagged).Repeats(action.NoToken).On(tagged),
		"DeleteTags":   action.Void(s.Delete).Bucket(action.Tagged).Repeats(action.NoToken).On(untagged),
		"DescribeTags": action.Read(s.Describe).Filters().On(action.Nothing),
	}
}
