package e2e

import (
	"encoding/base64"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestTerraformsCapacity: where instances come from and where they are put: templates, spot requests, placement
// groups, reservations, hosts.
func TestTerraformsCapacity(t *testing.T) {
	tf := newTerraform(t)
	image := tf.r.image()
	template := tf.apply(tf.launchTemplate(image))
	placement := tf.apply(tf.placementGroup())
	host := tf.apply(tf.dedicatedHost())
	tf.apply(tf.capacityReservation())
	tf.apply(tf.spotRequest(image))
	tf.apply(resource{
		kind: "aws_instance of a template",
		create: func() string {
			ok(tf.ec2.DescribeLaunchTemplateVersions(tf.ctx,
				&ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &template, Versions: []string{"$Latest"}}))
			return tf.run(image, func(in *ec2.RunInstancesInput) {
				in.ImageId, in.InstanceType, in.CreditSpecification = nil, "", nil
				in.LaunchTemplate = &types.LaunchTemplateSpecification{
					LaunchTemplateId: &template, Version: aws.String("$Latest"),
				}
			})
		},
		read: tf.readInstance,
		want: tf.launched(image, attributes{
			"launch_template": []any{template, "app", 2}, "instance_type": "t3.small", "user_data": sum("second"),
			"cpu_credits":      "standard",
			"metadata_options": []any{"enabled", "required", 1, "disabled", "disabled"},
			"ebs_block_device": []device{
				{Device: "/dev/sdf", Type: "gp3", Size: 2, IOPS: aws.Int32(3000), Throughput: aws.Int32(125)},
			},
		}),
		destroy: tf.terminate,
	})
	tf.apply(resource{
		kind: "aws_instance in a placement group",
		create: func() string {
			return tf.run(image, func(in *ec2.RunInstancesInput) {
				in.Placement.GroupName, in.Placement.PartitionNumber, in.InstanceType, in.CreditSpecification = &placement,
					aws.Int32(2), "m5.large", nil
			})
		},
		read: tf.readInstance,
		want: tf.launched(image,
			attributes{
				"placement_group": placement, "placement_partition_number": 2, "instance_type": "m5.large", "cpu_credits": nil,
			}),
		destroy: tf.terminate,
	})
	tf.apply(resource{
		kind: "aws_instance on a dedicated host",
		create: func() string {
			return tf.run(image, func(in *ec2.RunInstancesInput) {
				in.Placement.Tenancy, in.Placement.HostId, in.InstanceType, in.CreditSpecification = types.TenancyHost,
					&host, "m5.large", nil
			})
		},
		read: tf.readInstance,
		want: tf.launched(image,
			attributes{"tenancy": "host", "host_id": host, "instance_type": "m5.large", "cpu_credits": nil}),
		destroy: tf.terminate,
	})
	tf.apply(resource{
		kind: "aws_instance with instance_market_options",
		create: func() string {
			return tf.run(image, func(in *ec2.RunInstancesInput) {
				in.InstanceMarketOptions = &types.InstanceMarketOptionsRequest{
					MarketType: types.MarketTypeSpot, SpotOptions: &types.SpotMarketOptions{MaxPrice: aws.String("0.05")},
				}
			})
		},
		read: func(id string) attributes {
			a := tf.readInstance(id)
			if a == nil {
				return nil
			}
			r := tf.spot(*a["spot_instance_request_id"].(*string))
			a["instance_market_options"] = []any{r.Type, r.InstanceInterruptionBehavior}
			return a
		},
		want: tf.launched(image,
			attributes{
				"instance_lifecycle": "spot", "spot_instance_request_id": known,
				"instance_market_options": []any{"one-time", "terminate"},
			}),
		destroy: func(id string) {
			ok(tf.ec2.CancelSpotInstanceRequests(tf.ctx,
				&ec2.CancelSpotInstanceRequestsInput{SpotInstanceRequestIds: []string{*tf.instance(id).SpotInstanceRequestId}}))
			tf.terminate(id)
		},
	})
	tf.destroy()
}

func (tf *terraform) launchTemplate(image string) resource {
	data := func(kind types.InstanceType, text string) *types.RequestLaunchTemplateData {
		return &types.RequestLaunchTemplateData{
			ImageId: &image, InstanceType: kind, UserData: aws.String(base64.StdEncoding.EncodeToString([]byte(text))),
			CreditSpecification: &types.CreditSpecificationRequest{CpuCredits: aws.String("standard")},
			MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{
				HttpTokens: types.LaunchTemplateHttpTokensStateRequired,
			},
			TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{
				{ResourceType: types.ResourceTypeInstance, Tags: ec2Tags(map[string]string{"Name": "of the template"})},
			},
			BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/sdf"),
				Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(2), VolumeType: types.VolumeTypeGp3}}},
			KeyName: aws.String(""), RamDiskId: aws.String(""),
			KernelId: aws.String(""), // as the provider sends what is not set
		}
	}
	want := func(kind, text string) attributes {
		return attributes{
			"image_id": image, "instance_type": kind, "user_data": base64.StdEncoding.EncodeToString([]byte(text)),
			"credit_specification": "standard", "ebs_optimized": nil, "key_name": nil,
			"metadata_options":   []any{nil, "required", nil},
			"tag_specifications": []any{"instance", map[string]string{"Name": "of the template"}}, "monitoring": nil,
			"network_interfaces":    nil,
			"block_device_mappings": []any{"/dev/sdf", 2, "gp3", nil, nil}, "placement": nil,
			"vpc_security_group_ids": nil, "instance_market_options": nil, "disable_api_termination": nil,
		}
	}
	first := want("t3.micro", "first")
	for k, v := range (attributes{
		"name": "app", "default_version": 1, "latest_version": 1, "description": "one", "created_by": known, "tags": tagged,
	}) {
		first[k] = v
	}
	next := want("t3.small", "second")
	for k, v := range (attributes{"default_version": 2, "latest_version": 2, "description": "two"}) {
		next[k] = v
	}
	return resource{
		kind: "aws_launch_template",
		create: func() string {
			return *ok(tf.ec2.CreateLaunchTemplate(tf.ctx, &ec2.CreateLaunchTemplateInput{
				ClientToken: token(), LaunchTemplateName: aws.String("app"),
				LaunchTemplateData: data(types.InstanceTypeT3Micro, "first"), VersionDescription: aws.String("one"),
				TagSpecifications: named(types.ResourceTypeLaunchTemplate),
			})).LaunchTemplate.LaunchTemplateId
		},
		read: func(id string) attributes {
			t := ok(tf.ec2.DescribeLaunchTemplates(tf.ctx,
				&ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{id}})).LaunchTemplates[0]
			v := ok(tf.ec2.DescribeLaunchTemplateVersions(tf.ctx,
				&ec2.DescribeLaunchTemplateVersionsInput{
					LaunchTemplateId: &id, Versions: []string{text(*t.LatestVersionNumber)},
				})).LaunchTemplateVersions[0]
			d := v.LaunchTemplateData
			a := attributes{
				"name": t.LaunchTemplateName, "default_version": t.DefaultVersionNumber,
				"latest_version": t.LatestVersionNumber, "created_by": t.CreatedBy, "tags": tagsOf(t.Tags),
				"description": v.VersionDescription,
				"image_id":    d.ImageId, "instance_type": d.InstanceType, "user_data": d.UserData,
				"credit_specification": d.CreditSpecification.CpuCredits, "ebs_optimized": d.EbsOptimized,
				"key_name": d.KeyName,
				"metadata_options": []any{
					nilIfEmpty(string(d.MetadataOptions.HttpEndpoint)), d.MetadataOptions.HttpTokens,
					d.MetadataOptions.HttpPutResponseHopLimit,
				},
				"tag_specifications": []any{d.TagSpecifications[0].ResourceType, tagsOf(d.TagSpecifications[0].Tags)},
				"monitoring":         d.Monitoring, "network_interfaces": d.NetworkInterfaces,
				"placement": d.Placement, "vpc_security_group_ids": d.SecurityGroupIds,
				"instance_market_options": d.InstanceMarketOptions, "disable_api_termination": d.DisableApiTermination,
				"block_device_mappings": nil,
			}
			for _, m := range d.BlockDeviceMappings {
				a["block_device_mappings"] = []any{
					m.DeviceName, m.Ebs.VolumeSize, m.Ebs.VolumeType, m.Ebs.DeleteOnTermination, m.Ebs.Encrypted,
				}
			}
			return a
		},
		want: first,
		changes: []change{{func(id string) {
			v := ok(tf.ec2.CreateLaunchTemplateVersion(tf.ctx, &ec2.CreateLaunchTemplateVersionInput{
				ClientToken: token(), LaunchTemplateId: &id,
				LaunchTemplateData: data(types.InstanceTypeT3Small, "second"), VersionDescription: aws.String("two"),
			})).LaunchTemplateVersion
			ok(tf.ec2.ModifyLaunchTemplate(tf.ctx,
				&ec2.ModifyLaunchTemplateInput{LaunchTemplateId: &id, DefaultVersion: aws.String(text(*v.VersionNumber))}))
		}, next}},
		destroy: func(id string) {
			ok(tf.ec2.DeleteLaunchTemplate(tf.ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: &id}))
		},
		gone: "InvalidLaunchTemplateId.NotFound",
	}
}

func nilIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (tf *terraform) placementGroup() resource {
	one := func(name string) types.PlacementGroup {
		return ok(tf.ec2.DescribePlacementGroups(tf.ctx,
			&ec2.DescribePlacementGroupsInput{GroupNames: []string{name}})).PlacementGroups[0]
	}
	return resource{
		kind: "aws_placement_group",
		create: func() string {
			ok(tf.ec2.CreatePlacementGroup(tf.ctx, &ec2.CreatePlacementGroupInput{
				GroupName: aws.String("tf"), Strategy: types.PlacementStrategyPartition, PartitionCount: aws.Int32(3),
				TagSpecifications: named(types.ResourceTypePlacementGroup),
			}))
			until("the group is available", func() bool { return one("tf").State == types.PlacementGroupStateAvailable })
			return "tf"
		},
		read: func(id string) attributes {
			g := one(id)
			return attributes{
				"arn": g.GroupArn, "name": g.GroupName, "placement_group_id": *g.GroupId,
				"partition_count": g.PartitionCount, "spread_level": g.SpreadLevel, "strategy": g.Strategy,
				"tags": tagsOf(g.Tags),
			}
		},
		want: attributes{
			"arn": tf.arn("placement-group", "tf"), "name": "tf", "placement_group_id": known, "partition_count": 3,
			"spread_level": nil, "strategy": "partition", "tags": tagged,
		},
		tagsOn: "placement_group_id",
		destroy: func(id string) {
			ok(tf.ec2.DeletePlacementGroup(tf.ctx, &ec2.DeletePlacementGroupInput{GroupName: &id}))
		},
		gone: "InvalidPlacementGroup.Unknown",
	}
}

func (tf *terraform) dedicatedHost() resource {
	one := func(id string) types.Host {
		return ok(tf.ec2.DescribeHosts(tf.ctx, &ec2.DescribeHostsInput{HostIds: []string{id}})).Hosts[0]
	}
	return resource{
		kind: "aws_ec2_host",
		create: func() string {
			id := ok(tf.ec2.AllocateHosts(tf.ctx, &ec2.AllocateHostsInput{
				ClientToken: token(), AutoPlacement: types.AutoPlacementOn, AvailabilityZone: aws.String("us-east-1a"),
				HostRecovery: types.HostRecoveryOff, InstanceType: aws.String("m5.large"), Quantity: aws.Int32(1),
				TagSpecifications: named(types.ResourceTypeDedicatedHost),
			})).HostIds[0]
			until("the host is available", func() bool { return one(id).State == types.AllocationStateAvailable })
			return id
		},
		read: func(id string) attributes {
			h := one(id)
			if h.State == types.AllocationStateReleased { // as the provider takes it
				return nil
			}
			return attributes{
				"asset_id": h.AssetId, "auto_placement": h.AutoPlacement, "availability_zone": h.AvailabilityZone,
				"host_recovery": h.HostRecovery, "instance_family": h.HostProperties.InstanceFamily,
				"instance_type": h.HostProperties.InstanceType, "outpost_arn": h.OutpostArn, "owner_id": h.OwnerId,
				"tags": tagsOf(h.Tags),
			}
		},
		want: attributes{
			"asset_id": nil, "auto_placement": "on", "availability_zone": "us-east-1a", "host_recovery": "off",
			"instance_family": nil, "instance_type": "m5.large", "outpost_arn": nil,
			"owner_id": tf.r.keys.AccountID, "tags": tagged,
		},
		changes: []change{{func(id string) {
			if bad := ok(tf.ec2.ModifyHosts(tf.ctx,
				&ec2.ModifyHostsInput{
					HostIds: []string{id}, AutoPlacement: types.AutoPlacementOff, InstanceType: aws.String("m5.large"),
				})).Unsuccessful; len(bad) > 0 {
				refuse("%s", *bad[0].Error.Message)
			}
		}, attributes{"auto_placement": "off"}}},
		destroy: func(id string) {
			if bad := ok(tf.ec2.ReleaseHosts(tf.ctx,
				&ec2.ReleaseHostsInput{HostIds: []string{id}})).Unsuccessful; len(bad) > 0 {
				refuse("%s", *bad[0].Error.Message)
			}
		},
		gone: "",
	}
}

func (tf *terraform) capacityReservation() resource {
	one := func(id string) types.CapacityReservation {
		return ok(tf.ec2.DescribeCapacityReservations(tf.ctx,
			&ec2.DescribeCapacityReservationsInput{CapacityReservationIds: []string{id}})).CapacityReservations[0]
	}
	return resource{
		kind: "aws_ec2_capacity_reservation",
		create: func() string {
			id := *ok(tf.ec2.CreateCapacityReservation(tf.ctx, &ec2.CreateCapacityReservationInput{
				ClientToken: token(), AvailabilityZone: aws.String("us-east-1a"),
				EndDateType: types.EndDateTypeUnlimited, InstanceCount: aws.Int32(1),
				InstancePlatform: types.CapacityReservationInstancePlatformLinuxUnix,
				InstanceType:     aws.String("t3.micro"), InstanceMatchCriteria: types.InstanceMatchCriteriaTargeted,
				Tenancy: types.CapacityReservationTenancyDefault, EbsOptimized: aws.Bool(false),
				TagSpecifications: named(types.ResourceTypeCapacityReservation),
			})).CapacityReservation.CapacityReservationId
			until("the reservation is active", func() bool { return one(id).State == types.CapacityReservationStateActive })
			return id
		},
		read: func(id string) attributes {
			r := one(id)
			if r.State == types.CapacityReservationStateCancelled {
				return nil
			}
			return attributes{
				"arn": r.CapacityReservationArn, "availability_zone": r.AvailabilityZone, "created_date": r.CreateDate,
				"ebs_optimized": r.EbsOptimized, "end_date": r.EndDate, "end_date_type": r.EndDateType,
				"ephemeral_storage": r.EphemeralStorage, "instance_count": r.TotalInstanceCount,
				"instance_match_criteria": r.InstanceMatchCriteria, "instance_platform": r.InstancePlatform,
				"instance_type": r.InstanceType, "outpost_arn": r.OutpostArn, "owner_id": r.OwnerId,
				"placement_group_arn": r.PlacementGroupArn, "tenancy": r.Tenancy, "tags": tagsOf(r.Tags),
			}
		},
		want: attributes{
			"arn": known, "availability_zone": "us-east-1a", "created_date": known, "ebs_optimized": false,
			"end_date": nil, "end_date_type": "unlimited", "ephemeral_storage": false, "instance_count": 1,
			"instance_match_criteria": "targeted", "instance_platform": "Linux/UNIX", "instance_type": "t3.micro",
			"outpost_arn": nil, "owner_id": tf.r.keys.AccountID, "placement_group_arn": nil,
			"tenancy": "default", "tags": tagged,
		},
		changes: []change{{func(id string) {
			ok(tf.ec2.ModifyCapacityReservation(tf.ctx,
				&ec2.ModifyCapacityReservationInput{
					CapacityReservationId: &id, EndDateType: types.EndDateTypeUnlimited, InstanceCount: aws.Int32(2),
				}))
			until("the reservation is active", func() bool { return one(id).State == types.CapacityReservationStateActive })
		}, attributes{"instance_count": 2}}},
		destroy: func(id string) {
			ok(tf.ec2.CancelCapacityReservation(tf.ctx, &ec2.CancelCapacityReservationInput{CapacityReservationId: &id}))
		},
	}
}

func (tf *terraform) spot(id string) types.SpotInstanceRequest {
	return ok(tf.ec2.DescribeSpotInstanceRequests(tf.ctx,
		&ec2.DescribeSpotInstanceRequestsInput{SpotInstanceRequestIds: []string{id}})).SpotInstanceRequests[0]
}

func (tf *terraform) spotRequest(image string) resource {
	return resource{
		kind: "aws_spot_instance_request",
		create: func() string {
			id := *ok(tf.ec2.RequestSpotInstances(tf.ctx, &ec2.RequestSpotInstancesInput{
				ClientToken: token(), SpotPrice: aws.String("0.05"), Type: types.SpotInstanceTypePersistent,
				InstanceInterruptionBehavior: types.InstanceInterruptionBehaviorTerminate,
				LaunchSpecification: &types.RequestSpotLaunchSpecification{
					ImageId: &image, InstanceType: types.InstanceTypeT3Micro, EbsOptimized: aws.Bool(false),
					Monitoring: &types.RunInstancesMonitoringEnabled{Enabled: aws.Bool(false)},
					Placement:  &types.SpotPlacement{AvailabilityZone: aws.String("")},
				},
				TagSpecifications: named(types.ResourceTypeSpotInstancesRequest),
			})).SpotInstanceRequests[0].SpotInstanceRequestId
			until("the request is fulfilled", func() bool {
				return *tf.spot(id).Status.Code == "fulfilled"
			}) // wait_for_fulfillment
			return id
		},
		read: func(id string) attributes {
			r := tf.spot(id)
			if r.State == types.SpotInstanceStateCancelled || r.State == types.SpotInstanceStateClosed {
				return nil
			}
			a := attributes{
				"spot_bid_status": r.Status.Code, "spot_request_state": r.State, "launch_group": r.LaunchGroup,
				"spot_type": r.Type, "spot_price": r.SpotPrice, "valid_from": r.ValidFrom, "valid_until": r.ValidUntil,
				"instance_interruption_behavior": r.InstanceInterruptionBehavior, "spot_instance_id": r.InstanceId,
				"ami": r.LaunchSpecification.ImageId, "instance_type": r.LaunchSpecification.InstanceType,
				"key_name": r.LaunchSpecification.KeyName, "tags": tagsOf(r.Tags),
			}
			in := tf.instance(*r.InstanceId)
			a["public_ip"], a["private_ip"], a["lifecycle"], a["of"] = in.PublicIpAddress, in.PrivateIpAddress,
				in.InstanceLifecycle, in.SpotInstanceRequestId
			return a
		},
		want: attributes{
			"spot_bid_status": "fulfilled", "spot_request_state": "active", "launch_group": nil,
			"spot_type": "persistent", "spot_price": "0.050000", "valid_from": nil, "valid_until": nil,
			"instance_interruption_behavior": "terminate", "spot_instance_id": known, "ami": image,
			"instance_type": "t3.micro", "key_name": nil, "tags": tagged, "public_ip": known, "private_ip": known,
			"lifecycle": "spot", "of": known,
		},
		destroy: func(id string) {
			instance := *tf.spot(id).InstanceId
			ok(tf.ec2.CancelSpotInstanceRequests(tf.ctx,
				&ec2.CancelSpotInstanceRequestsInput{SpotInstanceRequestIds: []string{id}}))
			tf.terminate(instance)
		},
	}
}
