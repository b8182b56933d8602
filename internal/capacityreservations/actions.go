package capacityreservations

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateCapacityReservation":    action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken),
		"DescribeCapacityReservations": action.Read(s.Describe).Filters(documentedFilters...),
		"ModifyCapacityReservation":    action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken),
		"CancelCapacityReservation":    action.Do(s.Cancel).Bucket(action.Mutating).Repeats(action.NoToken),
		"GetCapacityReservationUsage":  action.Read(s.Usage),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"availability-zone", "availability-zone-id", "end-date-type", "instance-match-criteria", "instance-platform",
	"instance-type", "owner-id", "start-date", "state", "tag-key", "tag-value", "tag:<key>", "tenancy",
}
