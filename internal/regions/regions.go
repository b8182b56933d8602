// Package regions is the room of regions, zones and account attributes.
package regions

import (
	"context"
	"slices"
	"strconv"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// Service answers the actions about where and who.
type Service struct{ db state.DB }

// New makes the room.
func New(db state.DB) *Service { return &Service{db} }

var regionFields = describe.Shown[ec2wire.Region]("endpoint", "opt-in-status", "region-name")

// Regions answers DescribeRegions: every region that AWS has is made on its first use.
func (s *Service) Regions(_ context.Context, in *ec2wire.DescribeRegionsRequest) (*ec2wire.DescribeRegionsResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), regionFields, nil)
	if err != nil {
		return nil, err
	}
	for _, n := range in.RegionNames {
		if !slipway.KnownRegion(n) {
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Invalid region name: %s", n)
		}
	}
	out := &ec2wire.DescribeRegionsResult{Regions: []ec2wire.Region{}}
	for _, n := range slipway.RegionNames() {
		region := ec2wire.Region{
			RegionName: shape.Of(n), Endpoint: shape.Of("ec2." + n + ".amazonaws.com"), OptInStatus: shape.Of("opt-in-not-required"),
		}
		if slipway.OptIn(n) {
			region.OptInStatus = shape.Of("opted-in")
		}
		if (len(in.RegionNames) == 0 || slices.Contains(in.RegionNames, n)) && match(&region) {
			out.Regions = append(out.Regions, region)
		}
	}
	return out, nil
}

var zoneFields = describe.Shown[ec2wire.AvailabilityZone](
	"group-long-name", "group-name", "message=Messages.Message", "network-border-group", "opt-in-status", "parent-zone-id",
	"parent-zone-name", "region-name", "state", "zone-id", "zone-name", "zone-state=State", "zone-type",
)

// Zones answers DescribeAvailabilityZones.
func (s *Service) Zones(
	ctx context.Context, in *ec2wire.DescribeAvailabilityZonesRequest,
) (*ec2wire.DescribeAvailabilityZonesResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), zoneFields, nil)
	if err != nil {
		return nil, err
	}
	region := slipway.CallFrom(ctx).Region
	for _, n := range append(slices.Clone(in.ZoneNames), in.ZoneIds...) {
		if _, ok := slipway.FindZone(region, n); !ok {
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Invalid availability zone: [%s]", n)
		}
	}
	out := &ec2wire.DescribeAvailabilityZonesResult{AvailabilityZones: []ec2wire.AvailabilityZone{}}
	for _, z := range slipway.Zones(region) {
		named := len(in.ZoneNames)+len(in.ZoneIds) == 0 || slices.Contains(in.ZoneNames, z.Name) ||
			slices.Contains(in.ZoneIds, z.ID)
		w := ec2wire.AvailabilityZone{
			ZoneName: shape.Of(z.Name), ZoneId: shape.Of(z.ID), RegionName: shape.Of(z.Region),
			GroupName: shape.Of(z.Region + "-zg-1"), NetworkBorderGroup: shape.Of(z.Region),
			State: shape.Of("available"), ZoneType: shape.Of("availability-zone"),
			OptInStatus: shape.Of("opt-in-not-required"), Messages: []ec2wire.AvailabilityZoneMessage{},
		}
		if named && match(&w) {
			out.AvailabilityZones = append(out.AvailabilityZones, w)
		}
	}
	return out, nil
}

// Attributes answers DescribeAccountAttributes.
func (s *Service) Attributes(
	ctx context.Context, in *ec2wire.DescribeAccountAttributesRequest,
) (*ec2wire.DescribeAccountAttributesResult, error) {
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	platforms, vpc, limit := []string{"VPC"}, "none", 20
	if a := state.Accounts.See(r, state.Global, scope.Account); a != nil {
		if a.Classic {
			platforms = []string{"EC2", "VPC"}
		}
		if n := a.Quotas["instances"]; n > 0 {
			limit = n
		}
	}
	if region := state.Regions.See(r, scope, "-"); region != nil && region.DefaultVPC != "" {
		vpc = string(region.DefaultVPC)
	}
	rows := []struct {
		name   string
		values []string
	}{
		{"supported-platforms", platforms}, {"default-vpc", []string{vpc}}, {"max-instances", []string{strconv.Itoa(limit)}},
		{"vpc-max-security-groups-per-interface", []string{"5"}}, {"max-elastic-ips", []string{"5"}},
		{"vpc-max-elastic-ips", []string{"5"}},
	}
	out := &ec2wire.DescribeAccountAttributesResult{AccountAttributes: []ec2wire.AccountAttribute{}}
	for _, n := range in.AttributeNames {
		if !slices.ContainsFunc(rows, func(row struct {
			name   string
			values []string
		}) bool {
			return row.name == n
		}) {
			return nil, slipway.Invalid(n, "attributeName", "Unknown attribute.")
		}
	}
	for _, row := range rows {
		if len(in.AttributeNames) > 0 && !slices.Contains(in.AttributeNames, row.name) {
			continue
		}
		w := ec2wire.AccountAttribute{AttributeName: shape.Of(row.name)}
		for _, v := range row.values {
			w.AttributeValues = append(w.AttributeValues, ec2wire.AccountAttributeValue{AttributeValue: shape.Of(v)})
		}
		out.AccountAttributes = append(out.AccountAttributes, w)
	}
	return out, nil
}
