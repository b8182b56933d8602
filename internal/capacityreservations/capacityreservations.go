// Package capacityreservations is the room of on-demand capacity reservations: room that is kept for launches of one
// type in one zone. It stands above the instances room, whose launches use what is kept here; it launches nothing itself.
package capacityreservations

import (
	"cmp"
	"context"
	"time"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/capacity"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/placement"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the capacity reservation actions.
type Service struct {
	db        state.DB
	admission *admission.Service
	now       func() time.Time
}

// New makes the room.
func New(db state.DB, a *admission.Service, now func() time.Time) *Service {
	return &Service{db, a, now}
}

const platform = "Linux/UNIX"

// most is how many instances one reservation holds, as in EC2's request.
const most = 1000

// Create answers CreateCapacityReservation: the room is taken at once, or the call is refused for want of it.
func (s *Service) Create(
	ctx context.Context, in *ec2wire.CreateCapacityReservationRequest,
) (*ec2wire.CreateCapacityReservationResult, error) {
	c, t, err := s.read(ctx, in)
	if err != nil {
		return nil, err
	}
	count := shape.Get(in.InstanceCount)
	once := state.OnceOf(state.Of(ctx), "CreateCapacityReservation", in)
	var out *ec2wire.CapacityReservation
	err = s.db.Update(ctx, func(tx store.Tx) error {
		c.Hosts = map[slipway.HostID]int{}
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			made, err := state.CapacityReservations.Require(tx, state.Of(ctx), before.Result)
			if err == nil {
				out = wire(tx, made)
			}
			return err
		}
		if err := once.Keep(tx, string(c.ID), s.now()); err != nil {
			return err
		}
		if err := s.take(tx, c, t, int(count)); err != nil {
			return err
		}
		out = wire(tx, c)
		return state.CapacityReservations.Put(tx, c)
	})
	return &ec2wire.CreateCapacityReservationResult{CapacityReservation: out}, err
}

// take finds room for n more instances and charges it.
func (s *Service) take(tx store.Tx, c *slipway.CapacityReservation, t *slipway.InstanceType, n int) error {
	choice := placement.Choose(s.admission.Room(tx),
		placement.Request{ZoneLetter: c.Zone[len(c.Zone)-1:], VCPUs: int(t.VCPUs), MemoryMiB: int(t.MemoryMiB), Max: n})
	if len(choice.Hosts) < n {
		return slipway.Errorf(slipway.InsufficientInstanceCapacity,
			"There is not enough capacity to reserve %d instances of type %s in %s: %d fit.", n, c.Type, c.Zone,
			len(choice.Hosts))
	}
	more := map[slipway.HostID]int{}
	for _, h := range choice.Hosts {
		more[h]++
	}
	for h, k := range more {
		c.Hosts[h] += k
		if err := capacity.Charge(tx, h, t, k); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) read(
	ctx context.Context, in *ec2wire.CreateCapacityReservationRequest,
) (*slipway.CapacityReservation, *slipway.InstanceType, error) {
	scope := state.Of(ctx)
	t := slipway.FindInstanceType(shape.Get(in.InstanceType))
	zone, known := slipway.FindZone(scope.Region, cmp.Or(shape.Get(in.AvailabilityZone), shape.Get(in.AvailabilityZoneId)))
	n := shape.Get(in.InstanceCount)
	switch {
	case shape.Get(in.InstanceType) == "":
		return nil, nil, slipway.Missing("InstanceType")
	case t == nil:
		return nil, nil, slipway.Errorf(slipway.InvalidParameterValue, "Invalid value '%s' for InstanceType.", *in.InstanceType)
	case t.Launchable() != nil:
		return nil, nil, t.Launchable()
	case shape.Get(in.InstancePlatform) == "":
		return nil, nil, slipway.Missing("InstancePlatform")
	case *in.InstancePlatform != platform:
		return nil, nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The platform '%s' (InstancePlatform) is not supported: instances here are %s.", *in.InstancePlatform, platform)
	case in.InstanceCount == nil:
		return nil, nil, slipway.Missing("InstanceCount")
	case n < 1 || n > most:
		return nil, nil, slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter instanceCount is invalid. It must be 1 to %d.", n, most)
	case shape.Get(in.AvailabilityZone) == "" && shape.Get(in.AvailabilityZoneId) == "":
		return nil, nil, slipway.Missing("AvailabilityZone")
	case !known:
		return nil, nil, slipway.Errorf(slipway.InvalidParameterValue, "Invalid availability zone: [%s]",
			cmp.Or(shape.Get(in.AvailabilityZone), shape.Get(in.AvailabilityZoneId)))
	}
	for name, given := range map[string]bool{
		"OutpostArn": shape.Get(in.OutpostArn) != "", "PlacementGroupArn": shape.Get(in.PlacementGroupArn) != "",
		"EphemeralStorage": shape.Get(in.EphemeralStorage),
		"StartDate":        in.StartDate != nil, "CommitmentDuration": in.CommitmentDuration != nil,
		"DeliveryPreference": shape.Get(in.DeliveryPreference) != "",
	} {
		if given {
			return nil, nil, slipway.Refused(name, "reservations here begin at once and have no commitment.")
		}
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "capacity-reservation")
	if err != nil {
		return nil, nil, err
	}
	c := &slipway.CapacityReservation{
		ID: slipway.NewCapacityReservationID(), Account: scope.Account, Region: scope.Region, Zone: zone.Name,
		Type: t.Name, Platform: platform,
		Tenancy: cmp.Or(shape.Get(in.Tenancy), "default"), EBSOptimized: shape.Get(in.EbsOptimized),
		State:   slipway.CapacityReservationStateActive,
		Created: s.now(), Tags: tags,
	}
	if c.Tenancy != "default" && c.Tenancy != "dedicated" {
		return nil, nil, slipway.Invalid(c.Tenancy, "tenancy", "It must be default or dedicated.")
	}
	if c.Targeted, err = targeted(in.InstanceMatchCriteria); err != nil {
		return nil, nil, err
	}
	if c.Ends, err = s.ends(in.EndDateType, in.EndDate, time.Time{}); err != nil {
		return nil, nil, err
	}
	return c, t, nil
}

func targeted(criteria *string) (bool, error) {
	switch v := shape.Get(criteria); v {
	case "", "open":
		return false, nil
	case "targeted":
		return true, nil
	default:
		return false, slipway.Invalid(v, "instanceMatchCriteria", "It must be open or targeted.")
	}
}

// ends reads when a reservation ends; zero is never.
func (s *Service) ends(kind *string, date *time.Time, before time.Time) (time.Time, error) {
	switch v := shape.Get(kind); {
	case v != "" && v != "limited" && v != "unlimited":
		return before, slipway.Invalid(v, "endDateType", "It must be limited or unlimited.")
	case v == "unlimited" && date != nil:
		return before, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter endDate cannot be used with the end date type 'unlimited'")
	case v == "limited" && date == nil:
		return before, slipway.Missing("EndDate")
	case v == "unlimited":
		return time.Time{}, nil
	case date != nil && !date.After(s.now()):
		return before, slipway.Invalid(date.Format(ec2query.TimeForm), "endDate", "It must be in the future.")
	case date != nil:
		return *date, nil
	}
	return before, nil
}

func wire(r store.Reader, c *slipway.CapacityReservation) *ec2wire.CapacityReservation {
	z, _ := slipway.FindZone(c.Region, c.Zone)
	free := 0
	if c.State == slipway.CapacityReservationStateActive {
		for _, n := range capacity.FreeSlots(r, c) {
			free += n
		}
	}
	w := &ec2wire.CapacityReservation{
		CapacityReservationId: shape.Text(c.ID), OwnerId: &c.Account,
		CapacityReservationArn: shape.Of(slipway.ARN(c.Region, c.Account, "capacity-reservation/"+string(c.ID))),
		AvailabilityZone:       &c.Zone, AvailabilityZoneId: shape.Text(z.ID), InstanceType: &c.Type,
		InstancePlatform: &c.Platform, Tenancy: &c.Tenancy,
		TotalInstanceCount: shape.Of(int32(c.Total())), AvailableInstanceCount: shape.Of(int32(free)),
		EbsOptimized: &c.EBSOptimized, EphemeralStorage: shape.Of(false),
		State: shape.Text(c.State), StartDate: &c.Created, CreateDate: &c.Created, EndDate: shape.Time(c.Ends),
		EndDateType: shape.Of("unlimited"), InstanceMatchCriteria: shape.Of("open"),
		Tags: shape.Tags(c.Tags), ReservationType: shape.Of("default"),
	}
	if !c.Ends.IsZero() {
		w.EndDateType = shape.Of("limited")
	}
	if c.Targeted {
		w.InstanceMatchCriteria = shape.Of("targeted")
	}
	return w
}

var kind = describe.Kind[slipway.CapacityReservation, ec2wire.CapacityReservation]{
	Table: state.CapacityReservations, Parse: describe.Form(slipway.ParseCapacityReservationID),
	Tags: func(c *slipway.CapacityReservation) slipway.Tags { return c.Tags },
	Wire: func(r store.Reader, c *slipway.CapacityReservation) ec2wire.CapacityReservation { return *wire(r, c) },
	Shown: describe.Shown[ec2wire.CapacityReservation](
		"availability-zone", "availability-zone-id", "end-date", "end-date-type", "instance-match-criteria",
		"instance-platform", "instance-type", "outpost-arn", "owner-id", "placement-group-arn", "start-date", "state",
		"tenancy",
	),
}

// Describe answers DescribeCapacityReservations.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeCapacityReservationsRequest,
) (*ec2wire.DescribeCapacityReservationsResult, error) {
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.CapacityReservationIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeCapacityReservationsResult{CapacityReservations: page, NextToken: next}, err
}

// edit changes an active reservation.
func (s *Service) edit(ctx context.Context, name *string, change func(store.Tx, *slipway.CapacityReservation) error) error {
	if shape.Get(name) == "" {
		return slipway.Missing("CapacityReservationId")
	}
	id, err := slipway.ParseCapacityReservationID(*name)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		c, err := state.CapacityReservations.Get(tx, state.Of(ctx), string(id))
		if err != nil {
			return err
		}
		if c.State != slipway.CapacityReservationStateActive {
			return slipway.Errorf(slipway.IncorrectState, "The capacity reservation '%s' is %s.", id, c.State)
		}
		return change(tx, c)
	})
}

// Cancel answers CancelCapacityReservation: what nobody uses is free again, instances in it run on.
func (s *Service) Cancel(
	ctx context.Context, in *ec2wire.CancelCapacityReservationRequest,
) (*ec2wire.CancelCapacityReservationResult, error) {
	err := s.edit(ctx, in.CapacityReservationId, func(tx store.Tx, c *slipway.CapacityReservation) error {
		return capacity.EndReservation(tx, c, slipway.CapacityReservationStateCancelled)
	})
	return &ec2wire.CancelCapacityReservationResult{Return: shape.Of(true)}, err
}

// Modify answers ModifyCapacityReservation: count, end and match criteria.
func (s *Service) Modify(
	ctx context.Context, in *ec2wire.ModifyCapacityReservationRequest,
) (*ec2wire.ModifyCapacityReservationResult, error) {
	err := s.edit(ctx, in.CapacityReservationId, func(tx store.Tx, c *slipway.CapacityReservation) error {
		var err error
		if c.Ends, err = s.ends(in.EndDateType, in.EndDate, c.Ends); err != nil {
			return err
		}
		if in.InstanceMatchCriteria != nil {
			if c.Targeted, err = targeted(in.InstanceMatchCriteria); err != nil {
				return err
			}
		}
		if in.InstanceCount != nil {
			if err := s.resize(tx, c, int(*in.InstanceCount)); err != nil {
				return err
			}
		}
		return state.CapacityReservations.Put(tx, c)
	})
	return &ec2wire.ModifyCapacityReservationResult{Return: shape.Of(true)}, err
}

func (s *Service) resize(tx store.Tx, c *slipway.CapacityReservation, to int) error {
	if to < 1 || to > most {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter instanceCount is invalid. It must be 1 to %d.", to, most)
	}
	t := slipway.FindInstanceType(c.Type)
	less := c.Total() - to
	if less <= 0 {
		return s.take(tx, c, t, -less)
	}
	for h, free := range capacity.FreeSlots(tx, c) {
		n := min(free, less)
		c.Hosts[h] -= n
		less -= n
		if err := capacity.Charge(tx, h, t, -n); err != nil {
			return err
		}
	}
	if less > 0 {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter instanceCount is invalid. More instances run in the reservation '%s'.", to, c.ID)
	}
	return nil
}

// Usage answers GetCapacityReservationUsage.
func (s *Service) Usage(
	ctx context.Context, in *ec2wire.GetCapacityReservationUsageRequest,
) (*ec2wire.GetCapacityReservationUsageResult, error) {
	if shape.Get(in.CapacityReservationId) == "" {
		return nil, slipway.Missing("CapacityReservationId")
	}
	id, err := slipway.ParseCapacityReservationID(*in.CapacityReservationId)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	c, err := state.CapacityReservations.Require(r, state.Of(ctx), string(id))
	if err != nil {
		return nil, err
	}
	w := wire(r, c)
	out := &ec2wire.GetCapacityReservationUsageResult{
		CapacityReservationId: w.CapacityReservationId, InstanceType: w.InstanceType,
		TotalInstanceCount: w.TotalInstanceCount, AvailableInstanceCount: w.AvailableInstanceCount,
		State: w.State, InstanceUsages: []ec2wire.InstanceUsage{},
	}
	if used := *w.TotalInstanceCount - *w.AvailableInstanceCount; used > 0 &&
		c.State == slipway.CapacityReservationStateActive {
		out.InstanceUsages = append(out.InstanceUsages, ec2wire.InstanceUsage{AccountId: &c.Account, UsedInstanceCount: &used})
	}
	return out, nil
}
