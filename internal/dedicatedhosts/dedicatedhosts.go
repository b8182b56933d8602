// Package dedicatedhosts is the room of dedicated hosts: shares of the operator's machines that one account has to
// itself. Launches with the tenancy "host" land on them; the instances room sees to that. It must not be confused with
// the hosts room, which speaks to the agents.
package dedicatedhosts

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/placement"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the dedicated host actions.
type Service struct {
	db        state.DB
	admission *admission.Service
	now       func() time.Time
}

// New makes the room.
func New(db state.DB, a *admission.Service, now func() time.Time) *Service {
	return &Service{db, a, now}
}

// most is how many hosts one call allocates.
const most = 100

// Allocate answers AllocateHosts.
func (s *Service) Allocate(ctx context.Context, in *ec2wire.AllocateHostsRequest) (*ec2wire.AllocateHostsResult, error) {
	scope := state.Of(ctx)
	asked, n, err := allocation(scope, in)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.AllocateHostsResult{}
	once := state.OnceOf(scope, "AllocateHosts", in)
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			out.HostIds = strings.Fields(before.Result)
			return nil
		}
		if out.HostIds, err = s.allocate(tx, asked, n); err != nil {
			return err
		}
		return once.Keep(tx, strings.Join(out.HostIds, " "), s.now())
	})
	return out, err
}

// allocation reads what each of n hosts shall be. Which machine it is on, and its id, are not known yet.
func allocation(scope state.Scope, in *ec2wire.AllocateHostsRequest) (h slipway.DedicatedHost, n int, err error) {
	name := cmp.Or(shape.Get(in.AvailabilityZone), shape.Get(in.AvailabilityZoneId))
	zone, known := slipway.FindZone(scope.Region, name)
	n = 1
	if in.Quantity != nil {
		n = int(*in.Quantity)
	}
	family, kind := shape.Get(in.InstanceFamily), shape.Get(in.InstanceType)
	switch {
	case name == "":
		return h, 0, slipway.Missing("AvailabilityZone")
	case !known:
		return h, 0, slipway.Errorf(slipway.InvalidParameterValue, "Invalid availability zone: [%s]", name)
	case (family == "") == (kind == ""):
		return h, 0, slipway.Errorf(slipway.InvalidParameterCombination,
			"Exactly one of instanceFamily and instanceType must be given.")
	case n < 1 || n > most:
		return h, 0, slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter quantity is invalid. It must be 1 to %d.", n, most)
	case shape.Get(in.OutpostArn) != "" || len(in.AssetIds) > 0:
		return h, 0, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameters OutpostArn and AssetId are not supported: there are no Outposts here.")
	case in.CpuOptions != nil:
		return h, 0, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter CpuOptions is not supported for dedicated hosts.")
	}
	if family, err = familyOf(family, kind); err != nil {
		return h, 0, err
	}
	if h, err = options(in.AutoPlacement, in.HostRecovery, in.HostMaintenance); err != nil {
		return h, 0, err
	}
	h.Account, h.Region, h.Zone, h.Type, h.Family = scope.Account, scope.Region, zone.Name, kind, family
	h.AutoPlacement, h.Recovery = cmp.Or(h.AutoPlacement, "on"), cmp.Or(h.Recovery, "off")
	h.Maintenance = cmp.Or(h.Maintenance, "on")
	h.Tags, err = shape.TagsOf(in.TagSpecifications, "dedicated-host")
	return h, n, err
}

// familyOf is the family of the instances that a host may have: of one type, if one is given.
func familyOf(family, kind string) (string, error) {
	if kind != "" {
		t := slipway.FindInstanceType(kind)
		if t == nil {
			return "", slipway.Errorf(slipway.InvalidParameterValue, "Invalid value '%s' for InstanceType.", kind)
		}
		family = t.Family()
	}
	if !slices.ContainsFunc(slipway.InstanceTypes(), func(t *slipway.InstanceType) bool {
		return t.Family() == family && t.DedicatedHosts
	}) {
		return "", slipway.Errorf(slipway.InvalidParameterValue,
			"The instance family '%s' does not support Dedicated Hosts.", family)
	}
	return family, nil
}

// allocate keeps n hosts, on one machine after another, the roomiest first.
func (s *Service) allocate(tx store.Tx, asked slipway.DedicatedHost, n int) (ids []string, err error) {
	zone, _ := slipway.FindZone(asked.Region, asked.Zone)
	letter := zone.Letter()
	room := slices.DeleteFunc(s.admission.Room(tx), func(h placement.Host) bool { return !slices.Contains(h.Zones, letter) })
	if len(room) == 0 {
		return nil, slipway.Errorf(slipway.InsufficientHostCapacity, "There is no machine in %s for a dedicated host.",
			asked.Zone)
	}
	slices.SortFunc(room, func(a, b placement.Host) int {
		return cmp.Or(cmp.Compare(b.MemoryMiB, a.MemoryMiB), cmp.Compare(a.ID, b.ID))
	})
	for i := range n {
		h := asked
		h.ID, h.Host, h.Allocated = slipway.NewDedicatedHostID(), room[i%len(room)].ID, s.now()
		ids = append(ids, string(h.ID))
		if err := state.DedicatedHosts.Put(tx, &h); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// options reads what Allocate and Modify share; empty members are not given.
func options(auto, recovery, maintenance *string) (slipway.DedicatedHost, error) {
	h := slipway.DedicatedHost{
		AutoPlacement: shape.Get(auto), Recovery: shape.Get(recovery), Maintenance: shape.Get(maintenance),
	}
	for _, o := range []struct{ name, value string }{
		{"autoPlacement", h.AutoPlacement}, {"hostRecovery", h.Recovery}, {"hostMaintenance", h.Maintenance},
	} {
		if o.value != "" && o.value != "on" && o.value != "off" {
			return h, slipway.Invalid(o.value, o.name, "It must be on or off.")
		}
	}
	if h.Recovery == "on" {
		return h, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter HostRecovery is not supported: there is one machine, and nothing to recover on.")
	}
	return h, nil
}

func stateOf(h *slipway.DedicatedHost) string {
	if !h.Released.IsZero() {
		return "released"
	}
	return "available"
}

// shownFor is how long a released host is described.
const shownFor = time.Hour

// Sweep removes hosts that were released a while ago.
func (s *Service) Sweep(ctx context.Context) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for h := range state.DedicatedHosts.By(tx, state.Global, "/released") {
			if s.now().Sub(h.Released) > shownFor {
				state.DedicatedHosts.Delete(tx, state.Scope{Account: h.Account, Region: h.Region}, string(h.ID))
			}
		}
		return nil
	})
}

func wire(r store.Reader, h *slipway.DedicatedHost) ec2wire.Host {
	z, _ := slipway.FindZone(h.Region, h.Zone)
	total := h.VCPUs()
	free := total
	w := ec2wire.Host{
		HostId: shape.Text(h.ID), State: shape.Of(stateOf(h)), AutoPlacement: &h.AutoPlacement,
		HostRecovery: &h.Recovery, HostMaintenance: &h.Maintenance, AvailabilityZone: &h.Zone,
		AvailabilityZoneId: shape.Text(z.ID), AllocationTime: &h.Allocated, ReleaseTime: shape.Time(h.Released), OwnerId: &h.Account,
		Tags: shape.Tags(h.Tags), Instances: []ec2wire.HostInstance{},
		AllowsMultipleInstanceTypes: shape.Of("on"), MemberOfServiceLinkedResourceGroup: shape.Of(false),
		HostProperties: &ec2wire.HostProperties{
			InstanceFamily: shape.Text(h.Family), InstanceType: shape.Text(h.Type), TotalVCpus: &total,
			Cores: shape.Of(total / 2), Sockets: shape.Of(int32(1)),
		},
	}
	if h.Type != "" {
		w.AllowsMultipleInstanceTypes = shape.Of("off")
		w.HostProperties.InstanceFamily = nil
	}
	for in := range state.Instances.By(r, state.Scope{Account: h.Account, Region: h.Region}, "dedicated/"+string(h.ID)) {
		free -= in.Cores * in.ThreadsPerCore
		w.Instances = append(w.Instances,
			ec2wire.HostInstance{InstanceId: shape.Text(in.ID), InstanceType: &in.Type, OwnerId: &in.Account})
	}
	capacity := &ec2wire.AvailableCapacity{AvailableVCpus: &free}
	for _, t := range slipway.InstanceTypes() {
		if h.Runs(t) && t.VCPUs > 0 {
			capacity.AvailableInstanceCapacity = append(capacity.AvailableInstanceCapacity, ec2wire.InstanceCapacity{
				InstanceType: &t.Name, TotalCapacity: shape.Of(total / t.VCPUs),
				AvailableCapacity: shape.Of(max(free, 0) / t.VCPUs),
			})
		}
	}
	w.AvailableCapacity = capacity
	return w
}

var kind = describe.Kind[slipway.DedicatedHost, ec2wire.Host]{
	Table: state.DedicatedHosts, Parse: describe.Form(slipway.ParseDedicatedHostID),
	Tags: func(h *slipway.DedicatedHost) slipway.Tags { return h.Tags }, Wire: wire,
	Fields: describe.Fixed(filters.Fields[*slipway.DedicatedHost]{
		"auto-placement":      func(h *slipway.DedicatedHost) []string { return shape.One(h.AutoPlacement) },
		"availability-zone":   func(h *slipway.DedicatedHost) []string { return shape.One(h.Zone) },
		"instance-type":       func(h *slipway.DedicatedHost) []string { return shape.One(h.Type) },
		"client-token":        func(*slipway.DedicatedHost) []string { return nil },
		"host-reservation-id": func(*slipway.DedicatedHost) []string { return nil },
		"state":               func(h *slipway.DedicatedHost) []string { return []string{stateOf(h)} },
	}),
}

// Describe answers DescribeHosts.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeHostsRequest) (*ec2wire.DescribeHostsResult, error) {
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.HostIds, Filters: in.Filter, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeHostsResult{Hosts: page, NextToken: next}, err
}

// each changes hosts one by one: each succeeds or fails by itself.
func (s *Service) each(
	ctx context.Context, ids []string, change func(store.Tx, *slipway.DedicatedHost) error,
) (done []string, failed []ec2wire.UnsuccessfulItem, err error) {
	if len(ids) == 0 {
		return nil, nil, slipway.Missing("HostId")
	}
	done, failed = []string{}, []ec2wire.UnsuccessfulItem{}
	for _, name := range ids {
		id, err := slipway.ParseDedicatedHostID(name)
		if err == nil {
			err = s.db.Update(ctx, func(tx store.Tx) error {
				h, err := state.DedicatedHosts.Get(tx, state.Of(ctx), string(id))
				if err != nil {
					return err
				}
				if !h.Released.IsZero() {
					return slipway.Errorf(slipway.IncorrectState, "The dedicated host '%s' is released.", h.ID)
				}
				return change(tx, h)
			})
		}
		refusal, ours := errors.AsType[*slipway.Error](err)
		switch {
		case err == nil:
			done = append(done, name)
		case !ours || refusal.Code == slipway.DryRunOperation:
			return nil, nil, err
		default:
			failed = append(failed,
				ec2wire.UnsuccessfulItem{
					ResourceId: shape.Of(name),
					Error: &ec2wire.UnsuccessfulItemError{
						Code: shape.Of(string(refusal.Code)), Message: shape.Of(refusal.Message),
					},
				})
		}
	}
	return done, failed, nil
}

// Release answers ReleaseHosts, for hosts that nothing runs on.
func (s *Service) Release(ctx context.Context, in *ec2wire.ReleaseHostsRequest) (*ec2wire.ReleaseHostsResult, error) {
	done, failed, err := s.each(ctx, in.HostIds, func(tx store.Tx, h *slipway.DedicatedHost) error {
		scope := state.Of(ctx)
		for i := range state.Instances.By(tx, scope, "dedicated/"+string(h.ID)) {
			return slipway.Errorf(slipway.IncorrectState, "The dedicated host '%s' has instances, among them '%s'.", h.ID, i.ID)
		}
		h.Released = s.now()
		return state.DedicatedHosts.Put(tx, h)
	})
	return &ec2wire.ReleaseHostsResult{Successful: done, Unsuccessful: failed}, err
}

// Modify answers ModifyHosts.
func (s *Service) Modify(ctx context.Context, in *ec2wire.ModifyHostsRequest) (*ec2wire.ModifyHostsResult, error) {
	o, err := options(in.AutoPlacement, in.HostRecovery, in.HostMaintenance)
	if err != nil {
		return nil, err
	}
	if shape.Get(in.InstanceFamily) != "" && shape.Get(in.InstanceType) != "" {
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter instanceFamily cannot be used with the parameter instanceType")
	}
	done, failed, err := s.each(ctx, in.HostIds, func(tx store.Tx, h *slipway.DedicatedHost) error {
		h.AutoPlacement, h.Recovery, h.Maintenance = cmp.Or(o.AutoPlacement, h.AutoPlacement),
			cmp.Or(o.Recovery, h.Recovery), cmp.Or(o.Maintenance, h.Maintenance)
		switch family, name := shape.Get(in.InstanceFamily), shape.Get(in.InstanceType); {
		case family != "" && family != h.Family, name != "" && !(&slipway.DedicatedHost{Family: h.Family}).Runs(typeOr(name)):
			return slipway.Errorf(slipway.InvalidParameterValue,
				"The dedicated host '%s' is of the family '%s' and stays so.", h.ID, h.Family)
		case family != "":
			h.Type = ""
		case name != "":
			h.Type = name
		}
		return state.DedicatedHosts.Put(tx, h)
	})
	return &ec2wire.ModifyHostsResult{Successful: done, Unsuccessful: failed}, err
}

// typeOr is the type of the name, or one of no family.
func typeOr(name string) *slipway.InstanceType {
	if t := slipway.FindInstanceType(name); t != nil {
		return t
	}
	return &slipway.InstanceType{}
}
