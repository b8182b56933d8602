package spot

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"RequestSpotInstances":         action.Do(s.Request).Bucket(action.Mutating).Repeats(action.ByToken),
		"DescribeSpotInstanceRequests": action.Read(s.Describe).Filters(documentedFilters...),
		"CancelSpotInstanceRequests":   action.Do(s.Cancel).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeSpotPriceHistory":     action.Read(s.Prices).Filters(pricesFilters...),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"create-time", "instance-id", "instance-interruption-behavior", "launch.image-id", "launch.instance-type",
	"launch.key-name", "launched-availability-zone", "network-interface.subnet-id", "product-description",
	"spot-instance-request-id", "spot-price", "state", "status-code", "tag-key", "tag-value", "tag:<key>", "type",
}

var pricesFilters = []string{
	"availability-zone", "availability-zone-id", "instance-type", "product-description", "spot-price",
	"timestamp",
}
