package main

import (
	"context"
	"log/slog"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/capacityreservations"
	"slipway/internal/dedicatedhosts"
	"slipway/internal/hypervisor"
	"slipway/internal/images"
	"slipway/internal/instances"
	"slipway/internal/instancetypes"
	"slipway/internal/interfaces"
	"slipway/internal/keypairs"
	"slipway/internal/launchtemplates"
	"slipway/internal/placementgroups"
	"slipway/internal/regions"
	"slipway/internal/securitygroups"
	"slipway/internal/server"
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
	capacity  *capacityreservations.Service
	dedicated *dedicatedhosts.Service
	spot      *spot.Service
	tags      *tags.Service
	templates *launchtemplates.Service
	clusters  *placementgroups.Service
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
		ports:     interfaces.New(d.db, time.Now), images: images.New(d.db, time.Now), tags: tags.New(d.db),
		templates: launchtemplates.New(d.db, launchtemplates.Launches{Check: instances.CheckTemplate, Image: instances.AliasedImage}, time.Now),
		clusters:  placementgroups.New(d.db),
	}
	r.capacity, r.dedicated = capacityreservations.New(d.db, r.instances, time.Now), dedicatedhosts.New(d.db, r.instances, time.Now)
	r.spot = spot.New(d.db, r.instances, time.Now)
	return r
}

// tick does what the second has come for: spot interruptions and requests, reservations that end.
func (r *rooms) tick(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.instances.Tick(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("tick", "error", err)
		}
	}
}

// sweep removes what has outlived its time: instances terminated an hour ago.
func (r *rooms) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := r.instances.Sweep(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// actions is every EC2 action that is served.
func (r *rooms) actions() map[string]server.Handler {
	in := r.instances
	return map[string]server.Handler{
		"RunInstances":                         server.Action(in.Run),
		"DescribeInstances":                    server.Action(in.Describe),
		"DescribeInstanceStatus":               server.Action(in.Status),
		"DescribeInstanceAttribute":            server.Action(in.Attribute),
		"ModifyInstanceAttribute":              server.Void(in.Modify),
		"ModifyInstanceMetadataOptions":        server.Action(in.ModifyMetadata),
		"DescribeInstanceCreditSpecifications": server.Action(in.Credits),
		"ModifyInstanceCreditSpecification":    server.Action(in.ModifyCredits),
		"StartInstances":                       server.Action(in.Start),
		"StopInstances":                        server.Action(in.Stop),
		"RebootInstances":                      server.Void(in.Reboot),
		"TerminateInstances":                   server.Action(in.Terminate),
		"MonitorInstances":                     server.Action(in.Monitor),
		"UnmonitorInstances":                   server.Action(in.Unmonitor),
		"GetConsoleOutput":                     server.Action(in.Console),
		"GetConsoleScreenshot":                 server.Action(in.Screenshot),
		"SendDiagnosticInterrupt":              server.Void(in.Interrupt),
		"GetPasswordData":                      server.Action(in.Password),

		"CreateSecurityGroup":           server.Action(r.groups.Create),
		"DeleteSecurityGroup":           server.Action(r.groups.Delete),
		"DescribeSecurityGroups":        server.Action(r.groups.Describe),
		"DescribeSecurityGroupRules":    server.Action(r.groups.DescribeRules),
		"AuthorizeSecurityGroupIngress": server.Action(r.groups.AuthorizeIngress),
		"AuthorizeSecurityGroupEgress":  server.Action(r.groups.AuthorizeEgress),
		"RevokeSecurityGroupIngress":    server.Action(r.groups.RevokeIngress),
		"RevokeSecurityGroupEgress":     server.Action(r.groups.RevokeEgress),

		"DescribeRegions":               server.Action(r.regions.Regions),
		"DescribeAvailabilityZones":     server.Action(r.regions.Zones),
		"DescribeAccountAttributes":     server.Action(r.regions.Attributes),
		"DescribeInstanceTypes":         server.Action(r.types.Describe),
		"DescribeInstanceTypeOfferings": server.Action(r.types.Offerings),
		"DescribeVpcs":                  server.Action(r.vpcs.Describe),
		"DescribeVpcAttribute":          server.Action(r.vpcs.Attribute),
		"DescribeSubnets":               server.Action(r.vpcs.Subnets(interfaces.FreeCount)),
		"DescribeNetworkInterfaces":     server.Action(r.ports.Describe),
		"CreateTags":                    server.Void(r.tags.Create),
		"DeleteTags":                    server.Void(r.tags.Delete),
		"DescribeTags":                  server.Action(r.tags.Describe),

		"CreateLaunchTemplate":           server.Action(r.templates.Create),
		"CreateLaunchTemplateVersion":    server.Action(r.templates.CreateVersion),
		"DescribeLaunchTemplates":        server.Action(r.templates.Describe),
		"DescribeLaunchTemplateVersions": server.Action(r.templates.Versions),
		"ModifyLaunchTemplate":           server.Action(r.templates.Modify),
		"DeleteLaunchTemplate":           server.Action(r.templates.Delete),
		"DeleteLaunchTemplateVersions":   server.Action(r.templates.DeleteVersions),
		"GetLaunchTemplateData":          server.Action(r.templates.FromInstance),

		"CreatePlacementGroup":    server.Action(r.clusters.Create),
		"DescribePlacementGroups": server.Action(r.clusters.Describe),
		"DeletePlacementGroup":    server.Void(r.clusters.Delete),

		"RequestSpotInstances":         server.Action(r.spot.Request),
		"DescribeSpotInstanceRequests": server.Action(r.spot.Describe),
		"CancelSpotInstanceRequests":   server.Action(r.spot.Cancel),
		"DescribeSpotPriceHistory":     server.Action(r.spot.Prices),

		"CreateCapacityReservation":    server.Action(r.capacity.Create),
		"DescribeCapacityReservations": server.Action(r.capacity.Describe),
		"ModifyCapacityReservation":    server.Action(r.capacity.Modify),
		"CancelCapacityReservation":    server.Action(r.capacity.Cancel),
		"GetCapacityReservationUsage":  server.Action(r.capacity.Usage),
		"AllocateHosts":                server.Action(r.dedicated.Allocate),
		"DescribeHosts":                server.Action(r.dedicated.Describe),
		"ModifyHosts":                  server.Action(r.dedicated.Modify),
		"ReleaseHosts":                 server.Action(r.dedicated.Release),

		"CreateVolume":                 server.Action(r.volumes.Create),
		"DeleteVolume":                 server.Void(r.volumes.Delete),
		"AttachVolume":                 server.Action(r.volumes.Attach),
		"DetachVolume":                 server.Action(r.volumes.Detach),
		"ModifyVolume":                 server.Action(r.volumes.Modify),
		"DescribeVolumes":              server.Action(r.volumes.Describe),
		"DescribeVolumesModifications": server.Action(r.volumes.Modifications),
		"DescribeVolumeStatus":         server.Action(r.volumes.Status),
		"DescribeVolumeAttribute":      server.Action(r.volumes.Attribute),
		"ModifyVolumeAttribute":        server.Void(r.volumes.ModifyAttribute),
		"EnableVolumeIO":               server.Void(r.volumes.EnableIO),

		"CreateSnapshot":            server.Action(r.snapshots.Create),
		"CreateSnapshots":           server.Action(r.snapshots.CreateAll),
		"CopySnapshot":              server.Action(r.snapshots.Copy),
		"DeleteSnapshot":            server.Void(r.snapshots.Delete),
		"DescribeSnapshots":         server.Action(r.snapshots.Describe),
		"DescribeSnapshotAttribute": server.Action(r.snapshots.Attribute),
		"ModifySnapshotAttribute":   server.Void(r.snapshots.Modify),
		"ResetSnapshotAttribute":    server.Void(r.snapshots.Reset),

		"CreateImage":                          server.Action(r.images.Create),
		"RegisterImage":                        server.Action(r.images.Register),
		"CopyImage":                            server.Action(r.images.Copy),
		"DeregisterImage":                      server.Action(r.images.Deregister),
		"DescribeImages":                       server.Action(r.images.Describe),
		"DescribeImageAttribute":               server.Action(r.images.Attribute),
		"ModifyImageAttribute":                 server.Void(r.images.Modify),
		"ResetImageAttribute":                  server.Void(r.images.Reset),
		"EnableImage":                          server.Action(r.images.Enable),
		"DisableImage":                         server.Action(r.images.Disable),
		"EnableImageDeprecation":               server.Action(r.images.Deprecate),
		"DisableImageDeprecation":              server.Action(r.images.Undeprecate),
		"EnableImageDeregistrationProtection":  server.Action(r.images.Protect),
		"DisableImageDeregistrationProtection": server.Action(r.images.Unprotect),
		"EnableImageBlockPublicAccess":         server.Action(r.images.BlockPublic),
		"DisableImageBlockPublicAccess":        server.Action(r.images.UnblockPublic),
		"GetImageBlockPublicAccessState":       server.Action(r.images.PublicBlock),
		"ImportImage":                          server.Action(r.images.Import),
		"ImportSnapshot":                       server.Action(r.images.ImportSnapshot),
		"DescribeImportImageTasks":             server.Action(r.images.ImportTasks),
		"DescribeImportSnapshotTasks":          server.Action(r.images.ImportSnapshotTasks),
		"CancelImportTask":                     server.Action(r.images.CancelImport),

		"EnableEbsEncryptionByDefault":  server.Action(r.volumes.EnableEncryption),
		"DisableEbsEncryptionByDefault": server.Action(r.volumes.DisableEncryption),
		"GetEbsEncryptionByDefault":     server.Action(r.volumes.Encryption),
		"GetEbsDefaultKmsKeyId":         server.Action(r.volumes.DefaultKey),

		"CreateKeyPair":    server.Action(r.keypairs.Create),
		"ImportKeyPair":    server.Action(r.keypairs.Import),
		"DescribeKeyPairs": server.Action(r.keypairs.Describe),
		"DeleteKeyPair":    server.Action(r.keypairs.Delete),
	}
}
