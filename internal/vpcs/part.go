package vpcs

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// part is what a request for one more part of a VPC begins with: which VPC, and the tags.
type part struct {
	Scope state.Scope
	Vpc   slipway.VPCID
	Tags  slipway.Tags
}

func ReadPart(
	ctx context.Context, resource string, vpc *string, tags []ec2wire.TagSpecification,
) (part, error) {
	p := part{Scope: state.Of(ctx)}
	var err error
	if p.Vpc, err = shape.ID(vpc, "VpcId", slipway.ParseVPCID); err != nil {
		return p, err
	}
	if p.Tags, err = shape.TagsOf(tags, resource); err != nil {
		return p, err
	}
	return p, nil
}

// Remove deletes the record that a request names, unless something forbids it.
func Remove[T any](
	ctx context.Context, db state.DB, table *state.Table[T], name *string, parameter string,
	forbids func(tx store.Tx, v *T) error,
) error {
	id, err := shape.Need(name, parameter)
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return db.Update(ctx, func(tx store.Tx) error {
		v, err := table.Require(tx, scope, id)
		if err != nil {
			return err
		}
		if err := forbids(tx, v); err != nil {
			return err
		}
		table.Delete(tx, scope, id)
		return nil
	})
}
