package instances

import (
	"context"

	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// SerialConsole answers GetSerialConsoleAccessStatus: nobody has access, for there is no way in.
func (s *Service) SerialConsole(
	context.Context, *ec2wire.GetSerialConsoleAccessStatusRequest,
) (*ec2wire.GetSerialConsoleAccessStatusResult, error) {
	return &ec2wire.GetSerialConsoleAccessStatusResult{
		SerialConsoleAccessEnabled: shape.Of(false), ManagedBy: shape.Of("account"),
	}, nil
}

// DisableSerialConsole answers DisableSerialConsoleAccess, which finds it as it is.
func (s *Service) DisableSerialConsole(
	context.Context, *ec2wire.DisableSerialConsoleAccessRequest,
) (*ec2wire.DisableSerialConsoleAccessResult, error) {
	return &ec2wire.DisableSerialConsoleAccessResult{SerialConsoleAccessEnabled: shape.Of(false)}, nil
}
