package spot

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// requested is the request, and the launch that it is for.
func (s *Service) requested(v action.View, in *ec2wire.RequestSpotInstancesRequest) []action.Resource {
	if in.LaunchSpecification == nil {
		return []action.Resource{{Kind: "spot-instances-request", ID: action.New}}
	}
	return s.admission.SpotTargets(v, launch(in, 1))
}
