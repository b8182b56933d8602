package addresses_test

import (
	"slipway/internal/apitest"
	"testing"
)

func TestElasticAddresses(t *testing.T) {
	w := apitest.New(t)
	subnet := w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1a")
	one, two := w.LaunchIn(subnet), w.LaunchIn(subnet)
	given := w.Call("AllocateAddress", "Domain", "vpc", "Address", "", "TagSpecification.1.ResourceType", "elastic-ip",
		"TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "mine").Body
	apitest.Shows(t, given, "publicIpv4Pool", "amazon")
	apitest.Shows(t, given, "networkBorderGroup", "us-east-1")
	allocation, ip := apitest.First(given, "allocationId"), apitest.First(given, "publicIp")
	pool := w.Must("ipAddress", "DescribeInstances", "InstanceId.1", one)
	association := w.Must("associationId", "AssociateAddress", "AllocationId", allocation, "InstanceId", one)
	if again := w.Must("associationId", "AssociateAddress", "AllocationId", allocation, "InstanceId", one,
		"AllowReassociation", "false"); again != association {
		t.Errorf("the same association twice: %s, then %s", association, again)
	}
	seen := w.Call("DescribeAddresses", "Filter.1.Name", "association-id", "Filter.1.Value.1", association,
		"Filter.2.Name", "tag:Name", "Filter.2.Value.1", "mine").Body
	for element, want := range map[string]string{
		"publicIp": ip, "instanceId": one, "domain": "vpc", "allocationId": allocation,
		"networkInterfaceOwnerId": w.Keys.Account,
	} {
		apitest.Shows(t, seen, element, want)
	}
	if got := w.Must("ipAddress", "DescribeInstances", "InstanceId.1", one); got != ip {
		t.Errorf("the instance's address is %s, want the elastic %s", got, ip)
	}
	// The address of the pool that the instance had is free again.
	other := w.Must("allocationId", "AllocateAddress", "Address", pool)
	eni := w.Must("networkInterfaceId", "DescribeInstances", "InstanceId.1", two)
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("elsewhere already", "Resource.AlreadyAssociated", association, "AssociateAddress",
			[]string{"AllocationId", allocation, "InstanceId", two, "AllowReassociation", "false"}),
		apitest.Case("releasing what is used", "InvalidIPAddress.InUse", ip, "ReleaseAddress",
			[]string{"AllocationId", allocation}),
		apitest.Case("releasing by address", "InvalidParameterValue", "allocation id", "ReleaseAddress",
			[]string{"PublicIp", ip}),
		apitest.Case("an allocation that is not there", "InvalidAllocationID.NotFound", "eipalloc-00000000",
			"AssociateAddress", []string{"AllocationId", "eipalloc-00000000", "InstanceId", one}),
		apitest.Case("an association that is not there", "InvalidAssociationID.NotFound", "", "DisassociateAddress",
			[]string{"AssociationId", "eipassoc-00000000"}),
		apitest.Case("an address that is not there", "InvalidAddress.NotFound", "9.9.9.9", "DescribeAddresses",
			[]string{"PublicIp.1", "9.9.9.9"}),
		apitest.Case("an allocation to describe", "InvalidAllocationID.NotFound", "", "DescribeAddresses",
			[]string{"AllocationId.1", "eipalloc-00000000"}),
		apitest.Case("an instance and an interface", "InvalidParameterCombination", "both", "AssociateAddress",
			[]string{"AllocationId", allocation, "InstanceId", two, "NetworkInterfaceId", eni}),
		apitest.Case("a private address of nobody's", "InvalidParameterValue", "10.1.1.1", "AssociateAddress",
			[]string{"AllocationId", allocation, "NetworkInterfaceId", eni, "PrivateIpAddress", "10.1.1.1"}),
		apitest.Case("a VPC without a gateway", "Gateway.NotAttached", "vpc-", "AssociateAddress",
			[]string{
				"AllocationId", allocation, "NetworkInterfaceId",
				w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", apitest.NewNetwork(w, "50").Subnet),
			}),
		apitest.Case("a taken address", "InvalidAddress.NotFound", ip, "AllocateAddress", []string{"Address", ip}),
		apitest.Case("EC2-Classic", "UnsupportedOperation", "standard", "AllocateAddress", []string{"Domain", "standard"}),
	})
	// It moves, and the instance that had it has none until it starts again.
	moved := w.Must("associationId", "AssociateAddress", "AllocationId", allocation, "InstanceId", two)
	if moved == association {
		t.Error("the moved address kept its association's id")
	}
	apitest.Lacks(t, w.Call("DescribeInstances", "InstanceId.1", one).Body, "<ipAddress>")
	w.Must("associationId", "AssociateAddress", "AllocationId", other, "InstanceId", two) // replaces the first
	apitest.Lacks(t, w.Call("DescribeAddresses", "AllocationId.1", allocation).Body, "<associationId>")
	w.Must("return", "DisassociateAddress", "AssociationId",
		apitest.First(w.Call("DescribeAddresses", "AllocationId.1", other).Body, "associationId"))
	apitest.Lacks(t, w.Call("DescribeInstances", "InstanceId.1", two).Body, "<ipAddress>")
	w.Must("instanceId", "StopInstances", "InstanceId.1", two)
	w.Await(two, "stopped")
	w.Must("instanceId", "StartInstances", "InstanceId.1", two)
	w.Await(two, "running")
	if got := w.Must("ipAddress", "DescribeInstances", "InstanceId.1", two); got == "" {
		t.Error("started again, the instance has no address of the pool")
	}
	for _, id := range []string{allocation, other} {
		w.Must("return", "ReleaseAddress", "AllocationId", id)
	}
	apitest.Lacks(t, w.Call("DescribeAddresses").Body, "<item>")
}
