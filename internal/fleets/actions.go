package fleets

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateFleet":    action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken).Within().On(s.created),
		"DescribeFleets": action.Read(s.Describe).Filters("tag:<key>").On(action.Nothing),
		"DescribeFleetInstances": action.Read(s.Instances).Filters().On(
			action.One("fleet", func(in *ec2wire.DescribeFleetInstancesRequest) *string { return in.FleetId })),
		"DeleteFleets": action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("fleet", func(in *ec2wire.DeleteFleetsRequest) []string { return in.FleetIds })),
	}
}
