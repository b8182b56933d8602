package snapshots

import (
	"context"
	"maps"
	"slices"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/volumes"
)

// elsewhere refuses places for snapshots that do not exist here.
func elsewhere(outpost, location *string) error {
	switch {
	case shape.Get(outpost) != "":
		return slipway.Refused("OutpostArn", "there are no Outposts here.")
	case shape.Get(location) == "local":
		return slipway.Refused("Location", "there are no Local Zones here.")
	case shape.Get(location) != "" && *location != "regional":
		return slipway.Invalid(*location, "location", "It must be regional or local.")
	}
	return nil
}

// Of begins a snapshot of a volume: pending, until its host has copied what the volume holds.
func Of(tx store.Tx, v *slipway.Volume, description string, tags slipway.Tags, now time.Time) (*slipway.Snapshot, error) {
	if v.State != slipway.VolumeStateAvailable && v.State != slipway.VolumeStateInUse {
		return nil, slipway.Errorf(slipway.IncorrectState, "Volume '%s' is in the '%s' state.", v.ID, v.State)
	}
	if a := v.Attachment; a != nil && a.DeleteOnTermination {
		in, err := state.Instances.Get(tx, state.Scope{Account: v.Account, Region: v.Region}, string(a.Instance))
		if err != nil {
			return nil, err
		}
		if in.State == slipway.ShuttingDown {
			return nil, slipway.Errorf(slipway.IncorrectState, "Volume '%s' is being deleted with the instance '%s'.",
				v.ID, in.ID)
		}
	}
	boot, err := bootOf(tx, v)
	if err != nil {
		return nil, err
	}
	n := &slipway.Snapshot{
		Boot: boot,
		ID:   slipway.NewSnapshotID(), Account: v.Account, Region: v.Region, Host: v.Host, Volume: v.ID,
		SizeGiB: v.SizeGiB, Description: description,
		State: slipway.SnapshotStatePending, Start: now, Encrypted: v.Encrypted, Key: v.Key, Secret: v.Secret, Tags: tags,
	}
	// The volume's end, which looks for its snapshots, shall not pass this by: both write the volume.
	if err := state.Volumes.Put(tx, v); err != nil {
		return nil, err
	}
	return n, state.Snapshots.Put(tx, n)
}

// bootOf is how a volume comes up, so that an image which is registered of its snapshot does as well: as its instance does
// that boots from it, or as what it began as.
func bootOf(tx store.Tx, v *slipway.Volume) (slipway.Boot, error) {
	if a := v.Attachment; a != nil {
		in, err := state.Instances.Get(tx, state.Scope{Account: v.Account, Region: v.Region}, string(a.Instance))
		if err != nil || a.Device == in.RootDevice {
			return in.Boot, err
		}
	}
	if n := state.FindSnapshot(tx, v.Region, string(v.Snapshot)); n != nil {
		return n.Boot, nil
	}
	return slipway.Boot{}, nil
}

// Create answers CreateSnapshot.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateSnapshotRequest) (*ec2wire.Snapshot, error) {
	if shape.Get(in.VolumeId) == "" {
		return nil, slipway.Missing("VolumeId")
	}
	id, err := slipway.ParseVolumeID(*in.VolumeId)
	if err != nil {
		return nil, err
	}
	if err := elsewhere(in.OutpostArn, in.Location); err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "snapshot")
	if err != nil {
		return nil, err
	}
	var made *slipway.Snapshot
	err = s.db.Update(ctx, func(tx store.Tx) error {
		v, err := state.Volumes.Get(tx, state.Of(ctx), string(id))
		if err != nil {
			return err
		}
		made, err = Of(tx, v, shape.Get(in.Description), tags, s.now())
		return err
	})
	if err != nil {
		return nil, err
	}
	out := wire(made, made.Account)
	return &out, nil
}

// CreateAll answers CreateSnapshots: one snapshot of each volume of an instance.
func (s *Service) CreateAll(ctx context.Context, in *ec2wire.CreateSnapshotsRequest) (*ec2wire.CreateSnapshotsResult, error) {
	spec := in.InstanceSpecification
	if spec == nil || shape.Get(spec.InstanceId) == "" {
		return nil, slipway.Missing("InstanceSpecification.InstanceId")
	}
	id, err := slipway.ParseInstanceID(*spec.InstanceId)
	if err != nil {
		return nil, err
	}
	if err := elsewhere(in.OutpostArn, in.Location); err != nil {
		return nil, err
	}
	from := shape.Get(in.CopyTagsFromSource)
	if from != "" && from != "volume" {
		return nil, slipway.Invalid(from, "copyTagsFromSource", "It must be volume.")
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "snapshot")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	out := &ec2wire.CreateSnapshotsResult{Snapshots: []ec2wire.SnapshotInfo{}}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		out.Snapshots = out.Snapshots[:0]
		i, err := state.Instances.Get(tx, scope, string(id))
		if err != nil {
			return err
		}
		chosen, err := chosen(i, spec)
		if err != nil {
			return err
		}
		for _, b := range chosen {
			v, err := state.Volumes.Get(tx, scope, string(b.Volume))
			if err != nil {
				return err
			}
			all := maps.Clone(tags)
			if from == "volume" {
				if all, err = without(v.Tags).With(tags); err != nil {
					return err
				}
			}
			n, err := Of(tx, v, shape.Get(in.Description), all, s.now())
			if err != nil {
				return err
			}
			out.Snapshots = append(out.Snapshots, info(n))
		}
		return nil
	})
	return out, err
}

// without leaves the tags out that only EC2 itself may set.
func without(t slipway.Tags) slipway.Tags {
	out := maps.Clone(t)
	maps.DeleteFunc(out, func(k, _ string) bool { return len(k) >= 4 && k[:4] == "aws:" })
	return out
}

// chosen are the volumes that a request for an instance's snapshots means.
func chosen(i *slipway.Instance, spec *ec2wire.InstanceSpecification) ([]slipway.BlockDevice, error) {
	for _, id := range spec.ExcludeDataVolumeIds {
		if _, err := slipway.ParseVolumeID(id); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(i.Volumes, func(b slipway.BlockDevice) bool { return string(b.Volume) == id })
		if at < 0 || i.Volumes[at].Device == i.RootDevice {
			return nil, slipway.Errorf(slipway.InvalidParameterValue,
				"The volume '%s' is not a data volume of the instance '%s'.", id, i.ID)
		}
	}
	var out []slipway.BlockDevice
	for _, b := range i.Volumes {
		if b.Device == i.RootDevice && shape.Get(spec.ExcludeBootVolume) ||
			slices.Contains(spec.ExcludeDataVolumeIds, string(b.Volume)) {
			continue
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"There is no volume of the instance '%s' left to take a snapshot of.", i.ID)
	}
	return out, nil
}

// Copy is what a copy of a snapshot shall be like.
type Copy struct {
	Source      *slipway.Snapshot
	Account     string
	Region      string // where it goes
	Description string
	Encrypted   *bool
	Key         string
	Tags        slipway.Tags
}

// Begin begins a copy: pending, until the host that has the source has copied it.
func (c Copy) Begin(tx store.Tx, now time.Time) (*slipway.Snapshot, error) {
	src := c.Source
	if src.Encrypted && c.Encrypted != nil && !*c.Encrypted {
		return nil, slipway.Errorf(slipway.InvalidRequest,
			"Snapshot %s is encrypted. Creating unencrypted copy from an encrypted snapshot is not supported", src.ID)
	}
	n := &slipway.Snapshot{
		ID: slipway.NewSnapshotID(), Account: c.Account, Region: c.Region, Host: src.Host, SizeGiB: src.SizeGiB,
		Description: c.Description, State: slipway.SnapshotStatePending,
		Start: now, Boot: src.Boot, Encrypted: src.Encrypted || shape.Get(c.Encrypted), Key: c.Key, Source: src.ID,
		SourceRegion: src.Region, Tags: c.Tags,
	}
	if r := state.Regions.See(tx, state.Scope{Account: c.Account, Region: c.Region}, "-"); r != nil &&
		r.Settings.EncryptByDefault {
		n.Encrypted = true
	}
	if n.Encrypted {
		n.Secret = volumes.NewSecret()
		if n.Key == "" {
			n.Key = src.Key
		}
	}
	// As with a volume: the source's end must see the copy.
	if err := state.Snapshots.Put(tx, src); err != nil {
		return nil, err
	}
	return n, state.Snapshots.Put(tx, n)
}

// Copy answers CopySnapshot. The source may be in any region: all of them are on the same hosts. What PresignedUrl proves, the
// call's own signature has proved already.
func (s *Service) Copy(ctx context.Context, in *ec2wire.CopySnapshotRequest) (*ec2wire.CopySnapshotResult, error) {
	scope := state.Of(ctx)
	from := shape.Get(in.SourceRegion)
	switch {
	case from == "":
		return nil, slipway.Missing("SourceRegion")
	case shape.Get(in.SourceSnapshotId) == "":
		return nil, slipway.Missing("SourceSnapshotId")
	case !slipway.KnownRegion(from):
		return nil, slipway.Invalid(from, "sourceRegion", "There is no such region.")
	case shape.Get(in.DestinationRegion) != "" && *in.DestinationRegion != scope.Region:
		return nil, slipway.Invalid(*in.DestinationRegion, "destinationRegion",
			"It must be the region of the call, "+scope.Region+".")
	case shape.Get(in.DestinationOutpostArn) != "":
		return nil, slipway.Refused("DestinationOutpostArn", "there are no Outposts here.")
	case shape.Get(in.DestinationAvailabilityZone) != "":
		return nil, slipway.Refused("DestinationAvailabilityZone", "there are no Local Zones here.")
	case in.CompletionDurationMinutes != nil:
		return nil, slipway.Refused("CompletionDurationMinutes", "a copy here takes as long as it takes.")
	}
	if err := shape.CheckKey(in.KmsKeyId, in.Encrypted); err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "snapshot")
	if err != nil {
		return nil, err
	}
	out := &ec2wire.CopySnapshotResult{Tags: shape.Tags(tags)}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		src, err := volumes.Source(tx, state.Scope{Account: scope.Account, Region: from}, *in.SourceSnapshotId)
		if err != nil {
			return err
		}
		n, err := Copy{
			Source: src, Account: scope.Account, Region: scope.Region, Description: shape.Get(in.Description),
			Encrypted: in.Encrypted, Key: shape.Get(in.KmsKeyId), Tags: tags,
		}.Begin(tx, s.now())
		if err == nil {
			out.SnapshotId = shape.Text(n.ID)
		}
		return err
	})
	return out, err
}
