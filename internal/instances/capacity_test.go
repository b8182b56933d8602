package instances_test

import (
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
)

func TestHibernation(t *testing.T) {
	w := apitest.New(t)
	root := []string{
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.Encrypted", "true",
		"BlockDeviceMapping.1.Ebs.VolumeSize", "10", "HibernationOptions.Configured", "true",
	}
	id := w.Launch("m5.large", root...)
	w.Await(id, "running")
	w.Must("instanceId", "StopInstances", "InstanceId.1", id, "Hibernate", "true")
	w.Await(id, "stopped")
	body := w.Call("DescribeInstances", "InstanceId.1", id).Body
	if apitest.First(apitest.First(body, "stateReason"), "code") != "Client.UserInitiatedHibernate" ||
		apitest.First(apitest.First(body, "hibernationOptions"), "configured") != "true" {
		t.Errorf("hibernated, it says %s", apitest.First(body, "stateReason"))
	}
	w.Must("instanceId", "StartInstances", "InstanceId.1", id)
	w.Await(id, "running")
	plain := w.Launch("m5.large")
	w.Await(plain, "running")
	if a := w.Call("StopInstances", "InstanceId.1", plain, "Hibernate",
		"true"); a.Code != "UnsupportedHibernationConfiguration" {
		t.Errorf("one that was not asked for hibernation: %s", a.Code)
	}
	for name, more := range map[string][]string{
		"an unencrypted root":            {"InstanceType", "m5.large", "HibernationOptions.Configured", "true"},
		"a root smaller than the memory": append([]string{"InstanceType", "m5.4xlarge"}, root...),
		"a type that does not hibernate": append([]string{"InstanceType", "t1.micro"}, root...),
		"a root of a type that does not fit": append([]string{
			"InstanceType", "m5.large", "BlockDeviceMapping.1.Ebs.VolumeType", "standard",
		}, root...),
	} {
		if a := w.Call("RunInstances",
			append([]string{"ImageId", w.Image(), "MinCount", "1", "MaxCount", "1"},
				more...)...); a.Code != "UnsupportedHibernationConfiguration" {
			t.Errorf("%s: %d %s %s", name, a.Status, a.Code, a.Message)
		}
	}
}

// TestR15ImmediatelyTerminates: the call succeeds, and the instance says why it ended.
func TestR15ImmediatelyTerminates(t *testing.T) {
	w := apitest.New(t)
	w.Edit("quota", "volumes=1")
	a := w.Call("RunInstances", "ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "2", "MaxCount", "2")
	if a.Status != 200 || strings.Count(a.Body, "<name>pending</name>") != 2 {
		t.Fatalf("the call: %d %s", a.Status, a.Body)
	}
	ids := []string{}
	for _, part := range strings.Split(a.Body, "<instanceId>")[1:] {
		ids = append(ids, part[:19])
	}
	w.Await(ids[0], "running")
	w.Await(ids[1], "terminated")
	body := w.Call("DescribeInstances", "InstanceId.1", ids[1]).Body
	if r := apitest.First(body, "stateReason"); apitest.First(r, "code") != "Server.InternalError" ||
		apitest.First(r, "message") != "Client.VolumeLimitExceeded: Volume limit exceeded" {
		t.Errorf("the second one's reason is %s", r)
	}
	if strings.Contains(body, "<networkInterfaceId>") {
		t.Error("it still has an interface")
	}
}

// TestR9ProductCodes: an image of the marketplace launches for subscribers only, and says so under a dry run too.
func TestR9ProductCodes(t *testing.T) {
	w := apitest.New(t)
	image := w.Image()
	w.Change(image, func(im *slipway.Image) { im.ProductCodes = []string{"abc123"} })
	launch := []string{"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
	for _, dry := range []string{"false", "true"} {
		if a := w.Call("RunInstances", append(launch, "DryRun", dry)...); a.Code != "OptInRequired" ||
			a.Status != 401 || !strings.Contains(a.Message, "accept terms and subscribe") {
			t.Errorf("DryRun=%s: %d %s %s", dry, a.Status, a.Code, a.Message)
		}
	}
	w.Edit("subscribe", "abc123")
	a := w.Call("RunInstances", launch...)
	if a.Status != 200 || apitest.First(a.Body, "productCode") != "abc123" {
		t.Errorf("a subscriber: %d %s", a.Status, a.Body)
	}
}
