package instances_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/apitest"
	"slipway/internal/ec2wire"
	"slipway/internal/server"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestTheCatalogueOfRefusals provokes, over the wire, what the other tests do not.
// launching makes a launch's parameters of the world's image and what is said more.
func launching(o apitest.World, names *strings.Replacer) func(more ...string) []string {
	return func(more ...string) []string {
		params := map[string]string{"ImageId": o.Image, "InstanceType": "t3.micro", "MinCount": "1", "MaxCount": "1"}
		for i := 0; i+1 < len(more); i += 2 {
			params[more[i]] = names.Replace(more[i+1])
		}
		var out []string
		for k, v := range params {
			out = append(out, k, v)
		}
		return out
	}
}

func TestTheCatalogueOfRefusals(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	names := w.Names(o)
	launch := launching(o, names)
	disk := func(more ...string) []string {
		return launch(append([]string{"BlockDeviceMapping.1.DeviceName", "/dev/sdf"}, more...)...)
	}
	var groups, cards, filters []string
	for i := range 6 {
		id := w.Must("groupId", "CreateSecurityGroup", "GroupName", fmt.Sprint("many", i), "GroupDescription", "x")
		groups = append(groups, fmt.Sprint("SecurityGroupId.", i+1), id)
	}
	for i := range 9 {
		cards = append(cards, fmt.Sprintf("NetworkInterface.%d.DeviceIndex", i+1), fmt.Sprint(i))
	}
	for i := range 51 {
		filters = append(filters, fmt.Sprintf("Filter.%d.Name", i+1), "instance-type",
			fmt.Sprintf("Filter.%d.Value.1", i+1), "x")
	}
	var disks []string
	for i := range 30 {
		disks = append(disks, fmt.Sprintf("BlockDeviceMapping.%d.DeviceName", i+1),
			fmt.Sprintf("/dev/xvd%c%c", 'b'+i/26, 'a'+i%26), fmt.Sprintf("BlockDeviceMapping.%d.Ebs.VolumeSize", i+1), "1")
	}
	w.Must("keyPairId", "ImportKeyPair", "KeyName", "twice", "PublicKeyMaterial", apitest.TestPublicKey)
	taken := w.Must("privateIpAddress", "DescribeInstances", "InstanceId.1", o.Running)
	home := w.Must("subnetId", "DescribeInstances", "InstanceId.1", o.Running)
	for _, tt := range []struct {
		name, action, code string
		params             []string
	}{
		{"too many groups on an interface", "RunInstances", "SecurityGroupsPerInterfaceLimitExceeded", launch(groups...)},
		{"too many interfaces for the type", "RunInstances", "AttachmentLimitExceeded", launch(cards...)},
		{"too many volumes for the type", "RunInstances", "AttachmentLimitExceeded", launch(disks...)},
		{"too many addresses for the type", "RunInstances", "PrivateIpAddressLimitExceeded",
			launch("NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.SecondaryPrivateIpAddressCount", "30")},
		{"too many IPv6 addresses for the type", "RunInstances", "InvalidInterface.IpAddressLimitExceeded",
			launch("SubnetId", "$SUBNET", "Ipv6AddressCount", "30")},
		{"an address in use", "RunInstances", "InvalidIPAddress.InUse", launch("SubnetId", home, "PrivateIpAddress", taken)},
		{"an interface in use", "RunInstances", "InvalidNetworkInterface.InUse",
			launch("NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.NetworkInterfaceId", o.InterfaceID)},
		{"a malformed interface", "RunInstances", "InvalidNetworkInterfaceId.Malformed",
			launch("NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.NetworkInterfaceId", "eni")},
		{"a root on st1", "RunInstances", "BootForVolumeTypeUnsupported",
			launch("BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.VolumeType", "st1",
				"BlockDeviceMapping.1.Ebs.VolumeSize", "200")},
		{"a key for an unencrypted volume", "RunInstances", "InvalidParameterDependency",
			disk("BlockDeviceMapping.1.Ebs.VolumeSize", "1", "BlockDeviceMapping.1.Ebs.KmsKeyId", "k",
				"BlockDeviceMapping.1.Ebs.Encrypted", "false")},
		{"a malformed snapshot", "RunInstances", "InvalidSnapshotID.Malformed",
			disk("BlockDeviceMapping.1.Ebs.SnapshotId", "snap")},
		{"a root smaller than its snapshot", "RunInstances", "InvalidBlockDeviceMapping",
			launch("BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId",
				"snap-0123456789abcdef0")},
		{"too many IOPS for the size", "RunInstances", "InvalidParameterCombination",
			disk("BlockDeviceMapping.1.Ebs.VolumeSize", "4", "BlockDeviceMapping.1.Ebs.VolumeType", "io1",
				"BlockDeviceMapping.1.Ebs.Iops", "300")},
		{"throughput for gp2", "RunInstances", "InvalidParameterCombination",
			disk("BlockDeviceMapping.1.Ebs.VolumeSize", "4", "BlockDeviceMapping.1.Ebs.VolumeType", "gp2",
				"BlockDeviceMapping.1.Ebs.Throughput", "200")},
		{"a device name that is none", "RunInstances", "InvalidBlockDeviceMapping",
			launch("BlockDeviceMapping.1.DeviceName", "floppy", "BlockDeviceMapping.1.Ebs.VolumeSize", "1")},
		{"a token too long", "RunInstances", "InvalidClientToken", launch("ClientToken", strings.Repeat("x", 65))},
		{"a token that is not ASCII", "RunInstances", "InvalidClientToken", launch("ClientToken", "ü")},
		{"unknown credits", "RunInstances", "InvalidCpuCredits", launch("CreditSpecification.CpuCredits", "plenty")},
		{"a malformed kernel", "RunInstances", "InvalidKernelId.Malformed", launch("KernelId", "vmlinuz")},
		{"a malformed RAM disk", "RunInstances", "InvalidRamDiskId.Malformed", launch("RamdiskId", "initrd")},
		{"a malformed profile", "RunInstances", "InvalidIamInstanceProfileArn.Malformed",
			launch("IamInstanceProfile.Arn", "profile")},
		{"a profile by both", "RunInstances", "InvalidParameterCombination",
			launch("IamInstanceProfile.Arn", "arn:aws:iam::1:instance-profile/p", "IamInstanceProfile.Name", "p")},
		{"a zone by both", "RunInstances", "InvalidParameterCombination",
			launch("Placement.AvailabilityZone", "us-east-1a", "Placement.AvailabilityZoneId", "use1-az1")},
		{"a group by both", "RunInstances", "InvalidParameterCombination",
			launch("Placement.GroupName", "together", "Placement.GroupId", "pg-0123456789abcdef0")},
		{"a malformed placement group", "RunInstances", "InvalidPlacementGroupId.Malformed", launch("Placement.GroupId", "pg")},
		{"cores without threads", "RunInstances", "InvalidParameterCombination", launch("CpuOptions.CoreCount", "1")},
		{"a template by both", "RunInstances", "InvalidParameterCombination",
			launch("LaunchTemplate.LaunchTemplateId", "lt-0123456789abcdef0", "LaunchTemplate.LaunchTemplateName", "web")},
		{"an unknown template name", "RunInstances", "InvalidLaunchTemplateName.NotFoundException",
			launch("LaunchTemplate.LaunchTemplateName", "nobody")},
		{"a malformed template", "RunInstances", "InvalidLaunchTemplateId.Malformed",
			launch("LaunchTemplate.LaunchTemplateId", "lt")},
		{"an unknown version", "RunInstances", "InvalidLaunchTemplateId.VersionNotFound",
			launch("LaunchTemplate.LaunchTemplateName", "web", "LaunchTemplate.Version", "99")},
		{"an unknown metadata value", "RunInstances", "InvalidParameterValue", launch("MetadataOptions.HttpEndpoint", "on")},
		{"a tag key for the metadata with a slash", "RunInstances", "InvalidParameterValue",
			launch("MetadataOptions.InstanceMetadataTags", "enabled", "TagSpecification.1.ResourceType", "instance",
				"TagSpecification.1.Tag.1.Key", "a/b", "TagSpecification.1.Tag.1.Value", "")},
		{"a tag key twice", "RunInstances", "InvalidParameterValue",
			launch("TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "a",
				"TagSpecification.1.Tag.1.Value", "1", "TagSpecification.1.Tag.2.Key", "a",
				"TagSpecification.1.Tag.2.Value", "2")},
		{"no tag at all", "RunInstances", "InvalidParameterValue", launch("TagSpecification.1.ResourceType", "instance")},
		{"a hyphenated group name with interfaces", "RunInstances", "InvalidParameterCombination",
			launch("NetworkInterface.1.DeviceIndex", "0", "SecurityGroup.1", "web")},
		{"a public address for two interfaces", "RunInstances", "InvalidParameterCombination",
			launch("NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.AssociatePublicIpAddress", "true",
				"NetworkInterface.2.DeviceIndex", "1")},
		{"a group of another network", "RunInstances", "InvalidParameter",
			launch("SubnetId", "$SUBNET", "SecurityGroupId.1", w.ForeignGroup())},

		{"too many filters", "DescribeInstances", "FilterLimitExceeded", filters},
		{"an unknown type among types", "DescribeInstanceTypes", "InvalidInstanceType", []string{"InstanceType.1", "t9.huge"}},
		{"several interfaces, one attribute", "ModifyInstanceAttribute", "InvalidInstanceID",
			[]string{
				"InstanceId",
				w.Launch("m5.large", "NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.2.DeviceIndex", "1"),
				"SourceDestCheck.Value", "false",
			}},
		{"a type that is none", "ModifyInstanceAttribute", "InvalidInstanceAttributeValue",
			[]string{"InstanceId", o.Stopped, "InstanceType.Value", "t9.huge"}},
		{"a type while it runs", "ModifyInstanceAttribute", "IncorrectInstanceState",
			[]string{"InstanceId", o.Running, "InstanceType.Value", "t3.small"}},
		{"single-root I/O virtualization", "ModifyInstanceAttribute", "UnsupportedInstanceAttribute",
			[]string{"InstanceId", o.Stopped, "SriovNetSupport.Value", "simple"}},
		{"two attributes", "ModifyInstanceAttribute", "InvalidParameterCombination",
			[]string{"InstanceId", o.Stopped, "DisableApiStop.Value", "true", "EbsOptimized.Value", "true"}},
		{"no attribute", "ModifyInstanceAttribute", "InvalidParameterCombination", []string{"InstanceId", o.Stopped}},
		{"an unknown attribute", "DescribeInstanceAttribute", "InvalidParameterValue",
			[]string{"InstanceId", o.Running, "Attribute", "colour"}},
		{"a screen of a stopped one", "GetConsoleScreenshot", "IncorrectInstanceState", []string{"InstanceId", o.Stopped}},
		{"a UEFI store", "GetInstanceUefiData", "UnsupportedOperation", []string{"InstanceId", o.Running}},
		{"CPU options while it runs", "ModifyInstanceCpuOptions", "IncorrectInstanceState",
			[]string{"InstanceId", o.Running, "CoreCount", "1", "ThreadsPerCore", "1"}},
		{"a name's kind while it runs", "ModifyPrivateDnsNameOptions", "IncorrectInstanceState",
			[]string{"InstanceId", o.Running, "PrivateDnsHostnameType", "resource-name"}},
		{"a bandwidth weighting", "ModifyInstanceNetworkPerformanceOptions", "Unsupported",
			[]string{"InstanceId", o.Running, "BandwidthWeighting", "vpc-1"}},
		{"an unknown status reason", "ReportInstanceStatus", "InvalidParameterValue",
			[]string{"InstanceId.1", o.Running, "Status", "impaired", "ReasonCode.1", "moody"}},
		{"credits of a type without", "ModifyInstanceCreditSpecification", "InvalidCpuCredits",
			[]string{
				"InstanceCreditSpecification.1.InstanceId", o.Running, "InstanceCreditSpecification.1.CpuCredits", "plenty",
			}},

		{"a key pair of the same name", "ImportKeyPair", "InvalidKeyPair.Duplicate",
			[]string{"KeyName", "twice", "PublicKeyMaterial", apitest.TestPublicKey}},
		{"a key that is none", "ImportKeyPair", "InvalidKey.Format", []string{"KeyName", "bad", "PublicKeyMaterial", "aGk="}},
		{"the default group's end", "DeleteSecurityGroup", "CannotDelete", []string{"GroupName", "default"}},
		{"a rule twice", "AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate",
			[]string{"GroupId", o.Group, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80", "CidrIp", "10.0.0.0/8"}},
		{"an unknown rule", "DescribeSecurityGroupRules", "InvalidSecurityGroupRuleId.NotFound",
			[]string{"SecurityGroupRuleId.1", "sgr-0123456789abcdef0"}},
		{"a malformed VPC", "DescribeVpcs", "InvalidVpcID.Malformed", []string{"VpcId.1", "vpc"}},
		{"an unknown VPC", "DescribeVpcs", "InvalidVpcID.NotFound", []string{"VpcId.1", "vpc-0123456789abcdef0"}},
		{"a malformed volume", "DescribeVolumes", "InvalidVolumeID.Malformed", []string{"VolumeId.1", "vol"}},
		{"an unknown volume", "DescribeVolumes", "InvalidVolume.NotFound", []string{"VolumeId.1", "vol-0123456789abcdef0"}},
		{"a tag on nothing", "CreateTags", "InvalidID",
			[]string{"ResourceId.1", "thing-0123456789abcdef0", "Tag.1.Key", "a", "Tag.1.Value", "b"}},
		{"a tag on an unknown instance", "CreateTags", "InvalidInstanceID.NotFound",
			[]string{"ResourceId.1", "i-0123456789abcdef0", "Tag.1.Key", "a", "Tag.1.Value", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.Call(tt.action, tt.params...); a.Code != tt.code {
				t.Errorf("%s: %d %s %q, want %s", tt.action, a.Status, a.Code, a.Message, tt.code)
			}
		})
	}
}

// TestLimitsAreRefused: what is refused for its number, or for what has become of something.
func TestLimitsAreRefused(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	launch := launching(o, w.Names(o))
	t.Run("fifty-one tags", func(t *testing.T) {
		params := []string{"ResourceId.1", o.Running}
		for i := range 51 {
			params = append(params, fmt.Sprintf("Tag.%d.Key", i+1), fmt.Sprint("k", i), fmt.Sprintf("Tag.%d.Value", i+1), "")
		}
		if a := w.Call("CreateTags", params...); a.Code != "TagLimitExceeded" {
			t.Errorf("got %s", a.Code)
		}
	})
	t.Run("too many rules", func(t *testing.T) {
		params := []string{
			"GroupId", o.Group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "1",
			"IpPermissions.1.ToPort", "1",
		}
		for i := range 61 {
			params = append(params, fmt.Sprintf("IpPermissions.1.IpRanges.%d.CidrIp", i+1), fmt.Sprintf("10.0.%d.0/24", i))
		}
		if a := w.Call("AuthorizeSecurityGroupIngress", params...); a.Code != "RulesPerSecurityGroupLimitExceeded" {
			t.Errorf("got %s", a.Code)
		}
	})
	t.Run("a token whose instance is gone", func(t *testing.T) {
		id := w.Launch("t3.micro", "ClientToken", "gone")
		w.Await(id, "running")
		w.Terminate(id)
		if a := w.Call("RunInstances", launch("ClientToken", "gone")...); a.Code != "IdempotentInstanceTerminated" {
			t.Errorf("got %s %s", a.Code, a.Message)
		}
	})
	t.Run("a subnet without free addresses", func(t *testing.T) {
		subnet := w.Must("subnetId", "CreateSubnet", "VpcId", o.VPC, "CidrBlock", "172.31.255.240/28",
			"AvailabilityZone", "us-east-1a")
		if a := w.Call("RunInstances",
			launch("SubnetId", subnet, "MinCount", "12", "MaxCount", "12")...); a.Code != "InsufficientFreeAddressesInSubnet" {
			t.Errorf("twelve of eleven: %s %s", a.Code, a.Message)
		}
		a := w.Call("RunInstances", launch("SubnetId", subnet, "MinCount", "1", "MaxCount", "12")...)
		if a.Status != 200 || strings.Count(a.Body, "<instanceId>") != 11 {
			t.Errorf("one to twelve of eleven: %d, %d instances", a.Status, strings.Count(a.Body, "<instanceId>"))
		}
	})
	t.Run("no public addresses left", func(t *testing.T) {
		full := apitest.NewWith(t, apitest.Options{Public: netip.MustParsePrefix("127.200.1.0/28")})
		var last apitest.Answer
		for range 17 {
			last = full.Call("RunInstances", launch("ImageId", full.Image())...)
		}
		if last.Code != "InsufficientAddressCapacity" || last.Status != 500 {
			t.Errorf("the seventeenth of sixteen: %d %s", last.Status, last.Code)
		}
	})
	t.Run("no signature", func(t *testing.T) {
		r, err := http.NewRequest(http.MethodPost, w.URL+"/", strings.NewReader("Action=DescribeVpcs&Version=2016-11-15"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := w.Do(r); a.Code != "MissingAuthenticationToken" || a.Status != 403 {
			t.Errorf("got %d %s", a.Status, a.Code)
		}
	})
}

// TestTheWindowOfTerminated: an hour after its end an instance is unknown, and its token forgotten on the third day.
func TestTheWindowOfTerminated(t *testing.T) {
	w := apitest.New(t)
	id := w.Launch("t3.micro", "ClientToken", "old")
	w.Await(id, "running")
	w.Terminate(id)
	age := func(by time.Duration) {
		err := w.DB.Update(t.Context(), func(tx store.Tx) error {
			scope := state.Scope{Account: w.Keys.Account, Region: "us-east-1"}
			for tok := range state.Tokens.All(tx, scope) {
				if err := state.Tokens.Edit(tx, scope, tok.ID, func(t *state.Token) error {
					t.Created = t.Created.Add(-by)
					return nil
				}); err != nil {
					return err
				}
			}
			if state.Instances.See(tx, scope, id) == nil {
				return nil
			}
			return state.Instances.Edit(tx, scope, id, func(in *slipway.Instance) error {
				in.TerminatedAt = in.TerminatedAt.Add(-by)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.API.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	age(59 * time.Minute)
	w.Must("instanceId", "DescribeInstances", "InstanceId.1", id)
	age(2 * time.Minute)
	if a := w.Call("DescribeInstances", "InstanceId.1", id); a.Code != "InvalidInstanceID.NotFound" {
		t.Errorf("an hour after its end: %s", a.Code)
	}
	again := []string{"ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "ClientToken", "old"}
	if a := w.Call("RunInstances", again...); a.Code != "IdempotentInstanceTerminated" {
		t.Errorf("its token an hour after: %s", a.Code)
	}
	age(72 * time.Hour)
	if a := w.Call("RunInstances", again...); a.Status != 200 {
		t.Errorf("its token three days after: %s", a.Code)
	}
}

// TestTheRestOfTheCodes provokes what takes a state that no client can bring about quickly, or that no other test needs.
func TestTheRestOfTheCodes(t *testing.T) {
	w := apitest.New(t)
	scope := state.Scope{Account: w.Keys.Account, Region: "us-east-1"}
	change := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := w.DB.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	volume := w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1")
	w.AwaitVolume(volume, "available")
	change(func(tx store.Tx) error {
		for i := range 5000 {
			if err := state.KeyPairs.Put(tx,
				&slipway.KeyPair{
					Account: scope.Account, Region: scope.Region, Name: fmt.Sprint("key", i),
					ID: slipway.KeyPairID(slipway.NewID("key")),
				}); err != nil {
				return err
			}
		}
		return state.Volumes.Edit(tx, scope, volume, func(v *slipway.Volume) error {
			v.Host = "elsewhere" // and busy there
			v.Modification = &slipway.Modification{
				State: slipway.ModificationStateModifying, Start: time.Now(), OriginalSize: 1, OriginalType: v.Type,
			}
			return nil
		})
	})
	w.Edit("quota", "addresses=1")
	w.Must("allocationId", "AllocateAddress")
	list := w.Must("prefixListId", "CreateManagedPrefixList", "PrefixListName", "l", "MaxEntries", "1", "AddressFamily", "IPv4")
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a volume that is being modified", "IncorrectModificationState", volume, "ModifyVolume",
			[]string{"VolumeId", volume, "Size", "2"}),
		apitest.Case("an address beyond the quota", "AddressLimitExceeded", "addresses", "AllocateAddress", nil),
		apitest.Case("the key pair after the five thousandth", "KeyPairLimitExceeded", "5000", "CreateKeyPair",
			[]string{"KeyName", "one-more"}),
		apitest.Case("a version that a prefix list has not", "PrefixListVersionNotFound", "version",
			"GetManagedPrefixListEntries", []string{"PrefixListId", list, "TargetVersion", "9"}),
		apitest.Case("a VPC on hosts", "InvalidParameterValue", "host", "CreateVpc",
			[]string{"CidrBlock", "10.9.0.0/16", "InstanceTenancy", "host"}),
		apitest.Case("no attachment's id", "InvalidNetworkInterfaceAttachmentId.Malformed", "eni-1",
			"DetachNetworkInterface", []string{"AttachmentId", "eni-1"}),
		apitest.Case("a permission that nobody gave", "InvalidPermissionID.NotFound", "eni-perm-1",
			"DescribeNetworkInterfacePermissions", []string{"NetworkInterfacePermissionId.1", "eni-perm-1"}),
		apitest.Case("an association of a subnet's range", "InvalidSubnetCidrBlockAssociationID.NotFound",
			"subnet-cidr-assoc-1", "DisassociateSubnetCidrBlock", []string{"AssociationId", "subnet-cidr-assoc-1"}),
		apitest.Case("an unknown flow log", "InvalidFlowLogId.NotFound", "fl-1", "DescribeFlowLogs",
			[]string{"FlowLogId.1", "fl-1"}),
		apitest.Case("an unknown VPN gateway", "InvalidVpnGatewayID.NotFound", "vgw-1", "DescribeVpnGateways",
			[]string{"VpnGatewayId.1", "vgw-1"}),
		apitest.Case("an unknown transit gateway", "InvalidTransitGatewayID.NotFound", "tgw-1",
			"DescribeTransitGateways", []string{"TransitGatewayIds.1", "tgw-1"}),
		apitest.Case("an endpoint of a service that is none", "InvalidServiceName", "none",
			"DescribeVpcEndpointServices", []string{"ServiceName.1", "none"}),
	})
	change(func(tx store.Tx) error {
		var moved []*slipway.Host
		for h := range state.Hosts.All(tx, state.Global) {
			moved = append(moved, h)
		}
		for _, h := range moved {
			if err := state.Hosts.Edit(tx, state.Global, string(h.ID), func(h *slipway.Host) error {
				h.Zones = []string{"c"}
				return nil
			}); err != nil {
				return err
			}
		}
		return state.Regions.Edit(tx, scope, "-", func(r *slipway.Region) error { r.DefaultVPC = ""; return nil })
	})
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a zone that no host serves", "InsufficientVolumeCapacity", "us-east-1a", "CreateVolume",
			[]string{"AvailabilityZone", "us-east-1a", "Size", "1"}),
		apitest.Case("a default subnet without default VPC", "DefaultVpcDoesNotExist", "default VPC",
			"CreateDefaultSubnet", []string{"AvailabilityZone", "us-east-1a"}),
	})
}

// TestAnInternalErrorKeepsItsCause: the caller learns that it was not their fault, and nothing of ours.
func TestAnInternalErrorKeepsItsCause(t *testing.T) {
	w := apitest.New(t)
	front := w.Wiring()
	front.Actions["DescribeVpcs"] = action.Read(func(context.Context, *ec2wire.DescribeVpcsRequest) (*ec2wire.DescribeVpcsResult, error) {
		return nil, errors.New("the secret file is gone")
	})
	s := httptest.NewServer(server.New(front))
	defer s.Close()
	broken := *w
	broken.URL = s.URL
	a := broken.Call("DescribeVpcs")
	if a.Code != "InternalError" || a.Status != 500 || strings.Contains(a.Body, "secret") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
