package volumes

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Create answers CreateVolume. The volume is creating until its host has made its file.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateVolumeRequest) (*ec2wire.Volume, error) {
	if err := createRefused(in); err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "volume")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	zone, err := zoneOf(scope.Region, in)
	if err != nil {
		return nil, err
	}
	token := state.OnceOf(scope, "CreateVolume", in)
	var made *slipway.Volume
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := token.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			made, err = state.Volumes.Get(tx, scope, before.Result)
			return err
		}
		v := &slipway.Volume{
			ID: slipway.NewVolumeID(), Account: scope.Account, Region: scope.Region, Zone: zone.Name, Created: s.now(),
			State:       slipway.VolumeStateCreating,
			ClientToken: token.Token, Tags: tags, Encrypted: shape.Get(in.Encrypted), Key: shape.Get(in.KmsKeyId),
		}
		if err := s.content(tx, v, in); err != nil {
			return err
		}
		if err := Quota(tx, scope, 1, v.SizeGiB); err != nil {
			return err
		}
		if err := state.Volumes.Put(tx, v); err != nil {
			return err
		}
		made = v
		return token.Keep(tx, string(v.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	out := Wire(nil, made)
	return &out, nil
}

func createRefused(in *ec2wire.CreateVolumeRequest) error {
	switch {
	case shape.Get(in.OutpostArn) != "":
		return slipway.Refused("OutpostArn", "there are no Outposts here.")
	case in.Operator != nil && shape.Get(in.Operator.Principal) != "":
		return slipway.Refused("Operator", "it is for AWS's own services.")
	case shape.Get(in.MultiAttachEnabled):
		return slipway.Refused("MultiAttachEnabled", "a volume here is a file that one machine has open.")
	case in.VolumeInitializationRate != nil && shape.Get(in.SnapshotId) == "":
		return slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter volumeInitializationRate requires the parameter snapshotId.")
	case in.VolumeInitializationRate != nil && (*in.VolumeInitializationRate < 100 || *in.VolumeInitializationRate > 300):
		return slipway.Errorf(slipway.InvalidParameterValue, "The volume initialization rate must be 100 to 300 MiB/s.")
	case shape.CheckKey(in.KmsKeyId, in.Encrypted) != nil:
		return shape.CheckKey(in.KmsKeyId, in.Encrypted)
	case shape.Get(in.SnapshotId) == "" && shape.Get(in.Size) == 0:
		return slipway.Missing("size/snapshot")
	case shape.Get(in.Size) < 0:
		return slipway.Invalid("negative", "size", "It must be positive.")
	}
	return nil
}

func zoneOf(region string, in *ec2wire.CreateVolumeRequest) (slipway.Zone, error) {
	name, id := shape.Get(in.AvailabilityZone), shape.Get(in.AvailabilityZoneId)
	switch {
	case name == "" && id == "":
		return slipway.Zone{}, slipway.Missing("AvailabilityZone")
	case name != "" && id != "":
		return slipway.Zone{}, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameters AvailabilityZone and AvailabilityZoneId may not both be given.")
	}
	z, ok := slipway.FindZone(region, name+id)
	if !ok || name != "" && z.Name != name || id != "" && z.ID != id {
		return z, slipway.Errorf(slipway.InvalidZoneNotFound, "The zone '%s' does not exist.", name+id)
	}
	return z, nil
}

// content decides what the volume is like and what it begins with.
func (s *Service) content(tx store.Tx, v *slipway.Volume, in *ec2wire.CreateVolumeRequest) error {
	scope := state.Scope{Account: v.Account, Region: v.Region}
	spec := Spec{
		Type: shape.Get(in.VolumeType), SizeGiB: shape.Get(in.Size), IOPS: shape.Get(in.Iops),
		Throughput: shape.Get(in.Throughput),
	}
	var snap *slipway.Snapshot
	if id := shape.Get(in.SnapshotId); id != "" {
		var err error
		if snap, err = Source(tx, scope, id); err != nil {
			return err
		}
		if spec.SizeGiB == 0 {
			spec.SizeGiB = snap.SizeGiB
		}
		switch {
		case spec.SizeGiB < snap.SizeGiB:
			return slipway.Errorf(slipway.InvalidParameterValue,
				"The size of a volume cannot be less than the size of its snapshot: %d GiB, and '%s' has %d GiB.",
				spec.SizeGiB, snap.ID, snap.SizeGiB)
		case snap.Encrypted && in.Encrypted != nil && !*in.Encrypted:
			return slipway.Errorf(slipway.InvalidParameterValue,
				"The snapshot '%s' is encrypted, and so is what is made of it.", snap.ID)
		}
		v.BaseSecret = snap.Secret
		v.Snapshot, v.Encrypted = snap.ID, v.Encrypted || snap.Encrypted
		if v.Key == "" {
			v.Key = snap.Key
		}
	}
	if r := state.Regions.See(tx, scope, "-"); r != nil && r.Settings.EncryptByDefault {
		v.Encrypted = true
	}
	spec, err := Complete(spec)
	if err != nil {
		return err
	}
	v.Type, v.SizeGiB, v.IOPS, v.Throughput = spec.Type, spec.SizeGiB, spec.IOPS, spec.Throughput
	if v.Encrypted {
		v.Secret = NewSecret()
	}
	v.Host, err = chooseHost(tx, scope, v.Zone, snap)
	return err
}

// Source is a snapshot that the account may make volumes and copies of.
func Source(r store.Reader, scope state.Scope, id string) (*slipway.Snapshot, error) {
	if _, err := slipway.ParseSnapshotID(id); err != nil {
		return nil, err
	}
	snap := state.FindSnapshot(r, scope.Region, id)
	switch {
	case snap == nil || !snap.UsableBy(scope.Account) || snap.State == slipway.SnapshotStateDeleting:
		return nil, state.Snapshots.Absent(id)
	case snap.State != slipway.SnapshotStateCompleted:
		return nil, slipway.Errorf(slipway.IncorrectState, "Snapshot is in invalid state - %s", snap.State)
	}
	return snap, nil
}

// Delete answers DeleteVolume. The volume is deleting until its host has removed its file.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteVolumeRequest) error {
	id, err := named(in.VolumeId)
	if err != nil {
		return err
	}
	return s.edit(ctx, id, func(_ store.Tx, v *slipway.Volume) error {
		if v.Attachment != nil {
			return slipway.Errorf(slipway.VolumeInUse, "Volume %s is currently attached to %s", v.ID, v.Attachment.Instance)
		}
		return v.Become(slipway.VolumeStateDeleting)
	})
}
