// Package instancetypes is the room of the catalogue: which types there are and where.
package instancetypes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
)

// Service answers the catalogue's actions. It has no state.
type Service struct{}

// New makes the room.
func New() *Service { return &Service{} }

// pageOfTypes is the most of one page, and what a page has where nobody says (rule paging).
const pageOfTypes = int32(100)

// Describe answers DescribeInstanceTypes.
func (s *Service) Describe(
	_ context.Context, in *ec2wire.DescribeInstanceTypesRequest,
) (*ec2wire.DescribeInstanceTypesResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), fields, nil)
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, n := range in.InstanceTypes {
		if slipway.FindInstanceType(n) == nil {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) > 0 {
		return nil, slipway.Errorf(slipway.InvalidInstanceType,
			"The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
	}
	all := []ec2wire.InstanceTypeInfo{}
	types := described()
	for i := range types {
		t := &types[i]
		if (len(in.InstanceTypes) == 0 || slices.Contains(in.InstanceTypes, *t.InstanceType)) && match(t) {
			all = append(all, *t)
		}
	}
	most := in.MaxResults
	if len(in.InstanceTypes) == 0 {
		most = new(min(cmp.Or(shape.Get(most), pageOfTypes), pageOfTypes))
	}
	page, next, err := describe.Page(all, most, in.NextToken, len(in.InstanceTypes) > 0, 5)
	return &ec2wire.DescribeInstanceTypesResult{InstanceTypes: page, NextToken: next}, err
}

// Offerings answers DescribeInstanceTypeOfferings: every type is in every zone.
func (s *Service) Offerings(
	ctx context.Context, in *ec2wire.DescribeInstanceTypeOfferingsRequest,
) (*ec2wire.DescribeInstanceTypeOfferingsResult, error) {
	region := slipway.CallFrom(ctx).Region
	kind := shape.Get(in.LocationType)
	var places []string
	switch kind {
	case "", "region":
		kind, places = "region", []string{region}
	case "availability-zone":
		for _, z := range slipway.Zones(region) {
			places = append(places, z.Name)
		}
	case "availability-zone-id":
		for _, z := range slipway.Zones(region) {
			places = append(places, z.ID)
		}
	default:
		return nil, slipway.Invalid(kind, "locationType", "It must be region, availability-zone or availability-zone-id.")
	}
	type offering struct{ name, place string }
	match, err := filters.Matcher(describe.Filters(in.Filters), filters.Fields[offering]{
		"instance-type": func(o offering) []string { return []string{o.name} },
		"location":      func(o offering) []string { return []string{o.place} },
	}, nil)
	if err != nil {
		return nil, err
	}
	all := []ec2wire.InstanceTypeOffering{}
	for _, t := range slipway.InstanceTypes() {
		for _, p := range places {
			if match(offering{t.Name, p}) {
				all = append(all,
					ec2wire.InstanceTypeOffering{
						InstanceType: shape.Of(t.Name), LocationType: shape.Of(kind), Location: shape.Of(p),
					})
			}
		}
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, false, 5)
	return &ec2wire.DescribeInstanceTypeOfferingsResult{InstanceTypeOfferings: page, NextToken: next}, err
}

// fields read the description: the filters of DescribeInstanceTypes are its members' names.
var fields = describe.Shown[ec2wire.InstanceTypeInfo](filters.Documented("DescribeInstanceTypes")...)

// described is every type as EC2 publishes it, by name.
var described = sync.OnceValue(func() []ec2wire.InstanceTypeInfo {
	types := slipway.InstanceTypes()
	out := make([]ec2wire.InstanceTypeInfo, len(types))
	for i, t := range types {
		if err := json.Unmarshal(t.Published, &out[i]); err != nil {
			panic(fmt.Sprintf("the description of %s: %v", t.Name, err))
		}
		out[i].CurrentGeneration = &t.CurrentGeneration
	}
	return out
})
