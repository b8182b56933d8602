package instancetypes

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"GetInstanceTypesFromInstanceRequirements": action.Read(s.FromRequirements).On(action.Nothing),
		"DescribeInstanceTypes": action.Read(s.Describe).Filters().
			On(action.Nothing),
		"DescribeInstanceTypeOfferings": action.Read(s.Offerings).Filters().
			On(action.Nothing),
	}
}
