package main

import (
	"fmt"
	"maps"
	"slices"
	"slipway/internal/await"
	"strings"
	"testing"
	"time"
)

// world is what the calls of a test find: an instance that runs, one that is stopped, and what lies around them.
type world struct {
	running, stopped, image, key, group, vpc, subnet, volume, spare, idle, snapshot, ami, interfaceID, template, capacity, host, spot, profile string
}

func newWorld(w *wire) world {
	w.t.Helper()
	o := world{image: w.image(), key: "ops"}
	launch := func() string {
		return w.must("instanceId", "RunInstances", "ImageId", o.image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1")
	}
	o.running, o.stopped = launch(), launch()
	w.await(o.running, "running")
	w.await(o.stopped, "running")
	w.must("instanceId", "StopInstances", "InstanceId.1", o.stopped)
	w.await(o.stopped, "stopped")
	w.must("keyPairId", "CreateKeyPair", "KeyName", o.key)
	o.vpc = w.must("vpcId", "DescribeVpcs")
	o.subnet = w.must("subnetId", "DescribeSubnets")
	o.group = w.must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	w.must("return", "AuthorizeSecurityGroupIngress", "GroupId", o.group, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80", "CidrIp", "10.0.0.0/8")
	o.volume = w.must("volumeId", "DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", o.running)
	o.idle = w.must("volumeId", "DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", o.stopped)
	o.interfaceID = w.must("networkInterfaceId", "DescribeNetworkInterfaces", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", o.running)
	o.template = w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web", "LaunchTemplateData.InstanceType", "t3.micro")
	w.must("versionNumber", "CreateLaunchTemplateVersion", "LaunchTemplateId", o.template, "SourceVersion", "1", "LaunchTemplateData.InstanceType", "t3.small")
	w.must("groupId", "CreatePlacementGroup", "GroupName", "together", "Strategy", "cluster")
	o.capacity = w.must("capacityReservationId", "CreateCapacityReservation", "InstanceType", "m5.large", "InstancePlatform", "Linux/UNIX", "InstanceCount", "2", "AvailabilityZone", "us-east-1b")
	o.host = w.must("hostIdSet", "AllocateHosts", "AvailabilityZone", "us-east-1a", "InstanceFamily", "m5")
	o.host = first(o.host, "item")
	o.spot = w.must("spotInstanceRequestId", "RequestSpotInstances", "LaunchSpecification.ImageId", o.image, "LaunchSpecification.InstanceType", "t3.micro")
	w.profiled("app", document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	o.profile = w.must("associationId", "AssociateIamInstanceProfile", "InstanceId", o.running, "IamInstanceProfile.Name", "app")
	o.spare = w.must("volumeId", "CreateVolume", "AvailabilityZone", w.must("availabilityZone", "DescribeInstances", "InstanceId.1", o.running), "Size", "2")
	w.awaitVolume(o.spare, "available")
	o.snapshot = w.must("snapshotId", "CreateSnapshot", "VolumeId", o.spare)
	w.awaitSnapshot(o.snapshot, "completed")
	o.ami = w.must("imageId", "RegisterImage", "Name", "mine", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", w.copied(o.snapshot))
	return o
}

// await waits until the instance has the state, or one of several.
func (w *wire) await(id, state string) {
	w.t.Helper()
	await.Success(w.t, patience, func() error {
		if now := first(w.must("instanceState", "DescribeInstances", "InstanceId.1", id), "name"); !slices.Contains(strings.Split(state, ","), now) {
			return fmt.Errorf("%s is %s, want %s", id, now, state)
		}
		return nil
	})
}

// settled waits until nothing more will be observed of a running instance by itself.
func (w *wire) settled(id string) {
	w.t.Helper()
	w.eventually("the status checks of "+id+" pass", func() bool {
		return first(w.must("instanceStatus", "DescribeInstanceStatus", "InstanceId.1", id), "status") == "passed"
	})
}

// dryRuns are parameters with which each action would succeed.
func (o world) dryRuns() map[string][]string {
	launch := []string{"ImageId", o.image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
	rule := []string{"GroupId", o.group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "443", "IpPermissions.1.ToPort", "443", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"}
	return map[string][]string{
		"RunInstances":                                launch,
		"DescribeInstanceAttribute":                   {"InstanceId", o.running, "Attribute", "userData"},
		"ModifyInstanceAttribute":                     {"InstanceId", o.running, "DisableApiTermination.Value", "true"},
		"ModifyInstanceMetadataOptions":               {"InstanceId", o.running, "HttpTokens", "required"},
		"DescribeInstanceCreditSpecifications":        {"InstanceId.1", o.running},
		"ModifyInstanceCreditSpecification":           {"InstanceCreditSpecification.1.InstanceId", o.running, "InstanceCreditSpecification.1.CpuCredits", "standard"},
		"StartInstances":                              {"InstanceId.1", o.stopped},
		"StopInstances":                               {"InstanceId.1", o.running},
		"RebootInstances":                             {"InstanceId.1", o.running},
		"TerminateInstances":                          {"InstanceId.1", o.running},
		"MonitorInstances":                            {"InstanceId.1", o.running},
		"UnmonitorInstances":                          {"InstanceId.1", o.running},
		"GetConsoleOutput":                            {"InstanceId", o.running},
		"GetConsoleScreenshot":                        {"InstanceId", o.running},
		"SendDiagnosticInterrupt":                     {"InstanceId", o.running},
		"GetPasswordData":                             {"InstanceId", o.running},
		"ModifyInstancePlacement":                     {"InstanceId", o.stopped, "Tenancy", "dedicated"},
		"ModifyInstanceCpuOptions":                    {"InstanceId", o.stopped, "CoreCount", "1", "ThreadsPerCore", "1"},
		"ModifyInstanceMaintenanceOptions":            {"InstanceId", o.running, "AutoRecovery", "disabled"},
		"ModifyPrivateDnsNameOptions":                 {"InstanceId", o.running, "EnableResourceNameDnsARecord", "true"},
		"ModifyInstanceCapacityReservationAttributes": {"InstanceId", o.stopped, "CapacityReservationSpecification.CapacityReservationPreference", "none"},
		"ModifyInstanceNetworkPerformanceOptions":     {"InstanceId", o.running, "BandwidthWeighting", "default"},
		"ResetInstanceAttribute":                      {"InstanceId", o.running, "Attribute", "sourceDestCheck"},
		"ReportInstanceStatus":                        {"InstanceId.1", o.running, "Status", "impaired", "ReasonCode.1", "other"},
		"AssociateIamInstanceProfile":                 {"InstanceId", o.stopped, "IamInstanceProfile.Name", "app"},
		"ReplaceIamInstanceProfileAssociation":        {"AssociationId", o.profile, "IamInstanceProfile.Name", "app"},
		"DisassociateIamInstanceProfile":              {"AssociationId", o.profile},
		"GetInstanceUefiData":                         {"InstanceId", o.running},
		"ModifyInstanceMetadataDefaults":              {"HttpTokens", "required"},

		"CreateSecurityGroup":           {"GroupName", "db", "GroupDescription", "db"},
		"DeleteSecurityGroup":           {"GroupId", o.group},
		"AuthorizeSecurityGroupIngress": rule,
		"AuthorizeSecurityGroupEgress":  rule,
		"RevokeSecurityGroupIngress":    {"GroupId", o.group, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80", "CidrIp", "10.0.0.0/8"},
		"RevokeSecurityGroupEgress":     {"GroupId", o.group, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"},
		"DescribeVpcAttribute":          {"VpcId", o.vpc, "Attribute", "enableDnsSupport"},
		"CreateTags":                    {"ResourceId.1", o.running, "Tag.1.Key", "a", "Tag.1.Value", "b"},
		"DeleteTags":                    {"ResourceId.1", o.running},
		"CreateKeyPair":                 {"KeyName", "new"},
		"ImportKeyPair":                 {"KeyName", "new", "PublicKeyMaterial", testPublicKey},
		"DeleteKeyPair":                 {"KeyName", o.key},

		"CreateLaunchTemplate":           {"LaunchTemplateName", "new", "LaunchTemplateData.InstanceType", "t3.micro"},
		"CreateLaunchTemplateVersion":    {"LaunchTemplateId", o.template, "LaunchTemplateData.InstanceType", "t3.micro"},
		"DescribeLaunchTemplateVersions": {"LaunchTemplateId", o.template},
		"ModifyLaunchTemplate":           {"LaunchTemplateId", o.template, "SetDefaultVersion", "2"},
		"DeleteLaunchTemplate":           {"LaunchTemplateId", o.template},
		"DeleteLaunchTemplateVersions":   {"LaunchTemplateId", o.template, "LaunchTemplateVersion.1", "2"},
		"GetLaunchTemplateData":          {"InstanceId", o.running},
		"CreatePlacementGroup":           {"GroupName", "apart", "Strategy", "spread"},
		"DeletePlacementGroup":           {"GroupName", "together"},

		"RequestSpotInstances":        {"LaunchSpecification.ImageId", o.image, "LaunchSpecification.InstanceType", "t3.micro"},
		"CancelSpotInstanceRequests":  {"SpotInstanceRequestId.1", o.spot},
		"CreateCapacityReservation":   {"InstanceType", "m5.large", "InstancePlatform", "Linux/UNIX", "InstanceCount", "2", "AvailabilityZone", "us-east-1b"},
		"ModifyCapacityReservation":   {"CapacityReservationId", o.capacity, "InstanceCount", "3"},
		"CancelCapacityReservation":   {"CapacityReservationId", o.capacity},
		"GetCapacityReservationUsage": {"CapacityReservationId", o.capacity},
		"AllocateHosts":               {"AvailabilityZone", "us-east-1a", "InstanceFamily", "m5"},
		"ModifyHosts":                 {"HostId.1", o.host, "AutoPlacement", "off"},
		"ReleaseHosts":                {"HostId.1", o.host},

		"CreateVolume":                    {"AvailabilityZone", "us-east-1a", "Size", "1"},
		"DeleteVolume":                    {"VolumeId", o.spare},
		"AttachVolume":                    {"VolumeId", o.spare, "InstanceId", o.running, "Device", "/dev/sdf"},
		"DetachVolume":                    {"VolumeId", o.idle},
		"ModifyVolume":                    {"VolumeId", o.spare, "Size", "3"},
		"DescribeVolumeAttribute":         {"VolumeId", o.spare, "Attribute", "autoEnableIO"},
		"ModifyVolumeAttribute":           {"VolumeId", o.spare, "AutoEnableIO.Value", "true"},
		"EnableVolumeIO":                  {"VolumeId", o.spare},
		"EnableSnapshotBlockPublicAccess": {"State", "block-new-sharing"}, "DisableSnapshotBlockPublicAccess": nil, "DisableSerialConsoleAccess": nil,
		"ModifyDefaultCreditSpecification": {"InstanceFamily", "t3", "CpuCredits", "standard"}, "GetDefaultCreditSpecification": {"InstanceFamily", "t3"},
		"GetSecurityGroupsForVpc": {"VpcId", o.vpc}, "ModifyVpcTenancy": {"VpcId", o.vpc, "InstanceTenancy", "default"},

		"CreateSnapshot":                       {"VolumeId", o.spare},
		"CreateSnapshots":                      {"InstanceSpecification.InstanceId", o.running},
		"CopySnapshot":                         {"SourceRegion", "us-east-1", "SourceSnapshotId", o.snapshot},
		"DeleteSnapshot":                       {"SnapshotId", o.snapshot},
		"DescribeSnapshotAttribute":            {"SnapshotId", o.snapshot, "Attribute", "createVolumePermission"},
		"ModifySnapshotAttribute":              {"SnapshotId", o.snapshot, "CreateVolumePermission.Add.1.Group", "all"},
		"CreateImage":                          {"InstanceId", o.running, "Name", "another"},
		"RegisterImage":                        {"Name", "another", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", o.snapshot},
		"CopyImage":                            {"SourceRegion", "us-east-1", "SourceImageId", o.image, "Name", "another"},
		"DeregisterImage":                      {"ImageId", o.ami},
		"DescribeImageAttribute":               {"ImageId", o.ami, "Attribute", "description"},
		"ModifyImageAttribute":                 {"ImageId", o.ami, "Description.Value", "x"},
		"ResetImageAttribute":                  {"ImageId", o.ami, "Attribute", "launchPermission"},
		"EnableImage":                          {"ImageId", o.ami},
		"DisableImage":                         {"ImageId", o.ami},
		"EnableImageDeprecation":               {"ImageId", o.ami, "DeprecateAt", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
		"DisableImageDeprecation":              {"ImageId", o.ami},
		"EnableImageDeregistrationProtection":  {"ImageId", o.ami},
		"DisableImageDeregistrationProtection": {"ImageId", o.ami},
		"EnableImageBlockPublicAccess":         {"ImageBlockPublicAccessState", "block-new-sharing"},
		"DisableImageBlockPublicAccess":        {},
		"EnableEbsEncryptionByDefault":         {},
		"DisableEbsEncryptionByDefault":        {},

		"ResetSnapshotAttribute": {"SnapshotId", o.snapshot, "Attribute", "createVolumePermission"},
	}
}

// testPublicKey is base64 of an OpenSSH line; its private half is nobody's.
const testPublicKey = "c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUJjRVhLbEkzWFM5U3NCcHA5S3cyQnFGNG5pWjFNZ2tiOXEzS0RSVm1wR3AgdGVzdAo="

// worldAtRest makes a world in which nothing happens by itself any more, and answers parameters with which each action would succeed there.
func worldAtRest(w *wire) map[string][]string {
	w.t.Helper()
	o := newWorld(w)
	params := o.dryRuns()
	maps.Copy(params, o.networkDryRuns(w))
	maps.Copy(params, o.fleetDryRuns(w))
	maps.Copy(params, o.importDryRuns(w))
	w.settled(o.running)
	return params
}

// TestDryRunOnEveryAction: each answers DryRunOperation where it would succeed, and nothing changes.
func TestDryRunOnEveryAction(t *testing.T) {
	w := newWire(t)
	params := worldAtRest(w)
	w.dryRun(params)
	// A host may report something of its own meanwhile; a dry run that changes something does so each time.
	changed := []string{"?"}
	for tries := 0; len(changed) > 0 && tries < 4; tries++ {
		watch := w.db.Watch("")
		w.dryRun(params)
		changed = watch.Drain()
		watch.Close()
	}
	if len(changed) > 0 {
		t.Errorf("dry runs changed the state: %v", changed)
	}
	for action := range params {
		if _, served := w.actions()[action]; !served {
			t.Errorf("dryRuns names %s, which is not served", action)
		}
	}
}

// dryRun makes a dry run of every action.
func (w *wire) dryRun(params map[string][]string) {
	w.t.Helper()
	t := w.t
	for action := range w.actions() {
		p, ok := params[action]
		if !ok && !strings.HasPrefix(action, "Describe") && !strings.HasPrefix(action, "Get") {
			t.Errorf("%s has no parameters in dryRuns", action)
			continue
		}
		a := w.call(action, append([]string{"DryRun", "true"}, p...)...)
		if want, other := otherDryRuns[action]; other && a.code == want {
			continue
		}
		if a.code != "DryRunOperation" || a.status != 412 {
			t.Errorf("%s: %d %s %s", action, a.status, a.code, a.message)
		}
	}
}
