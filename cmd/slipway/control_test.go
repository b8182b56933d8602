package main

import (
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// reason is an instance's state reason.
func (w *wire) reason(id string) string {
	return first(first(w.call("DescribeInstances", "InstanceId.1", id).body, "stateReason"), "code")
}

// TestProtection: termination protection holds its own zone, stop protection holds both, and neither holds a guest that switches itself off.
func TestProtection(t *testing.T) {
	w := newWire(t)
	in := func(zone string, more ...string) string {
		return w.launch("t3.micro", append(more, "Placement.AvailabilityZone", zone)...)
	}
	kept, beside, other := in("us-east-1a", "DisableApiTermination", "true"), in("us-east-1a"), in("us-east-1b")
	for _, id := range []string{kept, beside, other} {
		w.await(id, "running")
	}
	a := w.call("TerminateInstances", "InstanceId.1", kept, "InstanceId.2", beside, "InstanceId.3", other)
	if a.code != "OperationNotPermitted" || !strings.Contains(a.message, kept) || !strings.Contains(a.message, "disableApiTermination") {
		t.Errorf("a protected one among others: %s %q", a.code, a.message)
	}
	w.await(other, "terminated")
	for _, id := range []string{kept, beside} {
		if got := first(w.must("instanceState", "DescribeInstances", "InstanceId.1", id), "name"); got != "running" {
			t.Errorf("in the protected one's zone %s is %s", id, got)
		}
	}
	still := in("us-east-1c", "DisableApiStop", "true")
	w.await(still, "running")
	for _, action := range []string{"StopInstances", "TerminateInstances"} {
		if a := w.call(action, "InstanceId.1", still); a.code != "OperationNotPermitted" || !strings.Contains(a.message, "disableApiStop") {
			t.Errorf("%s of one that is protected against stops: %s %q", action, a.code, a.message)
		}
	}
	if got := first(w.must("disableApiTermination", "DescribeInstanceAttribute", "InstanceId", still, "Attribute", "disableApiTermination"), "value"); got != "false" {
		t.Errorf("stop protection changed disableApiTermination to %s", got)
	}
	w.must("return", "RebootInstances", "InstanceId.1", still)
	if err := w.host.VMM.PowerButton(t.Context(), slipway.InstanceID(still)); err != nil {
		t.Fatal(err)
	}
	w.await(still, "stopped")
	w.must("return", "ModifyInstanceAttribute", "InstanceId", still, "Attribute", "disableApiStop", "Value", "false") // the older form, as the CLI's --attribute sends it
	w.must("return", "ModifyInstanceAttribute", "InstanceId", kept, "Attribute", "disableApiTermination", "Value", "false")
	w.terminate(still, kept, beside)
}

// TestAttributesByName: the older form of ModifyInstanceAttribute does what the typed members do, or is refused.
func TestAttributesByName(t *testing.T) {
	w := newWire(t)
	id := w.launch("t3.micro")
	w.await(id, "running")
	w.must("instanceId", "StopInstances", "InstanceId.1", id)
	w.await(id, "stopped")
	for _, tt := range [][3]string{{"sourceDestCheck", "false", "false"}, {"ebsOptimized", "true", "true"}, {"disableApiStop", "TRUE", "true"}, {"instanceType", "t3.small", "t3.small"},
		{"instanceInitiatedShutdownBehavior", "terminate", "terminate"}, {"userData", "aGVsbG8=", "aGVsbG8="}} {
		w.must("return", "ModifyInstanceAttribute", "InstanceId", id, "Attribute", tt[0], "Value", tt[1])
		if got := first(w.must(tt[0], "DescribeInstanceAttribute", "InstanceId", id, "Attribute", tt[0]), "value"); got != tt[2] {
			t.Errorf("%s = %s is %q afterwards", tt[0], tt[1], got)
		}
	}
	group := w.must("groupId", "CreateSecurityGroup", "GroupName", "other", "GroupDescription", "x")
	w.must("return", "ModifyInstanceAttribute", "InstanceId", id, "Attribute", "groupSet", "GroupId.1", group)
	modify := func(more ...string) []string { return append([]string{"InstanceId", id}, more...) }
	w.refuses(t, []refusal{
		{"a value that is none", "InvalidParameterValue", "maybe", "ModifyInstanceAttribute", modify("Attribute", "ebsOptimized", "Value", "maybe")},
		{"a name that is none", "InvalidParameterValue", "colour", "ModifyInstanceAttribute", modify("Attribute", "colour", "Value", "red")},
		{"what cannot be changed", "InvalidParameterValue", "rootDeviceName", "ModifyInstanceAttribute", modify("Attribute", "rootDeviceName", "Value", "/dev/sda1")},
		{"a value without a name", "MissingParameter", "Attribute", "ModifyInstanceAttribute", modify("Value", "x")},
		{"a name without a value", "InvalidParameterValue", "value", "ModifyInstanceAttribute", modify("Attribute", "disableApiStop")},
		{"both forms", "InvalidParameterCombination", "multiple", "ModifyInstanceAttribute", modify("Attribute", "ebsOptimized", "Value", "true", "EbsOptimized.Value", "true")},
		{"a kernel", "UnsupportedInstanceAttribute", "aki-", "ModifyInstanceAttribute", modify("Attribute", "ramdisk", "Value", "ari-00000000")},
	})
}

// TestShutdownBehavior: what a guest's own power-off does, whatever protects the instance.
func TestShutdownBehavior(t *testing.T) {
	w := newWire(t)
	for behavior, want := range map[string]string{"": "stopped", "stop": "stopped", "terminate": "terminated"} {
		id := w.launch("t3.micro", "InstanceInitiatedShutdownBehavior", behavior, "DisableApiTermination", "true")
		w.await(id, "running")
		if err := w.host.VMM.PowerButton(t.Context(), slipway.InstanceID(id)); err != nil {
			t.Fatal(err)
		}
		w.await(id, want)
		if got := w.reason(id); got != "Client.InstanceInitiatedShutdown" {
			t.Errorf("behaviour %q: its reason is %s", behavior, got)
		}
	}
}

// TestInstanceStores: NVMe stores come by themselves, others by their mapping, and more than the type has are ignored.
func TestInstanceStores(t *testing.T) {
	w := newWire(t)
	stores := func(id string) []string {
		a, ok, err := w.hosts.Instance(t.Context(), hostID, slipway.InstanceID(id))
		if err != nil || !ok {
			t.Fatalf("%s: %v %v", id, ok, err)
		}
		var out []string
		for _, v := range a.Volumes {
			if v.Ephemeral {
				out = append(out, v.Device)
			}
		}
		return out
	}
	mapping := []string{"BlockDeviceMapping.1.DeviceName", "/dev/sdb", "BlockDeviceMapping.1.VirtualName", "ephemeral0", "BlockDeviceMapping.2.DeviceName", "/dev/sdc", "BlockDeviceMapping.2.VirtualName", "ephemeral7"}
	nvme, mapped, bare := w.launch("m5d.large"), w.launch("m3.medium", mapping...), w.launch("m3.medium")
	for _, tt := range []struct {
		name, id string
		want     int
	}{{"an NVMe type", nvme, 1}, {"a mapped store, and one too many", mapped, 1}, {"no mapping", bare, 0}} {
		w.await(tt.id, "running")
		if got := stores(tt.id); len(got) != tt.want {
			t.Errorf("%s: stores %v, want %d", tt.name, got, tt.want)
		}
	}
	if a, _, _ := w.hosts.Instance(t.Context(), hostID, slipway.InstanceID(mapped)); a.Metadata.Devices["ephemeral0"] != "sdb" {
		t.Errorf("its metadata name devices %v", a.Metadata.Devices)
	}
	if got := w.call("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", nvme).body; strings.Count(got, "<volumeId>") != strings.Count(got, "<attachmentSet>")+1 && strings.Count(got, "<item><volumeId>") > 1 {
		t.Errorf("an instance store is shown as a volume: %s", got)
	}
}

// TestSpotRequestsExpire: a persistent request whose time is over does not come back.
func TestSpotRequestsExpire(t *testing.T) {
	w := newWire(t)
	id := w.launch("t3.micro", "InstanceMarketOptions.MarketType", "spot", "InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent",
		"InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "stop", "InstanceMarketOptions.SpotOptions.ValidUntil", time.Now().Add(2*time.Second).UTC().Format(time.RFC3339Nano))
	request := first(w.call("DescribeInstances", "InstanceId.1", id).body, "spotInstanceRequestId")
	w.eventually("the request is closed", func() bool {
		return first(w.call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).body, "state") == "closed"
	})
	if got := first(first(w.call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).body, "status"), "code"); got != "schedule-expired" {
		t.Errorf("its status is %s", got)
	}
	w.terminate(id)
}

// TestStateChanges goes through the table of states and actions.
func TestStateChanges(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	w.terminate(o.gone(w))
	gone := o.gone(w)
	w.terminate(gone)
	for _, tt := range []struct{ name, action, id, code, current string }{
		{"start a running one", "StartInstances", o.running, "", "running"},
		{"start a terminated one", "StartInstances", gone, "IncorrectInstanceState", ""},
		{"stop a stopped one", "StopInstances", o.stopped, "", "stopped"},
		{"stop a terminated one", "StopInstances", gone, "IncorrectInstanceState", ""},
		{"reboot a stopped one", "RebootInstances", o.stopped, "IncorrectInstanceState", ""},
		{"reboot a terminated one", "RebootInstances", gone, "", ""},
		{"terminate a terminated one", "TerminateInstances", gone, "", "terminated"},
		{"start nobody", "StartInstances", "i-0123456789abcdef0", "InvalidInstanceID.NotFound", ""},
		{"stop what is no id", "StopInstances", "web", "InvalidInstanceID.Malformed", ""},
	} {
		a := w.call(tt.action, "InstanceId.1", tt.id)
		if a.code != tt.code || tt.current != "" && first(first(a.body, "currentState"), "name") != tt.current {
			t.Errorf("%s: %s %s", tt.name, a.code, a.body)
		}
	}
	if a := w.call("StopInstances"); a.code != "InvalidParameterCombination" || a.message != "No instances specified" {
		t.Errorf("stop without ids: %s %q", a.code, a.message)
	}
	// All or nothing: one unknown id, and the known one runs on.
	if a := w.call("StopInstances", "InstanceId.1", o.running, "InstanceId.2", "i-0123456789abcdef0"); a.code != "InvalidInstanceID.NotFound" {
		t.Errorf("one unknown id: %s", a.code)
	}
	if got := first(w.must("instanceState", "DescribeInstances", "InstanceId.1", o.running), "name"); got != "running" {
		t.Errorf("after a refused stop it is %s", got)
	}
	a := w.call("StopInstances", "InstanceId.1", o.running)
	if first(first(a.body, "currentState"), "code") != "64" || first(first(a.body, "previousState"), "code") != "16" {
		t.Errorf("a stop answers %s", a.body)
	}
	w.await(o.running, "stopped")
	body := w.call("DescribeInstances", "InstanceId.1", o.running).body
	if !strings.HasPrefix(first(body, "reason"), "User initiated (20") || !strings.HasSuffix(first(body, "reason"), " GMT)") || strings.Contains(body, "<ipAddress>") {
		t.Errorf("stopped, its reason is %q", first(body, "reason"))
	}
}

// gone is one more instance.
func (o world) gone(w *wire) string {
	id := w.launch("t3.micro")
	w.await(id, "running")
	return id
}

// TestQuotas: instances and vCPUs that the operator bounds, partly fulfilled down to MinCount.
func TestQuotas(t *testing.T) {
	w := newWire(t)
	w.edit("quota", "instances=3")
	run := func(least, most string) answer {
		return w.call("RunInstances", "ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", least, "MaxCount", most)
	}
	if a := run("4", "4"); a.code != "InstanceLimitExceeded" {
		t.Errorf("four of three: %s", a.code)
	}
	if a := run("2", "9"); a.status != 200 || strings.Count(a.body, "<instanceId>") != 3 {
		t.Errorf("two to nine of three: %d, %d instances", a.status, strings.Count(a.body, "<instanceId>"))
	}
	w.edit("quota", "instances=0", "vcpus=7")
	if a := run("1", "1"); a.code != "VcpuLimitExceeded" || !strings.Contains(a.message, "limit of 7 ") {
		t.Errorf("two more vCPUs than six of seven: %s %q", a.code, a.message)
	}
}

// TestR1ImagePermissions: who may launch an image, and what is said to those who may not.
func TestR1ImagePermissions(t *testing.T) {
	w := newWire(t)
	other := w.as(slipway.Account{})
	image := w.image()
	run := func(w *wire) answer {
		return w.call("RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	}
	w.change(image, func(im *slipway.Image) { im.Public = false })
	if a := run(w); a.code != "InvalidAMIID.NotFound" || a.message != "The image id '["+image+"]' does not exist" {
		t.Errorf("a private image: %s %q", a.code, a.message)
	}
	w.change(image, func(im *slipway.Image) { im.LaunchableBy = []string{other.keys.Account} })
	if a := run(other); a.status != 200 {
		t.Errorf("an image shared with the account: %s", a.code)
	}
	if a := run(w); a.code != "InvalidAMIID.NotFound" {
		t.Errorf("an image shared with another: %s", a.code)
	}
	w.change(image, func(im *slipway.Image) { im.Public, im.State = true, "deregistered" })
	if a := run(w); a.code != "InvalidAMIID.Unavailable" || !strings.Contains(a.message, "is no longer available") {
		t.Errorf("a deregistered image: %s %q", a.code, a.message)
	}
}

// TestR2DefaultSubnetAndZone: the default VPC's subnet of the zone asked for, or of a zone that is chosen; a VPC without subnets says so.
func TestR2DefaultSubnetAndZone(t *testing.T) {
	w := newWire(t)
	id := w.launch("t3.micro")
	body := w.call("DescribeInstances", "InstanceId.1", id).body
	if first(body, "availabilityZone") != "us-east-1a" || first(body, "vpcId") != w.must("vpcId", "DescribeVpcs", "Filter.1.Name", "is-default", "Filter.1.Value.1", "true") {
		t.Errorf("it is in %s of %s", first(body, "availabilityZone"), first(body, "vpcId"))
	}
	scope := state.Scope{Account: w.keys.Account, Region: "us-east-1"}
	drop := func(zones ...string) {
		err := w.db.Update(t.Context(), func(tx store.Tx) error {
			for s := range state.Subnets.All(tx, scope) {
				for _, z := range zones {
					if s.Zone == z {
						state.Subnets.Delete(tx, scope, string(s.ID))
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(more ...string) answer {
		return w.call("RunInstances", append([]string{"ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}, more...)...)
	}
	drop("us-east-1b")
	if a := run("Placement.AvailabilityZone", "us-east-1b"); a.code != "InvalidInput" || !strings.Contains(a.message, "No default subnet for availability zone: 'us-east-1b'.") {
		t.Errorf("a zone without a default subnet: %s %q", a.code, a.message)
	}
	drop("us-east-1a", "us-east-1c")
	if a := run(); a.code != "MissingInput" || !strings.Contains(a.message, "No subnets found for the default VPC") {
		t.Errorf("a default VPC without subnets: %s %q", a.code, a.message)
	}
}

// TestR7TypesWithoutIPv6 and R6: an interface always has a primary private address, and old types no IPv6.
func TestR7TypesWithoutIPv6(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	names := w.names(o)
	a := w.call("RunInstances", "ImageId", o.image, "InstanceType", "m1.small", "MinCount", "1", "MaxCount", "1", "SubnetId", names.Replace("$SUBNET"), "Ipv6AddressCount", "1")
	if a.code != "InvalidParameterCombination" || !strings.Contains(a.message, "m1.small") {
		t.Errorf("IPv6 for m1.small: %s %q", a.code, a.message)
	}
	if ip := w.must("privateIpAddress", "DescribeInstances", "InstanceId.1", o.running); ip == "" {
		t.Error("an instance has no private address")
	}
}

// TestR13TagsAtAndAfterLaunch: a bad tag launches nothing.
func TestR13TagsAtAndAfterLaunch(t *testing.T) {
	w := newWire(t)
	a := w.call("RunInstances", "ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1",
		"TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "aws:mine", "TagSpecification.1.Tag.1.Value", "x")
	if a.code != "InvalidParameterValue" || w.must("reservationSet", "DescribeInstances") != "" {
		t.Errorf("a reserved tag: %s, and there is %s", a.code, w.must("reservationSet", "DescribeInstances"))
	}
	id := w.launch("t3.micro", "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "disk", "TagSpecification.1.Tag.1.Value", "root",
		"TagSpecification.2.ResourceType", "network-interface", "TagSpecification.2.Tag.1.Key", "card", "TagSpecification.2.Tag.1.Value", "first")
	for kind, key := range map[string]string{"volume": "disk", "network-interface": "card"} {
		if got := w.must("resourceId", "DescribeTags", "Filter.1.Name", "resource-type", "Filter.1.Value.1", kind, "Filter.2.Name", "key", "Filter.2.Value.1", key); got == "" {
			t.Errorf("no %s has the tag %s", kind, key)
		}
	}
	w.must("return", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "later", "Tag.1.Value", "")
	if got := w.must("instanceId", "DescribeInstances", "Filter.1.Name", "tag-key", "Filter.1.Value.1", "later"); got != id {
		t.Errorf("tagged later it is found as %q", got)
	}
}
