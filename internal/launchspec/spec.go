// Package launchspec reads what a request to launch says: RunInstances' members, laid over a launch template's, become
// a slipway.LaunchSpec by every check that needs no state. After it there is no wire type. It looks nothing up but
// launch templates.
package launchspec

import (
	"slices"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/interfacespec"
	"slipway/internal/shape"
)

// DefaultType is what a launch gets that names no instance type: EC2's historical default.
const DefaultType = "m1.small"

// Bounds of a launch.
const (
	MaxPerCall = 1000
	maxToken   = 64
)

// Read reads a request that a template, if any, has already completed. It makes every check that needs no state, in
// the order of docs/order-of-checks.md: values, what is required, what excludes what, the form of ids.
func Read(in *ec2wire.RunInstancesRequest) (slipway.LaunchSpec, error) {
	s := slipway.LaunchSpec{
		Type:           shape.Get(in.InstanceType),
		LaunchAccess:   slipway.LaunchAccess{KeyName: shape.Get(in.KeyName)},
		LaunchToken:    slipway.LaunchToken{ClientToken: shape.Get(in.ClientToken)},
		LaunchHardware: slipway.LaunchHardware{EBSOptimized: in.EbsOptimized},
		LaunchOptions: slipway.LaunchOptions{
			ProtectTerminate: shape.Get(in.DisableApiTermination), ProtectStop: shape.Get(in.DisableApiStop),
		},
	}
	if in.Monitoring != nil {
		s.Monitoring = shape.Get(in.Monitoring.Enabled)
	}
	for _, step := range []func(*slipway.LaunchSpec, *ec2wire.RunInstancesRequest) error{
		refused, values, required, exclusive, readNetwork, readDevices, readPlacement, readCapacity, readMarket,
	} {
		if err := step(&s, in); err != nil {
			return s, err
		}
	}
	return s, nil
}

// refused are the members that slipway does not have, by name and with the reason.
func refused(_ *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	switch {
	case shape.Get(in.AdditionalInfo) != "":
		return slipway.Errorf(slipway.InvalidParameterCombination, "Bad property set: [%s]", *in.AdditionalInfo)
	case shape.Get(in.KernelId) != "":
		if !slipway.WellFormed("aki", *in.KernelId) {
			return slipway.Errorf(slipway.InvalidKernelIDMalformed, "Invalid id: %q (expecting \"aki-...\")", *in.KernelId)
		}
		return slipway.Errorf(slipway.InvalidAMIIDNotFound, "The image id '[%s]' does not exist", *in.KernelId)
	case shape.Get(in.RamdiskId) != "":
		if !slipway.WellFormed("ari", *in.RamdiskId) {
			return slipway.Errorf(slipway.InvalidRamDiskIDMalformed, "Invalid id: %q (expecting \"ari-...\")", *in.RamdiskId)
		}
		return slipway.Errorf(slipway.InvalidAMIIDNotFound, "The image id '[%s]' does not exist", *in.RamdiskId)
	case in.Monitoring != nil && len(in.Monitoring.MetricCategoryIds) > 0:
		return slipway.Refused("Monitoring.MetricCategoryId", "there is no CloudWatch here.")
	case len(in.ElasticGpuSpecification) > 0:
		return slipway.Refused("ElasticGpuSpecification", "elastic GPUs ended in January 2024.")
	case len(in.ElasticInferenceAccelerators) > 0:
		return slipway.Refused("ElasticInferenceAccelerator", "elastic inference has ended.")
	case in.Operator != nil && shape.Get(in.Operator.Principal) != "":
		return slipway.Refused("Operator", "it is for AWS's own services.")
	case len(in.SecondaryInterfaces) > 0:
		return slipway.Errorf(slipway.Unsupported,
			"The parameter SecondaryInterface is not supported: there are no secondary networks here.")
	case in.EnclaveOptions != nil && shape.Get(in.EnclaveOptions.Enabled):
		return slipway.Refused("EnclaveOptions.Enabled", "there are no Nitro enclaves on this host.")
	case in.NetworkPerformanceOptions != nil &&
		!slices.Contains([]string{"", "default"}, shape.Get(in.NetworkPerformanceOptions.BandwidthWeighting)):
		return slipway.Errorf(slipway.Unsupported,
			"The parameter NetworkPerformanceOptions.BandwidthWeighting is not supported: no instance type here "+
				"shares bandwidth between network and volumes.")
	}
	if c := in.CpuOptions; c != nil {
		if shape.Get(c.AmdSevSnp) == "enabled" {
			return slipway.Errorf(slipway.Unsupported,
				"The parameter CpuOptions.AmdSevSnp is not supported on this instance type.")
		}
		if shape.Get(c.NestedVirtualization) == "enabled" {
			return slipway.Errorf(slipway.Unsupported,
				"The parameter CpuOptions.NestedVirtualization is not supported on this instance type.")
		}
	}
	return nil
}

// OneOf refuses a value outside of a closed set; empty is not given.
func OneOf(value *string, parameter string, set ...string) error {
	if v := shape.Get(value); v != "" && !slices.Contains(set, v) {
		return slipway.Invalid(v, parameter, "It must be one of "+strings.Join(set, ", ")+".")
	}
	return nil
}

// values checks each scalar by itself.
func values(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	if err := OneOf(in.InstanceInitiatedShutdownBehavior, "instanceInitiatedShutdownBehavior", "stop",
		"terminate"); err != nil {
		return err
	}
	s.ShutdownBehavior = shape.Get(in.InstanceInitiatedShutdownBehavior)
	if len(s.ClientToken) > maxToken {
		return slipway.Errorf(slipway.InvalidClientToken, "The client token is longer than %d characters.", maxToken)
	}
	var err error
	if s.UserData, err = slipway.ParseUserData(shape.Get(in.UserData)); err != nil {
		return err
	}
	if s.Metadata, err = metadataOptions(in.MetadataOptions); err != nil {
		return err
	}
	if s.Tags, err = shape.TagsAtLaunch(in.TagSpecifications, "instance", "volume", "network-interface",
		"spot-instances-request"); err != nil {
		return err
	}
	if s.Metadata.Tags == "enabled" {
		for k := range s.Tags["instance"] {
			if err := slipway.CheckMetadataTag(k); err != nil {
				return err
			}
		}
	}
	if o := in.PrivateDnsNameOptions; o != nil {
		if err := OneOf(o.HostnameType, "hostnameType", "ip-name", "resource-name"); err != nil {
			return err
		}
		s.HostnameType, s.ARecord, s.AAAARecord = shape.Get(o.HostnameType), o.EnableResourceNameDnsARecord,
			o.EnableResourceNameDnsAAAARecord
	}
	if o := in.MaintenanceOptions; o != nil {
		if err := OneOf(o.AutoRecovery, "autoRecovery", "default", "disabled"); err != nil {
			return err
		}
		s.AutoRecovery = shape.Get(o.AutoRecovery)
	}
	if o := in.CreditSpecification; o != nil {
		if c := shape.Get(o.CpuCredits); c != "" && c != "standard" && c != "unlimited" {
			return slipway.Errorf(slipway.InvalidCpuCredits,
				"Invalid value '%s' for cpuCredits. It must be standard or unlimited.", c)
		}
		s.CPUCredits = shape.Get(o.CpuCredits)
	}
	if o := in.HibernationOptions; o != nil {
		s.Hibernation = shape.Get(o.Configured)
	}
	for _, o := range in.LicenseSpecifications {
		arn := shape.Get(o.LicenseConfigurationArn)
		if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":license-manager:") {
			return slipway.Invalid(arn, "licenseConfigurationArn", "It must be the ARN of a license configuration.")
		}
		s.Licenses = append(s.Licenses, arn)
	}
	if o := in.CpuOptions; o != nil {
		s.Cores, s.Threads = shape.Get(o.CoreCount), shape.Get(o.ThreadsPerCore)
	}
	if o := in.IamInstanceProfile; o != nil {
		s.ProfileARN, s.ProfileName = shape.Get(o.Arn), shape.Get(o.Name)
	}
	return nil
}

func metadataOptions(o *ec2wire.InstanceMetadataOptionsRequest) (slipway.MetadataOptions, error) {
	if o == nil {
		return slipway.MetadataOptions{}, nil
	}
	return MetadataValues(o.HttpTokens, o.HttpEndpoint, o.HttpProtocolIpv6, o.InstanceMetadataTags, o.HttpPutResponseHopLimit)
}

// MetadataValues checks the metadata options' values; empty members are not given.
func MetadataValues(tokens, endpoint, ipv6, tags *string, hops *int32) (slipway.MetadataOptions, error) {
	m := slipway.MetadataOptions{
		HTTPTokens: shape.Get(tokens), HTTPEndpoint: shape.Get(endpoint), HTTPIPv6: shape.Get(ipv6),
		Tags: shape.Get(tags), HopLimit: shape.Get(hops),
	}
	for _, f := range []struct{ value, name, a, b string }{
		{m.HTTPTokens, "HttpTokens", "optional", "required"}, {m.HTTPEndpoint, "HttpEndpoint", "enabled", "disabled"},
		{m.HTTPIPv6, "HttpProtocolIpv6", "enabled", "disabled"}, {m.Tags, "InstanceMetadataTags", "enabled", "disabled"},
	} {
		if f.value != "" && f.value != f.a && f.value != f.b {
			return m, slipway.Errorf(slipway.InvalidParameterValue,
				"A value of '%s' is not valid for %s. Specify either '%s' or '%s' and try again.", f.value, f.name, f.a, f.b)
		}
	}
	if hops != nil && (*hops < 1 || *hops > 64) {
		return m, slipway.Errorf(slipway.InvalidParameterValue,
			"A value of '%d' is not valid for HttpPutResponseHopLimit. Specify a number from 1 to 64 and try again.", *hops)
	}
	return m, nil
}

// required are the members without which there is no launch.
func required(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	switch {
	case shape.Get(in.ImageId) == "":
		return slipway.Missing("ImageId")
	case in.MinCount == nil:
		return slipway.Missing("MinCount")
	case in.MaxCount == nil:
		return slipway.Missing("MaxCount")
	case *in.MinCount < 1:
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter minCount is invalid. Minimum value is 1.", *in.MinCount)
	case *in.MaxCount < 1:
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter maxCount is invalid. Minimum value is 1.", *in.MaxCount)
	case *in.MinCount > *in.MaxCount:
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter minCount is invalid. It may not exceed maxCount (%d).", *in.MinCount, *in.MaxCount)
	case *in.MinCount > MaxPerCall:
		return slipway.Errorf(slipway.ResourceCountExceeded,
			"You have requested %d instances; one call launches at most %d.", *in.MinCount, MaxPerCall)
	}
	s.Min, s.Max = *in.MinCount, min(*in.MaxCount, MaxPerCall)
	if s.Type == "" {
		s.Type = DefaultType
	}
	return nil
}

func Combination(format string, args ...any) error {
	return slipway.Errorf(slipway.InvalidParameterCombination, format, args...)
}

// exclusive are the members that may not stand together (rule exclusive-members).
func exclusive(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	const same = "may not be specified on the same request"
	if len(in.NetworkInterfaces) > 0 {
		switch {
		case shape.Get(in.SubnetId) != "":
			return Combination("Network interfaces and an instance-level subnet ID " + same)
		case len(in.SecurityGroupIds)+len(in.SecurityGroups) > 0:
			return Combination("Network interfaces and an instance-level security groups " + same)
		case shape.Get(in.PrivateIpAddress) != "":
			return Combination("Network interfaces and an instance-level private address " + same)
		case in.Ipv6AddressCount != nil || len(in.Ipv6Addresses) > 0:
			return Combination("Network interfaces and instance-level IPv6 addresses " + same)
		case in.EnablePrimaryIpv6 != nil:
			return Combination("Network interfaces and an instance-level primary IPv6 " + same)
		}
	}
	switch {
	case shape.Get(in.SubnetId) != "" && len(in.SecurityGroups) > 0:
		return Combination("The parameter groupName cannot be used with the parameter subnet")
	case s.Max > 1 && shape.Get(in.PrivateIpAddress) != "":
		return Combination("A private IP address can only be specified when launching a single instance.")
	case s.Max > 1 && len(in.Ipv6Addresses) > 0:
		return Combination("IPv6 addresses can only be specified when launching a single instance.")
	case s.ProfileARN != "" && s.ProfileName != "":
		return Combination("The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
	case (s.Cores == 0) != (s.Threads == 0):
		return Combination("CpuOptions.CoreCount and CpuOptions.ThreadsPerCore must be specified together.")
	}
	if p := in.Placement; p != nil {
		switch {
		case shape.Get(p.AvailabilityZone) != "" && shape.Get(p.AvailabilityZoneId) != "":
			return Combination("The parameter availabilityZone cannot be used with the parameter availabilityZoneId")
		case shape.Get(p.GroupName) != "" && shape.Get(p.GroupId) != "":
			return Combination("The parameter groupName cannot be used with the parameter groupId")
		}
	}
	return nil
}

// readNetwork reads the network members and the form of their ids.
func readNetwork(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	var err error
	n := &s.Network
	if id := shape.Get(in.SubnetId); id != "" {
		if n.Subnet, err = slipway.ParseSubnetID(id); err != nil {
			return err
		}
	}
	if s.Image, err = imageID(*in.ImageId); err != nil {
		return err
	}
	if n.GroupIDs, err = GroupIDs(in.SecurityGroupIds); err != nil {
		return err
	}
	for _, name := range in.SecurityGroups {
		if name == "" {
			return slipway.Errorf(slipway.InvalidParameterValue,
				"Value () for parameter groupName is invalid. The value cannot be empty")
		}
	}
	n.GroupNames = in.SecurityGroups
	given, err := interfacespec.Addresses{
		Primary: in.PrivateIpAddress, IPv6: in.Ipv6Addresses, IPv6Count: in.Ipv6AddressCount, PrimaryIPv6: in.EnablePrimaryIpv6,
	}.Read()
	if err != nil {
		return err
	}
	n.PrivateIP, n.IPv6, n.IPv6Count, n.PrimaryIPv6 = given.Primary, given.IPv6, int32(given.IPv6Count), given.PrimaryIPv6
	return readInterfaces(s, in)
}

func imageID(id string) (slipway.ImageID, error) {
	if strings.HasPrefix(id, "resolve:ssm:") {
		return slipway.ImageID(id), nil // looked up among the public aliases
	}
	return slipway.ParseImageID(id)
}

func GroupIDs(in []string) ([]slipway.SecurityGroupID, error) {
	var out []slipway.SecurityGroupID
	for _, id := range in {
		if id == "" {
			return nil, slipway.Errorf(slipway.InvalidParameterValue,
				"Value () for parameter groupId is invalid. The value cannot be empty")
		}
		g, err := slipway.ParseSecurityGroupID(id)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, g) {
			return nil, slipway.Errorf(slipway.InvalidParameterValue,
				"Value (%s) for parameter groupId is invalid. The same group is given twice.", id)
		}
		out = append(out, g)
	}
	return out, nil
}

// readDevices reads the block device mapping of the request.
func readDevices(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	var err error
	s.Devices, err = Mappings(in.BlockDeviceMappings)
	return err
}

// Mappings reads a block device mapping: of a launch, or of a new image.
func Mappings(in []ec2wire.BlockDeviceMapping) ([]slipway.Mapping, error) {
	seen := map[string]bool{}
	var out []slipway.Mapping
	for _, b := range in {
		m := slipway.Mapping{Device: shape.Get(b.DeviceName), Virtual: shape.Get(b.VirtualName), NoDevice: b.NoDevice != nil}
		switch {
		case m.Device == "":
			return nil, slipway.Missing("BlockDeviceMapping.DeviceName")
		case seen[m.Device]:
			return nil, slipway.Errorf(slipway.InvalidBlockDeviceMapping, "Invalid device name %s: it is used twice", m.Device)
		case b.Ebs == nil && m.Virtual == "" && !m.NoDevice:
			return nil, slipway.Missing("ebs")
		case m.Virtual != "" && b.Ebs != nil:
			return nil, slipway.Errorf(slipway.InvalidBlockDeviceMapping,
				"The device %s has both a virtual name and an EBS volume", m.Device)
		case m.Virtual != "" && !ephemeralName(m.Virtual):
			return nil, slipway.Errorf(slipway.InvalidBlockDeviceMapping,
				"Invalid virtual name %s: it must be ephemeral0 to ephemeral23", m.Virtual)
		}
		seen[m.Device] = true
		if e := b.Ebs; e != nil && !m.NoDevice {
			switch {
			case shape.Get(e.AvailabilityZone) != "" || shape.Get(e.AvailabilityZoneId) != "":
				return nil, slipway.Errorf(slipway.InvalidParameterCombination,
					"The parameter Ebs.AvailabilityZone is not allowed in a block device mapping")
			case shape.Get(e.OutpostArn) != "":
				return nil, slipway.Errorf(slipway.UnsupportedOperation,
					"The parameter BlockDeviceMapping.Ebs.OutpostArn is not supported: there are no Outposts here.")
			case shape.Get(e.EbsCardIndex) != 0:
				return nil, slipway.Errorf(slipway.Unsupported,
					"The parameter BlockDeviceMapping.Ebs.EbsCardIndex is not supported: instance types here have one EBS card.")
			case e.VolumeInitializationRate != nil:
				return nil, slipway.Errorf(slipway.UnsupportedOperation,
					"The parameter BlockDeviceMapping.Ebs.VolumeInitializationRate is not supported: volumes here "+
						"need no initialization, they read from their snapshot at once.")
			}
			if err := shape.CheckKey(e.KmsKeyId, e.Encrypted); err != nil {
				return nil, err
			}
			if id := shape.Get(e.SnapshotId); id != "" {
				if _, err := slipway.ParseSnapshotID(id); err != nil {
					return nil, err
				}
			}
			m.Snapshot, m.SizeGiB, m.Type = slipway.SnapshotID(shape.Get(e.SnapshotId)), shape.Get(e.VolumeSize),
				shape.Get(e.VolumeType)
			m.IOPS, m.Throughput, m.Encrypted, m.Key, m.DeleteOnTermination = shape.Get(e.Iops),
				shape.Get(e.Throughput), e.Encrypted, shape.Get(e.KmsKeyId), e.DeleteOnTermination
		}
		out = append(out, m)
	}
	return out, nil
}

func ephemeralName(s string) bool {
	n, ok := strings.CutPrefix(s, "ephemeral")
	return ok && len(n) > 0 && len(n) <= 2 && strings.Trim(n, "0123456789") == "" && (len(n) == 1 || n <= "23")
}

// readPlacement reads where the launch shall go.
func readPlacement(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	p := in.Placement
	if p == nil {
		return nil
	}
	if err := OneOf(p.Tenancy, "tenancy", "default", "dedicated", "host"); err != nil {
		return err
	}
	if err := OneOf(p.Affinity, "affinity", "default", "host"); err != nil {
		return err
	}
	switch {
	case shape.Get(p.SpreadDomain) != "":
		return slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter Placement.SpreadDomain is not supported: EC2 reserves it.")
	case shape.Get(p.HostResourceGroupArn) != "":
		return slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter Placement.HostResourceGroupArn is not supported: there are no host resource groups here.")
	}
	s.Zone = shape.Get(p.AvailabilityZone) + shape.Get(p.AvailabilityZoneId)
	s.Placement = slipway.Placement{
		Tenancy: shape.Get(p.Tenancy), GroupName: shape.Get(p.GroupName), Partition: shape.Get(p.PartitionNumber),
		Affinity: shape.Get(p.Affinity),
	}
	if id := shape.Get(p.HostId); id != "" {
		var err error
		if s.Placement.DedicatedHost, err = slipway.ParseDedicatedHostID(id); err != nil {
			return err
		}
		if s.Placement.Tenancy == "" {
			s.Placement.Tenancy = "host"
		}
	}
	switch {
	case s.Placement.DedicatedHost != "" && s.Placement.Tenancy != "host":
		return Combination("The parameter hostId requires the tenancy 'host', not '%s'.", s.Placement.Tenancy)
	case s.Placement.Affinity == "host" && s.Placement.Tenancy != "host":
		return slipway.Errorf(slipway.InvalidAffinity, "The affinity 'host' requires the tenancy 'host'.")
	}
	if id := shape.Get(p.GroupId); id != "" {
		var err error
		if s.Placement.GroupID, err = slipway.ParsePlacementGroupID(id); err != nil {
			return err
		}
	}
	return nil
}
