package instances

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/store"
)

// Reset answers ResetInstanceAttribute.
func (s *Service) Reset(ctx context.Context, in *ec2wire.ResetInstanceAttributeRequest) error {
	return s.named(ctx, in.InstanceId, func(tx store.Tx, i *slipway.Instance) error {
		switch a := shape.Get(in.Attribute); a {
		case "":
			return slipway.Missing("Attribute")
		case "sourceDestCheck":
			return setSourceDest(true)(tx, i)
		case "kernel", "ramdisk":
			return nil // nobody can have changed them
		default:
			return slipway.Invalid(a, "attribute", "It must be kernel, ramdisk or sourceDestCheck.")
		}
	})
}
