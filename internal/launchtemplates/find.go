package launchtemplates

import (
	"strconv"

	"slipway"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Find is the template that a request names by id or by name, never by both.
func Find(r store.Reader, scope state.Scope, id, name *string) (*slipway.LaunchTemplate, error) {
	i, n := shape.Get(id), shape.Get(name)
	switch {
	case i != "" && n != "":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter launchTemplateId cannot be used with the parameter launchTemplateName")
	case i != "":
		if _, err := slipway.ParseLaunchTemplateID(i); err != nil {
			return nil, err
		}
		return byID(r, scope, i)
	case n != "":
		if err := slipway.CheckTemplateName(n); err != nil {
			return nil, err
		}
		return state.LaunchTemplates.Require(r, scope, n)
	}
	return nil, slipway.Errorf(slipway.MissingParameter,
		"Either a launch template ID or a launch template name must be specified in the request.")
}

func byID(r store.Reader, scope state.Scope, id string) (*slipway.LaunchTemplate, error) {
	for t := range state.LaunchTemplates.By(r, scope, "id/"+id) {
		return t, nil
	}
	return nil, slipway.Errorf(slipway.InvalidLaunchTemplateIDNotFound,
		"The specified launch template, with template ID %s, does not exist.", id)
}

// number is the version that a text means: a number, $Latest, or $Default, which is also meant by nothing.
func number(t *slipway.LaunchTemplate, version string) (int64, error) {
	switch version {
	case "", "$Default":
		return t.Default, nil
	case "$Latest":
		return t.Latest, nil
	}
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n < 1 {
		return 0, slipway.Invalid(version, "version", "It must be the number of a version, $Latest or $Default.")
	}
	return n, nil
}

// Pick is the version that a text means, or the refusal of one that is not there.
func Pick(r store.Reader, t *slipway.LaunchTemplate, version string) (*slipway.LaunchTemplateVersion, error) {
	n, err := number(t, version)
	if err != nil {
		return nil, err
	}
	if v := state.LaunchTemplateVersions.See(r, scopeOf(t), state.VersionKey(t.ID, n)); v != nil {
		return v, nil
	}
	return nil, slipway.Errorf(slipway.InvalidLaunchTemplateIDVersionNotFound,
		"Could not find the specified version %s for the launch template with ID %s.", version, t.ID)
}

func scopeOf(t *slipway.LaunchTemplate) state.Scope {
	return state.Scope{Account: t.Account, Region: t.Region}
}
