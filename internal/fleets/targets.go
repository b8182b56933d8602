package fleets

import (
	"slices"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// created is the fleet, and each of its launches as if it were asked for by itself: who may not run an instance, or
// hand on the role of the template's profile, gets neither through a fleet.
func (s *Service) created(v action.View, in *ec2wire.CreateFleetRequest) []action.Resource {
	out := action.Makes(func(in *ec2wire.CreateFleetRequest) []ec2wire.TagSpecification { return in.TagSpecifications },
		"fleet")(v, in)
	f, err := read(in)
	if err == nil {
		f.Pools, err = pools(v, v.Scope(), in.LaunchTemplateConfigs)
	}
	if err != nil { // the action says what is wrong, to who may launch
		return append(out, action.Resource{Right: "ec2:RunInstances", Kind: "instance", ID: action.New})
	}
	for i := range f.Pools {
		p := &f.Pools[i]
		out = append(out, slices.Concat(
			action.Some("launch-template", &p.Template.ID), action.Some("subnet", &p.Override.Subnet), image(p.Override.Image),
			action.Some("key-pair", &p.Override.KeyName), action.Some("placement-group", &p.Override.Group),
		)...)
	}
	return append(out, s.launches(v, f)...)
}

// image is an override's; an alias is judged with the launch, which resolves it.
func image(id slipway.ImageID) []action.Resource {
	if !slipway.WellFormed("ami", string(id)) {
		return nil
	}
	return action.Some("image", &id)
}

// launches are the resources of a fleet's launches, from every pool.
func (s *Service) launches(v action.View, f *slipway.Fleet) []action.Resource {
	var out []action.Resource
	for lifecycle, count := range map[string]int32{"on-demand": f.Target.OnDemand, "spot": f.Target.Spot} {
		if count == 0 {
			continue
		}
		for pool := range f.Pools {
			out = append(out, s.admission.Targets(v, request(f, pool, lifecycle, 1, ""), "ec2:RunInstances")...)
		}
	}
	return out
}
