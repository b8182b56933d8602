package e2e

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func (tf *terraform) networkACL(vpc, subnet string) resource {
	one := func(filters ...types.Filter) types.NetworkAcl {
		return ok(tf.ec2.DescribeNetworkAcls(tf.ctx, &ec2.DescribeNetworkAclsInput{Filters: filters})).NetworkAcls[0]
	}
	// move gives the subnet another ACL.
	move := func(to string) {
		for _, a := range one(by("association.subnet-id", subnet)).Associations {
			if *a.SubnetId == subnet {
				ok(tf.ec2.ReplaceNetworkAclAssociation(tf.ctx,
					&ec2.ReplaceNetworkAclAssociationInput{AssociationId: a.NetworkAclAssociationId, NetworkAclId: &to}))
			}
		}
	}
	rules := func(entries []types.NetworkAclEntry, egress bool) (out [][]any) {
		for _, e := range entries {
			if *e.Egress == egress && *e.RuleNumber < 32767 { // the last one is no one's
				from, to := int32(0), int32(0)
				if e.PortRange != nil {
					from, to = *e.PortRange.From, *e.PortRange.To
				}
				out = append(out,
					[]any{e.RuleAction, e.CidrBlock, e.Ipv6CidrBlock, from, to, e.IcmpTypeCode, e.Protocol, e.RuleNumber})
			}
		}
		return out
	}
	return resource{
		kind: "aws_network_acl",
		create: func() string {
			id := *ok(tf.ec2.CreateNetworkAcl(tf.ctx,
				&ec2.CreateNetworkAclInput{
					ClientToken: token(), VpcId: &vpc, TagSpecifications: named(types.ResourceTypeNetworkAcl),
				})).NetworkAcl.NetworkAclId
			ok(tf.ec2.CreateNetworkAclEntry(tf.ctx, &ec2.CreateNetworkAclEntryInput{
				NetworkAclId: &id, RuleNumber: aws.Int32(100), Protocol: aws.String("6"),
				RuleAction: types.RuleActionAllow, Egress: aws.Bool(false), CidrBlock: aws.String("0.0.0.0/0"),
				PortRange: &types.PortRange{From: aws.Int32(22), To: aws.Int32(22)},
			}))
			ok(tf.ec2.CreateNetworkAclEntry(tf.ctx, &ec2.CreateNetworkAclEntryInput{
				NetworkAclId: &id, RuleNumber: aws.Int32(100), Protocol: aws.String("-1"),
				RuleAction: types.RuleActionAllow, Egress: aws.Bool(true), CidrBlock: aws.String("0.0.0.0/0"),
				PortRange: &types.PortRange{From: aws.Int32(0), To: aws.Int32(0)},
			}))
			move(id)
			return id
		},
		read: func(id string) attributes {
			a := ok(tf.ec2.DescribeNetworkAcls(tf.ctx,
				&ec2.DescribeNetworkAclsInput{NetworkAclIds: []string{id}})).NetworkAcls[0]
			var subnets []string
			for _, s := range a.Associations {
				subnets = append(subnets, *s.SubnetId)
			}
			return attributes{
				"owner_id": a.OwnerId, "vpc_id": a.VpcId, "subnet_ids": subnets, "ingress": rules(a.Entries, false),
				"egress": rules(a.Entries, true), "default": a.IsDefault, "tags": tagsOf(a.Tags),
			}
		},
		want: attributes{
			"owner_id": tf.r.keys.AccountID, "vpc_id": vpc, "subnet_ids": []string{subnet}, "default": false, "tags": tagged,
			"ingress": [][]any{{"allow", "0.0.0.0/0", nil, 22, 22, nil, "6", 100}},
			"egress":  [][]any{{"allow", "0.0.0.0/0", nil, 0, 0, nil, "-1", 100}},
		},
		changes: []change{{func(id string) {
			ok(tf.ec2.DeleteNetworkAclEntry(tf.ctx,
				&ec2.DeleteNetworkAclEntryInput{NetworkAclId: &id, RuleNumber: aws.Int32(100), Egress: aws.Bool(false)}))
		}, attributes{"ingress": nil}}},
		destroy: func(id string) {
			move(*one(by("default", "true"), by("vpc-id", vpc)).NetworkAclId)
			ok(tf.ec2.DeleteNetworkAcl(tf.ctx, &ec2.DeleteNetworkAclInput{NetworkAclId: &id}))
		},
		gone: "InvalidNetworkAclID.NotFound",
	}
}

func (tf *terraform) networkACLRule(acl string) resource {
	return resource{
		kind: "aws_network_acl_rule",
		create: func() string {
			ok(tf.ec2.CreateNetworkAclEntry(tf.ctx, &ec2.CreateNetworkAclEntryInput{
				NetworkAclId: &acl, RuleNumber: aws.Int32(200), Protocol: aws.String("1"),
				RuleAction: types.RuleActionDeny, Egress: aws.Bool(false), CidrBlock: aws.String("10.0.0.0/8"),
				IcmpTypeCode: &types.IcmpTypeCode{Type: aws.Int32(-1), Code: aws.Int32(-1)},
			}))
			return "200"
		},
		read: func(string) attributes {
			acls := ok(tf.ec2.DescribeNetworkAcls(tf.ctx,
				&ec2.DescribeNetworkAclsInput{
					NetworkAclIds: []string{acl},
					Filters:       []types.Filter{by("entry.rule-number", "200"), by("entry.egress", "false")},
				})).NetworkAcls
			for _, a := range acls {
				for _, e := range a.Entries {
					if *e.RuleNumber == 200 && !*e.Egress {
						return attributes{
							"cidr_block": e.CidrBlock, "ipv6_cidr_block": e.Ipv6CidrBlock, "egress": e.Egress,
							"protocol": e.Protocol, "rule_action": e.RuleAction, "rule_number": e.RuleNumber,
							"icmp_type": e.IcmpTypeCode.Type, "icmp_code": e.IcmpTypeCode.Code, "port_range": e.PortRange,
						}
					}
				}
			}
			return nil
		},
		want: attributes{
			"cidr_block": "10.0.0.0/8", "ipv6_cidr_block": nil, "egress": false, "protocol": "1", "rule_action": "deny",
			"rule_number": 200, "icmp_type": -1, "icmp_code": -1, "port_range": nil,
		},
		destroy: func(string) {
			in := &ec2.DeleteNetworkAclEntryInput{NetworkAclId: &acl, RuleNumber: aws.Int32(200), Egress: aws.Bool(false)}
			ok(tf.ec2.DeleteNetworkAclEntry(tf.ctx, in))
			if _, err := tf.ec2.DeleteNetworkAclEntry(tf.ctx, in); codeOf(err) != "InvalidNetworkAclEntry.NotFound" {
				refuse("deleting it twice: %v", err)
			}
		},
	}
}

func (tf *terraform) peering(vpc, peer string) resource {
	one := func(id string) types.VpcPeeringConnection {
		return ok(tf.ec2.DescribeVpcPeeringConnections(tf.ctx,
			&ec2.DescribeVpcPeeringConnectionsInput{VpcPeeringConnectionIds: []string{id}})).VpcPeeringConnections[0]
	}
	return resource{
		kind: "aws_vpc_peering_connection",
		create: func() string {
			id := *ok(tf.ec2.CreateVpcPeeringConnection(tf.ctx, &ec2.CreateVpcPeeringConnectionInput{
				VpcId: &vpc, PeerVpcId: &peer, TagSpecifications: named(types.ResourceTypeVpcPeeringConnection),
			})).VpcPeeringConnection.VpcPeeringConnectionId
			until("the peering waits for its acceptance", func() bool {
				return one(id).Status.Code == types.VpcPeeringConnectionStateReasonCodePendingAcceptance
			})
			ok(tf.ec2.AcceptVpcPeeringConnection(tf.ctx,
				&ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: &id})) // auto_accept
			until("the peering is active", func() bool {
				return one(id).Status.Code == types.VpcPeeringConnectionStateReasonCodeActive
			})
			return id
		},
		read: func(id string) attributes {
			p := one(id)
			if p.Status.Code == types.VpcPeeringConnectionStateReasonCodeDeleted {
				return nil
			}
			return attributes{
				"accept_status": p.Status.Code, "vpc_id": p.RequesterVpcInfo.VpcId,
				"peer_vpc_id": p.AccepterVpcInfo.VpcId, "peer_owner_id": p.AccepterVpcInfo.OwnerId,
				"peer_region": p.AccepterVpcInfo.Region,
				"requester.allow_remote_vpc_dns_resolution": p.RequesterVpcInfo.PeeringOptions.AllowDnsResolutionFromRemoteVpc,
				"tags": tagsOf(p.Tags),
				"accepter.allow_remote_vpc_dns_resolution": p.AccepterVpcInfo.PeeringOptions.AllowDnsResolutionFromRemoteVpc,
			}
		},
		want: attributes{
			"accept_status": "active", "vpc_id": vpc, "peer_vpc_id": peer, "peer_owner_id": tf.r.keys.AccountID,
			"peer_region": "us-east-1", "tags": tagged,
			"requester.allow_remote_vpc_dns_resolution": false, "accepter.allow_remote_vpc_dns_resolution": false,
		},
		destroy: func(id string) {
			ok(tf.ec2.DeleteVpcPeeringConnection(tf.ctx, &ec2.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: &id}))
		},
	}
}
