package apitest

import (
	_ "embed"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"slipway"
	"slipway/internal/await"
	"slipway/internal/state"
	"slipway/internal/store"
	"strings"
	"time"
)

// World is what the calls of a test find: an instance that runs, one that is stopped, and what lies around them.
type World struct {
	Running, Stopped, Image, Key, Group, VPC, Subnet, Volume, Spare     string
	Idle, Snapshot, AMI, InterfaceID, Template, Capacity, Spot, Profile string

	host string
}

func NewWorld(w *Wire) World {
	w.T.Helper()
	o := World{Image: w.Image(), Key: "ops"}
	launch := func() string {
		return w.Must("instanceId", "RunInstances", "ImageId", o.Image, "InstanceType", "t3.micro", "MinCount", "1",
			"MaxCount", "1")
	}
	o.Running, o.Stopped = launch(), launch()
	w.Await(o.Running, "running")
	w.Await(o.Stopped, "running")
	w.Must("instanceId", "StopInstances", "InstanceId.1", o.Stopped)
	w.Await(o.Stopped, "stopped")
	w.Must("keyPairId", "CreateKeyPair", "KeyName", o.Key)
	o.VPC = w.Must("vpcId", "DescribeVpcs")
	o.Subnet = w.Must("subnetId", "DescribeSubnets")
	o.Group = w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	w.Must("return", "AuthorizeSecurityGroupIngress", "GroupId", o.Group, "IpProtocol", "tcp", "FromPort", "80",
		"ToPort", "80", "CidrIp", "10.0.0.0/8")
	o.Volume = w.Must("volumeId", "DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", o.Running)
	o.Idle = w.Must("volumeId", "DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", o.Stopped)
	o.InterfaceID = w.Must("networkInterfaceId", "DescribeNetworkInterfaces", "Filter.1.Name", "attachment.instance-id",
		"Filter.1.Value.1", o.Running)
	o.Template = w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web",
		"LaunchTemplateData.InstanceType", "t3.micro")
	w.Must("versionNumber", "CreateLaunchTemplateVersion", "LaunchTemplateId", o.Template, "SourceVersion", "1",
		"LaunchTemplateData.InstanceType", "t3.small")
	w.Must("groupId", "CreatePlacementGroup", "GroupName", "together", "Strategy", "cluster")
	o.Capacity = w.Must("capacityReservationId", "CreateCapacityReservation", "InstanceType", "m5.large",
		"InstancePlatform", "Linux/UNIX", "InstanceCount", "2", "AvailabilityZone", "us-east-1b")
	o.host = w.Must("hostIdSet", "AllocateHosts", "AvailabilityZone", "us-east-1a", "InstanceFamily", "m5")
	o.host = First(o.host, "item")
	o.Spot = w.Must("spotInstanceRequestId", "RequestSpotInstances", "LaunchSpecification.ImageId", o.Image,
		"LaunchSpecification.InstanceType", "t3.micro")
	w.Profiled("app", Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	o.Profile = w.Must("associationId", "AssociateIamInstanceProfile", "InstanceId", o.Running,
		"IamInstanceProfile.Name", "app")
	o.Spare = w.Must("volumeId", "CreateVolume", "AvailabilityZone",
		w.Must("availabilityZone", "DescribeInstances", "InstanceId.1", o.Running), "Size", "2")
	w.AwaitVolume(o.Spare, "available")
	o.Snapshot = w.Must("snapshotId", "CreateSnapshot", "VolumeId", o.Spare)
	w.AwaitSnapshot(o.Snapshot, "completed")
	o.AMI = w.Must("imageId", "RegisterImage", "Name", "mine", "RootDeviceName", "/dev/xvda",
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", w.Copied(o.Snapshot))
	return o
}

// Await waits until the instance has the state, or one of several.
func (w *Wire) Await(id, state string) {
	w.T.Helper()
	await.Success(w.T, Patience, func() error {
		if now := First(w.Must("instanceState", "DescribeInstances", "InstanceId.1", id),
			"name"); !slices.Contains(strings.Split(state, ","), now) {
			return fmt.Errorf("%s is %s, want %s", id, now, state)
		}
		return nil
	})
}

// Settled waits until nothing more will be observed of a running instance by itself.
func (w *Wire) Settled(id string) {
	w.T.Helper()
	w.Eventually("the status checks of "+id+" pass", func() bool {
		return First(w.Must("instanceStatus", "DescribeInstanceStatus", "InstanceId.1", id), "status") == "passed"
	})
}

// dryRuns are parameters with which each action would succeed.
func (o World) dryRuns() map[string][]string {
	launch := []string{"ImageId", o.Image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
	rule := []string{
		"GroupId", o.Group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "443",
		"IpPermissions.1.ToPort", "443", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8",
	}
	return map[string][]string{
		"RunInstances":                         launch,
		"DescribeInstanceAttribute":            {"InstanceId", o.Running, "Attribute", "userData"},
		"ModifyInstanceAttribute":              {"InstanceId", o.Running, "DisableApiTermination.Value", "true"},
		"ModifyInstanceMetadataOptions":        {"InstanceId", o.Running, "HttpTokens", "required"},
		"DescribeInstanceCreditSpecifications": {"InstanceId.1", o.Running},
		"ModifyInstanceCreditSpecification": {"InstanceCreditSpecification.1.InstanceId", o.Running,
			"InstanceCreditSpecification.1.CpuCredits", "standard"},
		"StartInstances":                   {"InstanceId.1", o.Stopped},
		"StopInstances":                    {"InstanceId.1", o.Running},
		"RebootInstances":                  {"InstanceId.1", o.Running},
		"TerminateInstances":               {"InstanceId.1", o.Running},
		"MonitorInstances":                 {"InstanceId.1", o.Running},
		"UnmonitorInstances":               {"InstanceId.1", o.Running},
		"GetConsoleOutput":                 {"InstanceId", o.Running},
		"GetConsoleScreenshot":             {"InstanceId", o.Running},
		"SendDiagnosticInterrupt":          {"InstanceId", o.Running},
		"GetPasswordData":                  {"InstanceId", o.Running},
		"ModifyInstancePlacement":          {"InstanceId", o.Stopped, "Tenancy", "dedicated"},
		"ModifyInstanceCpuOptions":         {"InstanceId", o.Stopped, "CoreCount", "1", "ThreadsPerCore", "1"},
		"ModifyInstanceMaintenanceOptions": {"InstanceId", o.Running, "AutoRecovery", "disabled"},
		"ModifyPrivateDnsNameOptions":      {"InstanceId", o.Running, "EnableResourceNameDnsARecord", "true"},
		"ModifyInstanceCapacityReservationAttributes": {"InstanceId", o.Stopped,
			"CapacityReservationSpecification.CapacityReservationPreference", "none"},
		"ModifyInstanceNetworkPerformanceOptions": {"InstanceId", o.Running, "BandwidthWeighting", "default"},
		"ResetInstanceAttribute":                  {"InstanceId", o.Running, "Attribute", "sourceDestCheck"},
		"ReportInstanceStatus":                    {"InstanceId.1", o.Running, "Status", "impaired", "ReasonCode.1", "other"},
		"AssociateIamInstanceProfile":             {"InstanceId", o.Stopped, "IamInstanceProfile.Name", "app"},
		"ReplaceIamInstanceProfileAssociation":    {"AssociationId", o.Profile, "IamInstanceProfile.Name", "app"},
		"DisassociateIamInstanceProfile":          {"AssociationId", o.Profile},
		"GetInstanceUefiData":                     {"InstanceId", o.Running},
		"ModifyInstanceMetadataDefaults":          {"HttpTokens", "required"},

		"CreateSecurityGroup":           {"GroupName", "db", "GroupDescription", "db"},
		"DeleteSecurityGroup":           {"GroupId", o.Group},
		"AuthorizeSecurityGroupIngress": rule,
		"AuthorizeSecurityGroupEgress":  rule,
		"RevokeSecurityGroupIngress": {"GroupId", o.Group, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80",
			"CidrIp", "10.0.0.0/8"},
		"RevokeSecurityGroupEgress": {"GroupId", o.Group, "IpPermissions.1.IpProtocol", "-1",
			"IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"},
		"DescribeVpcAttribute": {"VpcId", o.VPC, "Attribute", "enableDnsSupport"},
		"CreateTags":           {"ResourceId.1", o.Running, "Tag.1.Key", "a", "Tag.1.Value", "b"},
		"DeleteTags":           {"ResourceId.1", o.Running},
		"CreateKeyPair":        {"KeyName", "new"},
		"ImportKeyPair":        {"KeyName", "new", "PublicKeyMaterial", TestPublicKey},
		"DeleteKeyPair":        {"KeyName", o.Key},

		"CreateLaunchTemplate":           {"LaunchTemplateName", "new", "LaunchTemplateData.InstanceType", "t3.micro"},
		"CreateLaunchTemplateVersion":    {"LaunchTemplateId", o.Template, "LaunchTemplateData.InstanceType", "t3.micro"},
		"DescribeLaunchTemplateVersions": {"LaunchTemplateId", o.Template},
		"ModifyLaunchTemplate":           {"LaunchTemplateId", o.Template, "SetDefaultVersion", "2"},
		"DeleteLaunchTemplate":           {"LaunchTemplateId", o.Template},
		"DeleteLaunchTemplateVersions":   {"LaunchTemplateId", o.Template, "LaunchTemplateVersion.1", "2"},
		"GetLaunchTemplateData":          {"InstanceId", o.Running},
		"CreatePlacementGroup":           {"GroupName", "apart", "Strategy", "spread"},
		"DeletePlacementGroup":           {"GroupName", "together"},

		"RequestSpotInstances":       {"LaunchSpecification.ImageId", o.Image, "LaunchSpecification.InstanceType", "t3.micro"},
		"CancelSpotInstanceRequests": {"SpotInstanceRequestId.1", o.Spot},
		"CreateCapacityReservation": {"InstanceType", "m5.large", "InstancePlatform", "Linux/UNIX", "InstanceCount",
			"2", "AvailabilityZone", "us-east-1b"},
		"ModifyCapacityReservation":   {"CapacityReservationId", o.Capacity, "InstanceCount", "3"},
		"CancelCapacityReservation":   {"CapacityReservationId", o.Capacity},
		"GetCapacityReservationUsage": {"CapacityReservationId", o.Capacity},
		"AllocateHosts":               {"AvailabilityZone", "us-east-1a", "InstanceFamily", "m5"},
		"ModifyHosts":                 {"HostId.1", o.host, "AutoPlacement", "off"},
		"ReleaseHosts":                {"HostId.1", o.host},

		"CreateVolume":                    {"AvailabilityZone", "us-east-1a", "Size", "1"},
		"DeleteVolume":                    {"VolumeId", o.Spare},
		"AttachVolume":                    {"VolumeId", o.Spare, "InstanceId", o.Running, "Device", "/dev/sdf"},
		"DetachVolume":                    {"VolumeId", o.Idle},
		"ModifyVolume":                    {"VolumeId", o.Spare, "Size", "3"},
		"DescribeVolumeAttribute":         {"VolumeId", o.Spare, "Attribute", "autoEnableIO"},
		"ModifyVolumeAttribute":           {"VolumeId", o.Spare, "AutoEnableIO.Value", "true"},
		"EnableVolumeIO":                  {"VolumeId", o.Spare},
		"EnableSnapshotBlockPublicAccess": {"State", "block-new-sharing"}, "DisableSnapshotBlockPublicAccess": nil,
		"DisableSerialConsoleAccess":       nil,
		"ModifyDefaultCreditSpecification": {"InstanceFamily", "t3", "CpuCredits", "standard"},
		"GetDefaultCreditSpecification":    {"InstanceFamily", "t3"},
		"GetSecurityGroupsForVpc":          {"VpcId", o.VPC},
		"ModifyVpcTenancy":                 {"VpcId", o.VPC, "InstanceTenancy", "default"},

		"CreateSnapshot":            {"VolumeId", o.Spare},
		"CreateSnapshots":           {"InstanceSpecification.InstanceId", o.Running},
		"CopySnapshot":              {"SourceRegion", "us-east-1", "SourceSnapshotId", o.Snapshot},
		"DeleteSnapshot":            {"SnapshotId", o.Snapshot},
		"DescribeSnapshotAttribute": {"SnapshotId", o.Snapshot, "Attribute", "createVolumePermission"},
		"ModifySnapshotAttribute":   {"SnapshotId", o.Snapshot, "CreateVolumePermission.Add.1.Group", "all"},
		"CreateImage":               {"InstanceId", o.Running, "Name", "another"},
		"RegisterImage": {"Name", "another", "RootDeviceName", "/dev/xvda",
			"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", o.Snapshot},
		"CopyImage":              {"SourceRegion", "us-east-1", "SourceImageId", o.Image, "Name", "another"},
		"DeregisterImage":        {"ImageId", o.AMI},
		"DescribeImageAttribute": {"ImageId", o.AMI, "Attribute", "description"},
		"ModifyImageAttribute":   {"ImageId", o.AMI, "Description.Value", "x"},
		"ResetImageAttribute":    {"ImageId", o.AMI, "Attribute", "launchPermission"},
		"EnableImage":            {"ImageId", o.AMI},
		"DisableImage":           {"ImageId", o.AMI},
		"EnableImageDeprecation": {"ImageId", o.AMI, "DeprecateAt",
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
		"DisableImageDeprecation":              {"ImageId", o.AMI},
		"EnableImageDeregistrationProtection":  {"ImageId", o.AMI},
		"DisableImageDeregistrationProtection": {"ImageId", o.AMI},
		"EnableImageBlockPublicAccess":         {"ImageBlockPublicAccessState", "block-new-sharing"},
		"DisableImageBlockPublicAccess":        {},
		"EnableEbsEncryptionByDefault":         {},
		"DisableEbsEncryptionByDefault":        {},

		"ResetSnapshotAttribute": {"SnapshotId", o.Snapshot, "Attribute", "createVolumePermission"},
	}
}

// TestPublicKey is base64 of an OpenSSH line; its private half is nobody's.
const TestPublicKey = "c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUJjRVhLbEkzWFM5U3NCcHA5S3cyQnFGNG5pWjFNZ2tiOXEzS0RSVm1wR3AgdGVzdAo="

// WorldAtRest makes a world in which nothing happens by itself any more, and answers parameters with which each action
// would succeed there.
func WorldAtRest(w *Wire) map[string][]string {
	w.T.Helper()
	o := NewWorld(w)
	params := o.dryRuns()
	maps.Copy(params, o.networkDryRuns(w))
	maps.Copy(params, o.fleetDryRuns(w))
	maps.Copy(params, o.importDryRuns(w))
	w.Settled(o.Running)
	return params
}

// DryRun makes a dry run of every action.
func (w *Wire) DryRun(params map[string][]string) {
	w.T.Helper()
	t := w.T
	for action := range w.Actions() {
		p, ok := params[action]
		if !ok && !strings.HasPrefix(action, "Describe") && !strings.HasPrefix(action, "Get") {
			t.Errorf("%s has no parameters in dryRuns", action)
			continue
		}
		a := w.Call(action, append([]string{"DryRun", "true"}, p...)...)
		if want, other := otherDryRuns[action]; other && a.Code == want {
			continue
		}
		if a.Code != "DryRunOperation" || a.Status != 412 {
			t.Errorf("%s: %d %s %s", action, a.Status, a.Code, a.Message)
		}
	}
}

// fleetDryRuns are parameters with which each of the fleets' actions would succeed.
func (o World) fleetDryRuns(w *Wire) map[string][]string {
	template := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "fleet",
		"LaunchTemplateData.ImageId", o.Image)
	fleet := w.Must("fleetId", "CreateFleet", FleetOf(template, 1, []string{"InstanceType", "t3.micro"})...)
	return map[string][]string{
		"CreateFleet":            FleetOf(template, 1, []string{"InstanceType", "t3.micro"}),
		"DeleteFleets":           {"FleetId.1", fleet, "TerminateInstances", "true"},
		"DescribeFleetInstances": {"FleetId", fleet},

		"GetInstanceTypesFromInstanceRequirements": Requirements(),
	}
}

// Requirements are those for at least two processors and 4 GiB, and more.
func Requirements(more ...string) []string {
	return append([]string{
		"ArchitectureType.1", "x86_64", "VirtualizationType.1", "hvm", "InstanceRequirements.VCpuCount.Min", "2",
		"InstanceRequirements.MemoryMiB.Min", "4096",
	}, more...)
}

// FleetOf are the parameters of an instant fleet of on-demand instances with the overrides.
func FleetOf(template string, count int, overrides ...[]string) []string {
	out := []string{"Type", "instant", "TargetCapacitySpecification.TotalTargetCapacity", fmt.Sprint(count),
		"LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateId", template,
		"LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version", "$Latest"}
	for i, o := range overrides {
		for j := 0; j < len(o); j += 2 {
			out = append(out, fmt.Sprintf("LaunchTemplateConfigs.1.Overrides.%d.%s", i+1, o[j]), o[j+1])
		}
	}
	return out
}

// SmallHosts leaves 8 GiB to each host.
func (w *Wire) SmallHosts() {
	w.T.Helper()
	err := w.DB.Update(w.T.Context(), func(tx store.Tx) error {
		for h := range state.Hosts.All(tx, state.Global) {
			if err := state.Hosts.Edit(tx, state.Global, string(h.ID), func(h *slipway.Host) error {
				h.MemoryMiB = 8192
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// Names makes what the table's placeholders stand for.
func (w *Wire) Names(o World) *strings.Replacer {
	w.T.Helper()
	// A subnet where nobody else launches: addresses are chosen by chance, the table's must be free.
	w.Must("associationId", "AssociateVpcCidrBlock", "VpcId", o.VPC, "AmazonProvidedIpv6CidrBlock", "true")
	block := netip.MustParsePrefix(w.Must("ipv6CidrBlock", "DescribeVpcs", "VpcId.1", o.VPC))
	ids := map[string]string{
		"$SUBNET": w.Must("subnetId", "CreateSubnet", "VpcId", o.VPC, "CidrBlock", "172.31.128.0/20", "Ipv6CidrBlock",
			netip.PrefixFrom(block.Addr(), 64).String(), "AvailabilityZone", "us-east-1a"),
	}
	w.Must("return", "ModifySubnetAttribute", "SubnetId", ids["$SUBNET"], "MapPublicIpOnLaunch.Value", "true")
	base := block.Addr().As16()
	base[15] = 0x55
	ids["$IP6"] = netip.AddrFrom16(base).String()
	base[15], base[9] = 0, 7
	ids["$PREFIX6"] = netip.PrefixFrom(netip.AddrFrom16(base), 80).String()
	ids["$PREFIX"], ids["$IP"] = "172.31.128.240/28", "172.31.137.9"
	ids["$ENI"] = w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", ids["$SUBNET"],
		"SecurityGroupId.1", o.Group)
	for im := range state.Images.All(w.DB.Local(), state.Global) {
		ids["$SNAP"] = string(im.Devices[0].Snapshot)
	}
	w.Must("groupId", "CreatePlacementGroup", "GroupName", "parts", "Strategy", "partition", "PartitionCount", "3")
	_, own, _ := strings.Cut(w.Call("DescribePlacementGroups", "GroupName.1", "together").Body, "<groupId>")
	ids["$PG"], _, _ = strings.Cut(own, "</groupId>")
	ids["$IMAGE"], ids["$KEY"], ids["$GROUP"], ids["$TEMPLATE"], ids["$HOST"], ids["$CR"] = o.Image, o.Key, o.Group,
		o.Template, o.host, o.Capacity
	ids["$PROFILE"] = "arn:aws:iam::" + w.Keys.Account + ":instance-profile/app"
	var pairs []string
	for _, k := range slices.SortedFunc(maps.Keys(ids), func(a, b string) int { return len(b) - len(a) }) {
		pairs = append(pairs, k, ids[k])
	}
	return strings.NewReplacer(pairs...)
}
