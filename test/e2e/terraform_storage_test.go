package e2e

import (
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
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
	in.ClientToken, in.AvailabilityZone, in.TagSpecifications = token(), aws.String("us-east-1a"),
		named(types.ResourceTypeVolume)
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
		"availability_zone": v.AvailabilityZone, "create_time": v.CreateTime, "encrypted": v.Encrypted, "iops": v.Iops,
		"kms_key_id": v.KmsKeyId, "multi_attach_enabled": v.MultiAttachEnabled,
		"outpost_arn": v.OutpostArn, "size": v.Size, "snapshot_id": v.SnapshotId, "throughput": v.Throughput,
		"type": v.VolumeType, "tags": tagsOf(v.Tags),
	}
}

func (tf *terraform) deleteVolume(id string) {
	ok(tf.ec2.DeleteVolume(tf.ctx, &ec2.DeleteVolumeInput{VolumeId: &id}))
}

// volumeLike is what a volume of 10 GiB with nothing said stores, but for what is given.
func volumeLike(more attributes) attributes {
	a := attributes{
		"availability_zone": "us-east-1a", "create_time": known, "encrypted": false, "iops": 100, "kms_key_id": nil,
		"multi_attach_enabled": false, "outpost_arn": nil, "size": 10, "snapshot_id": nil,
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
			modify(ec2.ModifyVolumeInput{
				VolumeType: types.VolumeTypeGp3, Iops: aws.Int32(3500), Throughput: aws.Int32(200),
			}, attributes{"type": "gp3", "iops": 3500, "throughput": 200}),
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
			return tf.createVolume(&ec2.CreateVolumeInput{
				SnapshotId: &snapshot, VolumeType: types.VolumeTypeIo1, Size: aws.Int32(12), Iops: aws.Int32(150),
			})
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
		list := ok(tf.ec2.DescribeVolumes(tf.ctx,
			&ec2.DescribeVolumesInput{
				VolumeIds: []string{volume},
				Filters:   []types.Filter{by("attachment.device", name), by("attachment.instance-id", instance)},
			})).Volumes
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
			ok(tf.ec2.AttachVolume(tf.ctx,
				&ec2.AttachVolumeInput{VolumeId: &volume, InstanceId: &instance, Device: aws.String(name)}))
			until("the volume is attached", func() bool { return text(read("")["state"]) == `"attached"` })
			return name
		},
		read: read,
		want: attributes{"device_name": name, "volume_id": volume, "instance_id": instance, "state": "attached"},
		destroy: func(string) {
			if _, err := tf.ec2.DeleteVolume(tf.ctx, &ec2.DeleteVolumeInput{VolumeId: &volume}); codeOf(err) != "VolumeInUse" {
				refuse("deleting the attached volume: %v", err)
			}
			ok(tf.ec2.DetachVolume(tf.ctx,
				&ec2.DetachVolumeInput{
					VolumeId: &volume, InstanceId: &instance, Device: aws.String(name), Force: aws.Bool(false),
				}))
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
		"data_encryption_key_id": s.DataEncryptionKeyId, "description": s.Description, "encrypted": s.Encrypted,
		"kms_key_id": s.KmsKeyId, "outpost_arn": s.OutpostArn, "owner_alias": s.OwnerAlias,
		"owner_id": s.OwnerId, "progress": s.Progress, "start_time": s.StartTime, "storage_tier": s.StorageTier,
		"volume_id": s.VolumeId, "volume_size": s.VolumeSize, "tags": tagsOf(s.Tags),
	}
}

func (tf *terraform) deleteSnapshot(id string) {
	ok(tf.ec2.DeleteSnapshot(tf.ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id}))
}

func (tf *terraform) snapshot(volume string) resource {
	return resource{
		kind: "aws_ebs_snapshot",
		create: func() string {
			return tf.completed(*ok(tf.ec2.CreateSnapshot(tf.ctx,
				&ec2.CreateSnapshotInput{
					VolumeId: &volume, Description: aws.String("of tf"), TagSpecifications: named(types.ResourceTypeSnapshot),
				})).SnapshotId)
		},
		read: tf.readSnapshot,
		want: attributes{
			"data_encryption_key_id": nil, "description": "of tf", "encrypted": false, "kms_key_id": nil,
			"outpost_arn": nil, "owner_alias": nil, "owner_id": tf.r.keys.AccountID, "progress": "100%",
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
			return tf.completed(*ok(tf.ec2.CopySnapshot(tf.ctx,
				&ec2.CopySnapshotInput{
					Description: aws.String(""), SourceRegion: aws.String("us-east-1"), SourceSnapshotId: &of,
					TagSpecifications: named(types.ResourceTypeSnapshot),
				})).SnapshotId)
		},
		read: tf.readSnapshot,
		want: attributes{
			"data_encryption_key_id": nil, "description": nil, "encrypted": false, "kms_key_id": nil,
			"outpost_arn": nil, "owner_alias": nil, "owner_id": tf.r.keys.AccountID, "progress": "100%",
			"start_time": known, "storage_tier": "standard", "volume_id": known, "volume_size": 11, "tags": tagged,
		},
		destroy: tf.deleteSnapshot,
		gone:    "InvalidSnapshot.NotFound",
	}
}

const otherAccount = "111122223333"

func (tf *terraform) snapshotPermission(snapshot string) resource {
	modify := func(m types.CreateVolumePermissionModifications) {
		ok(tf.ec2.ModifySnapshotAttribute(tf.ctx,
			&ec2.ModifySnapshotAttributeInput{
				SnapshotId: &snapshot, Attribute: types.SnapshotAttributeNameCreateVolumePermission, CreateVolumePermission: &m,
			}))
	}
	one := []types.CreateVolumePermission{{UserId: aws.String(otherAccount)}}
	return resource{
		kind: "aws_snapshot_create_volume_permission",
		create: func() string {
			modify(types.CreateVolumePermissionModifications{Add: one})
			return otherAccount
		},
		read: func(id string) attributes {
			out := ok(tf.ec2.DescribeSnapshotAttribute(tf.ctx,
				&ec2.DescribeSnapshotAttributeInput{
					SnapshotId: &snapshot, Attribute: types.SnapshotAttributeNameCreateVolumePermission,
				}))
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
