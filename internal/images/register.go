package images

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// refused are the members of RegisterImage that slipway does not have.
func refused(in *ec2wire.RegisterImageRequest) error {
	switch {
	case shape.Get(in.ImageLocation) != "":
		return slipway.Refused("ImageLocation",
			"there are no images backed by an instance store here. ImportImage brings a disk image in, and so does "+
				"`slipway image import`.")
	case shape.Get(in.KernelId) != "":
		return slipway.Refused("KernelId", "an image here boots by its disk's own loader, or as its snapshot's instance did.")
	case shape.Get(in.RamdiskId) != "":
		return slipway.Refused("RamdiskId", "an image here boots by its disk's own loader, or as its snapshot's instance did.")
	case shape.Get(in.TpmSupport) != "":
		return slipway.Refused("TpmSupport", "instances here have no TPM.")
	case shape.Get(in.UefiData) != "":
		return slipway.Refused("UefiData", "firmware variables cannot be given here.")
	case len(in.BillingProducts) > 0:
		return slipway.Refused("BillingProduct", "nothing is billed here.")
	case shape.Get(in.VirtualizationType) != "" && *in.VirtualizationType != "hvm":
		return slipway.Refused("VirtualizationType", "instances here are hvm.")
	case shape.Get(in.Architecture) != "" && *in.Architecture != "x86_64":
		return slipway.Refused("Architecture", "instances here are x86_64.")
	case shape.Get(in.SriovNetSupport) != "" && *in.SriovNetSupport != "simple":
		return slipway.Invalid(*in.SriovNetSupport, "sriovNetSupport", "It must be simple.")
	case shape.Get(in.ImdsSupport) != "" && *in.ImdsSupport != "v2.0":
		return slipway.Invalid(*in.ImdsSupport, "imdsSupport", "It must be v2.0.")
	case !slices.Contains([]string{"", "legacy-bios", "uefi", "uefi-preferred"}, shape.Get(in.BootMode)):
		return slipway.Invalid(*in.BootMode, "bootMode", "It must be legacy-bios, uefi or uefi-preferred.")
	}
	return nil
}

// Register answers RegisterImage: an image of snapshots. Where EC2 takes i386 and paravirtual for what is left out, which
// nothing here could run, this takes x86_64 and hvm.
func (s *Service) Register(ctx context.Context, in *ec2wire.RegisterImageRequest) (*ec2wire.RegisterImageResult, error) {
	if err := checkName(shape.Get(in.Name)); err != nil {
		return nil, err
	}
	if err := refused(in); err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "image")
	if err != nil {
		return nil, err
	}
	mappings, err := launchspec.Mappings(in.BlockDeviceMappings)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	root := shape.Get(in.RootDeviceName)
	if root == "" {
		root = "/dev/sda1"
	}
	at := slices.IndexFunc(mappings, func(m slipway.Mapping) bool { return m.Device == root })
	if at < 0 || mappings[at].Snapshot == "" {
		return nil, slipway.Errorf(slipway.InvalidBlockDeviceMapping, "The root device %s must be mapped to a snapshot.", root)
	}
	im := &slipway.Image{
		ID: slipway.NewImageID(), Owner: scope.Account, Region: scope.Region, Name: *in.Name,
		Description: shape.Get(in.Description), Location: scope.Account + "/" + *in.Name, State: slipway.ImageStateAvailable,
		Created: s.now(), Tags: tags,
		ImageMachine: slipway.ImageMachine{
			Architecture: "x86_64", RootDevice: root, BootMode: shape.Get(in.BootMode),
			IMDSSupport: shape.Get(in.ImdsSupport), ENA: shape.Get(in.EnaSupport), SRIOV: shape.Get(in.SriovNetSupport),
			Virtualization: "hvm",
		},
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		im.Devices = nil
		for _, m := range mappings {
			if m.NoDevice {
				continue
			}
			d, err := fresh(tx, scope, m, m.Device == root)
			if err != nil {
				return err
			}
			im.Devices = append(im.Devices, d)
			if m.Device == root {
				im.Boot = state.FindSnapshot(tx, scope.Region, string(m.Snapshot)).Boot
			}
		}
		return put(tx, im)
	})
	return &ec2wire.RegisterImageResult{ImageId: shape.Text(im.ID)}, err
}
