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
			return *ok(tf.ec2.AllocateAddress(tf.ctx,
				&ec2.AllocateAddressInput{
					Domain: types.DomainTypeVpc, TagSpecifications: named(types.ResourceTypeElasticIp),
				})).AllocationId
		},
		read: func(id string) attributes {
			a := ok(tf.ec2.DescribeAddresses(tf.ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{id}})).Addresses[0]
			names := ok(tf.ec2.DescribeAddressesAttribute(tf.ctx,
				&ec2.DescribeAddressesAttributeInput{
					AllocationIds: []string{id}, Attribute: types.AddressAttributeNameDomainName,
				})).Addresses
			ptr := ""
			for _, n := range names {
				ptr = aws.ToString(n.PtrRecord)
			}
			return attributes{
				"allocation_id": a.AllocationId, "association_id": a.AssociationId, "carrier_ip": a.CarrierIp,
				"customer_owned_ip": a.CustomerOwnedIp, "customer_owned_ipv4_pool": a.CustomerOwnedIpv4Pool,
				"domain": a.Domain, "instance": a.InstanceId, "network_border_group": a.NetworkBorderGroup,
				"network_interface": a.NetworkInterfaceId, "private_ip": a.PrivateIpAddress, "public_ip": a.PublicIp,
				"public_ipv4_pool": a.PublicIpv4Pool, "ptr_record": ptr, "tags": tagsOf(a.Tags),
			}
		},
		want: attributes{
			"allocation_id": known, "association_id": nil, "carrier_ip": nil, "customer_owned_ip": nil,
			"customer_owned_ipv4_pool": nil, "domain": "vpc", "instance": nil,
			"network_border_group": "us-east-1", "network_interface": nil, "private_ip": nil, "public_ip": known,
			"public_ipv4_pool": "amazon", "ptr_record": nil, "tags": tagged,
		},
		destroy: func(id string) {
			ok(tf.ec2.ReleaseAddress(tf.ctx,
				&ec2.ReleaseAddressInput{AllocationId: &id, NetworkBorderGroup: aws.String("us-east-1")}))
			if _, err := tf.ec2.ReleaseAddress(tf.ctx,
				&ec2.ReleaseAddressInput{AllocationId: &id}); codeOf(err) != "InvalidAllocationID.NotFound" {
				refuse("releasing it twice: %v", err)
			}
		},
		gone: "InvalidAllocationID.NotFound",
	}
}

// addressAssociation moves an elastic address onto an instance.
func (tf *terraform) addressAssociation(address, instance string) resource {
	return resource{
		kind: "aws_eip_association",
		create: func() string {
			return *ok(tf.ec2.AssociateAddress(tf.ctx,
				&ec2.AssociateAddressInput{AllocationId: &address, InstanceId: &instance})).AssociationId
		},
		read: func(id string) attributes {
			list := ok(tf.ec2.DescribeAddresses(tf.ctx,
				&ec2.DescribeAddressesInput{Filters: []types.Filter{by("association-id", id)}})).Addresses
			if len(list) == 0 {
				return nil
			}
			a := list[0]
			return attributes{
				"allocation_id": a.AllocationId, "instance_id": a.InstanceId,
				"network_interface_id": a.NetworkInterfaceId, "private_ip_address": a.PrivateIpAddress, "public_ip": a.PublicIp,
			}
		},
		want: attributes{
			"allocation_id": address, "instance_id": instance, "network_interface_id": known,
			"private_ip_address": known, "public_ip": known,
		},
		destroy: func(id string) {
			ok(tf.ec2.DisassociateAddress(tf.ctx, &ec2.DisassociateAddressInput{AssociationId: &id}))
			if _, err := tf.ec2.DisassociateAddress(tf.ctx,
				&ec2.DisassociateAddressInput{AssociationId: &id}); codeOf(err) != "InvalidAssociationID.NotFound" {
				refuse("disassociating twice: %v", err)
			}
		},
	}
}

func (tf *terraform) oneInterface(id string) types.NetworkInterface {
	return ok(tf.ec2.DescribeNetworkInterfaces(tf.ctx,
		&ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}})).NetworkInterfaces[0]
}

func (tf *terraform) networkInterface(subnet, group, other string) resource {
	modify := func(in ec2.ModifyNetworkInterfaceAttributeInput, want attributes) change {
		return change{
			func(id string) { in.NetworkInterfaceId = &id; ok(tf.ec2.ModifyNetworkInterfaceAttribute(tf.ctx, &in)) }, want,
		}
	}
	return resource{
		kind: "aws_network_interface",
		create: func() string {
			id := *ok(tf.ec2.CreateNetworkInterface(tf.ctx, &ec2.CreateNetworkInterfaceInput{
				ClientToken: token(), SubnetId: &subnet, Description: aws.String("of tf"), Groups: []string{group},
				TagSpecifications: named(types.ResourceTypeNetworkInterface),
				PrivateIpAddresses: []types.PrivateIpAddressSpecification{
					{PrivateIpAddress: aws.String("10.0.1.50"), Primary: aws.Bool(true)},
					{PrivateIpAddress: aws.String("10.0.1.51"), Primary: aws.Bool(false)},
				},
			})).NetworkInterface.NetworkInterfaceId
			until("the interface is available", func() bool {
				return tf.oneInterface(id).Status == types.NetworkInterfaceStatusAvailable
			})
			return id
		},
		read: func(id string) attributes {
			n := tf.oneInterface(id)
			var ips, groups []string
			for _, p := range n.PrivateIpAddresses {
				ips = append(ips, *p.PrivateIpAddress)
			}
			for _, g := range n.Groups {
				groups = append(groups, *g.GroupId)
			}
			return attributes{
				"attachment": n.Attachment, "description": n.Description, "interface_type": n.InterfaceType,
				"ipv4_prefixes": n.Ipv4Prefixes, "ipv6_prefixes": n.Ipv6Prefixes, "ipv6_addresses": n.Ipv6Addresses,
				"mac_address": n.MacAddress, "outpost_arn": n.OutpostArn, "owner_id": n.OwnerId,
				"private_dns_name": n.PrivateDnsName, "private_ip": n.PrivateIpAddress, "private_ips": ips,
				"security_groups": groups, "source_dest_check": n.SourceDestCheck, "subnet_id": n.SubnetId,
				"status": n.Status, "tags": tagsOf(n.TagSet),
			}
		},
		want: attributes{
			"attachment": nil, "description": "of tf", "interface_type": "interface", "ipv4_prefixes": nil,
			"ipv6_prefixes": nil, "ipv6_addresses": nil, "mac_address": known, "outpost_arn": nil,
			"owner_id": tf.r.keys.AccountID, "private_dns_name": nil, "private_ip": "10.0.1.50",
			"private_ips": []string{"10.0.1.50", "10.0.1.51"}, "security_groups": []string{group},
			"source_dest_check": true, "subnet_id": subnet, "status": "available", "tags": tagged,
		},
		changes: []change{
			modify(ec2.ModifyNetworkInterfaceAttributeInput{
				Description: &types.AttributeValue{Value: aws.String("changed")},
			}, attributes{"description": "changed"}),
			modify(ec2.ModifyNetworkInterfaceAttributeInput{
				SourceDestCheck: &types.AttributeBooleanValue{Value: aws.Bool(false)},
			}, attributes{"source_dest_check": false}),
			modify(ec2.ModifyNetworkInterfaceAttributeInput{Groups: []string{other}},
				attributes{"security_groups": []string{other}}),
			{func(id string) {
				ok(tf.ec2.UnassignPrivateIpAddresses(tf.ctx,
					&ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &id, PrivateIpAddresses: []string{"10.0.1.51"}}))
				ok(tf.ec2.AssignPrivateIpAddresses(tf.ctx,
					&ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &id, PrivateIpAddresses: []string{"10.0.1.52"}}))
			}, attributes{"private_ips": []string{"10.0.1.50", "10.0.1.52"}}},
		},
		destroy: func(id string) {
			ok(tf.ec2.DeleteNetworkInterface(tf.ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id}))
		},
		gone: "InvalidNetworkInterfaceID.NotFound",
	}
}

func (tf *terraform) interfaceAttachment(port, instance string) resource {
	read := func(id string) attributes {
		list := ok(tf.ec2.DescribeNetworkInterfaces(tf.ctx,
			&ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{by("attachment.attachment-id", id)}})).NetworkInterfaces
		if len(list) == 0 {
			return nil
		}
		a := list[0].Attachment
		return attributes{
			"attachment_id": a.AttachmentId, "device_index": a.DeviceIndex, "network_card_index": a.NetworkCardIndex,
			"instance_id":          a.InstanceId,
			"network_interface_id": list[0].NetworkInterfaceId, "status": a.Status,
			"delete_on_termination": a.DeleteOnTermination,
		}
	}
	return resource{
		kind: "aws_network_interface_attachment",
		create: func() string {
			id := *ok(tf.ec2.AttachNetworkInterface(tf.ctx,
				&ec2.AttachNetworkInterfaceInput{
					NetworkInterfaceId: &port, InstanceId: &instance, DeviceIndex: aws.Int32(1), NetworkCardIndex: aws.Int32(0),
				})).AttachmentId
			until("the interface is attached", func() bool { return text(read(id)["status"]) == `"attached"` })
			return id
		},
		read: read,
		want: attributes{
			"attachment_id": known, "device_index": 1, "network_card_index": 0, "instance_id": instance,
			"network_interface_id": port, "status": "attached", "delete_on_termination": false,
		},
		destroy: func(id string) {
			ok(tf.ec2.DetachNetworkInterface(tf.ctx,
				&ec2.DetachNetworkInterfaceInput{AttachmentId: &id, Force: aws.Bool(true)}))
			until("the interface is available", func() bool {
				return tf.oneInterface(port).Status == types.NetworkInterfaceStatusAvailable
			})
			if _, err := tf.ec2.DetachNetworkInterface(tf.ctx,
				&ec2.DetachNetworkInterfaceInput{AttachmentId: &id}); codeOf(err) != "InvalidAttachmentID.NotFound" {
				refuse("detaching it twice: %v", err)
			}
		},
	}
}
