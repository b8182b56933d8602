// Package spot is the room of spot requests: asking for spot instances, looking at the requests, cancelling them, and
// prices. The instances room launches for them and interrupts them.
package spot

import (
	"context"
	"encoding/base64"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the spot actions.
type Service struct {
	db        state.DB
	admission *admission.Service
	instances Instances
	log       *slog.Logger
	now       func() time.Time
}

// Instances is what an interruption that ends needs of the instances' room.
type Instances interface {
	StartAgain(store.Tx, *slipway.Instance) error
}

// New makes the room.
func New(db state.DB, a *admission.Service, in Instances, log *slog.Logger, now func() time.Time) *Service {
	return &Service{db, a, in, log, now}
}

// Request answers RequestSpotInstances: a request for each instance, fulfilled at once where price and capacity allow.
func (s *Service) Request(
	ctx context.Context, in *ec2wire.RequestSpotInstancesRequest,
) (*ec2wire.RequestSpotInstancesResult, error) {
	count := int32(1)
	if in.InstanceCount != nil {
		count = *in.InstanceCount
	}
	switch {
	case in.LaunchSpecification == nil:
		return nil, slipway.Missing("LaunchSpecification")
	case count < 1 || count > 1000:
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter instanceCount is invalid. It must be 1 to 1000.", count)
	case shape.Get(in.LaunchGroup) != "" || shape.Get(in.AvailabilityZoneGroup) != "":
		return nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameters LaunchGroup and AvailabilityZoneGroup are not supported.")
	case in.ValidFrom != nil && in.ValidFrom.After(s.now()):
		return nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter ValidFrom is not supported: requests begin at once.")
	}
	spec, err := launchspec.Read(launch(in, count))
	if err != nil {
		return nil, err
	}
	made, err := s.request(ctx, spec, count, state.OnceOf(state.Of(ctx), "RequestSpotInstances", in))
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.RequestSpotInstancesResult{SpotInstanceRequests: []ec2wire.SpotInstanceRequest{}}
	for _, id := range made {
		q, err := state.SpotRequests.Require(r, state.Of(ctx), string(id))
		if err != nil {
			return nil, err
		}
		out.SpotInstanceRequests = append(out.SpotInstanceRequests, wire(r, q))
	}
	return out, nil
}

// launch is the request as a launch.
func launch(in *ec2wire.RequestSpotInstancesRequest, count int32) *ec2wire.RunInstancesRequest {
	l := in.LaunchSpecification
	one := int32(1)
	run := &ec2wire.RunInstancesRequest{
		MinCount: &one, MaxCount: &one, ImageId: l.ImageId, InstanceType: l.InstanceType, KeyName: l.KeyName,
		SecurityGroupIds: l.SecurityGroupIds, SecurityGroups: l.SecurityGroups,
		SubnetId: l.SubnetId, UserData: l.UserData, BlockDeviceMappings: l.BlockDeviceMappings,
		EbsOptimized: l.EbsOptimized, IamInstanceProfile: l.IamInstanceProfile,
		KernelId: l.KernelId, RamdiskId: l.RamdiskId, Monitoring: l.Monitoring, NetworkInterfaces: l.NetworkInterfaces,
		TagSpecifications: in.TagSpecifications,
		InstanceMarketOptions: &ec2wire.InstanceMarketOptionsRequest{
			MarketType: shape.Of("spot"), SpotOptions: &ec2wire.SpotMarketOptions{
				MaxPrice: in.SpotPrice, SpotInstanceType: in.Type, ValidUntil: in.ValidUntil,
				InstanceInterruptionBehavior: in.InstanceInterruptionBehavior, BlockDurationMinutes: in.BlockDurationMinutes,
			},
		},
	}
	if count > 1 {
		run.MaxCount = &count // so that what cannot be given to several is refused; each launches one
	}
	if p := l.Placement; p != nil {
		run.Placement = &ec2wire.Placement{
			AvailabilityZone: p.AvailabilityZone, AvailabilityZoneId: p.AvailabilityZoneId, GroupName: p.GroupName,
			Tenancy: p.Tenancy,
		}
	}
	return run
}

var messages = map[string]string{
	"fulfilled":              "Your spot request is fulfilled.",
	"price-too-low":          "Your Spot request price is lower than the minimum required Spot request fulfillment price.",
	"capacity-not-available": "There is no Spot capacity available that matches your request.",
	"pending-evaluation":     "Your Spot request has been submitted for review, and is pending evaluation.",
	"schedule-expired":       "Your Spot request expired before it could be fulfilled.",
	"bad-parameters":         "Your Spot request has parameters that no launch takes.",
}

func wire(r store.Reader, q *slipway.SpotRequest) ec2wire.SpotInstanceRequest {
	kind, z := "one-time", slipway.Zone{}
	if q.Options.Persistent {
		kind = "persistent"
	}
	if q.Zone != "" {
		z, _ = slipway.FindZone(q.Region, q.Zone)
	}
	t := slipway.FindInstanceType(q.Spec.Type)
	price := q.Options.MaxPrice
	if price == 0 && t != nil {
		price = 3 * slipway.SpotPrice(t) // the on-demand price
	}
	message := messages[q.Status]
	if message == "" {
		message = q.Status
	}
	return ec2wire.SpotInstanceRequest{
		SpotInstanceRequestId: shape.Text(q.ID), State: shape.Text(q.State),
		Status: &ec2wire.SpotInstanceStatus{Code: &q.Status, Message: &message, UpdateTime: &q.StatusAt}, Type: &kind,
		SpotPrice: shape.Of(slipway.PriceText(price)), InstanceId: shape.Text(q.Instance),
		InstanceInterruptionBehavior: &q.Options.Interruption, CreateTime: &q.Created,
		LaunchedAvailabilityZone: shape.Text(z.Name), LaunchedAvailabilityZoneId: shape.Text(z.ID),
		ProductDescription: shape.Of("Linux/UNIX"), ValidUntil: shape.Time(q.Options.ValidUntil),
		Tags: shape.Tags(q.Tags), LaunchSpecification: specification(r, q),
	}
}

// specification must be there: Terraform looks into it unasked.
func specification(r store.Reader, q *slipway.SpotRequest) *ec2wire.LaunchSpecification {
	p := &q.Spec
	w := &ec2wire.LaunchSpecification{
		ImageId: shape.Text(p.Image), InstanceType: &p.Type, KeyName: shape.Text(p.KeyName),
		SubnetId: shape.Text(p.Network.Subnet), EbsOptimized: shape.Of(shape.Get(p.EBSOptimized)),
		Monitoring:     &ec2wire.RunInstancesMonitoringEnabled{Enabled: &p.Monitoring},
		SecurityGroups: []ec2wire.GroupIdentifier{}, BlockDeviceMappings: shape.Devices(p.Devices),
		NetworkInterfaces: interfaceSpecs(p.Network.Interfaces),
		Placement: &ec2wire.SpotPlacement{
			AvailabilityZone: shape.Text(p.Zone), GroupName: shape.Text(p.Placement.GroupName),
		},
	}
	if len(p.UserData) > 0 {
		w.UserData = shape.Of(base64.StdEncoding.EncodeToString(p.UserData))
	}
	for _, id := range p.Network.GroupIDs {
		g := ec2wire.GroupIdentifier{GroupId: shape.Text(id)}
		if known := state.SecurityGroups.See(r, state.Scope{Account: q.Account, Region: q.Region}, string(id)); known != nil {
			g.GroupName = &known.Name
		}
		w.SecurityGroups = append(w.SecurityGroups, g)
	}
	return w
}

// interfaceSpecs writes the interfaces that a launch asks for.
func interfaceSpecs(in []slipway.LaunchInterface) []ec2wire.InstanceNetworkInterfaceSpecification {
	out := []ec2wire.InstanceNetworkInterfaceSpecification{}
	for _, n := range in {
		w := ec2wire.InstanceNetworkInterfaceSpecification{
			DeviceIndex: shape.Of(n.DeviceIndex), NetworkInterfaceId: shape.Text(n.Existing), SubnetId: shape.Text(n.Subnet),
			Description: shape.Text(n.Description), DeleteOnTermination: n.DeleteOnTermination,
			AssociatePublicIpAddress: n.Public,
		}
		for _, g := range n.Groups {
			w.Groups = append(w.Groups, string(g))
		}
		if ip := n.Primary; ip.IsValid() {
			w.PrivateIpAddress = shape.Of(ip.String())
			w.PrivateIpAddresses = append(w.PrivateIpAddresses,
				ec2wire.PrivateIpAddressSpecification{PrivateIpAddress: shape.Of(ip.String()), Primary: shape.Of(true)})
		}
		for _, ip := range n.Secondary {
			w.PrivateIpAddresses = append(w.PrivateIpAddresses,
				ec2wire.PrivateIpAddressSpecification{PrivateIpAddress: shape.Of(ip.String()), Primary: shape.Of(false)})
		}
		for _, ip := range n.IPv6 {
			w.Ipv6Addresses = append(w.Ipv6Addresses, ec2wire.InstanceIpv6Address{Ipv6Address: shape.Of(ip.String())})
		}
		w.SecondaryPrivateIpAddressCount, w.Ipv6AddressCount = shape.Some(int32(n.SecondaryCount)), shape.Some(int32(n.IPv6Count))
		out = append(out, w)
	}
	return out
}

var kind = describe.Kind[slipway.SpotRequest, ec2wire.SpotInstanceRequest]{
	Table: state.SpotRequests, Tags: func(q *slipway.SpotRequest) slipway.Tags { return q.Tags }, Wire: wire,
	Shown: describe.Shown[ec2wire.SpotInstanceRequest](
		"availability-zone-group", "create-time", "fault-code=Fault.Code", "fault-message=Fault.Message", "instance-id",
		"instance-interruption-behavior", "launch-group",
		"launch.block-device-mapping.delete-on-termination=LaunchSpecification.BlockDeviceMappings.Ebs.DeleteOnTermination",
		"launch.block-device-mapping.device-name=LaunchSpecification.BlockDeviceMappings.DeviceName",
		"launch.block-device-mapping.snapshot-id=LaunchSpecification.BlockDeviceMappings.Ebs.SnapshotId",
		"launch.block-device-mapping.volume-size=LaunchSpecification.BlockDeviceMappings.Ebs.VolumeSize",
		"launch.block-device-mapping.volume-type=LaunchSpecification.BlockDeviceMappings.Ebs.VolumeType",
		"launch.group-id=LaunchSpecification.SecurityGroups.GroupId",
		"launch.group-name=LaunchSpecification.SecurityGroups.GroupName", "launch.image-id=LaunchSpecification.ImageId",
		"launch.instance-type=LaunchSpecification.InstanceType", "launch.kernel-id=LaunchSpecification.KernelId",
		"launch.key-name=LaunchSpecification.KeyName", "launch.monitoring-enabled=LaunchSpecification.Monitoring.Enabled",
		"launch.ramdisk-id=LaunchSpecification.RamdiskId", "launched-availability-zone", "launched-availability-zone-id",
		"network-interface.addresses.primary=LaunchSpecification.NetworkInterfaces.PrivateIpAddresses.Primary",
		"network-interface.delete-on-termination=LaunchSpecification.NetworkInterfaces.DeleteOnTermination",
		"network-interface.description=LaunchSpecification.NetworkInterfaces.Description",
		"network-interface.device-index=LaunchSpecification.NetworkInterfaces.DeviceIndex",
		"network-interface.group-id=LaunchSpecification.NetworkInterfaces.Groups",
		"network-interface.network-interface-id=LaunchSpecification.NetworkInterfaces.NetworkInterfaceId",
		"network-interface.private-ip-address=LaunchSpecification.NetworkInterfaces.PrivateIpAddress",
		"product-description", "spot-instance-request-id", "spot-price", "state", "status-code=Status.Code",
		"status-message=Status.Message", "type", "valid-from", "valid-until",
	),
	Fields: describe.Fixed(filters.Fields[*slipway.SpotRequest]{
		// the subnet of the request or of one of its interfaces
		"network-interface.subnet-id": func(q *slipway.SpotRequest) []string {
			out := shape.One(q.Spec.Network.Subnet)
			for _, n := range q.Spec.Network.Interfaces {
				out = append(out, shape.One(n.Subnet)...)
			}
			return out
		},
	}),
}

// Describe answers DescribeSpotInstanceRequests.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeSpotInstanceRequestsRequest,
) (*ec2wire.DescribeSpotInstanceRequestsResult, error) {
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.SpotInstanceRequestIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeSpotInstanceRequestsResult{SpotInstanceRequests: page, NextToken: next}, err
}

// Cancel answers CancelSpotInstanceRequests; the instances run on.
func (s *Service) Cancel(
	ctx context.Context, in *ec2wire.CancelSpotInstanceRequestsRequest,
) (*ec2wire.CancelSpotInstanceRequestsResult, error) {
	if len(in.SpotInstanceRequestIds) == 0 {
		return nil, slipway.Missing("SpotInstanceRequestId")
	}
	out := &ec2wire.CancelSpotInstanceRequestsResult{}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := state.SpotRequests.RequireAll(tx, state.Of(ctx), in.SpotInstanceRequestIds); err != nil {
			return err
		}
		out.CancelledSpotInstanceRequests = []ec2wire.CancelledSpotInstanceRequest{}
		for _, id := range in.SpotInstanceRequestIds {
			err := state.SpotRequests.Edit(tx, state.Of(ctx), id, func(q *slipway.SpotRequest) error {
				if q.State != slipway.SpotRequestStateOpen && q.State != slipway.SpotRequestStateActive {
					return nil
				}
				status := "canceled-before-fulfillment"
				if q.Instance != "" {
					status = "request-canceled-and-instance-running"
				}
				return q.Become(slipway.SpotRequestStateCancelled, status, s.now())
			})
			if err != nil {
				return err
			}
			out.CancelledSpotInstanceRequests = append(out.CancelledSpotInstanceRequests,
				ec2wire.CancelledSpotInstanceRequest{SpotInstanceRequestId: shape.Of(id), State: shape.Of("cancelled")})
		}
		return nil
	})
	return out, err
}

// Prices answers DescribeSpotPriceHistory: one row for each type, zone and product, since prices here do not move.
func (s *Service) Prices(
	ctx context.Context, in *ec2wire.DescribeSpotPriceHistoryRequest,
) (*ec2wire.DescribeSpotPriceHistoryResult, error) {
	region := slipway.CallFrom(ctx).Region
	at := s.now().Truncate(time.Hour)
	if in.StartTime != nil && in.StartTime.Before(at) {
		at = *in.StartTime
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), filters.Fields[ec2wire.SpotPrice]{
		"availability-zone":    func(p ec2wire.SpotPrice) []string { return []string{*p.AvailabilityZone} },
		"availability-zone-id": func(p ec2wire.SpotPrice) []string { return []string{*p.AvailabilityZoneId} },
		"instance-type":        func(p ec2wire.SpotPrice) []string { return []string{*p.InstanceType} },
		"product-description":  func(p ec2wire.SpotPrice) []string { return []string{*p.ProductDescription} },
		"spot-price":           func(p ec2wire.SpotPrice) []string { return []string{*p.SpotPrice} },
		"timestamp": func(p ec2wire.SpotPrice) []string {
			return []string{p.Timestamp.UTC().Format(ec2query.TimeForm)}
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{shape.Get(in.AvailabilityZone), shape.Get(in.AvailabilityZoneId)} {
		if _, ok := slipway.FindZone(region, name); name != "" && !ok {
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Invalid availability zone: [%s]", name)
		}
	}
	rows := []ec2wire.SpotPrice{}
	for _, t := range slipway.InstanceTypes() {
		if len(in.InstanceTypes) > 0 && !slices.Contains(in.InstanceTypes, t.Name) || !slices.Contains(t.UsageClasses, "spot") {
			continue
		}
		for _, z := range slipway.Zones(region) {
			if shape.Get(in.AvailabilityZone) != "" && *in.AvailabilityZone != z.Name ||
				shape.Get(in.AvailabilityZoneId) != "" && *in.AvailabilityZoneId != z.ID {
				continue
			}
			for _, product := range []string{"Linux/UNIX", "Linux/UNIX (Amazon VPC)"} {
				if len(in.ProductDescriptions) > 0 && !slices.Contains(in.ProductDescriptions, product) ||
					len(in.ProductDescriptions) == 0 && product != "Linux/UNIX" {
					continue
				}
				p := ec2wire.SpotPrice{
					AvailabilityZone: shape.Of(z.Name), AvailabilityZoneId: shape.Of(z.ID), InstanceType: &t.Name,
					ProductDescription: shape.Of(product),
					SpotPrice:          shape.Of(strconv.FormatFloat(slipway.SpotPrice(t), 'f', 6, 64)), Timestamp: &at,
				}
				if match(p) {
					rows = append(rows, p)
				}
			}
		}
	}
	page, next, err := describe.Page(rows, in.MaxResults, in.NextToken, false, 1)
	return &ec2wire.DescribeSpotPriceHistoryResult{SpotPriceHistory: page, NextToken: next}, err
}
