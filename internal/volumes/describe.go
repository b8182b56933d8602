package volumes

import (
	"context"
	"strconv"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func attachment(get func(*slipway.VolumeAttachment) string) func(*slipway.Volume) []string {
	return func(v *slipway.Volume) []string {
		if v.Attachment == nil {
			return nil
		}
		return []string{get(v.Attachment)}
	}
}

var volumeKind = describe.Kind[slipway.Volume, ec2wire.Volume]{
	Table: state.Volumes, Parse: describe.Form(slipway.ParseVolumeID),
	Tags: func(v *slipway.Volume) slipway.Tags { return v.Tags }, Wire: Wire,
	Fields: describe.Fixed(filters.Fields[*slipway.Volume]{
		"attachment.attach-time": attachment(func(a *slipway.VolumeAttachment) string {
			return a.AttachTime.UTC().Format(ec2query.TimeForm)
		}),
		"attachment.delete-on-termination": attachment(func(a *slipway.VolumeAttachment) string {
			return strconv.FormatBool(a.DeleteOnTermination)
		}),
		"attachment.device":      attachment(func(a *slipway.VolumeAttachment) string { return a.Device }),
		"attachment.instance-id": attachment(func(a *slipway.VolumeAttachment) string { return string(a.Instance) }),
		"attachment.status":      attachment(func(a *slipway.VolumeAttachment) string { return string(a.State) }),
		"availability-zone":      func(v *slipway.Volume) []string { return shape.One(v.Zone) },
		"availability-zone-id": func(v *slipway.Volume) []string {
			z, _ := slipway.FindZone(v.Region, v.Zone)
			return shape.One(z.ID)
		},
		"create-time":          func(v *slipway.Volume) []string { return []string{v.Created.UTC().Format(ec2query.TimeForm)} },
		"encrypted":            func(v *slipway.Volume) []string { return shape.Yes(v.Encrypted) },
		"fast-restored":        func(*slipway.Volume) []string { return shape.Yes(false) },
		"multi-attach-enabled": func(v *slipway.Volume) []string { return shape.Yes(v.MultiAttach) },
		"size":                 func(v *slipway.Volume) []string { return []string{strconv.Itoa(int(v.SizeGiB))} },
		"snapshot-id":          func(v *slipway.Volume) []string { return shape.One(v.Snapshot) },
		"status":               func(v *slipway.Volume) []string { return shape.One(v.State) },
		"volume-id":            func(v *slipway.Volume) []string { return shape.One(v.ID) },
		"volume-type":          func(v *slipway.Volume) []string { return shape.One(v.Type) },
		"operator.managed":     func(*slipway.Volume) []string { return shape.Yes(false) },
		"operator.principal":   func(*slipway.Volume) []string { return nil },
	}),
}

// Wire writes a volume.
func Wire(_ store.Reader, v *slipway.Volume) ec2wire.Volume {
	z, _ := slipway.FindZone(v.Region, v.Zone)
	w := ec2wire.Volume{
		VolumeId: shape.Text(v.ID), Size: &v.SizeGiB, SnapshotId: shape.Of(string(v.Snapshot)),
		AvailabilityZone: &v.Zone, AvailabilityZoneId: shape.Text(z.ID), State: shape.Text(v.State),
		CreateTime: &v.Created, VolumeType: &v.Type, Iops: shape.Some(v.IOPS), Throughput: shape.Some(v.Throughput),
		Encrypted: &v.Encrypted, KmsKeyId: shape.Key(v.Encrypted, v.Key, v.Account, v.Region),
		MultiAttachEnabled: &v.MultiAttach, Tags: shape.Tags(v.Tags), Attachments: []ec2wire.VolumeAttachment{},
		Operator: &ec2wire.OperatorResponse{Managed: shape.Of(false)},
	}
	if a := v.Attachment; a != nil {
		w.Attachments = append(w.Attachments, wireAttachment(v.ID, a))
	}
	return w
}

// wireAttachment writes an attachment as it is now: what is done to it afterwards does not show.
func wireAttachment(id slipway.VolumeID, a *slipway.VolumeAttachment) ec2wire.VolumeAttachment {
	now := *a
	return ec2wire.VolumeAttachment{
		VolumeId: shape.Text(id), InstanceId: shape.Text(now.Instance), Device: &now.Device, State: shape.Text(now.State),
		AttachTime: &now.AttachTime, DeleteOnTermination: &now.DeleteOnTermination,
	}
}

// Describe answers DescribeVolumes.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeVolumesRequest) (*ec2wire.DescribeVolumesResult, error) {
	page, next, err := volumeKind.List(ctx, s.db,
		describe.Query{IDs: in.VolumeIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeVolumesResult{Volumes: page, NextToken: next}, err
}
