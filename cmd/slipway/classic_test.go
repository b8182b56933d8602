package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// edit changes the account as the operator's commands do.
func (w *wire) edit(verb string, words ...string) {
	w.t.Helper()
	change, err := accountChange(verb, words)
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.db.Update(w.t.Context(), func(tx store.Tx) error { return state.Accounts.Edit(tx, state.Global, w.keys.Account, change) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// as is the same wire for another account.
func (w *wire) as(a slipway.Account) *wire {
	w.t.Helper()
	_, key, err := w.api.Accounts.Create(w.t.Context(), a)
	if err != nil {
		w.t.Fatal(err)
	}
	other := *w
	other.keys = key
	return &other
}

// TestR4Classic: an account with EC2-Classic launches without VPC, subnet or interface, in a zone chosen for it.
func TestR4Classic(t *testing.T) {
	w := newWire(t).as(slipway.Account{Classic: true})
	image := w.image()
	if got := w.must("accountAttributeSet", "DescribeAccountAttributes", "AttributeName.1", "supported-platforms"); !strings.Contains(got, ">EC2<") || !strings.Contains(got, ">VPC<") {
		t.Errorf("supported-platforms: %s", got)
	}
	if got := w.must("accountAttributeSet", "DescribeAccountAttributes", "AttributeName.1", "default-vpc"); !strings.Contains(got, ">none<") {
		t.Errorf("default-vpc: %s", got)
	}
	group := w.must("groupId", "CreateSecurityGroup", "GroupName", "old", "GroupDescription", "old")
	w.must("return", "AuthorizeSecurityGroupIngress", "GroupName", "old", "IpProtocol", "tcp", "FromPort", "22", "ToPort", "22", "CidrIp", "0.0.0.0/0")
	launch := []string{"ImageId", image, "InstanceType", "m1.small", "MinCount", "1", "MaxCount", "1"}
	a := w.call("RunInstances", append(launch, "SecurityGroup.1", "old")...)
	if a.status != 200 {
		t.Fatal(a.body)
	}
	for _, absent := range []string{"<vpcId>", "<subnetId>", "<networkInterfaceId>", "<sourceDestCheck>"} {
		if strings.Contains(a.body, absent) {
			t.Errorf("the answer has %s, which EC2-Classic has not", absent)
		}
	}
	reservation, _, _ := strings.Cut(a.body, "<instancesSet>")
	if first(reservation, "groupId") != group || first(a.body, "availabilityZone") != "us-east-1a" {
		t.Errorf("the reservation's group is %q, want %s; zone %s", first(reservation, "groupId"), group, first(a.body, "availabilityZone"))
	}
	id := first(a.body, "instanceId")
	w.await(id, "running")
	before := w.must("privateIpAddress", "DescribeInstances", "InstanceId.1", id)
	if !strings.HasPrefix(before, "10.") {
		t.Errorf("the private address is %q, want one of 10.0.0.0/8", before)
	}
	w.must("instanceId", "StopInstances", "InstanceId.1", id)
	w.await(id, "stopped")
	if body := w.call("DescribeInstances", "InstanceId.1", id).body; strings.Contains(body, "<privateIpAddress>") {
		t.Error("stopped in EC2-Classic, it keeps a private address")
	}
	w.must("instanceId", "StartInstances", "InstanceId.1", id)
	w.await(id, "running")
	if after := w.must("privateIpAddress", "DescribeInstances", "InstanceId.1", id); after == before || after == "" {
		t.Errorf("started again it has %q, before %q; EC2-Classic gives a new one", after, before)
	}

	for name, tt := range map[string]struct {
		action, code string
		params       []string
	}{
		"R5: a type that only a VPC has":       {"RunInstances", "VPCResourceNotSpecified", []string{"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}},
		"a private address of one's own":       {"RunInstances", "InvalidParameterCombination", append(launch, "PrivateIpAddress", "10.1.2.3")},
		"an unknown group":                     {"RunInstances", "InvalidGroup.NotFound", append(launch, "SecurityGroup.1", "new")},
		"an unknown zone":                      {"RunInstances", "InvalidParameterValue", append(launch, "Placement.AvailabilityZone", "us-east-1q")},
		"another group after the launch":       {"ModifyInstanceAttribute", "InvalidParameterCombination", []string{"InstanceId", id, "GroupId.1", group}},
		"an egress rule":                       {"AuthorizeSecurityGroupEgress", "InvalidParameterValue", []string{"GroupId", group, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"}},
		"the group's end while it is in use":   {"DeleteSecurityGroup", "InvalidGroup.InUse", []string{"GroupId", group}},
		"the end of a group that is not there": {"DeleteSecurityGroup", "InvalidGroup.NotFound", []string{"GroupName", "new"}},
		"a group of the same name":             {"CreateSecurityGroup", "InvalidGroup.Duplicate", []string{"GroupName", "Old", "GroupDescription", "x"}},
	} {
		if a := w.call(tt.action, tt.params...); a.code != tt.code {
			t.Errorf("%s: %s %s, want %s", name, a.code, a.message, tt.code)
		}
	}
	// R8: the default group comes with its first use, and cannot go.
	second := w.must("instanceId", "RunInstances", append(launch, "Placement.AvailabilityZone", "us-east-1c")...)
	if got := w.must("groupName", "DescribeInstances", "InstanceId.1", second); got != "default" {
		t.Errorf("without a group named it is in %q, want default", got)
	}
	if a := w.call("DeleteSecurityGroup", "GroupName", "default"); a.code != "InvalidGroup.Reserved" {
		t.Errorf("the default group's end: %s", a.code)
	}
	w.must("instanceId", "TerminateInstances", "InstanceId.1", id, "InstanceId.2", second)
	w.await(id, "terminated")
	w.await(second, "terminated")
	for u := range state.InUse.All(w.db.Local(), state.Global) {
		t.Errorf("the address %s is still taken by %s", u.ID, u.By)
	}
	w.must("groupId", "DeleteSecurityGroup", "GroupId", group)
}

// TestR3NoDefaultVPC: without one, a subnet has to be named.
func TestR3NoDefaultVPC(t *testing.T) {
	w := newWire(t)
	image := w.image()
	if err := w.db.Update(t.Context(), func(tx store.Tx) error {
		return state.Regions.Edit(tx, state.Scope{Account: w.keys.Account, Region: "us-east-1"}, "-", func(r *slipway.Region) error { r.DefaultVPC = ""; return nil })
	}); err != nil {
		t.Fatal(err)
	}
	launch := []string{"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
	if a := w.call("RunInstances", launch...); a.code != "VPCIdNotSpecified" || !strings.Contains(a.message, "No default VPC for this user") {
		t.Errorf("got %s %q", a.code, a.message)
	}
	if a := w.call("RunInstances", append(launch, "SubnetId", w.must("subnetId", "DescribeSubnets"))...); a.status != 200 {
		t.Errorf("with a subnet: %s %s", a.code, a.message)
	}
}

func TestAccountCommand(t *testing.T) {
	w := newWire(t)
	w.edit("quota", "vcpus=4", "volumes=3")
	w.edit("subscribe", "abc", "def")
	w.edit("unsubscribe", "abc")
	r := w.db.Local()
	a := state.Accounts.See(r, state.Global, w.keys.Account)
	if a.Quotas["vcpus"] != 4 || a.Quotas["volumes"] != 3 || len(a.Subscriptions) != 1 || a.Subscriptions[0] != "def" {
		t.Errorf("the account is %+v", a)
	}
	for _, words := range [][]string{{"quota", "vcpu=4"}, {"quota", "vcpus"}, {"quota", "vcpus=-1"}, {"classic", "perhaps"}, {"bless", "x"}} {
		if _, err := accountChange(words[0], words[1:]); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v, want one line", words, err)
		}
	}
	dir := t.TempDir()
	out, err := os.CreateTemp(dir, "out")
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = out
	err = accountCommand(t.Context(), []string{"create", "--state", dir + "/state", "--json", "--classic"})
	os.Stdout = stdout
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(out.Name())
	var keys map[string]string
	if json.Unmarshal(b, &keys) != nil || len(keys) != 3 || keys["accountId"] == "" || keys["accessKeyId"] == "" || keys["secretAccessKey"] == "" {
		t.Errorf("`account create --json` prints %s", b)
	}
}
