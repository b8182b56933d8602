package dedicatedhosts

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"AllocateHosts": action.Do(s.Allocate).Bucket(action.Mutating).Repeats(action.ByToken),
		"DescribeHosts": action.Read(s.Describe).Filters(documentedFilters...),
		"ModifyHosts":   action.Do(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken),
		"ReleaseHosts":  action.Do(s.Release).Bucket(action.Mutating).Repeats(action.NoToken),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"auto-placement", "availability-zone", "client-token", "host-reservation-id", "instance-type", "state",
	"tag-key", "tag-value", "tag:<key>",
}
