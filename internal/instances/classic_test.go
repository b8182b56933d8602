package instances_test

import (
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestR4Classic: an account with EC2-Classic launches without VPC, subnet or interface, in a zone chosen for it.
func TestR4Classic(t *testing.T) {
	w := apitest.New(t).As(slipway.Account{Classic: true})
	image := w.Image()
	if got := w.Must("accountAttributeSet", "DescribeAccountAttributes", "AttributeName.1",
		"supported-platforms"); !strings.Contains(got, ">EC2<") || !strings.Contains(got, ">VPC<") {
		t.Errorf("supported-platforms: %s", got)
	}
	if got := w.Must("accountAttributeSet", "DescribeAccountAttributes", "AttributeName.1",
		"default-vpc"); !strings.Contains(got, ">none<") {
		t.Errorf("default-vpc: %s", got)
	}
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "old", "GroupDescription", "old")
	w.Must("return", "AuthorizeSecurityGroupIngress", "GroupName", "old", "IpProtocol", "tcp", "FromPort", "22",
		"ToPort", "22", "CidrIp", "0.0.0.0/0")
	launch := []string{"ImageId", image, "InstanceType", "m1.small", "MinCount", "1", "MaxCount", "1"}
	a := w.Call("RunInstances", append(launch, "SecurityGroup.1", "old")...)
	if a.Status != 200 {
		t.Fatal(a.Body)
	}
	for _, absent := range []string{"<vpcId>", "<subnetId>", "<networkInterfaceId>", "<sourceDestCheck>"} {
		if strings.Contains(a.Body, absent) {
			t.Errorf("the answer has %s, which EC2-Classic has not", absent)
		}
	}
	reservation, _, _ := strings.Cut(a.Body, "<instancesSet>")
	if apitest.First(reservation, "groupId") != group || apitest.First(a.Body, "availabilityZone") != "us-east-1a" {
		t.Errorf("the reservation's group is %q, want %s; zone %s", apitest.First(reservation, "groupId"), group,
			apitest.First(a.Body, "availabilityZone"))
	}
	id := apitest.First(a.Body, "instanceId")
	w.Await(id, "running")
	before := w.Must("privateIpAddress", "DescribeInstances", "InstanceId.1", id)
	if !strings.HasPrefix(before, "10.") {
		t.Errorf("the private address is %q, want one of 10.0.0.0/8", before)
	}
	w.Must("instanceId", "StopInstances", "InstanceId.1", id)
	w.Await(id, "stopped")
	if body := w.Call("DescribeInstances", "InstanceId.1", id).Body; strings.Contains(body, "<privateIpAddress>") {
		t.Error("stopped in EC2-Classic, it keeps a private address")
	}
	w.Must("instanceId", "StartInstances", "InstanceId.1", id)
	w.Await(id, "running")
	if after := w.Must("privateIpAddress", "DescribeInstances", "InstanceId.1", id); after == before || after == "" {
		t.Errorf("started again it has %q, before %q; EC2-Classic gives a new one", after, before)
	}

	for name, tt := range map[string]struct {
		action, code string
		params       []string
	}{
		"R5: a type that only a VPC has": {"RunInstances", "VPCResourceNotSpecified",
			[]string{"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}},
		"a private address of one's own": {"RunInstances", "InvalidParameterCombination",
			append(launch, "PrivateIpAddress", "10.1.2.3")},
		"an unknown group": {"RunInstances", "InvalidGroup.NotFound",
			append(launch, "SecurityGroup.1", "new")},
		"an unknown zone": {"RunInstances", "InvalidParameterValue",
			append(launch, "Placement.AvailabilityZone", "us-east-1q")},
		"another group after the launch": {"ModifyInstanceAttribute", "InvalidParameterCombination",
			[]string{"InstanceId", id, "GroupId.1", group}},
		"an egress rule": {"AuthorizeSecurityGroupEgress", "InvalidParameterValue",
			[]string{"GroupId", group, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"}},
		"the group's end while it is in use":   {"DeleteSecurityGroup", "InvalidGroup.InUse", []string{"GroupId", group}},
		"the end of a group that is not there": {"DeleteSecurityGroup", "InvalidGroup.NotFound", []string{"GroupName", "new"}},
		"a group of the same name": {"CreateSecurityGroup", "InvalidGroup.Duplicate",
			[]string{"GroupName", "Old", "GroupDescription", "x"}},
	} {
		if a := w.Call(tt.action, tt.params...); a.Code != tt.code {
			t.Errorf("%s: %s %s, want %s", name, a.Code, a.Message, tt.code)
		}
	}
	// R8: the default group comes with its first use, and cannot go.
	second := w.Must("instanceId", "RunInstances", append(launch, "Placement.AvailabilityZone", "us-east-1c")...)
	if got := w.Must("groupName", "DescribeInstances", "InstanceId.1", second); got != "default" {
		t.Errorf("without a group named it is in %q, want default", got)
	}
	if a := w.Call("DeleteSecurityGroup", "GroupName", "default"); a.Code != "InvalidGroup.Reserved" {
		t.Errorf("the default group's end: %s", a.Code)
	}
	w.Must("instanceId", "TerminateInstances", "InstanceId.1", id, "InstanceId.2", second)
	w.Await(id, "terminated")
	w.Await(second, "terminated")
	for u := range state.InUse.All(w.DB.Local(), state.Global) {
		t.Errorf("the address %s is still taken by %s", u.ID, u.By)
	}
	w.Must("groupId", "DeleteSecurityGroup", "GroupId", group)
}

// TestR3NoDefaultVPC: without one, a subnet has to be named.
func TestR3NoDefaultVPC(t *testing.T) {
	w := apitest.New(t)
	image := w.Image()
	if err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		return state.Regions.Edit(tx, state.Scope{Account: w.Keys.Account, Region: "us-east-1"}, "-",
			func(r *slipway.Region) error { r.DefaultVPC = ""; return nil })
	}); err != nil {
		t.Fatal(err)
	}
	launch := []string{"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
	if a := w.Call("RunInstances", launch...); a.Code != "VPCIdNotSpecified" ||
		!strings.Contains(a.Message, "No default VPC for this user") {
		t.Errorf("got %s %q", a.Code, a.Message)
	}
	if a := w.Call("RunInstances", append(launch, "SubnetId", w.Must("subnetId", "DescribeSubnets"))...); a.Status != 200 {
		t.Errorf("with a subnet: %s %s", a.Code, a.Message)
	}
}
