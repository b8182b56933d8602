package controlplane_test

import (
	"fmt"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestWordsThatClientsMatch are EC2's own, seen in its answers: of what a request lacks, of templates and of limits.
func TestWordsThatClientsMatch(t *testing.T) {
	w := apitest.New(t)
	lt := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web", "LaunchTemplateData.InstanceType",
		"t3.micro")
	snap := w.Must("snapshotId", "DescribeImages", "Owner.1", "amazon")
	vpc := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.20.0.0/24")
	for i := range 4 {
		w.Must("associationId", "AssociateVpcCidrBlock", "VpcId", vpc, "CidrBlock", fmt.Sprintf("10.20.%d.0/24", i+1))
	}
	acl := w.Must("networkAclId", "DescribeNetworkAcls", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc)
	entry := func(number int) []string {
		return []string{"NetworkAclId", acl, "RuleNumber", fmt.Sprint(number), "Protocol", "-1", "RuleAction", "allow",
			"Egress", "false", "CidrBlock", "10.0.0.0/8"}
	}
	for n := 1; n < 40; n++ { // the fortieth is there from the start
		w.Must("return", "CreateNetworkAclEntry", entry(n)...)
	}
	launch := func(more ...string) []string {
		return append([]string{"ImageId", w.Image(), "MinCount", "1", "MaxCount", "1"}, more...)
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("unknown names of templates", "InvalidLaunchTemplateName.NotFoundException",
			"At least one of the launch templates specified in the request does not exist.",
			"DescribeLaunchTemplates", []string{"LaunchTemplateName.1", "web", "LaunchTemplateName.2", "gone"}),
		apitest.Case("a version of no template", "InvalidParameterValue", "launch template",
			"DescribeLaunchTemplateVersions", []string{"LaunchTemplateVersion.1", "1"}),
		apitest.Case("versions of nothing", "MissingParameter", "launch template", "DescribeLaunchTemplateVersions", nil),
		apitest.Case("a template by both", "InvalidParameterCombination",
			"Either provide launch template ID or launch template name to modify the template.",
			"ModifyLaunchTemplate", []string{"LaunchTemplateId", lt, "LaunchTemplateName", "web", "SetDefaultVersion", "1"}),
		apitest.Case("a default that is not there", "InvalidLaunchTemplateId.VersionNotFound",
			"The launch template version 2 is not found for the specified launch template.",
			"ModifyLaunchTemplate", []string{"LaunchTemplateId", lt, "SetDefaultVersion", "2"}),
		apitest.Case("a mapping of nothing", "MissingParameter", "The request must contain the parameter ebs", "RunInstances",
			launch("BlockDeviceMapping.1.DeviceName", "/dev/sdf")),
		apitest.Case("a volume of no size", "MissingParameter", "The request must contain the parameter size or snapshotId",
			"RunInstances", launch("BlockDeviceMapping.1.DeviceName", "/dev/sdf",
				"BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true")),
		apitest.Case("an image's volume of no size", "MissingParameter",
			"The request must contain the parameter size or snapshotId", "RegisterImage", []string{"Name", "new",
				"RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda",
				"BlockDeviceMapping.1.Ebs.SnapshotId", snap, "BlockDeviceMapping.2.DeviceName", "/dev/sdf",
				"BlockDeviceMapping.2.Ebs.VolumeType", "gp3"}),
		apitest.Case("a new volume of no size", "MissingParameter", "The request must contain the parameter size/snapshot",
			"CreateVolume", []string{"AvailabilityZone", "us-east-1a"}),
		apitest.Case("tags of nothing", "MissingParameter", "The request must contain the parameter resourceIdSet",
			"CreateTags", []string{"Tag.1.Key", "a", "Tag.1.Value", "b"}),
		apitest.Case("tags off nothing", "MissingParameter", "The request must contain the parameter resourceIdSet",
			"DeleteTags", []string{"Tag.1.Key", "a"}),
		apitest.Case("a sixth range", "CidrLimitExceeded",
			"This network '"+vpc+"' has met its maximum number of allowed CIDRs: 5", "AssociateVpcCidrBlock",
			[]string{"VpcId", vpc, "CidrBlock", "10.20.9.0/24"}),
		apitest.Case("a 41st entry", "NetworkAclEntryLimitExceeded", "", "CreateNetworkAclEntry", entry(50)),
	})
}

// TestShortageAdvisesZonesWithRoom: those that fail the same way are not advised.
func TestShortageAdvisesZonesWithRoom(t *testing.T) {
	w := apitest.New(t)
	w.SmallHosts()
	try := func() string {
		t.Helper()
		a := w.Call("RunInstances", "ImageId", w.Image(), "MinCount", "1", "MaxCount", "1", "InstanceType", "m5.2xlarge",
			"Placement.AvailabilityZone", "us-east-1a")
		if a.Code != "InsufficientInstanceCapacity" {
			t.Fatalf("32 GiB on a host of 8: %s %s", a.Code, a.Message)
		}
		return a.Message
	}
	if got := try(); strings.Contains(got, "choosing") || !strings.Contains(got, "(us-east-1a)") {
		t.Errorf("all zones lack room: %q", got)
	}
	err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		return state.Hosts.Put(tx, &slipway.Host{ID: "roomy", Zones: []string{"b", "d"}, VCPUs: 64, MemoryMiB: 65536})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := try(); !strings.HasSuffix(got, " or choosing us-east-1b, us-east-1d.") {
		t.Errorf("two zones have room: %q", got)
	}
}
