package instances

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// ModifyCredits answers ModifyInstanceCreditSpecification; each instance succeeds or fails by itself.
func (s *Service) ModifyCredits(
	ctx context.Context, in *ec2wire.ModifyInstanceCreditSpecificationRequest,
) (*ec2wire.ModifyInstanceCreditSpecificationResult, error) {
	if len(in.InstanceCreditSpecifications) == 0 {
		return nil, slipway.Missing("InstanceCreditSpecification")
	}
	out := &ec2wire.ModifyInstanceCreditSpecificationResult{
		SuccessfulInstanceCreditSpecifications:   []ec2wire.SuccessfulInstanceCreditSpecificationItem{},
		UnsuccessfulInstanceCreditSpecifications: []ec2wire.UnsuccessfulInstanceCreditSpecificationItem{},
	}
	once := state.OnceOf(state.Of(ctx), "ModifyInstanceCreditSpecification", in)
	if err := s.db.Update(ctx, func(tx store.Tx) error { _, err := once.Seen(tx); return err }); err != nil {
		return nil, err // a retry does the same again
	}
	for _, c := range in.InstanceCreditSpecifications {
		id, err := slipway.ParseInstanceID(shape.Get(c.InstanceId))
		if err != nil {
			return nil, err
		}
		credits := shape.Get(c.CpuCredits)
		if credits != "standard" && credits != "unlimited" {
			return nil, slipway.Errorf(slipway.InvalidCpuCredits,
				"Invalid value '%s' for cpuCredits. It must be standard or unlimited.", credits)
		}
		err = s.edit(ctx, id, func(_ store.Tx, i *slipway.Instance) error {
			if i.CPUCredits == "" {
				return slipway.Errorf(slipway.InstanceCreditSpecificationNotSupported,
					"The instance type %s does not support credit specification.", i.Type)
			}
			i.CPUCredits = credits
			return nil
		})
		switch {
		case err == nil:
			out.SuccessfulInstanceCreditSpecifications = append(out.SuccessfulInstanceCreditSpecifications,
				ec2wire.SuccessfulInstanceCreditSpecificationItem{InstanceId: shape.Text(id)})
		case slipway.CodeOf(err) == slipway.DryRunOperation || slipway.CodeOf(err) == slipway.InternalError:
			return nil, err
		default:
			out.UnsuccessfulInstanceCreditSpecifications = append(out.UnsuccessfulInstanceCreditSpecifications,
				ec2wire.UnsuccessfulInstanceCreditSpecificationItem{
					InstanceId: shape.Text(id),
					Error: &ec2wire.UnsuccessfulInstanceCreditSpecificationItemError{
						Code: shape.Of(string(slipway.CodeOf(err))), Message: shape.Of(err.Error()),
					},
				})
		}
	}
	return out, s.db.Update(ctx, func(tx store.Tx) error { return once.Keep(tx, "", s.now()) })
}
