package fleets

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Create answers CreateFleet. A pool that does not give what is asked of it is no refusal: the answer names it beside
// what was launched.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateFleetRequest) (*ec2wire.CreateFleetResult, error) {
	f, err := read(in)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	token := state.OnceOf(scope, "CreateFleet", in)
	asked := f
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := token.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			f, err = state.Fleets.Get(tx, scope, before.Result)
			return err
		}
		f = asked
		if f.Pools, err = pools(tx, scope, in.LaunchTemplateConfigs); err != nil {
			return err
		}
		if err := action.Judge(ctx, tx, s.launches(action.View{Reader: tx, Call: slipway.CallFrom(ctx)}, f)); err != nil {
			return err
		}
		f.ID, f.Account, f.Region, f.Created = slipway.NewFleetID(), scope.Account, scope.Region, s.now()
		if err := state.Fleets.Put(tx, f); err != nil {
			return err
		}
		return token.Keep(tx, string(f.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	if !f.Done {
		if err := s.fill(ctx, f); err != nil {
			return nil, err
		}
	}
	return answer(f), nil
}

// fill launches and keeps what came of it. Each launch has a token of its own, so that a retry of a request that was
// cut short finds the launches that it made and goes on from there.
func (s *Service) fill(ctx context.Context, f *slipway.Fleet) error {
	f.Launched, f.Failed = nil, nil
	for _, part := range []struct {
		lifecycle string
		target    int32
		options   slipway.FleetOptions
	}{{"on-demand", f.Target.OnDemand, f.OnDemand}, {"spot", f.Target.Spot, f.Spot}} {
		if part.target == 0 {
			continue
		}
		r, err := s.db.Snapshot(ctx)
		if err != nil {
			return err
		}
		p := &search{
			s: s, fleet: f, lifecycle: part.lifecycle, options: part.options, need: float64(part.target),
			exhausted: map[int]bool{},
		}
		for i := range f.Pools {
			p.zones = append(p.zones, zoneOf(r, f, &f.Pools[i].Override))
		}
		if err := p.fill(ctx, s.order(r, f, part.options, part.target)); err != nil {
			return err
		}
	}
	f.Done = true
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.Fleets.Edit(tx, scopeOf(f), string(f.ID), func(kept *slipway.Fleet) error {
			kept.Done, kept.Launched, kept.Failed = true, f.Launched, f.Failed
			return nil
		})
	})
}

// search is the search for one lifecycle's capacity.
type search struct {
	s          *Service
	fleet      *slipway.Fleet
	lifecycle  string
	options    slipway.FleetOptions
	need       float64
	launches   int
	exhausted  map[int]bool
	zones      []string // that the pools fix
	kind, zone string   // of the first launch, where all must be of one
}

// fill asks the pools in their order: first a share of each where the strategy spreads, then all that is still needed.
func (p *search) fill(ctx context.Context, order []int) error {
	spread := 1
	switch {
	case p.options.Strategy == diversified:
		spread = len(order)
	case p.options.Pools > 1:
		spread = min(int(p.options.Pools), len(order))
	}
	for i, pool := range order[:spread] {
		if err := p.take(ctx, pool, p.need/float64(spread-i)); err != nil {
			return err
		}
	}
	for _, pool := range order {
		if err := p.take(ctx, pool, p.need); err != nil {
			return err
		}
	}
	return nil
}

// take launches from one pool until it has given its share or gives no more.
func (p *search) take(ctx context.Context, pool int, share float64) error {
	o := p.fleet.Pools[pool].Override
	for share > 0 && p.need > 0 && !p.exhausted[pool] {
		if p.options.SingleType && p.kind != "" && o.Type != p.kind {
			return nil
		}
		if p.options.SingleZone && p.zone != "" && p.zones[pool] != "" && p.zones[pool] != p.zone {
			return nil
		}
		count := int32(math.Ceil(share / o.Units()))
		made, err := p.launch(ctx, pool, count)
		if _, told := errors.AsType[*slipway.Error](err); err != nil && !told {
			return err
		}
		if err != nil {
			told, _ := errors.AsType[*slipway.Error](err)
			p.exhausted[pool] = true
			p.fleet.Failed = append(p.fleet.Failed,
				slipway.FleetFailure{Pool: pool, Lifecycle: p.lifecycle, Code: told.Code, Message: told.Message})
			return nil
		}
		p.kind, p.zone = made[0].Type, made[0].Zone
		p.note(pool, made)
		given := float64(len(made)) * o.Units()
		share, p.need = share-given, p.need-given
	}
	return nil
}

// launch is a RunInstances of at most count from the pool.
func (p *search) launch(ctx context.Context, pool int, count int32) ([]*slipway.Instance, error) {
	p.launches++
	zone := ""
	if p.options.SingleZone && p.zones[pool] == "" {
		zone = p.zone
	}
	spec, err := p.s.admission.Prepare(ctx, request(p.fleet, pool, p.lifecycle, count, zone))
	if err != nil {
		return nil, err
	}
	if spec.Tags == nil {
		spec.Tags = map[string]slipway.Tags{}
	}
	if spec.Tags["instance"], err = spec.Tags["instance"].With(slipway.Tags{
		"aws:ec2:fleet-id": string(p.fleet.ID),
	}); err != nil {
		return nil, err
	}
	spec.ClientToken = fmt.Sprintf("%s/%s/%d", p.fleet.ID, p.lifecycle, p.launches)
	return p.s.admission.Launch(ctx, spec)
}

// note keeps what a pool gave, with the place that was chosen.
func (p *search) note(pool int, made []*slipway.Instance) {
	in, o := made[0], p.fleet.Pools[pool].Override
	o.Type, o.Subnet, o.Zone, o.Image = in.Type, in.Subnet, in.Zone, in.Image
	if z, ok := slipway.FindZone(in.Region, in.Zone); ok {
		o.ZoneID = z.ID
	}
	at := -1
	for i, l := range p.fleet.Launched {
		if l.Pool == pool && l.Lifecycle == p.lifecycle && l.Override.Subnet == o.Subnet && l.Override.Zone == o.Zone {
			at = i
		}
	}
	if at < 0 {
		at = len(p.fleet.Launched)
		p.fleet.Launched = append(p.fleet.Launched,
			slipway.FleetLaunch{Pool: pool, Lifecycle: p.lifecycle, Override: o, Platform: in.Platform})
	}
	for _, in := range made {
		p.fleet.Launched[at].Instances = append(p.fleet.Launched[at].Instances, in.ID)
	}
}

// request is a launch from the pool as RunInstances would be asked for it. zone is where it must be, if that is settled.
func request(f *slipway.Fleet, pool int, lifecycle string, count int32, zone string) *ec2wire.RunInstancesRequest {
	q := f.Pools[pool]
	o := q.Override
	in := &ec2wire.RunInstancesRequest{
		MinCount: shape.Of[int32](1), MaxCount: &count, InstanceType: shape.Text(o.Type), ImageId: shape.Text(o.Image),
		KeyName: shape.Text(o.KeyName),
		LaunchTemplate: &ec2wire.LaunchTemplateSpecification{
			LaunchTemplateId: shape.Text(q.Template.ID), Version: shape.Of(strconv.FormatInt(q.Template.Version, 10)),
		},
		Placement: &ec2wire.Placement{
			AvailabilityZone: shape.Text(o.Zone), AvailabilityZoneId: shape.Text(o.ZoneID),
			GroupName: shape.Text(o.Group), Tenancy: shape.Text(o.Tenancy),
		},
	}
	if o.Type == q.TemplateType {
		in.InstanceType = nil // the template says it
	}
	if zone != "" {
		in.Placement.AvailabilityZone = &zone
	}
	switch {
	case o.Subnet != "" && q.Interfaces:
		in.NetworkInterfaces = []ec2wire.InstanceNetworkInterfaceSpecification{
			{DeviceIndex: shape.Of[int32](0), SubnetId: shape.Text(o.Subnet)},
		}
	case o.Subnet != "":
		in.SubnetId = shape.Text(o.Subnet)
	}
	for _, kind := range []string{"instance", "volume"} {
		if len(f.Tags[kind]) > 0 {
			in.TagSpecifications = append(in.TagSpecifications,
				ec2wire.TagSpecification{ResourceType: &kind, Tags: shape.Tags(f.Tags[kind])})
		}
	}
	if lifecycle == "spot" {
		spot := &ec2wire.SpotMarketOptions{}
		if price, err := strconv.ParseFloat(o.MaxPrice, 64); err == nil {
			spot.MaxPrice = shape.Of(strconv.FormatFloat(price*o.Units(), 'f', -1, 64))
		}
		in.InstanceMarketOptions = &ec2wire.InstanceMarketOptionsRequest{MarketType: shape.Of("spot"), SpotOptions: spot}
	}
	return in
}
