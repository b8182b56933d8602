package instances

import (
	"context"

	"slipway"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// named is edit for a request's instance id.
func (s *Service) named(ctx context.Context, name *string, e edit) error {
	if shape.Get(name) == "" {
		return slipway.Missing("InstanceId")
	}
	id, err := slipway.ParseInstanceID(*name)
	if err != nil {
		return err
	}
	return s.edit(ctx, id, e)
}

// edit is one attribute's change, on a record that is the caller's to change.
type edit func(tx store.Tx, i *slipway.Instance) error

// whenStopped guards what only a stopped instance lets be changed.
func whenStopped(e edit) edit {
	return func(tx store.Tx, i *slipway.Instance) error {
		if i.State != slipway.Stopped {
			return slipway.Errorf(slipway.IncorrectInstanceState, "The instance '%s' is not in the 'stopped' state.", i.ID)
		}
		return e(tx, i)
	}
}

func (s *Service) edit(ctx context.Context, id slipway.InstanceID, e edit) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		i, err := state.Instances.Get(tx, state.Of(ctx), string(id))
		if err != nil {
			return err
		}
		if i.State == slipway.Terminated || i.State == slipway.ShuttingDown {
			return slipway.Errorf(slipway.IncorrectInstanceState,
				"The instance '%s' is not in a valid state for this operation.", id)
		}
		if err := e(tx, i); err != nil {
			return err
		}
		return state.Instances.Put(tx, i)
	})
}
