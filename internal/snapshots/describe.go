package snapshots

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// noVolume is what EC2 shows as the volume of a snapshot that was not made of one here: a copy, for instance.
const noVolume slipway.VolumeID = "vol-ffffffff"

func volumeOf(n *slipway.Snapshot) slipway.VolumeID {
	if n.Volume == "" {
		return noVolume
	}
	return n.Volume
}

func alias(n *slipway.Snapshot) string {
	if n.Account == slipway.SystemAccount {
		return "amazon"
	}
	return ""
}

func progress(n *slipway.Snapshot) string { return strconv.Itoa(int(n.Progress)) + "%" }

var fields = filters.Fields[*slipway.Snapshot]{
	"description":   func(n *slipway.Snapshot) []string { return []string{n.Description} },
	"encrypted":     func(n *slipway.Snapshot) []string { return shape.Yes(n.Encrypted) },
	"owner-alias":   func(n *slipway.Snapshot) []string { return shape.One(alias(n)) },
	"owner-id":      func(n *slipway.Snapshot) []string { return shape.One(n.Account) },
	"progress":      func(n *slipway.Snapshot) []string { return []string{progress(n)} },
	"snapshot-id":   func(n *slipway.Snapshot) []string { return shape.One(n.ID) },
	"start-time":    func(n *slipway.Snapshot) []string { return []string{n.Start.UTC().Format(ec2query.TimeForm)} },
	"status":        func(n *slipway.Snapshot) []string { return shape.One(n.State) },
	"storage-tier":  func(*slipway.Snapshot) []string { return []string{"standard"} },
	"transfer-type": func(*slipway.Snapshot) []string { return nil },
	"volume-id":     func(n *slipway.Snapshot) []string { return shape.One(volumeOf(n)) },
	"volume-size":   func(n *slipway.Snapshot) []string { return []string{strconv.Itoa(int(n.SizeGiB))} },
}

// wire writes a snapshot as an account sees it.
func wire(n *slipway.Snapshot, account string) ec2wire.Snapshot {
	return ec2wire.Snapshot{
		SnapshotId: shape.Text(n.ID), VolumeId: shape.Text(volumeOf(n)), State: shape.Text(n.State),
		StateMessage: shape.Text(n.Message), StartTime: &n.Start, Progress: shape.Of(progress(n)),
		OwnerId: &n.Account, OwnerAlias: shape.Text(alias(n)), Description: &n.Description, VolumeSize: &n.SizeGiB,
		Encrypted: &n.Encrypted, KmsKeyId: shape.Key(n.Encrypted, n.Key, n.Account, n.Region),
		Tags: shape.Tags(n.TagsFor(account)), StorageTier: shape.Of("standard"), CompletionTime: shape.Time(n.Completed),
	}
}

// info is wire for the shape that CreateSnapshots has of its own.
func info(n *slipway.Snapshot) ec2wire.SnapshotInfo {
	return ec2wire.SnapshotInfo{
		SnapshotId: shape.Text(n.ID), VolumeId: shape.Text(n.Volume), State: shape.Text(n.State), StartTime: &n.Start,
		Progress: shape.Of(progress(n)), OwnerId: &n.Account,
		Description: &n.Description, VolumeSize: &n.SizeGiB, Encrypted: &n.Encrypted, Tags: shape.Tags(n.Tags),
	}
}

// Describe answers DescribeSnapshots: what the caller may use, narrowed by owners and by who else may.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeSnapshotsRequest,
) (*ec2wire.DescribeSnapshotsResult, error) {
	err := cmp.Or(shape.CheckUsers(in.OwnerIds, "self", "amazon"), shape.CheckUsers(in.RestorableByUserIds, "self", "all"))
	if err != nil {
		return nil, err
	}
	me := state.Of(ctx).Account
	owned := func(n *slipway.Snapshot) bool {
		return len(in.OwnerIds) == 0 || slices.ContainsFunc(in.OwnerIds, func(o string) bool {
			return o == n.Account || o == "self" && n.Account == me || o != "" && o == alias(n)
		})
	}
	restorable := func(n *slipway.Snapshot) bool {
		return len(in.RestorableByUserIds) == 0 || slices.ContainsFunc(in.RestorableByUserIds, func(u string) bool {
			if u == "self" {
				u = me
			}
			return u == "all" && n.Public || u == n.Account || slices.Contains(n.SharedWith, u)
		})
	}
	kind := describe.Kind[slipway.Snapshot, ec2wire.Snapshot]{
		Table: state.Snapshots, Parse: describe.Form(slipway.ParseSnapshotID), Fields: describe.Fixed(fields),
		Tags:   func(n *slipway.Snapshot) slipway.Tags { return n.TagsFor(me) },
		Wire:   func(_ store.Reader, n *slipway.Snapshot) ec2wire.Snapshot { return wire(n, me) },
		Scopes: func(own state.Scope) []state.Scope { return []state.Scope{state.Global, state.Shared(own.Region)} },
		See: func(_ state.Scope, n *slipway.Snapshot, _ bool) bool {
			return n.State != slipway.SnapshotStateDeleting && n.UsableBy(me) && owned(n) && restorable(n)
		},
	}
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.SnapshotIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeSnapshotsResult{Snapshots: page, NextToken: next}, err
}
