package regions

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"DescribeRegions":           action.Read(s.Regions).Filters().On(action.Nothing),
		"DescribeAvailabilityZones": action.Read(s.Zones).Filters("network-border-group", "zone-state").On(action.Nothing),
		"DescribeAccountAttributes": action.Read(s.Attributes).On(action.Nothing),
	}
}
