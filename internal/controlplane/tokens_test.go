package controlplane_test

import (
	"slices"
	"testing"

	"slipway/internal/action"
	"slipway/internal/apitest"
)

// otherArguments make another request of that of the world, for each action with a client token.
var otherArguments = map[string][]string{
	"AllocateHosts":                     {"AutoPlacement", "off"},
	"CopyImage":                         {"Description", "other"},
	"CreateCapacityReservation":         {"InstanceMatchCriteria", "targeted"},
	"CreateEgressOnlyInternetGateway":   tagged("egress-only-internet-gateway"),
	"CreateFleet":                       {"ExcessCapacityTerminationPolicy", "termination"},
	"CreateLaunchTemplate":              {"VersionDescription", "other"},
	"CreateLaunchTemplateVersion":       {"VersionDescription", "other"},
	"CreateManagedPrefixList":           tagged("prefix-list"),
	"CreateNatGateway":                  tagged("natgateway"),
	"CreateNetworkAcl":                  tagged("network-acl"),
	"CreateNetworkInterface":            {"Description", "other"},
	"CreateRouteTable":                  tagged("route-table"),
	"CreateVolume":                      {"Encrypted", "true"},
	"ImportImage":                       {"Description", "other"},
	"ImportSnapshot":                    {"Description", "other"},
	"ModifyInstanceCreditSpecification": {"InstanceCreditSpecification.1.CpuCredits", "unlimited"},
	"ModifyLaunchTemplate":              {"SetDefaultVersion", "1"},
	"RequestSpotInstances":              {"InstanceCount", "2"},
	"RunInstances":                      {"EbsOptimized", "true"},
}

func tagged(kind string) []string {
	return []string{
		"TagSpecification.1.ResourceType", kind, "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v",
	}
}

// TestATokenStandsForOneRequest: every action that has a client token is done once by it, and refuses it with other
// arguments (rule client-tokens).
func TestATokenStandsForOneRequest(t *testing.T) {
	w := apitest.New(t)
	params := apitest.WorldAtRest(w)
	for name, a := range w.Actions() {
		other, listed := otherArguments[name]
		switch token := a.Rules().Token; {
		case token == action.NoToken:
			continue
		case token == action.TokenUnread && !listed: // it does nothing that could be repeated
			if got := w.Call(name, params[name]...); got.Code != "UnsupportedOperation" {
				t.Errorf("%s does not read its token, and answers %d %s", name, got.Status, got.Code)
			}
			continue
		case !listed:
			t.Errorf("%s has a client token and stands not in otherArguments", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			first := append([]string{"ClientToken", "one-" + name}, params[name]...)
			for range 2 {
				if got := w.Call(name, first...); got.Status != 200 {
					t.Fatalf("%d %s %s", got.Status, got.Code, got.Message)
				}
			}
			changed := slices.Clone(first)
			for i := 0; i < len(other); i += 2 {
				if at := slices.Index(changed, other[i]); at >= 0 {
					changed[at+1] = other[i+1]
				} else {
					changed = append(changed, other[i], other[i+1])
				}
			}
			if got := w.Call(name, changed...); got.Code != "IdempotentParameterMismatch" {
				t.Errorf("with %v: %d %s %s", other, got.Status, got.Code, got.Message)
			}
		})
	}
}
