package instances_test

import (
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestProtection: termination protection holds its own zone, stop protection holds both, and neither holds a guest
// that switches itself off.
func TestProtection(t *testing.T) {
	w := apitest.New(t)
	in := func(zone string, more ...string) string {
		return w.Launch("t3.micro", append(more, "Placement.AvailabilityZone", zone)...)
	}
	kept, beside, other := in("us-east-1a", "DisableApiTermination", "true"), in("us-east-1a"), in("us-east-1b")
	for _, id := range []string{kept, beside, other} {
		w.Await(id, "running")
	}
	a := w.Call("TerminateInstances", "InstanceId.1", kept, "InstanceId.2", beside, "InstanceId.3", other)
	if a.Code != "OperationNotPermitted" || !strings.Contains(a.Message, kept) ||
		!strings.Contains(a.Message, "disableApiTermination") {
		t.Errorf("a protected one among others: %s %q", a.Code, a.Message)
	}
	w.Await(other, "terminated")
	for _, id := range []string{kept, beside} {
		if got := apitest.First(w.Must("instanceState", "DescribeInstances", "InstanceId.1", id), "name"); got != "running" {
			t.Errorf("in the protected one's zone %s is %s", id, got)
		}
	}
	still := in("us-east-1c", "DisableApiStop", "true")
	w.Await(still, "running")
	for _, action := range []string{"StopInstances", "TerminateInstances"} {
		if a := w.Call(action, "InstanceId.1", still); a.Code != "OperationNotPermitted" ||
			!strings.Contains(a.Message, "disableApiStop") {
			t.Errorf("%s of one that is protected against stops: %s %q", action, a.Code, a.Message)
		}
	}
	if got := apitest.First(w.Must("disableApiTermination", "DescribeInstanceAttribute", "InstanceId", still,
		"Attribute", "disableApiTermination"), "value"); got != "false" {
		t.Errorf("stop protection changed disableApiTermination to %s", got)
	}
	w.Must("return", "RebootInstances", "InstanceId.1", still)
	if err := w.Host.VMM.PowerButton(t.Context(), slipway.InstanceID(still)); err != nil {
		t.Fatal(err)
	}
	w.Await(still, "stopped")
	// the older form, as the CLI's --attribute sends it
	w.Must("return", "ModifyInstanceAttribute", "InstanceId", still, "Attribute", "disableApiStop", "Value", "false")
	w.Must("return", "ModifyInstanceAttribute", "InstanceId", kept, "Attribute", "disableApiTermination", "Value", "false")
	w.Terminate(still, kept, beside)
}

// TestAttributesByName: the older form of ModifyInstanceAttribute does what the typed members do, or is refused.
func TestAttributesByName(t *testing.T) {
	w := apitest.New(t)
	id := w.Launch("t3.micro")
	w.Await(id, "running")
	w.Must("instanceId", "StopInstances", "InstanceId.1", id)
	w.Await(id, "stopped")
	for _, tt := range [][3]string{
		{"sourceDestCheck", "false", "false"}, {"ebsOptimized", "true", "true"}, {"disableApiStop", "TRUE", "true"},
		{"instanceType", "t3.small", "t3.small"},
		{"instanceInitiatedShutdownBehavior", "terminate", "terminate"}, {"userData", "aGVsbG8=", "aGVsbG8="},
	} {
		w.Must("return", "ModifyInstanceAttribute", "InstanceId", id, "Attribute", tt[0], "Value", tt[1])
		if got := apitest.First(w.Must(tt[0], "DescribeInstanceAttribute", "InstanceId", id, "Attribute", tt[0]),
			"value"); got != tt[2] {
			t.Errorf("%s = %s is %q afterwards", tt[0], tt[1], got)
		}
	}
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "other", "GroupDescription", "x")
	w.Must("return", "ModifyInstanceAttribute", "InstanceId", id, "Attribute", "groupSet", "GroupId.1", group)
	modify := func(more ...string) []string { return append([]string{"InstanceId", id}, more...) }
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a value that is none", "InvalidParameterValue", "maybe", "ModifyInstanceAttribute",
			modify("Attribute", "ebsOptimized", "Value", "maybe")),
		apitest.Case("a name that is none", "InvalidParameterValue", "colour", "ModifyInstanceAttribute",
			modify("Attribute", "colour", "Value", "red")),
		apitest.Case("what cannot be changed", "InvalidParameterValue", "rootDeviceName", "ModifyInstanceAttribute",
			modify("Attribute", "rootDeviceName", "Value", "/dev/sda1")),
		apitest.Case("a value without a name", "MissingParameter", "Attribute", "ModifyInstanceAttribute",
			modify("Value", "x")),
		apitest.Case("a name without a value", "InvalidParameterValue", "value", "ModifyInstanceAttribute",
			modify("Attribute", "disableApiStop")),
		apitest.Case("both forms", "InvalidParameterCombination", "multiple", "ModifyInstanceAttribute",
			modify("Attribute", "ebsOptimized", "Value", "true", "EbsOptimized.Value", "true")),
		apitest.Case("a kernel", "UnsupportedInstanceAttribute", "aki-", "ModifyInstanceAttribute",
			modify("Attribute", "ramdisk", "Value", "ari-00000000")),
	})
}

// TestShutdownBehavior: what a guest's own power-off does, whatever protects the instance.
func TestShutdownBehavior(t *testing.T) {
	w := apitest.New(t)
	for behavior, want := range map[string]string{"": "stopped", "stop": "stopped", "terminate": "terminated"} {
		id := w.Launch("t3.micro", "InstanceInitiatedShutdownBehavior", behavior, "DisableApiTermination", "true")
		w.Await(id, "running")
		if err := w.Host.VMM.PowerButton(t.Context(), slipway.InstanceID(id)); err != nil {
			t.Fatal(err)
		}
		w.Await(id, want)
		if got := w.Reason(id); got != "Client.InstanceInitiatedShutdown" {
			t.Errorf("behaviour %q: its reason is %s", behavior, got)
		}
	}
}

// TestInstanceStores: NVMe stores come by themselves, others by their mapping, and more than the type has are ignored.
func TestInstanceStores(t *testing.T) {
	w := apitest.New(t)
	stores := func(id string) []string {
		a, ok, err := w.Hosts.Instance(t.Context(), apitest.HostID, slipway.InstanceID(id))
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
	mapping := []string{
		"BlockDeviceMapping.1.DeviceName", "/dev/sdb", "BlockDeviceMapping.1.VirtualName", "ephemeral0",
		"BlockDeviceMapping.2.DeviceName", "/dev/sdc", "BlockDeviceMapping.2.VirtualName", "ephemeral7",
	}
	nvme, mapped, bare := w.Launch("m5d.large"), w.Launch("m3.medium", mapping...), w.Launch("m3.medium")
	for _, tt := range []struct {
		name, id string
		want     int
	}{{"an NVMe type", nvme, 1}, {"a mapped store, and one too many", mapped, 1}, {"no mapping", bare, 0}} {
		w.Await(tt.id, "running")
		if got := stores(tt.id); len(got) != tt.want {
			t.Errorf("%s: stores %v, want %d", tt.name, got, tt.want)
		}
	}
	if a, _, _ := w.Hosts.Instance(t.Context(), apitest.HostID,
		slipway.InstanceID(mapped)); a.Metadata.Devices["ephemeral0"] != "sdb" {
		t.Errorf("its metadata name devices %v", a.Metadata.Devices)
	}
	if got := w.Call("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1",
		nvme).Body; strings.Count(got, "<volumeId>") != strings.Count(got, "<attachmentSet>")+1 &&
		strings.Count(got, "<item><volumeId>") > 1 {
		t.Errorf("an instance store is shown as a volume: %s", got)
	}
}

// TestStateChanges goes through the table of states and actions.
func TestStateChanges(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Terminate(o.Gone(w))
	gone := o.Gone(w)
	w.Terminate(gone)
	for _, tt := range []struct{ name, action, id, code, current string }{
		{"start a running one", "StartInstances", o.Running, "", "running"},
		{"start a terminated one", "StartInstances", gone, "IncorrectInstanceState", ""},
		{"stop a stopped one", "StopInstances", o.Stopped, "", "stopped"},
		{"stop a terminated one", "StopInstances", gone, "IncorrectInstanceState", ""},
		{"reboot a stopped one", "RebootInstances", o.Stopped, "IncorrectInstanceState", ""},
		{"reboot a terminated one", "RebootInstances", gone, "", ""},
		{"terminate a terminated one", "TerminateInstances", gone, "", "terminated"},
		{"start nobody", "StartInstances", "i-0123456789abcdef0", "InvalidInstanceID.NotFound", ""},
		{"stop what is no id", "StopInstances", "web", "InvalidInstanceID.Malformed", ""},
	} {
		a := w.Call(tt.action, "InstanceId.1", tt.id)
		if a.Code != tt.code || tt.current != "" && apitest.First(apitest.First(a.Body, "currentState"), "name") != tt.current {
			t.Errorf("%s: %s %s", tt.name, a.Code, a.Body)
		}
	}
	if a := w.Call("StopInstances"); a.Code != "InvalidParameterCombination" || a.Message != "No instances specified" {
		t.Errorf("stop without ids: %s %q", a.Code, a.Message)
	}
	// All or nothing: one unknown id, and the known one runs on.
	if a := w.Call("StopInstances", "InstanceId.1", o.Running, "InstanceId.2",
		"i-0123456789abcdef0"); a.Code != "InvalidInstanceID.NotFound" {
		t.Errorf("one unknown id: %s", a.Code)
	}
	if got := apitest.First(w.Must("instanceState", "DescribeInstances", "InstanceId.1", o.Running), "name"); got != "running" {
		t.Errorf("after a refused stop it is %s", got)
	}
	a := w.Call("StopInstances", "InstanceId.1", o.Running)
	if apitest.First(apitest.First(a.Body, "currentState"), "code") != "64" ||
		apitest.First(apitest.First(a.Body, "previousState"), "code") != "16" {
		t.Errorf("a stop answers %s", a.Body)
	}
	w.Await(o.Running, "stopped")
	body := w.Call("DescribeInstances", "InstanceId.1", o.Running).Body
	if !strings.HasPrefix(apitest.First(body, "reason"), "User initiated (20") ||
		!strings.HasSuffix(apitest.First(body, "reason"), " GMT)") || strings.Contains(body, "<ipAddress>") {
		t.Errorf("stopped, its reason is %q", apitest.First(body, "reason"))
	}
}

// TestQuotas: instances and vCPUs that the operator bounds, partly fulfilled down to MinCount.
func TestQuotas(t *testing.T) {
	w := apitest.New(t)
	w.Edit("quota", "instances=3")
	run := func(least, most string) apitest.Answer {
		return w.Call("RunInstances", "ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", least, "MaxCount", most)
	}
	if a := run("4", "4"); a.Code != "InstanceLimitExceeded" {
		t.Errorf("four of three: %s", a.Code)
	}
	if a := run("2", "9"); a.Status != 200 || strings.Count(a.Body, "<instanceId>") != 3 {
		t.Errorf("two to nine of three: %d, %d instances", a.Status, strings.Count(a.Body, "<instanceId>"))
	}
	w.Edit("quota", "instances=0", "vcpus=7")
	if a := run("1", "1"); a.Code != "VcpuLimitExceeded" || !strings.Contains(a.Message, "limit of 7 ") {
		t.Errorf("two more vCPUs than six of seven: %s %q", a.Code, a.Message)
	}
}

// TestR1ImagePermissions: who may launch an image, and what is said to those who may not.
func TestR1ImagePermissions(t *testing.T) {
	w := apitest.New(t)
	other := w.As(slipway.Account{})
	image := w.Image()
	run := func(w *apitest.Wire) apitest.Answer {
		return w.Call("RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	}
	w.Change(image, func(im *slipway.Image) { im.Public = false })
	if a := run(w); a.Code != "InvalidAMIID.NotFound" || a.Message != "The image id '["+image+"]' does not exist" {
		t.Errorf("a private image: %s %q", a.Code, a.Message)
	}
	w.Change(image, func(im *slipway.Image) { im.LaunchableBy = []string{other.Keys.Account} })
	if a := run(other); a.Status != 200 {
		t.Errorf("an image shared with the account: %s", a.Code)
	}
	if a := run(w); a.Code != "InvalidAMIID.NotFound" {
		t.Errorf("an image shared with another: %s", a.Code)
	}
	w.Change(image, func(im *slipway.Image) { im.Public, im.State = true, slipway.ImageStateFailed })
	if a := run(w); a.Code != "InvalidAMIID.Unavailable" || !strings.Contains(a.Message, "is no longer available") {
		t.Errorf("a deregistered image: %s %q", a.Code, a.Message)
	}
}

// TestR2DefaultSubnetAndZone: the default VPC's subnet of the zone asked for, or of a zone that is chosen; a VPC
// without subnets says so.
func TestR2DefaultSubnetAndZone(t *testing.T) {
	w := apitest.New(t)
	id := w.Launch("t3.micro")
	body := w.Call("DescribeInstances", "InstanceId.1", id).Body
	if apitest.First(body, "availabilityZone") != "us-east-1a" ||
		apitest.First(body, "vpcId") != w.Must("vpcId", "DescribeVpcs", "Filter.1.Name", "is-default",
			"Filter.1.Value.1", "true") {
		t.Errorf("it is in %s of %s", apitest.First(body, "availabilityZone"), apitest.First(body, "vpcId"))
	}
	scope := state.Scope{Account: w.Keys.Account, Region: "us-east-1"}
	drop := func(zones ...string) {
		err := w.DB.Update(t.Context(), func(tx store.Tx) error {
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
	run := func(more ...string) apitest.Answer {
		return w.Call("RunInstances",
			append([]string{"ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}, more...)...)
	}
	drop("us-east-1b")
	if a := run("Placement.AvailabilityZone", "us-east-1b"); a.Code != "InvalidInput" ||
		!strings.Contains(a.Message, "No default subnet for availability zone: 'us-east-1b'.") {
		t.Errorf("a zone without a default subnet: %s %q", a.Code, a.Message)
	}
	drop("us-east-1a", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f")
	if a := run(); a.Code != "MissingInput" || !strings.Contains(a.Message, "No subnets found for the default VPC") {
		t.Errorf("a default VPC without subnets: %s %q", a.Code, a.Message)
	}
}

// TestR7TypesWithoutIPv6 and R6: an interface always has a primary private address, and old types no IPv6.
func TestR7TypesWithoutIPv6(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	names := w.Names(o)
	a := w.Call("RunInstances", "ImageId", o.Image, "InstanceType", "m1.small", "MinCount", "1", "MaxCount", "1",
		"SubnetId", names.Replace("$SUBNET"), "Ipv6AddressCount", "1")
	if a.Code != "InvalidParameterCombination" || !strings.Contains(a.Message, "m1.small") {
		t.Errorf("IPv6 for m1.small: %s %q", a.Code, a.Message)
	}
	if ip := w.Must("privateIpAddress", "DescribeInstances", "InstanceId.1", o.Running); ip == "" {
		t.Error("an instance has no private address")
	}
}

// TestR13TagsAtAndAfterLaunch: a bad tag launches nothing.
func TestR13TagsAtAndAfterLaunch(t *testing.T) {
	w := apitest.New(t)
	a := w.Call("RunInstances", "ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1",
		"TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "aws:mine",
		"TagSpecification.1.Tag.1.Value", "x")
	if a.Code != "InvalidParameterValue" || w.Must("reservationSet", "DescribeInstances") != "" {
		t.Errorf("a reserved tag: %s, and there is %s", a.Code, w.Must("reservationSet", "DescribeInstances"))
	}
	id := w.Launch("t3.micro", "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "disk",
		"TagSpecification.1.Tag.1.Value", "root",
		"TagSpecification.2.ResourceType", "network-interface", "TagSpecification.2.Tag.1.Key", "card",
		"TagSpecification.2.Tag.1.Value", "first")
	for kind, key := range map[string]string{"volume": "disk", "network-interface": "card"} {
		if got := w.Must("resourceId", "DescribeTags", "Filter.1.Name", "resource-type", "Filter.1.Value.1", kind,
			"Filter.2.Name", "key", "Filter.2.Value.1", key); got == "" {
			t.Errorf("no %s has the tag %s", kind, key)
		}
	}
	w.Must("return", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "later", "Tag.1.Value", "")
	if got := w.Must("instanceId", "DescribeInstances", "Filter.1.Name", "tag-key", "Filter.1.Value.1", "later"); got != id {
		t.Errorf("tagged later it is found as %q", got)
	}
}
