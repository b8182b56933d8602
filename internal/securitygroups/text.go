package securitygroups

import (
	"strings"

	"slipway"
)

// characters is what names and descriptions of groups and rules in a VPC may hold (rule group-text).
const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789. _-:/()#,@[]+=&;{}!$*"

// maxText is how many characters each may have.
const maxText = 255

// text is one of the texts that a caller gives a group or a rule: what the refusal calls it, and the parameter.
type text struct{ what, plural, parameter string }

var (
	groupName        = text{"security group name", "names", "GroupName"}
	groupDescription = text{"security group description", "descriptions", "GroupDescription"}
	ruleDescription  = text{"rule description", "descriptions", "Description"}
)

// check refuses what EC2 does not keep, as InvalidParameterValue. EC2-Classic takes all of ASCII.
func (x text) check(s string, classic bool) error {
	for _, r := range s {
		if r > 127 {
			return slipway.Invalid(s, x.parameter, "Character sets beyond ASCII are not supported.")
		}
	}
	if len(s) <= maxText && (classic || !strings.ContainsFunc(s, foreign)) {
		return nil
	}
	return slipway.Errorf(slipway.InvalidParameterValue,
		"Invalid %s. Valid %s are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
		x.what, x.plural)
}

func foreign(r rune) bool { return !strings.ContainsRune(characters, r) }
