package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestTerraformsVPC: the network, from the VPC to its routes.
func TestTerraformsVPC(t *testing.T) {
	tf := newTerraform(t)
	vpc := tf.apply(tf.vpc("10.0.0.0/16"))
	tf.apply(tf.vpcRange(vpc))
	options := tf.apply(tf.dhcpOptions())
	tf.apply(tf.dhcpAssociation(vpc, options))
	subnet := tf.apply(tf.subnet(vpc, "10.0.1.0/24"))
	gateway := tf.apply(tf.internetGateway(vpc))
	tf.apply(tf.egressOnlyGateway(vpc))
	address := tf.apply(tf.address())
	nat := tf.apply(tf.natGateway(subnet, address))
	table := tf.apply(tf.routeTable(vpc, gateway, nat))
	tf.apply(tf.route(table, gateway, nat))
	other := tf.apply(tf.routeTable(vpc, gateway, nat))
	tf.apply(tf.routeTableAssociation(subnet, table, other))
	tf.apply(tf.mainAssociation(vpc, table, other))
	acl := tf.apply(tf.networkACL(vpc, subnet))
	tf.apply(tf.networkACLRule(acl))
	peer := tf.apply(tf.vpc("10.1.0.0/16"))
	tf.apply(tf.peering(vpc, peer))
	tf.apply(tf.ec2Tag(subnet))
	tf.networkData(vpc, subnet)
	tf.destroy()
}

func (tf *terraform) vpc(cidr string) resource {
	attribute := func(id string, name types.VpcAttributeName) *ec2.DescribeVpcAttributeOutput {
		return ok(tf.ec2.DescribeVpcAttribute(tf.ctx, &ec2.DescribeVpcAttributeInput{VpcId: &id, Attribute: name}))
	}
	dns := func(on bool) change {
		return change{func(id string) {
			ok(tf.ec2.ModifyVpcAttribute(tf.ctx,
				&ec2.ModifyVpcAttributeInput{VpcId: &id, EnableDnsHostnames: &types.AttributeBooleanValue{Value: &on}}))
		}, attributes{"enable_dns_hostnames": on}}
	}
	return resource{
		kind: "aws_vpc",
		create: func() string {
			v := ok(tf.ec2.CreateVpc(tf.ctx, &ec2.CreateVpcInput{
				CidrBlock: &cidr, InstanceTenancy: types.TenancyDefault, AmazonProvidedIpv6CidrBlock: aws.Bool(true),
				TagSpecifications: named(types.ResourceTypeVpc),
			})).Vpc
			until("the VPC is available", func() bool {
				return ok(tf.ec2.DescribeVpcs(tf.ctx,
					&ec2.DescribeVpcsInput{VpcIds: []string{*v.VpcId}})).Vpcs[0].State == types.VpcStateAvailable
			})
			return *v.VpcId
		},
		read: func(id string) attributes {
			v := ok(tf.ec2.DescribeVpcs(tf.ctx, &ec2.DescribeVpcsInput{VpcIds: []string{id}})).Vpcs[0]
			acls := ok(tf.ec2.DescribeNetworkAcls(tf.ctx,
				&ec2.DescribeNetworkAclsInput{Filters: []types.Filter{by("default", "true"), by("vpc-id", id)}})).NetworkAcls
			tables := ok(tf.ec2.DescribeRouteTables(tf.ctx,
				&ec2.DescribeRouteTablesInput{
					Filters: []types.Filter{by("association.main", "true"), by("vpc-id", id)},
				})).RouteTables
			groups := ok(tf.ec2.DescribeSecurityGroups(tf.ctx,
				&ec2.DescribeSecurityGroupsInput{
					Filters: []types.Filter{by("group-name", "default"), by("vpc-id", id)},
				})).SecurityGroups
			if len(acls) != 1 || len(tables) != 1 || len(groups) != 1 {
				refuse("%s has %d default ACLs, %d main tables, %d default groups", id, len(acls), len(tables), len(groups))
			}
			a := attributes{
				"cidr_block": v.CidrBlock, "dhcp_options_id": v.DhcpOptionsId, "instance_tenancy": v.InstanceTenancy,
				"owner_id": v.OwnerId, "tags": tagsOf(v.Tags),
				"default_network_acl_id": acls[0].NetworkAclId, "main_route_table_id": tables[0].RouteTableId,
				"default_security_group_id": groups[0].GroupId,
				"enable_dns_hostnames": attribute(id,
					types.VpcAttributeNameEnableDnsHostnames).EnableDnsHostnames.Value,
				"enable_dns_support": attribute(id,
					types.VpcAttributeNameEnableDnsSupport).EnableDnsSupport.Value,
				"enable_network_address_usage_metrics": attribute(id,
					types.VpcAttributeNameEnableNetworkAddressUsageMetrics).EnableNetworkAddressUsageMetrics.Value,
				"assign_generated_ipv6_cidr_block": false,
			}
			for _, r := range v.Ipv6CidrBlockAssociationSet {
				if r.Ipv6CidrBlockState.State == types.VpcCidrBlockStateCodeAssociated {
					a["assign_generated_ipv6_cidr_block"] = *r.Ipv6Pool == "Amazon"
					a["ipv6_association_id"], a["ipv6_cidr_block"], a["ipv6_cidr_block_network_border_group"] = r.AssociationId,
						r.Ipv6CidrBlock, r.NetworkBorderGroup
				}
			}
			return a
		},
		want: attributes{
			"cidr_block": cidr, "dhcp_options_id": known, "instance_tenancy": "default",
			"owner_id": tf.r.keys.AccountID, "tags": tagged, "default_network_acl_id": known,
			"main_route_table_id": known, "default_security_group_id": known, "enable_dns_hostnames": false,
			"enable_dns_support": true, "enable_network_address_usage_metrics": false,
			"assign_generated_ipv6_cidr_block": true, "ipv6_association_id": known, "ipv6_cidr_block": known,
			"ipv6_cidr_block_network_border_group": "us-east-1",
		},
		changes: []change{dns(true), dns(false), {func(id string) {
			ok(tf.ec2.ModifyVpcAttribute(tf.ctx,
				&ec2.ModifyVpcAttributeInput{
					VpcId: &id, EnableNetworkAddressUsageMetrics: &types.AttributeBooleanValue{Value: aws.Bool(true)},
				}))
		}, attributes{"enable_network_address_usage_metrics": true}}},
		destroy: func(id string) { ok(tf.ec2.DeleteVpc(tf.ctx, &ec2.DeleteVpcInput{VpcId: &id})) },
		gone:    "InvalidVpcID.NotFound",
	}
}

func (tf *terraform) vpcRange(vpc string) resource {
	read := func(id string) attributes {
		for _, v := range ok(tf.ec2.DescribeVpcs(tf.ctx,
			&ec2.DescribeVpcsInput{Filters: []types.Filter{by("cidr-block-association.association-id", id)}})).Vpcs {
			for _, r := range v.CidrBlockAssociationSet {
				if *r.AssociationId == id && r.CidrBlockState.State != types.VpcCidrBlockStateCodeDisassociated {
					return attributes{"cidr_block": r.CidrBlock, "vpc_id": v.VpcId, "state": r.CidrBlockState.State}
				}
			}
		}
		return nil
	}
	return resource{
		kind: "aws_vpc_ipv4_cidr_block_association",
		create: func() string {
			id := *ok(tf.ec2.AssociateVpcCidrBlock(tf.ctx,
				&ec2.AssociateVpcCidrBlockInput{
					VpcId: &vpc, CidrBlock: aws.String("10.9.0.0/16"),
				})).CidrBlockAssociation.AssociationId
			until("the range is associated", func() bool {
				a := read(id)
				return a != nil && text(a["state"]) == `"associated"`
			})
			return id
		},
		read: read,
		want: attributes{"cidr_block": "10.9.0.0/16", "vpc_id": vpc, "state": "associated"},
		destroy: func(id string) {
			ok(tf.ec2.DisassociateVpcCidrBlock(tf.ctx, &ec2.DisassociateVpcCidrBlockInput{AssociationId: &id}))
		},
	}
}

func (tf *terraform) dhcpOptions() resource {
	return resource{
		kind: "aws_vpc_dhcp_options",
		create: func() string {
			return *ok(tf.ec2.CreateDhcpOptions(tf.ctx,
				&ec2.CreateDhcpOptionsInput{DhcpConfigurations: []types.NewDhcpConfiguration{
					{Key: aws.String("domain-name"), Values: []string{"tf.internal"}},
					{Key: aws.String("domain-name-servers"), Values: []string{"127.0.0.1", "10.0.0.2"}},
					{Key: aws.String("netbios-node-type"), Values: []string{"2"}},
					{Key: aws.String("ntp-servers"), Values: []string{"127.0.0.1"}},
				}, TagSpecifications: named(types.ResourceTypeDhcpOptions)})).DhcpOptions.DhcpOptionsId
		},
		read: func(id string) attributes {
			o := ok(tf.ec2.DescribeDhcpOptions(tf.ctx,
				&ec2.DescribeDhcpOptionsInput{DhcpOptionsIds: []string{id}})).DhcpOptions[0]
			a := attributes{"owner_id": o.OwnerId, "tags": tagsOf(o.Tags)}
			for _, c := range o.DhcpConfigurations {
				var values []string
				for _, v := range c.Values {
					values = append(values, *v.Value)
				}
				a[strings.ReplaceAll(*c.Key, "-", "_")] = values
			}
			return a
		},
		want: attributes{
			"owner_id": tf.r.keys.AccountID, "tags": tagged, "domain_name": []string{"tf.internal"},
			"domain_name_servers": []string{"127.0.0.1", "10.0.0.2"},
			"netbios_node_type":   []string{"2"}, "ntp_servers": []string{"127.0.0.1"},
		},
		destroy: func(id string) {
			for _, v := range ok(tf.ec2.DescribeVpcs(tf.ctx,
				&ec2.DescribeVpcsInput{Filters: []types.Filter{by("dhcp-options-id", id)}})).Vpcs {
				ok(tf.ec2.AssociateDhcpOptions(tf.ctx,
					&ec2.AssociateDhcpOptionsInput{DhcpOptionsId: aws.String("default"), VpcId: v.VpcId}))
			}
			ok(tf.ec2.DeleteDhcpOptions(tf.ctx, &ec2.DeleteDhcpOptionsInput{DhcpOptionsId: &id}))
		},
		gone: "InvalidDhcpOptionID.NotFound",
	}
}

func (tf *terraform) dhcpAssociation(vpc, options string) resource {
	associate := func(id string) {
		ok(tf.ec2.AssociateDhcpOptions(tf.ctx, &ec2.AssociateDhcpOptionsInput{DhcpOptionsId: &id, VpcId: &vpc}))
	}
	return resource{
		kind:   "aws_vpc_dhcp_options_association",
		create: func() string { associate(options); return options },
		read: func(string) attributes {
			v := ok(tf.ec2.DescribeVpcs(tf.ctx, &ec2.DescribeVpcsInput{VpcIds: []string{vpc}})).Vpcs[0]
			if *v.DhcpOptionsId != options {
				return nil
			}
			return attributes{"dhcp_options_id": v.DhcpOptionsId, "vpc_id": v.VpcId}
		},
		want:    attributes{"dhcp_options_id": options, "vpc_id": vpc},
		destroy: func(string) { associate("default") },
	}
}

func (tf *terraform) subnet(vpc, cidr string) resource {
	one := func(id string) types.Subnet {
		return ok(tf.ec2.DescribeSubnets(tf.ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{id}})).Subnets[0]
	}
	modify := func(in ec2.ModifySubnetAttributeInput, want attributes) change {
		return change{func(id string) { in.SubnetId = &id; ok(tf.ec2.ModifySubnetAttribute(tf.ctx, &in)) }, want}
	}
	yes := &types.AttributeBooleanValue{Value: aws.Bool(true)}
	return resource{
		kind: "aws_subnet",
		create: func() string {
			id := *ok(tf.ec2.CreateSubnet(tf.ctx,
				&ec2.CreateSubnetInput{
					VpcId: &vpc, CidrBlock: &cidr, AvailabilityZone: aws.String("us-east-1a"),
					TagSpecifications: named(types.ResourceTypeSubnet),
				})).Subnet.SubnetId
			until("the subnet is available", func() bool { return one(id).State == types.SubnetStateAvailable })
			return id
		},
		read: func(id string) attributes {
			s := one(id)
			return attributes{
				"arn": s.SubnetArn, "assign_ipv6_address_on_creation": s.AssignIpv6AddressOnCreation,
				"availability_zone": s.AvailabilityZone, "availability_zone_id": s.AvailabilityZoneId,
				"cidr_block": s.CidrBlock, "customer_owned_ipv4_pool": s.CustomerOwnedIpv4Pool,
				"enable_dns64": s.EnableDns64, "enable_lni_at_device_index": s.EnableLniAtDeviceIndex,
				"ipv6_native": s.Ipv6Native, "map_customer_owned_ip_on_launch": s.MapCustomerOwnedIpOnLaunch,
				"map_public_ip_on_launch": s.MapPublicIpOnLaunch, "outpost_arn": s.OutpostArn,
				"owner_id": s.OwnerId, "vpc_id": s.VpcId, "available_ip_address_count": s.AvailableIpAddressCount,
				"ipv6_cidr_block":                                len(s.Ipv6CidrBlockAssociationSet),
				"private_dns_hostname_type_on_launch":            s.PrivateDnsNameOptionsOnLaunch.HostnameType,
				"enable_resource_name_dns_a_record_on_launch":    s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord,
				"enable_resource_name_dns_aaaa_record_on_launch": s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsAAAARecord,
				"tags": tagsOf(s.Tags),
			}
		},
		want: attributes{
			"arn": known, "assign_ipv6_address_on_creation": false, "availability_zone": "us-east-1a",
			"availability_zone_id": "use1-az1", "cidr_block": cidr,
			"customer_owned_ipv4_pool": nil, "enable_dns64": false, "enable_lni_at_device_index": nil,
			"ipv6_native": false, "map_customer_owned_ip_on_launch": false,
			"map_public_ip_on_launch": false, "outpost_arn": nil, "owner_id": tf.r.keys.AccountID, "vpc_id": vpc,
			"available_ip_address_count": 251, "ipv6_cidr_block": 0, "private_dns_hostname_type_on_launch": "ip-name",
			"enable_resource_name_dns_a_record_on_launch":    false,
			"enable_resource_name_dns_aaaa_record_on_launch": false, "tags": tagged,
		},
		changes: []change{
			modify(ec2.ModifySubnetAttributeInput{MapPublicIpOnLaunch: yes}, attributes{"map_public_ip_on_launch": true}),
			modify(ec2.ModifySubnetAttributeInput{EnableResourceNameDnsARecordOnLaunch: yes},
				attributes{"enable_resource_name_dns_a_record_on_launch": true}),
			modify(ec2.ModifySubnetAttributeInput{PrivateDnsHostnameTypeOnLaunch: types.HostnameTypeResourceName},
				attributes{"private_dns_hostname_type_on_launch": "resource-name"}),
		},
		destroy: func(id string) {
			ok(tf.ec2.DescribeNetworkInterfaces(tf.ctx,
				&ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{by("subnet-id", id)}}))
			ok(tf.ec2.DeleteSubnet(tf.ctx, &ec2.DeleteSubnetInput{SubnetId: &id}))
		},
		gone: "InvalidSubnetID.NotFound",
	}
}

// ec2Tag is one tag on something that another configuration manages.
func (tf *terraform) ec2Tag(of string) resource {
	put := func(value string) {
		ok(tf.ec2.CreateTags(tf.ctx,
			&ec2.CreateTagsInput{Resources: []string{of}, Tags: ec2Tags(map[string]string{"Cost": value})}))
	}
	return resource{
		kind:   "aws_ec2_tag",
		create: func() string { put("7"); return "Cost" },
		read: func(key string) attributes {
			tags := ok(tf.ec2.DescribeTags(tf.ctx,
				&ec2.DescribeTagsInput{Filters: []types.Filter{by("resource-id", of), by("key", key)}})).Tags
			if len(tags) == 0 {
				return nil
			}
			return attributes{"key": tags[0].Key, "value": tags[0].Value, "resource_id": tags[0].ResourceId}
		},
		want:    attributes{"key": "Cost", "value": "7", "resource_id": of},
		changes: []change{{func(string) { put("8") }, attributes{"value": "8"}}},
		destroy: func(key string) {
			ok(tf.ec2.DeleteTags(tf.ctx,
				&ec2.DeleteTagsInput{Resources: []string{of}, Tags: ec2Tags(map[string]string{key: "8"})}))
		},
	}
}

// networkData are the data sources that look networks up.
func (tf *terraform) networkData(vpc, subnet string) {
	tf.step("data", func(t *testing.T) {
		subnets := ok(tf.ec2.DescribeSubnets(tf.ctx,
			&ec2.DescribeSubnetsInput{Filters: []types.Filter{by("vpc-id", vpc), by("tag:Owner", "terraform")}})).Subnets
		if len(subnets) != 1 || *subnets[0].SubnetId != subnet {
			t.Errorf("aws_subnets: %d", len(subnets))
		}
		vpcs := ok(tf.ec2.DescribeVpcs(tf.ctx,
			&ec2.DescribeVpcsInput{
				Filters: []types.Filter{by("isDefault", "false"), by("cidr", "10.0.0.0/16"), by("state", "available")},
			})).Vpcs
		if len(vpcs) != 1 || *vpcs[0].VpcId != vpc {
			t.Errorf("aws_vpc: %d", len(vpcs))
		}
		zones := ok(tf.ec2.DescribeAvailabilityZones(tf.ctx,
			&ec2.DescribeAvailabilityZonesInput{
				Filters: []types.Filter{by("state", "available"), by("opt-in-status", "opt-in-not-required")},
			})).AvailabilityZones
		if i := slices.IndexFunc(zones, func(z types.AvailabilityZone) bool { return *z.ZoneName == "us-east-1a" }); i < 0 {
			t.Errorf("aws_availability_zones: %+v", zones)
		} else {
			z := zones[i]
			compare(t, "aws_availability_zone",
				attributes{
					"name": z.ZoneName, "zone_id": z.ZoneId, "group_name": z.GroupName,
					"network_border_group": z.NetworkBorderGroup, "opt_in_status": z.OptInStatus,
					"region": z.RegionName, "state": z.State, "zone_type": z.ZoneType,
				}, attributes{"name": "us-east-1a", "zone_id": "use1-az1", "group_name": "us-east-1-zg-1",
					"network_border_group": "us-east-1", "opt_in_status": "opt-in-not-required", "region": "us-east-1",
					"state": "available", "zone_type": "availability-zone"})
		}
		region := ok(tf.ec2.DescribeRegions(tf.ctx,
			&ec2.DescribeRegionsInput{AllRegions: aws.Bool(true), RegionNames: []string{"us-east-1"}})).Regions
		if len(region) != 1 || *region[0].RegionName != "us-east-1" || *region[0].Endpoint == "" {
			t.Errorf("aws_region: %+v", region)
		}
	})
}
