package describe

import (
	"encoding/base64"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
)

// Filters takes a request's filters.
func Filters(in []ec2wire.Filter) []filters.Filter {
	out := make([]filters.Filter, len(in))
	for i, f := range in {
		out[i].Values = f.Values
		if f.Name != nil {
			out[i].Name = *f.Name
		}
	}
	return out
}

// Page cuts the part of a list that a request asks for (rule paging). ids says whether the request also names
// resources, which excludes MaxResults. least is the smallest MaxResults that the action takes.
func Page[T any](items []T, max *int32, token *string, ids bool, least int32) ([]T, *string, error) {
	further := token != nil && *token != ""
	if max == nil && !further {
		return items, nil, nil
	}
	if max != nil && ids {
		return nil, nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter instancesSet cannot be used with the parameter maxResults")
	}
	size := 1000
	if max != nil {
		if *max < least {
			return nil, nil, slipway.Errorf(slipway.InvalidParameterValue,
				"Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than %d.", *max, least)
		}
		size = min(int(*max), 1000)
	}
	from := 0
	if further {
		b, err := base64.RawURLEncoding.DecodeString(*token)
		n, ok := strings.CutPrefix(string(b), "from:")
		if from, _ = strconv.Atoi(n); err != nil || !ok || from < 0 {
			return nil, nil, slipway.Errorf(slipway.InvalidNextToken, "Unable to parse pagination token")
		}
	}
	from = min(from, len(items))
	end := min(from+size, len(items))
	if end == len(items) {
		return items[from:end], nil, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte("from:" + strconv.Itoa(end)))
	return items[from:end], &next, nil
}
