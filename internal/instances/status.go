package instances

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
)

// checks are the words of an instance's status checks.
func (v view) checks() (system, instance string) {
	switch {
	case v.State != slipway.Running:
		return "not-applicable", "not-applicable"
	case v.Reachable == "":
		return "initializing", "initializing"
	case v.Reachable == "failed":
		return "ok", "impaired"
	}
	return "ok", "ok"
}

func reachability(status string) string {
	switch status {
	case "ok":
		return "passed"
	case "impaired":
		return "failed"
	}
	return status
}

func (v view) summary(status string) *ec2wire.InstanceStatusSummary {
	out := &ec2wire.InstanceStatusSummary{Status: shape.Of(status)}
	if status == "not-applicable" {
		return out
	}
	d := ec2wire.InstanceStatusDetails{Name: shape.Of("reachability"), Status: shape.Of(reachability(status))}
	if status == "impaired" {
		d.ImpairedSince = shape.Time(v.StatusSince)
	}
	out.Details = []ec2wire.InstanceStatusDetails{d}
	return out
}

var statusFields = func() filters.Fields[*shown] {
	f := filters.Fields[*shown]{
		"availability-zone":            fields["availability-zone"],
		"availability-zone-id":         fields["availability-zone-id"],
		"instance-state-code":          fields["instance-state-code"],
		"instance-state-name":          fields["instance-state-name"],
		"operator.managed":             fields["operator.managed"],
		"operator.principal":           fields["operator.principal"],
		"instance-status.status":       func(s *shown) []string { _, i := s.checks(); return []string{i} },
		"system-status.status":         func(s *shown) []string { y, _ := s.checks(); return []string{y} },
		"instance-status.reachability": func(s *shown) []string { _, i := s.checks(); return []string{reachability(i)} },
		"system-status.reachability":   func(s *shown) []string { y, _ := s.checks(); return []string{reachability(y)} },
		"attached-ebs-status.status":   func(s *shown) []string { y, _ := s.checks(); return []string{y} },
		"application-status.status":    func(*shown) []string { return nil },
	}
	for _, name := range []string{
		"code", "description", "instance-event-id", "not-after", "not-before", "not-before-deadline",
	} {
		f["event."+name] = func(*shown) []string { return nil }
	}
	return f
}()

// Status answers DescribeInstanceStatus: of running instances, unless all are asked for.
func (s *Service) Status(
	ctx context.Context, in *ec2wire.DescribeInstanceStatusRequest,
) (*ec2wire.DescribeInstanceStatusResult, error) {
	if n := len(in.InstanceIds); n > 100 {
		return nil, slipway.Errorf(slipway.InvalidParameterValue, "At most 100 instance IDs may be given; there are %d.", n)
	}
	chosen, err := s.choose(ctx, in.InstanceIds, in.Filters, statusFields, nil)
	if err != nil {
		return nil, err
	}
	var found []*slipway.Instance
	for i := range chosen.all {
		if i.State == slipway.Running || shape.Get(in.IncludeAllInstances) {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, older)
	page, next, err := describe.Page(found, in.MaxResults, in.NextToken, chosen.named, 5)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribeInstanceStatusResult{InstanceStatuses: []ec2wire.InstanceStatus{}, NextToken: next}
	for _, i := range page {
		v := chosen.view(i)
		z, _ := slipway.FindZone(i.Region, i.Zone)
		system, instance := v.checks()
		w := ec2wire.InstanceStatus{
			InstanceId: shape.Text(i.ID), AvailabilityZone: &i.Zone, AvailabilityZoneId: shape.Text(z.ID),
			InstanceState:  stateOf(i.State),
			InstanceStatus: v.summary(instance), SystemStatus: v.summary(system),
			Operator:          &ec2wire.OperatorResponse{Managed: shape.Of(false)},
			AttachedEbsStatus: &ec2wire.EbsStatusSummary{Status: shape.Of(system)},
		}
		if system != "not-applicable" {
			w.AttachedEbsStatus.Details = []ec2wire.EbsStatusDetails{
				{Name: shape.Of("reachability"), Status: shape.Of(reachability(system))},
			}
		}
		out.InstanceStatuses = append(out.InstanceStatuses, w)
	}
	return out, nil
}

// Credits answers DescribeInstanceCreditSpecifications, for burstable types only.
func (s *Service) Credits(
	ctx context.Context, in *ec2wire.DescribeInstanceCreditSpecificationsRequest,
) (*ec2wire.DescribeInstanceCreditSpecificationsResult, error) {
	chosen, err := s.choose(ctx, in.InstanceIds, in.Filters, filters.Fields[*shown]{"instance-id": fields["instance-id"]}, nil)
	if err != nil {
		return nil, err
	}
	rows := []ec2wire.InstanceCreditSpecification{}
	for i := range chosen.all {
		burstable := i.CPUCredits != ""
		switch {
		case !burstable && chosen.named:
			return nil, slipway.Errorf(slipway.InstanceCreditSpecificationNotSupported,
				"The instance type %s of instance %s does not support credit specification.", i.Type, i.ID)
		case !burstable || i.State == slipway.Terminated && !chosen.named:
			continue
		}
		rows = append(rows,
			ec2wire.InstanceCreditSpecification{InstanceId: shape.Text(i.ID), CpuCredits: shape.Of(i.CPUCredits)})
	}
	page, next, err := describe.Page(rows, in.MaxResults, in.NextToken, chosen.named, 5)
	return &ec2wire.DescribeInstanceCreditSpecificationsResult{InstanceCreditSpecifications: page, NextToken: next}, err
}
