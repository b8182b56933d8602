package admission

import (
	"slipway"
	"slipway/internal/launchspec"
	"slipway/internal/placement"
	"slipway/internal/state"
	"slipway/internal/volumes"
)

// device is one volume of the launch.
type device struct {
	name       string
	spec       volumes.Spec
	snapshot   slipway.SnapshotID
	encrypted  bool
	key        string
	deleteWith bool
}

// findDevices lays the request's mapping over the image's, by device name (rule device-mapping). The template's has
// been merged into the request's before.
func (l *launch) findDevices() error {
	l.stores = nil
	if l.kind.NVMeStores() {
		l.stores = l.kind.Stores()
	}
	var names []string
	merged := map[string]slipway.Mapping{}
	for _, layer := range [][]slipway.Mapping{l.image.Devices, l.spec.Devices} {
		for _, m := range layer {
			below, there := merged[m.Device]
			if !there {
				names = append(names, m.Device)
			}
			merged[m.Device] = launchspec.Over(below, m)
		}
	}
	if root := merged[l.image.RootDevice]; root.NoDevice {
		return slipway.Errorf(slipway.InvalidBlockDeviceMapping, "The root device %s cannot be left out", l.image.RootDevice)
	}
	attached := int32(0)
	for _, name := range names {
		m := merged[name]
		if !slipway.ValidDevice(name) {
			return slipway.Errorf(slipway.InvalidBlockDeviceMapping, "Invalid device name %s", name)
		}
		if m.Virtual != "" && !l.kind.NVMeStores() {
			l.store(m)
		}
		if m.NoDevice || m.Virtual != "" {
			continue // an instance store beyond what the type has is ignored, as EC2 does
		}
		d, err := l.device(m)
		if err != nil {
			return err
		}
		if name == l.image.RootDevice {
			l.devices = append([]device{d}, l.devices...)
		} else {
			l.devices = append(l.devices, d)
		}
		if attached++; attached > l.kind.MaxAttachments {
			return slipway.Errorf(slipway.AttachmentLimitExceeded, "The instance type %s takes at most %d volumes",
				l.kind.Name, l.kind.MaxAttachments)
		}
	}
	return nil
}

// store maps one of the type's instance stores, if it has as many.
func (l *launch) store(m slipway.Mapping) {
	for _, s := range l.kind.Stores() {
		if s.Virtual == m.Virtual {
			s.Device = m.Device
			l.stores = append(l.stores, s)
		}
	}
}

func (l *launch) device(m slipway.Mapping) (device, error) {
	root := m.Device == l.image.RootDevice
	d := device{name: m.Device, snapshot: m.Snapshot, deleteWith: root, key: m.Key}
	if m.DeleteOnTermination != nil {
		d.deleteWith = *m.DeleteOnTermination
	}
	d.encrypted = m.Encrypted != nil && *m.Encrypted || m.Key != "" || l.region.Settings.EncryptByDefault
	d.spec = volumes.Spec{Type: m.Type, SizeGiB: m.SizeGiB, IOPS: m.IOPS, Throughput: m.Throughput, Boot: root}
	if root {
		for _, own := range l.image.Devices {
			if own.Device == m.Device && own.Snapshot != m.Snapshot {
				return d, slipway.Errorf(slipway.InvalidBlockDeviceMapping,
					"The snapshot of the root device %s cannot be changed", m.Device)
			}
		}
	}
	if m.Snapshot != "" {
		snap, err := l.snapshot(m.Snapshot)
		if err != nil {
			return d, err
		}
		if d.spec.SizeGiB == 0 {
			d.spec.SizeGiB = snap.SizeGiB
		}
		if d.spec.SizeGiB < snap.SizeGiB {
			return d, slipway.Errorf(slipway.InvalidBlockDeviceMapping,
				"Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB", d.spec.SizeGiB, snap.ID, snap.SizeGiB)
		}
		d.encrypted = d.encrypted || snap.Encrypted
		if snap.Encrypted && snap.Account != l.scope.Account && snap.Account != slipway.SystemAccount {
			l.fault = &slipway.ReasonClientLaunchError // the key is its owner's
		}
	} else if d.spec.SizeGiB == 0 {
		return d, slipway.Missing("size or snapshotId")
	}
	var err error
	d.spec, err = volumes.Complete(d.spec)
	return d, err
}

// snapshot is one that the account may use, or that the image it may launch brings along.
func (l *launch) snapshot(id slipway.SnapshotID) (*slipway.Snapshot, error) {
	snap := state.FindSnapshot(l.tx, l.scope.Region, string(id))
	if snap == nil {
		return nil, state.Snapshots.Absent(string(id))
	}
	for _, m := range l.image.Devices {
		if m.Snapshot == id {
			return snap, nil
		}
	}
	if !snap.UsableBy(l.scope.Account) {
		return nil, state.Snapshots.Absent(string(id))
	}
	if snap.State != slipway.SnapshotStateCompleted {
		return nil, slipway.Errorf(slipway.IncorrectState, "Snapshot is in invalid state - %s", snap.State)
	}
	return snap, nil
}

// quota bounds what the account may have; with room for at least Min, Max shrinks to what is left.
func (l *launch) quota(r *placement.Request) error {
	vcpus, count := 0, 0
	limitV, limitN := l.limit("vcpus"), l.limit("instances")
	if limitV == 0 && limitN == 0 {
		return nil
	}
	for in := range state.Instances.All(l.tx, l.scope) {
		if in.State == slipway.Pending || in.State == slipway.Running {
			vcpus += int(in.Cores * in.ThreadsPerCore)
			count++
		}
	}
	if limitN > 0 {
		r.Max = min(r.Max, limitN-count)
	}
	if r.Max < int(l.spec.Min) {
		return slipway.Errorf(slipway.InstanceLimitExceeded,
			"You have requested more instances (%d) than your current instance limit of %d allows for the specified "+
				"instance type. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment "+
				"to this limit.",
			int(l.spec.Min)+count, limitN)
	}
	if limitV > 0 {
		r.Max = min(r.Max, (limitV-vcpus)/l.vcpus())
	}
	if r.Max < int(l.spec.Min) {
		return slipway.Errorf(slipway.VcpuLimitExceeded,
			"You have requested more vCPU capacity than your current vCPU limit of %d allows for the instance "+
				"bucket that the specified instance type belongs to. Please visit "+
				"http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
			limitV)
	}
	return nil
}

func (l *launch) limit(name string) int {
	if n, ok := l.account.Quotas[name]; ok {
		return n
	}
	return l.s.cfg.Quotas[name]
}

// volumeFault is rule R15: an instance whose volumes the account may not have is admitted, and ends at once.
func (l *launch) volumeFault() *slipway.Reason {
	count, size := l.limit("volumes"), l.limit("volume-gib")
	if count == 0 && size == 0 {
		return nil
	}
	if l.have == nil {
		l.have = &[2]int{}
		for v := range state.Volumes.All(l.tx, l.scope) {
			l.have[0], l.have[1] = l.have[0]+1, l.have[1]+int(v.SizeGiB)
		}
	}
	n, gib := l.have[0]+l.volumes+len(l.devices), l.have[1]+l.gib
	for _, d := range l.devices {
		gib += int(d.spec.SizeGiB)
	}
	if count > 0 && n > count || size > 0 && gib > size {
		return &slipway.ReasonVolumeLimit
	}
	return nil
}
