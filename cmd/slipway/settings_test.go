package main

import (
	"strings"
	"testing"
)

// TestDefaultCredits: an account's choice for a family is what its launches have, unless they say otherwise.
func TestDefaultCredits(t *testing.T) {
	w := newWire(t)
	option := func(id string) string {
		return w.must("cpuCredits", "DescribeInstanceCreditSpecifications", "InstanceId.1", id)
	}
	for family, want := range map[string]string{"t2": "standard", "t3": "unlimited"} {
		if got := w.must("cpuCredits", "GetDefaultCreditSpecification", "InstanceFamily", family); got != want {
			t.Errorf("%s begins with %s, want %s", family, got, want)
		}
	}
	before := w.launch("t3.micro")
	w.must("cpuCredits", "ModifyDefaultCreditSpecification", "InstanceFamily", "t3", "CpuCredits", "standard")
	if got := w.must("cpuCredits", "GetDefaultCreditSpecification", "InstanceFamily", "t3"); got != "standard" {
		t.Errorf("t3 has %s", got)
	}
	after, chosen := w.launch("t3.micro"), w.launch("t3.micro", "CreditSpecification.CpuCredits", "unlimited")
	if a, b, c := option(before), option(after), option(chosen); a != "unlimited" || b != "standard" || c != "unlimited" {
		t.Errorf("the instances have %s, %s and %s", a, b, c)
	}
	w.refuses(t, []refusal{
		{"no family", "MissingParameter", "InstanceFamily", "GetDefaultCreditSpecification", nil},
		{"a family without credits", "InvalidParameterValue", "m5", "ModifyDefaultCreditSpecification", []string{"InstanceFamily", "m5", "CpuCredits", "standard"}},
		{"an option that is none", "InvalidParameterValue", "some", "ModifyDefaultCreditSpecification", []string{"InstanceFamily", "t3", "CpuCredits", "some"}},
	})
}

// TestSnapshotsBarredFromThePublic: new sharing is refused; under block-all-sharing what was public is the owner's alone until that ends.
func TestSnapshotsBarredFromThePublic(t *testing.T) {
	w := newWire(t)
	o := newWorld(w)
	public := w.copied(o.snapshot)
	share := []string{"SnapshotId", public, "CreateVolumePermission.Add.1.Group", "all"}
	w.must("return", "ModifySnapshotAttribute", share...)
	visible := func() bool { // to everybody: what is restorable by all
		return strings.Contains(w.call("DescribeSnapshots", "RestorableBy.1", "all").body, public)
	}
	if got := w.must("state", "GetSnapshotBlockPublicAccessState"); got != "unblocked" || !visible() {
		t.Fatalf("at first: %s, visible %v", got, visible())
	}
	w.must("state", "EnableSnapshotBlockPublicAccess", "State", "block-new-sharing")
	if !visible() {
		t.Error("what was public is gone under block-new-sharing")
	}
	if a := w.call("ModifySnapshotAttribute", "SnapshotId", w.copied(o.snapshot), "CreateVolumePermission.Add.1.Group", "all"); a.code != "OperationNotPermitted" {
		t.Errorf("new sharing: %d %s %s", a.status, a.code, a.message)
	}
	w.must("return", "ModifySnapshotAttribute", "SnapshotId", public, "CreateVolumePermission.Add.1.UserId", "123456789012")
	w.must("state", "EnableSnapshotBlockPublicAccess", "State", "block-all-sharing")
	if visible() {
		t.Error("a snapshot is public under block-all-sharing")
	}
	if !strings.Contains(w.call("DescribeSnapshotAttribute", "SnapshotId", public, "Attribute", "createVolumePermission").body, "<group>all</group>") {
		t.Error("its permission is forgotten, and could not come back")
	}
	if got := w.must("state", "DisableSnapshotBlockPublicAccess"); got != "unblocked" || !visible() {
		t.Errorf("afterwards: %s, visible %v", got, visible())
	}
	w.must("state", "EnableSnapshotBlockPublicAccess", "State", "block-all-sharing")
	w.must("return", "ModifySnapshotAttribute", "SnapshotId", public, "CreateVolumePermission.Remove.1.Group", "all")
	w.must("state", "DisableSnapshotBlockPublicAccess")
	if visible() {
		t.Error("a permission that was taken away came back")
	}
	w.refuses(t, []refusal{
		{"no state", "MissingParameter", "State", "EnableSnapshotBlockPublicAccess", nil},
		{"a state that is none", "InvalidParameterValue", "unblocked", "EnableSnapshotBlockPublicAccess", []string{"State", "unblocked"}},
	})
}

// TestADedicatedVPC makes its instances dedicated until it is so no more; its groups are those that its interfaces may have.
func TestADedicatedVPC(t *testing.T) {
	w := newWire(t)
	vpc := w.must("vpcId", "CreateVpc", "CidrBlock", "10.0.0.0/16", "InstanceTenancy", "dedicated")
	group := w.must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "x", "VpcId", vpc)
	for name, params := range map[string][]string{"by name": {"Filter.1.Name", "group-name", "Filter.1.Value.1", "web"}, "by VPC": {"Filter.1.Name", "primary-vpc-id", "Filter.1.Value.1", vpc, "Filter.2.Name", "group-id", "Filter.2.Value.1", group}} {
		if a := w.call("GetSecurityGroupsForVpc", append(params, "VpcId", vpc)...); strings.Count(a.body, "<groupId>") != 1 || first(a.body, "groupId") != group {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if a := w.call("GetSecurityGroupsForVpc", "VpcId", vpc); strings.Count(a.body, "<groupId>") != 2 {
		t.Errorf("all: %s", a.body)
	}
	subnet := w.must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.0.0.0/24")
	for _, tenancy := range []string{"", "default"} { // a dedicated VPC has no others
		if got := w.must("tenancy", "DescribeInstances", "InstanceId.1", w.launch("m5.large", "SubnetId", subnet, "Placement.Tenancy", tenancy)); got != "dedicated" {
			t.Errorf("an instance with tenancy %q in a dedicated VPC is %s", tenancy, got)
		}
	}
	w.must("returnValue", "ModifyVpcTenancy", "VpcId", vpc, "InstanceTenancy", "default")
	if got := w.must("instanceTenancy", "DescribeVpcs", "VpcId.1", vpc); got != "default" {
		t.Errorf("the VPC's tenancy is %s", got)
	}
	if got := w.must("tenancy", "DescribeInstances", "InstanceId.1", w.launch("m5.large", "SubnetId", subnet)); got != "default" {
		t.Errorf("an instance launched afterwards is %s", got)
	}
	w.refuses(t, []refusal{
		{"groups of no VPC", "InvalidVpcID.NotFound", "vpc-00000000", "GetSecurityGroupsForVpc", []string{"VpcId", "vpc-00000000"}},
		{"a VPC that becomes dedicated", "UnsupportedTenancy", "dedicated", "ModifyVpcTenancy", []string{"VpcId", vpc, "InstanceTenancy", "dedicated"}},
		{"a serial console", "UnsupportedOperation", "EnableSerialConsoleAccess", "EnableSerialConsoleAccess", nil},
	})
	if got := w.must("serialConsoleAccessEnabled", "GetSerialConsoleAccessStatus"); got != "false" {
		t.Errorf("serial console access is %s", got)
	}
}

// TestKeyFormats: the private half comes as OpenSSH or PuTTY reads it.
func TestKeyFormats(t *testing.T) {
	w := newWire(t)
	for i, tt := range [][3]string{{"rsa", "", "-----BEGIN RSA PRIVATE KEY-----"}, {"ed25519", "pem", "-----BEGIN OPENSSH PRIVATE KEY-----"}, {"rsa", "ppk", "PuTTY-User-Key-File-2: ssh-rsa"}, {"ed25519", "ppk", "PuTTY-User-Key-File-2: ssh-ed25519"}} {
		if got := w.must("keyMaterial", "CreateKeyPair", "KeyName", strings.Repeat("k", i+1), "KeyType", tt[0], "KeyFormat", tt[1]); !strings.HasPrefix(got, tt[2]) {
			t.Errorf("%v: %.60s", tt, got)
		}
	}
	w.refuses(t, []refusal{{"a format that is none", "InvalidParameterValue", "der", "CreateKeyPair", []string{"KeyName", "k", "KeyFormat", "der"}}})
}
