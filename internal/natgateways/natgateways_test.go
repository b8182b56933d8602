package natgateways_test

import (
	"slipway/internal/apitest"
	"testing"
)

func TestNATGateways(t *testing.T) {
	w := apitest.New(t)
	subnet, vpc := w.Must("subnetId", "DescribeSubnets"), w.Must("vpcId", "DescribeVpcs")
	allocation := w.Must("allocationId", "AllocateAddress")
	a := w.Call("CreateNatGateway", "SubnetId", subnet, "AllocationId", allocation, "ConnectivityType", "public",
		"ClientToken", "once",
		"TagSpecification.1.ResourceType", "natgateway", "TagSpecification.1.Tag.1.Key", "Name",
		"TagSpecification.1.Tag.1.Value", "nat")
	nat := apitest.First(a.Body, "natGatewayId")
	apitest.Shows(t, a.Body, "state", "pending")
	if again := w.Must("natGatewayId", "CreateNatGateway", "SubnetId", subnet, "AllocationId", allocation,
		"ClientToken", "once",
		"TagSpecification.1.ResourceType", "natgateway", "TagSpecification.1.Tag.1.Key", "Name",
		"TagSpecification.1.Tag.1.Value", "nat"); again != nat {
		t.Errorf("the same request made %s, then %s", nat, again)
	}
	seen := w.Call("DescribeNatGateways", "NatGatewayId.1", nat, "Filter.1.Name", "state", "Filter.1.Value.1", "available").Body
	for element, want := range map[string]string{
		"vpcId": vpc, "subnetId": subnet, "connectivityType": "public", "allocationId": allocation, "isPrimary": "true",
		"status": "succeeded", "state": "available",
	} {
		apitest.Shows(t, seen, element, want)
	}
	eni := apitest.First(seen, "networkInterfaceId")
	apitest.Shows(t, w.Call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni).Body, "interfaceType", "nat_gateway")
	apitest.Shows(t, w.Call("DescribeAddresses", "AllocationId.1", allocation).Body, "networkInterfaceId", eni)
	table := w.Must("routeTableId", "CreateRouteTable", "VpcId", vpc)
	w.Must("return", "CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "NatGatewayId", nat)
	apitest.Lacks(t, w.Call("DescribeRouteTables", "RouteTableId.1", table).Body, "blackhole")
	association := apitest.First(w.Call("DescribeAddresses", "AllocationId.1", allocation).Body, "associationId")
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("an address in use", "Resource.AlreadyAssociated", allocation, "CreateNatGateway",
			[]string{"SubnetId", subnet, "AllocationId", allocation}),
		apitest.Case("no address", "MissingParameter", "AllocationId", "CreateNatGateway", []string{"SubnetId", subnet}),
		apitest.Case("a private one", "UnsupportedOperation", "private", "CreateNatGateway",
			[]string{"SubnetId", subnet, "ConnectivityType", "private"}),
		apitest.Case("an address that is not there", "InvalidAllocationID.NotFound", "", "CreateNatGateway",
			[]string{"SubnetId", subnet, "AllocationId", "eipalloc-00000000"}),
		apitest.Case("its interface deleted", "OperationNotPermitted", eni, "DeleteNetworkInterface",
			[]string{"NetworkInterfaceId", eni}),
		apitest.Case("its address taken", "OperationNotPermitted", nat, "DisassociateAddress",
			[]string{"AssociationId", association}),
		apitest.Case("its subnet deleted", "DependencyViolation", subnet, "DeleteSubnet", []string{"SubnetId", subnet}),
		apitest.Case("one that is not there", "NatGatewayNotFound", "nat-00000000", "DescribeNatGateways",
			[]string{"NatGatewayId.1", "nat-00000000"}),
	})
	w.Must("natGatewayId", "DeleteNatGateway", "NatGatewayId", nat)
	apitest.Shows(t, w.Call("DescribeNatGateways", "NatGatewayId.1", nat).Body, "state", "deleted")
	apitest.Shows(t, w.Call("DescribeRouteTables", "RouteTableId.1", table).Body, "state", "blackhole")
	w.Must("return", "ReleaseAddress", "AllocationId", allocation)

	// Without an internet gateway it is made and fails, and holds nothing.
	n := apitest.NewNetwork(w, "91")
	allocation = w.Must("allocationId", "AllocateAddress")
	failed := w.Must("natGatewayId", "CreateNatGateway", "SubnetId", n.Subnet, "AllocationId", allocation)
	seen = w.Call("DescribeNatGateways", "NatGatewayId.1", failed).Body
	apitest.Shows(t, seen, "state", "failed")
	apitest.Shows(t, seen, "failureCode", "Gateway.NotAttached")
	w.Must("return", "ReleaseAddress", "AllocationId", allocation)
	w.Must("return", "DeleteSubnet", "SubnetId", n.Subnet)
}
