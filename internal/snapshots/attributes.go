package snapshots

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

const permission = "createVolumePermission"

// Attribute answers DescribeSnapshotAttribute.
func (s *Service) Attribute(
	ctx context.Context, in *ec2wire.DescribeSnapshotAttributeRequest,
) (*ec2wire.DescribeSnapshotAttributeResult, error) {
	id, err := named(in.SnapshotId)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	n, err := Own(ctx, r, id)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribeSnapshotAttributeResult{SnapshotId: shape.Text(id)}
	switch a := shape.Get(in.Attribute); a {
	case "":
		return nil, slipway.Missing("Attribute")
	case permission:
		out.CreateVolumePermissions = []ec2wire.CreateVolumePermission{}
		if n.Public || n.PublicBarred {
			out.CreateVolumePermissions = append(out.CreateVolumePermissions,
				ec2wire.CreateVolumePermission{Group: shape.Of("all")})
		}
		for _, a := range n.SharedWith {
			out.CreateVolumePermissions = append(out.CreateVolumePermissions, ec2wire.CreateVolumePermission{UserId: &a})
		}
	case "productCodes":
		out.ProductCodes = []ec2wire.ProductCode{}
	default:
		return nil, slipway.Invalid(a, "attribute", "It must be createVolumePermission or productCodes.")
	}
	return out, nil
}

// Modify answers ModifySnapshotAttribute, in its present form and in the one before it.
func (s *Service) Modify(ctx context.Context, in *ec2wire.ModifySnapshotAttributeRequest) error {
	id, err := named(in.SnapshotId)
	if err != nil {
		return err
	}
	if a := shape.Get(in.Attribute); a != "" && a != permission {
		return slipway.Invalid(a, "attribute", "Only createVolumePermission can be modified.")
	}
	var add, remove shape.Grants
	if p := in.CreateVolumePermission; p != nil {
		for _, g := range p.Add {
			add.Take(g.UserId, g.Group)
		}
		for _, g := range p.Remove {
			remove.Take(g.UserId, g.Group)
		}
	}
	if err := shape.OldGrants(in.OperationType, in.UserIds, in.GroupNames, &add, &remove); err != nil {
		return err
	}
	if add.Empty() && remove.Empty() {
		return slipway.Missing("CreateVolumePermission")
	}
	for _, u := range append(slices.Clone(add.Users), remove.Users...) {
		if !shape.AccountForm(u) {
			return slipway.Invalid(u, "userId", "It must be an account of 12 digits.")
		}
	}
	if err := errorsOf(add, remove); err != nil {
		return err
	}
	return s.edit(ctx, id, func(tx store.Tx, n *slipway.Snapshot) error {
		if n.Encrypted && !add.Empty() {
			return slipway.Errorf(slipway.OperationNotPermitted,
				"The snapshot '%s' is encrypted with a key that is its account's alone: it cannot be shared.", id)
		}
		barred := n.PublicBarred
		n.SharedWith, n.Public = add.Grant(remove, n.SharedWith, n.Public || barred)
		n.PublicBarred = barred && n.Public
		n.Public = n.Public && !barred
		if r := state.Regions.See(tx, state.Scope{Account: n.Account, Region: n.Region}, "-"); len(add.Groups) > 0 &&
			r != nil && r.Settings.BlockPublicSnapshots != "" {
			return slipway.Errorf(slipway.OperationNotPermitted, publicBlocked)
		}
		return nil
	})
}

func errorsOf(all ...shape.Grants) error {
	for _, g := range all {
		for _, name := range g.Groups {
			if name != "all" {
				return slipway.Invalid(name, "group", "The only group is all.")
			}
		}
	}
	return nil
}

// Reset answers ResetSnapshotAttribute: only the owner may use it.
func (s *Service) Reset(ctx context.Context, in *ec2wire.ResetSnapshotAttributeRequest) error {
	id, err := named(in.SnapshotId)
	if err != nil {
		return err
	}
	switch a := shape.Get(in.Attribute); a {
	case permission:
	case "":
		return slipway.Missing("Attribute")
	default:
		return slipway.Invalid(a, "attribute", "Only createVolumePermission can be reset.")
	}
	return s.edit(ctx, id, func(_ store.Tx, n *slipway.Snapshot) error { n.SharedWith, n.Public = nil, false; return nil })
}
