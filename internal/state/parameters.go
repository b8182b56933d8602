package state

import (
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/store"
)

// FindParameter is a parameter and its version by the name that a caller gives: a name, its ARN, or one of these with a
// version behind a colon. Errors: ParameterNotFound, ParameterVersionNotFound.
func FindParameter(
	r store.Reader, s Scope, reference string,
) (*slipway.SSMParameter, *slipway.SSMParameterVersion, error) {
	name, version := ParameterName(reference)
	p := SSMParameters.See(r, s, name)
	if arn := slipway.ParameterARN(s.Region, s.Account, name); strings.HasPrefix(reference, "arn:") {
		switch {
		case !strings.HasPrefix(reference, arn): // another's
			p = nil
		case p == nil: // an ARN does not tell "a" from "/a"
			p = SSMParameters.See(r, s, "/"+name)
		}
	}
	if p == nil {
		return nil, nil, SSMParameters.Absent(reference)
	}
	if version == "" {
		return p, p.Latest(), nil
	}
	n, _ := strconv.ParseInt(version, 10, 64) // a label is no number, and there are none here
	v := p.Version(n)
	if v == nil {
		return nil, nil, slipway.Errorf(slipway.ParameterVersionNotFound,
			"Systems Manager could not find version %s of %s. Verify the version and try again.", version, name)
	}
	return p, v, nil
}

// ParameterName takes a reference apart: the name, and what stands behind the colon, if something does.
func ParameterName(reference string) (name, version string) {
	if strings.HasPrefix(reference, "arn:") {
		parts := strings.SplitN(reference, ":", 6)
		if len(parts) == 6 {
			reference = strings.TrimPrefix(parts[5], "parameter")
			// The ARN of a name without a hierarchy has a slash that the name has not.
			if strings.Count(reference, "/") == 1 {
				reference = reference[1:]
			}
		}
	}
	name, version, _ = strings.Cut(reference, ":")
	return name, version
}

// ImageOf is the image that a parameter names, "resolve:ssm:" taken off: one of the caller's own, or a public one.
// Error: InvalidParameterValue, where it does not.
func ImageOf(r store.Reader, s Scope, reference string) (slipway.ImageID, error) {
	if im := AliasedImage(r, s.Region, reference); im != nil {
		return im.ID, nil
	}
	_, v, err := FindParameter(r, s, reference)
	if err != nil {
		return "", slipway.Errorf(slipway.InvalidParameterValue,
			"The parameter %s was not found or does not name an image.", reference)
	}
	id, err := slipway.ParseImageID(v.Secret)
	if err != nil {
		return "", slipway.Errorf(slipway.InvalidParameterValue,
			"The parameter %s does not name an image.", reference) // and what it says is not for whoever may launch
	}
	return id, nil
}
