package controlplane_test

import (
	"strings"
	"testing"

	"slipway/internal/apitest"
)

// TestEveryUnknownIDIsNamed: an action that is asked for several things which are not there says so of all of them, in EC2's
// plural; of one alone, in the singular. What has not the form of an id is refused for that, where EC2 has a code for it.
func TestEveryUnknownIDIsNamed(t *testing.T) {
	w := apitest.New(t)
	for _, c := range []struct{ ask, prefix, code, one, two, malformed string }{
		{"DescribeInstances InstanceId", "i", "InvalidInstanceID.NotFound", "The instance ID 'A' does not exist",
			"The instance IDs 'A, B' do not exist", "InvalidInstanceID.Malformed"},
		{"TerminateInstances InstanceId", "i", "InvalidInstanceID.NotFound", "The instance ID 'A' does not exist",
			"The instance IDs 'A, B' do not exist", "InvalidInstanceID.Malformed"},
		{"DescribeVolumes VolumeId", "vol", "InvalidVolume.NotFound", "The volume 'A' does not exist.",
			"The volumes 'A, B' do not exist.", "InvalidVolumeID.Malformed"},
		{"DescribeVolumeStatus VolumeId", "vol", "InvalidVolume.NotFound", "The volume 'A' does not exist.",
			"The volumes 'A, B' do not exist.", "InvalidVolumeID.Malformed"},
		{"DescribeVolumesModifications VolumeId", "vol", "InvalidVolume.NotFound", "The volume 'A' does not exist.",
			"The volumes 'A, B' do not exist.", "InvalidVolumeID.Malformed"},
		{"DescribeSnapshots SnapshotId", "snap", "InvalidSnapshot.NotFound", "The snapshot 'A' does not exist.",
			"The snapshots 'A, B' do not exist.", "InvalidSnapshotID.Malformed"},
		{"DescribeImages ImageId", "ami", "InvalidAMIID.NotFound", "The image id '[A]' does not exist",
			"The image ids '[A, B]' do not exist", "InvalidAMIID.Malformed"},
		{"DescribeVpcs VpcId", "vpc", "InvalidVpcID.NotFound", "The vpc ID 'A' does not exist",
			"The vpc IDs 'A, B' do not exist", "InvalidVpcID.Malformed"},
		{"DescribeSubnets SubnetId", "subnet", "InvalidSubnetID.NotFound", "The subnet ID 'A' does not exist",
			"The subnet IDs 'A, B' do not exist", "InvalidSubnetID.Malformed"},
		{"DescribeNetworkInterfaces NetworkInterfaceId", "eni", "InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID 'A' does not exist", "The networkInterface IDs 'A, B' do not exist",
			"InvalidNetworkInterfaceId.Malformed"},
		{"DescribeSecurityGroups GroupId", "sg", "InvalidGroup.NotFound", "The security group 'A' does not exist",
			"The security groups 'A, B' do not exist", "InvalidGroupId.Malformed"},
		{"DescribeSecurityGroups GroupName", "sg", "InvalidGroup.NotFound", "The security group 'A' does not exist",
			"The security groups 'A, B' do not exist", ""},
		{"DescribeSecurityGroupReferences GroupId", "sg", "InvalidGroup.NotFound", "The security group 'A' does not exist",
			"The security groups 'A, B' do not exist", ""},
		{"DescribeSecurityGroupRules SecurityGroupRuleId", "sgr", "InvalidSecurityGroupRuleId.NotFound",
			"The security group rule ID 'A' does not exist", "The security group rule IDs 'A, B' do not exist", ""},
		{"DescribeRouteTables RouteTableId", "rtb", "InvalidRouteTableID.NotFound", "The routeTable ID 'A' does not exist",
			"The routeTable IDs 'A, B' do not exist", "InvalidRouteTableId.Malformed"},
		{"DescribeInternetGateways InternetGatewayId", "igw", "InvalidInternetGatewayID.NotFound",
			"The internetGateway ID 'A' does not exist", "The internetGateway IDs 'A, B' do not exist",
			"InvalidInternetGatewayId.Malformed"},
		{"DescribeNetworkAcls NetworkAclId", "acl", "InvalidNetworkAclID.NotFound", "The networkAcl ID 'A' does not exist",
			"The networkAcl IDs 'A, B' do not exist", "InvalidNetworkAclId.Malformed"},
		{"DescribeEgressOnlyInternetGateways EgressOnlyInternetGatewayId", "eigw", "InvalidGatewayID.NotFound",
			"The gateway ID 'A' does not exist", "The gateway IDs 'A, B' do not exist", ""},
		{"DescribeNatGateways NatGatewayId", "nat", "NatGatewayNotFound", "NatGateway A was not found",
			"NatGateway A, B was not found", "NatGatewayMalformed"},
		{"DescribeVpcPeeringConnections VpcPeeringConnectionId", "pcx", "InvalidVpcPeeringConnectionID.NotFound",
			"The vpcPeeringConnection ID 'A' does not exist", "The vpcPeeringConnection IDs 'A, B' do not exist",
			"InvalidVpcPeeringConnectionId.Malformed"},
		{"DescribeManagedPrefixLists PrefixListId", "pl", "InvalidPrefixListID.NotFound", "The prefix list ID 'A' does not exist",
			"The prefix list IDs 'A, B' do not exist", "InvalidPrefixListId.Malformed"},
		{"DescribeDhcpOptions DhcpOptionsId", "dopt", "InvalidDhcpOptionID.NotFound", "The dhcpOption ID 'A' does not exist",
			"The dhcpOption IDs 'A, B' do not exist", "InvalidDhcpOptionsId.Malformed"},
		{"DescribeAddresses AllocationId", "eipalloc", "InvalidAllocationID.NotFound", "The allocation ID 'A' does not exist",
			"The allocation IDs 'A', 'B' do not exist", ""},
		{"DescribeKeyPairs KeyName", "key", "InvalidKeyPair.NotFound", "The key pair 'A' does not exist",
			"The key pairs 'A, B' do not exist", ""},
		{"DescribeKeyPairs KeyPairId", "key", "InvalidKeyPair.NotFound", "The key pair ID 'A' does not exist",
			"The key pair IDs 'A, B' do not exist", ""},
		{"DescribePlacementGroups GroupName", "pg", "InvalidPlacementGroup.Unknown", "The Placement Group 'A' is unknown.",
			"The Placement Groups 'A, B' are unknown.", ""},
		{"DescribeIamInstanceProfileAssociations AssociationId", "iip-assoc", "InvalidAssociationID.NotFound",
			"The association ID 'A' does not exist", "The association IDs 'A, B' do not exist", ""},
		{"DescribeSpotInstanceRequests SpotInstanceRequestId", "sir", "InvalidSpotInstanceRequestID.NotFound",
			"The spot instance request ID 'A' does not exist", "The spot instance request IDs 'A, B' do not exist",
			"InvalidSpotInstanceRequestID.Malformed"},
		{"CancelSpotInstanceRequests SpotInstanceRequestId", "sir", "InvalidSpotInstanceRequestID.NotFound",
			"The spot instance request ID 'A' does not exist", "The spot instance request IDs 'A, B' do not exist",
			"InvalidSpotInstanceRequestID.Malformed"},
		{"DescribeCapacityReservations CapacityReservationId", "cr", "InvalidCapacityReservationId.NotFound",
			"The capacity reservation 'A' does not exist", "The capacity reservations 'A, B' do not exist",
			"InvalidCapacityReservationId.Malformed"},
		{"DescribeHosts HostId", "h", "InvalidHostID.NotFound", "The host ID 'A' does not exist",
			"The host IDs 'A, B' do not exist", "InvalidHostID.Malformed"},
		{"DescribeVpcEndpoints VpcEndpointId", "vpce", "InvalidVpcEndpointId.NotFound",
			"The Vpc Endpoint Id 'A' does not exist", "The Vpc Endpoint Ids 'A, B' do not exist", ""},
	} {
		action, parameter, _ := strings.Cut(c.ask, " ")
		a, b := c.prefix+"-12345678", c.prefix+"-87654321"
		ids := strings.NewReplacer("'A", "'"+a, "[A", "["+a, "y A", "y "+a, "B", b)
		for says, params := range map[string][]string{
			c.one: {parameter + ".1", a}, c.two: {parameter + ".1", a, parameter + ".2", b, parameter + ".3", a},
		} {
			if got := w.Call(action, params...); got.Code != c.code || got.Message != ids.Replace(says) {
				t.Errorf("%s %v: %s %q, want %s %q", action, params, got.Code, got.Message, c.code, ids.Replace(says))
			}
		}
		if c.malformed == "" {
			continue
		}
		if got := w.Call(action, parameter+".1", a, parameter+".2", "other-1"); got.Code != c.malformed {
			t.Errorf("%s of other-1: %s %q, want %s", action, got.Code, got.Message, c.malformed)
		}
	}
}
