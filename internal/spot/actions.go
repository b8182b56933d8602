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
			}).Filters("instance-interruption-behavior").On(action.Nothing),
		"CancelSpotInstanceRequests": action.Do(s.Cancel).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("spot-instances-request", func(in *ec2wire.CancelSpotInstanceRequestsRequest) []string {
				return in.SpotInstanceRequestIds
			})),
		"DescribeSpotPriceHistory": action.Read(s.Prices).Filters().On(action.Nothing),
	}
}
