// Package controlplane is the server half of an installation: every room of the API, composed over one state, with
// what they do by the clock and the front that serves them. Its neighbour is computehost, the other half; the two meet
// in hostapi alone. It holds no rule of any room.
package controlplane

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"slipway/internal/accounts"
	"slipway/internal/action"
	"slipway/internal/addresses"
	"slipway/internal/admission"
	"slipway/internal/audit"
	"slipway/internal/capacityreservations"
	"slipway/internal/dedicatedhosts"
	"slipway/internal/fleets"
	"slipway/internal/guard"
	"slipway/internal/iam"
	"slipway/internal/iamwire"
	"slipway/internal/images"
	"slipway/internal/imports"
	"slipway/internal/instancedefaults"
	"slipway/internal/instances"
	"slipway/internal/instancetypes"
	"slipway/internal/interfaces"
	"slipway/internal/keypairs"
	"slipway/internal/launchspec"
	"slipway/internal/launchtemplates"
	"slipway/internal/natgateways"
	"slipway/internal/networkacls"
	"slipway/internal/parameters"
	"slipway/internal/peerings"
	"slipway/internal/placementgroups"
	"slipway/internal/prefixlists"
	"slipway/internal/regions"
	"slipway/internal/securitygroups"
	"slipway/internal/server"
	"slipway/internal/snapshots"
	"slipway/internal/spot"
	"slipway/internal/ssmwire"
	"slipway/internal/state"
	"slipway/internal/stswire"
	"slipway/internal/tags"
	"slipway/internal/timelines"
	"slipway/internal/volumes"
	"slipway/internal/vpcs"
)

// Config is what the operator decided, and what the control plane is given.
type Config struct {
	Pool       addresses.Pool     // of public addresses
	Machines   instances.Machines // where consoles are read
	Sources    imports.Sources    // of what ImportImage and ImportSnapshot may read
	Overcommit float64            // vCPUs of instances on one of a host's
	Throttle   server.Throttle
	// Version4Only refuses signatures of version 2.
	Version4Only bool
	Audit        func(audit.Record) // nil: nobody hears of calls
	Log          *slog.Logger
	Now          func() time.Time
}

// spreadPerHost is how many members of a spread group one host takes: on a single machine the host stands for EC2's
// seven racks.
const spreadPerHost = 7

// ControlPlane is the API's rooms.
type ControlPlane struct {
	db  state.DB
	cfg Config

	Accounts             *accounts.Service
	Addresses            *addresses.Service
	CapacityReservations *capacityreservations.Service
	DedicatedHosts       *dedicatedhosts.Service
	Fleets               *fleets.Service
	IAM                  *iam.Service
	Images               *images.Service
	Imports              *imports.Service
	InstanceDefaults     *instancedefaults.Service
	Instances            *instances.Service
	InstanceTypes        *instancetypes.Service
	Interfaces           *interfaces.Service
	KeyPairs             *keypairs.Service
	Launches             *admission.Service
	LaunchTemplates      *launchtemplates.Service
	NATGateways          *natgateways.Service
	NetworkACLs          *networkacls.Service
	Parameters           *parameters.Service
	Peerings             *peerings.Service
	PlacementGroups      *placementgroups.Service
	PrefixLists          *prefixlists.Service
	Regions              *regions.Service
	SecurityGroups       *securitygroups.Service
	Snapshots            *snapshots.Service
	Spot                 *spot.Service
	Tags                 *tags.Service
	Timelines            *timelines.Service
	Volumes              *volumes.Service
	VPCs                 *vpcs.Service
}

// New composes the rooms. Nothing runs until Run.
func New(db state.DB, c Config) *ControlPlane {
	launches := admission.New(db, c.Pool, admission.Config{Overcommit: c.Overcommit, SpreadPerHost: spreadPerHost},
		c.Log, c.Now)
	p := &ControlPlane{
		db: db, cfg: c,
		Accounts: accounts.New(db, c.Now, vpcs.EnsureDefault), Addresses: addresses.New(db, c.Pool, c.Now), IAM: iam.New(db, c.Now),
		Images: images.New(db, c.Now), Imports: imports.New(db, c.Sources, c.Now), InstanceTypes: instancetypes.New(),
		Interfaces:       interfaces.New(db, c.Now),
		InstanceDefaults: instancedefaults.New(db),
		Instances:        instances.New(db, launches, c.Pool, c.Machines, c.Log, c.Now),
		KeyPairs:         keypairs.New(db, c.Now), NetworkACLs: networkacls.New(db, c.Now), Launches: launches,
		LaunchTemplates: launchtemplates.New(db,
			launchtemplates.Launches{Check: launchspec.Check, Image: state.ImageOf}, c.Now),
		Peerings: peerings.New(db, c.Now), PlacementGroups: placementgroups.New(db),
		PrefixLists: prefixlists.New(db, c.Now), Regions: regions.New(db),
		SecurityGroups: securitygroups.New(db, c.Now), Snapshots: snapshots.New(db, c.Now), Tags: tags.New(db),
		Timelines: timelines.New(db, c.Log, c.Now),
		Volumes:   volumes.New(db, c.Now), VPCs: vpcs.New(db, c.Now),
	}
	p.CapacityReservations, p.DedicatedHosts = capacityreservations.New(db, launches, c.Now),
		dedicatedhosts.New(db, launches, c.Now)
	p.Fleets, p.Spot = fleets.New(db, launches, p.Instances, c.Now), spot.New(db, launches, p.Instances, c.Log, c.Now)
	p.NATGateways, p.Parameters = natgateways.New(db, p.Addresses, c.Now), parameters.New(db, c.Now)
	return p
}

// Run does what the clock brings until ctx ends: each second what has fallen due, each minute what has outlived its time.
func (p *ControlPlane) Run(ctx context.Context) {
	var loops sync.WaitGroup
	guard.Group(&loops, p.cfg.Log, "ticks", func() { p.Tick(ctx) })
	guard.Group(&loops, p.cfg.Log, "sweep", func() { guard.Every(ctx, time.Minute, p.cfg.Log, "sweep", p.Sweep) })
	loops.Wait()
}

// Tick is Run's first half: what has fallen due, each second until ctx ends.
func (p *ControlPlane) Tick(ctx context.Context) {
	var loops sync.WaitGroup
	for what, tick := range map[string]func(context.Context) error{
		"capacity reservations' tick": p.CapacityReservations.Tick, "roles' tick": p.IAM.Tick, "spot's tick": p.Spot.Tick,
	} {
		guard.Group(&loops, p.cfg.Log, what, func() { guard.Every(ctx, time.Second, p.cfg.Log, what, tick) })
	}
	loops.Wait()
}

// Sweep removes, once, what has outlived its time. No room's failure holds another's up. Two at once would do each
// other's work.
func (p *ControlPlane) Sweep(ctx context.Context) error {
	var errs []error
	for _, sweep := range []func(context.Context) error{
		p.Instances.Sweep, p.Launches.Sweep, p.NATGateways.Sweep, p.Peerings.Sweep, p.DedicatedHosts.Sweep, p.Fleets.Sweep, p.Imports.Sweep,
		p.IAM.Sweep,
		p.Timelines.Sweep,
	} {
		errs = append(errs, guard.Call(func() error { return sweep(ctx) }))
	}
	return errors.Join(errs...)
}

// Actions is every EC2 action that is served, as the rooms declare them. The error names those that are not wholly declared.
func (p *ControlPlane) Actions() (action.Table, error) {
	return action.Join(
		p.Addresses.Actions(), p.CapacityReservations.Actions(), p.DedicatedHosts.Actions(), p.Fleets.Actions(),
		p.Images.Actions(), p.Imports.Actions(), p.InstanceDefaults.Actions(), p.Instances.Actions(),
		p.InstanceTypes.Actions(), p.Interfaces.Actions(), p.KeyPairs.Actions(), p.LaunchTemplates.Actions(),
		p.NATGateways.Actions(), p.NetworkACLs.Actions(), p.Peerings.Actions(), p.PlacementGroups.Actions(),
		p.PrefixLists.Actions(), p.Regions.Actions(), p.SecurityGroups.Actions(), p.Snapshots.Actions(),
		p.Spot.Actions(), p.Tags.Actions(), p.Volumes.Actions(), p.VPCs.Actions(interfaces.FreeCount),
	)
}

// Front is what the HTTP server serves. The error names the actions that are not wholly declared.
func (p *ControlPlane) Front() (server.Config, error) {
	actions, err := p.Actions()
	own, lacking := action.Service("iam", p.IAM.Actions())
	tokens, faults := action.Service("sts", p.IAM.TokenActions())
	type resources = func(action.View) []action.Resource
	admit := func(service string) func(context.Context, resources) (context.Context, error) {
		return func(ctx context.Context, of resources) (context.Context, error) {
			return p.IAM.AdmitOther(ctx, service, of)
		}
	}
	// AssumeRole asks for itself, the others of STS need no right.
	free := func(ctx context.Context, _ resources) (context.Context, error) { return ctx, nil }
	return server.Config{
		Keys: p.Accounts, Actions: actions, Prepare: p.Accounts.Prepare, Admit: p.IAM.Admit, Explain: p.Timelines.Refused,
		Services: map[string]server.Service{
			"sts": &server.Members{
				Namespace: iam.TokenNamespace, Actions: tokens, Known: stswire.KnownActions, Admit: free, Log: p.cfg.Log,
			},
			"iam": &server.Members{
				Namespace: iam.Namespace, Actions: own, Known: iamwire.KnownActions, Admit: admit("iam"), Log: p.cfg.Log,
			},
			"ssm": &server.Targets{
				Name: "SSM", Prefix: "AmazonSSM.", Actions: p.Parameters.Actions(), Known: ssmwire.KnownActions,
				Admit: admit("ssm"), Log: p.cfg.Log,
			},
		},
		Throttle: p.cfg.Throttle, Version4Only: p.cfg.Version4Only, Audit: p.cfg.Audit, Log: p.cfg.Log, Now: p.cfg.Now,
	}, errors.Join(err, lacking, faults)
}
