package dedicatedhosts_test

import (
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
)

func TestDedicatedHosts(t *testing.T) {
	w := apitest.New(t)
	host := apitest.First(w.Must("hostIdSet", "AllocateHosts", "AvailabilityZone", "us-east-1a", "InstanceType",
		"m5.large", "AutoPlacement", "off"), "item")
	if !strings.HasPrefix(host, "h-") {
		t.Fatalf("AllocateHosts answers %q", host)
	}
	zone := []string{"Placement.AvailabilityZone", "us-east-1a"}
	id := w.Launch("m5.large", append(zone, "Placement.HostId", host, "Placement.Affinity", "host")...)
	body := w.Call("DescribeInstances", "InstanceId.1", id).Body
	if apitest.First(body, "hostId") != host || apitest.First(body, "tenancy") != "host" ||
		apitest.First(body, "affinity") != "host" {
		t.Errorf("it is on %q with tenancy %q and affinity %q", apitest.First(body, "hostId"),
			apitest.First(body, "tenancy"), apitest.First(body, "affinity"))
	}
	for name, tt := range map[string]struct {
		code, kind string
		more       []string
	}{
		"no host takes it by itself":   {"InsufficientHostCapacity", "m5.large", append(zone, "Placement.Tenancy", "host")},
		"another type than the host's": {"UnsupportedInstanceTypeOnHost", "c5.large", append(zone, "Placement.HostId", host)},
		"another zone": {"ZonesMismatched", "m5.large",
			[]string{"Placement.AvailabilityZone", "us-east-1b", "Placement.HostId", host}},
		"an unknown host": {"InvalidHostID.NotFound", "m5.large",
			append(zone, "Placement.HostId", "h-0123456789abcdef0")},
		"a malformed host": {"InvalidHostID.Malformed", "m5.large", append(zone, "Placement.HostId", "h1")},
		"a host and another tenancy": {"InvalidParameterCombination", "m5.large",
			append(zone, "Placement.HostId", host, "Placement.Tenancy", "default")},
		"affinity without the tenancy": {"InvalidAffinity", "m5.large", append(zone, "Placement.Affinity", "host")},
		"spot on a dedicated host": {"InvalidParameterCombination", "m5.large",
			append(zone, "Placement.HostId", host, "InstanceMarketOptions.MarketType", "spot")},
		"more than the host has": {"InsufficientCapacityOnHost", "m5.large",
			append(zone, "Placement.HostId", host, "MinCount", "60", "MaxCount", "60")},
		"a resource group of hosts": {"UnsupportedOperation", "m5.large",
			append(zone, "Placement.HostResourceGroupArn", "arn:aws:x")},
		"an unknown tenancy":        {"InvalidParameterValue", "m5.large", append(zone, "Placement.Tenancy", "alone")},
		"a spread domain, reserved": {"UnsupportedOperation", "m5.large", append(zone, "Placement.SpreadDomain", "x")},
		"a partition without its group": {"InvalidParameterCombination", "m5.large",
			append(zone, "Placement.PartitionNumber", "1")},
	} {
		params := []string{"ImageId", w.Image(), "InstanceType", tt.kind}
		if !strings.Contains(strings.Join(tt.more, " "), "MinCount") {
			params = append(params, "MinCount", "1", "MaxCount", "1")
		}
		if a := w.Call("RunInstances", append(params, tt.more...)...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s, want %s", name, a.Status, a.Code, a.Message, tt.code)
		}
	}
	if got := w.Call("ReleaseHosts", "HostId.1", host).Body; !strings.Contains(got, "IncorrectState") {
		t.Errorf("a host with an instance is released: %s", got)
	}
	w.Must("successful", "ModifyHosts", "HostId.1", host, "AutoPlacement", "on")
	auto := w.Launch("m5.large", append(zone, "Placement.Tenancy", "host")...)
	if got := apitest.First(w.Call("DescribeInstances", "InstanceId.1", auto).Body, "hostId"); got != host {
		t.Errorf("with auto-placement it is on %q", got)
	}
	w.Terminate(id, auto)
	if got := w.Call("ReleaseHosts", "HostId.1", host).Body; apitest.First(got, "item") != host {
		t.Errorf("an empty host is not released: %s", got)
	}
	if a := w.Call("DescribeHosts", "HostId.1", host); apitest.First(a.Body, "state") != "released" {
		t.Errorf("a released host: %s %s", a.Code, a.Body)
	}
	for name, answer := range map[string]apitest.Answer{
		"a launch onto it": w.Call("RunInstances", append(zone, "ImageId", w.Image(), "InstanceType", "m5.large", "MinCount", "1",
			"MaxCount", "1", "Placement.Tenancy", "host", "Placement.HostId", host)...),
		"a launch that names none": w.Call("RunInstances", append(zone, "ImageId", w.Image(), "InstanceType", "m5.large",
			"MinCount", "1", "MaxCount", "1", "Placement.Tenancy", "host")...),
	} {
		if answer.Code != "InvalidHostID.NotFound" && answer.Code != "InsufficientHostCapacity" {
			t.Errorf("%s: %s", name, answer.Code)
		}
	}
	if got := w.Call("ReleaseHosts", "HostId.1", host).Body; !strings.Contains(got, "IncorrectState") {
		t.Errorf("a released host is released again: %s", got)
	}
}

// TestDedicatedInstancesAreAlone: one account's dedicated instance and another account's instance do not share a machine.
func TestDedicatedInstancesAreAlone(t *testing.T) {
	w := apitest.New(t)
	other := w.As(slipway.Account{})
	id := w.Launch("m5.large", "Placement.Tenancy", "dedicated")
	try := func(w *apitest.Wire, more ...string) apitest.Answer {
		return w.Call("RunInstances",
			append([]string{"ImageId", w.Image(), "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1"}, more...)...)
	}
	if a := try(other); a.Code != "InsufficientInstanceCapacity" || a.Status != 500 {
		t.Errorf("beside another account's dedicated instance: %d %s", a.Status, a.Code)
	}
	own := w.Launch("m5.large")
	w.Terminate(id, own)
	theirs := other.Launch("m5.large")
	if a := try(w, "Placement.Tenancy", "dedicated"); a.Code != "InsufficientInstanceCapacity" {
		t.Errorf("dedicated beside another account's instance: %s", a.Code)
	}
	other.Terminate(theirs)
}
