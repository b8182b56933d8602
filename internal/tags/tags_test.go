package tags_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway"
	"slipway/internal/apitest"
)

// taggable is one kind of resource: how it is made and how it is described.
type taggable struct {
	create, element string   // the action, and the element with the new id
	params          []string // of the action, besides the tags
	describe, ids   string   // the action, and its parameter for ids; "": it is asked by the first of params
	named           bool     // it is described by its id alone
}

// taggables are the kinds by their names, each made in a world of what they need.
func taggables(w *apitest.Wire, o apitest.World) map[string]taggable {
	vpc := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.0.0.0/16")
	subnet := w.Must("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.0.0.0/24")
	return map[string]taggable{
		"instance": {"RunInstances", "instanceId",
			[]string{"ImageId", o.Image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"},
			"DescribeInstances", "InstanceId", false},
		"image": {"RegisterImage", "imageId",
			[]string{
				"Name", "tagged", "RootDeviceName", "/dev/xvda", "BlockDeviceMapping.1.DeviceName", "/dev/xvda",
				"BlockDeviceMapping.1.Ebs.SnapshotId", w.Copied(o.Snapshot),
			}, "DescribeImages", "ImageId", false},
		"volume": {"CreateVolume", "volumeId",
			[]string{"AvailabilityZone", "us-east-1a", "Size", "1"}, "DescribeVolumes", "VolumeId", false},
		"snapshot": {"CreateSnapshot", "snapshotId", []string{"VolumeId", o.Idle},
			"DescribeSnapshots", "SnapshotId", false},
		"vpc": {"CreateVpc", "vpcId", []string{"CidrBlock", "10.9.0.0/16"}, "DescribeVpcs",
			"VpcId", false},
		"subnet": {"CreateSubnet", "subnetId", []string{"VpcId", vpc, "CidrBlock", "10.0.1.0/24"},
			"DescribeSubnets", "SubnetId", false},
		"route-table": {"CreateRouteTable", "routeTableId", []string{"VpcId", vpc},
			"DescribeRouteTables", "RouteTableId", false},
		"internet-gateway": {"CreateInternetGateway", "internetGatewayId", nil, "DescribeInternetGateways",
			"InternetGatewayId", false},
		"egress-only-internet-gateway": {"CreateEgressOnlyInternetGateway", "egressOnlyInternetGatewayId",
			[]string{"VpcId", vpc}, "DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGatewayId", false},
		"natgateway": {"CreateNatGateway", "natGatewayId",
			[]string{"SubnetId", o.Subnet, "AllocationId", w.Must("allocationId", "AllocateAddress", "Domain", "vpc")},
			"DescribeNatGateways", "NatGatewayId", false},
		"vpc-peering-connection": {"CreateVpcPeeringConnection", "vpcPeeringConnectionId",
			[]string{"VpcId", vpc, "PeerVpcId", o.VPC}, "DescribeVpcPeeringConnections", "VpcPeeringConnectionId", false},
		"network-acl": {"CreateNetworkAcl", "networkAclId", []string{"VpcId", vpc}, "DescribeNetworkAcls",
			"NetworkAclId", false},
		"network-interface": {"CreateNetworkInterface", "networkInterfaceId", []string{"SubnetId", subnet},
			"DescribeNetworkInterfaces", "NetworkInterfaceId", false},
		"dhcp-options": {"CreateDhcpOptions", "dhcpOptionsId",
			[]string{"DhcpConfiguration.1.Key", "domain-name", "DhcpConfiguration.1.Value.1", "x.internal"},
			"DescribeDhcpOptions", "DhcpOptionsId", false},
		"security-group": {"CreateSecurityGroup", "groupId", []string{"GroupName", "tagged", "GroupDescription", "x"},
			"DescribeSecurityGroups", "GroupId", false},
		"security-group-rule": {"AuthorizeSecurityGroupIngress", "securityGroupRuleId",
			[]string{
				"GroupId", o.Group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "81",
				"IpPermissions.1.ToPort", "81",
				"IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8",
			}, "DescribeSecurityGroupRules", "SecurityGroupRuleId", false},
		"subnet-cidr-reservation": {"CreateSubnetCidrReservation", "subnetCidrReservationId",
			[]string{"SubnetId", subnet, "Cidr", "10.0.0.64/28", "ReservationType", "explicit"},
			"GetSubnetCidrReservations", "", false},
		"prefix-list": {"CreateManagedPrefixList", "prefixListId",
			[]string{"PrefixListName", "tagged", "MaxEntries", "1", "AddressFamily", "IPv4"},
			"DescribeManagedPrefixLists", "PrefixListId", false},
		"elastic-ip": {"AllocateAddress", "allocationId", []string{"Domain", "vpc"}, "DescribeAddresses",
			"AllocationId", false},
		"key-pair": {"CreateKeyPair", "keyPairId", []string{"KeyName", "tagged"}, "DescribeKeyPairs",
			"KeyPairId", false},
		"placement-group": {"CreatePlacementGroup", "groupId",
			[]string{"GroupName", "tagged", "Strategy", "spread"}, "DescribePlacementGroups", "GroupId", false},
		"launch-template": {"CreateLaunchTemplate", "launchTemplateId",
			[]string{"LaunchTemplateName", "tagged", "LaunchTemplateData.InstanceType", "t3.micro"},
			"DescribeLaunchTemplates", "LaunchTemplateId", false},
		"capacity-reservation": {"CreateCapacityReservation", "capacityReservationId",
			[]string{
				"InstanceType", "t3.micro", "InstancePlatform", "Linux/UNIX", "InstanceCount", "1", "AvailabilityZone",
				"us-east-1a",
			}, "DescribeCapacityReservations", "CapacityReservationId", false},
		"dedicated-host": {"AllocateHosts", "hostIdSet",
			[]string{"AvailabilityZone", "us-east-1a", "InstanceType", "m5.large", "Quantity", "1"}, "DescribeHosts",
			"HostId", false},
		"spot-instances-request": {"RequestSpotInstances", "spotInstanceRequestId",
			[]string{"LaunchSpecification.ImageId", o.Image, "LaunchSpecification.InstanceType", "t3.micro"},
			"DescribeSpotInstanceRequests", "SpotInstanceRequestId", false},
		"import-image-task": {"ImportImage", "importTaskId", []string{"DiskContainer.1.SnapshotId", o.Snapshot},
			"DescribeImportImageTasks", "ImportTaskId", false},
		"import-snapshot-task": {"ImportSnapshot", "importTaskId",
			[]string{"DiskContainer.Format", "RAW", "DiskContainer.Url", w.Put("tagged.raw", apitest.Disk(1))},
			"DescribeImportSnapshotTasks", "ImportTaskId", false},
		"fleet": {"CreateFleet", "fleetId",
			[]string{
				"Type", "instant", "TargetCapacitySpecification.TotalTargetCapacity", "1",
				"TargetCapacitySpecification.DefaultTargetCapacityType", "on-demand",
				"LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateId", o.Template,
				"LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version", "1",
				"LaunchTemplateConfigs.1.Overrides.1.ImageId", o.Image,
			}, "DescribeFleets", "FleetId", true},
	}
}

// TestTagsOfEveryKind: judged by policies, given at the creation and afterwards, taken off again, shown by the kind's
// own description and by DescribeTags, and found by.
func TestTagsOfEveryKind(t *testing.T) {
	w := apitest.New(t)
	kinds := taggables(w, apitest.NewWorld(w))
	if got, want := slices.Sorted(maps.Keys(kinds)),
		slices.Sorted(maps.Values(slipway.ResourceTypes)); !slices.Equal(got, want) {
		t.Fatalf("tried are %v,\nthere are %v", got, want)
	}
	fenced := w.User("fenced", apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`,
		`{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringLike":{"aws:ResourceTag/Made":"here *"}}}`))
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			sub := *w
			sub.T = t
			k.try(&sub, kind, fenced)
		})
	}
}

// by are the parameters by which one is described.
func (k taggable) by(id string) []string {
	if k.ids == "" {
		return k.params[:2]
	}
	return []string{k.ids + ".1", id}
}

// filtered are the parameters of a description by a filter.
func (k taggable) filtered(kind, id string, filter []string) []string {
	if strings.HasPrefix(kind, "import-") { // the imports' list of filters has another name
		for i, part := range filter {
			filter[i] = strings.Replace(part, "Filter.", "Filters.", 1)
		}
	}
	if k.named || k.ids == "" {
		filter = append(filter, k.by(id)...)
	}
	return filter
}

func (k taggable) try(w *apitest.Wire, kind string, fenced aws.Credentials) {
	t := w.T
	with := func(of string) []string {
		specification := "TagSpecification.1"
		if kind == "capacity-reservation" {
			specification = "TagSpecifications.1" // sic
		}
		return append([]string{
			specification + ".ResourceType", of, specification + ".Tag.1.Key", "Made", specification + ".Tag.1.Value",
			"here " + kind,
		}, k.params...)
	}
	if a := w.Call(k.create, with("reserved-instances")...); a.Code != "InvalidParameterValue" ||
		!strings.Contains(a.Message, "reserved-instances") {
		t.Errorf("tags of another kind: %d %s %s", a.Status, a.Code, a.Message)
	}
	answer := w.Must(k.element, k.create, with(kind)...)
	if item := apitest.First(answer, "item"); item != "" {
		answer = item
	}
	id := answer

	// tags compares all that is shown with what is wanted.
	tags := func(when string, want map[string]string) {
		t.Helper()
		shown := w.Call(k.describe, k.by(id)...).Body
		rows := map[string]string{}
		for _, row := range strings.Split(w.Call("DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1",
			id).Body, "<item>")[1:] {
			if rows[apitest.First(row, "key")] = apitest.First(row,
				"value"); apitest.First(row, "resourceType") != kind || apitest.First(row, "resourceId") != id {
				t.Errorf("%s DescribeTags has the row %s", when, row)
			}
		}
		if !maps.Equal(rows, want) {
			t.Errorf("%s DescribeTags says %v, want %v", when, rows, want)
		}
		for _, key := range []string{"Made", "Later", "Empty"} {
			value, there := want[key]
			pair := "<key>" + key + "</key><value>" + value + "</value>"
			if strings.Contains(shown, pair) != there || !there && strings.Contains(shown, "<key>"+key+"</key>") {
				t.Errorf("%s %s says %s, want %v", when, k.describe, shown, want)
			}
			for name, filter := range map[string][]string{
				"tag-key": {"Filter.1.Name", "tag-key", "Filter.1.Value.1", key, "Filter.2.Name", "tag:Made",
					"Filter.2.Value.1", "here " + kind},
				"tag:" + key: {"Filter.1.Name", "tag:" + key, "Filter.1.Value.1", value, "Filter.2.Name", "tag:Made",
					"Filter.2.Value.1", "here " + kind},
			} {
				filter = k.filtered(kind, id, filter)
				if found := strings.Contains(w.Call(k.describe, filter...).Body, ">"+id+"<"); found != there {
					t.Errorf("%s %s by %s finds it: %v, want %v", when, k.describe, name, found, there)
				}
			}
			if there &&
				w.Must("resourceId", "DescribeTags", "Filter.1.Name", "resource-type", "Filter.1.Value.1", kind,
					"Filter.2.Name", "key", "Filter.2.Value.1", key, "Filter.3.Name", "value", "Filter.3.Value.1",
					value) != id {
				t.Errorf("%s DescribeTags does not find it by its type and %s", when, key)
			}
		}
	}
	made := map[string]string{"Made": "here " + kind}
	tags("made,", made)
	if a := w.By(fenced, "ec2", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "Later", "Tag.1.Value",
		"x"); a.Code != "UnauthorizedOperation" {
		t.Errorf("a policy about its tag does not bind: %d %s %s", a.Status, a.Code, a.Message)
	}
	w.Must("return", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "Later", "Tag.1.Value", "x "+kind, "Tag.2.Key",
		"Empty", "Tag.2.Value", "")
	tags("with two more,", map[string]string{"Made": "here " + kind, "Later": "x " + kind, "Empty": ""})
	w.Must("return", "DeleteTags", "ResourceId.1", id, "Tag.1.Key", "Later", "Tag.1.Value", "another", "Tag.2.Key", "Empty")
	tags("with one gone,", map[string]string{"Made": "here " + kind, "Later": "x " + kind})
	w.Must("return", "DeleteTags", "ResourceId.1", id, "Tag.1.Key", "Later")
	tags("with both gone,", made)
	if a := w.Call("CreateTags", "ResourceId.1", id, "Tag.1.Key", "aws:x", "Tag.1.Value",
		"y"); a.Code != "InvalidParameterValue" {
		t.Errorf("a tag of the system's: %s %s", a.Code, a.Message)
	}
}

// TestTagsAtCreationTakeTheirRight: to tag what one makes is a right besides that of making it, whatever the action
// calls the parameter; and what has an id of another form than most is a resource of its own for policies, too.
func TestTagsAtCreationTakeTheirRight(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	another := w.Must("spotInstanceRequestId", "RequestSpotInstances", "LaunchSpecification.ImageId", o.Image,
		"LaunchSpecification.InstanceType", "t3.micro")
	dev := w.User("dev", apitest.Document(
		`{"Effect":"Allow","Action":["ec2:CreateCapacityReservation","ec2:CreateDhcpOptions","ec2:CreateVolume"],"Resource":["arn:aws:ec2:*:*:capacity-reservation/*","arn:aws:ec2:*:*:dhcp-options/*","arn:aws:ec2:*:*:volume/*"]}`,
		`{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:volume/*"}`,
		`{"Effect":"Allow","Action":"ec2:CancelSpotInstanceRequests","Resource":"arn:aws:ec2:*:*:spot-instances-request/`+
			o.Spot+`"}`,
	))
	reserve := []string{
		"DryRun", "true", "InstanceType", "t3.micro", "InstancePlatform", "Linux/UNIX", "InstanceCount", "1",
		"AvailabilityZone", "us-east-1a",
	}
	options := []string{"DryRun", "true", "DhcpConfiguration.1.Key", "domain-name", "DhcpConfiguration.1.Value.1", "x.internal"}
	volume := []string{"DryRun", "true", "AvailabilityZone", "us-east-1a", "Size", "1"}
	tagged := func(params []string, specification, kind string) []string {
		return append(slices.Clip(params), specification+".1.ResourceType", kind, specification+".1.Tag.1.Key", "k",
			specification+".1.Tag.1.Value", "v")
	}
	for _, tt := range []struct {
		name, action string
		params       []string
		code         string
	}{
		{"a reservation", "CreateCapacityReservation", reserve, "DryRunOperation"},
		{"a tagged reservation", "CreateCapacityReservation",
			tagged(reserve, "TagSpecifications", "capacity-reservation"), "UnauthorizedOperation"},
		{"options", "CreateDhcpOptions", options, "DryRunOperation"},
		{"tagged options", "CreateDhcpOptions", tagged(options, "TagSpecification", "dhcp-options"), "UnauthorizedOperation"},
		{"a tagged volume", "CreateVolume", tagged(volume, "TagSpecification", "volume"), "DryRunOperation"},
		{"one's own spot request", "CancelSpotInstanceRequests",
			[]string{"SpotInstanceRequestId.1", o.Spot, "DryRun", "true"}, "DryRunOperation"},
		{"another's", "CancelSpotInstanceRequests", []string{"SpotInstanceRequestId.1", another, "DryRun", "true"},
			"UnauthorizedOperation"},
	} {
		if a := w.By(dev, "ec2", tt.action, tt.params...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s, want %s", tt.name, a.Status, a.Code, a.Message, tt.code)
		}
	}
}
