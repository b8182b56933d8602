package capacityreservations

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateCapacityReservation": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateCapacityReservationRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "capacity-reservation")),
		"DescribeCapacityReservations": action.Read(s.Describe).Filters("availability-zone-id", "tag:<key>").On(action.Nothing),
		"ModifyCapacityReservation": action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("capacity-reservation", func(in *ec2wire.ModifyCapacityReservationRequest) *string {
				return in.CapacityReservationId
			})),
		"CancelCapacityReservation": action.Do(s.Cancel).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("capacity-reservation", func(in *ec2wire.CancelCapacityReservationRequest) *string {
				return in.CapacityReservationId
			})),
		"GetCapacityReservationUsage": action.Read(s.Usage).On(
			action.One("capacity-reservation", func(in *ec2wire.GetCapacityReservationUsageRequest) *string {
				return in.CapacityReservationId
			})),
	}
}
