package instances

import (
	"context"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
)

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
