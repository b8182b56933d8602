package fleets

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateFleet":            action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken),
		"DescribeFleets":         action.Read(s.Describe).Filters(documentedFilters...),
		"DescribeFleetInstances": action.Read(s.Instances).Filters(instancesFilters...),
		"DeleteFleets":           action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"activity-status", "excess-capacity-termination-policy", "fleet-state", "replace-unhealthy-instances",
	"tag-key", "tag-value", "tag:<key>", "type",
}

var instancesFilters = []string{
	"instance-type",
}
