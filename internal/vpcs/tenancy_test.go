package vpcs_test

import (
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// TestADedicatedVPC makes its instances dedicated until it is so no more; its groups are those that its interfaces may have.
func TestADedicatedVPC(t *testing.T) {
	w := apitest.New(t)
	vpc := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.0.0.0/16", "InstanceTenancy", "dedicated")
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "x", "VpcId", vpc)
	for name, params := range map[string][]string{
		"by name": {"Filter.1.Name", "group-name", "Filter.1.Value.1", "web"},
		"by VPC": {"Filter.1.Name", "primary-vpc-id", "Filter.1.Value.1", vpc, "Filter.2.Name", "group-id",
			"Filter.2.Value.1", group},
	} {
		if a := w.Call("GetSecurityGroupsForVpc",
			append(params, "VpcId", vpc)...); strings.Count(a.Body, "<groupId>") != 1 ||
			apitest.First(a.Body, "groupId") != group {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	if a := w.Call("GetSecurityGroupsForVpc", "VpcId", vpc); strings.Count(a.Body, "<groupId>") != 2 {
		t.Errorf("all: %s", a.Body)
	}
	subnet := w.Must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.0.0.0/24")
	for _, tenancy := range []string{"", "default"} { // a dedicated VPC has no others
		if got := w.Must("tenancy", "DescribeInstances", "InstanceId.1",
			w.Launch("m5.large", "SubnetId", subnet, "Placement.Tenancy", tenancy)); got != "dedicated" {
			t.Errorf("an instance with tenancy %q in a dedicated VPC is %s", tenancy, got)
		}
	}
	w.Must("returnValue", "ModifyVpcTenancy", "VpcId", vpc, "InstanceTenancy", "default")
	if got := w.Must("instanceTenancy", "DescribeVpcs", "VpcId.1", vpc); got != "default" {
		t.Errorf("the VPC's tenancy is %s", got)
	}
	if got := w.Must("tenancy", "DescribeInstances", "InstanceId.1",
		w.Launch("m5.large", "SubnetId", subnet)); got != "default" {
		t.Errorf("an instance launched afterwards is %s", got)
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("groups of no VPC", "InvalidVpcID.NotFound", "vpc-00000000", "GetSecurityGroupsForVpc",
			[]string{"VpcId", "vpc-00000000"}),
		apitest.Case("a VPC that becomes dedicated", "UnsupportedTenancy", "dedicated", "ModifyVpcTenancy",
			[]string{"VpcId", vpc, "InstanceTenancy", "dedicated"}),
		apitest.Case("a serial console", "UnsupportedOperation", "EnableSerialConsoleAccess", "EnableSerialConsoleAccess", nil),
	})
	if got := w.Must("serialConsoleAccessEnabled", "GetSerialConsoleAccessStatus"); got != "false" {
		t.Errorf("serial console access is %s", got)
	}
}
