package instances

import (
	"context"
	"iter"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/state"
	"slipway/internal/store"
)

// selection is the instances that a request's ids and filters leave, with what it takes to show them.
type selection struct {
	*viewer
	named bool // by their ids
	all   iter.Seq[*slipway.Instance]
}

// choose checks a request's ids and filters, of those that are known, and finds what they leave.
func (s *Service) choose(
	ctx context.Context, names []string, asked []ec2wire.Filter, known filters.Fields[*shown], tags func(*shown) slipway.Tags,
) (*selection, error) {
	ids, err := parseIDs(names)
	if err != nil {
		return nil, err
	}
	wanted := describe.Filters(asked)
	match, err := filters.Matcher(wanted, known, tags)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all, err := candidates(r, state.Of(ctx), ids, wanted)
	if err != nil {
		return nil, err
	}
	out := &selection{viewer: join(r), named: len(ids) > 0, all: all}
	if len(wanted) > 0 {
		out.all = func(yield func(*slipway.Instance) bool) {
			for i := range all {
				if match(out.show(i)) && !yield(i) {
					return
				}
			}
		}
	}
	return out, nil
}

func tagsOf(s *shown) slipway.Tags { return s.Tags }

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
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return state.Instances.RequireAll(r, scope, texts)
}

// indexed are the filters that an index answers, so that they cost what they find.
func indexed(filters []filters.Filter) (terms []string, ok bool) {
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
func candidates(
	r store.Reader, scope state.Scope, ids []slipway.InstanceID, filters []filters.Filter,
) (iter.Seq[*slipway.Instance], error) {
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
