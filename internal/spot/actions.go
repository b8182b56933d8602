package spot

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"RequestSpotInstances": action.Do(s.Request).Bucket(action.Mutating).Repeats(action.ByToken).Within().On(
			s.requested),
		"DescribeSpotInstanceRequests": action.Read(s.Describe).
			Also(func(in *ec2wire.DescribeSpotInstanceRequestsRequest) (action.Bucket, int) {
				return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
			}).Filters(documentedFilters...).On(action.Nothing),
		"CancelSpotInstanceRequests": action.Do(s.Cancel).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("spot-instances-request", func(in *ec2wire.CancelSpotInstanceRequestsRequest) []string {
				return in.SpotInstanceRequestIds
			})),
		"DescribeSpotPriceHistory": action.Read(s.Prices).Filters(pricesFilters...).On(action.Nothing),
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
