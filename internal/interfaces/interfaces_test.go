package interfaces_test

import (
	"fmt"
	"slipway/internal/apitest"
	"slipway/internal/await"
	"testing"
)

// cards are interfaces in a subnet: two that are nobody's, and an instance's.
type cards struct {
	t              *testing.T
	w              *apitest.Wire
	n              apitest.Network
	eni, third, in string
}

func newCards(t *testing.T) *cards {
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
	third := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", n.Subnet)
	return &cards{t, w, n, eni, third, in}
}

// at is the state of the first card's attachment.
func (c *cards) at() string {
	return apitest.First(c.w.Must("attachment", "DescribeNetworkInterfaces", "NetworkInterfaceId.1", c.eni), "status")
}

func TestInterfacesAreRefused(t *testing.T) {
	c := newCards(t)
	primary := c.w.Must("networkInterfaceId", "DescribeInstances", "InstanceId.1", c.in)
	elsewhere := c.w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId",
		c.w.Must("subnetId", "CreateSubnet", "VpcId", c.n.VPC, "CidrBlock", "10.55.2.0/24", "AvailabilityZone", "us-east-1c"))
	foreign := c.w.Must("groupId", "CreateSecurityGroup", "GroupName", "other", "GroupDescription", "in the default VPC")
	c.w.Refuses(c.t, []apitest.Refusal{
		apitest.Case("an address c.in use", "InvalidIPAddress.InUse", "10.55.1.50", "CreateNetworkInterface",
			[]string{"SubnetId", c.n.Subnet, "PrivateIpAddress", "10.55.1.50"}),
		apitest.Case("an address outside", "InvalidParameterValue", "10.99.0.9", "CreateNetworkInterface",
			[]string{"SubnetId", c.n.Subnet, "PrivateIpAddress", "10.99.0.9"}),
		apitest.Case("a subnet that is not there", "InvalidSubnetID.NotFound", "", "CreateNetworkInterface",
			[]string{"SubnetId", "subnet-00000000"}),
		apitest.Case("another VPC's group", "InvalidParameter", foreign, "CreateNetworkInterface",
			[]string{"SubnetId", c.n.Subnet, "SecurityGroupId.1", foreign}),
		apitest.Case("an adapter of another kind", "UnsupportedOperation", "efa", "CreateNetworkInterface",
			[]string{"SubnetId", c.n.Subnet, "InterfaceType", "efa"}),
		apitest.Case("the token for something else", "IdempotentParameterMismatch", "", "CreateNetworkInterface",
			[]string{"SubnetId", c.n.Subnet, "ClientToken", "once"}),
		apitest.Case("an index c.in use", "InvalidParameterValue", "device index '0'", "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", c.eni, "InstanceId", c.in, "DeviceIndex", "0"}),
		apitest.Case("another zone", "InvalidParameterCombination", "availability zone", "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", elsewhere, "InstanceId", c.in, "DeviceIndex", "1"}),
		apitest.Case("a used interface", "InvalidNetworkInterface.InUse", primary, "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", primary, "InstanceId", c.in, "DeviceIndex", "1"}),
		apitest.Case("deleting a used one", "InvalidNetworkInterface.InUse", primary, "DeleteNetworkInterface",
			[]string{"NetworkInterfaceId", primary}),
		apitest.Case("deleting what is not there", "InvalidNetworkInterfaceID.NotFound", "", "DeleteNetworkInterface",
			[]string{"NetworkInterfaceId", "eni-00000000"}),
		apitest.Case("detaching the primary", "OperationNotPermitted", "index 0", "DetachNetworkInterface",
			[]string{
				"AttachmentId",
				apitest.First(c.w.Call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", primary).Body, "attachmentId"),
			}),
		apitest.Case("detaching what is not there", "InvalidAttachmentID.NotFound", "", "DetachNetworkInterface",
			[]string{"AttachmentId", "eni-attach-00000000"}),
		apitest.Case("two attributes", "InvalidParameterCombination", "multiple", "ModifyNetworkInterfaceAttribute",
			[]string{"NetworkInterfaceId", c.eni, "Description.Value", "x", "SourceDestCheck.Value", "false"}),
	})
}

func TestInterfacesAreAttached(t *testing.T) {
	c := newCards(t)
	attachment := c.w.Must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", c.eni, "InstanceId", c.in,
		"DeviceIndex", "1")
	await.Success(c.t, apitest.Patience, func() error {
		if s := c.at(); s != "attached" {
			return fmt.Errorf("the attachment is %q", s)
		}
		return nil
	})
	c.w.Refuses(c.t, []apitest.Refusal{
		apitest.Case("more than the type carries", "AttachmentLimitExceeded", "t3.micro", "AttachNetworkInterface",
			[]string{"NetworkInterfaceId", c.third, "InstanceId", c.in, "DeviceIndex", "2"}),
		apitest.Case("more addresses than the type carries", "PrivateIpAddressLimitExceeded", "",
			"AssignPrivateIpAddresses", []string{"NetworkInterfaceId", c.eni, "SecondaryPrivateIpAddressCount", "1"}),
		apitest.Case("an address of several interfaces", "InvalidInstanceID", "multiple interfaces", "AssociateAddress",
			[]string{"AllocationId", c.w.Must("allocationId", "AllocateAddress"), "InstanceId", c.in}),
	})
	c.w.Must("return", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", c.eni, "Attachment.AttachmentId",
		attachment, "Attachment.DeleteOnTermination", "true")
	apitest.Shows(c.t,
		c.w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", c.eni, "Attribute", "attachment").Body,
		"deleteOnTermination", "true")
	c.w.Must("return", "DetachNetworkInterface", "AttachmentId", attachment, "Force", "false")
	await.Success(c.t, apitest.Patience, func() error {
		if s := c.at(); s != "" {
			return fmt.Errorf("the attachment is still %q", s)
		}
		return nil
	})
	c.w.Refuses(c.t,
		[]apitest.Refusal{
			apitest.Case("detached already", "InvalidAttachmentID.NotFound", attachment, "DetachNetworkInterface",
				[]string{"AttachmentId", attachment, "Force", "true"}),
		})

	// A stopped instance lets go at once.
	c.w.Must("instanceId", "StopInstances", "InstanceId.1", c.in)
	c.w.Await(c.in, "stopped")
	attachment = c.w.Must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", c.eni, "InstanceId", c.in,
		"DeviceIndex", "1")
	if s := c.at(); s != "attached" {
		c.t.Errorf("in a stopped instance the attachment is %q", s)
	}
	c.w.Must("return", "DetachNetworkInterface", "AttachmentId", attachment)
	c.w.Must("return", "DeleteNetworkInterface", "NetworkInterfaceId", c.eni)
	c.w.Refuses(c.t,
		[]apitest.Refusal{
			apitest.Case("the interface is gone", "InvalidNetworkInterfaceID.NotFound", c.eni,
				"DescribeNetworkInterfaces", []string{"NetworkInterfaceId.1", c.eni}),
		})
}

// TestSecondaryAddresses come, move and go; the primary stays.
func TestSecondaryAddresses(t *testing.T) {
	c := newCards(t)
	given := c.w.Must("privateIpAddress", "AssignPrivateIpAddresses", "NetworkInterfaceId", c.third,
		"SecondaryPrivateIpAddressCount", "1")
	c.w.Must("networkInterfaceId", "AssignPrivateIpAddresses", "NetworkInterfaceId", c.third, "PrivateIpAddress.1",
		"10.55.1.51", "AllowReassignment", "true")
	apitest.Lacks(c.t, c.w.Call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", c.eni).Body, "10.55.1.51")
	c.w.Refuses(c.t, []apitest.Refusal{
		apitest.Case("an address of another's", "Resource.AlreadyAssigned", given, "AssignPrivateIpAddresses",
			[]string{"NetworkInterfaceId", c.eni, "PrivateIpAddress.1", given}),
		apitest.Case("another's primary", "InvalidParameterValue", "primary", "AssignPrivateIpAddresses",
			[]string{"NetworkInterfaceId", c.third, "PrivateIpAddress.1", "10.55.1.50", "AllowReassignment", "true"}),
		apitest.Case("its own primary", "InvalidParameterValue", "primary", "UnassignPrivateIpAddresses",
			[]string{"NetworkInterfaceId", c.eni, "PrivateIpAddress.1", "10.55.1.50"}),
		apitest.Case("IPv6 without a range", "InvalidParameterValue", "IPv6", "AssignIpv6Addresses",
			[]string{"NetworkInterfaceId", c.eni, "Ipv6AddressCount", "1"}),
	})
	c.w.Must("return", "UnassignPrivateIpAddresses", "NetworkInterfaceId", c.third, "PrivateIpAddress.1", given,
		"PrivateIpAddress.2", "10.55.1.51")
	c.w.Must("networkInterfaceId", "AssignPrivateIpAddresses", "NetworkInterfaceId", c.eni, "PrivateIpAddress.1", given)
}

func TestInterfaceAttributes(t *testing.T) {
	c := newCards(t)
	c.w.Must("return", "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", c.eni, "SourceDestCheck.Value", "false")
	apitest.Shows(c.t,
		c.w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", c.eni, "Attribute", "sourceDestCheck").Body,
		"value", "false")
	c.w.Must("return", "ResetNetworkInterfaceAttribute", "NetworkInterfaceId", c.eni, "SourceDestCheck", "true")
	apitest.Shows(c.t,
		c.w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", c.eni, "Attribute", "sourceDestCheck").Body,
		"value", "true")
	apitest.Shows(c.t,
		c.w.Call("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", c.eni, "Attribute", "groupSet").Body, "groupId",
		c.n.Group)
}
