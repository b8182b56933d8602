package admission

import (
	"cmp"
	"strings"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// FindProfile finds an instance profile by its ARN or its name; nil when neither is given. Clients recognise the
// refusals by their words.
func FindProfile(r store.Reader, account, arn, name string) (*slipway.InstanceProfile, error) {
	parameter, value := "name", name
	if arn != "" {
		parameter, value = "arn", arn
		_, after, ok := strings.Cut(arn, ":instance-profile/")
		if !ok || !strings.HasPrefix(arn, "arn:") {
			return nil, slipway.Errorf(slipway.InvalidIamInstanceProfileArnMalformed,
				"The ARN '%s' is not the ARN of an instance profile", arn)
		}
		name = after[strings.LastIndexByte(after, '/')+1:]
	}
	if arn == "" && name == "" {
		return nil, nil
	}
	p := state.InstanceProfiles.See(r, state.IAM(account), name)
	switch {
	case p == nil || arn != "" && p.ARN() != arn:
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%s) for parameter iamInstanceProfile.%s is invalid. Invalid IAM Instance Profile %s", value,
			parameter, map[string]string{"name": "name", "arn": "ARN"}[parameter])
	case p.Role == "":
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"IAM Instance Profile \"%s\" has no associated IAM Roles", p.ARN())
	}
	return p, nil
}

func (l *launch) findProfile() error {
	var err error
	l.profile, err = FindProfile(l.tx, l.scope.Account, l.spec.ProfileARN, l.spec.ProfileName)
	switch {
	case err != nil || l.profile == nil:
		return err
	case l.spec.ProfileID != "" && l.profile.ID != l.spec.ProfileID: // another one of the name
		l.profile = nil
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
			cmp.Or(l.spec.ProfileName, l.spec.ProfileARN))
	}
	l.spec.ProfileID = l.profile.ID
	return nil
}

// GiveProfile gives the instance a profile.
func GiveProfile(in *slipway.Instance, p *slipway.InstanceProfile) {
	in.Profile, in.ProfileID, in.ProfileAssociation = p.ARN(), p.ID, slipway.NewID("iip-assoc")
}
