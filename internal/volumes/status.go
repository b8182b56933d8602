package volumes

import (
	"context"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// health is a volume's status and what its check of I/O says. No volume here ever has its I/O disabled.
func health(v *slipway.Volume) (status, io string) {
	switch v.State {
	case slipway.VolumeStateError:
		return "impaired", "failed"
	case slipway.VolumeStateCreating:
		return "insufficient-data", "insufficient-data"
	}
	return "ok", "passed"
}

func nothing(*slipway.Volume) []string { return nil }

var statusKind = describe.Kind[slipway.Volume, ec2wire.VolumeStatusItem]{
	Table: state.Volumes, Parse: describe.Form(slipway.ParseVolumeID), Wire: wireStatus,
	See: func(_ state.Scope, v *slipway.Volume, _ bool) bool { return v.State != slipway.VolumeStateDeleting },
	Fields: describe.Fixed(filters.Fields[*slipway.Volume]{
		"action.code": nothing, "action.description": nothing, "action.event-id": nothing, "event.description": nothing,
		"event.event-id": nothing, "attachment-status.instance-id": nothing, "attachment-status.io-performance": nothing,
		"event.event-type": nothing, "event.not-after": nothing, "event.not-before": nothing,
		"availability-zone": func(v *slipway.Volume) []string { return shape.One(v.Zone) },
		"availability-zone-id": func(v *slipway.Volume) []string {
			z, _ := slipway.FindZone(v.Region, v.Zone)
			return shape.One(z.ID)
		},
		"operator.managed":           func(*slipway.Volume) []string { return shape.Yes(false) },
		"operator.principal":         nothing,
		"volume-status.details-name": func(*slipway.Volume) []string { return []string{"io-enabled", "io-performance"} },
		"volume-status.details-status": func(v *slipway.Volume) []string {
			_, io := health(v)
			return []string{io, "not-applicable"}
		},
		"volume-status.status": func(v *slipway.Volume) []string { s, _ := health(v); return shape.One(s) },
	}),
}

func wireStatus(_ store.Reader, v *slipway.Volume) ec2wire.VolumeStatusItem {
	status, io := health(v)
	z, _ := slipway.FindZone(v.Region, v.Zone)
	w := ec2wire.VolumeStatusItem{
		VolumeId: shape.Text(v.ID), AvailabilityZone: &v.Zone, AvailabilityZoneId: shape.Text(z.ID),
		Actions: []ec2wire.VolumeStatusAction{}, Events: []ec2wire.VolumeStatusEvent{},
		VolumeStatus: &ec2wire.VolumeStatusInfo{Status: &status, Details: []ec2wire.VolumeStatusDetails{
			{Name: shape.Of("io-enabled"), Status: &io}, {Name: shape.Of("io-performance"), Status: shape.Of("not-applicable")},
		}},
	}
	if v.Attachment != nil {
		w.AttachmentStatuses = append(w.AttachmentStatuses,
			ec2wire.VolumeStatusAttachmentStatus{
				InstanceId: shape.Text(v.Attachment.Instance), IoPerformance: shape.Of("not-applicable"),
			})
	}
	return w
}

// Status answers DescribeVolumeStatus.
func (s *Service) Status(
	ctx context.Context, in *ec2wire.DescribeVolumeStatusRequest,
) (*ec2wire.DescribeVolumeStatusResult, error) {
	page, next, err := statusKind.List(ctx, s.db,
		describe.Query{IDs: in.VolumeIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeVolumeStatusResult{VolumeStatuses: page, NextToken: next}, err
}

// Attribute answers DescribeVolumeAttribute.
func (s *Service) Attribute(
	ctx context.Context, in *ec2wire.DescribeVolumeAttributeRequest,
) (*ec2wire.DescribeVolumeAttributeResult, error) {
	id, err := named(in.VolumeId)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	v, err := state.Volumes.Require(r, state.Of(ctx), string(id))
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribeVolumeAttributeResult{VolumeId: shape.Text(id)}
	switch a := shape.Get(in.Attribute); a {
	case "":
		return nil, slipway.Missing("Attribute")
	case "autoEnableIO":
		out.AutoEnableIO = &ec2wire.AttributeBooleanValue{Value: &v.AutoEnableIO}
	case "productCodes":
		out.ProductCodes = []ec2wire.ProductCode{}
	default:
		return nil, slipway.Invalid(a, "attribute", "It must be autoEnableIO or productCodes.")
	}
	return out, nil
}

// ModifyAttribute answers ModifyVolumeAttribute.
func (s *Service) ModifyAttribute(ctx context.Context, in *ec2wire.ModifyVolumeAttributeRequest) error {
	id, err := named(in.VolumeId)
	if err != nil {
		return err
	}
	if in.AutoEnableIO == nil || in.AutoEnableIO.Value == nil {
		return slipway.Missing("AutoEnableIO")
	}
	return s.edit(ctx, id, func(_ store.Tx, v *slipway.Volume) error { v.AutoEnableIO = *in.AutoEnableIO.Value; return nil })
}

// EnableIO answers EnableVolumeIO. It finds I/O enabled, because here nothing disables it.
func (s *Service) EnableIO(ctx context.Context, in *ec2wire.EnableVolumeIORequest) error {
	id, err := named(in.VolumeId)
	if err != nil {
		return err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return err
	}
	_, err = state.Volumes.Require(r, state.Of(ctx), string(id))
	return err
}
