package e2e

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// instance is what DescribeInstances says; nil if it is gone or terminated.
func (tf *terraform) instance(id string) *types.Instance {
	out := ok(tf.ec2.DescribeInstances(tf.ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}}))
	if in := &out.Reservations[0].Instances[0]; in.State.Name != types.InstanceStateNameTerminated {
		return in
	}
	return nil
}

func (tf *terraform) awaitInstance(id string, want types.InstanceStateName) {
	until(id+" is "+string(want), func() bool {
		in := tf.instance(id)
		return in == nil && want == types.InstanceStateNameTerminated || in != nil && in.State.Name == want
	})
}

func (tf *terraform) instanceAttribute(id string, name types.InstanceAttributeName) *ec2.DescribeInstanceAttributeOutput {
	return ok(tf.ec2.DescribeInstanceAttribute(tf.ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: name}))
}

// instanceTag is a system tag of an instance, as DescribeTags has it.
func (tf *terraform) instanceTag(id, key string) string {
	tags := ok(tf.ec2.DescribeTags(tf.ctx,
		&ec2.DescribeTagsInput{Filters: []types.Filter{by("resource-id", id), by("key", key)}})).Tags
	switch len(tags) {
	case 0:
		return ""
	case 1:
		return *tags[0].Value
	}
	refuse("%s has %d tags %s", id, len(tags), key)
	return ""
}

// readInstance is the provider's read, call by call (rule terraform-read).
func (tf *terraform) readInstance(id string) attributes {
	in := tf.instance(id)
	if in == nil {
		return nil
	}
	a := attributes{
		"ami": in.ImageId, "instance_type": in.InstanceType, "key_name": in.KeyName, "instance_state": in.State.Name,
		"public_dns": in.PublicDnsName, "public_ip": in.PublicIpAddress,
		"private_dns": in.PrivateDnsName, "private_ip": in.PrivateIpAddress, "subnet_id": in.SubnetId,
		"ebs_optimized": in.EbsOptimized, "monitoring": in.Monitoring.State,
		"availability_zone": in.Placement.AvailabilityZone, "placement_group": in.Placement.GroupName,
		"tenancy": in.Placement.Tenancy, "host_id": in.Placement.HostId,
		"placement_partition_number": in.Placement.PartitionNumber,
		"host_resource_group_arn":    in.Placement.HostResourceGroupArn, "hibernation": in.HibernationOptions.Configured,
		"cpu_core_count": in.CpuOptions.CoreCount, "cpu_threads_per_core": in.CpuOptions.ThreadsPerCore,
		"enclave_options.enabled":           in.EnclaveOptions.Enabled,
		"maintenance_options.auto_recovery": in.MaintenanceOptions.AutoRecovery,
		"instance_lifecycle":                in.InstanceLifecycle, "outpost_arn": in.OutpostArn, "tags": tagsOf(in.Tags),
		"private_dns_name_options": []any{
			in.PrivateDnsNameOptions.HostnameType, *in.PrivateDnsNameOptions.EnableResourceNameDnsARecord,
			*in.PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord,
		},
		"metadata_options": []any{
			in.MetadataOptions.HttpEndpoint, in.MetadataOptions.HttpTokens, *in.MetadataOptions.HttpPutResponseHopLimit,
			in.MetadataOptions.HttpProtocolIpv6,
			in.MetadataOptions.InstanceMetadataTags,
		},
		"capacity_reservation_specification": in.CapacityReservationSpecification.CapacityReservationPreference,
		"iam_instance_profile":               nil, "launch_template": nil,
		"cpu_credits": nil, "security_groups": nil, "spot_instance_request_id": in.SpotInstanceRequestId,
	}
	if p := in.IamInstanceProfile; p != nil {
		a["iam_instance_profile"] = (*p.Arn)[strings.LastIndexByte(*p.Arn, '/')+1:]
	}
	primary := in.NetworkInterfaces[slices.IndexFunc(in.NetworkInterfaces, func(n types.InstanceNetworkInterface) bool {
		return *n.Attachment.DeviceIndex == 0
	})]
	secondary, ipv6 := []string{}, []string{}
	for _, p := range primary.PrivateIpAddresses {
		if !*p.Primary {
			secondary = append(secondary, *p.PrivateIpAddress)
		}
	}
	for _, p := range primary.Ipv6Addresses {
		ipv6 = append(ipv6, *p.Ipv6Address)
	}
	a["primary_network_interface_id"], a["source_dest_check"], a["associate_public_ip_address"] = primary.NetworkInterfaceId,
		primary.SourceDestCheck, primary.Association != nil
	a["secondary_private_ips"], a["ipv6_addresses"], a["network_interface.delete_on_termination"] = secondary, ipv6,
		primary.Attachment.DeleteOnTermination

	kind := ok(tf.ec2.DescribeInstanceTypes(tf.ctx,
		&ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{in.InstanceType}})).InstanceTypes[0]
	if template := tf.instanceTag(id, "aws:ec2launchtemplate:id"); template != "" {
		t := ok(tf.ec2.DescribeLaunchTemplates(tf.ctx,
			&ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{template}})).LaunchTemplates[0]
		version := tf.instanceTag(id, "aws:ec2launchtemplate:version")
		v := ok(tf.ec2.DescribeLaunchTemplateVersions(tf.ctx,
			&ec2.DescribeLaunchTemplateVersionsInput{
				LaunchTemplateId: &template, Versions: []string{version},
			})).LaunchTemplateVersions
		a["launch_template"] = []any{t.LaunchTemplateId, t.LaunchTemplateName, v[0].VersionNumber}
	}

	ids, names := []string{}, []string{}
	for _, g := range in.SecurityGroups {
		ids, names = append(ids, *g.GroupId), append(names, *g.GroupName)
	}
	slices.Sort(ids)
	a["vpc_security_group_ids"] = ids
	if *ok(tf.ec2.DescribeVpcs(tf.ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*in.VpcId}})).Vpcs[0].IsDefault {
		a["security_groups"] = names
	}
	a["instance_initiated_shutdown_behavior"] = tf.instanceAttribute(id,
		types.InstanceAttributeNameInstanceInitiatedShutdownBehavior).InstanceInitiatedShutdownBehavior.Value
	tf.readDevices(in, a)
	a["disable_api_stop"] = *tf.instanceAttribute(id, types.InstanceAttributeNameDisableApiStop).DisableApiStop.Value
	a["disable_api_termination"] = *tf.instanceAttribute(id,
		types.InstanceAttributeNameDisableApiTermination).DisableApiTermination.Value
	a["user_data"] = nil
	if data := tf.instanceAttribute(id, types.InstanceAttributeNameUserData).UserData; data != nil && data.Value != nil {
		a["user_data"] = sum(string(ok(base64.StdEncoding.DecodeString(*data.Value))))
	}
	if *kind.BurstablePerformanceSupported {
		specs := ok(tf.ec2.DescribeInstanceCreditSpecifications(tf.ctx,
			&ec2.DescribeInstanceCreditSpecificationsInput{InstanceIds: []string{id}})).InstanceCreditSpecifications
		a["cpu_credits"] = specs[0].CpuCredits
	}
	return a
}

// sum is what the provider keeps of user data.
func sum(data string) string {
	s := sha1.Sum([]byte(data))
	return hex.EncodeToString(s[:])
}

// device is a block of a volume, of an instance or a mapping.
type device struct {
	Device, Type            string
	Size                    int32
	IOPS, Throughput        *int32 `json:",omitempty"`
	Encrypted, WithInstance bool
	KMSKey                  *string           `json:",omitempty"`
	Tags                    map[string]string `json:",omitempty"`
}

// readDevices reads root_block_device and ebs_block_device.
func (tf *terraform) readDevices(in *types.Instance, a attributes) {
	mapped, ids := map[string]types.InstanceBlockDeviceMapping{}, []string{}
	for _, m := range in.BlockDeviceMappings {
		mapped[*m.Ebs.VolumeId] = m
		ids = append(ids, *m.Ebs.VolumeId)
	}
	a["root_block_device"], a["ebs_block_device"], a["root_volume_id"], a["root_device_name"] = nil, nil, nil, in.RootDeviceName
	var others []device
	for _, v := range ok(tf.ec2.DescribeVolumes(tf.ctx, &ec2.DescribeVolumesInput{VolumeIds: ids})).Volumes {
		m := mapped[*v.VolumeId]
		d := device{
			Device: *m.DeviceName, Type: string(v.VolumeType), Size: *v.Size, IOPS: v.Iops, Throughput: v.Throughput,
			Encrypted: *v.Encrypted, WithInstance: *m.Ebs.DeleteOnTermination,
			KMSKey: v.KmsKeyId, Tags: tagsOf(v.Tags),
		}
		if d.Device == *in.RootDeviceName {
			a["root_block_device"], a["root_volume_id"] = d, v.VolumeId
		} else {
			others = append(others, d)
		}
	}
	slices.SortFunc(others, func(a, b device) int { return strings.Compare(a.Device, b.Device) })
	a["ebs_block_device"] = others
}

// launched is an instance of the configuration that says nothing but its image and type, in the default VPC, but for
// what is given.
func (tf *terraform) launched(image string, more attributes) attributes {
	a := attributes{
		"ami": image, "instance_type": "t3.micro", "key_name": nil, "instance_state": "running", "public_dns": known,
		"public_ip": known, "private_dns": known, "private_ip": known, "subnet_id": known,
		"ebs_optimized": false, "monitoring": "disabled", "availability_zone": known, "placement_group": nil,
		"tenancy": "default", "host_id": nil, "placement_partition_number": nil,
		"host_resource_group_arn": nil, "hibernation": false, "cpu_core_count": 1, "cpu_threads_per_core": 2,
		"enclave_options.enabled": false, "maintenance_options.auto_recovery": "default",
		"instance_lifecycle": nil, "outpost_arn": nil, "tags": tagged,
		"private_dns_name_options":           []any{"ip-name", false, false},
		"metadata_options":                   []any{"enabled", "optional", 1, "disabled", "disabled"},
		"capacity_reservation_specification": "open", "iam_instance_profile": nil, "launch_template": nil,
		"cpu_credits": "unlimited", "security_groups": []string{"default"}, "spot_instance_request_id": nil,
		"primary_network_interface_id": known, "source_dest_check": true,
		"associate_public_ip_address": true, "secondary_private_ips": nil, "ipv6_addresses": nil,
		"network_interface.delete_on_termination": true, "vpc_security_group_ids": known,
		"instance_initiated_shutdown_behavior": "stop", "root_block_device": known, "ebs_block_device": nil,
		"root_volume_id": known, "root_device_name": known, "disable_api_stop": false,
		"disable_api_termination": false, "user_data": nil,
	}
	maps.Copy(a, more)
	return a
}

// run is what the provider always says of a launch (rule terraform-read), with more.
func (tf *terraform) run(image string, more func(*ec2.RunInstancesInput)) string {
	in := &ec2.RunInstancesInput{
		ClientToken: token(), ImageId: &image, InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1),
		MaxCount: aws.Int32(1), DisableApiTermination: aws.Bool(false),
		EbsOptimized: aws.Bool(false), Monitoring: &types.RunInstancesMonitoringEnabled{Enabled: aws.Bool(false)},
		Placement:           &types.Placement{AvailabilityZone: aws.String("")},
		HibernationOptions:  &types.HibernationOptionsRequest{Configured: aws.Bool(false)},
		CreditSpecification: &types.CreditSpecificationRequest{CpuCredits: aws.String("unlimited")},
		TagSpecifications:   named(types.ResourceTypeInstance),
	}
	if more != nil {
		more(in)
	}
	id := *ok(tf.ec2.RunInstances(tf.ctx, in)).Instances[0].InstanceId
	tf.awaitInstance(id, types.InstanceStateNameRunning)
	return id
}

func (tf *terraform) terminate(id string) {
	ok(tf.ec2.ModifyInstanceAttribute(tf.ctx,
		&ec2.ModifyInstanceAttributeInput{
			InstanceId: &id, DisableApiTermination: &types.AttributeBooleanValue{Value: aws.Bool(false)},
		}))
	ok(tf.ec2.TerminateInstances(tf.ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}))
	tf.awaitInstance(id, types.InstanceStateNameTerminated)
}

// stopped changes an instance while it is stopped.
func (tf *terraform) stopped(id string, do func()) {
	ok(tf.ec2.StopInstances(tf.ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}))
	tf.awaitInstance(id, types.InstanceStateNameStopped)
	do()
	ok(tf.ec2.StartInstances(tf.ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}}))
	tf.awaitInstance(id, types.InstanceStateNameRunning)
}
