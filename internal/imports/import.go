package imports

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/diskimage"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/volumes"
)

// refused are the members of ImportImage that slipway does not have, and values that nobody has.
func refused(in *ec2wire.ImportImageRequest) error {
	switch arch := shape.Get(in.Architecture); arch {
	case "", "x86_64":
	case "i386", "arm64":
		return slipway.Refused("Architecture", "instances here are x86_64.")
	default:
		return slipway.Invalid(arch, "architecture", "It must be x86_64.")
	}
	switch mode := shape.Get(in.BootMode); mode {
	case "", "legacy-bios", "uefi":
	case "uefi-preferred": // as in EC2
		return slipway.Refused("BootMode", "uefi-preferred cannot be imported: say legacy-bios or uefi.")
	default:
		return slipway.Invalid(mode, "bootMode", "It must be legacy-bios or uefi.")
	}
	switch platform := shape.Get(in.Platform); strings.ToLower(platform) {
	case "", "linux":
	case "windows":
		return slipway.Refused("Platform", "a disk is taken as it is, and Windows would need drivers put into it.")
	default:
		return slipway.Invalid(platform, "platform", "It must be Linux or Windows.")
	}
	switch license := shape.Get(in.LicenseType); license {
	case "", "BYOL":
	case "AWS":
		return slipway.Refused("LicenseType", "nothing is licensed here: say BYOL.")
	default:
		return slipway.Invalid(license, "licenseType", "It must be AWS or BYOL.")
	}
	switch {
	case len(in.LicenseSpecifications) > 0:
		return slipway.Refused("LicenseSpecifications", "there is no License Manager here.")
	case !slices.Contains([]string{"", "RunInstances"}, shape.Get(in.UsageOperation)):
		return slipway.Refused("UsageOperation", "nothing is billed or licensed here: say RunInstances.")
	case !slices.Contains([]string{"", "xen"}, shape.Get(in.Hypervisor)):
		return slipway.Invalid(*in.Hypervisor, "hypervisor", "It must be xen.")
	}
	return nil
}

// serviceRole is the role whose rights EC2 reads buckets with, unless another is named. Here the operator's key reads,
// so it need not be there; a role that is named, as EC2 has it, must.
const serviceRole = "vmimport"

func checkRole(tx store.Tx, account, name string) error {
	if name != "" && name != serviceRole && state.Roles.See(tx, state.IAM(account), name) == nil {
		return slipway.Errorf(slipway.InvalidParameter,
			"The service role %s provided does not exist or does not have sufficient permissions", name)
	}
	return nil
}

// Image answers ImportImage. ClientData is for EC2's own records, and shows nowhere there either.
func (s *Service) Image(ctx context.Context, in *ec2wire.ImportImageRequest) (*ec2wire.ImportImageResult, error) {
	if err := refused(in); err != nil {
		return nil, err
	}
	disks, err := s.disks(in.DiskContainers)
	if err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "import-image-task")
	if err != nil {
		return nil, err
	}
	encrypted, err := encryption(in.Encrypted, in.KmsKeyId)
	if err != nil {
		return nil, err
	}
	mode := cmp.Or(shape.Get(in.BootMode), "legacy-bios")
	t, err := s.begin(ctx,
		request{state.OnceOf(state.Of(ctx), "ImportImage", in), shape.Get(in.RoleName)},
		&slipway.ImportTask{
			ID: slipway.ImportTaskID(slipway.NewID(slipway.ImageImport)), Description: shape.Get(in.Description),
			Progress: firstImage, Disks: disks, Image: slipway.NewImageID(), BootMode: mode,
			Encrypted: encrypted, Key: shape.Get(in.KmsKeyId), Platform: shape.Get(in.Platform),
			Hypervisor: shape.Get(in.Hypervisor), LicenseType: shape.Get(in.LicenseType),
			UsageOperation: shape.Get(in.UsageOperation), Tags: tags,
		})
	if err != nil {
		return nil, err
	}
	w := wireImage(nil, t)
	return &ec2wire.ImportImageResult{
		Architecture: w.Architecture, Description: w.Description, Encrypted: w.Encrypted, Hypervisor: w.Hypervisor,
		ImageId: w.ImageId, ImportTaskId: w.ImportTaskId, KmsKeyId: w.KmsKeyId,
		LicenseType: w.LicenseType, Platform: w.Platform, Progress: w.Progress, SnapshotDetails: w.SnapshotDetails,
		Status: w.Status, StatusMessage: w.StatusMessage, Tags: w.Tags,
		UsageOperation: w.UsageOperation,
	}, nil
}

// Snapshot answers ImportSnapshot.
func (s *Service) Snapshot(ctx context.Context, in *ec2wire.ImportSnapshotRequest) (*ec2wire.ImportSnapshotResult, error) {
	c := in.DiskContainer
	if c == nil {
		return nil, slipway.Missing("DiskContainer")
	}
	d := slipway.ImportDisk{Description: shape.Get(c.Description), Source: source(c.Url, c.UserBucket)}
	if err := s.check(&d, c.Format, "DiskContainer"); err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "import-snapshot-task")
	if err != nil {
		return nil, err
	}
	encrypted, err := encryption(in.Encrypted, in.KmsKeyId)
	if err != nil {
		return nil, err
	}
	t, err := s.begin(ctx,
		request{state.OnceOf(state.Of(ctx), "ImportSnapshot", in), shape.Get(in.RoleName)}, &slipway.ImportTask{
			ID: slipway.ImportTaskID(slipway.NewID(slipway.SnapshotImport)), Description: shape.Get(in.Description),
			Progress: firstSnapshot, Disks: []slipway.ImportDisk{d},
			Encrypted: encrypted, Key: shape.Get(in.KmsKeyId), Tags: tags,
		})
	if err != nil {
		return nil, err
	}
	w := wireSnapshot(nil, t)
	return &ec2wire.ImportSnapshotResult{
		Description: w.Description, ImportTaskId: w.ImportTaskId, SnapshotTaskDetail: w.SnapshotTaskDetail, Tags: w.Tags,
	}, nil
}

func source(url *string, bucket *ec2wire.UserBucket) slipway.DiskSource {
	out := slipway.DiskSource{URL: shape.Get(url)}
	if bucket != nil {
		out.Bucket, out.Key = shape.Get(bucket.S3Bucket), shape.Get(bucket.S3Key)
	}
	return out
}

// check looks at where a disk comes from and in which format.
func (s *Service) check(d *slipway.ImportDisk, format *string, container string) error {
	bucket := d.Source.Bucket != "" || d.Source.Key != ""
	switch {
	case d.Source.URL == "" && !bucket && d.From == "":
		return slipway.Missing(container + ".Url")
	case bucket && d.Source.URL != "" || d.From != "" && (bucket || d.Source.URL != ""):
		return slipway.Errorf(slipway.InvalidParameterCombination,
			"A disk container may have one of Url, UserBucket and SnapshotId.")
	case bucket && d.Source.Bucket == "":
		return slipway.Missing(container + ".UserBucket.S3Bucket")
	case bucket && d.Source.Key == "":
		return slipway.Missing(container + ".UserBucket.S3Key")
	case d.From != "":
		return nil
	case shape.Get(format) == "":
		return slipway.Missing(container + ".Format")
	case strings.EqualFold(*format, "OVA"):
		return slipway.Refused(container+".Format", "an OVA is an archive: unpack it with tar, and import its disks (VMDK).")
	}
	f, ok := diskimage.ParseFormat(*format)
	if !ok {
		return slipway.Invalid(*format, "format", fmt.Sprintf("It must be one of %v.", diskimage.Formats()))
	}
	d.Format = string(f)
	return s.sources.Check(d.Source)
}

// Disks after the root that are given no name get /dev/sdf and on.
const firstDevice, lastDevice = 'f', 'z'

// disks are an image's, the root first.
func (s *Service) disks(in []ec2wire.ImageDiskContainer) ([]slipway.ImportDisk, error) {
	if len(in) == 0 {
		return nil, slipway.Missing("DiskContainer")
	}
	taken := map[string]bool{}
	for _, c := range in {
		name := shape.Get(c.DeviceName)
		switch {
		case name == "":
			continue
		case !slipway.ValidDevice(name):
			return nil, slipway.Invalid(name, "deviceName", "It must be like /dev/sda1 or /dev/sdf.")
		case taken[name]:
			return nil, slipway.Invalid(name, "deviceName", "Two disks have it.")
		}
		taken[name] = true
	}
	free := func(i int) string {
		if name := "/dev/sda1"; i == 0 && !taken[name] {
			return name
		}
		for letter := firstDevice; letter <= lastDevice; letter++ {
			if name := "/dev/sd" + string(letter); !taken[name] {
				return name
			}
		}
		return ""
	}
	var out []slipway.ImportDisk
	for i, c := range in {
		d := slipway.ImportDisk{
			Description: shape.Get(c.Description), Device: shape.Get(c.DeviceName), Source: source(c.Url, c.UserBucket),
		}
		if d.Device == "" {
			d.Device = free(i)
			taken[d.Device] = true
		}
		if d.Device == "" {
			return nil, slipway.Errorf(slipway.InvalidParameterValue,
				"There are more disks, %d, than an instance has names for.", len(in))
		}
		if shape.Get(c.SnapshotId) != "" {
			id, err := slipway.ParseSnapshotID(*c.SnapshotId)
			if err != nil {
				return nil, err
			}
			d.From = id
		}
		if err := s.check(&d, c.Format, fmt.Sprintf("DiskContainer.%d", i+1)); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// request is what begin needs to know of a call besides the task.
type request struct {
	once state.Once
	role string
}

// begin admits a task; a repeated request answers with the first one's.
func (s *Service) begin(ctx context.Context, q request, t *slipway.ImportTask) (*slipway.ImportTask, error) {
	scope := state.Of(ctx)
	t.Account, t.Region, t.State, t.Message, t.Created = scope.Account, scope.Region, slipway.ImportStateActive, pending, s.now()
	out := t
	err := s.db.Update(ctx, func(tx store.Tx) error {
		before, err := q.once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			out, err = state.ImportTasks.Get(tx, scope, before.Result)
			return err
		}
		if err := checkRole(tx, scope.Account, q.role); err != nil {
			return err
		}
		if err := s.prepare(tx, scope, t); err != nil {
			return err
		}
		out = t
		if err := state.ImportTasks.Put(tx, t); err != nil {
			return err
		}
		return q.once.Keep(tx, string(t.ID), s.now())
	})
	return out, err
}

// prepare chooses a task's host, and what its disks become.
func (s *Service) prepare(tx store.Tx, scope state.Scope, t *slipway.ImportTask) error {
	if r := state.Regions.See(tx, scope, "-"); r != nil && r.Settings.EncryptByDefault {
		t.Encrypted = true
	}
	t.Host = ""
	for i := range t.Disks {
		d := &t.Disks[i]
		d.Snapshot, d.Boot, d.Secret = slipway.NewSnapshotID(), slipway.Boot{UEFI: t.BootMode == "uefi"}, nil
		if d.From != "" {
			n, err := volumes.Source(tx, scope, string(d.From))
			if err != nil {
				return err
			}
			if n.Encrypted {
				t.Encrypted = true // a copy of what is encrypted is
			}
			if t.Host != "" && t.Host != n.Host {
				return slipway.Errorf(slipway.InsufficientVolumeCapacity, "The snapshots are on different hosts.")
			}
			if t.Host, d.SizeGiB = n.Host, n.SizeGiB; n.Boot.Kernel != "" {
				d.Boot = n.Boot // which has no loader of its own
			}
		}
	}
	for i := range t.Disks {
		if t.Encrypted {
			t.Disks[i].Secret = volumes.NewSecret()
		}
	}
	for h := range state.Hosts.All(tx, state.Global) {
		if t.Host == "" {
			t.Host = h.ID
		}
	}
	if t.Host == "" {
		return slipway.Errorf(slipway.InsufficientVolumeCapacity, "There is no host to import to.")
	}
	return nil
}
