package instances

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// Describe answers DescribeInstances.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeInstancesRequest,
) (*ec2wire.DescribeInstancesResult, error) {
	chosen, err := s.choose(ctx, in.InstanceIds, in.Filters, fields, tagsOf)
	if err != nil {
		return nil, err
	}
	if in.MaxResults != nil && chosen.named {
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter instancesSet cannot be used with the parameter maxResults")
	}
	if len(in.Filters) == 0 && (in.MaxResults != nil || shape.Get(in.NextToken) != "") {
		return s.describePage(chosen, in)
	}
	page, next, err := describe.Page(slices.SortedFunc(chosen.all, older), in.MaxResults, in.NextToken, false, 5)
	if err != nil {
		return nil, err
	}
	return &ec2wire.DescribeInstancesResult{Reservations: group(chosen.viewer, page), NextToken: next}, nil
}

// older orders by launch, then reservation, then id.
func older(a, b *slipway.Instance) int {
	if n := a.LaunchTime.Compare(b.LaunchTime); n != 0 {
		return n
	}
	return cmp.Or(cmp.Compare(a.Reservation, b.Reservation), cmp.Compare(a.LaunchIndex, b.LaunchIndex), cmp.Compare(a.ID, b.ID))
}

// describePage walks the instances by id from where the last page ended: a page costs what it shows.
func (s *Service) describePage(
	chosen *selection, in *ec2wire.DescribeInstancesRequest,
) (*ec2wire.DescribeInstancesResult, error) {
	size := int32(1000)
	if in.MaxResults != nil {
		if *in.MaxResults < 5 {
			return nil, slipway.Errorf(slipway.InvalidParameterValue,
				"Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than 5.", *in.MaxResults)
		}
		size = min(*in.MaxResults, 1000)
	}
	after := ""
	if t := shape.Get(in.NextToken); t != "" {
		b, err := base64.RawURLEncoding.DecodeString(t)
		var ok bool
		if after, ok = strings.CutPrefix(string(b), "after:"); err != nil || !ok {
			return nil, slipway.Errorf(slipway.InvalidNextToken, "Unable to parse pagination token")
		}
	}
	var page []*slipway.Instance
	var next *string
	for i := range chosen.all {
		if string(i.ID) <= after {
			continue
		}
		if len(page) == int(size) {
			next = shape.Of(base64.RawURLEncoding.EncodeToString([]byte("after:" + page[len(page)-1].ID)))
			break
		}
		page = append(page, i)
	}
	return &ec2wire.DescribeInstancesResult{Reservations: group(chosen.viewer, page), NextToken: next}, nil
}

// group puts instances into their reservations.
func group(all *viewer, list []*slipway.Instance) []ec2wire.Reservation {
	out := []ec2wire.Reservation{}
	place := map[slipway.ReservationID]int{}
	for _, in := range list {
		i, ok := place[in.Reservation]
		v := all.view(in)
		if !ok {
			i = len(out)
			place[in.Reservation] = i
			w := ec2wire.Reservation{
				ReservationId: shape.Text(in.Reservation), OwnerId: &in.Account, RequesterId: shape.Text(in.Requester),
				Groups: []ec2wire.GroupIdentifier{},
			}
			if in.VPC == "" && in.State != slipway.Terminated {
				w.Groups = v.groupSet(in.ClassicGroups)
			}
			out = append(out, w)
		}
		out[i].Instances = append(out[i].Instances, v.wire())
	}
	return out
}
