package instances

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/capacity"
	"slipway/internal/ec2wire"
	"slipway/internal/instancedefaults"
	"slipway/internal/interfaces"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Attribute answers DescribeInstanceAttribute: one attribute at a time, its element there even when it has no value, because
// Terraform looks into it unasked.
func (s *Service) Attribute(
	ctx context.Context, in *ec2wire.DescribeInstanceAttributeRequest,
) (*ec2wire.InstanceAttribute, error) {
	switch {
	case shape.Get(in.InstanceId) == "":
		return nil, slipway.Missing("InstanceId")
	case shape.Get(in.Attribute) == "":
		return nil, slipway.Missing("Attribute")
	}
	id, err := slipway.ParseInstanceID(*in.InstanceId)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	i, err := state.Instances.Require(r, state.Of(ctx), string(id))
	if err != nil {
		return nil, err
	}
	v := join(r).view(i)
	out := &ec2wire.InstanceAttribute{InstanceId: shape.Text(id)}
	text := func(s string) *ec2wire.AttributeValue { return &ec2wire.AttributeValue{Value: shape.Text(s)} }
	yes := func(b bool) *ec2wire.AttributeBooleanValue { return &ec2wire.AttributeBooleanValue{Value: &b} }
	switch *in.Attribute {
	case "instanceType":
		out.InstanceType = text(i.Type)
	case "kernel":
		out.KernelId = text("")
	case "ramdisk":
		out.RamdiskId = text("")
	case "userData":
		out.UserData = text(base64.StdEncoding.EncodeToString(i.UserData))
	case "disableApiTermination":
		out.DisableApiTermination = yes(i.ProtectTerminate)
	case "disableApiStop":
		out.DisableApiStop = yes(i.ProtectStop)
	case "instanceInitiatedShutdownBehavior":
		out.InstanceInitiatedShutdownBehavior = text(i.ShutdownBehavior)
	case "rootDeviceName":
		out.RootDeviceName = text(i.RootDevice)
	case "sourceDestCheck":
		if len(v.ports) > 1 {
			return nil, severalInterfaces(i.ID)
		}
		out.SourceDestCheck = yes(len(v.ports) == 0 || v.ports[0].SourceDestCheck)
	case "ebsOptimized":
		out.EbsOptimized = yes(i.EBSOptimized)
	case "enaSupport":
		out.EnaSupport = yes(v.kind != nil && v.kind.ENA != "unsupported")
	case "sriovNetSupport":
		out.SriovNetSupport = text("")
	case "enclaveOptions":
		out.EnclaveOptions = &ec2wire.EnclaveOptions{Enabled: shape.Of(false)}
	case "groupSet":
		out.Groups = v.groupSet(v.ownGroups())
	case "productCodes":
		out.ProductCodes = v.wire().ProductCodes
	case "blockDeviceMapping":
		out.BlockDeviceMappings = v.blockDevices()
	default:
		return nil, slipway.Invalid(*in.Attribute, "attribute", "Unknown attribute.")
	}
	return out, nil
}

func severalInterfaces(id slipway.InstanceID) error {
	return slipway.Errorf(slipway.InvalidInstanceID,
		"There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.",
		id)
}

// Modify answers ModifyInstanceAttribute: exactly one attribute, in the typed form or by name.
func (s *Service) Modify(ctx context.Context, in *ec2wire.ModifyInstanceAttributeRequest) error {
	if shape.Get(in.InstanceId) == "" {
		return slipway.Missing("InstanceId")
	}
	id, err := slipway.ParseInstanceID(*in.InstanceId)
	if err != nil {
		return err
	}
	edits, err := s.edits(in)
	if err != nil {
		return err
	}
	switch len(edits) {
	case 0:
		return slipway.Errorf(slipway.InvalidParameterCombination, "No attributes specified.")
	case 1:
	default:
		return slipway.Errorf(slipway.InvalidParameterCombination, "Fields for multiple attribute types specified")
	}
	return s.edit(ctx, id, edits[0])
}

func (s *Service) edits(in *ec2wire.ModifyInstanceAttributeRequest) ([]edit, error) {
	out, err := members(in)
	if in.Attribute == nil && in.Value == nil || err != nil {
		return out, err
	}
	if len(out) > 0 && in.Value != nil {
		return nil, slipway.Errorf(slipway.InvalidParameterCombination, "Fields for multiple attribute types specified")
	}
	if err := byName(in); err != nil {
		return nil, err
	}
	return members(in)
}

// members are the changes that the typed members ask for.
func members(in *ec2wire.ModifyInstanceAttributeRequest) ([]edit, error) {
	var out []edit
	protect := func(v *ec2wire.AttributeBooleanValue, set func(*slipway.Instance, bool)) {
		if v != nil && v.Value != nil {
			out = append(out, func(_ store.Tx, i *slipway.Instance) error {
				set(i, *v.Value)
				if i.Lifecycle == "spot" && *v.Value {
					return launchspec.Combination("Termination and stop protection are not supported for Spot Instances.")
				}
				return nil
			})
		}
	}
	protect(in.DisableApiTermination, func(i *slipway.Instance, b bool) { i.ProtectTerminate = b })
	protect(in.DisableApiStop, func(i *slipway.Instance, b bool) { i.ProtectStop = b })
	if v := in.InstanceInitiatedShutdownBehavior; v != nil {
		out = append(out, setShutdown(shape.Get(v.Value)))
	}
	if v := in.InstanceType; v != nil {
		out = append(out, whenStopped(setType(shape.Get(v.Value))))
	}
	if v := in.UserData; v != nil {
		out = append(out, whenStopped(setUserData(v.Value)))
	}
	if v := in.EbsOptimized; v != nil && v.Value != nil {
		out = append(out, whenStopped(func(tx store.Tx, i *slipway.Instance) error {
			i.EBSOptimized = *v.Value
			return admission.Suits(tx, i, slipway.FindInstanceType(i.Type))
		}))
	}
	if v := in.EnaSupport; v != nil && v.Value != nil {
		out = append(out, whenStopped(func(_ store.Tx, i *slipway.Instance) error {
			if !*v.Value {
				return slipway.Errorf(slipway.UnsupportedOperation, "Enhanced networking cannot be switched off.")
			}
			return nil
		}))
	}
	if v := in.SriovNetSupport; v != nil && shape.Get(v.Value) != "" {
		out = append(out, whenStopped(func(store.Tx, *slipway.Instance) error {
			return slipway.Errorf(slipway.UnsupportedInstanceAttribute,
				"The attribute sriovNetSupport is not supported: guests here have virtio network cards.")
		}))
	}
	if v := in.EnclaveOptions; v != nil && shape.Get(v.Enabled) {
		return nil, slipway.Errorf(slipway.UnsupportedOperation, "There are no Nitro enclaves on this host.")
	}
	if in.Kernel != nil && shape.Get(in.Kernel.Value) != "" || in.Ramdisk != nil && shape.Get(in.Ramdisk.Value) != "" {
		return nil, slipway.Errorf(slipway.UnsupportedInstanceAttribute,
			"Kernel and RAM disk images (aki-, ari-) are not supported.")
	}
	if v := in.SourceDestCheck; v != nil && v.Value != nil {
		out = append(out, setSourceDest(*v.Value))
	}
	if len(in.Groups) > 0 {
		out = append(out, setGroups(in.Groups))
	}
	if len(in.BlockDeviceMappings) > 0 {
		out = append(out, setDevices(in.BlockDeviceMappings))
	}
	return out, nil
}

// byName puts the older form, Attribute and Value, into the member of that name.
func byName(in *ec2wire.ModifyInstanceAttributeRequest) error {
	name, value := shape.Get(in.Attribute), shape.Get(in.Value)
	text := &ec2wire.AttributeValue{Value: &value}
	switch name {
	case "":
		if in.Value != nil {
			return slipway.Missing("Attribute")
		}
	case "disableApiTermination", "disableApiStop", "sourceDestCheck", "ebsOptimized", "enaSupport":
		b := strings.EqualFold(value, "true")
		if !b && !strings.EqualFold(value, "false") {
			return slipway.Invalid(value, "value", "It must be true or false.")
		}
		*map[string]**ec2wire.AttributeBooleanValue{
			"disableApiTermination": &in.DisableApiTermination, "disableApiStop": &in.DisableApiStop,
			"sourceDestCheck": &in.SourceDestCheck,
			"ebsOptimized":    &in.EbsOptimized, "enaSupport": &in.EnaSupport,
		}[name] = &ec2wire.AttributeBooleanValue{Value: &b}
	case "instanceInitiatedShutdownBehavior":
		in.InstanceInitiatedShutdownBehavior = text
	case "instanceType":
		in.InstanceType = text
	case "sriovNetSupport":
		in.SriovNetSupport = text
	case "kernel", "ramdisk":
		in.Kernel = text
	case "userData":
		data, err := slipway.ParseUserData(value)
		if err != nil {
			return err
		}
		in.UserData = &ec2wire.SecureBlobAttributeValue{Value: data}
	case "groupSet", "blockDeviceMapping": // whose values are lists of their own
	default:
		return slipway.Invalid(name, "attribute", "Unknown attribute.")
	}
	return nil
}

func setShutdown(value string) edit {
	return func(_ store.Tx, i *slipway.Instance) error {
		if value != "stop" && value != "terminate" {
			return slipway.Invalid(value, "instanceInitiatedShutdownBehavior", "It must be stop or terminate.")
		}
		i.ShutdownBehavior = value
		return nil
	}
}

func setType(value string) edit {
	return func(tx store.Tx, i *slipway.Instance) error {
		to, from := slipway.FindInstanceType(value), slipway.FindInstanceType(i.Type)
		if to == nil {
			return slipway.Errorf(slipway.InvalidInstanceAttributeValue, "Invalid value '%s' for InstanceType.", value)
		}
		if err := to.Launchable(); err != nil {
			return err
		}
		if !slices.Contains(to.Architectures, i.Architecture) {
			return slipway.Errorf(slipway.InvalidInstanceAttributeValue,
				"The instance type %s does not have the architecture %s of the instance.", value, i.Architecture)
		}
		if i.BootMode == "uefi" && !to.UEFI() {
			return slipway.Errorf(slipway.InvalidInstanceAttributeValue,
				"The instance type %s does not have the boot mode %s of the instance.", value, i.BootMode)
		}
		if err := admission.Suits(tx, i, to); err != nil {
			return err
		}
		b, err := state.Ledgers.Get(tx, state.Global, string(i.Host))
		if err != nil {
			return err
		}
		if capacity.Reserved(tx, i) { // another type leaves the reservation, whose charge stays
			b.Instances++
		} else {
			b.VCPUs -= int(i.Cores * i.ThreadsPerCore)
			b.MemoryMiB -= int(from.MemoryMiB)
		}
		i.CapacityReservation = ""
		b.VCPUs += int(to.VCPUs)
		b.MemoryMiB += int(to.MemoryMiB)
		host, err := state.Hosts.Require(tx, state.Global, string(i.Host))
		if err != nil {
			return err
		}
		if b.MemoryMiB > host.MemoryMiB {
			return slipway.Errorf(slipway.InsufficientInstanceCapacity,
				"The host of instance '%s' does not have sufficient %s capacity.", i.ID, value)
		}
		i.Type, i.Cores, i.ThreadsPerCore, i.Boot = to.Name, to.Cores, to.ThreadsPerCore, i.Boot.On(to, i.BootMode)
		if i.CPUCredits == "" || !to.Burstable { // what was chosen is kept from one burstable type to the next
			i.CPUCredits = instancedefaults.CreditsOf(tx, state.Scope{Account: i.Account, Region: i.Region}, to)
		}
		return state.Ledgers.Put(tx, b)
	}
}

func setUserData(data []byte) edit {
	return func(_ store.Tx, i *slipway.Instance) error {
		if len(data) > slipway.MaxUserData {
			return slipway.Errorf(slipway.InvalidParameterValue, "User data is limited to %d bytes", slipway.MaxUserData)
		}
		i.UserData = data
		return nil
	}
}

// onlyInterface is the instance's one interface, for attributes that are an interface's.
func onlyInterface(tx store.Tx, i *slipway.Instance) (*slipway.Interface, error) {
	switch len(i.Interfaces) {
	case 0:
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The instance '%s' is in EC2-Classic, where this attribute is fixed.", i.ID)
	case 1:
		return state.Interfaces.Get(tx, state.Scope{Account: i.Account, Region: i.Region}, string(i.Interfaces[0]))
	}
	return nil, severalInterfaces(i.ID)
}

func setSourceDest(check bool) edit {
	return func(tx store.Tx, i *slipway.Instance) error {
		n, err := onlyInterface(tx, i)
		if err != nil {
			return err
		}
		n.SourceDestCheck = check
		return state.Interfaces.Put(tx, n)
	}
}

func setGroups(names []string) edit {
	return func(tx store.Tx, i *slipway.Instance) error {
		n, err := onlyInterface(tx, i)
		if err != nil {
			return err
		}
		scope := state.Scope{Account: i.Account, Region: i.Region}
		if n.Groups, err = interfaces.ReadGroups(tx, scope, i.VPC, names); err != nil {
			return err
		}
		return state.Interfaces.Put(tx, n)
	}
}

func setDevices(in []ec2wire.InstanceBlockDeviceMappingSpecification) edit {
	return func(tx store.Tx, i *slipway.Instance) error {
		for _, m := range in {
			at := slices.IndexFunc(i.Volumes, func(b slipway.BlockDevice) bool { return b.Device == shape.Get(m.DeviceName) })
			if at < 0 {
				return slipway.Errorf(slipway.InvalidInstanceAttributeValue, "No device is currently mapped at %s",
					shape.Get(m.DeviceName))
			}
			if m.Ebs == nil || m.Ebs.DeleteOnTermination == nil {
				continue
			}
			i.Volumes[at].DeleteOnTermination = *m.Ebs.DeleteOnTermination
			err := state.Volumes.Edit(tx, state.Scope{Account: i.Account, Region: i.Region},
				string(i.Volumes[at].Volume), func(v *slipway.Volume) error {
					if v.Attachment != nil {
						v.Attachment.DeleteOnTermination = *m.Ebs.DeleteOnTermination
					}
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	}
}
