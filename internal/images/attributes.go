package images

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

const permission = "launchPermission"

// Attribute answers DescribeImageAttribute, to the image's owner.
func (s *Service) Attribute(ctx context.Context, in *ec2wire.DescribeImageAttributeRequest) (*ec2wire.ImageAttribute, error) {
	id, err := named(in.ImageId)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	im, err := own(ctx, r, id)
	if err != nil {
		return nil, err
	}
	value := func(v string) *ec2wire.AttributeValue { return &ec2wire.AttributeValue{Value: shape.Text(v)} }
	out := &ec2wire.ImageAttribute{ImageId: shape.Text(id)}
	switch a := shape.Get(in.Attribute); a {
	case "":
		return nil, slipway.Missing("Attribute")
	case "description":
		out.Description = value(im.Description)
	case permission:
		out.LaunchPermissions = []ec2wire.LaunchPermission{}
		if im.Public {
			out.LaunchPermissions = append(out.LaunchPermissions, ec2wire.LaunchPermission{Group: shape.Of("all")})
		}
		for _, u := range im.LaunchableBy {
			out.LaunchPermissions = append(out.LaunchPermissions, ec2wire.LaunchPermission{UserId: &u})
		}
	case "productCodes":
		out.ProductCodes = []ec2wire.ProductCode{}
		for _, c := range im.ProductCodes {
			out.ProductCodes = append(out.ProductCodes,
				ec2wire.ProductCode{ProductCodeId: &c, ProductCodeType: shape.Of("marketplace")})
		}
	case "blockDeviceMapping":
		out.BlockDeviceMappings = shape.Devices(im.Devices)
	case "bootMode":
		out.BootMode = value(im.BootMode)
	case "imdsSupport":
		out.ImdsSupport = value(im.IMDSSupport)
	case "sriovNetSupport":
		out.SriovNetSupport = value(im.SRIOV)
	case "deregistrationProtection":
		out.DeregistrationProtection = value(protection(im))
	case "kernel":
		out.KernelId = value("")
	case "ramdisk":
		out.RamdiskId = value("")
	case "tpmSupport":
		out.TpmSupport = value("")
	case "uefiData":
		out.UefiData = value("")
	case "lastLaunchedTime":
		return nil, slipway.Refused("Attribute", "when an image was launched last is not kept.")
	default:
		return nil, slipway.Invalid(a, "attribute", "It is no attribute of an image.")
	}
	return out, nil
}

// change is what a ModifyImageAttribute asks for.
type change struct {
	description *string
	imds        string
	codes       []string
	add, remove shape.Grants
}

// Modify answers ModifyImageAttribute, in its present form and in the one before it.
func (s *Service) Modify(ctx context.Context, in *ec2wire.ModifyImageAttributeRequest) error {
	if _, err := named(in.ImageId); err != nil {
		return err
	}
	c, err := readChange(in)
	if err != nil {
		return err
	}
	region := state.Of(ctx)
	return s.edit(ctx, in.ImageId, func(tx store.Tx, im *slipway.Image) error {
		if c.description != nil {
			im.Description = *c.description
		}
		if c.imds != "" {
			im.IMDSSupport = c.imds
		}
		for _, code := range c.codes {
			if !slices.Contains(im.ProductCodes, code) {
				im.ProductCodes = append(im.ProductCodes, code)
			}
		}
		if c.add.Empty() && c.remove.Empty() {
			return nil
		}
		if im.Disabled {
			return slipway.Errorf(slipway.IncorrectState, "The image '%s' is disabled: it cannot be shared.", im.ID)
		}
		if slices.Contains(c.add.Groups, "all") {
			if err := mayBePublic(tx, region, im); err != nil {
				return err
			}
		}
		im.LaunchableBy, im.Public = c.add.Grant(c.remove, im.LaunchableBy, im.Public)
		return nil
	})
}

// readChange takes the one attribute that a request may name.
func readChange(in *ec2wire.ModifyImageAttributeRequest) (change, error) {
	var c change
	var given []string
	attribute := shape.Get(in.Attribute)
	if in.Description != nil && in.Description.Value != nil {
		c.description, given = in.Description.Value, append(given, "description")
	}
	if v := in.ImdsSupport; v != nil && shape.Get(v.Value) != "" {
		c.imds, given = *v.Value, append(given, "imdsSupport")
	}
	if in.Value != nil && attribute == "description" {
		c.description, given = in.Value, append(given, "description")
	}
	if in.Value != nil && attribute == "imdsSupport" {
		c.imds, given = *in.Value, append(given, "imdsSupport")
	}
	if c.codes = slices.DeleteFunc(slices.Clone(in.ProductCodes), func(s string) bool { return s == "" }); len(c.codes) > 0 {
		given = append(given, "productCodes")
	}
	if p := in.LaunchPermission; p != nil {
		for _, list := range [][]ec2wire.LaunchPermission{p.Add, p.Remove} {
			for _, g := range list {
				if shape.Get(g.OrganizationArn)+shape.Get(g.OrganizationalUnitArn) != "" {
					return c, slipway.Refused("LaunchPermission.OrganizationArn", "there are no organizations here.")
				}
			}
		}
		for _, g := range p.Add {
			c.add.Take(g.UserId, g.Group)
		}
		for _, g := range p.Remove {
			c.remove.Take(g.UserId, g.Group)
		}
	}
	if len(in.OrganizationArns)+len(in.OrganizationalUnitArns) > 0 {
		return c, slipway.Refused("OrganizationArn", "there are no organizations here.")
	}
	if attribute != "productCodes" { // there it only says add
		if err := shape.OldGrants(in.OperationType, in.UserIds, in.UserGroups, &c.add, &c.remove); err != nil {
			return c, err
		}
	} else if op := shape.Get(in.OperationType); op != "" && op != "add" {
		return c, slipway.Invalid(op, "operationType", "Product codes can only be added.")
	}
	if !c.add.Empty() || !c.remove.Empty() {
		given = append(given, permission)
	}
	switch {
	case len(given) == 0 && attribute == "":
		return c, slipway.Missing("Attribute")
	case len(given) == 0:
		return c, slipway.Errorf(slipway.InvalidParameterCombination,
			"The request must contain a value for the attribute %s.", attribute)
	case len(given) > 1:
		return c, slipway.Errorf(slipway.InvalidParameterCombination,
			"Only one attribute may be modified in one call; there are %v.", given)
	case attribute != "" && attribute != given[0]:
		return c, slipway.Errorf(slipway.InvalidParameterCombination,
			"The attribute %s was named, and a value for %s was given.", attribute, given[0])
	case c.imds != "" && c.imds != "v2.0":
		return c, slipway.Invalid(c.imds, "imdsSupport", "It must be v2.0.")
	}
	return c, grantees(c.add, c.remove)
}

// grantees refuses who is neither an account nor everybody.
func grantees(all ...shape.Grants) error {
	bad := func(value, kind string) error {
		return slipway.Errorf(slipway.InvalidAMIAttributeItemValue,
			"Invalid attribute item value \"%s\" for %s item type.", value, kind)
	}
	for _, g := range all {
		for _, u := range g.Users {
			if !shape.AccountForm(u) {
				return bad(u, "userId")
			}
		}
		for _, name := range g.Groups {
			if name != "all" {
				return bad(name, "group")
			}
		}
	}
	return nil
}

// mayBePublic refuses what would be of no use to others, and what the account has barred itself from.
func mayBePublic(tx store.Tx, scope state.Scope, im *slipway.Image) error {
	if r := state.Regions.See(tx, scope, "-"); r != nil && r.Settings.BlockPublicAMIs {
		return slipway.Errorf(slipway.OperationNotPermitted,
			"You can't publicly share this image because block public access for AMIs is enabled for this account "+
				"in this region.")
	}
	if slices.ContainsFunc(im.Devices, func(m slipway.Mapping) bool { return m.Encrypted != nil && *m.Encrypted }) {
		return slipway.Errorf(slipway.OperationNotPermitted,
			"The image '%s' has encrypted snapshots: it cannot be public.", im.ID)
	}
	return nil
}

// Reset answers ResetImageAttribute: only the owner may launch the image.
func (s *Service) Reset(ctx context.Context, in *ec2wire.ResetImageAttributeRequest) error {
	switch a := shape.Get(in.Attribute); a {
	case permission:
	case "":
		return slipway.Missing("Attribute")
	default:
		return slipway.Invalid(a, "attribute", "Only launchPermission can be reset.")
	}
	return s.edit(ctx, in.ImageId, func(_ store.Tx, im *slipway.Image) error {
		im.LaunchableBy, im.Public = nil, false
		return nil
	})
}
