package regions

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"DescribeRegions":           action.Read(s.Regions).Filters(regionsFilters...).On(action.Nothing),
		"DescribeAvailabilityZones": action.Read(s.Zones).Filters(zonesFilters...).On(action.Nothing),
		"DescribeAccountAttributes": action.Read(s.Attributes).On(action.Nothing),
	}
}

// The filters that the descriptions document.
var regionsFilters = []string{
	"endpoint", "opt-in-status", "region-name",
}

var zonesFilters = []string{
	"group-name", "message", "network-border-group", "opt-in-status", "parent-zone-id", "parent-zone-name",
	"region-name", "state", "zone-id", "zone-name", "zone-state", "zone-type",
}
