package instances

import (
	"cmp"
	"context"
	"encoding/base64"
	"iter"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// parseIDs checks the form of all ids before anything is looked up, as EC2 does.
func parseIDs(in []string) ([]slipway.InstanceID, error) {
	out := make([]slipway.InstanceID, len(in))
	for i, s := range in {
		var err error
		if out[i], err = slipway.ParseInstanceID(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// find looks instances up; those that are not there are named all together.
func find(r store.Reader, scope state.Scope, ids []slipway.InstanceID) ([]*slipway.Instance, error) {
	var found []*slipway.Instance
	var absent []string
	seen := map[slipway.InstanceID]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		if in := state.Instances.See(r, scope, string(id)); in != nil {
			found = append(found, in)
		} else {
			absent = append(absent, string(id))
		}
	}
	switch len(absent) {
	case 0:
		return found, nil
	case 1:
		return nil, state.Instances.Absent(absent[0])
	}
	return nil, slipway.Errorf(slipway.InvalidInstanceIDNotFound, "The instance IDs '%s' do not exist", strings.Join(absent, ", "))
}

// indexed are the filters that an index answers, so that they cost what they find.
func indexed(filters []slipway.Filter) (terms []string, ok bool) {
	best := []string(nil)
	for _, f := range filters {
		prefix := ""
		switch {
		case f.Name == "instance-state-name":
			prefix = "state/"
		case f.Name == "vpc-id":
			prefix = "vpc/"
		case f.Name == "subnet-id":
			prefix = "subnet/"
		case f.Name == "reservation-id":
			prefix = "reservation/"
		case f.Name == "instance-type":
			prefix = "type/"
		}
		var terms []string
		for _, v := range f.Values {
			if strings.ContainsAny(v, `*?\`) {
				terms = nil
				break
			}
			if key, tag := strings.CutPrefix(f.Name, "tag:"); tag {
				terms = append(terms, state.TagTerm(key, v))
			} else if prefix != "" {
				terms = append(terms, prefix+v)
			}
		}
		// A tag or a reservation picks fewest; a state most.
		if len(terms) > 0 && (best == nil || strings.HasPrefix(best[0], "state/")) {
			best = terms
		}
	}
	return best, best != nil
}

// candidates yields what the ids or the filters leave to look at.
func candidates(r store.Reader, scope state.Scope, ids []slipway.InstanceID, filters []slipway.Filter) (iter.Seq[*slipway.Instance], error) {
	if len(ids) > 0 {
		found, err := find(r, scope, ids)
		return slices.Values(found), err
	}
	if terms, ok := indexed(filters); ok {
		return func(yield func(*slipway.Instance) bool) {
			seen := map[slipway.InstanceID]bool{}
			for _, t := range terms {
				for in := range state.Instances.By(r, scope, t) {
					if len(terms) > 1 && seen[in.ID] {
						continue
					}
					seen[in.ID] = true
					if !yield(in) {
						return
					}
				}
			}
		}, nil
	}
	return state.Instances.All(r, scope), nil
}

// Describe answers DescribeInstances.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeInstancesRequest) (*ec2wire.DescribeInstancesResult, error) {
	ids, err := parseIDs(in.InstanceIds)
	if err != nil {
		return nil, err
	}
	filters := shape.Filters(in.Filters)
	match, err := slipway.Matcher(filters, fields, func(v *shown) slipway.Tags { return v.Tags })
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all, err := candidates(r, state.Of(ctx), ids, filters)
	if err != nil {
		return nil, err
	}
	if in.MaxResults != nil && len(ids) > 0 {
		return nil, slipway.Errorf(slipway.InvalidParameterCombination, "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	if len(filters) == 0 && (in.MaxResults != nil || shape.Get(in.NextToken) != "") {
		return s.describePage(r, all, in)
	}
	var found []*slipway.Instance
	joined := join(r)
	for i := range all {
		if len(filters) == 0 || match(joined.show(i)) {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, older)
	page, next, err := shape.Page(found, in.MaxResults, in.NextToken, false, 5)
	if err != nil {
		return nil, err
	}
	return &ec2wire.DescribeInstancesResult{Reservations: s.group(r, page), NextToken: next}, nil
}

// older orders by launch, then reservation, then id.
func older(a, b *slipway.Instance) int {
	if n := a.LaunchTime.Compare(b.LaunchTime); n != 0 {
		return n
	}
	return cmp.Or(cmp.Compare(a.Reservation, b.Reservation), cmp.Compare(a.LaunchIndex, b.LaunchIndex), cmp.Compare(a.ID, b.ID))
}

// describePage walks the instances by id from where the last page ended: a page costs what it shows.
func (s *Service) describePage(r store.Reader, all iter.Seq[*slipway.Instance], in *ec2wire.DescribeInstancesRequest) (*ec2wire.DescribeInstancesResult, error) {
	size := int32(1000)
	if in.MaxResults != nil {
		if *in.MaxResults < 5 {
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than 5.", *in.MaxResults)
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
	for i := range all {
		if string(i.ID) <= after {
			continue
		}
		if len(page) == int(size) {
			next = shape.Of(base64.RawURLEncoding.EncodeToString([]byte("after:" + page[len(page)-1].ID)))
			break
		}
		page = append(page, i)
	}
	return &ec2wire.DescribeInstancesResult{Reservations: s.group(r, page), NextToken: next}, nil
}

// group puts instances into their reservations.
func (s *Service) group(r store.Reader, list []*slipway.Instance) []ec2wire.Reservation {
	out := []ec2wire.Reservation{}
	place := map[slipway.ReservationID]int{}
	all := join(r)
	for _, in := range list {
		i, ok := place[in.Reservation]
		v := all.look(in)
		if !ok {
			i = len(out)
			place[in.Reservation] = i
			w := ec2wire.Reservation{
				ReservationId: shape.Text(in.Reservation), OwnerId: &in.Account, RequesterId: shape.Text(in.Requester), Groups: []ec2wire.GroupIdentifier{},
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
