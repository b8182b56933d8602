package instances

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
)

var topologyFields = filters.Fields[*shown]{
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
	page, next, err := describe.Page(rows, in.MaxResults, in.NextToken, chosen.named, 1)
	return &ec2wire.DescribeInstanceTopologyResult{Instances: page, NextToken: next}, err
}
