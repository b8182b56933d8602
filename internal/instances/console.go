package instances

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/jpeg"
	_ "image/png" // the driver's pictures

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

func (s *Service) one(ctx context.Context, name *string) (*slipway.Instance, error) {
	if shape.Get(name) == "" {
		return nil, slipway.Missing("InstanceId")
	}
	id, err := slipway.ParseInstanceID(*name)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return state.Instances.Require(r, state.Of(ctx), string(id))
}

// dry ends a call that changes nothing in the state but something in the world.
func dry(ctx context.Context) error {
	if slipway.CallFrom(ctx).DryRun {
		return slipway.Errorf(slipway.DryRunOperation, "Request would have succeeded, but DryRun flag is set.")
	}
	return nil
}

// Console answers GetConsoleOutput with the last 64 KiB, live.
func (s *Service) Console(ctx context.Context, in *ec2wire.GetConsoleOutputRequest) (*ec2wire.GetConsoleOutputResult, error) {
	i, err := s.one(ctx, in.InstanceId)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.GetConsoleOutputResult{InstanceId: shape.Text(i.ID), Timestamp: shape.Of(s.now())}
	text, err := s.machines.Console(ctx, i)
	if err != nil {
		return nil, err
	}
	if len(text) > 0 {
		out.Output = shape.Of(base64.StdEncoding.EncodeToString(text))
	}
	return out, nil
}

// Screenshot answers GetConsoleScreenshot with a JPEG of the guest's screen.
func (s *Service) Screenshot(
	ctx context.Context, in *ec2wire.GetConsoleScreenshotRequest,
) (*ec2wire.GetConsoleScreenshotResult, error) {
	i, err := s.one(ctx, in.InstanceId)
	if err != nil {
		return nil, err
	}
	if i.State != slipway.Running {
		return nil, slipway.Errorf(slipway.IncorrectInstanceState, "The instance '%s' is not in the 'running' state.", i.ID)
	}
	if err := dry(ctx); err != nil {
		return nil, err
	}
	raw, err := s.machines.Screen(ctx, i, shape.Get(in.WakeUp))
	if err != nil {
		return nil, err
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: 75}); err != nil {
		return nil, err
	}
	return &ec2wire.GetConsoleScreenshotResult{
		InstanceId: shape.Text(i.ID), ImageData: shape.Of(base64.StdEncoding.EncodeToString(out.Bytes())),
	}, nil
}

// Interrupt answers SendDiagnosticInterrupt with a non-maskable interrupt.
func (s *Service) Interrupt(ctx context.Context, in *ec2wire.SendDiagnosticInterruptRequest) error {
	i, err := s.one(ctx, in.InstanceId)
	if err != nil {
		return err
	}
	if i.State != slipway.Running {
		return slipway.Errorf(slipway.IncorrectInstanceState, "The instance '%s' is not in the 'running' state.", i.ID)
	}
	if err := dry(ctx); err != nil {
		return err
	}
	return s.machines.Interrupt(ctx, i)
}

// Password answers GetPasswordData: there is none for what is not Windows.
func (s *Service) Password(ctx context.Context, in *ec2wire.GetPasswordDataRequest) (*ec2wire.GetPasswordDataResult, error) {
	i, err := s.one(ctx, in.InstanceId)
	if err != nil {
		return nil, err
	}
	return &ec2wire.GetPasswordDataResult{
		InstanceId: shape.Text(i.ID), Timestamp: shape.Of(s.now()), PasswordData: shape.Of(""),
	}, nil
}
