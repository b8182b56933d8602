package iam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"slipway"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/apitest"
	"slipway/internal/state"
)

// unlocked are the actions that touch nothing which is there: they make something new, are settings of the account, or
// are lists, which EC2 judges without a resource.
var unlocked = []string{
	"AllocateAddress", "AllocateHosts", "CreateCapacityReservation", "CreateDefaultSubnet", "CreateDefaultVpc",
	"CreateDhcpOptions", "CreateInternetGateway", "CreateKeyPair", "CreateLaunchTemplate", "CreateManagedPrefixList",
	"CreatePlacementGroup", "CreateVolume", "CreateVpc", "DeleteVpcEndpoints", "DescribeAddressesAttribute",
	"DescribeInstanceCreditSpecifications", "DescribeLaunchTemplateVersions", "DescribeSecurityGroupReferences",
	"DescribeStaleSecurityGroups", "DisableEbsEncryptionByDefault", "DisableImageBlockPublicAccess",
	"DisableSerialConsoleAccess", "DisableSnapshotBlockPublicAccess", "EnableEbsEncryptionByDefault",
	"EnableImageBlockPublicAccess", "EnableSnapshotBlockPublicAccess", "GetDefaultCreditSpecification",
	"GetEbsDefaultKmsKeyId", "GetEbsEncryptionByDefault", "GetImageBlockPublicAccessState",
	"GetInstanceMetadataDefaults", "GetInstanceTypesFromInstanceRequirements", "GetSerialConsoleAccessStatus",
	"GetSnapshotBlockPublicAccessState", "ImportImage", "ImportKeyPair", "ImportSnapshot",
	"ModifyDefaultCreditSpecification", "ModifyInstanceMetadataDefaults",
}

// TestEveryActionIsJudgedByWhatItTouches: everything is tagged, and what is tagged must not be touched. No action gets
// to it by another name, an association, an attachment, a profile or an alias.
func TestEveryActionIsJudgedByWhatItTouches(t *testing.T) {
	w := apitest.New(t)
	params := apitest.WorldAtRest(w)
	ids := map[string]bool{}
	id := regexp.MustCompile(`\b(fleet-[0-9a-f-]{36}|sir-[0-9a-z]{8}|[a-z]{1,20}(-[a-z]+)?-[0-9a-f]{8,17})\b`)
	for action := range w.Actions() {
		if strings.HasPrefix(action, "Describe") {
			for _, found := range id.FindAllString(w.Call(action).Body, -1) {
				ids[found] = true
			}
		}
		if strings.HasPrefix(action, "Get") { // what no Describe shows
			for _, found := range id.FindAllString(w.Call(action, params[action]...).Body, -1) {
				ids[found] = true
			}
		}
	}
	for found := range ids {
		w.Call("CreateTags", "ResourceId.1", found, "Tag.1.Key", "locked", "Tag.1.Value", "yes") // not each has tags
	}
	who := w.User("u", apitest.Document(`{"Effect":"Allow","Action":["ec2:*","iam:PassRole"],"Resource":"*"}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/locked":"yes"}}}`))
	for action := range w.Actions() {
		p, ok := params[action]
		if strings.HasPrefix(action, "Describe") && !ok {
			continue
		}
		a := w.By(who, "ec2", action, append([]string{"DryRun", "true"}, p...)...)
		if free := slices.Contains(unlocked, action); free == (a.Code == "UnauthorizedOperation") {
			t.Errorf("%s %v: %d %s, that it touches nothing is %v", action, p, a.Status, a.Code, free)
		}
	}
}

// TestNoOtherName: the role of an instance, its addresses, interfaces, volumes and user data are judged by what they
// are, whatever word the request has for them.
func TestNoOtherName(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Settled(o.Running)
	w.Profiled("other", apitest.Document(apitest.MaySeeVPCs))
	w.Must("return", "CreateTags", "ResourceId.1", o.Running, "ResourceId.2", o.Stopped, "Tag.1.Key", "env",
		"Tag.1.Value", "prod")
	free := w.Launch("t3.micro")
	w.Settled(free)
	allocation := w.Must("allocationId", "AllocateAddress", "Domain", "vpc")
	association := w.Must("associationId", "AssociateAddress", "AllocationId", allocation, "InstanceId", o.Running)
	card := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId",
		w.Must("subnetId", "DescribeInstances", "InstanceId.1", o.Running))
	attachment := w.Must("attachmentId", "AttachNetworkInterface", "NetworkInterfaceId", card, "InstanceId", o.Running,
		"DeviceIndex", "1")
	w.Must("return", "ModifyInstanceAttribute", "InstanceId", o.Stopped, "UserData.Value", "c2VjcmV0")

	prod := w.User("prod", apitest.Document(`{"Effect":"Allow","Action":["ec2:*","iam:PassRole"],"Resource":"*"}`,
		`{"Effect":"Deny","Action":"*","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"aws:ResourceTag/env":"prod"}}}`))
	roles := w.User("roles",
		apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`,
			`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/app"}`))
	images := w.User("images",
		apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`,
			`{"Effect":"Deny","Action":"*","Resource":"arn:aws:ec2:*::image/`+o.Image+`"}`))
	bare := w.User("bare", apitest.Document(`{"Effect":"Allow","Action":["ec2:*","iam:PassRole"],"Resource":"*"}`,
		`{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"ArnLike":{"ec2:InstanceProfile":"arn:aws:iam::*:instance-profile/app"}}}`))
	types := w.User("types", apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"ec2:Attribute/InstanceType":"m5.large"}}}`))
	alias := ""
	for _, name := range state.ImageAliases() {
		if im := state.AliasedImage(w.DB.Local(), "us-east-1", name); im != nil && string(im.ID) == o.Image {
			alias = "resolve:ssm:" + name
		}
	}
	run := func(more ...string) []string {
		return append([]string{"RunInstances", "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}, more...)
	}
	for _, tt := range []struct {
		name string
		who  string
		call []string
	}{
		{"another role by an association", "prod",
			[]string{"ReplaceIamInstanceProfileAssociation", "AssociationId", o.Profile, "IamInstanceProfile.Name", "app"}},
		{"no role by an association", "prod", []string{"DisassociateIamInstanceProfile", "AssociationId", o.Profile}},
		{"an address by its association", "prod", []string{"DisassociateAddress", "AssociationId", association}},
		{"an address led elsewhere", "prod", []string{"AssociateAddress", "AllocationId", allocation, "InstanceId", free}},
		{"an interface by its attachment", "prod", []string{"DetachNetworkInterface", "AttachmentId", attachment}},
		{"a volume by itself", "prod", []string{"DetachVolume", "VolumeId", o.Idle}},
		{"user data", "prod", []string{"DescribeInstanceAttribute", "InstanceId", o.Stopped, "Attribute", "userData"}},
		{"volumes by their instance", "prod", []string{"CreateSnapshots", "InstanceSpecification.InstanceId", o.Running}},
		{"a role that may not be handed on, by an association", "roles",
			[]string{"ReplaceIamInstanceProfileAssociation", "AssociationId", o.Profile, "IamInstanceProfile.Name", "other"}},
		{"an image by an alias", "images", run("ImageId", alias)},
		{"a profile by its name", "bare", run("ImageId", o.Image, "IamInstanceProfile.Name", "app")},
		{"a profile by its ARN", "bare",
			run("ImageId", o.Image, "IamInstanceProfile.Arn", "arn:aws:iam::"+w.Keys.Account+":instance-profile/app")},
		{"a type by an attribute's name", "types",
			[]string{"ModifyInstanceAttribute", "InstanceId", o.Stopped, "Attribute", "instanceType", "Value", "m5.large"}},
		{"a type by its member", "types",
			[]string{"ModifyInstanceAttribute", "InstanceId", o.Stopped, "InstanceType.Value", "m5.large"}},
	} {
		who := map[string]aws.Credentials{"prod": prod, "roles": roles, "images": images, "bare": bare, "types": types}[tt.who]
		if a := w.By(who, "ec2", tt.call[0], tt.call[1:]...); a.Code != "UnauthorizedOperation" {
			t.Errorf("%s: %d %s %s", tt.name, a.Status, a.Code, a.Message)
		}
	}
	w.Well(prod, "ec2", "DescribeInstanceAttribute", "InstanceId", free, "Attribute", "userData")
	w.Well(roles, "ec2", "AssociateIamInstanceProfile", "InstanceId", free, "IamInstanceProfile.Name", "app")
	w.Well(types, "ec2", "ModifyInstanceAttribute", "InstanceId", o.Stopped, "Attribute", "instanceType", "Value", "t3.small")
}

// TestCopiesAreJudgedAtTheirSource: a tag that locks an image or a snapshot locks it for copies that are asked for in
// another region.
func TestCopiesAreJudgedAtTheirSource(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.AwaitSnapshot(o.Snapshot, "completed")
	image := o.AMI
	w.AwaitImage(image, "available")
	who := w.User("u",
		apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`,
			`{"Effect":"Deny","Action":"ec2:Copy*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/locked":"yes"}}}`))
	far := *w
	far.Region, far.Keys = "eu-west-1",
		slipway.AccessKey{Account: w.Keys.Account, ID: who.AccessKeyID, Secret: who.SecretAccessKey}
	copies := map[string][]string{
		"CopySnapshot": {"SourceSnapshotId", o.Snapshot, "SourceRegion", "us-east-1", "DryRun", "true"},
		"CopyImage":    {"SourceImageId", image, "SourceRegion", "us-east-1", "Name", "copy", "DryRun", "true"},
	}
	for action, params := range copies {
		if a := far.Call(action, params...); a.Code != "DryRunOperation" {
			t.Errorf("%s of what is open: %d %s %s", action, a.Status, a.Code, a.Message)
		}
	}
	w.Must("return", "CreateTags", "ResourceId.1", o.Snapshot, "ResourceId.2", image, "Tag.1.Key", "locked",
		"Tag.1.Value", "yes")
	for action, params := range copies {
		if a := far.Call(action, params...); a.Code != "UnauthorizedOperation" {
			t.Errorf("%s of what is locked: %d %s %s", action, a.Status, a.Code, a.Message)
		}
	}
}

// idsOf are the prefixes of ids by the member that names one.
var idsOf = map[string]string{
	"InstanceId": "i", "InstanceIds": "i", "VolumeId": "vol", "VolumeIds": "vol", "SnapshotId": "snap",
	"SourceSnapshotId": "snap", "ImageId": "ami", "SourceImageId": "ami", "SubnetId": "subnet", "SubnetIds": "subnet",
	"VpcId": "vpc", "PeerVpcId": "vpc", "GroupId": "sg", "Groups": "sg", "SecurityGroupIds": "sg",
	"SecurityGroupRuleIds": "sgr", "NetworkInterfaceId": "eni", "RouteTableId": "rtb", "RouteTableIds": "rtb",
	"InternetGatewayId": "igw", "GatewayId": "igw", "NetworkAclId": "acl", "DhcpOptionsId": "dopt",
	"AllocationId": "eipalloc", "SecondaryAllocationIds": "eipalloc", "LaunchTemplateId": "lt",
	"NatGatewayId": "nat", "VpcPeeringConnectionId": "pcx", "EgressOnlyInternetGatewayId": "eigw", "PrefixListId": "pl",
	"DestinationPrefixListId": "pl", "CapacityReservationId": "cr", "HostId": "h", "HostIds": "h",
	"Resources": "i", "ImportTaskId": "import-ami", "ResourceIds": "vpc",
}

// unjudged are members that name what their action does not touch: lists take ids to look for, an existing placement
// group's id stands for its name.
var unjudged = map[string]bool{
	"ModifyInstancePlacement GroupId": true,
	"CreateNatGateway VpcId":          true, // of a kind of gateway that is refused
	// EC2 knows no resources of these.
	"DescribeStaleSecurityGroups VpcId": true, "DescribeSecurityGroupReferences GroupId": true,
	"DescribeLaunchTemplateVersions LaunchTemplateId": true,
}

// TestEveryIDIsJudged: a call that names something by its id is judged by it, whichever of an action's members names it.
func TestEveryIDIsJudged(t *testing.T) {
	w := apitest.New(t)
	who := w.User("u",
		apitest.Document(`{"Effect":"Allow","Action":["ec2:*","iam:PassRole"],"Resource":"*"}`,
			`{"Effect":"Deny","Action":"*","Resource":"arn:aws:ec2:*/*-0123456789abcdef0"}`))
	files, err := filepath.Glob("../../internal/ec2wire/shapes_*.go")
	if err != nil {
		t.Fatal(err)
	}
	served, checked := w.Actions(), 0
	method := regexp.MustCompile(`(?s)func \(x \*(\w+)Request\) DecodeQuery\(r \*ec2query.Reader\) \{\n(.*?)\n\}`)
	member := regexp.MustCompile(`x\.(\w+) = r\.(String|Strings)\("(\w+)"\)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllStringSubmatch(string(text), -1) {
			action := m[1]
			if served[action] == nil {
				continue
			}
			for _, f := range member.FindAllStringSubmatch(m[2], -1) {
				prefix := idsOf[f[1]]
				if prefix == "" || strings.HasPrefix(action, "Describe") && f[2] == "Strings" || unjudged[action+" "+f[1]] {
					continue
				}
				name := f[3]
				if f[2] == "Strings" {
					name += ".1"
				}
				params := []string{"DryRun", "true", name, prefix + "-0123456789abcdef0"}
				if action == "RunInstances" { // nothing is resolved of a launch that lacks these
					params = append(params, "MinCount", "1", "MaxCount", "1")
					if name != "ImageId" {
						params = append(params, "ImageId", w.Image())
					}
				}
				checked++
				if a := w.By(who, "ec2", action, params...); a.Code != "UnauthorizedOperation" {
					t.Errorf("%s %s: %d %s %s", action, name, a.Status, a.Code, a.Message)
				}
			}
		}
	}
	if checked < 160 {
		t.Errorf("%d members were looked at", checked)
	}
}

// TestLaunchesAreJudgedByAllTheyName, at whatever depth of the request, by RunInstances, spot requests and fleets, and
// what their templates name.
func TestLaunchesAreJudgedByAllTheyName(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.AwaitSnapshot(o.Snapshot, "completed")
	idle := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", o.Subnet)
	host := w.Must("item", "AllocateHosts", "AvailabilityZone",
		w.Must("availabilityZone", "DescribeSubnets", "SubnetId.1", o.Subnet), "InstanceFamily", "m5", "Quantity", "1")
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "named", "GroupDescription", "named")
	w.Must("groupName", "CreatePlacementGroup", "GroupName", "apart", "Strategy", "spread")
	run := func(more ...string) []string {
		return append([]string{
			"RunInstances", "DryRun", "true", "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1", "ImageId", o.Image,
		}, more...)
	}
	spot := func(more ...string) []string {
		return append([]string{
			"RequestSpotInstances", "DryRun", "true", "LaunchSpecification.ImageId", o.Image,
			"LaunchSpecification.InstanceType", "m5.large",
		}, more...)
	}
	templated := func(name, value string) []string {
		id := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName",
			"t-"+strings.ReplaceAll(name, ".", "-"), "LaunchTemplateData."+name, value)
		return run("LaunchTemplate.LaunchTemplateId", id)
	}
	fleet := func(more ...string) []string {
		id := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName",
			"fleet-"+strings.ReplaceAll(more[0], ".", "-"), "LaunchTemplateData.ImageId", o.Image,
			"LaunchTemplateData.InstanceType", "m5.large")
		return append([]string{
			"CreateFleet", "DryRun", "true", "Type", "instant", "TargetCapacitySpecification.TotalTargetCapacity", "1",
			"LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateId", id,
			"LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version", "1",
		}, more...)
	}
	const override = "LaunchTemplateConfigs.1.Overrides.1."
	for i, tt := range []struct {
		kind, id string
		call     []string
	}{
		{"image", o.Image, run()},
		{"subnet", o.Subnet, run("SubnetId", o.Subnet)},
		{"subnet", o.Subnet, run("NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.SubnetId", o.Subnet)},
		{"network-interface", idle, run("NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.NetworkInterfaceId", idle)},
		{"security-group", group, run("SecurityGroupId.1", group)},
		{"security-group", group, run("SecurityGroup.1", "named")},
		{"security-group", group, run("NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.SecurityGroupId.1", group)},
		{"key-pair", o.Key, run("KeyName", o.Key)},
		{"snapshot", o.Snapshot,
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.SnapshotId", o.Snapshot)},
		{"placement-group", "apart", run("Placement.GroupName", "apart")},
		{"dedicated-host", host, run("Placement.Tenancy", "host", "Placement.HostId", host)},
		{"capacity-reservation", o.Capacity,
			run("CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", o.Capacity)},
		{"launch-template", o.Template, run("LaunchTemplate.LaunchTemplateId", o.Template)},
		{"key-pair", o.Key, templated("KeyName", o.Key)},
		{"security-group", group, templated("SecurityGroup.1", "named")},
		{"subnet", o.Subnet, spot("LaunchSpecification.SubnetId", o.Subnet)},
		{"image", o.Image, spot()},
		{"key-pair", o.Key, spot("LaunchSpecification.KeyName", o.Key)},
		{"security-group", group, spot("LaunchSpecification.SecurityGroup.1", "named")},
		{"snapshot", o.Snapshot,
			spot("LaunchSpecification.BlockDeviceMapping.1.DeviceName", "/dev/sdf",
				"LaunchSpecification.BlockDeviceMapping.1.Ebs.SnapshotId", o.Snapshot)},
		{"image", o.Image, fleet("ValidFrom", "")},
		{"subnet", o.Subnet, fleet(override+"SubnetId", o.Subnet)},
		{"placement-group", "apart", fleet(override+"Placement.GroupName", "apart")},
	} {
		keys := w.User(fmt.Sprint("u", i),
			apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`,
				`{"Effect":"Deny","Action":["ec2:RunInstances","ec2:RequestSpotInstances"],"Resource":"arn:aws:ec2:*:`+
					tt.kind+`/`+tt.id+`"}`))
		if a := w.By(keys, "ec2", tt.call[0], tt.call[1:]...); a.Code != "UnauthorizedOperation" ||
			!strings.Contains(a.Message, tt.kind+"/"+tt.id) {
			t.Errorf("%v in spite of the denial of %s/%s: %d %s %s", tt.call, tt.kind, tt.id, a.Status, a.Code, a.Message)
		}
	}
}
