package images

import (
	"cmp"
	"context"
	"maps"
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

func alias(im *slipway.Image) string {
	if im.Owner == slipway.SystemAccount {
		return "amazon"
	}
	return ""
}

func devices(get func(slipway.Mapping) string) func(*slipway.Image) []string {
	return func(im *slipway.Image) []string {
		var out []string
		for _, m := range im.Devices {
			out = append(out, get(m))
		}
		return out
	}
}

func fields(r store.Reader) filters.Fields[*slipway.Image] {
	f := filters.None[*slipway.Image](absent...)
	maps.Copy(f, recorded)
	f["public-ssm-parameter-name"] = func(im *slipway.Image) []string {
		return slices.DeleteFunc(state.ImageAliases(), func(alias string) bool {
			named := state.AliasedImage(r, im.Region, alias)
			return named == nil || named.ID != im.ID
		})
	}
	return f
}

// absent are the documented filters about what no image here has.
var absent = []string{
	"image-watermark.source-image-creation-time", "image-watermark.source-image-id",
	"image-watermark.source-image-region", "image-watermark.watermark-creation-time", "image-watermark.watermark-key",
	"instance-type-specification.supported-instance-type", "instance-type-specification.unsupported-instance-type",
	"kernel-id", "platform", "ramdisk-id", "scan-result.critical-fix-available-since", "scan-result.finding-scan-date",
	"scan-result.high-fix-available-since", "scan-result.highest-finding-severity-label",
	"scan-result.informational-fix-available-since", "scan-result.low-fix-available-since",
	"scan-result.medium-fix-available-since",
}

var recorded = filters.Fields[*slipway.Image]{
	"architecture":        func(im *slipway.Image) []string { return shape.One(im.Architecture) },
	"image-id":            func(im *slipway.Image) []string { return shape.One(im.ID) },
	"name":                func(im *slipway.Image) []string { return shape.One(im.Name) },
	"description":         func(im *slipway.Image) []string { return []string{im.Description} },
	"state":               func(im *slipway.Image) []string { return shape.One(shown(im)) },
	"owner-id":            func(im *slipway.Image) []string { return shape.One(im.Owner) },
	"owner-alias":         func(im *slipway.Image) []string { return shape.One(alias(im)) },
	"is-public":           func(im *slipway.Image) []string { return shape.Yes(im.Public) },
	"image-type":          func(*slipway.Image) []string { return []string{"machine"} },
	"hypervisor":          func(*slipway.Image) []string { return []string{"xen"} },
	"virtualization-type": func(im *slipway.Image) []string { return shape.One(im.Virtualization) },
	"root-device-type":    func(*slipway.Image) []string { return []string{"ebs"} },
	"root-device-name":    func(im *slipway.Image) []string { return shape.One(im.RootDevice) },
	"ena-support":         func(im *slipway.Image) []string { return shape.Yes(im.ENA) },
	"creation-date": func(im *slipway.Image) []string {
		return []string{im.Created.UTC().Format(ec2query.TimeForm)}
	},
	"boot-mode":    func(im *slipway.Image) []string { return shape.One(im.BootMode) },
	"imds-support": func(im *slipway.Image) []string { return shape.One(im.IMDSSupport) },
	"product-code": func(im *slipway.Image) []string { return im.ProductCodes },
	"product-code.type": func(im *slipway.Image) []string {
		if len(im.ProductCodes) == 0 {
			return nil
		}
		return []string{"marketplace"}
	},
	"manifest-location":                func(im *slipway.Image) []string { return shape.One(im.Location) },
	"sriov-net-support":                func(im *slipway.Image) []string { return shape.One(im.SRIOV) },
	"state-reason-code":                func(im *slipway.Image) []string { return shape.One(im.Reason.Code) },
	"state-reason-message":             func(im *slipway.Image) []string { return shape.One(im.Reason.Message) },
	"source-image-id":                  func(im *slipway.Image) []string { return shape.One(im.CopyOf) },
	"source-image-region":              func(im *slipway.Image) []string { return shape.One(im.CopyFrom) },
	"image-allowed":                    func(*slipway.Image) []string { return shape.Yes(true) },
	"free-tier-eligible":               func(*slipway.Image) []string { return shape.Yes(true) },
	"source-instance-id":               func(im *slipway.Image) []string { return shape.One(im.Source) },
	"block-device-mapping.device-name": devices(func(m slipway.Mapping) string { return m.Device }),
	"block-device-mapping.snapshot-id": devices(func(m slipway.Mapping) string { return string(m.Snapshot) }),
	"block-device-mapping.volume-size": devices(func(m slipway.Mapping) string { return strconv.Itoa(int(m.SizeGiB)) }),
	"block-device-mapping.volume-type": devices(func(m slipway.Mapping) string { return m.Type }),
	"block-device-mapping.delete-on-termination": devices(func(m slipway.Mapping) string {
		return strconv.FormatBool(m.DeleteOnTermination == nil || *m.DeleteOnTermination)
	}),
	"block-device-mapping.encrypted": devices(func(m slipway.Mapping) string {
		return strconv.FormatBool(m.Encrypted != nil && *m.Encrypted)
	}),
}

// shown is an image's state as callers see it.
func shown(im *slipway.Image) string {
	if im.Disabled {
		return "disabled"
	}
	return string(im.State)
}

// protection is what an image says about its deregistration.
func protection(im *slipway.Image) string {
	switch {
	case im.Protected && im.Cooldown:
		return "enabled-with-cooldown"
	case im.Protected:
		return "enabled-without-cooldown"
	}
	return "disabled"
}

// Wire writes an image as an account sees it.
func Wire(im *slipway.Image, account string) ec2wire.Image {
	w := ec2wire.Image{
		ImageId: shape.Text(im.ID), ImageLocation: &im.Location, State: shape.Of(shown(im)), OwnerId: &im.Owner,
		Public: &im.Public, Architecture: &im.Architecture, ImageType: shape.Of("machine"),
		Name: &im.Name, Description: shape.Text(im.Description), ImageOwnerAlias: shape.Text(alias(im)),
		RootDeviceType: shape.Of("ebs"), RootDeviceName: &im.RootDevice,
		VirtualizationType: &im.Virtualization, Hypervisor: shape.Of("xen"),
		CreationDate: shape.Of(im.Created.UTC().Format(ec2query.TimeForm)), EnaSupport: &im.ENA,
		SriovNetSupport: shape.Text(im.SRIOV), BootMode: shape.Text(im.BootMode), TpmSupport: shape.Text(im.TPMSupport),
		ImdsSupport:     shape.Text(im.IMDSSupport),
		PlatformDetails: shape.Of("Linux/UNIX"), UsageOperation: shape.Of("RunInstances"),
		Tags: shape.Tags(im.TagsFor(account)), BlockDeviceMappings: shape.Devices(im.Devices),
		SourceInstanceId: shape.Text(im.Source), SourceImageId: shape.Text(im.CopyOf),
		SourceImageRegion: shape.Text(im.CopyFrom), DeregistrationProtection: shape.Of(protection(im)),
	}
	if !im.Deprecated.IsZero() {
		w.DeprecationTime = shape.Of(im.Deprecated.UTC().Format(ec2query.TimeForm))
	}
	if im.Reason.Code != "" {
		w.StateReason = &ec2wire.StateReason{Code: &im.Reason.Code, Message: &im.Reason.Message}
	}
	for _, c := range im.ProductCodes {
		w.ProductCodes = append(w.ProductCodes,
			ec2wire.ProductCode{ProductCodeId: shape.Of(c), ProductCodeType: shape.Of("marketplace")})
	}
	return w
}

// Describe answers DescribeImages: what the caller may launch, narrowed by owners and by who may execute.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeImagesRequest) (*ec2wire.DescribeImagesResult, error) {
	err := cmp.Or(shape.CheckUsers(in.Owners, "self", "amazon", "aws-marketplace", "aws-backup-vault", "microsoft"),
		shape.CheckUsers(in.ExecutableUsers, "self", "all"))
	if err != nil {
		return nil, err
	}
	me := state.Of(ctx).Account
	owns := func(own state.Scope, im *slipway.Image) bool {
		return slices.ContainsFunc(in.Owners, func(o string) bool {
			return o == im.Owner || o == "self" && im.Owner == own.Account || o != "" && o == alias(im)
		})
	}
	executable := func(own state.Scope, im *slipway.Image) bool {
		return slices.ContainsFunc(in.ExecutableUsers, func(u string) bool {
			return u == "all" && im.Public || u == "self" && slices.Contains(im.LaunchableBy, own.Account) ||
				slices.Contains(im.LaunchableBy, u)
		})
	}
	kind := describe.Kind[slipway.Image, ec2wire.Image]{
		Table: state.Images, Parse: describe.Form(slipway.ParseImageID), Fields: fields,
		Tags:   func(im *slipway.Image) slipway.Tags { return im.TagsFor(me) },
		Wire:   func(_ store.Reader, im *slipway.Image) ec2wire.Image { return Wire(im, me) },
		Gone:   s.deregistered,
		Scopes: func(own state.Scope) []state.Scope { return []state.Scope{state.Global, state.Shared(own.Region)} },
		See: func(own state.Scope, im *slipway.Image, named bool) bool {
			hidden := !im.Deprecated.IsZero() && im.Deprecated.Before(s.now()) && im.Owner != own.Account &&
				!shape.Get(in.IncludeDeprecated) && !named
			hidden = hidden || im.Disabled && (im.Owner != own.Account || !shape.Get(in.IncludeDisabled) && !named)
			return im.LaunchableFrom(own.Account) && !hidden && (len(in.Owners) == 0 || owns(own, im)) &&
				(len(in.ExecutableUsers) == 0 || executable(own, im))
		},
	}
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.ImageIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeImagesResult{Images: page, NextToken: next}, err
}
