package interfaces_test

import (
	"fmt"
	"slipway/internal/apitest"
	"slipway/internal/await"
	"testing"
)

func TestNetworkInterfaces(t *testing.T) {
	w := apitest.New(t)
	n := apitest.NewNetwork(w, "55")
	a := w.Call("CreateNetworkInterface", "SubnetId", n.Subnet, "Description", "second",
		"PrivateIpAddresses.1.PrivateIpAddress", "10.55.1.50", "PrivateIpAddresses.1.Primary", "true",
		"PrivateIpAddresses.2.PrivateIpAddress", "10.55.1.51",
		"TagSpecification.1.ResourceType", "network-interface", "TagSpecification.1.Tag.1.Key", "Name",
		"TagSpecification.1.Tag.1.Value", "eth1", "ClientToken", "once")
	eni := apitest.First(a.Body, "networkInterfaceId")
	apitest.Shows(t, a.Body, "status", "pending")
	apitest.Shows(t, a.Body, "groupId", n.Group)
	apitest.Shows(t, a.Body, "interfaceType", "interface")
	seen := w.Call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni, "Filter.1.Name", "tag:Name",
		"Filter.1.Value.1", "eth1").Body
	apitest.Shows(t, seen, "status", "available")
	apitest.Shows(t, seen, "sourceDestCheck", "true")
	in := w.LaunchIn(n.Subnet)
	primary := w.Must("networkInterfaceId", "DescribeInstances", "InstanceId.1", in)
	elsewhere := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId",
		w.Must("subnetId", "CreateSubnet", "VpcId", n.VPC, "CidrBlock", "10.55.2.0/24", "AvailabilityZone", "us-east-1c"))
	foreign := w.Must("groupId", "CreateSecurityGroup", "GroupName", "other", "GroupDescription", "in the default VPC")
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("an address in use", "InvalidIPAddress.InUse", "10.55.1.50", "CreateNetworkInterface",
			[]string{"SubnetId", n.Subnet, "PrivateIpAddress", "10.55.1.50"}),
		apitest.Case("an address outside", "InvalidParameterValue", "10.99.0.9", "CreateNetworkInterface",
			[]string{"SubnetId", n.Subnet, "PrivateIpAddress", "10.99.0.9"}),
		apitest.Case("a subnet that is not there", "InvalidSubnetID.NotFound", "", "CreateNetworkInterface",
			[]string{"SubnetId", "subnet-00000000"}),
		apitest.Case("another VPC's group", "InvalidParameter", foreign, "CreateNetworkInterface",
			[]string{"SubnetId", n.Subnet, "SecurityGroupId.1", foreign}),
		apitest.Case("an adapter of another kind", "UnsupportedOperation", "efa", "CreateNetworkInterface",
			[]string{"SubnetId", n.Subnet, "InterfaceType", "efa"}),
		apitest.Case("the token for something else", "IdempotentParameterMismatch", "", "CreateNetworkInterface",
			[]string{"SubnetId", n.Subnet, "ClientToken", "once"}),
		apitest.Case("an index in use", "InvalidParameterValue", "device index '0'", "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", eni, "InstanceId", in, "DeviceIndex", "0"}),
		apitest.Case("another zone", "InvalidParameterCombination", "availability zone", "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", elsewhere, "InstanceId", in, "DeviceIndex", "1"}),
		apitest.Case("a used interface", "InvalidNetworkInterface.InUse", primary, "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", primary, "InstanceId", in, "DeviceIndex", "1"}),
		apitest.Case("deleting a used one", "InvalidNetworkInterface.InUse", primary, "DeleteNetworkInterface",
			[]string{"NetworkInterfaceId", primary}),
		apitest.Case("deleting what is not there", "InvalidNetworkInterfaceID.NotFound", "", "DeleteNetworkInterface",
			[]string{"NetworkInterfaceId", "eni-00000000"}),
		apitest.Case("detaching the primary", "OperationNotPermitted", "index 0", "DetachNetworkInterface",
			[]string{
				"AttachmentId",
				apitest.First(w.Call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", primary).Body, "attachmentId"),
			}),
		apitest.Case("detaching what is not there", "InvalidAttachmentID.NotFound", "", "DetachNetworkInterface",
			[]string{"AttachmentId", "eni-attach-00000000"}),
		apitest.Case("two attributes", "InvalidParameterCombination", "multiple", "ModifyNetworkInterfaceAttribute",
			[]string{"NetworkInterfaceId", eni, "Description.Value", "x", "SourceDestCheck.Value", "false"}),
	})
	attachment := w.Must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", in,
		"DeviceIndex", "1")
	at := func() string {
		return apitest.First(w.Must("attachment", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni), "status")
	}
	await.Success(t, apitest.Patience, func() error {
		if s := at(); s != "attached" {
			return fmt.Errorf("the attachment is %q", s)
		}
		return nil
	})
	third := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", n.Subnet)
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("more than the type carries", "AttachmentLimitExceeded", "t3.micro", "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", third, "InstanceId", in, "DeviceIndex", "2"}),
		apitest.Case("more addresses than the type carries", "PrivateIpAddressLimitExceeded", "",
			"AssignPrivateIpAddresses", []string{"NetworkInterfaceId", eni, "SecondaryPrivateIpAddressCount", "1"}),
		apitest.Case("an address of several interfaces", "InvalidInstanceID", "multiple interfaces", "AssociateAddress",
			[]string{"AllocationId", w.Must("allocationId", "AllocateAddress"), "InstanceId", in}),
	})
	w.Must("return", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attachment.AttachmentId",
		attachment, "Attachment.DeleteOnTermination", "true")
	apitest.Shows(t,
		w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "attachment").Body,
		"deleteOnTermination", "true")
	w.Must("return", "DetachNetworkInterface", "AttachmentId", attachment, "Force", "false")
	await.Success(t, apitest.Patience, func() error {
		if s := at(); s != "" {
			return fmt.Errorf("the attachment is still %q", s)
		}
		return nil
	})
	w.Refuses(t,
		[]apitest.Refusal{
			apitest.Case("detached already", "InvalidAttachmentID.NotFound", attachment, "DetachNetworkInterface",
				[]string{"AttachmentId", attachment, "Force", "true"}),
		})

	// Secondary addresses come, move and go; the primary stays.
	given := w.Must("privateIpAddress", "AssignPrivateIpAddresses", "NetworkInterfaceId", third,
		"SecondaryPrivateIpAddressCount", "1")
	w.Must("networkInterfaceId", "AssignPrivateIpAddresses", "NetworkInterfaceId", third, "PrivateIpAddress.1",
		"10.55.1.51", "AllowReassignment", "true")
	apitest.Lacks(t, w.Call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni).Body, "10.55.1.51")
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("an address of another's", "Resource.AlreadyAssigned", given, "AssignPrivateIpAddresses",
			[]string{"NetworkInterfaceId", eni, "PrivateIpAddress.1", given}),
		apitest.Case("another's primary", "InvalidParameterValue", "primary", "AssignPrivateIpAddresses",
			[]string{"NetworkInterfaceId", third, "PrivateIpAddress.1", "10.55.1.50", "AllowReassignment", "true"}),
		apitest.Case("its own primary", "InvalidParameterValue", "primary", "UnassignPrivateIpAddresses",
			[]string{"NetworkInterfaceId", eni, "PrivateIpAddress.1", "10.55.1.50"}),
		apitest.Case("IPv6 without a range", "InvalidParameterValue", "IPv6", "AssignIpv6Addresses",
			[]string{"NetworkInterfaceId", eni, "Ipv6AddressCount", "1"}),
	})
	w.Must("return", "UnassignPrivateIpAddresses", "NetworkInterfaceId", third, "PrivateIpAddress.1", given,
		"PrivateIpAddress.2", "10.55.1.51")
	w.Must("networkInterfaceId", "AssignPrivateIpAddresses", "NetworkInterfaceId", eni, "PrivateIpAddress.1", given)

	w.Must("return", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "SourceDestCheck.Value", "false")
	apitest.Shows(t,
		w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "sourceDestCheck").Body,
		"value", "false")
	w.Must("return", "ResetNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "SourceDestCheck", "true")
	apitest.Shows(t,
		w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "sourceDestCheck").Body,
		"value", "true")
	apitest.Shows(t,
		w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", "groupSet").Body, "groupId",
		n.Group)
	// A stopped instance lets go at once.
	w.Must("instanceId", "StopInstances", "InstanceId.1", in)
	w.Await(in, "stopped")
	attachment = w.Must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", in,
		"DeviceIndex", "1")
	if s := at(); s != "attached" {
		t.Errorf("in a stopped instance the attachment is %q", s)
	}
	w.Must("return", "DetachNetworkInterface", "AttachmentId", attachment)
	w.Must("return", "DeleteNetworkInterface", "NetworkInterfaceId", eni)
	w.Refuses(t,
		[]apitest.Refusal{
			apitest.Case("the interface is gone", "InvalidNetworkInterfaceID.NotFound", eni,
				"DescribeNetworkInterfaces", []string{"NetworkInterfaceId.1", eni}),
		})
}
