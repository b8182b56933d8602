package timelines_test

import (
	"slipway/internal/apitest"
	"slipway/internal/timelines"
	"strings"
	"testing"
)

// TestExplain: the operator can ask why of an instance, its reservation and a refused call, and nothing private is told.
func TestExplain(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	id := w.Launch("t3.micro", "LaunchTemplate.LaunchTemplateName", "web", "MetadataOptions.HttpTokens", "required",
		"UserData", "c2VjcmV0c2VjcmV0",
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.VolumeSize", "3")
	w.Await(id, "running")
	text := func(id string) string {
		var b strings.Builder
		timelines.Explain(w.DB.Local(), id).Print(&b)
		return b.String()
	}
	got := text(id)
	for _, want := range []string{
		id + " is running on host local", "admitted", "network", "running", "zone: us-east-1a: ",
		"parameter InstanceType: request", "result type: t3.micro (request)",
		"result device /dev/xvda: 3 GiB gp2", "(request over image)", "result metadata HttpTokens: required (request)",
		"result metadata HttpEndpoint: enabled (default)",
		"result security groups: sg-", "(the network's default group)", "version 1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the explanation lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "secretsecret") || strings.Contains(got, "c2VjcmV0") {
		t.Errorf("the explanation tells user data:\n%s", got)
	}
	own := w.Launch("t3.small", "InstanceInitiatedShutdownBehavior", "terminate", "SecurityGroupId.1", o.Group)
	w.Await(own, "running")
	w.Must("return", "RebootInstances", "InstanceId.1", own)
	got = text(own)
	for _, want := range []string{
		"result type: t3.small (request)", "result shutdown behavior: terminate (request)",
		"result security groups: " + o.Group + " (request)", "reboot RebootInstances",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the explanation of a launch without a template lacks %q:\n%s", want, got)
		}
	}
	if r := w.Must("reservationId", "DescribeInstances", "InstanceId.1", id); !strings.Contains(text(r), "host local") {
		t.Errorf("of the reservation: %s", text(r))
	}
	a := w.Call("RunInstances", "ImageId", o.Image, "InstanceType", "t3.micro", "MinCount", "1000", "MaxCount", "1000",
		"Placement.GroupName", "nobody")
	if got := text(apitest.First(a.Body, "RequestID")); !strings.Contains(got, "refused: InvalidPlacementGroup.Unknown") {
		t.Errorf("of a refused call: %q", got)
	}
	if got := text("i-0123456789abcdef0"); got != "" {
		t.Errorf("of nobody: %q", got)
	}
}
