package fleets

import (
	"context"
	"errors"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Delete answers DeleteFleets: the instances of an instant fleet go with it. What cannot be deleted is named in the answer.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteFleetsRequest) (*ec2wire.DeleteFleetsResult, error) {
	switch {
	case len(in.FleetIds) == 0:
		return nil, slipway.Missing("FleetId")
	case in.TerminateInstances == nil:
		return nil, slipway.Missing("TerminateInstances")
	case !*in.TerminateInstances:
		return nil, slipway.Refused("TerminateInstances=false", "the instances of a fleet of type instant go with it.")
	}
	out := &ec2wire.DeleteFleetsResult{
		SuccessfulFleetDeletions:   []ec2wire.DeleteFleetSuccessItem{},
		UnsuccessfulFleetDeletions: []ec2wire.DeleteFleetErrorItem{},
	}
	if slipway.CallFrom(ctx).DryRun {
		return out, nil
	}
	for _, id := range in.FleetIds {
		now, why, err := s.delete(ctx, id)
		if err != nil {
			return nil, err
		}
		if why != nil {
			out.UnsuccessfulFleetDeletions = append(out.UnsuccessfulFleetDeletions,
				ec2wire.DeleteFleetErrorItem{FleetId: &id, Error: why})
			continue
		}
		out.SuccessfulFleetDeletions = append(out.SuccessfulFleetDeletions,
			ec2wire.DeleteFleetSuccessItem{FleetId: &id, PreviousFleetState: shape.Of("active"), CurrentFleetState: &now})
	}
	return out, nil
}

// delete ends one fleet and says what state it is in then, or why it stays.
func (s *Service) delete(ctx context.Context, id string) (string, *ec2wire.DeleteFleetError, error) {
	stays := func(code, message string) (string, *ec2wire.DeleteFleetError, error) {
		return "", &ec2wire.DeleteFleetError{Code: &code, Message: &message}, nil
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return "", nil, err
	}
	f := state.Fleets.See(r, state.Of(ctx), id)
	switch {
	case f == nil:
		return stays("fleetIdDoesNotExist", "The fleet ID '"+id+"' does not exist")
	case !f.Deleted.IsZero():
		return stays("fleetNotInDeletableState", "The fleet '"+id+"' has been deleted already.")
	}
	var ids []slipway.InstanceID
	for _, i := range left(r, f) {
		ids = append(ids, i.ID)
	}
	if len(ids) > 0 {
		_, err := s.instances.Terminate(ctx, &ec2wire.TerminateInstancesRequest{InstanceIds: texts(ids)})
		if refusal, told := errors.AsType[*slipway.Error](err); told {
			return stays("unexpectedError", refusal.Message)
		} else if err != nil {
			return "", nil, err
		}
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		return state.Fleets.Edit(tx, scopeOf(f), id, func(f *slipway.Fleet) error { f.Deleted = s.now(); return nil })
	})
	if len(ids) > 0 {
		return "deleted_terminating", nil, err
	}
	return "deleted", nil, err
}
