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

func (tf *terraform) oneImage(id string) types.Image {
	found := ok(tf.ec2.DescribeImages(tf.ctx,
		&ec2.DescribeImagesInput{ImageIds: []string{id}, IncludeDeprecated: aws.Bool(true)})).Images
	if len(found) == 0 { // a deregistered one is no error for a while, and to the provider it is gone
		return types.Image{}
	}
	return found[0]
}

func (tf *terraform) availableImage(id string) string {
	until("the image is available", func() bool { return tf.oneImage(id).State == types.ImageStateAvailable })
	return id
}

// readImage reads aws_ami and its kin, with the tags of the image.
func (tf *terraform) readImage(id string) attributes {
	im := tf.oneImage(id)
	if im.ImageId == nil {
		return nil
	}
	a := attributes{
		"architecture": im.Architecture, "boot_mode": im.BootMode, "deprecation_time": im.DeprecationTime,
		"description": im.Description, "ena_support": im.EnaSupport, "hypervisor": im.Hypervisor,
		"image_location": im.ImageLocation, "image_owner_alias": im.ImageOwnerAlias, "image_type": im.ImageType,
		"imds_support": im.ImdsSupport, "kernel_id": im.KernelId, "name": im.Name,
		"owner_id": im.OwnerId, "platform": im.Platform, "platform_details": im.PlatformDetails, "public": im.Public,
		"ramdisk_id": im.RamdiskId, "root_device_name": im.RootDeviceName,
		"root_device_type": im.RootDeviceType, "sriov_net_support": im.SriovNetSupport, "tpm_support": im.TpmSupport,
		"usage_operation": im.UsageOperation, "virtualization_type": im.VirtualizationType,
		"state": im.State, "tags": tagsOf(im.Tags), "root_snapshot_id": nil,
	}
	var devices []device
	for _, m := range im.BlockDeviceMappings {
		if *m.DeviceName == *im.RootDeviceName {
			a["root_snapshot_id"] = m.Ebs.SnapshotId
		}
		devices = append(devices,
			device{
				Device: *m.DeviceName, Type: string(m.Ebs.VolumeType), Size: *m.Ebs.VolumeSize, IOPS: m.Ebs.Iops,
				Throughput: m.Ebs.Throughput,
				Encrypted:  aws.ToBool(m.Ebs.Encrypted), WithInstance: *m.Ebs.DeleteOnTermination, KMSKey: m.Ebs.KmsKeyId,
			})
	}
	a["ebs_block_device"] = devices
	return a
}

// imageLike is what every image here stores, with what is given.
func (tf *terraform) imageLike(more attributes) attributes {
	a := attributes{
		"architecture": "x86_64", "boot_mode": nil, "deprecation_time": nil, "description": nil, "ena_support": true,
		"hypervisor": "xen", "image_location": known, "image_owner_alias": nil,
		"image_type": "machine", "imds_support": nil, "kernel_id": nil, "owner_id": tf.r.keys.AccountID,
		"platform": nil, "platform_details": "Linux/UNIX", "public": false, "ramdisk_id": nil,
		"root_device_name": "/dev/xvda", "root_device_type": "ebs", "sriov_net_support": nil, "tpm_support": nil,
		"usage_operation": "RunInstances", "virtualization_type": "hvm", "state": "available",
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
				Name: aws.String("registered"), Description: aws.String(""),
				Architecture: types.ArchitectureValuesX8664, ImageLocation: aws.String(""),
				RootDeviceName:  aws.String("/dev/xvda"),
				SriovNetSupport: aws.String(""), VirtualizationType: aws.String("hvm"), EnaSupport: aws.Bool(true),
				ImdsSupport: types.ImdsSupportValuesV20,
				BlockDeviceMappings: []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"),
					Ebs: &types.EbsBlockDevice{
						SnapshotId: &snapshot, VolumeSize: aws.Int32(16), VolumeType: types.VolumeTypeGp3,
						DeleteOnTermination: aws.Bool(true),
					}}},
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
				ok(tf.ec2.ModifyImageAttribute(tf.ctx,
					&ec2.ModifyImageAttributeInput{
						ImageId: &id, Description: &types.AttributeValue{Value: aws.String("changed")},
					}))
			}, attributes{"description": "changed"}},
			{func(id string) {
				ok(tf.ec2.EnableImageDeprecation(tf.ctx, &ec2.EnableImageDeprecationInput{ImageId: &id, DeprecateAt: &at}))
			}, attributes{"deprecation_time": at.Format("2006-01-02T15:04:05.000Z")}},
			{func(id string) {
				ok(tf.ec2.DisableImageDeprecation(tf.ctx, &ec2.DisableImageDeprecationInput{ImageId: &id}))
			}, attributes{"deprecation_time": nil}},
		},
		destroy: func(id string) { tf.deregister(id, false) },
		gone:    "",
	}
}

func (tf *terraform) imageOf(instance string) resource {
	in := tf.instance(instance)
	root := tf.oneVolume(*in.BlockDeviceMappings[0].Ebs.VolumeId)
	return resource{
		kind: "aws_ami_from_instance",
		create: func() string {
			return tf.availableImage(*ok(tf.ec2.CreateImage(tf.ctx, &ec2.CreateImageInput{
				InstanceId: &instance, Name: aws.String("of-an-instance"), Description: aws.String("of tf"),
				NoReboot: aws.Bool(true), TagSpecifications: named(types.ResourceTypeImage),
			})).ImageId)
		},
		read: tf.readImage,
		want: tf.imageLike(attributes{
			"name": "of-an-instance", "description": "of tf", "root_device_name": *in.RootDeviceName,
			"boot_mode": "legacy-bios",
			"ebs_block_device": []device{
				{Device: *in.RootDeviceName, Type: string(root.VolumeType), Size: *root.Size, WithInstance: true},
				{Device: "/dev/sdh", Type: "gp3", Size: 11, IOPS: aws.Int32(3500), Throughput: aws.Int32(200)},
			},
		}),
		destroy: func(id string) { tf.deregister(id, true) },
		gone:    "",
	}
}

func (tf *terraform) imageCopy(of string) resource {
	return resource{
		kind: "aws_ami_copy",
		create: func() string {
			return tf.availableImage(*ok(tf.ec2.CopyImage(tf.ctx, &ec2.CopyImageInput{
				ClientToken: token(), Name: aws.String("copied"), Description: aws.String("of tf"), SourceImageId: &of,
				SourceRegion: aws.String("us-east-1"), Encrypted: aws.Bool(false),
				TagSpecifications: named(types.ResourceTypeImage),
			})).ImageId)
		},
		read: tf.readImage,
		want: tf.imageLike(attributes{
			"name": "copied", "description": "of tf", "imds_support": "v2.0",
			"ebs_block_device": []device{{Device: "/dev/xvda", Type: "gp3", Size: 16, WithInstance: true}},
		}),
		destroy: func(id string) { tf.deregister(id, true) },
		gone:    "",
	}
}

func (tf *terraform) launchPermission(image string) resource {
	modify := func(m types.LaunchPermissionModifications) {
		ok(tf.ec2.ModifyImageAttribute(tf.ctx,
			&ec2.ModifyImageAttributeInput{ImageId: &image, Attribute: aws.String("launchPermission"), LaunchPermission: &m}))
	}
	one := []types.LaunchPermission{{UserId: aws.String(otherAccount)}}
	return resource{
		kind: "aws_ami_launch_permission",
		create: func() string {
			modify(types.LaunchPermissionModifications{Add: one})
			return otherAccount
		},
		read: func(id string) attributes {
			out := ok(tf.ec2.DescribeImageAttribute(tf.ctx,
				&ec2.DescribeImageAttributeInput{ImageId: &image, Attribute: types.ImageAttributeNameLaunchPermission}))
			for _, p := range out.LaunchPermissions {
				if p.UserId != nil && *p.UserId == id {
					return attributes{
						"account_id": p.UserId, "image_id": out.ImageId, "group": p.Group,
						"organization_arn": p.OrganizationArn,
					}
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
			base: {Owners: []string{"amazon"}, IncludeDeprecated: aws.Bool(false),
				Filters: []types.Filter{
					by("name", "tiny-*"), by("virtualization-type", "hvm"), by("architecture", "x86_64"),
					by("root-device-type", "ebs"),
				}},
			registered: {Owners: []string{"self"},
				Filters: []types.Filter{by("name", "regist*"), by("tag:Owner", "terraform")}},
		} {
			found := ok(tf.ec2.DescribeImages(tf.ctx, in)).Images
			if len(found) != 1 || *found[0].ImageId != name {
				t.Fatalf("aws_ami: %d images, want %s", len(found), name)
			}
			if _, err := time.Parse(time.RFC3339, *found[0].CreationDate); err != nil { // most_recent
				t.Error(err)
			}
		}
		snapshots := ok(tf.ec2.DescribeSnapshots(tf.ctx,
			&ec2.DescribeSnapshotsInput{
				OwnerIds: []string{"self"}, Filters: []types.Filter{by("volume-size", "11"), by("tag:Owner", "terraform")},
			})).Snapshots
		if len(snapshots) < 2 {
			t.Errorf("aws_ebs_snapshot_ids: %d", len(snapshots))
		}
		names := []string{}
		pages := ssm.NewGetParametersByPathPaginator(tf.ssm,
			&ssm.GetParametersByPathInput{Path: aws.String("/aws/service"), Recursive: aws.Bool(true)})
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
		compare(t, "aws_ssm_parameter",
			attributes{"arn": p.ARN, "name": p.Name, "type": p.Type, "value": p.Value, "version": p.Version},
			attributes{
				"arn": "arn:aws:ssm:us-east-1::parameter" + names[i], "name": names[i], "type": "String", "value": base,
				"version": 1,
			})
		if _, err := tf.ssm.GetParameter(tf.ctx,
			&ssm.GetParameterInput{Name: aws.String("/none")}); codeOf(err) != "ParameterNotFound" {
			t.Errorf("a parameter that is not there: %v", err)
		}
	})
}
