package launchtemplates

import (
	"context"
	"encoding/base64"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// FromInstance shows an instance's parameters so that a template can be made of them. What only that instance can have is
// left out: its interfaces' ids and addresses.
func (s *Service) FromInstance(
	ctx context.Context, in *ec2wire.GetLaunchTemplateDataRequest,
) (*ec2wire.GetLaunchTemplateDataResult, error) {
	if shape.Get(in.InstanceId) == "" {
		return nil, slipway.Missing("InstanceId")
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
	if !i.Alive() {
		return nil, slipway.Errorf(slipway.IncorrectInstanceState,
			"The instance '%s' is not in a state from which its launch template data can be retrieved.", id)
	}
	return &ec2wire.GetLaunchTemplateDataResult{LaunchTemplateData: ofInstance(r, i)}, nil
}

func ofInstance(r store.Reader, i *slipway.Instance) *ec2wire.ResponseLaunchTemplateData {
	scope := state.Scope{Account: i.Account, Region: i.Region}
	w := &ec2wire.ResponseLaunchTemplateData{
		ImageId: shape.Text(i.Image), InstanceType: &i.Type, KeyName: shape.Text(i.KeyName), EbsOptimized: &i.EBSOptimized,
		Monitoring: &ec2wire.LaunchTemplatesMonitoring{Enabled: &i.Monitoring},
		Placement: &ec2wire.LaunchTemplatePlacement{
			AvailabilityZone: &i.Zone, GroupName: shape.Of(i.Placement.GroupName),
			Tenancy:         shape.Of(otherwise(i.Placement.Tenancy, "default")),
			PartitionNumber: shape.Some(i.Placement.Partition),
		},
		DisableApiTermination: &i.ProtectTerminate, DisableApiStop: &i.ProtectStop,
		InstanceInitiatedShutdownBehavior: &i.ShutdownBehavior,
		CpuOptions: &ec2wire.LaunchTemplateCpuOptions{
			CoreCount: &i.Cores, ThreadsPerCore: &i.ThreadsPerCore,
		},
		HibernationOptions: &ec2wire.LaunchTemplateHibernationOptions{Configured: &i.Hibernation},
		EnclaveOptions:     &ec2wire.LaunchTemplateEnclaveOptions{Enabled: shape.Of(false)},
		MetadataOptions: &ec2wire.LaunchTemplateInstanceMetadataOptions{
			HttpTokens: shape.Of(i.Metadata.HTTPTokens), HttpPutResponseHopLimit: shape.Of(i.Metadata.HopLimit),
			HttpEndpoint:     shape.Of(i.Metadata.HTTPEndpoint),
			HttpProtocolIpv6: shape.Of(i.Metadata.HTTPIPv6), InstanceMetadataTags: shape.Of(i.Metadata.Tags),
		},
		CapacityReservationSpecification: &ec2wire.LaunchTemplateCapacityReservationSpecificationResponse{
			CapacityReservationPreference: shape.Text(i.CapacityPreference),
		},
		MaintenanceOptions: &ec2wire.LaunchTemplateInstanceMaintenanceOptions{
			AutoRecovery: shape.Of(otherwise(i.AutoRecovery, "default")),
		},
		PrivateDnsNameOptions: &ec2wire.LaunchTemplatePrivateDnsNameOptions{
			HostnameType: shape.Text(i.DNS.HostnameType), EnableResourceNameDnsARecord: &i.DNS.ARecord,
			EnableResourceNameDnsAAAARecord: &i.DNS.AAAARecord,
		},
	}
	if len(i.UserData) > 0 {
		w.UserData = shape.Of(base64.StdEncoding.EncodeToString(i.UserData))
	}
	if i.Profile != "" {
		w.IamInstanceProfile = &ec2wire.LaunchTemplateIamInstanceProfileSpecification{Arn: &i.Profile}
	}
	if i.CPUCredits != "" {
		w.CreditSpecification = &ec2wire.CreditSpecification{CpuCredits: &i.CPUCredits}
	}
	own := slipway.Tags{}
	for k, v := range i.Tags {
		if !strings.HasPrefix(k, "aws:") {
			own[k] = v
		}
	}
	if len(own) > 0 {
		w.TagSpecifications = []ec2wire.LaunchTemplateTagSpecification{
			{ResourceType: shape.Of("instance"), Tags: shape.Tags(own)},
		}
	}
	for _, b := range i.Volumes {
		if v := state.Volumes.See(r, scope, string(b.Volume)); v != nil {
			w.BlockDeviceMappings = append(w.BlockDeviceMappings, device(b, v))
		}
	}
	for _, id := range i.Interfaces {
		if n := state.Interfaces.See(r, scope, string(id)); n != nil && n.Attachment != nil {
			w.NetworkInterfaces = append(w.NetworkInterfaces, port(n, len(i.Interfaces) == 1))
		}
	}
	return w
}

func otherwise(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

func device(b slipway.BlockDevice, v *slipway.Volume) ec2wire.LaunchTemplateBlockDeviceMapping {
	e := &ec2wire.LaunchTemplateEbsBlockDevice{
		DeleteOnTermination: &b.DeleteOnTermination, Encrypted: &v.Encrypted,
		KmsKeyId:   shape.Key(v.Encrypted, v.Key, v.Account, v.Region),
		SnapshotId: shape.Text(v.Snapshot),
		VolumeSize: &v.SizeGiB, VolumeType: shape.Of(string(v.Type)),
	}
	switch v.Type {
	case "gp3":
		e.Iops, e.Throughput = shape.Some(v.IOPS), shape.Some(v.Throughput)
	case "io1", "io2":
		e.Iops = shape.Some(v.IOPS)
	}
	return ec2wire.LaunchTemplateBlockDeviceMapping{DeviceName: &b.Device, Ebs: e}
}

// port is an interface like n. Only the single one may ask for a public address.
func port(n *slipway.Interface, single bool) ec2wire.LaunchTemplateInstanceNetworkInterfaceSpecification {
	a := n.Attachment
	w := ec2wire.LaunchTemplateInstanceNetworkInterfaceSpecification{
		DeviceIndex: &a.DeviceIndex, NetworkCardIndex: &a.NetworkCard, DeleteOnTermination: &a.DeleteOnTermination,
		Description: &n.Description,
		SubnetId:    shape.Text(n.Subnet), InterfaceType: &n.Type,
	}
	for _, g := range n.Groups {
		w.Groups = append(w.Groups, string(g))
	}
	if single && a.DeviceIndex == 0 {
		w.AssociatePublicIpAddress = &n.AutoPublic
	}
	if more := int32(len(n.Addresses)) - 1; more > 0 {
		w.SecondaryPrivateIpAddressCount = &more
	}
	w.Ipv6AddressCount = shape.Some(int32(len(n.IPv6)))
	return w
}
