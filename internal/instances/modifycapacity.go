package instances

import (
	"context"

	"slipway"
	"slipway/internal/capacity"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// ModifyCapacity answers ModifyInstanceCapacityReservationAttributes: what the instance asks for when it next starts.
func (s *Service) ModifyCapacity(
	ctx context.Context, in *ec2wire.ModifyInstanceCapacityReservationAttributesRequest,
) (*ec2wire.ModifyInstanceCapacityReservationAttributesResult, error) {
	if in.CapacityReservationSpecification == nil {
		return nil, slipway.Missing("CapacityReservationSpecification")
	}
	preference, target, err := launchspec.CapacityChoice(in.CapacityReservationSpecification)
	if err != nil {
		return nil, err
	}
	err = s.named(ctx, in.InstanceId, whenStopped(func(tx store.Tx, i *slipway.Instance) error {
		scope := state.Scope{Account: i.Account, Region: i.Region}
		if err := leaveReservation(tx, i); err != nil {
			return err
		}
		i.CapacityPreference, i.CapacityTarget = preference, target
		if target == "" {
			return nil
		}
		c, err := state.CapacityReservations.Get(tx, scope, string(target))
		switch {
		case err != nil:
			return err
		case c.State != slipway.CapacityReservationStateActive || c.Type != i.Type || c.Zone != i.Zone:
			return slipway.Errorf(slipway.InvalidParameterCombination,
				"The capacity reservation '%s' does not fit the instance '%s'.", target, i.ID)
		case capacity.FreeSlots(tx, c)[i.Host] == 0:
			return slipway.Errorf(slipway.ReservationCapacityExceeded,
				"The requested reservation does not have sufficient compatible and available capacity for this request.")
		}
		i.CapacityReservation = c.ID
		if err := state.CapacityReservations.Put(tx, c); err != nil {
			return err
		}
		return capacity.Charge(tx, i.Host, slipway.FindInstanceType(i.Type), -1) // the reservation keeps its room from now on
	}))
	return &ec2wire.ModifyInstanceCapacityReservationAttributesResult{Return: shape.Of(true)}, err
}

// leaveReservation takes an instance out of its capacity reservation, onto the host's ordinary account.
func leaveReservation(tx store.Tx, i *slipway.Instance) error {
	in := capacity.Reserved(tx, i)
	i.CapacityReservation = ""
	if !in {
		return nil
	}
	return capacity.Charge(tx, i.Host, slipway.FindInstanceType(i.Type), 1)
}
