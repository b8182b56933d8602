package instances

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/capacity"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// named is edit for a request's instance id.
func (s *Service) named(ctx context.Context, name *string, e edit) error {
	if shape.Get(name) == "" {
		return slipway.Missing("InstanceId")
	}
	id, err := slipway.ParseInstanceID(*name)
	if err != nil {
		return err
	}
	return s.edit(ctx, id, e)
}

// ModifyPlacement answers ModifyInstancePlacement: tenancy, dedicated host, affinity and placement group of a stopped instance.
func (s *Service) ModifyPlacement(
	ctx context.Context, in *ec2wire.ModifyInstancePlacementRequest,
) (*ec2wire.ModifyInstancePlacementResult, error) {
	if err := launchspec.OneOf(in.Tenancy, "tenancy", "default", "dedicated", "host"); err != nil {
		return nil, err
	}
	if err := launchspec.OneOf(in.Affinity, "affinity", "default", "host"); err != nil {
		return nil, err
	}
	switch {
	case shape.Get(in.HostResourceGroupArn) != "":
		return nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter HostResourceGroupArn is not supported: there are no host resource groups here.")
	case in.GroupName != nil && shape.Get(in.GroupId) != "":
		return nil, launchspec.Combination("The parameter groupName cannot be used with the parameter groupId")
	}
	err := s.named(ctx, in.InstanceId, whenStopped(func(tx store.Tx, i *slipway.Instance) error {
		scope := state.Scope{Account: i.Account, Region: i.Region}
		p := &i.Placement
		if in.GroupName != nil || shape.Get(in.GroupId) != "" {
			p.GroupName, p.GroupID, p.Partition = "", "", 0
			g, err := groupOf(tx, scope, shape.Get(in.GroupName), shape.Get(in.GroupId))
			if err != nil {
				return err
			}
			if g != nil {
				p.GroupName, p.GroupID, p.Partition = g.Name, g.ID, shape.Get(in.PartitionNumber)
				if p.Partition != 0 && (g.Strategy != "partition" || p.Partition < 1 || p.Partition > g.Partitions) {
					return slipway.Errorf(slipway.InvalidParameterValue,
						"Value (%d) for parameter partitionNumber is invalid. The group '%s' has %d partitions.",
						p.Partition, g.Name, g.Partitions)
				}
			}
		}
		p.Tenancy, p.Affinity = cmp.Or(shape.Get(in.Tenancy), p.Tenancy), cmp.Or(shape.Get(in.Affinity), p.Affinity)
		if id := shape.Get(in.HostId); id != "" {
			h, err := state.DedicatedHosts.Must(tx, scope, id)
			switch {
			case err != nil:
				return err
			case h.Host != i.Host || h.Zone != i.Zone:
				return slipway.Errorf(slipway.InvalidParameterCombination,
					"The dedicated host '%s' is on another machine or in another zone than the instance '%s', whose "+
						"volumes cannot move.",
					id, i.ID)
			case !h.Runs(slipway.FindInstanceType(i.Type)):
				return slipway.Errorf(slipway.UnsupportedInstanceTypeOnHost,
					"The instance type '%s' is not supported on the dedicated host '%s'.", i.Type, id)
			}
			p.DedicatedHost, p.Tenancy = h.ID, "host"
		}
		switch {
		case p.Tenancy != "host" && p.Affinity == "host":
			return slipway.Errorf(slipway.InvalidAffinity, "The affinity 'host' requires the tenancy 'host'.")
		case p.Tenancy != "host":
			p.DedicatedHost = ""
		case p.DedicatedHost == "":
			return slipway.Missing("HostId")
		}
		return nil
	}))
	return &ec2wire.ModifyInstancePlacementResult{Return: shape.Of(true)}, err
}

func groupOf(r store.Reader, scope state.Scope, name, id string) (*slipway.PlacementGroup, error) {
	for g := range state.PlacementGroups.All(r, scope) {
		if name != "" && g.Name == name || id != "" && string(g.ID) == id {
			return g, nil
		}
	}
	if name+id == "" {
		return nil, nil // an empty name leaves the group
	}
	return nil, state.PlacementGroups.Absent(name + id)
}

// ModifyCPU answers ModifyInstanceCpuOptions, for a stopped instance.
func (s *Service) ModifyCPU(
	ctx context.Context, in *ec2wire.ModifyInstanceCpuOptionsRequest,
) (*ec2wire.ModifyInstanceCpuOptionsResult, error) {
	cores, threads := shape.Get(in.CoreCount), shape.Get(in.ThreadsPerCore)
	if shape.Get(in.NestedVirtualization) == "enabled" {
		return nil, slipway.Errorf(slipway.Unsupported,
			"The parameter NestedVirtualization is not supported on this instance type.")
	}
	if in.CoreCount == nil || in.ThreadsPerCore == nil {
		return nil, launchspec.Combination("CoreCount and ThreadsPerCore must be specified together.")
	}
	err := s.named(ctx, in.InstanceId, whenStopped(func(tx store.Tx, i *slipway.Instance) error {
		t := slipway.FindInstanceType(i.Type)
		if err := admission.CheckCPU(t, cores, threads); err != nil {
			return err
		}
		b, err := state.Ledgers.Get(tx, state.Global, string(i.Host))
		if err != nil {
			return err
		}
		b.VCPUs += int(cores*threads - i.Cores*i.ThreadsPerCore)
		i.Cores, i.ThreadsPerCore = cores, threads
		return state.Ledgers.Put(tx, b)
	}))
	return &ec2wire.ModifyInstanceCpuOptionsResult{
		InstanceId: in.InstanceId, CoreCount: in.CoreCount, ThreadsPerCore: in.ThreadsPerCore,
	}, err
}

// ModifyMaintenance answers ModifyInstanceMaintenanceOptions.
func (s *Service) ModifyMaintenance(
	ctx context.Context, in *ec2wire.ModifyInstanceMaintenanceOptionsRequest,
) (*ec2wire.ModifyInstanceMaintenanceOptionsResult, error) {
	if err := launchspec.OneOf(in.AutoRecovery, "autoRecovery", "default", "disabled"); err != nil {
		return nil, err
	}
	if err := launchspec.OneOf(in.RebootMigration, "rebootMigration", "default"); err != nil {
		return nil, err // there is nowhere to migrate to, so it cannot be disabled either
	}
	out := &ec2wire.ModifyInstanceMaintenanceOptionsResult{InstanceId: in.InstanceId, RebootMigration: shape.Of("default")}
	err := s.named(ctx, in.InstanceId, func(_ store.Tx, i *slipway.Instance) error {
		i.AutoRecovery = cmp.Or(shape.Get(in.AutoRecovery), i.AutoRecovery)
		out.AutoRecovery = shape.Of(orDefault(i.AutoRecovery))
		return nil
	})
	return out, err
}

// ModifyDNS answers ModifyPrivateDnsNameOptions; the kind of name only changes while stopped.
func (s *Service) ModifyDNS(
	ctx context.Context, in *ec2wire.ModifyPrivateDnsNameOptionsRequest,
) (*ec2wire.ModifyPrivateDnsNameOptionsResult, error) {
	if err := launchspec.OneOf(in.PrivateDnsHostnameType, "privateDnsHostnameType", "ip-name", "resource-name"); err != nil {
		return nil, err
	}
	err := s.named(ctx, in.InstanceId, func(tx store.Tx, i *slipway.Instance) error {
		if i.VPC == "" {
			return slipway.Errorf(slipway.UnsupportedOperation,
				"The instance '%s' is in EC2-Classic, where names are fixed.", i.ID)
		}
		if kind := shape.Get(in.PrivateDnsHostnameType); kind != "" && kind != i.DNS.HostnameType {
			if i.State != slipway.Stopped {
				return slipway.Errorf(slipway.IncorrectInstanceState, "The instance '%s' is not in the 'stopped' state.", i.ID)
			}
			i.DNS.HostnameType = kind
		}
		if in.EnableResourceNameDnsARecord != nil {
			i.DNS.ARecord = *in.EnableResourceNameDnsARecord
		}
		if in.EnableResourceNameDnsAAAARecord != nil {
			i.DNS.AAAARecord = *in.EnableResourceNameDnsAAAARecord
		}
		return nil
	})
	return &ec2wire.ModifyPrivateDnsNameOptionsResult{Return: shape.Of(true)}, err
}

// ModifyCapacity answers ModifyInstanceCapacityReservationAttributes: what the instance asks for when it next starts.
func (s *Service) ModifyCapacity(
	ctx context.Context, in *ec2wire.ModifyInstanceCapacityReservationAttributesRequest,
) (*ec2wire.ModifyInstanceCapacityReservationAttributesResult, error) {
	if in.CapacityReservationSpecification == nil {
		return nil, slipway.Missing("CapacityReservationSpecification")
	}
	preference, target, err := launchspec.CapacityChoice(in.CapacityReservationSpecification)
	if err != nil {
		return nil, err
	}
	err = s.named(ctx, in.InstanceId, whenStopped(func(tx store.Tx, i *slipway.Instance) error {
		scope := state.Scope{Account: i.Account, Region: i.Region}
		if err := leaveReservation(tx, i); err != nil {
			return err
		}
		i.CapacityPreference, i.CapacityTarget = preference, target
		if target == "" {
			return nil
		}
		c, err := state.CapacityReservations.Get(tx, scope, string(target))
		switch {
		case err != nil:
			return err
		case c.State != slipway.CapacityReservationStateActive || c.Type != i.Type || c.Zone != i.Zone:
			return slipway.Errorf(slipway.InvalidParameterCombination,
				"The capacity reservation '%s' does not fit the instance '%s'.", target, i.ID)
		case capacity.FreeSlots(tx, c)[i.Host] == 0:
			return slipway.Errorf(slipway.ReservationCapacityExceeded,
				"The requested reservation does not have sufficient compatible and available capacity for this request.")
		}
		i.CapacityReservation = c.ID
		if err := state.CapacityReservations.Put(tx, c); err != nil {
			return err
		}
		return capacity.Charge(tx, i.Host, slipway.FindInstanceType(i.Type), -1) // the reservation keeps its room from now on
	}))
	return &ec2wire.ModifyInstanceCapacityReservationAttributesResult{Return: shape.Of(true)}, err
}

// leaveReservation takes an instance out of its capacity reservation, onto the host's ordinary account.
func leaveReservation(tx store.Tx, i *slipway.Instance) error {
	in := capacity.Reserved(tx, i)
	i.CapacityReservation = ""
	if !in {
		return nil
	}
	return capacity.Charge(tx, i.Host, slipway.FindInstanceType(i.Type), 1)
}

// ModifyBandwidth answers ModifyInstanceNetworkPerformanceOptions.
func (s *Service) ModifyBandwidth(
	ctx context.Context, in *ec2wire.ModifyInstanceNetworkPerformanceRequest,
) (*ec2wire.ModifyInstanceNetworkPerformanceResult, error) {
	err := s.named(ctx, in.InstanceId, func(store.Tx, *slipway.Instance) error {
		if w := shape.Get(in.BandwidthWeighting); w != "" && w != "default" {
			return slipway.Errorf(slipway.Unsupported,
				"The bandwidth weighting %s is not supported: no instance type here shares bandwidth between "+
					"network and volumes.", w)
		}
		return nil
	})
	return &ec2wire.ModifyInstanceNetworkPerformanceResult{
		InstanceId: in.InstanceId, BandwidthWeighting: shape.Of("default"),
	}, err
}

// Reset answers ResetInstanceAttribute.
func (s *Service) Reset(ctx context.Context, in *ec2wire.ResetInstanceAttributeRequest) error {
	return s.named(ctx, in.InstanceId, func(tx store.Tx, i *slipway.Instance) error {
		switch a := shape.Get(in.Attribute); a {
		case "":
			return slipway.Missing("Attribute")
		case "sourceDestCheck":
			return setSourceDest(true)(tx, i)
		case "kernel", "ramdisk":
			return nil // nobody can have changed them
		default:
			return slipway.Invalid(a, "attribute", "It must be kernel, ramdisk or sourceDestCheck.")
		}
	})
}

// ReportStatus answers ReportInstanceStatus: the owner's view goes to the operator's log.
func (s *Service) ReportStatus(ctx context.Context, in *ec2wire.ReportInstanceStatusRequest) error {
	switch {
	case len(in.Instances) == 0:
		return slipway.Missing("InstanceId")
	case shape.Get(in.Status) == "":
		return slipway.Missing("Status")
	case len(in.ReasonCodes) == 0:
		return slipway.Missing("ReasonCode")
	}
	if err := launchspec.OneOf(in.Status, "status", "ok", "impaired"); err != nil {
		return err
	}
	codes := []string{
		"instance-stuck-in-state", "unresponsive", "not-accepting-credentials", "password-not-available",
		"performance-network", "performance-instance-store", "performance-ebs-volume", "performance-other", "other",
	}
	for _, c := range in.ReasonCodes {
		if !slices.Contains(codes, c) {
			return slipway.Invalid(c, "reasonCode", "It must be one of "+strings.Join(codes, ", ")+".")
		}
	}
	ids, err := parseIDs(in.Instances)
	if err != nil {
		return err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return err
	}
	found, err := find(r, state.Of(ctx), ids)
	if err != nil {
		return err
	}
	if err := dry(ctx); err != nil {
		return err
	}
	for _, i := range found {
		s.log.WarnContext(ctx, "owner reports instance status", "instance", i.ID, "status", *in.Status, "reasons",
			strings.Join(in.ReasonCodes, ","))
	}
	return nil
}

var topologyFields = slipway.Fields[*shown]{
	"availability-zone": fields["availability-zone"], "zone-id": fields["availability-zone-id"],
	"instance-type": fields["instance-type"],
}

// Topology answers DescribeInstanceTopology: three layers of network nodes, of which a host has the last to itself.
func (s *Service) Topology(
	ctx context.Context, in *ec2wire.DescribeInstanceTopologyRequest,
) (*ec2wire.DescribeInstanceTopologyResult, error) {
	chosen, err := s.choose(ctx, in.InstanceIds, in.Filters, topologyFields, nil)
	if err != nil {
		return nil, err
	}
	rows := []ec2wire.InstanceTopology{}
	for i := range chosen.all {
		if !i.Alive() || len(in.GroupNames) > 0 && !slices.Contains(in.GroupNames, i.Placement.GroupName) {
			continue
		}
		z, _ := slipway.FindZone(i.Region, i.Zone)
		node := func(of string) string { return fmt.Sprintf("nn-%017x", sha256.Sum256([]byte(of)))[:20] }
		rows = append(rows, ec2wire.InstanceTopology{
			InstanceId: shape.Text(i.ID), InstanceType: shape.Of(i.Type), GroupName: shape.Text(i.Placement.GroupName),
			AvailabilityZone: shape.Of(i.Zone), ZoneId: shape.Text(z.ID),
			NetworkNodes: []string{node(i.Region), node(i.Zone), node(i.Zone + string(i.Host))},
		})
	}
	page, next, err := shape.Page(rows, in.MaxResults, in.NextToken, chosen.named, 1)
	return &ec2wire.DescribeInstanceTopologyResult{Instances: page, NextToken: next}, err
}

// ImageMetadata answers DescribeInstanceImageMetadata.
func (s *Service) ImageMetadata(
	ctx context.Context, in *ec2wire.DescribeInstanceImageMetadataRequest,
) (*ec2wire.DescribeInstanceImageMetadataResult, error) {
	chosen, err := s.choose(ctx, in.InstanceIds, in.Filters, fields, tagsOf)
	if err != nil {
		return nil, err
	}
	rows := []ec2wire.InstanceImageMetadata{}
	for i := range chosen.all {
		z, _ := slipway.FindZone(i.Region, i.Zone)
		w := ec2wire.InstanceImageMetadata{
			InstanceId: shape.Text(i.ID), InstanceType: shape.Of(i.Type), LaunchTime: shape.Of(i.LaunchTime),
			AvailabilityZone: shape.Of(i.Zone), ZoneId: shape.Text(z.ID), State: stateOf(i.State),
			OwnerId: shape.Of(i.Account), Tags: shape.Tags(i.Tags),
			ImageMetadata: &ec2wire.ImageMetadata{ImageId: shape.Text(i.Image)},
			Operator:      &ec2wire.OperatorResponse{Managed: shape.Of(false)},
		}
		if im := state.FindImage(chosen.reader, i.Region, string(i.Image)); im != nil && im.LaunchableFrom(i.Account) {
			m := w.ImageMetadata
			m.Name, m.OwnerId, m.State = shape.Of(im.Name), shape.Of(im.Owner), shape.Text(im.State)
			m.CreationDate = shape.Of(im.Created.UTC().Format(ec2query.TimeForm))
			m.IsPublic, m.ImageAllowed = shape.Of(im.Public), shape.Of(true)
			if im.Owner == slipway.SystemAccount {
				w.ImageMetadata.ImageOwnerAlias = shape.Of("amazon")
			}
		}
		rows = append(rows, w)
	}
	page, next, err := shape.Page(rows, in.MaxResults, in.NextToken, chosen.named, 5)
	return &ec2wire.DescribeInstanceImageMetadataResult{InstanceImageMetadata: page, NextToken: next}, err
}
