package controlplane_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/internal/apitest"
)

// TestEmptyListsOfTags are left out or shown as EC2's examples of each action do: none of them is both.
func TestEmptyListsOfTags(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Names(o)
	w.Must("allocationId", "AllocateAddress", "Domain", "vpc")
	empty := regexp.MustCompile(`<tagSet></tagSet>|<tagSet/>`)
	shown := map[string]string{ // of each action that answers with a list of tags: whether an empty one is shown
		"RunInstances":           w.Call("RunInstances", "ImageId", o.Image, "MinCount", "1", "MaxCount", "1").Body,
		"CreateVolume":           w.Call("CreateVolume", "Size", "1", "AvailabilityZone", "us-east-1a").Body,
		"CreateSnapshot":         w.Call("CreateSnapshot", "VolumeId", o.Volume).Body,
		"CreateVpc":              w.Call("CreateVpc", "CidrBlock", "10.77.0.0/16").Body,
		"CreateSubnet":           w.Call("CreateSubnet", "VpcId", o.VPC, "CidrBlock", "172.31.250.0/24").Body,
		"CreateSecurityGroup":    w.Call("CreateSecurityGroup", "GroupName", "bare", "GroupDescription", "bare").Body,
		"CreateNetworkInterface": w.Call("CreateNetworkInterface", "SubnetId", o.Subnet).Body,
		"CreateLaunchTemplate": w.Call("CreateLaunchTemplate", "LaunchTemplateName", "bare", "LaunchTemplateData.InstanceType",
			"t3.nano").Body,
		"CreateInternetGateway": w.Call("CreateInternetGateway").Body,
	}
	for name := range w.Actions() {
		if strings.HasPrefix(name, "Describe") {
			if a := w.Call(name); a.Status == 200 && strings.Contains(a.Body, "Id>") {
				shown[name] = a.Body
			}
		}
	}
	left := []string{"CreateLaunchTemplate", "CreateSecurityGroup", "CreateSubnet", "DescribeAddresses", "DescribeImages",
		"DescribeInstances", "DescribeLaunchTemplates", "DescribeSecurityGroups", "DescribeSnapshots", "DescribeSubnets",
		"DescribeVolumes", "DescribeVpcs", "RunInstances"}
	var with []string
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if empty.MatchString(shown[name]) {
			with = append(with, name)
		}
	}
	want := []string{"CreateInternetGateway", "CreateNetworkInterface", "CreateSnapshot", "CreateVolume", "CreateVpc",
		"DescribeCapacityReservations", "DescribeDhcpOptions", "DescribeHosts", "DescribeInternetGateways", "DescribeKeyPairs",
		"DescribeManagedPrefixLists", "DescribeNetworkAcls", "DescribeNetworkInterfaces", "DescribePlacementGroups",
		"DescribeRouteTables", "DescribeSecurityGroupRules", "DescribeSpotInstanceRequests", "DescribeTags",
		"DescribeVpcClassicLink"}
	if !slices.Equal(with, want) {
		t.Errorf("an empty list of tags is shown by %q, want %q", with, want)
	}
	for _, name := range left {
		if shown[name] == "" || strings.Contains(shown[name], "<Errors>") {
			t.Errorf("%s answered nothing that could be without tags: %.200s", name, shown[name])
		}
	}
}

// TestInterfacesHaveNamesWithHostnames: the private name of an interface is there in a VPC that gives hostnames, only.
func TestInterfacesHaveNamesWithHostnames(t *testing.T) {
	w := apitest.New(t)
	vpc := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.20.0.0/16")
	subnet := w.Must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.20.1.0/24")
	id := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", subnet, "PrivateIpAddress", "10.20.1.9")
	shows := func() bool {
		return strings.Contains(w.Call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", id).Body,
			"<privateDnsName>ip-10-20-1-9.ec2.internal</privateDnsName>")
	}
	if shows() {
		t.Error("an interface of a VPC without hostnames has a name")
	}
	w.Must("return", "ModifyVpcAttribute", "VpcId", vpc, "EnableDnsHostnames.Value", "true")
	if !shows() {
		t.Error("an interface of a VPC with hostnames has no name")
	}
}
