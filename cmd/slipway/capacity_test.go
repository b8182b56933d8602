package main

import (
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// ledger is what the one host has promised, in instances, vCPUs and MiB.
func (w *wire) ledger() [3]int {
	b := state.Ledgers.See(w.db.Local(), state.Global, string(hostID))
	if b == nil {
		return [3]int{}
	}
	return [3]int{b.Instances, b.VCPUs, b.MemoryMiB}
}

// launch runs one instance of a type with further parameters.
func (w *wire) launch(kind string, more ...string) string {
	w.t.Helper()
	return w.must("instanceId", "RunInstances", append([]string{"ImageId", w.image(), "InstanceType", kind, "MinCount", "1", "MaxCount", "1"}, more...)...)
}

func (w *wire) terminate(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.must("instanceId", "TerminateInstances", "InstanceId.1", id)
		w.await(id, "terminated")
	}
}

func TestCapacityReservationsKeepRoom(t *testing.T) {
	w := newWire(t)
	before := w.ledger()
	reserve := []string{"InstanceType", "m5.large", "InstancePlatform", "Linux/UNIX", "AvailabilityZone", "us-east-1a"}
	open := w.must("capacityReservationId", "CreateCapacityReservation", append(reserve, "InstanceCount", "2")...)
	targeted := w.must("capacityReservationId", "CreateCapacityReservation", append(reserve, "InstanceCount", "1", "InstanceMatchCriteria", "targeted")...)
	if got := w.ledger(); got[0] != before[0]+3 || got[1] != before[1]+6 {
		t.Errorf("three reserved m5.large are charged as %v, before %v", got, before)
	}
	free := func(id string) string {
		return w.must("availableInstanceCount", "DescribeCapacityReservations", "CapacityReservationId.1", id)
	}
	in := func(id string) string {
		return first(w.call("DescribeInstances", "InstanceId.1", id).body, "capacityReservationId")
	}
	zone := []string{"Placement.AvailabilityZone", "us-east-1a"}
	a := w.launch("m5.large", zone...)
	if in(a) != open || free(open) != "1" || free(targeted) != "1" {
		t.Errorf("an open launch runs in %q; free are %s and %s", in(a), free(open), free(targeted))
	}
	if got := w.ledger(); got[0] != before[0]+3 {
		t.Errorf("an instance in a reservation is charged again: %v", got)
	}
	none := w.launch("m5.large", append(zone, "CapacityReservationSpecification.CapacityReservationPreference", "none")...)
	other := w.launch("m5.xlarge", zone...)
	if in(none) != "" || in(other) != "" {
		t.Errorf("a launch that wants none runs in %q, one of another type in %q", in(none), in(other))
	}
	b := w.launch("m5.large", append(zone, "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", targeted)...)
	if in(b) != targeted || free(targeted) != "0" {
		t.Errorf("a launch that names its reservation runs in %q", in(b))
	}
	run := func(more ...string) answer {
		return w.call("RunInstances", append([]string{"ImageId", w.image(), "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1", "Placement.AvailabilityZone", "us-east-1a"}, more...)...)
	}
	for name, tt := range map[string]struct {
		code string
		more []string
	}{
		"a full reservation": {"ReservationCapacityExceeded", []string{"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", targeted}},
		"reserved capacity or none, for two": {"ReservationCapacityExceeded", []string{"CapacityReservationSpecification.CapacityReservationPreference", "capacity-reservations-only",
			"MinCount", "2"}},
		"an unknown one":        {"InvalidCapacityReservationId.NotFound", []string{"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", "cr-0123456789abcdef0"}},
		"a malformed one":       {"InvalidCapacityReservationId.Malformed", []string{"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", "cr-1"}},
		"a preference and one":  {"InvalidParameterCombination", []string{"CapacityReservationSpecification.CapacityReservationPreference", "none", "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", open}},
		"an unknown preference": {"InvalidParameterValue", []string{"CapacityReservationSpecification.CapacityReservationPreference", "perhaps"}},
	} {
		params := map[string]string{"ImageId": w.image(), "InstanceType": "m5.large", "MinCount": "1", "MaxCount": "2", "Placement.AvailabilityZone": "us-east-1a"}
		for i := 0; i+1 < len(tt.more); i += 2 {
			params[tt.more[i]] = tt.more[i+1]
		}
		var list []string
		for k, v := range params {
			list = append(list, k, v)
		}
		if a := w.call("RunInstances", list...); a.code != tt.code {
			t.Errorf("%s: %d %s %s, want %s", name, a.status, a.code, a.message, tt.code)
		}
	}
	// The last free place of the open one, then on-demand.
	mixed := run()
	if got := first(mixed.body, "capacityReservationId"); got != open {
		t.Errorf("the second open launch runs in %q", got)
	}
	w.must("return", "CancelCapacityReservation", "CapacityReservationId", open)
	if a := w.call("CancelCapacityReservation", "CapacityReservationId", open); a.code != "IncorrectState" {
		t.Errorf("cancelled twice: %s", a.code)
	}
	w.terminate(a, b, none, other, first(mixed.body, "instanceId"))
	if got, want := w.ledger(), before[0]+1; got[0] != want {
		t.Errorf("with all instances gone and one targeted reservation left, the ledger says %v, want %d instances", got, want)
	}
	w.must("return", "ModifyCapacityReservation", "CapacityReservationId", targeted, "EndDateType", "limited", "EndDate", time.Now().Add(1500*time.Millisecond).UTC().Format(time.RFC3339Nano))
	w.eventually("the reservation has expired", func() bool {
		return w.must("state", "DescribeCapacityReservations", "CapacityReservationId.1", targeted) == "expired"
	})
	if got := w.ledger(); got != before {
		t.Errorf("after everything the ledger says %v, before %v", got, before)
	}
}

func TestDedicatedHosts(t *testing.T) {
	w := newWire(t)
	host := first(w.must("hostIdSet", "AllocateHosts", "AvailabilityZone", "us-east-1a", "InstanceType", "m5.large", "AutoPlacement", "off"), "item")
	if !strings.HasPrefix(host, "h-") {
		t.Fatalf("AllocateHosts answers %q", host)
	}
	zone := []string{"Placement.AvailabilityZone", "us-east-1a"}
	id := w.launch("m5.large", append(zone, "Placement.HostId", host, "Placement.Affinity", "host")...)
	body := w.call("DescribeInstances", "InstanceId.1", id).body
	if first(body, "hostId") != host || first(body, "tenancy") != "host" || first(body, "affinity") != "host" {
		t.Errorf("it is on %q with tenancy %q and affinity %q", first(body, "hostId"), first(body, "tenancy"), first(body, "affinity"))
	}
	for name, tt := range map[string]struct {
		code, kind string
		more       []string
	}{
		"no host takes it by itself":    {"InsufficientHostCapacity", "m5.large", append(zone, "Placement.Tenancy", "host")},
		"another type than the host's":  {"UnsupportedInstanceTypeOnHost", "c5.large", append(zone, "Placement.HostId", host)},
		"another zone":                  {"ZonesMismatched", "m5.large", []string{"Placement.AvailabilityZone", "us-east-1b", "Placement.HostId", host}},
		"an unknown host":               {"InvalidHostID.NotFound", "m5.large", append(zone, "Placement.HostId", "h-0123456789abcdef0")},
		"a malformed host":              {"InvalidHostID.Malformed", "m5.large", append(zone, "Placement.HostId", "h1")},
		"a host and another tenancy":    {"InvalidParameterCombination", "m5.large", append(zone, "Placement.HostId", host, "Placement.Tenancy", "default")},
		"affinity without the tenancy":  {"InvalidAffinity", "m5.large", append(zone, "Placement.Affinity", "host")},
		"spot on a dedicated host":      {"InvalidParameterCombination", "m5.large", append(zone, "Placement.HostId", host, "InstanceMarketOptions.MarketType", "spot")},
		"more than the host has":        {"InsufficientCapacityOnHost", "m5.large", append(zone, "Placement.HostId", host, "MinCount", "60", "MaxCount", "60")},
		"a resource group of hosts":     {"UnsupportedOperation", "m5.large", append(zone, "Placement.HostResourceGroupArn", "arn:aws:x")},
		"an unknown tenancy":            {"InvalidParameterValue", "m5.large", append(zone, "Placement.Tenancy", "alone")},
		"a spread domain, reserved":     {"UnsupportedOperation", "m5.large", append(zone, "Placement.SpreadDomain", "x")},
		"a partition without its group": {"InvalidParameterCombination", "m5.large", append(zone, "Placement.PartitionNumber", "1")},
	} {
		params := []string{"ImageId", w.image(), "InstanceType", tt.kind}
		if !strings.Contains(strings.Join(tt.more, " "), "MinCount") {
			params = append(params, "MinCount", "1", "MaxCount", "1")
		}
		if a := w.call("RunInstances", append(params, tt.more...)...); a.code != tt.code {
			t.Errorf("%s: %d %s %s, want %s", name, a.status, a.code, a.message, tt.code)
		}
	}
	if got := w.call("ReleaseHosts", "HostId.1", host).body; !strings.Contains(got, "IncorrectState") {
		t.Errorf("a host with an instance is released: %s", got)
	}
	w.must("successful", "ModifyHosts", "HostId.1", host, "AutoPlacement", "on")
	auto := w.launch("m5.large", append(zone, "Placement.Tenancy", "host")...)
	if got := first(w.call("DescribeInstances", "InstanceId.1", auto).body, "hostId"); got != host {
		t.Errorf("with auto-placement it is on %q", got)
	}
	w.terminate(id, auto)
	if got := w.call("ReleaseHosts", "HostId.1", host).body; first(got, "item") != host {
		t.Errorf("an empty host is not released: %s", got)
	}
	if a := w.call("DescribeHosts", "HostId.1", host); a.code != "InvalidHostID.NotFound" {
		t.Errorf("a released host: %s", a.code)
	}
}

// TestDedicatedInstancesAreAlone: one account's dedicated instance and another account's instance do not share a machine.
func TestDedicatedInstancesAreAlone(t *testing.T) {
	w := newWire(t)
	other := w.as(slipway.Account{})
	id := w.launch("m5.large", "Placement.Tenancy", "dedicated")
	try := func(w *wire, more ...string) answer {
		return w.call("RunInstances", append([]string{"ImageId", w.image(), "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1"}, more...)...)
	}
	if a := try(other); a.code != "InsufficientInstanceCapacity" || a.status != 500 {
		t.Errorf("beside another account's dedicated instance: %d %s", a.status, a.code)
	}
	own := w.launch("m5.large")
	w.terminate(id, own)
	theirs := other.launch("m5.large")
	if a := try(w, "Placement.Tenancy", "dedicated"); a.code != "InsufficientInstanceCapacity" {
		t.Errorf("dedicated beside another account's instance: %s", a.code)
	}
	other.terminate(theirs)
}

func TestSpot(t *testing.T) {
	w := newWire(t)
	spot := []string{"InstanceMarketOptions.MarketType", "spot"}
	id := w.launch("t3.micro", append(spot, "TagSpecification.1.ResourceType", "spot-instances-request", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v")...)
	body := w.call("DescribeInstances", "InstanceId.1", id).body
	request := first(body, "spotInstanceRequestId")
	if first(body, "instanceLifecycle") != "spot" || !strings.HasPrefix(request, "sir-") || len(request) != 12 {
		t.Errorf("its lifecycle is %q, its request %q", first(body, "instanceLifecycle"), request)
	}
	w.await(id, "running")
	got := w.call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).body
	if first(got, "state") != "active" || first(first(got, "status"), "code") != "fulfilled" || first(got, "launchSpecification") == "" || first(got, "instanceId") != id || !strings.Contains(got, "<key>k</key>") {
		t.Errorf("the request is %s", got)
	}
	if a := w.call("StopInstances", "InstanceId.1", id); a.code != "UnsupportedOperation" {
		t.Errorf("a one-time spot instance is stopped: %s", a.code)
	}

	t.Run("an interruption is noticed, then comes", func(t *testing.T) {
		if err := w.api.Instances.GiveNotice(t.Context(), slipway.InstanceID(id), time.Second, 0); err != nil {
			t.Fatal(err)
		}
		a, _, err := w.hosts.Instance(t.Context(), hostID, slipway.InstanceID(id))
		if err != nil || a.Metadata.Interruption == nil || a.Metadata.Interruption.Action != "terminate" {
			t.Errorf("the metadata show %+v (%v)", a.Metadata.Interruption, err)
		}
		w.await(id, "terminated")
		body := w.call("DescribeInstances", "InstanceId.1", id).body
		if code := first(first(body, "stateReason"), "code"); code != "Server.SpotInstanceTermination" {
			t.Errorf("its reason is %s", code)
		}
		if got := w.must("state", "DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request); got != "closed" {
			t.Errorf("the request is %s", got)
		}
	})
	t.Run("a persistent one comes back", func(t *testing.T) {
		id := w.launch("t3.micro", append(spot, "InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent", "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "stop")...)
		w.await(id, "running")
		if err := w.api.Instances.GiveNotice(t.Context(), slipway.InstanceID(id), 0, 1500*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		w.await(id, "stopped")
		if a := w.call("StartInstances", "InstanceId.1", id); a.code != "IncorrectSpotRequestState" {
			t.Errorf("started by hand while its capacity is away: %s", a.code)
		}
		w.await(id, "running")
		request := first(w.call("DescribeInstances", "InstanceId.1", id).body, "spotInstanceRequestId")
		w.terminate(id)
		w.eventually("another instance serves the request", func() bool {
			next := first(w.call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).body, "instanceId")
			return next != "" && next != id
		})
		next := w.must("instanceId", "DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request)
		w.must("state", "CancelSpotInstanceRequests", "SpotInstanceRequestId.1", request)
		if got := first(first(w.call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).body, "status"), "code"); got != "request-canceled-and-instance-running" {
			t.Errorf("cancelled, its status is %s", got)
		}
		w.terminate(next)
	})
	t.Run("RequestSpotInstances", func(t *testing.T) {
		spec := []string{"LaunchSpecification.ImageId", w.image(), "LaunchSpecification.InstanceType", "t3.micro", "InstanceCount", "2", "ClientToken", "once"}
		a := w.call("RequestSpotInstances", spec...)
		if strings.Count(a.body, "<spotInstanceRequestId>") != 2 || strings.Count(a.body, "<state>active</state>") != 2 {
			t.Errorf("two were asked for: %s", a.body)
		}
		if again := w.call("RequestSpotInstances", spec...); first(again.body, "spotInstanceRequestId") != first(a.body, "spotInstanceRequestId") {
			t.Error("the same token made other requests")
		}
		low := w.must("spotInstanceRequestId", "RequestSpotInstances", "SpotPrice", "0.002", "LaunchSpecification.ImageId", w.image(), "LaunchSpecification.InstanceType", "m5.4xlarge")
		if got := first(first(w.call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", low).body, "status"), "code"); got != "price-too-low" {
			t.Errorf("a low bid waits with status %q", got)
		}
	})
	for name, tt := range map[string]struct {
		code string
		more []string
	}{
		"a bid below the price":                {"SpotMaxPriceTooLow", append(spot, "InstanceMarketOptions.SpotOptions.MaxPrice", "0.0011")},
		"a bid of nothing":                     {"InvalidParameterValue", append(spot, "InstanceMarketOptions.SpotOptions.MaxPrice", "0.0001")},
		"an unknown market":                    {"InvalidParameterValue", []string{"InstanceMarketOptions.MarketType", "flea"}},
		"a capacity block":                     {"UnsupportedOperation", []string{"InstanceMarketOptions.MarketType", "capacity-block"}},
		"stopped at interruption, one-time":    {"InvalidParameterCombination", append(spot, "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "stop")},
		"an end for a one-time request":        {"InvalidParameterCombination", append(spot, "InstanceMarketOptions.SpotOptions.ValidUntil", "2030-01-01T00:00:00Z")},
		"a spot block":                         {"Unsupported", append(spot, "InstanceMarketOptions.SpotOptions.BlockDurationMinutes", "60")},
		"protected against termination":        {"InvalidParameterCombination", append(spot, "DisableApiTermination", "true")},
		"an unknown kind of request":           {"InvalidParameterValue", append(spot, "InstanceMarketOptions.SpotOptions.SpotInstanceType", "twice")},
		"hibernated without hibernation asked": {"UnsupportedHibernationConfiguration", append(spot, "InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent", "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "hibernate")},
	} {
		params := []string{"ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
		if a := w.call("RunInstances", append(params, tt.more...)...); a.code != tt.code {
			t.Errorf("%s: %d %s %s, want %s", name, a.status, a.code, a.message, tt.code)
		}
	}
	if a := w.call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", "sir-00000000"); a.code != "InvalidSpotInstanceRequestID.NotFound" {
		t.Errorf("an unknown request: %s", a.code)
	}
	if got := w.must("spotPrice", "DescribeSpotPriceHistory", "InstanceType.1", "t3.micro", "AvailabilityZone", "us-east-1a"); got == "" || got == "0.000000" {
		t.Errorf("the price of t3.micro is %q", got)
	}
	w.edit("quota", "spot-instances=1")
	if a := w.call("RunInstances", append([]string{"ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "2", "MaxCount", "2"}, spot...)...); a.code != "MaxSpotInstanceCountExceeded" {
		t.Errorf("beyond the quota: %s", a.code)
	}
}

func TestHibernation(t *testing.T) {
	w := newWire(t)
	root := []string{"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.Encrypted", "true", "BlockDeviceMapping.1.Ebs.VolumeSize", "10", "HibernationOptions.Configured", "true"}
	id := w.launch("m5.large", root...)
	w.await(id, "running")
	w.must("instanceId", "StopInstances", "InstanceId.1", id, "Hibernate", "true")
	w.await(id, "stopped")
	body := w.call("DescribeInstances", "InstanceId.1", id).body
	if first(first(body, "stateReason"), "code") != "Client.UserInitiatedHibernate" || first(first(body, "hibernationOptions"), "configured") != "true" {
		t.Errorf("hibernated, it says %s", first(body, "stateReason"))
	}
	w.must("instanceId", "StartInstances", "InstanceId.1", id)
	w.await(id, "running")
	plain := w.launch("m5.large")
	w.await(plain, "running")
	if a := w.call("StopInstances", "InstanceId.1", plain, "Hibernate", "true"); a.code != "UnsupportedHibernationConfiguration" {
		t.Errorf("one that was not asked for hibernation: %s", a.code)
	}
	for name, more := range map[string][]string{
		"an unencrypted root":                {"InstanceType", "m5.large", "HibernationOptions.Configured", "true"},
		"a root smaller than the memory":     append([]string{"InstanceType", "m5.4xlarge"}, root...),
		"a type that does not hibernate":     append([]string{"InstanceType", "t1.micro"}, root...),
		"a root of a type that does not fit": append([]string{"InstanceType", "m5.large", "BlockDeviceMapping.1.Ebs.VolumeType", "standard"}, root...),
	} {
		if a := w.call("RunInstances", append([]string{"ImageId", w.image(), "MinCount", "1", "MaxCount", "1"}, more...)...); a.code != "UnsupportedHibernationConfiguration" {
			t.Errorf("%s: %d %s %s", name, a.status, a.code, a.message)
		}
	}
}

// TestR15ImmediatelyTerminates: the call succeeds, and the instance says why it ended.
func TestR15ImmediatelyTerminates(t *testing.T) {
	w := newWire(t)
	w.edit("quota", "volumes=1")
	a := w.call("RunInstances", "ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "2", "MaxCount", "2")
	if a.status != 200 || strings.Count(a.body, "<name>pending</name>") != 2 {
		t.Fatalf("the call: %d %s", a.status, a.body)
	}
	ids := []string{}
	for _, part := range strings.Split(a.body, "<instanceId>")[1:] {
		ids = append(ids, part[:19])
	}
	w.await(ids[0], "running")
	w.await(ids[1], "terminated")
	body := w.call("DescribeInstances", "InstanceId.1", ids[1]).body
	if r := first(body, "stateReason"); first(r, "code") != "Server.InternalError" || first(r, "message") != "Client.VolumeLimitExceeded: Volume limit exceeded" {
		t.Errorf("the second one's reason is %s", r)
	}
	if strings.Contains(body, "<networkInterfaceId>") {
		t.Error("it still has an interface")
	}
}

// TestR9ProductCodes: an image of the marketplace launches for subscribers only, and says so under a dry run too.
func TestR9ProductCodes(t *testing.T) {
	w := newWire(t)
	image := w.image()
	w.change(image, func(im *slipway.Image) { im.ProductCodes = []string{"abc123"} })
	launch := []string{"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
	for _, dry := range []string{"false", "true"} {
		if a := w.call("RunInstances", append(launch, "DryRun", dry)...); a.code != "OptInRequired" || a.status != 401 || !strings.Contains(a.message, "accept terms and subscribe") {
			t.Errorf("DryRun=%s: %d %s %s", dry, a.status, a.code, a.message)
		}
	}
	w.edit("subscribe", "abc123")
	a := w.call("RunInstances", launch...)
	if a.status != 200 || first(a.body, "productCode") != "abc123" {
		t.Errorf("a subscriber: %d %s", a.status, a.body)
	}
}

// change edits a system image, as only its owner may.
func (w *wire) change(image string, edit func(*slipway.Image)) {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx store.Tx) error {
		return state.Images.Edit(tx, state.Global, image, func(im *slipway.Image) error { edit(im); return nil })
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
