package instances_test

import (
	"fmt"
	"testing"

	"slipway/internal/apitest"
)

// TestWhatALaunchRefusesNoChangeAllows (rule launch-rules): each rule of a launch that a Modify action could get around,
// refused with the same code by both.
func TestWhatALaunchRefusesNoChangeAllows(t *testing.T) {
	w := apitest.New(t)
	image, subnet := w.Image(), w.Must("subnetId", "DescribeSubnets")
	zone := w.Must("availabilityZone", "DescribeSubnets", "SubnetId.1", subnet)
	launch := func(kind string, more ...string) []string {
		return append([]string{"ImageId", image, "InstanceType", kind, "MinCount", "1", "MaxCount", "1"}, more...)
	}
	stopped := func(more ...string) string {
		id := w.Must("instanceId", "RunInstances", more...)
		w.Await(id, "running")
		w.Must("instanceId", "StopInstances", "InstanceId.1", id)
		w.Await(id, "stopped")
		return id
	}
	spot := []string{"InstanceMarketOptions.MarketType", "spot"}
	bid := w.Must("instanceId", "RunInstances", launch("t3.micro", spot...)...)
	plain := stopped(launch("m5.large", "Placement.AvailabilityZone", zone)...)
	w.Must("groupId", "CreatePlacementGroup", "GroupName", "near", "Strategy", "cluster")
	near := stopped(launch("m5.large", "Placement.GroupName", "near")...)
	small := stopped(launch("t3.micro", "Placement.AvailabilityZone", zone)...)

	twoCards := func(kind string) []string {
		return launch(kind, "NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.SubnetId", subnet,
			"NetworkInterface.1.SecondaryPrivateIpAddressCount", "5")
	}
	crowded := stopped(twoCards("m5.large")...)
	elsewhere := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.9.0.0/16")
	foreign := w.Must("groupId", "CreateSecurityGroup", "GroupName", "other", "GroupDescription", "x", "VpcId", elsewhere)
	var six, sixNamed []string
	for i := range 6 {
		g := w.Must("groupId", "CreateSecurityGroup", "GroupName", fmt.Sprint("g", i), "GroupDescription", "x")
		six, sixNamed = append(six, fmt.Sprintf("SecurityGroupId.%d", i+1), g), append(sixNamed, fmt.Sprintf("GroupId.%d", i+1), g)
	}
	attribute := func(id string, more ...string) []string { return append([]string{"InstanceId", id}, more...) }
	for _, tt := range []struct {
		name   string
		launch []string
		action string
		change []string
		code   string
	}{
		{"termination protection of a spot instance", launch("t3.micro", append(spot, "DisableApiTermination", "true")...),
			"ModifyInstanceAttribute", attribute(bid, "DisableApiTermination.Value", "true"), "InvalidParameterCombination"},
		{"the same, by name", nil, "ModifyInstanceAttribute",
			attribute(bid, "Attribute", "disableApiTermination", "Value", "true"), "InvalidParameterCombination"},
		{"stop protection of a spot instance", launch("t3.micro", append(spot, "DisableApiStop", "true")...),
			"ModifyInstanceAttribute", attribute(bid, "DisableApiStop.Value", "true"), "InvalidParameterCombination"},
		{"a type that no cluster takes", launch("t3.micro", "Placement.GroupName", "near"), "ModifyInstanceAttribute",
			attribute(near, "InstanceType.Value", "t3.micro"), "InvalidParameterCombination"},
		{"a cluster that does not take the type", nil, "ModifyInstancePlacement", attribute(small, "GroupName", "near"),
			"InvalidParameterCombination"},
		{"a partition without a group", launch("m5.large", "Placement.PartitionNumber", "1"), "ModifyInstancePlacement",
			attribute(plain, "PartitionNumber", "1"), "InvalidParameterCombination"},
		{"more addresses than the type has", twoCards("t3.micro"), "ModifyInstanceAttribute",
			attribute(crowded, "InstanceType.Value", "t3.micro"), "PrivateIpAddressLimitExceeded"},
		{"a group of another VPC", launch("m5.large", "SubnetId", subnet, "SecurityGroupId.1", foreign),
			"ModifyInstanceAttribute", attribute(plain, "GroupId.1", foreign), "InvalidParameter"},
		{"six groups", launch("m5.large", append([]string{"SubnetId", subnet}, six...)...), "ModifyInstanceAttribute",
			attribute(plain, sixNamed...), "SecurityGroupsPerInterfaceLimitExceeded"},
	} {
		if tt.launch != nil {
			w.Refuses(t, []apitest.Refusal{apitest.Case(tt.name+", launched", tt.code, "", "RunInstances", tt.launch)})
		}
		w.Refuses(t, []apitest.Refusal{apitest.Case(tt.name+", changed", tt.code, "", tt.action, tt.change)})
	}
	w.Must("return", "ModifyInstanceAttribute", attribute(bid, "DisableApiTermination.Value", "false")...)
	w.Must("return", "ModifyInstanceMetadataDefaults", "HttpTokensEnforced", "enabled")
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("tokens, launched", "InvalidParameterCombination", "HttpTokens", "RunInstances", launch("t3.micro")),
		apitest.Case("tokens, changed", "InvalidParameterCombination", "HttpTokens", "ModifyInstanceMetadataOptions",
			attribute(plain, "HttpTokens", "optional")),
	})
}
