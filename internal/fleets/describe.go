package fleets

import (
	"context"
	"strconv"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// answer is CreateFleet's.
func answer(f *slipway.Fleet) *ec2wire.CreateFleetResult {
	out := &ec2wire.CreateFleetResult{
		FleetId: shape.Text(f.ID), Errors: []ec2wire.CreateFleetError{}, Instances: []ec2wire.CreateFleetInstance{},
	}
	for _, e := range f.Failed {
		out.Errors = append(out.Errors, ec2wire.CreateFleetError{
			LaunchTemplateAndOverrides: source(&f.Pools[e.Pool], &f.Pools[e.Pool].Override), Lifecycle: &e.Lifecycle,
			ErrorCode: shape.Text(e.Code), ErrorMessage: &e.Message,
		})
	}
	for _, l := range f.Launched {
		out.Instances = append(out.Instances, ec2wire.CreateFleetInstance{
			LaunchTemplateAndOverrides: source(&f.Pools[l.Pool], &l.Override), Lifecycle: &l.Lifecycle,
			InstanceIds: texts(l.Instances), InstanceType: &l.Override.Type, Platform: shape.Text(l.Platform),
			AvailabilityZone: &l.Override.Zone, AvailabilityZoneId: shape.Text(l.Override.ZoneID),
			SubnetId: shape.Text(l.Override.Subnet),
		})
	}
	return out
}

func texts(ids []slipway.InstanceID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func source(p *slipway.FleetPool, o *slipway.FleetOverride) *ec2wire.LaunchTemplateAndOverridesResponse {
	over := overrides(o)
	return &ec2wire.LaunchTemplateAndOverridesResponse{LaunchTemplateSpecification: template(p), Overrides: &over}
}

func template(p *slipway.FleetPool) *ec2wire.FleetLaunchTemplateSpecification {
	return &ec2wire.FleetLaunchTemplateSpecification{
		LaunchTemplateId: shape.Text(p.Template.ID), Version: shape.Of(strconv.FormatInt(p.Template.Version, 10)),
	}
}

func overrides(o *slipway.FleetOverride) ec2wire.FleetLaunchTemplateOverrides {
	out := ec2wire.FleetLaunchTemplateOverrides{
		InstanceType: &o.Type, MaxPrice: shape.Text(o.MaxPrice), SubnetId: shape.Text(o.Subnet),
		AvailabilityZone: shape.Text(o.Zone), AvailabilityZoneId: shape.Text(o.ZoneID),
		WeightedCapacity: o.Weight, Priority: o.Priority, ImageId: shape.Text(o.Image),
	}
	if o.Group != "" {
		out.Placement = &ec2wire.PlacementResponse{GroupName: &o.Group}
	}
	return out
}

// status is the fleet's state: a deleted one ends when its instances have.
func status(r store.Reader, f *slipway.Fleet) string {
	switch {
	case f.Deleted.IsZero():
		return "active"
	case lives(r, f):
		return "deleted_terminating"
	}
	return "deleted"
}

// activity says how far the target was reached.
func activity(f *slipway.Fleet) string {
	switch {
	case !f.Done:
		return "pending_fulfillment"
	case len(f.Failed) > 0 && f.Fulfilled("") < float64(f.Target.Total):
		return "error"
	}
	return "fulfilled"
}

func wire(r store.Reader, f *slipway.Fleet) ec2wire.FleetData {
	made := answer(f)
	w := ec2wire.FleetData{
		FleetId: shape.Text(f.ID), FleetState: shape.Of(status(r, f)), ActivityStatus: shape.Of(activity(f)),
		CreateTime: &f.Created, ClientToken: shape.Text(f.ClientToken), Type: shape.Of("instant"),
		ExcessCapacityTerminationPolicy: shape.Text(f.Excess), FulfilledCapacity: shape.Of(f.Fulfilled("")),
		FulfilledOnDemandCapacity: shape.Of(f.Fulfilled("on-demand")),
		ReplaceUnhealthyInstances: shape.Of(false), TerminateInstancesWithExpiration: shape.Of(false),
		Tags: shape.Tags(f.Tags["fleet"]),
		TargetCapacitySpecification: &ec2wire.TargetCapacitySpecification{
			TotalTargetCapacity: &f.Target.Total, OnDemandTargetCapacity: &f.Target.OnDemand,
			SpotTargetCapacity: &f.Target.Spot, DefaultTargetCapacityType: &f.Target.Default,
		},
		OnDemandOptions: &ec2wire.OnDemandOptions{
			AllocationStrategy: &f.OnDemand.Strategy, SingleInstanceType: &f.OnDemand.SingleType,
			SingleAvailabilityZone: &f.OnDemand.SingleZone,
		},
		SpotOptions: &ec2wire.SpotOptions{
			AllocationStrategy: &f.Spot.Strategy, InstanceInterruptionBehavior: shape.Of("terminate"),
			InstancePoolsToUseCount: shape.Some(f.Spot.Pools),
			SingleInstanceType:      &f.Spot.SingleType, SingleAvailabilityZone: &f.Spot.SingleZone,
		},
		Errors: []ec2wire.DescribeFleetError{}, Instances: []ec2wire.DescribeFleetsInstances{},
	}
	for i := range f.Pools {
		p := &f.Pools[i]
		if n := len(w.LaunchTemplateConfigs); n == 0 || p.Config != f.Pools[i-1].Config {
			w.LaunchTemplateConfigs = append(w.LaunchTemplateConfigs,
				ec2wire.FleetLaunchTemplateConfig{LaunchTemplateSpecification: template(p)})
		}
		c := &w.LaunchTemplateConfigs[len(w.LaunchTemplateConfigs)-1]
		c.Overrides = append(c.Overrides, overrides(&p.Override))
	}
	for _, e := range made.Errors {
		w.Errors = append(w.Errors, ec2wire.DescribeFleetError(e))
	}
	for _, l := range made.Instances {
		w.Instances = append(w.Instances,
			ec2wire.DescribeFleetsInstances{
				LaunchTemplateAndOverrides: l.LaunchTemplateAndOverrides, Lifecycle: l.Lifecycle,
				InstanceIds: l.InstanceIds, InstanceType: l.InstanceType, Platform: l.Platform,
			})
	}
	return w
}

var kind = describe.Kind[slipway.Fleet, ec2wire.FleetData]{
	Table: state.Fleets, Wire: wire, Tags: func(f *slipway.Fleet) slipway.Tags { return f.Tags["fleet"] },
	// EC2 lists no fleet of type instant that is not asked for
	See: func(_ state.Scope, _ *slipway.Fleet, named bool) bool { return named },
	Fields: func(r store.Reader) filters.Fields[*slipway.Fleet] {
		return filters.Fields[*slipway.Fleet]{
			"activity-status":                    func(f *slipway.Fleet) []string { return []string{activity(f)} },
			"excess-capacity-termination-policy": func(f *slipway.Fleet) []string { return shape.One(f.Excess) },
			"fleet-state":                        func(f *slipway.Fleet) []string { return []string{status(r, f)} },
			"replace-unhealthy-instances":        func(*slipway.Fleet) []string { return shape.Yes(false) },
			"type":                               func(*slipway.Fleet) []string { return []string{"instant"} },
		}
	},
}

// Describe answers DescribeFleets.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeFleetsRequest) (*ec2wire.DescribeFleetsResult, error) {
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.FleetIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeFleetsResult{Fleets: page, NextToken: next}, err
}

// Instances answers DescribeFleetInstances: those that have not ended.
func (s *Service) Instances(
	ctx context.Context, in *ec2wire.DescribeFleetInstancesRequest,
) (*ec2wire.DescribeFleetInstancesResult, error) {
	id, err := shape.Need(in.FleetId, "FleetId")
	if err != nil {
		return nil, err
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), filters.Fields[*slipway.Instance]{
		"instance-type": func(i *slipway.Instance) []string { return []string{i.Type} },
	}, nil)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	f, err := state.Fleets.Require(r, state.Of(ctx), id)
	if err != nil {
		return nil, err
	}
	all := []ec2wire.ActiveInstance{}
	for _, i := range left(r, f) {
		if match(i) {
			all = append(all,
				ec2wire.ActiveInstance{
					InstanceId: shape.Text(i.ID), InstanceType: &i.Type, SpotInstanceRequestId: shape.Text(i.SpotRequest),
				})
		}
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, false, 1)
	return &ec2wire.DescribeFleetInstancesResult{FleetId: &id, ActiveInstances: page, NextToken: next}, err
}
