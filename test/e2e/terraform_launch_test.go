package e2e

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestTerraformsInstance is aws_instance: one that says little; one that says much, changed in place wherever that can
// be; and what is put beside it.
func TestTerraformsInstance(t *testing.T) {
	tf := newTerraform(t)
	image := tf.r.image()
	tf.apply(resource{
		kind: "aws_instance plain", create: func() string { return tf.run(image, nil) }, read: tf.readInstance,
		want: tf.launched(image, nil), destroy: tf.terminate,
	})
	key := tf.apply(tf.keyPair())
	role := tf.apply(tf.role())
	profile := tf.apply(tf.profile(role))
	vpc := tf.apply(tf.vpc("10.0.0.0/16"))
	subnet := tf.apply(tf.subnet(vpc, "10.0.1.0/24"))
	tf.apply(tf.internetGateway(vpc))
	group, other := tf.apply(tf.securityGroup(vpc, "one")), tf.apply(tf.securityGroup(vpc, "two"))
	port := tf.apply(tf.networkInterface(subnet, group, other))
	address := tf.apply(tf.address())
	instance := tf.apply(tf.fullInstance(image, key, profile, subnet, group, other))
	tf.apply(tf.addressAssociation(address, instance)) // before there is a second interface to choose from
	tf.apply(tf.interfaceAttachment(port, instance))
	tf.apply(tf.instanceState(instance))
	tf.step("data", func(t *testing.T) {
		found := ok(tf.ec2.DescribeInstances(tf.ctx,
			&ec2.DescribeInstancesInput{
				Filters: []types.Filter{
					by("instance-state-name", "running"), by("tag:Owner", "terraform"), by("subnet-id", subnet),
				},
			})).Reservations
		if len(found) != 1 || *found[0].Instances[0].InstanceId != instance {
			t.Errorf("aws_instances: %+v", found)
		}
		kind := ok(tf.ec2.DescribeInstanceTypes(tf.ctx,
			&ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"t3.micro"}})).InstanceTypes
		if len(kind) != 1 || *kind[0].VCpuInfo.DefaultVCpus != 2 || *kind[0].MemoryInfo.SizeInMiB != 1024 ||
			!*kind[0].BurstablePerformanceSupported {
			t.Errorf("aws_ec2_instance_type: %+v", kind)
		}
	})
	tf.destroy()
}

func (tf *terraform) fullInstance(image, key, profile, subnet, group, other string) resource {
	const first, second = "#!/bin/sh\necho \u00e9\x00\n", "#cloud-config\n"
	root := device{Device: "", Type: "gp3", Size: 9, IOPS: aws.Int32(3000), Throughput: aws.Int32(125), WithInstance: false}
	root.Device = *ok(tf.ec2.DescribeImages(tf.ctx,
		&ec2.DescribeImagesInput{ImageIds: []string{image}})).Images[0].RootDeviceName
	grown := root
	grown.Size, grown.IOPS = 12, aws.Int32(4000)
	kept := grown
	kept.WithInstance = true
	renamed := kept
	renamed.Tags = map[string]string{"Role": "root"}
	modify := func(in ec2.ModifyInstanceAttributeInput, want attributes) change {
		return change{func(id string) { in.InstanceId = &id; ok(tf.ec2.ModifyInstanceAttribute(tf.ctx, &in)) }, want}
	}
	whenStopped := func(in ec2.ModifyInstanceAttributeInput, want attributes) change {
		want["public_ip"] = known // another of the pool, as in EC2
		return change{func(id string) {
			tf.stopped(id, func() { in.InstanceId = &id; ok(tf.ec2.ModifyInstanceAttribute(tf.ctx, &in)) })
		}, want}
	}
	onPrimary := func(in ec2.ModifyNetworkInterfaceAttributeInput, want attributes) change {
		return change{func(id string) {
			in.NetworkInterfaceId = tf.instance(id).NetworkInterfaces[0].NetworkInterfaceId
			ok(tf.ec2.ModifyNetworkInterfaceAttribute(tf.ctx, &in))
		}, want}
	}
	yes := &types.AttributeBooleanValue{Value: aws.Bool(true)}
	return resource{
		kind: "aws_instance",
		create: func() string {
			ok(tf.ec2.DescribeImages(tf.ctx, &ec2.DescribeImagesInput{ImageIds: []string{image}})) // for the root's device name
			return tf.run(image, func(in *ec2.RunInstancesInput) {
				in.KeyName, in.UserData = &key, aws.String(base64.StdEncoding.EncodeToString([]byte(first)))
				in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{
					DeviceIndex: aws.Int32(0), AssociatePublicIpAddress: aws.Bool(true), SubnetId: &subnet,
					Groups: []string{group}, PrivateIpAddress: aws.String("10.0.1.10"),
				}}
				in.BlockDeviceMappings = []types.BlockDeviceMapping{
					{DeviceName: &root.Device,
						Ebs: &types.EbsBlockDevice{
							VolumeSize: aws.Int32(9), VolumeType: types.VolumeTypeGp3, DeleteOnTermination: aws.Bool(false),
						}},
					{DeviceName: aws.String("/dev/sdf"),
						Ebs: &types.EbsBlockDevice{
							VolumeSize: aws.Int32(2), VolumeType: types.VolumeTypeGp2, DeleteOnTermination: aws.Bool(true),
						}},
				}
				in.MetadataOptions = &types.InstanceMetadataOptionsRequest{
					HttpEndpoint: "enabled", HttpTokens: types.HttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2),
				}
				in.InstanceInitiatedShutdownBehavior = types.ShutdownBehaviorTerminate
			})
		},
		read: tf.readInstance,
		want: tf.launched(image, attributes{
			"key_name": key, "user_data": sum(first), "subnet_id": subnet, "vpc_security_group_ids": []string{group},
			"security_groups": nil, "private_ip": "10.0.1.10", "availability_zone": "us-east-1a",
			"private_dns_name_options": []any{"resource-name", true, false}, // the subnet's
			"root_block_device":        root, "root_device_name": root.Device, "public_dns": nil,
			"instance_initiated_shutdown_behavior": "terminate", "private_dns": known,
			"ebs_block_device": []device{
				{Device: "/dev/sdf", Type: "gp2", Size: 2, IOPS: aws.Int32(100), WithInstance: true},
			}, "metadata_options": []any{"enabled", "required", 2, "disabled", "disabled"},
		}),
		changes: []change{
			onPrimary(ec2.ModifyNetworkInterfaceAttributeInput{Groups: []string{other}},
				attributes{"vpc_security_group_ids": []string{other}}),
			onPrimary(ec2.ModifyNetworkInterfaceAttributeInput{
				SourceDestCheck: &types.AttributeBooleanValue{Value: aws.Bool(false)},
			}, attributes{"source_dest_check": false}),
			modify(ec2.ModifyInstanceAttributeInput{DisableApiTermination: yes}, attributes{"disable_api_termination": true}),
			modify(ec2.ModifyInstanceAttributeInput{DisableApiStop: yes}, attributes{"disable_api_stop": true}),
			modify(ec2.ModifyInstanceAttributeInput{
				DisableApiStop: &types.AttributeBooleanValue{Value: aws.Bool(false)},
			}, attributes{"disable_api_stop": false}),
			modify(ec2.ModifyInstanceAttributeInput{
				InstanceInitiatedShutdownBehavior: &types.AttributeValue{Value: aws.String("stop")},
			}, attributes{"instance_initiated_shutdown_behavior": "stop"}),
			tf.profileChange(profile),
			{func(id string) {
				ok(tf.ec2.MonitorInstances(tf.ctx, &ec2.MonitorInstancesInput{InstanceIds: []string{id}}))
				until("it is monitored", func() bool {
					return tf.instance(id).Monitoring.State == types.MonitoringStateEnabled
				})
			}, attributes{"monitoring": "enabled"}},
			{func(id string) {
				ok(tf.ec2.ModifyInstanceCreditSpecification(tf.ctx,
					&ec2.ModifyInstanceCreditSpecificationInput{ClientToken: token(),
						InstanceCreditSpecifications: []types.InstanceCreditSpecificationRequest{
							{InstanceId: &id, CpuCredits: aws.String("standard")},
						}}))
			}, attributes{"cpu_credits": "standard"}},
			{func(id string) {
				ok(tf.ec2.ModifyInstanceMetadataOptions(tf.ctx,
					&ec2.ModifyInstanceMetadataOptionsInput{
						InstanceId: &id, HttpEndpoint: "enabled", HttpTokens: types.HttpTokensStateOptional,
						HttpPutResponseHopLimit: aws.Int32(3), InstanceMetadataTags: "enabled",
					}))
				until("the options are applied", func() bool {
					return tf.instance(id).MetadataOptions.State == types.InstanceMetadataOptionsStateApplied
				})
			}, attributes{"metadata_options": []any{"enabled", "optional", 3, "disabled", "enabled"}}},
			{func(id string) {
				ok(tf.ec2.ModifyInstanceMaintenanceOptions(tf.ctx,
					&ec2.ModifyInstanceMaintenanceOptionsInput{
						InstanceId: &id, AutoRecovery: types.InstanceAutoRecoveryStateDisabled,
					}))
			}, attributes{"maintenance_options.auto_recovery": "disabled"}},
			{func(id string) {
				tf.stopped(id, func() { // by its user: neither the API nor the provider does it
					ok(tf.ec2.ModifyInstanceCapacityReservationAttributes(tf.ctx,
						&ec2.ModifyInstanceCapacityReservationAttributesInput{InstanceId: &id,
							CapacityReservationSpecification: &types.CapacityReservationSpecification{
								CapacityReservationPreference: types.CapacityReservationPreferenceNone,
							}}))
				})
			}, attributes{"capacity_reservation_specification": "none", "public_ip": known}},
			{func(id string) {
				port := tf.instance(id).NetworkInterfaces[0].NetworkInterfaceId
				ok(tf.ec2.AssignPrivateIpAddresses(tf.ctx,
					&ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: port, PrivateIpAddresses: []string{"10.0.1.77"}}))
			}, attributes{"secondary_private_ips": []string{"10.0.1.77"}}},
			{func(id string) { tf.grow(id, grown) }, attributes{"root_block_device": grown}},
			modify(ec2.ModifyInstanceAttributeInput{
				BlockDeviceMappings: []types.InstanceBlockDeviceMappingSpecification{{DeviceName: &root.Device,
					Ebs: &types.EbsInstanceBlockDeviceSpecification{DeleteOnTermination: aws.Bool(true)}}},
			}, attributes{"root_block_device": kept}),
			{func(id string) {
				for _, m := range tf.instance(id).BlockDeviceMappings {
					if *m.DeviceName == root.Device {
						ok(tf.ec2.CreateTags(tf.ctx,
							&ec2.CreateTagsInput{Resources: []string{*m.Ebs.VolumeId}, Tags: ec2Tags(renamed.Tags)}))
					}
				}
			}, attributes{"root_block_device": renamed}},
			whenStopped(ec2.ModifyInstanceAttributeInput{
				InstanceType: &types.AttributeValue{Value: aws.String("t3.small")},
			}, attributes{"instance_type": "t3.small"}),
			whenStopped(ec2.ModifyInstanceAttributeInput{
				UserData: &types.SecureBlobAttributeValue{Value: []byte(second)},
			}, attributes{"user_data": sum(second)}),
			{func(id string) {
				tf.stopped(id, func() {
					ok(tf.ec2.ModifyPrivateDnsNameOptions(tf.ctx,
						&ec2.ModifyPrivateDnsNameOptionsInput{
							InstanceId: &id, PrivateDnsHostnameType: types.HostnameTypeIpName,
							EnableResourceNameDnsARecord: aws.Bool(false),
						}))
				})
			}, attributes{
				"private_dns_name_options": []any{"ip-name", false, false}, "private_dns": known, "public_ip": known,
			}},
		},
		destroy: tf.terminate,
	}
}

// profileChange gives an instance a profile, another way than at its launch.
func (tf *terraform) profileChange(profile string) change {
	return change{func(id string) {
		of := &ec2.DescribeIamInstanceProfileAssociationsInput{Filters: []types.Filter{by("instance-id", id)}}
		if n := len(ok(tf.ec2.DescribeIamInstanceProfileAssociations(tf.ctx, of)).IamInstanceProfileAssociations); n != 0 {
			refuse("%d associations before the first", n)
		}
		spec := &types.IamInstanceProfileSpecification{Name: &profile}
		ok(tf.ec2.AssociateIamInstanceProfile(tf.ctx,
			&ec2.AssociateIamInstanceProfileInput{InstanceId: &id, IamInstanceProfile: spec}))
		until("the profile is associated", func() bool { return tf.instance(id).IamInstanceProfile != nil })
		found := ok(tf.ec2.DescribeIamInstanceProfileAssociations(tf.ctx, of)).IamInstanceProfileAssociations
		ok(tf.ec2.ReplaceIamInstanceProfileAssociation(tf.ctx,
			&ec2.ReplaceIamInstanceProfileAssociationInput{AssociationId: found[0].AssociationId, IamInstanceProfile: spec}))
	}, attributes{"iam_instance_profile": profile}}
}

// grow changes the root volume as the provider does, and waits as it does.
func (tf *terraform) grow(instance string, to device) {
	in := tf.instance(instance)
	i := slices.IndexFunc(in.BlockDeviceMappings, func(m types.InstanceBlockDeviceMapping) bool {
		return *m.DeviceName == *in.RootDeviceName
	})
	volume := *in.BlockDeviceMappings[i].Ebs.VolumeId
	ok(tf.ec2.ModifyVolume(tf.ctx, &ec2.ModifyVolumeInput{VolumeId: &volume, Size: &to.Size, Iops: to.IOPS}))
	until("the volume is modified", func() bool {
		state := ok(tf.ec2.DescribeVolumesModifications(tf.ctx,
			&ec2.DescribeVolumesModificationsInput{VolumeIds: []string{volume}})).VolumesModifications[0].ModificationState
		return state == types.VolumeModificationStateOptimizing || state == types.VolumeModificationStateCompleted
	})
}

// instanceState stops and starts what another configuration manages.
func (tf *terraform) instanceState(instance string) resource {
	status := func() types.InstanceStateName {
		return ok(tf.ec2.DescribeInstanceStatus(tf.ctx,
			&ec2.DescribeInstanceStatusInput{
				InstanceIds: []string{instance}, IncludeAllInstances: aws.Bool(true),
			})).InstanceStatuses[0].InstanceState.Name
	}
	become := func(want types.InstanceStateName) {
		if want == types.InstanceStateNameStopped {
			ok(tf.ec2.StopInstances(tf.ctx, &ec2.StopInstancesInput{InstanceIds: []string{instance}, Force: aws.Bool(false)}))
		} else {
			ok(tf.ec2.StartInstances(tf.ctx, &ec2.StartInstancesInput{InstanceIds: []string{instance}}))
		}
		until("the instance is "+string(want), func() bool { return status() == want })
	}
	removed := false // it only leaves the instance as it is
	return resource{
		kind:   "aws_ec2_instance_state",
		create: func() string { become(types.InstanceStateNameStopped); return instance },
		read: func(string) attributes {
			if removed {
				return nil
			}
			return attributes{"state": status()}
		},
		want:    attributes{"state": "stopped"},
		changes: []change{{func(string) { become(types.InstanceStateNameRunning) }, attributes{"state": "running"}}},
		destroy: func(string) { removed = true },
	}
}

func (tf *terraform) keyPair() resource {
	const public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl tf"
	read := func(id string, with bool) types.KeyPairInfo {
		return ok(tf.ec2.DescribeKeyPairs(tf.ctx,
			&ec2.DescribeKeyPairsInput{KeyNames: []string{id}, IncludePublicKey: &with})).KeyPairs[0]
	}
	return resource{
		kind: "aws_key_pair",
		create: func() string {
			return *ok(tf.ec2.ImportKeyPair(tf.ctx,
				&ec2.ImportKeyPairInput{
					KeyName: aws.String("tf"), PublicKeyMaterial: []byte(public),
					TagSpecifications: named(types.ResourceTypeKeyPair),
				})).KeyName
		},
		read: func(id string) attributes {
			k := read(id, false)
			return attributes{
				"fingerprint": k.KeyFingerprint, "key_name": k.KeyName, "key_pair_id": *k.KeyPairId,
				"key_type": k.KeyType, "public_key": read(id, true).PublicKey, "tags": tagsOf(k.Tags),
			}
		},
		want: attributes{
			"fingerprint": known, "key_name": "tf", "key_pair_id": known, "key_type": "ed25519", "public_key": public,
			"tags": tagged,
		},
		tagsOn: "key_pair_id",
		destroy: func(id string) {
			ok(tf.ec2.DeleteKeyPair(tf.ctx, &ec2.DeleteKeyPairInput{KeyName: &id}))
		},
		gone: "InvalidKeyPair.NotFound",
	}
}
