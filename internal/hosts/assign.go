package hosts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/dataplane"
	"slipway/internal/hostapi"
	"slipway/internal/imds"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/volumes"
)

// Instance says what is wanted of an instance.
func (s *Service) Instance(
	ctx context.Context, host slipway.HostID, id slipway.InstanceID,
) (_ hostapi.Assignment, found bool, err error) {
	defer state.Catch(&err)
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return hostapi.Assignment{}, false, err
	}
	in := instanceByID(r, id)
	if in == nil {
		return hostapi.Assignment{}, false, cmp.Or(state.Whole(r), hostapi.ErrUnknown)
	}
	if in.Host != host || in.State == slipway.Terminated {
		return hostapi.Assignment{}, false, nil
	}
	// Which volumes go with it, and who its neighbours are, all of the account's records say together.
	if err := cmp.Or(state.WholeScope(r, state.Scope{Account: in.Account, Region: in.Region}),
		state.WholeScope(r, state.Shared(in.Region))); err != nil {
		return hostapi.Assignment{}, false, err
	}
	kind := slipway.FindInstanceType(in.Type)
	if kind == nil {
		return hostapi.Assignment{}, false, fmt.Errorf("%s has the type %s, which the catalogue lacks", id, in.Type)
	}
	a := hostapi.Assignment{
		ID: in.ID, Account: in.Account, VPC: in.Network(), Wanted: in.Wanted, Boots: in.Boots, Reboots: in.Reboots,
		Force: in.Force, Resume: in.Hibernated,
		Type: in.Type, UUID: UUID(in.ID), Cores: int(in.Cores), Threads: int(in.ThreadsPerCore),
		MemoryMiB: int(kind.MemoryMiB), Boot: in.Boot,
		AdmittedAt: in.LaunchTime, Refuse: in.Fault,
	}
	if in.CPUCredits == "standard" {
		a.Baseline = kind.Baseline()
	}
	scope := state.Scope{Account: in.Account, Region: in.Region}
	for _, b := range in.Volumes {
		v := state.Volumes.See(r, scope, string(b.Volume))
		if v == nil || b.Detaching {
			continue
		}
		if in.Wanted == slipway.WantTerminated && b.DeleteOnTermination && !volumes.Copied(r, v) {
			a.DeleteVolumes = append(a.DeleteVolumes, v.ID)
		}
		w := volume(v)
		w.Device = b.Device
		if b.Device == in.RootDevice {
			a.Volumes = append([]hostapi.Volume{w}, a.Volumes...)
		} else {
			a.Volumes = append(a.Volumes, w)
		}
	}
	for i, s := range in.Stores {
		a.Volumes = append(a.Volumes,
			hostapi.Volume{ID: storeID(in.ID, i), Device: s.Device, SizeGiB: int(s.SizeGB*1e9>>30) + 1, Ephemeral: true})
	}
	if in.Wanted == slipway.WantTerminated {
		for i := range in.Stores {
			a.DeleteVolumes = append(a.DeleteVolumes, storeID(in.ID, i))
		}
	}
	ports := ports(r, in)
	for _, n := range ports {
		a.Interfaces = append(a.Interfaces, port(r, in, n))
	}
	if in.VPC == "" && in.ClassicIP.IsValid() {
		a.Interfaces = append(a.Interfaces, classicPort(in))
	}
	a.Metadata = metadata(r, in, ports)
	return a, true, nil
}

// UUID is the system UUID that the guest sees. It begins with "ec2", which is how cloud-init knows EC2, and is the
// instance's for ever.
func UUID(id slipway.InstanceID) string {
	h := sha256.Sum256([]byte(id))
	x := hex.EncodeToString(h[:])
	return "ec2" + x[3:8] + "-" + x[8:12] + "-4" + x[13:16] + "-a" + x[17:20] + "-" + x[20:32]
}

// storeID names an instance store as if it were a volume; nobody but the host sees it.
func storeID(id slipway.InstanceID, n int) slipway.VolumeID {
	h := sha256.Sum256(fmt.Appendf(nil, "%s store %d", id, n))
	return slipway.VolumeID("vol-e" + hex.EncodeToString(h[:8]))
}

func volume(v *slipway.Volume) hostapi.Volume {
	w := hostapi.Volume{
		ID: v.ID, Snapshot: v.Snapshot, SizeGiB: int(v.SizeGiB), IOPS: int(v.IOPS), BurstIOPS: int(v.BurstIOPS()),
		Throughput: int(v.Throughput), Secret: v.Secret, BaseSecret: v.BaseSecret,
		Deleted: v.State == slipway.VolumeStateDeleting,
	}
	if v.Attachment != nil {
		w.Attached, w.Device = v.Attachment.Instance, v.Attachment.Device
	}
	return w
}

// ports are an instance's interfaces by device index; those being detached are no longer wanted.
func ports(r store.Reader, in *slipway.Instance) []*slipway.Interface {
	var out []*slipway.Interface
	for _, id := range in.Interfaces {
		n := state.Interfaces.See(r, state.Scope{Account: in.Account, Region: in.Region}, string(id))
		if n != nil && n.Attachment != nil && !n.Attachment.Detaching {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b *slipway.Interface) int { return int(a.Attachment.DeviceIndex - b.Attachment.DeviceIndex) })
	return out
}

func port(r store.Reader, in *slipway.Instance, n *slipway.Interface) dataplane.Port {
	host, domain, _ := strings.Cut(slipway.PrivateName(in.Region, in.DNS, in.ID, n.IP()), ".")
	p := dataplane.Port{
		Interface: n.ID, Instance: in.ID, Subnet: n.Subnet, MAC: n.MAC, Addresses6: n.IPv6, Prefixes: n.Prefixes,
		Prefixes6: n.Prefixes6, Groups: n.Groups,
		SourceDestCheck: n.SourceDestCheck, Public: map[netip.Addr]netip.Addr{}, Hostname: host, Domain: domain,
		DeviceIndex: int(n.Attachment.DeviceIndex),
	}
	for _, a := range n.Addresses {
		p.Addresses = append(p.Addresses, a.IP)
		if a.Public.IsValid() {
			p.Public[a.IP] = a.Public
		}
	}
	return p
}

// metadata is what the guest may learn about itself.
func metadata(r store.Reader, in *slipway.Instance, ports []*slipway.Interface) imds.Instance {
	scope := state.Scope{Account: in.Account, Region: in.Region}
	zone, _ := slipway.FindZone(in.Region, in.Zone)
	vpc := state.VPCs.See(r, scope, string(in.VPC))
	names := vpc != nil && vpc.DNSHostnames
	m := imds.Instance{
		Options: in.Metadata, Devices: map[string]string{"ami": in.RootDevice, "root": in.RootDevice},
		Lifecycle: "on-demand", Interruption: in.Interruption, Monitoring: in.Monitoring,
		GroupName: in.Placement.GroupName, Partition: in.Placement.Partition, Tags: in.Tags,
		Facts: imds.Facts{
			ID: in.ID, Account: in.Account, Region: in.Region, Zone: in.Zone, ZoneID: zone.ID, Type: in.Type,
			Image: in.Image, Reservation: in.Reservation, LaunchIndex: in.LaunchIndex, Launched: in.LaunchTime,
			Architecture: in.Architecture, ProductCodes: in.ProductCodes,
		},
		Access: imds.Access{KeyName: in.KeyName, PublicKey: in.PublicKey, UserData: in.UserData},
		Names:  imds.Names{DomainSuffix: "amazonaws.com"},
	}
	if in.Lifecycle != "" {
		m.Lifecycle = in.Lifecycle
	}
	if in.VPC == "" {
		classicMetadata(r, in, &m)
	}
	n := 0
	for _, b := range in.Volumes {
		if b.Device != in.RootDevice && !b.Detaching {
			n++
			m.Devices["ebs"+strconv.Itoa(n)] = strings.TrimPrefix(b.Device, "/dev/")
		}
	}
	for _, s := range in.Stores {
		if s.Device != "" {
			m.Devices[s.Virtual] = strings.TrimPrefix(s.Device, "/dev/")
		}
	}
	if k := state.InstanceKey(r, in.ID); k != nil && in.Profile != "" {
		m.Profile = &imds.Profile{
			ARN: in.Profile, ID: in.ProfileID, Role: k.Role[strings.LastIndexByte(k.Role, '/')+1:], AccessKey: k.ID,
			SecretKey: k.Secret, Token: k.Token, Updated: k.Created, Expires: k.Expires,
		}
	}
	for i, p := range ports {
		w := imds.Interface{
			ID: p.ID, DeviceIndex: p.Attachment.DeviceIndex, MAC: p.MAC, Owner: p.Account,
			Hostname:  slipway.PrivateName(in.Region, in.DNS, in.ID, p.IP()),
			Addresses: p.Addresses, IPv6: p.IPv6, Prefixes: p.Prefixes, Prefixes6: p.Prefixes6, GroupIDs: p.Groups,
			Subnet: p.Subnet, VPC: p.VPC,
		}
		for _, g := range p.Groups {
			if group := state.SecurityGroups.See(r, scope, string(g)); group != nil {
				w.Groups = append(w.Groups, group.Name)
			}
		}
		if len(p.Addresses) > 0 {
			w.PublicName = slipway.PublicName(in.Region, names, p.Addresses[0].Public)
		}
		if s := state.Subnets.See(r, scope, string(p.Subnet)); s != nil {
			w.SubnetCIDR, w.SubnetCIDR6 = s.CIDR, s.IPv6.Prefix
		}
		if vpc != nil {
			for _, c := range vpc.CIDRs {
				w.VPCCIDRs = append(w.VPCCIDRs, c.Prefix)
			}
			for _, c := range vpc.IPv6 {
				w.VPCCIDRs6 = append(w.VPCCIDRs6, c.Prefix)
			}
		}
		if i == 0 {
			m.Hostname, m.PublicName, m.Groups = w.Hostname, w.PublicName, w.Groups
			if len(p.Addresses) > 0 {
				m.PublicIP = p.Addresses[0].Public
			}
		}
		m.Interfaces = append(m.Interfaces, w)
	}
	return m
}

// Volume says what is wanted of a volume's file.
func (s *Service) Volume(
	ctx context.Context, host slipway.HostID, id slipway.VolumeID,
) (_ hostapi.Volume, found bool, err error) {
	defer state.Catch(&err)
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return hostapi.Volume{}, false, err
	}
	v := volumeByID(r, string(id))
	if v == nil || v.Host != host {
		return hostapi.Volume{}, false, nil
	}
	if err := state.Whole(r); err != nil &&
		v.State == slipway.VolumeStateDeleting { // a snapshot or volume that needs the file may be among them
		return hostapi.Volume{}, false, err
	}
	return volume(v), busy(r, v), nil
}

// busy says whether something is wanted of a volume's file.
func busy(r store.Reader, v *slipway.Volume) bool {
	switch v.State {
	case slipway.VolumeStateCreating:
		return true
	case slipway.VolumeStateDeleting:
		return !volumes.Copied(r, v)
	}
	return v.Modification != nil && v.Modification.State == slipway.ModificationStateModifying
}

// Snapshot says what is wanted of a snapshot's file.
func (s *Service) Snapshot(
	ctx context.Context, host slipway.HostID, id slipway.SnapshotID,
) (_ hostapi.Snapshot, found bool, err error) {
	defer state.Catch(&err)
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return hostapi.Snapshot{}, false, err
	}
	n := snapshotByID(r, string(id))
	if n == nil || n.Host != host {
		return hostapi.Snapshot{}, false, nil
	}
	if err := state.Whole(r); err != nil && n.State == slipway.SnapshotStateDeleting {
		return hostapi.Snapshot{}, false, err
	}
	out := hostapi.Snapshot{
		ID: n.ID, Volume: n.Volume, Source: n.Source, SizeGiB: int(n.SizeGiB),
		Done:    n.State == slipway.SnapshotStateCompleted || n.State == slipway.SnapshotStateError,
		Deleted: n.State == slipway.SnapshotStateDeleting,
		Secret:  n.Secret,
	}
	for range state.Volumes.By(r, state.Global, "/awaits/"+string(n.ID)) {
		out.Awaited = true
	}
	if n.Source != "" {
		if source := state.FindSnapshot(r, n.SourceRegion, string(n.Source)); source != nil {
			out.SourceSecret = source.Secret
		}
		return out, true, nil
	}
	if v := volumeByID(r, string(n.Volume)); v != nil {
		out.SourceSecret = v.BaseSecret
		if v.Attachment != nil {
			out.Instance, out.Reboots = v.Attachment.Instance, n.Reboots
		}
	}
	return out, true, nil
}
