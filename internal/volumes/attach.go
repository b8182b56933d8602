package volumes

import (
	"context"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Attach answers AttachVolume. To a stopped instance the volume is attached at once; a running one's host plugs it in first.
func (s *Service) Attach(ctx context.Context, in *ec2wire.AttachVolumeRequest) (*ec2wire.VolumeAttachment, error) {
	id, err := named(in.VolumeId)
	if err != nil {
		return nil, err
	}
	device := shape.Get(in.Device)
	switch {
	case shape.Get(in.InstanceId) == "":
		return nil, slipway.Missing("InstanceId")
	case device == "":
		return nil, slipway.Missing("Device")
	case shape.Get(in.EbsCardIndex) != 0:
		return nil, slipway.Errorf(slipway.Unsupported,
			"The parameter EbsCardIndex is not supported: instance types here have one EBS card.")
	case !slipway.ValidDevice(device):
		return nil, slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%s) for parameter device is invalid. %s is not a valid EBS device name.", device, device)
	}
	to, err := slipway.ParseInstanceID(*in.InstanceId)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	var out ec2wire.VolumeAttachment
	err = s.edit(ctx, id, func(tx store.Tx, v *slipway.Volume) error {
		i, err := state.Instances.Get(tx, scope, string(to))
		if err != nil {
			return err
		}
		if err := attachable(v, i, device); err != nil {
			return err
		}
		a := &slipway.VolumeAttachment{Instance: i.ID, Device: device, State: slipway.VolumeAttachmentStateAttaching, AttachTime: s.now()}
		out = wireAttachment(v.ID, a)
		if i.State == slipway.Stopped {
			a.State = slipway.VolumeAttachmentStateAttached // nothing runs that would have to take it
		}
		if err := v.Become(slipway.VolumeStateInUse); err != nil {
			return err
		}
		v.Attachment = a
		i.Volumes = append(i.Volumes, slipway.BlockDevice{Device: device, Volume: v.ID, AttachTime: a.AttachTime})
		return state.Instances.Put(tx, i)
	})
	return &out, err
}

func attachable(v *slipway.Volume, i *slipway.Instance, device string) error {
	switch {
	case v.Attachment != nil:
		return slipway.Errorf(slipway.VolumeInUse, "%s is already attached to an instance", v.ID)
	case v.State != slipway.VolumeStateAvailable:
		return slipway.Errorf(slipway.IncorrectState, "%s is not 'available'.", v.ID)
	case i.State != slipway.Running && i.State != slipway.Stopped:
		return slipway.Errorf(slipway.IncorrectState, "Instance '%s' is not 'running'.", i.ID)
	case i.Hibernated:
		return slipway.Errorf(slipway.IncorrectState,
			"Instance '%s' is hibernated: what it resumes with must be what it stopped with.", i.ID)
	case v.Zone != i.Zone:
		return slipway.Errorf(slipway.InvalidVolumeZoneMismatch,
			"The volume '%s' is not in the same availability zone as instance '%s'", v.ID, i.ID)
	case v.Host != i.Host:
		return slipway.Errorf(slipway.UnsupportedOperation,
			"The volume '%s' lies on the host %s and the instance '%s' is on %s: a volume can be attached on its own host only.",
			v.ID, v.Host, i.ID, i.Host)
	case slices.ContainsFunc(i.Volumes, func(b slipway.BlockDevice) bool { return b.Device == device }):
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Invalid value '%s' for unixDevice. Attachment point %s is already in use", device, device)
	}
	if len(i.Volumes)+len(i.Interfaces) >= slipway.MachineSlots {
		return slipway.Errorf(slipway.AttachmentLimitExceeded,
			"The instance '%s' has %d volumes and interfaces, and room for no more.", i.ID, slipway.MachineSlots)
	}
	if t := slipway.FindInstanceType(i.Type); t != nil && t.MaxAttachments > 0 && int32(len(i.Volumes)) >= t.MaxAttachments {
		return slipway.Errorf(slipway.AttachmentLimitExceeded, "The instance type %s takes at most %d volumes", t.Name,
			t.MaxAttachments)
	}
	return nil
}

// Detach answers DetachVolume: from a stopped instance at once, from a running one when its guest has let go of the disk.
func (s *Service) Detach(ctx context.Context, in *ec2wire.DetachVolumeRequest) (*ec2wire.VolumeAttachment, error) {
	id, err := named(in.VolumeId)
	if err != nil {
		return nil, err
	}
	from := shape.Get(in.InstanceId)
	if from != "" {
		if _, err := slipway.ParseInstanceID(from); err != nil {
			return nil, err
		}
	}
	scope := state.Of(ctx)
	var out ec2wire.VolumeAttachment
	err = s.edit(ctx, id, func(tx store.Tx, v *slipway.Volume) error {
		a := v.Attachment
		switch {
		case a == nil:
			return slipway.Errorf(slipway.IncorrectState, "Volume '%s' is in the '%s' state.", v.ID, v.State)
		case from != "" && from != string(a.Instance) || shape.Get(in.Device) != "" && *in.Device != a.Device:
			return slipway.Errorf(slipway.InvalidAttachmentNotFound,
				"The volume '%s' is not attached to instance '%s' as device '%s'.", v.ID, from, shape.Get(in.Device))
		case a.State == slipway.VolumeAttachmentStateDetaching && !shape.Get(in.Force): // a forced one may follow
			return slipway.Errorf(slipway.IncorrectState, "Volume '%s' is already detaching.", v.ID)
		}
		i, err := state.Instances.Get(tx, scope, string(a.Instance))
		if err != nil {
			return err
		}
		stopped := i.State == slipway.Stopped
		switch {
		case a.Device == i.RootDevice && !stopped:
			return slipway.Errorf(slipway.OperationNotPermitted, "Unable to detach root volume '%s' from instance '%s'",
				v.ID, i.ID)
		case i.Hibernated:
			return slipway.Errorf(slipway.IncorrectState,
				"Instance '%s' is hibernated: what it resumes with must be what it stopped with.", i.ID)
		}
		if err := a.Become(slipway.VolumeAttachmentStateDetaching); err != nil {
			return err
		}
		out = wireAttachment(v.ID, a)
		at := slices.IndexFunc(i.Volumes, func(b slipway.BlockDevice) bool { return b.Volume == v.ID })
		switch {
		case at < 0:
		case stopped:
			i.Volumes = slices.Delete(i.Volumes, at, at+1)
		default:
			i.Volumes[at].Detaching = true
		}
		if stopped {
			v.Attachment = nil
			if err := v.Become(slipway.VolumeStateAvailable); err != nil {
				return err
			}
		}
		return state.Instances.Put(tx, i)
	})
	return &out, err
}
