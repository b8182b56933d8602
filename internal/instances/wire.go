package instances

import (
	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// view is an instance joined with the records that its description shows.
type view struct {
	*slipway.Instance
	ports  []*slipway.Interface
	groups map[slipway.SecurityGroupID]string
	vpc    *slipway.VPC
	kind   *slipway.InstanceType
}

// viewer makes the views of one answer. What many instances share, it looks up once.
type viewer struct {
	reader store.Reader
	vpcs   map[slipway.VPCID]*slipway.VPC
	groups map[slipway.SecurityGroupID]string
}

func join(r store.Reader) *viewer {
	return &viewer{r, map[slipway.VPCID]*slipway.VPC{}, map[slipway.SecurityGroupID]string{}}
}

func (j *viewer) view(in *slipway.Instance) view {
	v := view{Instance: in, kind: slipway.FindInstanceType(in.Type), groups: j.groups}
	s := state.Scope{Account: in.Account, Region: in.Region}
	j.name(s, in.ClassicGroups)
	if in.State == slipway.Terminated || in.VPC == "" {
		return v
	}
	v.vpc = j.vpcs[in.VPC]
	if v.vpc == nil {
		v.vpc = state.VPCs.See(j.reader, s, string(in.VPC))
		j.vpcs[in.VPC] = v.vpc
	}
	for _, id := range in.Interfaces {
		if n := state.Interfaces.See(j.reader, s, string(id)); n != nil {
			v.ports = append(v.ports, n)
			j.name(s, n.Groups)
		}
	}
	return v
}

func (j *viewer) name(s state.Scope, ids []slipway.SecurityGroupID) {
	for _, id := range ids {
		if _, known := j.groups[id]; known {
			continue
		}
		if g := state.SecurityGroups.See(j.reader, s, string(id)); g != nil {
			j.groups[id] = g.Name
		}
	}
}

func (v view) groupSet(ids []slipway.SecurityGroupID) []ec2wire.GroupIdentifier {
	out := make([]ec2wire.GroupIdentifier, 0, len(ids))
	for _, id := range ids {
		out = append(out, ec2wire.GroupIdentifier{GroupId: shape.Text(id), GroupName: shape.Of(v.groups[id])})
	}
	return out
}

// ownGroups are the primary interface's, or those of EC2-Classic.
func (v view) ownGroups() []slipway.SecurityGroupID {
	if len(v.ports) > 0 {
		return v.ports[0].Groups
	}
	return v.ClassicGroups
}

// primary is the first private address and what leads to it.
func (v view) primary() slipway.PrivateAddress {
	if len(v.ports) > 0 && len(v.ports[0].Addresses) > 0 {
		return v.ports[0].Addresses[0]
	}
	return slipway.PrivateAddress{IP: v.ClassicIP, Public: v.ClassicPublic}
}

func (v view) privateName() string {
	if v.State == slipway.Terminated {
		return ""
	}
	return slipway.PrivateName(v.Region, v.DNS, v.ID, v.primary().IP)
}

func (v view) publicName() string {
	return slipway.PublicName(v.Region, v.vpc == nil || v.vpc.DNSHostnames, v.primary().Public)
}

// reservation writes the answer of RunInstances. fresh leaves out what EC2 shows only later.
func (s *Service) reservation(r store.Reader, made []*slipway.Instance, fresh bool) *ec2wire.Reservation {
	first := made[0]
	out := &ec2wire.Reservation{
		ReservationId: shape.Text(first.Reservation), OwnerId: &first.Account, RequesterId: shape.Text(first.Requester),
		Groups: []ec2wire.GroupIdentifier{}, Instances: make([]ec2wire.Instance, len(made)),
	}
	all := join(r)
	for i, in := range made {
		if now := state.Instances.See(r, state.Scope{Account: in.Account, Region: in.Region}, string(in.ID)); now != nil {
			in = now
		}
		v := all.view(in)
		out.Instances[i] = v.wire()
		if fresh {
			w := &out.Instances[i]
			w.BlockDeviceMappings = []ec2wire.InstanceBlockDeviceMapping{}
			w.PublicDnsName, w.PublicIpAddress = shape.Of(""), nil
			for j := range w.NetworkInterfaces {
				hideAssociation(&w.NetworkInterfaces[j])
			}
		}
		if in.VPC == "" {
			out.Groups = v.groupSet(in.ClassicGroups)
		}
	}
	return out
}

func hideAssociation(n *ec2wire.InstanceNetworkInterface) {
	n.Association = nil
	for i := range n.PrivateIpAddresses {
		n.PrivateIpAddresses[i].Association = nil
	}
}

func stateOf(s slipway.State) *ec2wire.InstanceState {
	return &ec2wire.InstanceState{Code: shape.Of(s.Code()), Name: shape.Of(string(s))}
}

// wire writes all that DescribeInstances shows (rule instance-members).
func (v view) wire() ec2wire.Instance {
	z, _ := slipway.FindZone(v.Region, v.Zone)
	w := ec2wire.Instance{
		InstanceId: shape.Text(v.ID), ImageId: shape.Text(v.Image), State: stateOf(v.State),
		PrivateDnsName: shape.Of(v.privateName()),
		PublicDnsName:  shape.Of(v.publicName()), StateTransitionReason: &v.TransitionReason,
		KeyName: shape.Text(v.KeyName), AmiLaunchIndex: &v.LaunchIndex,
		ProductCodes: []ec2wire.ProductCode{}, InstanceType: &v.Type, LaunchTime: &v.LaunchTime, Monitoring: v.monitoring(),
		Placement: &ec2wire.Placement{
			AvailabilityZone: &v.Zone, AvailabilityZoneId: shape.Text(z.ID), GroupName: shape.Of(v.Placement.GroupName),
			GroupId: shape.Text(v.Placement.GroupID),
			Tenancy: shape.Of(orDefault(v.Placement.Tenancy)), PartitionNumber: shape.Some(v.Placement.Partition),
			HostId: shape.Text(v.Placement.DedicatedHost), Affinity: shape.Text(v.Placement.Affinity),
		},
		Architecture: &v.Architecture, RootDeviceType: shape.Of("ebs"), RootDeviceName: &v.RootDevice,
		BlockDeviceMappings: v.blockDevices(),
		VirtualizationType:  shape.Of("hvm"), Hypervisor: shape.Of("xen"), ClientToken: &v.ClientToken,
		Tags:           shape.Tags(v.Tags),
		SecurityGroups: v.groupSet(v.ownGroups()), EbsOptimized: &v.EBSOptimized,
		EnaSupport:        shape.Of(v.kind != nil && v.kind.ENA != "unsupported"),
		NetworkInterfaces: []ec2wire.InstanceNetworkInterface{},
		CpuOptions:        &ec2wire.CpuOptions{CoreCount: &v.Cores, ThreadsPerCore: &v.ThreadsPerCore},
		CapacityReservationSpecification: &ec2wire.CapacityReservationSpecificationResponse{
			CapacityReservationPreference: shape.Text(v.CapacityPreference),
		},
		HibernationOptions: &ec2wire.HibernationOptions{Configured: &v.Hibernation},
		MetadataOptions:    Options(v.Metadata, v.Metadata.Applied),
		EnclaveOptions:     &ec2wire.EnclaveOptions{Enabled: shape.Of(false)},
		PlatformDetails:    shape.Of("Linux/UNIX"), UsageOperation: shape.Of("RunInstances"),
		UsageOperationUpdateTime: &v.LaunchTime,
		MaintenanceOptions: &ec2wire.InstanceMaintenanceOptions{
			AutoRecovery: shape.Of(orDefault(v.AutoRecovery)), RebootMigration: shape.Of("default"),
		},
		NetworkPerformanceOptions: &ec2wire.InstanceNetworkPerformanceOptions{BandwidthWeighting: shape.Of("default")},
		Operator:                  &ec2wire.OperatorResponse{Managed: shape.Of(false)},
		InstanceLifecycle:         shape.Text(v.Lifecycle), SpotInstanceRequestId: shape.Text(v.SpotRequest),
		CapacityReservationId: shape.Text(v.CapacityReservation),
		BootMode:              shape.Text(v.BootMode), CurrentInstanceBootMode: shape.Of(v.bootMode()),
		Platform: shape.Text(v.Platform),
	}
	for _, c := range v.ProductCodes {
		w.ProductCodes = append(w.ProductCodes,
			ec2wire.ProductCode{ProductCodeId: shape.Of(c), ProductCodeType: shape.Of("marketplace")})
	}
	for _, arn := range v.Licenses {
		w.Licenses = append(w.Licenses, ec2wire.LicenseConfiguration{LicenseConfigurationArn: shape.Of(arn)})
	}
	if v.Reason.Code != "" {
		w.StateReason = &ec2wire.StateReason{Code: shape.Of(v.Reason.Code), Message: shape.Of(v.Reason.Message)}
	}
	if v.Profile != "" {
		w.IamInstanceProfile = &ec2wire.IamInstanceProfile{Arn: shape.Of(v.Profile), Id: shape.Of(v.ProfileID)}
	}
	if v.State != slipway.Terminated {
		v.network(&w)
	}
	return w
}

// network is where the instance can be reached: a terminated one's is nobody's any more.
func (v view) network(w *ec2wire.Instance) {
	if p := v.primary(); p.IP.IsValid() {
		w.PrivateIpAddress = shape.Of(p.IP.String())
		if p.Public.IsValid() {
			w.PublicIpAddress = shape.Of(p.Public.String())
		}
	}
	if v.VPC == "" {
		return
	}
	w.VpcId, w.SubnetId = shape.Text(v.VPC), shape.Text(v.Subnet)
	w.PrivateDnsNameOptions = &ec2wire.PrivateDnsNameOptionsResponse{
		HostnameType: shape.Text(v.DNS.HostnameType), EnableResourceNameDnsARecord: &v.DNS.ARecord,
		EnableResourceNameDnsAAAARecord: &v.DNS.AAAARecord,
	}
	for i, n := range v.ports {
		w.NetworkInterfaces = append(w.NetworkInterfaces, v.port(n))
		if i == 0 {
			w.SourceDestCheck = &n.SourceDestCheck
			if len(n.IPv6) > 0 {
				w.Ipv6Address = shape.Of(n.IPv6[0].String())
			}
		}
	}
}

func orDefault(s string) string {
	if s == "" {
		return "default"
	}
	return s
}

func (v view) bootMode() string {
	if v.Boot.UEFI {
		return "uefi"
	}
	return "legacy-bios"
}

func (v view) monitoring() *ec2wire.Monitoring {
	m := "disabled"
	switch {
	case v.Monitoring && v.State == slipway.Pending:
		m = "pending"
	case v.Monitoring:
		m = "enabled"
	}
	return &ec2wire.Monitoring{State: &m}
}

// Options writes metadata options; applied says whether the host has them.
func Options(m slipway.MetadataOptions, applied bool) *ec2wire.InstanceMetadataOptionsResponse {
	s := "pending"
	if applied {
		s = "applied"
	}
	return &ec2wire.InstanceMetadataOptionsResponse{
		State: &s, HttpTokens: shape.Of(m.HTTPTokens), HttpPutResponseHopLimit: shape.Of(m.HopLimit),
		HttpEndpoint:     shape.Of(m.HTTPEndpoint),
		HttpProtocolIpv6: shape.Of(m.HTTPIPv6), InstanceMetadataTags: shape.Of(m.Tags),
	}
}

func (v view) blockDevices() []ec2wire.InstanceBlockDeviceMapping {
	out := []ec2wire.InstanceBlockDeviceMapping{}
	if v.State == slipway.Terminated {
		return out
	}
	for i := range v.Volumes {
		b := &v.Volumes[i]
		status := "attached"
		switch {
		case b.Detaching:
			status = "detaching"
		case v.State == slipway.Pending:
			status = "attaching"
		}
		out = append(out, ec2wire.InstanceBlockDeviceMapping{DeviceName: &b.Device, Ebs: &ec2wire.EbsInstanceBlockDevice{
			VolumeId: shape.Text(b.Volume), Status: shape.Of(status), AttachTime: &b.AttachTime,
			DeleteOnTermination: &b.DeleteOnTermination,
		}})
	}
	return out
}

// port writes an interface as an instance shows it (rule interface-shown).
func (v view) port(n *slipway.Interface) ec2wire.InstanceNetworkInterface {
	w := ec2wire.InstanceNetworkInterface{
		NetworkInterfaceId: shape.Text(n.ID), SubnetId: shape.Text(n.Subnet), VpcId: shape.Text(n.VPC),
		Description: &n.Description, OwnerId: &n.Account,
		Status: shape.Of("in-use"), MacAddress: &n.MAC, SourceDestCheck: &n.SourceDestCheck, InterfaceType: &n.Type,
		Groups:        v.groupSet(n.Groups),
		Ipv6Addresses: []ec2wire.InstanceIpv6Address{}, PrivateIpAddresses: []ec2wire.InstancePrivateIpAddress{},
		Operator: &ec2wire.OperatorResponse{Managed: shape.Of(false)},
	}
	if a := n.Attachment; a != nil {
		status := a.State()
		if v.State == slipway.Pending && v.Boots == 1 {
			status = "attaching"
		}
		w.Attachment = &ec2wire.InstanceNetworkInterfaceAttachment{
			AttachmentId: shape.Text(a.ID), DeviceIndex: &a.DeviceIndex, NetworkCardIndex: &a.NetworkCard,
			Status: &status, AttachTime: &a.AttachTime,
			DeleteOnTermination: &a.DeleteOnTermination,
		}
	}
	for i := range n.Addresses {
		a := &n.Addresses[i]
		p := ec2wire.InstancePrivateIpAddress{
			PrivateIpAddress: shape.Of(a.IP.String()), Primary: shape.Of(i == 0),
		}
		if v.vpc == nil || v.vpc.DNSHostnames {
			p.PrivateDnsName = shape.Text(slipway.PrivateName(v.Region, slipway.PrivateDNS{}, "", a.IP))
		}
		if a.Public.IsValid() {
			owner := "amazon"
			if a.Allocation != "" {
				owner = n.Account
			}
			p.Association = &ec2wire.InstanceNetworkInterfaceAssociation{
				PublicIp:      shape.Of(a.Public.String()),
				PublicDnsName: shape.Of(slipway.PublicName(v.Region, v.vpc == nil || v.vpc.DNSHostnames, a.Public)),
				IpOwnerId:     &owner,
			}
		}
		if i == 0 {
			w.PrivateIpAddress, w.PrivateDnsName, w.Association = p.PrivateIpAddress, p.PrivateDnsName, p.Association
		}
		w.PrivateIpAddresses = append(w.PrivateIpAddresses, p)
	}
	for i, ip := range n.IPv6 {
		w.Ipv6Addresses = append(w.Ipv6Addresses,
			ec2wire.InstanceIpv6Address{Ipv6Address: shape.Of(ip.String()), IsPrimaryIpv6: shape.Of(i == 0 && n.PrimaryIPv6)})
	}
	for _, p := range n.Prefixes {
		w.Ipv4Prefixes = append(w.Ipv4Prefixes, ec2wire.InstanceIpv4Prefix{Ipv4Prefix: shape.Of(p.String())})
	}
	for _, p := range n.Prefixes6 {
		w.Ipv6Prefixes = append(w.Ipv6Prefixes, ec2wire.InstanceIpv6Prefix{Ipv6Prefix: shape.Of(p.String())})
	}
	return w
}
