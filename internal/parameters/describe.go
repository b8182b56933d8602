package parameters

import (
	"context"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/shape"
	"slipway/internal/ssmwire"
	"slipway/internal/state"
)

// DescribeParameters answers what parameters there are, without their values.
func (s *Service) DescribeParameters(
	ctx context.Context, in *ssmwire.DescribeParametersRequest,
) (*ssmwire.DescribeParametersResult, error) {
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	match, err := matching(in.Filters, in.ParameterFilters, anyKey)
	if err != nil {
		return nil, err
	}
	all := []ssmwire.ParameterMetadata{}
	if !shape.Get(in.Shared) { // nothing is shared here
		for p := range state.SSMParameters.All(r, state.Of(ctx)) {
			if !match(p) {
				continue
			}
			v := p.Latest()
			all = append(all, ssmwire.ParameterMetadata{
				Name: shape.Text(p.Name), ARN: shape.Text(slipway.ParameterARN(p.Region, p.Account, p.Name)),
				Type: shape.Text(p.Type), KeyId: shape.Text(p.KeyID), LastModifiedDate: seconds(v.At),
				LastModifiedUser: shape.Text(v.By), Description: shape.Text(p.Description),
				AllowedPattern: shape.Text(p.AllowedPattern), Version: &v.Number, Tier: shape.Text(p.Tier),
				Policies: []ssmwire.ParameterInlinePolicy{}, DataType: shape.Text(v.DataType),
			})
		}
	}
	page, next, err := page(all, in.MaxResults, in.NextToken, 50)
	return &ssmwire.DescribeParametersResult{Parameters: page, NextToken: next}, err
}

// The keys of filters that an action has; "tag:" stands for all of those.
var (
	anyKey = []string{"Name", "Type", "KeyId", "Path", "Label", "Tier", "DataType", "tag:"}
	byPath = []string{"Type", "KeyId", "Label"}
)

// shown is what a parameter shows under a filter's key.
func shown(p *slipway.SSMParameter, key string) []string {
	switch key {
	case "Name", "Path":
		return []string{p.Name}
	case "Type":
		return []string{p.Type}
	case "KeyId":
		return shape.One(p.KeyID)
	case "Tier":
		return []string{p.Tier}
	case "DataType":
		return []string{p.Latest().DataType}
	}
	if v, ok := p.Tags[strings.TrimPrefix(key, "tag:")]; ok && strings.HasPrefix(key, "tag:") {
		return []string{v}
	}
	return nil // nothing has labels
}

// options are how a filter's values are meant, by its key; the first where nothing is said.
func options(key string) []string {
	switch key {
	case "Name":
		return []string{"Equals", "BeginsWith", "Contains"}
	case "Path":
		return []string{"OneLevel", "Recursive"}
	}
	return []string{"Equals", "BeginsWith"}
}

func meets(option, value, wanted string) bool {
	rest, below := strings.CutPrefix(value, strings.TrimSuffix(wanted, "/")+"/")
	switch option {
	case "BeginsWith":
		return strings.HasPrefix(value, wanted)
	case "Contains":
		return strings.Contains(value, wanted)
	case "Recursive":
		return below
	case "OneLevel":
		return below && !strings.Contains(rest, "/")
	}
	return value == wanted
}

// matching is the condition of the filters: all of them, any of each one's values. The older form knows names by their
// beginning.
func matching(
	older []ssmwire.ParametersFilter, in []ssmwire.ParameterStringFilter, keys []string,
) (func(*slipway.SSMParameter) bool, error) {
	for _, f := range older {
		in = append(in, ssmwire.ParameterStringFilter{Key: f.Key, Option: shape.Of("BeginsWith"), Values: f.Values})
	}
	for i := range in {
		f := &in[i]
		key := shape.Get(f.Key)
		if !slices.Contains(keys, key) && !(strings.HasPrefix(key, "tag:") && slices.Contains(keys, "tag:")) {
			return nil, slipway.Errorf(slipway.InvalidFilterKey,
				"The following filter key is not valid: %s. Valid filter keys "+
					"include: [%s].", key, strings.Join(keys, ", "))
		}
		if shape.Get(f.Option) == "" {
			f.Option = &options(key)[0]
		}
		if !slices.Contains(options(key), *f.Option) {
			return nil, slipway.Errorf(slipway.InvalidFilterOption,
				"The following filter option is not valid: %s. Valid options "+
					"include: [%s].", *f.Option, strings.Join(options(key), ", "))
		}
	}
	return func(p *slipway.SSMParameter) bool {
		for _, f := range in {
			have := shown(p, *f.Key)
			if len(f.Values) == 0 && len(have) > 0 { // a key alone asks whether there is anything
				continue
			}
			if !slices.ContainsFunc(have, func(h string) bool {
				return slices.ContainsFunc(f.Values, func(w string) bool { return meets(*f.Option, h, w) })
			}) {
				return false
			}
		}
		return true
	}, nil
}
