package instances

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
)

// applyTemplate completes the request by its launch template.
func (s *Service) applyTemplate(ctx context.Context, in *ec2wire.RunInstancesRequest) (slipway.TemplateRef, map[string]string, error) {
	if in.LaunchTemplate == nil {
		return slipway.TemplateRef{}, nil, nil
	}
	return slipway.TemplateRef{}, nil, slipway.Errorf(slipway.UnsupportedOperation, "The parameter LaunchTemplate is not implemented yet.")
}
