package images

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/snapshots"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/volumes"
)

// Create answers CreateImage: an image of an instance, pending until the snapshots of all its volumes are completed. A running
// instance is rebooted first, unless that is declined, and its volumes are copied while its guest is down.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateImageRequest) (*ec2wire.CreateImageResult, error) {
	switch {
	case shape.Get(in.InstanceId) == "":
		return nil, slipway.Missing("InstanceId")
	case shape.Get(in.SnapshotLocation) == "local":
		return nil, slipway.Refused("SnapshotLocation", "there are no Local Zones here.")
	case shape.Get(in.SnapshotLocation) != "" && *in.SnapshotLocation != "regional":
		return nil, slipway.Invalid(*in.SnapshotLocation, "snapshotLocation", "It must be regional or local.")
	case shape.Get(in.BootModeOverride) != "":
		return nil, slipway.Refused("BootModeOverride", "the image boots as its instance does.")
	}
	id, err := slipway.ParseInstanceID(*in.InstanceId)
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
	mappings, err := launchspec.Mappings(in.BlockDeviceMappings)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	out := &ec2wire.CreateImageResult{}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		i, err := state.Instances.Get(tx, scope, string(id))
		if err != nil {
			return err
		}
		switch i.State {
		case slipway.Running, slipway.Stopped:
		case slipway.ShuttingDown, slipway.Terminated:
			return slipway.Errorf(slipway.IncorrectInstanceState, "The instance '%s' is %s.", i.ID, i.State)
		default:
			return slipway.Errorf(slipway.InvalidParameterValue,
				"Value (%s) for parameter instanceId is invalid. Instance is not in state 'running' or 'stopped'.", i.ID)
		}
		im := &slipway.Image{
			ID: slipway.NewImageID(), Owner: scope.Account, Region: scope.Region, Name: *in.Name,
			Description: shape.Get(in.Description), Location: scope.Account + "/" + *in.Name, State: slipway.ImageStatePending,
			Created: s.now(), ProductCodes: i.ProductCodes, Tags: tags["image"],
			ImageMachine: slipway.ImageMachine{
				Architecture: i.Architecture, RootDevice: i.RootDevice, Boot: i.Boot, BootMode: i.BootMode, ENA: true,
				Virtualization: "hvm",
			},
			ImageOrigin: slipway.ImageOrigin{Source: i.ID},
		}
		if from := state.FindImage(tx, scope.Region, string(i.Image)); from != nil {
			im.IMDSSupport, im.ENA, im.SRIOV, im.User = from.IMDSSupport, from.ENA, from.SRIOV, from.User
		}
		maker := maker{tx: tx, image: im, instance: i, tags: tags["snapshot"], s: s}
		if i.State == slipway.Running && !shape.Get(in.NoReboot) {
			i.Reboots++
			maker.reboots = i.Reboots
			if err := errors.Join(state.Instances.Put(tx, i), state.AddEvent(tx, scope, string(i.ID),
				state.Event{Step: "reboot", At: s.now(), Note: "CreateImage"})); err != nil {
				return err
			}
		}
		if err := maker.devices(mappings); err != nil {
			return err
		}
		out.ImageId = shape.Text(im.ID)
		return put(tx, im)
	})
	return out, err
}

// maker makes one image of an instance.
type maker struct {
	tx       store.Tx
	s        *Service
	image    *slipway.Image
	instance *slipway.Instance
	tags     slipway.Tags // of the snapshots
	reboots  int
}

// devices lays the request's mapping over the instance's volumes: members given override a volume's, NoDevice leaves it out,
// and other names are added.
func (m *maker) devices(asked []slipway.Mapping) error {
	over := map[string]slipway.Mapping{}
	for _, a := range asked {
		over[a.Device] = a
	}
	for _, b := range m.instance.Volumes {
		a, there := over[b.Device]
		delete(over, b.Device)
		switch {
		case there && (a.NoDevice || a.Virtual != "") && b.Device == m.instance.RootDevice:
			return slipway.Errorf(slipway.InvalidBlockDeviceMapping, "The root device %s cannot be left out", b.Device)
		case a.NoDevice:
			continue
		case a.Virtual != "":
			m.image.Devices = append(m.image.Devices, a)
			continue
		case a.Snapshot != "" || a.Encrypted != nil || a.Key != "":
			return slipway.Errorf(slipway.InvalidBlockDeviceMapping,
				"The device %s is a volume of the instance: neither its snapshot nor its encryption can be given", b.Device)
		}
		if err := m.volume(b, a); err != nil {
			return err
		}
	}
	for _, a := range asked {
		if _, left := over[a.Device]; !left || a.NoDevice {
			continue
		}
		d, err := fresh(m.tx, state.Scope{Account: m.image.Owner, Region: m.image.Region}, a, false)
		if err != nil {
			return err
		}
		m.image.Devices = append(m.image.Devices, d)
	}
	return nil
}

// volume takes a snapshot of one of the instance's volumes.
func (m *maker) volume(b slipway.BlockDevice, asked slipway.Mapping) error {
	v, err := state.Volumes.Get(m.tx, state.Scope{Account: m.image.Owner, Region: m.image.Region}, string(b.Volume))
	if err != nil {
		return err
	}
	n, err := snapshots.Of(m.tx, v, fmt.Sprintf("Created by CreateImage(%s) for %s", m.instance.ID, m.image.ID),
		maps.Clone(m.tags), m.s.now())
	if err != nil {
		return err
	}
	if n.Reboots = m.reboots; n.Reboots > 0 {
		if err := state.Snapshots.Put(m.tx, n); err != nil {
			return err
		}
	}
	d := slipway.Mapping{
		Device: b.Device, Snapshot: n.ID, SizeGiB: v.SizeGiB, Type: v.Type, Throughput: v.Throughput,
		Encrypted: &v.Encrypted, DeleteOnTermination: &b.DeleteOnTermination,
	}
	if v.Type != "gp2" {
		d.IOPS = v.IOPS
	}
	if asked.Device != "" {
		d = launchspec.Over(d, asked)
	}
	if d.SizeGiB < v.SizeGiB {
		return slipway.Errorf(slipway.InvalidBlockDeviceMapping,
			"Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB", d.SizeGiB, n.ID, v.SizeGiB)
	}
	if _, err := volumes.Complete(spec(d, b.Device == m.instance.RootDevice)); err != nil {
		return err
	}
	m.image.Devices = append(m.image.Devices, d)
	return nil
}

func spec(m slipway.Mapping, boot bool) volumes.Spec {
	return volumes.Spec{Type: m.Type, SizeGiB: m.SizeGiB, IOPS: m.IOPS, Throughput: m.Throughput, Boot: boot}
}

// fresh completes a mapping that stands for itself: of a snapshot, an empty volume or an instance store.
func fresh(tx store.Tx, scope state.Scope, m slipway.Mapping, root bool) (slipway.Mapping, error) {
	switch {
	case !slipway.ValidDevice(m.Device):
		return m, slipway.Errorf(slipway.InvalidBlockDeviceMapping, "Invalid device name %s", m.Device)
	case m.Virtual != "":
		return m, nil
	}
	if m.Snapshot != "" {
		n, err := volumes.Source(tx, scope, string(m.Snapshot))
		switch {
		case err != nil:
			return m, err
		case m.Encrypted != nil && *m.Encrypted != n.Encrypted:
			return m, slipway.Errorf(slipway.InvalidBlockDeviceMapping,
				"the encrypted flag cannot be specified since device %s has a snapshot specified.", m.Device)
		case m.SizeGiB != 0 && m.SizeGiB < n.SizeGiB:
			return m, slipway.Errorf(slipway.InvalidBlockDeviceMapping,
				"Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB", m.SizeGiB, n.ID, n.SizeGiB)
		case m.SizeGiB == 0:
			m.SizeGiB = n.SizeGiB
		}
		m.Encrypted = &n.Encrypted
	} else if m.SizeGiB == 0 {
		return m, slipway.Missing("size or snapshotId")
	}
	if m.Type == "" {
		m.Type = "gp2"
	}
	if m.DeleteOnTermination == nil {
		m.DeleteOnTermination = &root
	}
	_, err := volumes.Complete(spec(m, root))
	return m, err
}
