package images

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/snapshots"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Copy answers CopyImage: within a region or from another one, all of which are on the same hosts.
func (s *Service) Copy(ctx context.Context, in *ec2wire.CopyImageRequest) (*ec2wire.CopyImageResult, error) {
	from := shape.Get(in.SourceRegion)
	switch {
	case from == "":
		return nil, slipway.Missing("SourceRegion")
	case !slipway.KnownRegion(from):
		return nil, slipway.Invalid(from, "sourceRegion", "There is no such region.")
	case shape.Get(in.SourceImageId) == "":
		return nil, slipway.Missing("SourceImageId")
	case shape.Get(in.DestinationOutpostArn) != "":
		return nil, slipway.Refused("DestinationOutpostArn", "there are no Outposts here.")
	case shape.Get(in.DestinationAvailabilityZone) != "" || shape.Get(in.DestinationAvailabilityZoneId) != "":
		return nil, slipway.Refused("DestinationAvailabilityZone", "there are no Local Zones here.")
	case in.SnapshotCopyCompletionDurationMinutes != nil:
		return nil, slipway.Refused("SnapshotCopyCompletionDurationMinutes", "a copy here takes as long as it takes.")
	}
	if err := shape.CheckKey(in.KmsKeyId, in.Encrypted); err != nil {
		return nil, err
	}
	id, err := slipway.ParseImageID(*in.SourceImageId)
	if err != nil {
		return nil, err
	}
	if err := checkName(shape.Get(in.Name)); err != nil {
		return nil, err
	}
	tags, err := shape.TagsAtLaunch(in.TagSpecifications, "image", "snapshot")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	token := state.OnceOf(scope, "CopyImage", in)
	out := &ec2wire.CopyImageResult{}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := token.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			out.ImageId = &before.Result
			return nil
		}
		im, err := s.copied(tx, scope, from, id, in, tags)
		if err != nil {
			return err
		}
		out.ImageId = shape.Text(im.ID)
		if err := put(tx, im); err != nil {
			return err
		}
		return token.Keep(tx, string(im.ID), s.now())
	})
	return out, err
}

// copied is the new image; the copies of its snapshots begin.
func (s *Service) copied(
	tx store.Tx, scope state.Scope, from string, id slipway.ImageID, in *ec2wire.CopyImageRequest, tags map[string]slipway.Tags,
) (*slipway.Image, error) {
	src := state.FindImage(tx, from, string(id))
	switch {
	case src == nil || !src.LaunchableFrom(scope.Account):
		return nil, state.Images.Absent(string(id))
	case src.State != slipway.ImageStateAvailable || src.Disabled:
		return nil, slipway.Errorf(slipway.InvalidAMIIDUnavailable, "The image ID '%s' is no longer available", id)
	}
	im := *src
	im.ID, im.Owner, im.Region, im.Name, im.Location = slipway.NewImageID(), scope.Account, scope.Region, *in.Name,
		scope.Account+"/"+*in.Name
	im.State, im.Created, im.CopyOf, im.CopyFrom = slipway.ImageStatePending, s.now(), src.ID, from
	im.Public, im.LaunchableBy, im.TagsOf, im.Source, im.Devices = false, nil, nil, "", nil
	im.Protected, im.Cooldown, im.ProtectedUntil, im.Deprecated = false, false, time.Time{}, time.Time{}
	if in.Description != nil {
		im.Description = *in.Description
	}
	own := slipway.Tags{}
	if shape.Get(in.CopyImageTags) {
		maps.Copy(own, src.TagsFor(scope.Account))
		maps.DeleteFunc(own, func(k, _ string) bool { return strings.HasPrefix(k, "aws:") })
	}
	var err error
	if im.Tags, err = own.With(tags["image"]); err != nil {
		return nil, err
	}
	for _, m := range src.Devices {
		if m.Snapshot != "" {
			n := state.FindSnapshot(tx, from, string(m.Snapshot))
			switch {
			case n == nil:
				return nil, state.Snapshots.Absent(string(m.Snapshot))
			case n.Encrypted && n.Account != scope.Account && n.Account != slipway.SystemAccount:
				return nil, slipway.Errorf(slipway.InvalidParameterValue,
					"The snapshot '%s' of the image is encrypted with a key that is its account's alone.", n.ID)
			}
			c, err := snapshots.Copy{
				Source: n, Account: scope.Account, Region: scope.Region, Encrypted: in.Encrypted,
				Key: shape.Get(in.KmsKeyId), Tags: maps.Clone(tags["snapshot"]),
				Description: fmt.Sprintf("Copied for DestinationAmi %s from SourceAmi %s for SourceSnapshot %s", im.ID,
					src.ID, n.ID),
			}.Begin(tx, s.now())
			if err != nil {
				return nil, err
			}
			m.Snapshot, m.Encrypted, m.Key = c.ID, &c.Encrypted, c.Key
		}
		im.Devices = append(im.Devices, m)
	}
	return &im, nil
}

// Deregister answers DeregisterImage. Instances run on: what they boot with is theirs.
func (s *Service) Deregister(ctx context.Context, in *ec2wire.DeregisterImageRequest) (*ec2wire.DeregisterImageResult, error) {
	id, err := named(in.ImageId)
	if err != nil {
		return nil, err
	}
	where := state.Shared(state.Of(ctx).Region)
	out := &ec2wire.DeregisterImageResult{Return: shape.Of(true)}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		out.DeleteSnapshotResults = nil
		im, err := own(ctx, tx, id)
		if err != nil {
			return err
		}
		if im.Protected || im.ProtectedUntil.After(s.now()) {
			return slipway.Errorf(slipway.OperationNotPermitted, "The image '%s' is protected from deregistration.", id)
		}
		state.Images.Delete(tx, where, string(id))
		err = state.Tokens.Put(tx, &state.Token{Scope: where, ID: goneKey(string(id)), Result: im.Owner, Created: s.now()})
		if err != nil {
			return err
		}
		if !shape.Get(in.DeleteAssociatedSnapshots) {
			return nil
		}
		for _, m := range im.Devices {
			if m.Snapshot == "" {
				continue
			}
			code, err := s.discard(ctx, tx, m.Snapshot, id)
			if err != nil {
				return err
			}
			out.DeleteSnapshotResults = append(out.DeleteSnapshotResults,
				ec2wire.DeleteSnapshotReturnCode{SnapshotId: shape.Text(m.Snapshot), ReturnCode: &code})
		}
		return nil
	})
	return out, err
}

// goneKey is where it is kept, among the tokens and swept with them, that an image was deregistered and by which account.
func goneKey(id string) string { return "deregistered/" + id }

// shownFor is how long the id of a deregistered image finds nothing, before it is one that does not exist.
const shownFor = time.Hour

func (s *Service) deregistered(r store.Reader, own state.Scope, id string) bool {
	t := state.Tokens.See(r, state.Shared(own.Region), goneKey(id))
	return t != nil && t.Result == own.Account && s.now().Sub(t.Created) <= shownFor
}

// discard deletes a snapshot with its image, unless it is somebody else's or another image needs it.
func (s *Service) discard(
	ctx context.Context, tx store.Tx, id slipway.SnapshotID, image slipway.ImageID,
) (code string, err error) {
	if _, err := snapshots.Own(ctx, tx, id); err != nil {
		return "skipped", nil
	}
	err = state.Snapshots.Edit(tx, state.Shared(state.Of(ctx).Region), string(id), func(n *slipway.Snapshot) error {
		return snapshots.Remove(tx, n, image)
	})
	if slipway.CodeOf(err) == slipway.InvalidSnapshotInUse {
		return "skipped", nil
	}
	return "success", err
}
