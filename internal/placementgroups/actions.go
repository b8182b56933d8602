package placementgroups

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreatePlacementGroup": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreatePlacementGroupRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "placement-group")),
		"DescribePlacementGroups": action.Read(s.Describe).Filters("group-id").On(action.Nothing),
		"DeletePlacementGroup": action.Void(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("placement-group", func(in *ec2wire.DeletePlacementGroupRequest) *string { return in.GroupName })),
	}
}
