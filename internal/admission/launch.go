package admission

import (
	"cmp"
	"context"
	"errors"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Prepare completes a request by its launch template and checks all that needs no other state; it uses the request up.
func (s *Service) Prepare(ctx context.Context, in *ec2wire.RunInstancesRequest) (slipway.LaunchSpec, error) {
	sent, zonal := state.HashOfRequest(in), launchspec.FixesZone(in)
	template, origin, err := s.applyTemplate(ctx, in)
	if err != nil {
		return slipway.LaunchSpec{}, err
	}
	spec, err := launchspec.Read(in)
	if err == nil {
		err = launchspec.CheckTagged(&spec)
	}
	if err != nil {
		return slipway.LaunchSpec{}, err
	}
	spec.Template, spec.Origin, spec.Hash, spec.ZoneOfTemplate = template, origin, sent, template.ID != "" && !zonal
	return spec, nil
}

// applyTemplate completes the request by its launch template.
func (s *Service) applyTemplate(
	ctx context.Context, in *ec2wire.RunInstancesRequest,
) (slipway.TemplateRef, map[string]string, error) {
	if !launchspec.Templated(in) {
		return slipway.TemplateRef{}, launchspec.Given(copied(in)), nil
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return slipway.TemplateRef{}, nil, err
	}
	return launchspec.Complete(r, state.Of(ctx), in)
}

// Launch admits a launch: every check that needs the state, the choice of hosts, and the records, in one transaction.
// A zone that was chosen for the caller and turns out to lack addresses or capacity is passed over for the next best.
func (s *Service) Launch(ctx context.Context, spec slipway.LaunchSpec) ([]*slipway.Instance, error) {
	var first error
	for passed := map[string]bool{}; ; {
		made, chosen, err := s.launchIn(ctx, spec, passed)
		switch code := slipway.CodeOf(err); {
		case errors.Is(err, errNoOtherZone):
			return nil, first
		case err == nil || chosen == "" ||
			code != slipway.InsufficientFreeAddressesInSubnet && code != slipway.InsufficientInstanceCapacity:
			return made, err
		}
		first, passed[chosen] = cmp.Or(first, err), true
	}
}

// errNoOtherZone says that every zone that could be chosen has been passed over.
var errNoOtherZone = errors.New("no other zone is left")

// launchIn is Launch in any zone but those to pass over; chosen is the zone if it was not the caller's choice.
func (s *Service) launchIn(
	ctx context.Context, spec slipway.LaunchSpec, passed map[string]bool,
) (made []*slipway.Instance, chosen string, err error) {
	err = s.db.Update(ctx, func(tx store.Tx) error {
		l := s.launch(tx, state.Of(ctx), slipway.CallFrom(ctx), spec)
		l.passed = passed
		made = nil
		defer func() { chosen = l.chosen }()
		if err := l.resolve(); err != nil {
			return err
		}
		if err := l.judge(ctx, "ec2:RunInstances"); err != nil {
			return err
		}
		if l.call.DryRun {
			return slipway.Errorf(slipway.DryRunOperation, "Request would have succeeded, but DryRun flag is set.")
		}
		before, err := l.seen()
		if err != nil || before != nil {
			made = before
			return err
		}
		if err := l.admit(); err != nil {
			return err
		}
		made = l.made
		return nil
	})
	return made, chosen, err
}
