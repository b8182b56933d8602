package admission

import (
	"cmp"
	"fmt"
	"slipway"
	"slipway/internal/interfaces"
	"slipway/internal/state"
	"slipway/internal/volumes"
)

// seen answers a request that came before with the same token (rule token-scope).
func (l *launch) seen() ([]*slipway.Instance, error) {
	t, err := l.once().Seen(l.tx)
	if t == nil || err != nil {
		return nil, err
	}
	var out []*slipway.Instance
	for _, id := range t.Instances {
		in := state.Instances.See(l.tx, l.scope, string(id))
		if in == nil || in.State == slipway.Terminated {
			return nil, slipway.Errorf(slipway.IdempotentInstanceTerminated,
				"The instance '%s' that the client token launched has been terminated.", id)
		}
		out = append(out, in)
	}
	return out, nil
}

// once is the launch's token, which counts in its zone or in the region.
func (l *launch) once() state.Once {
	where := l.scope.Region
	if l.fixed && !l.spec.ZoneOfTemplate {
		where = l.zone.Name
	}
	return state.Once{Scope: l.scope, Action: where, Token: l.spec.ClientToken, Hash: l.spec.Hash}
}

// admit takes capacity and writes the records.
func (l *launch) admit() error {
	if err := l.place(); err != nil {
		return err
	}
	reservation := slipway.NewReservationID()
	count := len(l.hosts)
	for i := range count {
		in, err := l.instance(reservation, int32(i))
		if err != nil {
			if short := slipway.CodeOf(err); i >= int(l.spec.Min) &&
				(short == slipway.InsufficientFreeAddressesInSubnet || short == slipway.InsufficientAddressCapacity) {
				count = i
				break
			}
			return err
		}
		l.made = append(l.made, in)
	}
	l.hosts = l.hosts[:count]
	if err := l.ChargeSize(); err != nil {
		return err
	}
	made := make([]slipway.InstanceID, 0, len(l.made))
	for _, in := range l.made {
		made = append(made, in.ID)
	}
	if err := l.once().KeepFor(l.tx, string(reservation), made, l.now); err != nil {
		return err
	}
	return l.explain(reservation)
}

// instance writes one instance with its interfaces and volumes.
func (l *launch) instance(reservation slipway.ReservationID, index int32) (*slipway.Instance, error) {
	s := &l.spec
	in := &slipway.Instance{
		InstanceIdentity: slipway.InstanceIdentity{
			ID: slipway.NewInstanceID(), Account: l.scope.Account, Region: l.scope.Region, Zone: l.zone.Name,
			Reservation: reservation, LaunchIndex: index, ClientToken: s.ClientToken, Tags: s.Tags["instance"],
		},
		InstanceSoftware: slipway.InstanceSoftware{
			Image: l.image.ID, Architecture: l.image.Architecture, RootDevice: l.image.RootDevice,
			BootMode: l.image.BootMode, Boot: l.boot, ProductCodes: l.image.ProductCodes, Licenses: s.Licenses,
		},
		InstanceHardware: slipway.InstanceHardware{
			Type: l.kind.Name, Cores: l.kind.Cores, ThreadsPerCore: l.kind.ThreadsPerCore, Hibernation: s.Hibernation,
		},
		InstanceAccess: slipway.InstanceAccess{KeyName: s.KeyName, UserData: s.UserData},
		InstanceStatus: slipway.InstanceStatus{LaunchTime: l.now, State: slipway.Pending, Reason: slipway.ReasonPending},
		InstanceAssignment: slipway.InstanceAssignment{
			Host: l.hosts[index], Wanted: slipway.WantRunning, Boots: 1, Fault: l.fault,
		},
		InstanceDisks: slipway.InstanceDisks{Stores: l.stores},
		InstanceOptions: slipway.InstanceOptions{
			Monitoring: s.Monitoring, ProtectTerminate: s.ProtectTerminate, ProtectStop: s.ProtectStop,
			ShutdownBehavior: s.ShutdownBehavior, Metadata: l.options, Placement: s.Placement, AutoRecovery: s.AutoRecovery,
		},
		InstanceMarket: slipway.InstanceMarket{CapacityPreference: s.CapacityPreference, CapacityTarget: s.CapacityTarget},
	}
	if in.ShutdownBehavior == "" {
		in.ShutdownBehavior = "stop"
	}
	if in.CapacityPreference == "" {
		in.CapacityPreference = "open"
	}
	if int(index) < len(l.reserved) {
		in.CapacityReservation = l.reserved[index]
	}
	if l.profile != nil {
		GiveProfile(in, l.profile)
	}
	if l.dedicated != nil {
		in.Placement.DedicatedHost = l.dedicated.ID
	}
	if err := l.bidFor(in); err != nil {
		return nil, err
	}
	if l.key != nil {
		in.PublicKey = l.key.PublicKey
	}
	if s.Cores != 0 {
		in.Cores, in.ThreadsPerCore = s.Cores, s.Threads
	}
	if l.kind.Burstable {
		in.CPUCredits = s.CPUCredits
		if in.CPUCredits == "" {
			in.CPUCredits = l.region.Settings.DefaultCredits(l.kind)
		}
	}
	if s.EBSOptimized != nil {
		in.EBSOptimized = *s.EBSOptimized
	}
	if s.Template.ID != "" {
		in.Tags, _ = in.Tags.With(slipway.Tags{
			"aws:ec2launchtemplate:id": string(s.Template.ID), "aws:ec2launchtemplate:version": fmt.Sprint(s.Template.Version),
		})
	}
	if l.group != nil {
		in.Placement.GroupID, in.Placement.GroupName = l.group.ID, l.group.Name
		if l.partitions != nil {
			in.Placement.Partition = l.partitions[index]
		}
	}
	if err := l.attach(in); err != nil {
		return nil, err
	}
	if err := l.disks(in); err != nil {
		return nil, err
	}
	return in, state.Instances.Put(l.tx, in)
}

// attach makes the instance's interfaces.
func (l *launch) attach(in *slipway.Instance) error {
	if l.vpc == nil {
		return l.classic(in)
	}
	in.VPC, in.Subnet, in.DNS = l.vpc.ID, l.ports[0].wanted.Subnet.ID, l.names()
	for _, p := range l.ports {
		n := p.existing
		if n == nil {
			w := p.wanted
			w.Tags = l.spec.Tags["network-interface"]
			var err error
			if n, err = interfaces.Create(l.tx, w, l.now); err != nil {
				return err
			}
		}
		n.Attachment = &slipway.Attachment{
			ID: slipway.NewAttachmentID(), Instance: in.ID, DeviceIndex: p.index, AttachTime: l.now,
			DeleteOnTermination: p.deleteWith,
		}
		if n.AutoPublic && len(n.Addresses) > 0 && !n.Addresses[0].Public.IsValid() {
			ip, err := l.s.pool.Take(l.tx, string(n.ID))
			if err != nil {
				return err
			}
			n.Addresses[0].Public = ip
		}
		if err := state.Interfaces.Put(l.tx, n); err != nil {
			return err
		}
		in.Interfaces = append(in.Interfaces, n.ID)
	}
	return nil
}

// names are the host name options: the request's over the subnet's.
func (l *launch) names() slipway.PrivateDNS {
	d := l.ports[0].wanted.Subnet.DNS
	if d.HostnameType == "" {
		d.HostnameType = "ip-name"
	}
	if l.spec.HostnameType != "" {
		d.HostnameType = l.spec.HostnameType
	}
	if l.spec.ARecord != nil {
		d.ARecord = *l.spec.ARecord
	}
	if l.spec.AAAARecord != nil {
		d.AAAARecord = *l.spec.AAAARecord
	}
	return d
}

// disks makes the instance's volumes.
func (l *launch) disks(in *slipway.Instance) error {
	if in.Fault = cmp.Or(in.Fault, l.volumeFault()); in.Fault != nil {
		return nil // the launch will end without having had a disk
	}
	for _, d := range l.devices {
		v := &slipway.Volume{
			ID: slipway.NewVolumeID(), Account: in.Account, Region: in.Region, Zone: in.Zone, Host: in.Host,
			SizeGiB: d.spec.SizeGiB,
			Type:    d.spec.Type, IOPS: d.spec.IOPS, Throughput: d.spec.Throughput, Snapshot: d.snapshot,
			Encrypted: d.encrypted, Key: d.key,
			Created: l.now, State: slipway.VolumeStateInUse, Tags: l.spec.Tags["volume"],
			Attachment: &slipway.VolumeAttachment{
				Instance: in.ID, Device: d.name, State: slipway.VolumeAttachmentStateAttaching, AttachTime: l.now, DeleteOnTermination: d.deleteWith,
			},
		}
		if v.Encrypted {
			v.Secret = volumes.NewSecret()
		}
		if snap := state.FindSnapshot(l.tx, in.Region, string(d.snapshot)); snap != nil {
			v.BaseSecret = snap.Secret
		}
		if err := state.Volumes.Put(l.tx, v); err != nil {
			return err
		}
		l.volumes, l.gib = l.volumes+1, l.gib+int(d.spec.SizeGiB)
		in.Volumes = append(in.Volumes,
			slipway.BlockDevice{Device: d.name, Volume: v.ID, AttachTime: l.now, DeleteOnTermination: d.deleteWith})
	}
	return nil
}
