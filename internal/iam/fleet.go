package iam

import (
	"context"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"slipway"
)

// authorizeLaunches judges a fleet's launches as if each were asked for by itself: who may not run an instance, or hand on the role of the
// template's profile, gets neither through a fleet.
func (s *Service) authorizeLaunches(ctx context.Context, form url.Values) error {
	call := slipway.CallFrom(ctx)
	call.Action = "RunInstances"
	for _, launch := range launches(form) {
		if err := s.Authorize(slipway.WithCall(ctx, call), launch); err != nil {
			return err
		}
	}
	return nil
}

// launches are the forms of RunInstances that the configurations and overrides of a fleet come to, each with the fleet's tags.
func launches(form url.Values) []url.Values {
	type pool struct{ config, override int }
	templates, overrides, tags := map[int]url.Values{}, map[pool]url.Values{}, url.Values{}
	for name, values := range form {
		if tag, ok := strings.CutPrefix(name, "TagSpecification."); ok {
			tags[fleetTags+tag] = values
			continue
		}
		index, rest, _ := strings.Cut(strings.TrimPrefix(name, "LaunchTemplateConfigs."), ".")
		config, err := strconv.Atoi(index)
		if err != nil {
			continue
		}
		if templates[config] == nil {
			templates[config] = url.Values{}
		}
		if member, ok := strings.CutPrefix(rest, "LaunchTemplateSpecification."); ok {
			templates[config]["LaunchTemplate."+member] = values
			continue
		}
		index, member, _ := strings.Cut(strings.TrimPrefix(rest, "Overrides."), ".")
		at, err := strconv.Atoi(index)
		if err != nil {
			continue
		}
		if member == "AvailabilityZone" {
			member = "Placement.AvailabilityZone"
		}
		of := pool{config, at}
		if overrides[of] == nil {
			overrides[of] = url.Values{}
		}
		overrides[of][member] = values
	}
	var out []url.Values
	bare := maps.Clone(templates)
	for of, launch := range overrides {
		maps.Copy(launch, templates[of.config])
		delete(bare, of.config)
		out = append(out, launch)
	}
	for _, launch := range bare {
		out = append(out, launch)
	}
	for _, launch := range out {
		maps.Copy(launch, tags)
	}
	return out
}
