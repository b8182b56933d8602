package volumes

import (
	"strconv"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// made is the volume that CreateVolume would make.
func made(v action.View, in *ec2wire.CreateVolumeRequest) []action.Resource {
	encrypted := shape.Get(in.Encrypted)
	if r := state.Regions.See(v, v.Scope(), "-"); r != nil && r.Settings.EncryptByDefault {
		encrypted = true
	}
	spec := Spec{
		Type: shape.Get(in.VolumeType), SizeGiB: shape.Get(in.Size), IOPS: shape.Get(in.Iops),
		Throughput: shape.Get(in.Throughput),
	}
	keys := map[string]string{"ec2:AvailabilityZone": shape.Get(in.AvailabilityZone), "ec2:KmsKeyId": shape.Get(in.KmsKeyId)}
	if z, ok := slipway.FindZone(v.Call.Region, shape.Get(in.AvailabilityZoneId)); ok && keys["ec2:AvailabilityZone"] == "" {
		keys["ec2:AvailabilityZone"] = z.Name
	}
	if id := shape.Get(in.SnapshotId); id != "" {
		keys["ec2:ParentSnapshot"] = slipway.EC2ARN(v.Call.Region, v.Call.Account, "snapshot", id)
		if n := state.FindSnapshot(v, v.Call.Region, id); n != nil && n.UsableBy(v.Call.Account) {
			encrypted = encrypted || n.Encrypted
			spec.SizeGiB = max(spec.SizeGiB, n.SizeGiB)
		}
	}
	if whole, err := Complete(spec); err == nil {
		spec = whole
	}
	keys["ec2:Encrypted"], keys["ec2:VolumeType"] = strconv.FormatBool(encrypted), spec.Type
	for name, n := range map[string]int32{
		"ec2:VolumeSize": spec.SizeGiB, "ec2:VolumeIops": spec.IOPS, "ec2:VolumeThroughput": spec.Throughput,
	} {
		if n > 0 {
			keys[name] = strconv.Itoa(int(n))
		}
	}
	out := action.Makes(func(in *ec2wire.CreateVolumeRequest) []ec2wire.TagSpecification {
		return in.TagSpecifications
	}, "volume")(v, in)
	for i := range out {
		if out[i].Right == "" {
			out[i].Keys = keys
		}
	}
	return out
}

// detached is a volume and the instance that has it, named or not.
func detached(v action.View, in *ec2wire.DetachVolumeRequest) []action.Resource {
	out := append(action.Some("volume", in.VolumeId), action.Some("instance", in.InstanceId)...)
	if x := state.Volumes.See(v, v.Scope(), shape.Get(in.VolumeId)); x != nil && x.Attachment != nil &&
		string(x.Attachment.Instance) != shape.Get(in.InstanceId) {
		out = append(out, action.Some("instance", &x.Attachment.Instance)...)
	}
	return out
}
