package e2e

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func (tf *terraform) address() resource {
	return resource{
		kind: "aws_eip",
		create: func() string {
			return *ok(tf.ec2.AllocateAddress(tf.ctx, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc, TagSpecifications: named(types.ResourceTypeElasticIp)})).AllocationId
		},
		read: func(id string) attributes {
			a := ok(tf.ec2.DescribeAddresses(tf.ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{id}})).Addresses[0]
			names := ok(tf.ec2.DescribeAddressesAttribute(tf.ctx, &ec2.DescribeAddressesAttributeInput{AllocationIds: []string{id}, Attribute: types.AddressAttributeNameDomainName})).Addresses
			ptr := ""
			for _, n := range names {
				ptr = aws.ToString(n.PtrRecord)
			}
			return attributes{
				"allocation_id": a.AllocationId, "association_id": a.AssociationId, "carrier_ip": a.CarrierIp, "customer_owned_ip": a.CustomerOwnedIp, "customer_owned_ipv4_pool": a.CustomerOwnedIpv4Pool,
				"domain": a.Domain, "instance": a.InstanceId, "network_border_group": a.NetworkBorderGroup, "network_interface": a.NetworkInterfaceId, "private_ip": a.PrivateIpAddress, "public_ip": a.PublicIp,
				"public_ipv4_pool": a.PublicIpv4Pool, "ptr_record": ptr, "tags": tagsOf(a.Tags),
			}
		},
		want: attributes{
			"allocation_id": known, "association_id": nil, "carrier_ip": nil, "customer_owned_ip": nil, "customer_owned_ipv4_pool": nil, "domain": "vpc", "instance": nil,
			"network_border_group": "us-east-1", "network_interface": nil, "private_ip": nil, "public_ip": known, "public_ipv4_pool": "amazon", "ptr_record": nil, "tags": tagged,
		},
		destroy: func(id string) {
			ok(tf.ec2.ReleaseAddress(tf.ctx, &ec2.ReleaseAddressInput{AllocationId: &id, NetworkBorderGroup: aws.String("us-east-1")}))
			if _, err := tf.ec2.ReleaseAddress(tf.ctx, &ec2.ReleaseAddressInput{AllocationId: &id}); codeOf(err) != "InvalidAllocationID.NotFound" {
				refuse("releasing it twice: %v", err)
			}
		},
		gone: "InvalidAllocationID.NotFound",
	}
}
