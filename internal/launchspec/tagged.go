package launchspec

import (
	"slices"

	"slipway"
)

// CheckTagged refuses tags for what the launch does not make (rule tags-of-nothing), as InvalidParameterValue. A template
// may have them, because what launches by it may ask for more.
func CheckTagged(s *slipway.LaunchSpec) error {
	none := func(what string) error {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"You cannot specify tags for %s if there are no %s being created by the request.", what, what)
	}
	made := len(s.Network.Interfaces) == 0 ||
		slices.ContainsFunc(s.Network.Interfaces, func(n slipway.LaunchInterface) bool { return n.Existing == "" })
	switch {
	case s.Spot == nil && s.Tags["spot-instances-request"] != nil:
		return none("Spot instances requests")
	case !made && s.Tags["network-interface"] != nil:
		return none("network interfaces")
	}
	return nil
}
