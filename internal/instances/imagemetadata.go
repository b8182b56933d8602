package instances

import (
	"context"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
)

var imageMetadataFields = describe.Shown[ec2wire.InstanceImageMetadata](
	"availability-zone", "image-allowed=ImageMetadata.ImageAllowed", "instance-id", "instance-state-name=State.Name",
	"instance-type", "launch-time", "owner-alias=ImageMetadata.ImageOwnerAlias", "owner-id", "zone-id",
)

// ImageMetadata answers DescribeInstanceImageMetadata.
func (s *Service) ImageMetadata(
	ctx context.Context, in *ec2wire.DescribeInstanceImageMetadataRequest,
) (*ec2wire.DescribeInstanceImageMetadataResult, error) {
	chosen, err := s.choose(ctx, in.InstanceIds, nil, fields, tagsOf)
	if err != nil {
		return nil, err
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), imageMetadataFields, func(w *ec2wire.InstanceImageMetadata) slipway.Tags {
		tags := slipway.Tags{}
		for _, t := range w.Tags {
			tags[shape.Get(t.Key)] = shape.Get(t.Value)
		}
		return tags
	})
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
		if match(&w) {
			rows = append(rows, w)
		}
	}
	page, next, err := describe.Page(rows, in.MaxResults, in.NextToken, chosen.named, 5)
	return &ec2wire.DescribeInstanceImageMetadataResult{InstanceImageMetadata: page, NextToken: next}, err
}
