package fleets

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateFleet":    action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken).Within().On(s.created),
		"DescribeFleets": action.Read(s.Describe).Filters(documentedFilters...).On(action.Nothing),
		"DescribeFleetInstances": action.Read(s.Instances).Filters(instancesFilters...).On(
			action.One("fleet", func(in *ec2wire.DescribeFleetInstancesRequest) *string { return in.FleetId })),
		"DeleteFleets": action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("fleet", func(in *ec2wire.DeleteFleetsRequest) []string { return in.FleetIds })),
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
