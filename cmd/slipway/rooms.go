package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/action"
	"slipway/internal/addresses"
	"slipway/internal/capacityreservations"
	"slipway/internal/dedicatedhosts"
	"slipway/internal/fleets"
	"slipway/internal/guard"
	"slipway/internal/hypervisor"
	"slipway/internal/iam"
	"slipway/internal/images"
	"slipway/internal/imports"
	"slipway/internal/instances"
	"slipway/internal/instancetypes"
	"slipway/internal/interfaces"
	"slipway/internal/keypairs"
	"slipway/internal/launchtemplates"
	"slipway/internal/natgateways"
	"slipway/internal/peerings"
	"slipway/internal/placementgroups"
	"slipway/internal/prefixlists"
	"slipway/internal/regions"
	"slipway/internal/securitygroups"
	"slipway/internal/snapshots"
	"slipway/internal/spot"
	"slipway/internal/state"
	"slipway/internal/tags"
	"slipway/internal/volumes"
	"slipway/internal/vpcs"
)

// rooms are the parts of the API, composed.
type rooms struct {
	db        state.DB
	log       *slog.Logger
	accounts  *accounts.Service
	instances *instances.Service
	keypairs  *keypairs.Service
	groups    *securitygroups.Service
	regions   *regions.Service
	types     *instancetypes.Service
	vpcs      *vpcs.Service
	volumes   *volumes.Service
	snapshots *snapshots.Service
	ports     *interfaces.Service
	images    *images.Service
	imports   *imports.Service
	capacity  *capacityreservations.Service
	dedicated *dedicatedhosts.Service
	spot      *spot.Service
	fleets    *fleets.Service
	iam       *iam.Service
	tags      *tags.Service
	templates *launchtemplates.Service
	clusters  *placementgroups.Service
	lists     *prefixlists.Service
	eips      *addresses.Service
	nats      *natgateways.Service
	peerings  *peerings.Service
}

// eyes look at machines of this very host.
type eyes struct{ vmm hypervisor.Driver }

func (e eyes) Console(ctx context.Context, in *slipway.Instance) ([]byte, error) {
	return e.vmm.Console(ctx, in.ID)
}
func (e eyes) Screen(ctx context.Context, in *slipway.Instance, wake bool) ([]byte, error) {
	return e.vmm.Screen(ctx, in.ID, wake)
}
func (e eyes) Interrupt(ctx context.Context, in *slipway.Instance) error {
	return e.vmm.Interrupt(ctx, in.ID)
}

func (d *devRun) rooms() *rooms {
	eips := addresses.New(d.db, d.pool, time.Now)
	r := &rooms{
		db: d.db, log: d.log,
		accounts: accounts.New(d.db, time.Now, settle),
		instances: instances.New(d.db, d.pool, eyes{d.vmm}, instances.Config{
			TerminatedFor: time.Hour, Overcommit: d.cfg.Overcommit, SpreadPerHost: 7,
		}, d.log, time.Now),
		keypairs: keypairs.New(d.db, time.Now),
		groups:   securitygroups.New(d.db, time.Now),
		regions:  regions.New(d.db), types: instancetypes.New(), vpcs: vpcs.New(d.db, time.Now), volumes: volumes.New(d.db, time.Now),
		snapshots: snapshots.New(d.db, time.Now),
		ports:     interfaces.New(d.db, time.Now), images: images.New(d.db, time.Now), imports: imports.New(d.db, d.sources, time.Now), tags: tags.New(d.db),
		templates: launchtemplates.New(d.db, launchtemplates.Launches{Check: instances.CheckTemplate, Image: instances.AliasedImage}, time.Now),
		clusters:  placementgroups.New(d.db),
		eips:      eips, nats: natgateways.New(d.db, eips, time.Now), peerings: peerings.New(d.db, time.Now),
		lists: prefixlists.New(d.db, time.Now),
	}
	r.capacity, r.dedicated = capacityreservations.New(d.db, r.instances, time.Now), dedicatedhosts.New(d.db, r.instances, time.Now)
	r.spot, r.iam = spot.New(d.db, r.instances, time.Now), iam.New(d.db, time.Now)
	r.fleets = fleets.New(d.db, r.instances, time.Now)
	return r
}

// tick does what the second has come for: spot interruptions and requests, reservations that end.
func (r *rooms) tick(ctx context.Context) {
	var ticks sync.WaitGroup
	for what, tick := range map[string]func(context.Context) error{"instances' tick": r.instances.Tick, "roles' tick": r.iam.Tick} {
		guard.Group(&ticks, r.log, what, func() { guard.Every(ctx, time.Second, r.log, what, tick) })
	}
	ticks.Wait()
}

// sweep removes what has outlived its time: instances terminated an hour ago, NAT gateways and peerings that have ended, fleets, imports.
func (r *rooms) sweep(ctx context.Context) {
	guard.Every(ctx, time.Minute, r.log, "sweep", func(ctx context.Context) error {
		var errs []error
		for _, sweep := range []func(context.Context) error{r.instances.Sweep, r.nats.Sweep, r.peerings.Sweep, r.fleets.Sweep, r.imports.Sweep, r.iam.Sweep} {
			errs = append(errs, guard.Call(func() error { return sweep(ctx) }))
		}
		return errors.Join(errs...)
	})
}

// actions is every EC2 action that is served, as the rooms declare them.
func (r *rooms) actions() (action.Table, error) {
	return action.Join(
		r.instances.Actions(), r.types.Actions(), r.fleets.Actions(), r.groups.Actions(), r.lists.Actions(), r.regions.Actions(), r.vpcs.Actions(interfaces.FreeCount),
		r.ports.Actions(), r.tags.Actions(), r.eips.Actions(), r.nats.Actions(), r.peerings.Actions(), r.templates.Actions(), r.clusters.Actions(), r.spot.Actions(),
		r.capacity.Actions(), r.dedicated.Actions(), r.volumes.Actions(), r.snapshots.Actions(), r.images.Actions(), r.imports.Actions(), r.keypairs.Actions(),
	)
}
