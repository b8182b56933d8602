package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestTerraformsStorage: volumes, snapshots and images, and how images are looked up.
func TestTerraformsStorage(t *testing.T) {
	tf := newTerraform(t)
	base := tf.r.image()
	instance := tf.run(base, func(in *ec2.RunInstancesInput) { in.Placement.AvailabilityZone = aws.String("us-east-1a") })
	volume := tf.apply(tf.volume())
	tf.apply(tf.volumeAttachment(volume, instance))
	snapshot := tf.apply(tf.snapshot(volume))
	tf.apply(tf.snapshotCopy(snapshot))
	tf.apply(tf.snapshotPermission(snapshot))
	registered := tf.apply(tf.registered(snapshot))
	tf.apply(tf.launchPermission(registered))
	tf.apply(tf.imageOf(instance))
	tf.apply(tf.imageCopy(registered))
	tf.apply(tf.volumeOf(snapshot))
	tf.imageData(base, registered)
	tf.destroy()
}

func (tf *terraform) oneVolume(id string) types.Volume {
	return ok(tf.ec2.DescribeVolumes(tf.ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{id}})).Volumes[0]
}

func (tf *terraform) createVolume(in *ec2.CreateVolumeInput) string {
	in.ClientToken, in.AvailabilityZone, in.TagSpecifications = token(), aws.String("us-east-1a"), named(types.ResourceTypeVolume)
	id := *ok(tf.ec2.CreateVolume(tf.ctx, in)).VolumeId
	until("the volume is available", func() bool { return tf.oneVolume(id).State == types.VolumeStateAvailable })
	return id
}

func (tf *terraform) readVolume(id string) attributes {
	v := tf.oneVolume(id)
	if v.State == types.VolumeStateDeleting || v.State == types.VolumeStateDeleted {
		return nil
	}
	return attributes{
		"availability_zone": v.AvailabilityZone, "create_time": v.CreateTime, "encrypted": v.Encrypted, "iops": v.Iops, "kms_key_id": v.KmsKeyId, "multi_attach_enabled": v.MultiAttachEnabled,
		"outpost_arn": v.OutpostArn, "size": v.Size, "snapshot_id": v.SnapshotId, "throughput": v.Throughput, "type": v.VolumeType, "tags": tagsOf(v.Tags),
	}
}

func (tf *terraform) deleteVolume(id string) {
	ok(tf.ec2.DeleteVolume(tf.ctx, &ec2.DeleteVolumeInput{VolumeId: &id}))
}

// volumeLike is what a volume of 10 GiB with nothing said stores, but for what is given.
func volumeLike(more attributes) attributes {
	a := attributes{
		"availability_zone": "us-east-1a", "create_time": known, "encrypted": false, "iops": 100, "kms_key_id": nil, "multi_attach_enabled": false, "outpost_arn": nil, "size": 10, "snapshot_id": nil,
		"throughput": nil, "type": "gp2", "tags": tagged,
	}
	maps.Copy(a, more)
	return a
}

func (tf *terraform) volume() resource {
	modify := func(in ec2.ModifyVolumeInput, want attributes) change {
		return change{func(id string) {
			in.VolumeId = &id
			ok(tf.ec2.ModifyVolume(tf.ctx, &in))
			until("the volume is modified", func() bool {
				v := tf.oneVolume(id)
				return in.Size == nil || *v.Size == *in.Size && v.State == types.VolumeStateAvailable
			})
		}, want}
	}
	return resource{
		kind:   "aws_ebs_volume",
		create: func() string { return tf.createVolume(&ec2.CreateVolumeInput{Size: aws.Int32(10)}) },
		read:   tf.readVolume,
		want:   volumeLike(nil),
		changes: []change{
			modify(ec2.ModifyVolumeInput{VolumeType: types.VolumeTypeGp3, Iops: aws.Int32(3500), Throughput: aws.Int32(200)}, attributes{"type": "gp3", "iops": 3500, "throughput": 200}),
			modify(ec2.ModifyVolumeInput{Size: aws.Int32(11)}, attributes{"size": 11}),
		},
		destroy: tf.deleteVolume,
		gone:    "InvalidVolume.NotFound",
	}
}

// volumeOf is a volume of a snapshot.
func (tf *terraform) volumeOf(snapshot string) resource {
	return resource{
		kind: "aws_ebs_volume of a snapshot",
		create: func() string {
			return tf.createVolume(&ec2.CreateVolumeInput{SnapshotId: &snapshot, VolumeType: types.VolumeTypeIo1, Size: aws.Int32(12), Iops: aws.Int32(150)})
		},
		read:    tf.readVolume,
		want:    volumeLike(attributes{"snapshot_id": snapshot, "type": "io1", "size": 12, "iops": 150}),
		destroy: tf.deleteVolume,
		gone:    "InvalidVolume.NotFound",
	}
}

func (tf *terraform) volumeAttachment(volume, instance string) resource {
	const name = "/dev/sdh"
	read := func(string) attributes {
		list := ok(tf.ec2.DescribeVolumes(tf.ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{volume}, Filters: []types.Filter{by("attachment.device", name), by("attachment.instance-id", instance)}})).Volumes
		if len(list) == 0 {
			return nil
		}
		a := list[0].Attachments[0]
		return attributes{"device_name": a.Device, "volume_id": a.VolumeId, "instance_id": a.InstanceId, "state": a.State}
	}
	return resource{
		kind: "aws_volume_attachment",
		create: func() string {
			if a := read(""); a != nil {
				refuse("attached before the attachment: %v", a)
			}
			tf.awaitInstance(instance, types.InstanceStateNameRunning)
			ok(tf.ec2.AttachVolume(tf.ctx, &ec2.AttachVolumeInput{VolumeId: &volume, InstanceId: &instance, Device: aws.String(name)}))
			until("the volume is attached", func() bool { return text(read("")["state"]) == `"attached"` })
			return name
		},
		read: read,
		want: attributes{"device_name": name, "volume_id": volume, "instance_id": instance, "state": "attached"},
		destroy: func(string) {
			if _, err := tf.ec2.DeleteVolume(tf.ctx, &ec2.DeleteVolumeInput{VolumeId: &volume}); codeOf(err) != "VolumeInUse" {
				refuse("deleting the attached volume: %v", err)
			}
			ok(tf.ec2.DetachVolume(tf.ctx, &ec2.DetachVolumeInput{VolumeId: &volume, InstanceId: &instance, Device: aws.String(name), Force: aws.Bool(false)}))
			until("the volume is available", func() bool { return tf.oneVolume(volume).State == types.VolumeStateAvailable })
		},
	}
}

func (tf *terraform) oneSnapshot(id string) types.Snapshot {
	return ok(tf.ec2.DescribeSnapshots(tf.ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})).Snapshots[0]
}

func (tf *terraform) completed(id string) string {
	until("the snapshot is completed", func() bool { return tf.oneSnapshot(id).State == types.SnapshotStateCompleted })
	return id
}

func (tf *terraform) readSnapshot(id string) attributes {
	s := tf.oneSnapshot(id)
	return attributes{
		"data_encryption_key_id": s.DataEncryptionKeyId, "description": s.Description, "encrypted": s.Encrypted, "kms_key_id": s.KmsKeyId, "outpost_arn": s.OutpostArn, "owner_alias": s.OwnerAlias,
		"owner_id": s.OwnerId, "progress": s.Progress, "start_time": s.StartTime, "storage_tier": s.StorageTier, "volume_id": s.VolumeId, "volume_size": s.VolumeSize, "tags": tagsOf(s.Tags),
	}
}

func (tf *terraform) deleteSnapshot(id string) {
	ok(tf.ec2.DeleteSnapshot(tf.ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id}))
}

func (tf *terraform) snapshot(volume string) resource {
	return resource{
		kind: "aws_ebs_snapshot",
		create: func() string {
			return tf.completed(*ok(tf.ec2.CreateSnapshot(tf.ctx, &ec2.CreateSnapshotInput{VolumeId: &volume, Description: aws.String("of tf"), TagSpecifications: named(types.ResourceTypeSnapshot)})).SnapshotId)
		},
		read: tf.readSnapshot,
		want: attributes{
			"data_encryption_key_id": nil, "description": "of tf", "encrypted": false, "kms_key_id": nil, "outpost_arn": nil, "owner_alias": nil, "owner_id": tf.r.keys.AccountID, "progress": "100%",
			"start_time": known, "storage_tier": "standard", "volume_id": volume, "volume_size": 11, "tags": tagged,
		},
		destroy: tf.deleteSnapshot,
		gone:    "InvalidSnapshot.NotFound",
	}
}

func (tf *terraform) snapshotCopy(of string) resource {
	return resource{
		kind: "aws_ebs_snapshot_copy",
		create: func() string {
			return tf.completed(*ok(tf.ec2.CopySnapshot(tf.ctx, &ec2.CopySnapshotInput{Description: aws.String(""), SourceRegion: aws.String("us-east-1"), SourceSnapshotId: &of, TagSpecifications: named(types.ResourceTypeSnapshot)})).SnapshotId)
		},
		read: tf.readSnapshot,
		want: attributes{
			"data_encryption_key_id": nil, "description": nil, "encrypted": false, "kms_key_id": nil, "outpost_arn": nil, "owner_alias": nil, "owner_id": tf.r.keys.AccountID, "progress": "100%",
			"start_time": known, "storage_tier": "standard", "volume_id": known, "volume_size": 11, "tags": tagged,
		},
		destroy: tf.deleteSnapshot,
		gone:    "InvalidSnapshot.NotFound",
	}
}

const otherAccount = "111122223333"

func (tf *terraform) snapshotPermission(snapshot string) resource {
	modify := func(m types.CreateVolumePermissionModifications) {
		ok(tf.ec2.ModifySnapshotAttribute(tf.ctx, &ec2.ModifySnapshotAttributeInput{SnapshotId: &snapshot, Attribute: types.SnapshotAttributeNameCreateVolumePermission, CreateVolumePermission: &m}))
	}
	one := []types.CreateVolumePermission{{UserId: aws.String(otherAccount)}}
	return resource{
		kind: "aws_snapshot_create_volume_permission",
		create: func() string {
			modify(types.CreateVolumePermissionModifications{Add: one})
			return otherAccount
		},
		read: func(id string) attributes {
			out := ok(tf.ec2.DescribeSnapshotAttribute(tf.ctx, &ec2.DescribeSnapshotAttributeInput{SnapshotId: &snapshot, Attribute: types.SnapshotAttributeNameCreateVolumePermission}))
			for _, p := range out.CreateVolumePermissions {
				if p.UserId != nil && *p.UserId == id {
					return attributes{"account_id": p.UserId, "snapshot_id": out.SnapshotId}
				}
			}
			return nil
		},
		want:    attributes{"account_id": otherAccount, "snapshot_id": snapshot},
		destroy: func(string) { modify(types.CreateVolumePermissionModifications{Remove: one}) },
	}
}

func (tf *terraform) oneImage(id string) types.Image {
	return ok(tf.ec2.DescribeImages(tf.ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}, IncludeDeprecated: aws.Bool(true)})).Images[0]
}

func (tf *terraform) availableImage(id string) string {
	until("the image is available", func() bool { return tf.oneImage(id).State == types.ImageStateAvailable })
	return id
}

// readImage reads aws_ami and its kin, with the tags of the image.
func (tf *terraform) readImage(id string) attributes {
	im := tf.oneImage(id)
	a := attributes{
		"architecture": im.Architecture, "boot_mode": im.BootMode, "deprecation_time": im.DeprecationTime, "description": im.Description, "ena_support": im.EnaSupport, "hypervisor": im.Hypervisor,
		"image_location": im.ImageLocation, "image_owner_alias": im.ImageOwnerAlias, "image_type": im.ImageType, "imds_support": im.ImdsSupport, "kernel_id": im.KernelId, "name": im.Name,
		"owner_id": im.OwnerId, "platform": im.Platform, "platform_details": im.PlatformDetails, "public": im.Public, "ramdisk_id": im.RamdiskId, "root_device_name": im.RootDeviceName,
		"root_device_type": im.RootDeviceType, "sriov_net_support": im.SriovNetSupport, "tpm_support": im.TpmSupport, "usage_operation": im.UsageOperation, "virtualization_type": im.VirtualizationType,
		"state": im.State, "tags": tagsOf(im.Tags), "root_snapshot_id": nil,
	}
	var devices []device
	for _, m := range im.BlockDeviceMappings {
		if *m.DeviceName == *im.RootDeviceName {
			a["root_snapshot_id"] = m.Ebs.SnapshotId
		}
		devices = append(devices, device{Device: *m.DeviceName, Type: string(m.Ebs.VolumeType), Size: *m.Ebs.VolumeSize, IOPS: m.Ebs.Iops, Throughput: m.Ebs.Throughput,
			Encrypted: aws.ToBool(m.Ebs.Encrypted), WithInstance: *m.Ebs.DeleteOnTermination, KMSKey: m.Ebs.KmsKeyId})
	}
	a["ebs_block_device"] = devices
	return a
}

// imageLike is what every image here stores, with what is given.
func (tf *terraform) imageLike(more attributes) attributes {
	a := attributes{
		"architecture": "x86_64", "boot_mode": nil, "deprecation_time": nil, "description": nil, "ena_support": true, "hypervisor": "xen", "image_location": known, "image_owner_alias": nil,
		"image_type": "machine", "imds_support": nil, "kernel_id": nil, "owner_id": tf.r.keys.AccountID, "platform": nil, "platform_details": "Linux/UNIX", "public": false, "ramdisk_id": nil,
		"root_device_name": "/dev/xvda", "root_device_type": "ebs", "sriov_net_support": nil, "tpm_support": nil, "usage_operation": "RunInstances", "virtualization_type": "hvm", "state": "available",
		"tags": tagged, "root_snapshot_id": known,
	}
	maps.Copy(a, more)
	return a
}

// deregister removes an image and, as aws_ami_from_instance and aws_ami_copy do, its snapshots.
func (tf *terraform) deregister(id string, snapshots bool) {
	mappings := tf.oneImage(id).BlockDeviceMappings
	ok(tf.ec2.DeregisterImage(tf.ctx, &ec2.DeregisterImageInput{ImageId: &id}))
	for _, m := range mappings {
		if snapshots {
			tf.deleteSnapshot(*m.Ebs.SnapshotId)
		}
	}
}

func (tf *terraform) registered(snapshot string) resource {
	at := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Minute)
	return resource{
		kind: "aws_ami",
		create: func() string {
			id := tf.availableImage(*ok(tf.ec2.RegisterImage(tf.ctx, &ec2.RegisterImageInput{
				Name: aws.String("registered"), Description: aws.String(""), Architecture: types.ArchitectureValuesX8664, ImageLocation: aws.String(""), RootDeviceName: aws.String("/dev/xvda"),
				SriovNetSupport: aws.String(""), VirtualizationType: aws.String("hvm"), EnaSupport: aws.Bool(true), ImdsSupport: types.ImdsSupportValuesV20,
				BlockDeviceMappings: []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"),
					Ebs: &types.EbsBlockDevice{SnapshotId: &snapshot, VolumeSize: aws.Int32(16), VolumeType: types.VolumeTypeGp3, DeleteOnTermination: aws.Bool(true)}}},
			})).ImageId)
			ok(tf.ec2.CreateTags(tf.ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: ec2Tags(tagged)}))
			return id
		},
		read: tf.readImage,
		want: tf.imageLike(attributes{
			"name": "registered", "imds_support": "v2.0", "root_snapshot_id": snapshot,
			"ebs_block_device": []device{{Device: "/dev/xvda", Type: "gp3", Size: 16, WithInstance: true}},
		}),
		changes: []change{
			{func(id string) {
				ok(tf.ec2.ModifyImageAttribute(tf.ctx, &ec2.ModifyImageAttributeInput{ImageId: &id, Description: &types.AttributeValue{Value: aws.String("changed")}}))
			}, attributes{"description": "changed"}},
			{func(id string) {
				ok(tf.ec2.EnableImageDeprecation(tf.ctx, &ec2.EnableImageDeprecationInput{ImageId: &id, DeprecateAt: &at}))
			}, attributes{"deprecation_time": at.Format("2006-01-02T15:04:05.000Z")}},
			{func(id string) {
				ok(tf.ec2.DisableImageDeprecation(tf.ctx, &ec2.DisableImageDeprecationInput{ImageId: &id}))
			}, attributes{"deprecation_time": nil}},
		},
		destroy: func(id string) { tf.deregister(id, false) },
		gone:    "InvalidAMIID.NotFound",
	}
}

func (tf *terraform) imageOf(instance string) resource {
	in := tf.instance(instance)
	root := tf.oneVolume(*in.BlockDeviceMappings[0].Ebs.VolumeId)
	return resource{
		kind: "aws_ami_from_instance",
		create: func() string {
			return tf.availableImage(*ok(tf.ec2.CreateImage(tf.ctx, &ec2.CreateImageInput{
				InstanceId: &instance, Name: aws.String("of-an-instance"), Description: aws.String("of tf"), NoReboot: aws.Bool(true), TagSpecifications: named(types.ResourceTypeImage),
			})).ImageId)
		},
		read: tf.readImage,
		want: tf.imageLike(attributes{
			"name": "of-an-instance", "description": "of tf", "root_device_name": *in.RootDeviceName, "boot_mode": "legacy-bios",
			"ebs_block_device": []device{
				{Device: *in.RootDeviceName, Type: string(root.VolumeType), Size: *root.Size, WithInstance: true},
				{Device: "/dev/sdh", Type: "gp3", Size: 11, IOPS: aws.Int32(3500), Throughput: aws.Int32(200)},
			},
		}),
		destroy: func(id string) { tf.deregister(id, true) },
		gone:    "InvalidAMIID.NotFound",
	}
}

func (tf *terraform) imageCopy(of string) resource {
	return resource{
		kind: "aws_ami_copy",
		create: func() string {
			return tf.availableImage(*ok(tf.ec2.CopyImage(tf.ctx, &ec2.CopyImageInput{
				ClientToken: token(), Name: aws.String("copied"), Description: aws.String("of tf"), SourceImageId: &of, SourceRegion: aws.String("us-east-1"), Encrypted: aws.Bool(false),
				TagSpecifications: named(types.ResourceTypeImage),
			})).ImageId)
		},
		read: tf.readImage,
		want: tf.imageLike(attributes{
			"name": "copied", "description": "of tf", "imds_support": "v2.0", "ebs_block_device": []device{{Device: "/dev/xvda", Type: "gp3", Size: 16, WithInstance: true}},
		}),
		destroy: func(id string) { tf.deregister(id, true) },
		gone:    "InvalidAMIID.NotFound",
	}
}

func (tf *terraform) launchPermission(image string) resource {
	modify := func(m types.LaunchPermissionModifications) {
		ok(tf.ec2.ModifyImageAttribute(tf.ctx, &ec2.ModifyImageAttributeInput{ImageId: &image, Attribute: aws.String("launchPermission"), LaunchPermission: &m}))
	}
	one := []types.LaunchPermission{{UserId: aws.String(otherAccount)}}
	return resource{
		kind: "aws_ami_launch_permission",
		create: func() string {
			modify(types.LaunchPermissionModifications{Add: one})
			return otherAccount
		},
		read: func(id string) attributes {
			out := ok(tf.ec2.DescribeImageAttribute(tf.ctx, &ec2.DescribeImageAttributeInput{ImageId: &image, Attribute: types.ImageAttributeNameLaunchPermission}))
			for _, p := range out.LaunchPermissions {
				if p.UserId != nil && *p.UserId == id {
					return attributes{"account_id": p.UserId, "image_id": out.ImageId, "group": p.Group, "organization_arn": p.OrganizationArn}
				}
			}
			return nil
		},
		want:    attributes{"account_id": otherAccount, "image_id": image, "group": nil, "organization_arn": nil},
		destroy: func(string) { modify(types.LaunchPermissionModifications{Remove: one}) },
	}
}

// imageData are the data sources that look images up.
func (tf *terraform) imageData(base, registered string) {
	tf.step("data", func(t *testing.T) {
		for name, in := range map[string]*ec2.DescribeImagesInput{
			base:       {Owners: []string{"amazon"}, IncludeDeprecated: aws.Bool(false), Filters: []types.Filter{by("name", "tiny-*"), by("virtualization-type", "hvm"), by("architecture", "x86_64"), by("root-device-type", "ebs")}},
			registered: {Owners: []string{"self"}, Filters: []types.Filter{by("name", "regist*"), by("tag:Owner", "terraform")}},
		} {
			found := ok(tf.ec2.DescribeImages(tf.ctx, in)).Images
			if len(found) != 1 || *found[0].ImageId != name {
				t.Fatalf("aws_ami: %d images, want %s", len(found), name)
			}
			if _, err := time.Parse(time.RFC3339, *found[0].CreationDate); err != nil { // most_recent
				t.Error(err)
			}
		}
		snapshots := ok(tf.ec2.DescribeSnapshots(tf.ctx, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, Filters: []types.Filter{by("volume-size", "11"), by("tag:Owner", "terraform")}})).Snapshots
		if len(snapshots) < 2 {
			t.Errorf("aws_ebs_snapshot_ids: %d", len(snapshots))
		}
		names := []string{}
		pages := ssm.NewGetParametersByPathPaginator(tf.ssm, &ssm.GetParametersByPathInput{Path: aws.String("/aws/service"), Recursive: aws.Bool(true)})
		for pages.HasMorePages() {
			for _, p := range ok(pages.NextPage(tf.ctx)).Parameters {
				names = append(names, *p.Name)
			}
		}
		i := slices.IndexFunc(names, func(n string) bool { return strings.Contains(n, "tiny") })
		if i < 0 {
			t.Fatalf("aws_ssm_parameters_by_path: %v", names)
		}
		p := ok(tf.ssm.GetParameter(tf.ctx, &ssm.GetParameterInput{Name: &names[i], WithDecryption: aws.Bool(true)})).Parameter
		compare(t, "aws_ssm_parameter", attributes{"arn": p.ARN, "name": p.Name, "type": p.Type, "value": p.Value, "version": p.Version},
			attributes{"arn": "arn:aws:ssm:us-east-1::parameter" + names[i], "name": names[i], "type": "String", "value": base, "version": 1})
		if _, err := tf.ssm.GetParameter(tf.ctx, &ssm.GetParameterInput{Name: aws.String("/none")}); codeOf(err) != "ParameterNotFound" {
			t.Errorf("a parameter that is not there: %v", err)
		}
	})
}
