package main

import (
	"fmt"
	"slipway/internal/await"
	"testing"
)

func (o world) interfaceDryRuns(w *wire) map[string][]string {
	free := w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", o.zoneSubnet(w, "us-east-1a"))
	here := w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", w.must("subnetId", "DescribeInstances", "InstanceId.1", o.running))
	second := w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", w.must("subnetId", "DescribeInstances", "InstanceId.1", o.stopped))
	attachment := w.must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", second, "InstanceId", o.stopped, "DeviceIndex", "1")
	allocation, used := w.must("allocationId", "AllocateAddress"), w.must("allocationId", "AllocateAddress")
	association := w.must("associationId", "AssociateAddress", "AllocationId", used, "NetworkInterfaceId", free)
	return map[string][]string{
		"AllocateAddress":                   {"Domain", "vpc"},
		"ReleaseAddress":                    {"AllocationId", allocation},
		"AssociateAddress":                  {"AllocationId", allocation, "InstanceId", o.running},
		"DisassociateAddress":               {"AssociationId", association},
		"DescribeAddressesAttribute":        {"Attribute", "domain-name"},
		"CreateNetworkInterface":            {"SubnetId", o.zoneSubnet(w, "us-east-1a")},
		"DeleteNetworkInterface":            {"NetworkInterfaceId", free},
		"AttachNetworkInterface":            {"NetworkInterfaceId", here, "InstanceId", o.running, "DeviceIndex", "7"},
		"DetachNetworkInterface":            {"AttachmentId", attachment},
		"ModifyNetworkInterfaceAttribute":   {"NetworkInterfaceId", free, "Description.Value", "other"},
		"DescribeNetworkInterfaceAttribute": {"NetworkInterfaceId", free, "Attribute", "groupSet"},
		"ResetNetworkInterfaceAttribute":    {"NetworkInterfaceId", free, "SourceDestCheck", "true"},
	}
}

func (o world) zoneSubnet(w *wire, zone string) string {
	return w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", zone, "Filter.2.Name", "default-for-az", "Filter.2.Value.1", "true")
}

// launchIn runs an instance in a subnet and waits for it.
func (w *wire) launchIn(subnet string, more ...string) string {
	w.t.Helper()
	id := w.launch("t3.micro", append(more, "SubnetId", subnet)...)
	w.await(id, "running")
	return id
}

func TestElasticAddresses(t *testing.T) {
	w := newWire(t)
	subnet := w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1a")
	one, two := w.launchIn(subnet), w.launchIn(subnet)
	given := w.call("AllocateAddress", "Domain", "vpc", "Address", "", "TagSpecification.1.ResourceType", "elastic-ip", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "mine").body
	shows(t, given, "publicIpv4Pool", "amazon")
	shows(t, given, "networkBorderGroup", "us-east-1")
	allocation, ip := first(given, "allocationId"), first(given, "publicIp")
	pool := w.must("ipAddress", "DescribeInstances", "InstanceId.1", one)
	association := w.must("associationId", "AssociateAddress", "AllocationId", allocation, "InstanceId", one)
	if again := w.must("associationId", "AssociateAddress", "AllocationId", allocation, "InstanceId", one, "AllowReassociation", "false"); again != association {
		t.Errorf("the same association twice: %s, then %s", association, again)
	}
	seen := w.call("DescribeAddresses", "Filter.1.Name", "association-id", "Filter.1.Value.1", association, "Filter.2.Name", "tag:Name", "Filter.2.Value.1", "mine").body
	for element, want := range map[string]string{"publicIp": ip, "instanceId": one, "domain": "vpc", "allocationId": allocation, "networkInterfaceOwnerId": w.keys.Account} {
		shows(t, seen, element, want)
	}
	if got := w.must("ipAddress", "DescribeInstances", "InstanceId.1", one); got != ip {
		t.Errorf("the instance's address is %s, want the elastic %s", got, ip)
	}
	// The address of the pool that the instance had is free again.
	other := w.must("allocationId", "AllocateAddress", "Address", pool)
	eni := w.must("networkInterfaceId", "DescribeInstances", "InstanceId.1", two)
	w.refuses(t, []refusal{
		{"elsewhere already", "Resource.AlreadyAssociated", association, "AssociateAddress", []string{"AllocationId", allocation, "InstanceId", two, "AllowReassociation", "false"}},
		{"releasing what is used", "InvalidIPAddress.InUse", ip, "ReleaseAddress", []string{"AllocationId", allocation}},
		{"releasing by address", "InvalidParameterValue", "allocation id", "ReleaseAddress", []string{"PublicIp", ip}},
		{"an allocation that is not there", "InvalidAllocationID.NotFound", "eipalloc-00000000", "AssociateAddress", []string{"AllocationId", "eipalloc-00000000", "InstanceId", one}},
		{"an association that is not there", "InvalidAssociationID.NotFound", "", "DisassociateAddress", []string{"AssociationId", "eipassoc-00000000"}},
		{"an address that is not there", "InvalidAddress.NotFound", "9.9.9.9", "DescribeAddresses", []string{"PublicIp.1", "9.9.9.9"}},
		{"an allocation to describe", "InvalidAllocationID.NotFound", "", "DescribeAddresses", []string{"AllocationId.1", "eipalloc-00000000"}},
		{"an instance and an interface", "InvalidParameterCombination", "both", "AssociateAddress", []string{"AllocationId", allocation, "InstanceId", two, "NetworkInterfaceId", eni}},
		{"a private address of nobody's", "InvalidParameterValue", "10.1.1.1", "AssociateAddress", []string{"AllocationId", allocation, "NetworkInterfaceId", eni, "PrivateIpAddress", "10.1.1.1"}},
		{"a VPC without a gateway", "Gateway.NotAttached", "vpc-", "AssociateAddress", []string{"AllocationId", allocation, "NetworkInterfaceId", w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", newNetwork(w, "50").subnet)}},
		{"a taken address", "InvalidAddress.NotFound", ip, "AllocateAddress", []string{"Address", ip}},
		{"EC2-Classic", "UnsupportedOperation", "standard", "AllocateAddress", []string{"Domain", "standard"}},
	})
	// It moves, and the instance that had it has none until it starts again.
	moved := w.must("associationId", "AssociateAddress", "AllocationId", allocation, "InstanceId", two)
	if moved == association {
		t.Error("the moved address kept its association's id")
	}
	lacks(t, w.call("DescribeInstances", "InstanceId.1", one).body, "<ipAddress>")
	w.must("associationId", "AssociateAddress", "AllocationId", other, "InstanceId", two) // replaces the first
	lacks(t, w.call("DescribeAddresses", "AllocationId.1", allocation).body, "<associationId>")
	w.must("return", "DisassociateAddress", "AssociationId", first(w.call("DescribeAddresses", "AllocationId.1", other).body, "associationId"))
	lacks(t, w.call("DescribeInstances", "InstanceId.1", two).body, "<ipAddress>")
	w.must("instanceId", "StopInstances", "InstanceId.1", two)
	w.await(two, "stopped")
	w.must("instanceId", "StartInstances", "InstanceId.1", two)
	w.await(two, "running")
	if got := w.must("ipAddress", "DescribeInstances", "InstanceId.1", two); got == "" {
		t.Error("started again, the instance has no address of the pool")
	}
	for _, id := range []string{allocation, other} {
		w.must("return", "ReleaseAddress", "AllocationId", id)
	}
	lacks(t, w.call("DescribeAddresses").body, "<item>")
}

func TestNetworkInterfaces(t *testing.T) {
	w := newWire(t)
	n := newNetwork(w, "55")
	a := w.call("CreateNetworkInterface", "SubnetId", n.subnet, "Description", "second", "PrivateIpAddresses.1.PrivateIpAddress", "10.55.1.50", "PrivateIpAddresses.1.Primary", "true", "PrivateIpAddresses.2.PrivateIpAddress", "10.55.1.51",
		"TagSpecification.1.ResourceType", "network-interface", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "eth1", "ClientToken", "once")
	eni := first(a.body, "networkInterfaceId")
	shows(t, a.body, "status", "pending")
	shows(t, a.body, "groupId", n.group)
	shows(t, a.body, "interfaceType", "interface")
	seen := w.call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni, "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "eth1").body
	shows(t, seen, "status", "available")
	shows(t, seen, "sourceDestCheck", "true")
	in := w.launchIn(n.subnet)
	primary := w.must("networkInterfaceId", "DescribeInstances", "InstanceId.1", in)
	elsewhere := w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", w.must("subnetId", "CreateSubnet", "VpcId", n.vpc, "CidrBlock", "10.55.2.0/24", "AvailabilityZone", "us-east-1c"))
	foreign := w.must("groupId", "CreateSecurityGroup", "GroupName", "other", "GroupDescription", "in the default VPC")
	w.refuses(t, []refusal{
		{"an address in use", "InvalidIPAddress.InUse", "10.55.1.50", "CreateNetworkInterface", []string{"SubnetId", n.subnet, "PrivateIpAddress", "10.55.1.50"}},
		{"an address outside", "InvalidParameterValue", "10.99.0.9", "CreateNetworkInterface", []string{"SubnetId", n.subnet, "PrivateIpAddress", "10.99.0.9"}},
		{"a subnet that is not there", "InvalidSubnetID.NotFound", "", "CreateNetworkInterface", []string{"SubnetId", "subnet-00000000"}},
		{"another VPC's group", "InvalidParameter", foreign, "CreateNetworkInterface", []string{"SubnetId", n.subnet, "SecurityGroupId.1", foreign}},
		{"an adapter of another kind", "UnsupportedOperation", "efa", "CreateNetworkInterface", []string{"SubnetId", n.subnet, "InterfaceType", "efa"}},
		{"the token for something else", "IdempotentParameterMismatch", "", "CreateNetworkInterface", []string{"SubnetId", n.subnet, "ClientToken", "once"}},
		{"an index in use", "InvalidParameterValue", "device index '0'", "AttachNetworkInterface", []string{"NetworkInterfaceId", eni, "InstanceId", in, "DeviceIndex", "0"}},
		{"another zone", "InvalidParameterCombination", "availability zone", "AttachNetworkInterface", []string{"NetworkInterfaceId", elsewhere, "InstanceId", in, "DeviceIndex", "1"}},
		{"a used interface", "InvalidNetworkInterface.InUse", primary, "AttachNetworkInterface", []string{"NetworkInterfaceId", primary, "InstanceId", in, "DeviceIndex", "1"}},
		{"deleting a used one", "InvalidNetworkInterface.InUse", primary, "DeleteNetworkInterface", []string{"NetworkInterfaceId", primary}},
		{"deleting what is not there", "InvalidNetworkInterfaceID.NotFound", "", "DeleteNetworkInterface", []string{"NetworkInterfaceId", "eni-00000000"}},
		{"detaching the primary", "OperationNotPermitted", "index 0", "DetachNetworkInterface", []string{"AttachmentId", first(w.call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", primary).body, "attachmentId")}},
		{"detaching what is not there", "InvalidAttachmentID.NotFound", "", "DetachNetworkInterface", []string{"AttachmentId", "eni-attach-00000000"}},
		{"two attributes", "InvalidParameterCombination", "multiple", "ModifyNetworkInterfaceAttribute", []string{"NetworkInterfaceId", eni, "Description.Value", "x", "SourceDestCheck.Value", "false"}},
	})
	attachment := w.must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", in, "DeviceIndex", "1")
	at := func() string {
		return first(w.must("attachment", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni), "status")
	}
	await.Success(t, patience, func() error {
		if s := at(); s != "attached" {
			return fmt.Errorf("the attachment is %q", s)
		}
		return nil
	})
	third := w.must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", n.subnet)
	w.refuses(t, []refusal{
		{"more than the type carries", "AttachmentLimitExceeded", "t3.micro", "AttachNetworkInterface", []string{"NetworkInterfaceId", third, "InstanceId", in, "DeviceIndex", "2"}},
		{"more addresses than the type carries", "PrivateIpAddressLimitExceeded", "", "AssignPrivateIpAddresses", []string{"NetworkInterfaceId", eni, "SecondaryPrivateIpAddressCount", "1"}},
		{"an address of several interfaces", "InvalidInstanceID", "multiple interfaces", "AssociateAddress", []string{"AllocationId", w.must("allocationId", "AllocateAddress"), "InstanceId", in}},
	})
	w.must("return", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attachment.AttachmentId", attachment, "Attachment.DeleteOnTermination", "true")
	shows(t, w.call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "attachment").body, "deleteOnTermination", "true")
	w.must("return", "DetachNetworkInterface", "AttachmentId", attachment, "Force", "false")
	await.Success(t, patience, func() error {
		if s := at(); s != "" {
			return fmt.Errorf("the attachment is still %q", s)
		}
		return nil
	})
	w.refuses(t, []refusal{{"detached already", "InvalidAttachmentID.NotFound", attachment, "DetachNetworkInterface", []string{"AttachmentId", attachment, "Force", "true"}}})

	// Secondary addresses come, move and go; the primary stays.
	given := w.must("privateIpAddress", "AssignPrivateIpAddresses", "NetworkInterfaceId", third, "SecondaryPrivateIpAddressCount", "1")
	w.must("networkInterfaceId", "AssignPrivateIpAddresses", "NetworkInterfaceId", third, "PrivateIpAddress.1", "10.55.1.51", "AllowReassignment", "true")
	lacks(t, w.call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni).body, "10.55.1.51")
	w.refuses(t, []refusal{
		{"an address of another's", "Resource.AlreadyAssigned", given, "AssignPrivateIpAddresses", []string{"NetworkInterfaceId", eni, "PrivateIpAddress.1", given}},
		{"another's primary", "InvalidParameterValue", "primary", "AssignPrivateIpAddresses", []string{"NetworkInterfaceId", third, "PrivateIpAddress.1", "10.55.1.50", "AllowReassignment", "true"}},
		{"its own primary", "InvalidParameterValue", "primary", "UnassignPrivateIpAddresses", []string{"NetworkInterfaceId", eni, "PrivateIpAddress.1", "10.55.1.50"}},
		{"IPv6 without a range", "InvalidParameterValue", "IPv6", "AssignIpv6Addresses", []string{"NetworkInterfaceId", eni, "Ipv6AddressCount", "1"}},
	})
	w.must("return", "UnassignPrivateIpAddresses", "NetworkInterfaceId", third, "PrivateIpAddress.1", given, "PrivateIpAddress.2", "10.55.1.51")
	w.must("networkInterfaceId", "AssignPrivateIpAddresses", "NetworkInterfaceId", eni, "PrivateIpAddress.1", given)

	w.must("return", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "SourceDestCheck.Value", "false")
	shows(t, w.call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "sourceDestCheck").body, "value", "false")
	w.must("return", "ResetNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "SourceDestCheck", "true")
	shows(t, w.call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "sourceDestCheck").body, "value", "true")
	shows(t, w.call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "groupSet").body, "groupId", n.group)
	// A stopped instance lets go at once.
	w.must("instanceId", "StopInstances", "InstanceId.1", in)
	w.await(in, "stopped")
	attachment = w.must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", in, "DeviceIndex", "1")
	if s := at(); s != "attached" {
		t.Errorf("in a stopped instance the attachment is %q", s)
	}
	w.must("return", "DetachNetworkInterface", "AttachmentId", attachment)
	w.must("return", "DeleteNetworkInterface", "NetworkInterfaceId", eni)
	w.refuses(t, []refusal{{"the interface is gone", "InvalidNetworkInterfaceID.NotFound", eni, "DescribeNetworkInterfaces", []string{"NetworkInterfaceId.1", eni}}})
}
