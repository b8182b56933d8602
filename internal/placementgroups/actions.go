package placementgroups

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreatePlacementGroup":    action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribePlacementGroups": action.Read(s.Describe).Filters(documentedFilters...),
		"DeletePlacementGroup":    action.Void(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"group-arn", "group-id", "group-name", "spread-level", "state", "strategy", "tag-key", "tag-value",
	"tag:<key>",
}
