package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/addresses"
	"slipway/internal/capacityreservations"
	"slipway/internal/dedicatedhosts"
	"slipway/internal/fleets"
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
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := errors.Join(r.instances.Tick(ctx), r.iam.Tick(ctx)); err != nil && ctx.Err() == nil {
			r.log.Warn("tick", "error", err)
		}
	}
}

// sweep removes what has outlived its time: instances terminated an hour ago, NAT gateways and peerings that have ended, fleets, imports.
func (r *rooms) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		for _, sweep := range []func(context.Context) error{r.instances.Sweep, r.nats.Sweep, r.peerings.Sweep, r.fleets.Sweep, r.imports.Sweep} {
			if err := sweep(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn("sweep", "error", err)
			}
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
		"RunInstances":                                server.Action(in.Run),
		"DescribeInstances":                           server.Action(in.Describe),
		"DescribeInstanceStatus":                      server.Action(in.Status),
		"DescribeInstanceAttribute":                   server.Action(in.Attribute),
		"ModifyInstanceAttribute":                     server.Void(in.Modify),
		"ModifyInstanceMetadataOptions":               server.Action(in.ModifyMetadata),
		"DescribeInstanceCreditSpecifications":        server.Action(in.Credits),
		"ModifyInstanceCreditSpecification":           server.Action(in.ModifyCredits),
		"StartInstances":                              server.Action(in.Start),
		"StopInstances":                               server.Action(in.Stop),
		"RebootInstances":                             server.Void(in.Reboot),
		"TerminateInstances":                          server.Action(in.Terminate),
		"MonitorInstances":                            server.Action(in.Monitor),
		"UnmonitorInstances":                          server.Action(in.Unmonitor),
		"GetConsoleOutput":                            server.Action(in.Console),
		"GetConsoleScreenshot":                        server.Action(in.Screenshot),
		"SendDiagnosticInterrupt":                     server.Void(in.Interrupt),
		"GetPasswordData":                             server.Action(in.Password),
		"ModifyInstancePlacement":                     server.Action(in.ModifyPlacement),
		"ModifyInstanceCpuOptions":                    server.Action(in.ModifyCPU),
		"ModifyInstanceMaintenanceOptions":            server.Action(in.ModifyMaintenance),
		"ModifyPrivateDnsNameOptions":                 server.Action(in.ModifyDNS),
		"ModifyInstanceCapacityReservationAttributes": server.Action(in.ModifyCapacity),
		"ModifyInstanceNetworkPerformanceOptions":     server.Action(in.ModifyBandwidth),
		"ResetInstanceAttribute":                      server.Void(in.Reset),
		"ReportInstanceStatus":                        server.Void(in.ReportStatus),
		"AssociateIamInstanceProfile":                 server.Action(in.AssociateProfile),
		"ReplaceIamInstanceProfileAssociation":        server.Action(in.ReplaceProfile),
		"DisassociateIamInstanceProfile":              server.Action(in.DisassociateProfile),
		"DescribeIamInstanceProfileAssociations":      server.Action(in.Associations),
		"GetInstanceUefiData":                         server.Action(in.UEFI),
		"DescribeInstanceTopology":                    server.Action(in.Topology),
		"DescribeInstanceImageMetadata":               server.Action(in.ImageMetadata),
		"GetInstanceMetadataDefaults":                 server.Action(in.MetadataDefaults),
		"GetDefaultCreditSpecification":               server.Action(in.DefaultCredits),
		"ModifyDefaultCreditSpecification":            server.Action(in.ModifyDefaultCredits),
		"GetSerialConsoleAccessStatus":                server.Action(in.SerialConsole),
		"DisableSerialConsoleAccess":                  server.Action(in.DisableSerialConsole),
		"ModifyInstanceMetadataDefaults":              server.Action(in.ModifyMetadataDefaults),

		"GetInstanceTypesFromInstanceRequirements": server.Action(r.types.FromRequirements),
		"CreateFleet":            server.Action(r.fleets.Create),
		"DescribeFleets":         server.Action(r.fleets.Describe),
		"DescribeFleetInstances": server.Action(r.fleets.Instances),
		"DeleteFleets":           server.Action(r.fleets.Delete),

		"CreateSecurityGroup":                        server.Action(r.groups.Create),
		"DeleteSecurityGroup":                        server.Action(r.groups.Delete),
		"DescribeSecurityGroups":                     server.Action(r.groups.Describe),
		"GetSecurityGroupsForVpc":                    server.Action(r.groups.ForVPC),
		"DescribeSecurityGroupRules":                 server.Action(r.groups.DescribeRules),
		"AuthorizeSecurityGroupIngress":              server.Action(r.groups.AuthorizeIngress),
		"AuthorizeSecurityGroupEgress":               server.Action(r.groups.AuthorizeEgress),
		"RevokeSecurityGroupIngress":                 server.Action(r.groups.RevokeIngress),
		"RevokeSecurityGroupEgress":                  server.Action(r.groups.RevokeEgress),
		"UpdateSecurityGroupRuleDescriptionsIngress": server.Action(r.groups.RedescribeIngress),
		"UpdateSecurityGroupRuleDescriptionsEgress":  server.Action(r.groups.RedescribeEgress),
		"ModifySecurityGroupRules":                   server.Action(r.groups.ModifyRules),
		"DescribeSecurityGroupReferences":            server.Action(r.groups.References),
		"DescribeStaleSecurityGroups":                server.Action(r.groups.Stale),
		"CreateManagedPrefixList":                    server.Action(r.lists.Create),
		"ModifyManagedPrefixList":                    server.Action(r.lists.Modify),
		"DeleteManagedPrefixList":                    server.Action(r.lists.Delete),
		"DescribeManagedPrefixLists":                 server.Action(r.lists.Describe),
		"GetManagedPrefixListEntries":                server.Action(r.lists.Entries),
		"GetManagedPrefixListAssociations":           server.Action(r.lists.Associations),

		"DescribeRegions":                  server.Action(r.regions.Regions),
		"DescribeAvailabilityZones":        server.Action(r.regions.Zones),
		"DescribeAccountAttributes":        server.Action(r.regions.Attributes),
		"DescribeInstanceTypes":            server.Action(r.types.Describe),
		"DescribeInstanceTypeOfferings":    server.Action(r.types.Offerings),
		"DescribeVpcs":                     server.Action(r.vpcs.Describe),
		"DescribeVpcAttribute":             server.Action(r.vpcs.Attribute),
		"DescribeSubnets":                  server.Action(r.vpcs.Subnets(interfaces.FreeCount)),
		"CreateVpc":                        server.Action(r.vpcs.CreateVPC),
		"DeleteVpc":                        server.Void(r.vpcs.DeleteVPC),
		"CreateDefaultVpc":                 server.Action(r.vpcs.CreateDefaultVPC),
		"ModifyVpcAttribute":               server.Void(r.vpcs.ModifyVPC),
		"ModifyVpcTenancy":                 server.Action(r.vpcs.ModifyTenancy),
		"AssociateVpcCidrBlock":            server.Action(r.vpcs.AssociateRange),
		"DisassociateVpcCidrBlock":         server.Action(r.vpcs.DisassociateRange),
		"DescribeVpcClassicLink":           server.Action(r.vpcs.ClassicLink),
		"DescribeVpcClassicLinkDnsSupport": server.Action(r.vpcs.ClassicLinkDNS),
		"CreateSubnet":                     server.Action(r.vpcs.CreateSubnet),
		"DeleteSubnet":                     server.Void(r.vpcs.DeleteSubnet),
		"CreateDefaultSubnet":              server.Action(r.vpcs.CreateDefaultSubnet),
		"ModifySubnetAttribute":            server.Void(r.vpcs.ModifySubnet),
		"AssociateSubnetCidrBlock":         server.Action(r.vpcs.AssociateSubnetRange),
		"DisassociateSubnetCidrBlock":      server.Action(r.vpcs.DisassociateSubnetRange),
		"DescribeDhcpOptions":              server.Action(r.vpcs.DescribeDHCP),
		"CreateDhcpOptions":                server.Action(r.vpcs.CreateDHCP),
		"AssociateDhcpOptions":             server.Void(r.vpcs.AssociateDHCP),
		"DeleteDhcpOptions":                server.Void(r.vpcs.DeleteDHCP),
		"DescribeNetworkInterfaces":        server.Action(r.ports.Describe),
		"CreateTags":                       server.Void(r.tags.Create),
		"DeleteTags":                       server.Void(r.tags.Delete),
		"DescribeTags":                     server.Action(r.tags.Describe),

		"CreateInternetGateway":              server.Action(r.vpcs.CreateGateway),
		"DeleteInternetGateway":              server.Void(r.vpcs.DeleteGateway),
		"AttachInternetGateway":              server.Void(r.vpcs.AttachGateway),
		"DetachInternetGateway":              server.Void(r.vpcs.DetachGateway),
		"DescribeInternetGateways":           server.Action(r.vpcs.DescribeGateways),
		"CreateEgressOnlyInternetGateway":    server.Action(r.vpcs.CreateEgressOnly),
		"DeleteEgressOnlyInternetGateway":    server.Action(r.vpcs.DeleteEgressOnly),
		"DescribeEgressOnlyInternetGateways": server.Action(r.vpcs.DescribeEgressOnly),
		"CreateRouteTable":                   server.Action(r.vpcs.CreateTable),
		"DeleteRouteTable":                   server.Void(r.vpcs.DeleteTable),
		"DescribeRouteTables":                server.Action(r.vpcs.DescribeTables),
		"CreateRoute":                        server.Action(r.vpcs.CreateRoute),
		"ReplaceRoute":                       server.Void(r.vpcs.ReplaceRoute),
		"DeleteRoute":                        server.Void(r.vpcs.DeleteRoute),
		"AssociateRouteTable":                server.Action(r.vpcs.AssociateTable),
		"DisassociateRouteTable":             server.Void(r.vpcs.DisassociateTable),
		"ReplaceRouteTableAssociation":       server.Action(r.vpcs.ReplaceAssociation),
		"CreateNetworkAcl":                   server.Action(r.vpcs.CreateACL),
		"DeleteNetworkAcl":                   server.Void(r.vpcs.DeleteACL),
		"DescribeNetworkAcls":                server.Action(r.vpcs.DescribeACLs),
		"CreateNetworkAclEntry":              server.Void(r.vpcs.CreateEntry),
		"ReplaceNetworkAclEntry":             server.Void(r.vpcs.ReplaceEntry),
		"DeleteNetworkAclEntry":              server.Void(r.vpcs.DeleteEntry),
		"ReplaceNetworkAclAssociation":       server.Action(r.vpcs.ReplaceACLAssociation),
		"DescribeVpcEndpoints":               server.Action(r.vpcs.Endpoints),
		"DescribeVpcEndpointServices":        server.Action(r.vpcs.EndpointServices),
		"CreateVpcEndpoint":                  server.Action(r.vpcs.CreateEndpoint),
		"DeleteVpcEndpoints":                 server.Action(r.vpcs.DeleteEndpoints),
		"DescribePrefixLists":                server.Action(r.vpcs.AWSPrefixLists),
		"DescribeVpnGateways":                server.Action(r.vpcs.VPNGateways),
		"DescribeTransitGateways":            server.Action(r.vpcs.TransitGateways),
		"CreateFlowLogs":                     server.Action(r.vpcs.CreateFlowLogs),
		"DescribeFlowLogs":                   server.Action(r.vpcs.FlowLogs),

		"AllocateAddress":                     server.Action(r.eips.Allocate),
		"ReleaseAddress":                      server.Void(r.eips.Release),
		"AssociateAddress":                    server.Action(r.eips.Associate),
		"DisassociateAddress":                 server.Void(r.eips.Disassociate),
		"DescribeAddresses":                   server.Action(r.eips.Describe),
		"DescribeAddressesAttribute":          server.Action(r.eips.Attribute),
		"CreateNetworkInterface":              server.Action(r.ports.CreateOne),
		"DeleteNetworkInterface":              server.Void(r.ports.Delete),
		"AttachNetworkInterface":              server.Action(r.ports.Attach),
		"DetachNetworkInterface":              server.Void(r.ports.Detach),
		"ModifyNetworkInterfaceAttribute":     server.Void(r.ports.Modify),
		"DescribeNetworkInterfaceAttribute":   server.Action(r.ports.Attribute),
		"ResetNetworkInterfaceAttribute":      server.Void(r.ports.Reset),
		"AssignPrivateIpAddresses":            server.Action(r.ports.Assign),
		"UnassignPrivateIpAddresses":          server.Void(r.ports.Unassign),
		"AssignIpv6Addresses":                 server.Action(r.ports.AssignIPv6),
		"UnassignIpv6Addresses":               server.Action(r.ports.UnassignIPv6),
		"DescribeNetworkInterfacePermissions": server.Action(r.ports.Permissions),
		"CreateNatGateway":                    server.Action(r.nats.Create),
		"DeleteNatGateway":                    server.Action(r.nats.Delete),
		"DescribeNatGateways":                 server.Action(r.nats.Describe),
		"CreateVpcPeeringConnection":          server.Action(r.peerings.Create),
		"AcceptVpcPeeringConnection":          server.Action(r.peerings.Accept),
		"RejectVpcPeeringConnection":          server.Action(r.peerings.Reject),
		"DeleteVpcPeeringConnection":          server.Action(r.peerings.Delete),
		"DescribeVpcPeeringConnections":       server.Action(r.peerings.Describe),
		"ModifyVpcPeeringConnectionOptions":   server.Action(r.peerings.Options),

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
		"GetSnapshotBlockPublicAccessState":    server.Action(r.snapshots.PublicBlock),
		"EnableSnapshotBlockPublicAccess":      server.Action(r.snapshots.BlockPublic),
		"DisableSnapshotBlockPublicAccess":     server.Action(r.snapshots.UnblockPublic),
		"ImportImage":                          server.Action(r.imports.Image),
		"ImportSnapshot":                       server.Action(r.imports.Snapshot),
		"DescribeImportImageTasks":             server.Action(r.imports.Images),
		"DescribeImportSnapshotTasks":          server.Action(r.imports.Snapshots),
		"CancelImportTask":                     server.Action(r.imports.Cancel),

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
