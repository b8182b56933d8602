package instances_test

import (
	"slices"
	"slipway/internal/apitest"
	"testing"
)

// TestTheOrderOfChecks: of two faults a call answers for the one that docs/order-of-checks.md puts first. Each fault
// stands in order; every one is tried with every later one.
func TestTheOrderOfChecks(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	faults := []struct {
		what, code string
		params     []string
	}{
		{"an unknown parameter", "UnknownParameter", []string{"Colour", "red"}},
		{"a scalar that is none", "InvalidParameterValue", []string{"EbsOptimized", "perhaps"}},
		{"an unknown template", "InvalidLaunchTemplateId.NotFound",
			[]string{"LaunchTemplate.LaunchTemplateId", "lt-0123456789abcdef0"}},
		{"what slipway has not", "Unsupported", []string{"SecondaryInterface.1.DeviceIndex", "1"}},
		{"a value outside of its set", "InvalidParameterValue", []string{"InstanceInitiatedShutdownBehavior", "explode"}},
		{"more at least than one call launches", "ResourceCountExceeded", []string{"MinCount", "2000", "MaxCount", "2000"}},
		{"what excludes each other", "InvalidParameterCombination",
			[]string{"SubnetId", o.Subnet, "SecurityGroup.1", "default"}},
		{"a malformed group", "InvalidGroupId.Malformed", []string{"SecurityGroupId.1", "sg"}},
		{"a device twice", "InvalidBlockDeviceMapping",
			[]string{"BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.VirtualName", "ephemeral99"}},
		{"a malformed dedicated host", "InvalidHostID.Malformed", []string{"Placement.HostId", "h"}},
		{"an unknown image", "InvalidAMIID.NotFound", []string{"ImageId", "ami-0123456789abcdef0"}},
		{"an unknown type", "InvalidParameterValue", []string{"InstanceType", "t9.huge"}},
		{"an unknown key pair", "InvalidKeyPair.NotFound", []string{"KeyName", "nobody"}},
		{"an unknown zone", "InvalidParameterValue", []string{"Placement.AvailabilityZone", "us-east-1z"}},
		{"an unknown placement group", "InvalidPlacementGroup.Unknown", []string{"Placement.GroupName", "nobody"}},
	}
	// Two faults in one parameter cannot be sent, nor such that change each other's meaning.
	apart := func(a, b []string) bool {
		for i := 0; i < len(a); i += 2 {
			if slices.Contains(b, a[i]) {
				return false
			}
		}
		return true
	}
	n := 0
	for i, a := range faults {
		for _, b := range faults[i+1:] {
			if !apart(a.params, b.params) {
				continue
			}
			params := map[string]string{"ImageId": o.Image, "InstanceType": "t3.micro", "MinCount": "1", "MaxCount": "1"}
			for _, f := range [][]string{b.params, a.params} {
				for k := 0; k+1 < len(f); k += 2 {
					params[f[k]] = f[k+1]
				}
			}
			var list []string
			for k, v := range params {
				list = append(list, k, v)
			}
			n++
			if got := w.Call("RunInstances", list...); got.Code != a.code {
				t.Errorf("%s and %s: got %s %q, want %s", a.what, b.what, got.Code, got.Message, a.code)
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d pairs were tried", n)
	}
	// Then product codes, the dry run, the token, quotas.
	launch := []string{"ImageId", o.Image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "ClientToken", "once"}
	first := w.Call("RunInstances", launch...)
	w.Edit("quota", "instances=1")
	if a := w.Call("RunInstances", append(launch, "DryRun", "true")...); a.Code != "DryRunOperation" {
		t.Errorf("a dry run of what the quota would refuse: %s", a.Code)
	}
	if a := w.Call("RunInstances", launch...); a.Status != 200 || firstOf(a) != firstOf(first) {
		t.Errorf("a retry beyond the quota: %d %s", a.Status, a.Code)
	}
	if a := w.Call("RunInstances", launch[:8]...); a.Code != "InstanceLimitExceeded" {
		t.Errorf("a new call beyond the quota: %s", a.Code)
	}
}

func firstOf(a apitest.Answer) string { return apitest.First(a.Body, "reservationId") }
