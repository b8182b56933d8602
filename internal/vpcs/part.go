package vpcs

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// part is what a request for one more part of a VPC begins with: which VPC, the tags, and whether it came before.
type part struct {
	Scope state.Scope
	Vpc   slipway.VPCID
	Tags  slipway.Tags
	Once  state.Once
}

func ReadPart(
	ctx context.Context, action, resource string, vpc *string, tags []ec2wire.TagSpecification, token *string,
) (part, error) {
	p := part{Scope: state.Of(ctx)}
	var err error
	if p.Vpc, err = shape.ID(vpc, "VpcId", slipway.ParseVPCID); err != nil {
		return p, err
	}
	if p.Tags, err = shape.TagsOf(tags, resource); err != nil {
		return p, err
	}
	p.Once = state.Once{Scope: p.Scope, Action: action, Token: shape.Get(token), Hash: state.HashOf(p.Vpc, p.Tags)}
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
