package fleets_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/fleets"
	"slipway/internal/state"
	"slipway/internal/store"
)

// items are the entries of a list, which hold no list with the same ending but the ids.
func items(set string) []string {
	set = strings.ReplaceAll(set, "<instanceIds><item>", "<instanceIds><id>")
	return strings.Split(set, "<launchTemplateAndOverrides>")[1:]
}

// ids are the instances that an answer names.
func ids(body string) []string {
	var out []string
	for _, part := range strings.Split(body, ">i-")[1:] {
		out = append(out, "i-"+part[:strings.IndexByte(part, '<')])
	}
	return out
}

// TestKarpentersFleet is the client's way: it dry-runs, launches over types and zones, and reads the place of each
// node from the overrides.
// karpenters is what Karpenter asks with: a template of its own, and a type in each of three zones.
func karpenters(w *apitest.Wire) (
	image, template string, overrides [][]string, subnet func(zone string) string,
) {
	image = w.Image()
	template = w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "karpenter.k8s.aws/1",
		"LaunchTemplateData.ImageId", "ami-00000000",
		"LaunchTemplateData.TagSpecification.1.ResourceType", "instance",
		"LaunchTemplateData.TagSpecification.1.Tag.1.Key", "of", "LaunchTemplateData.TagSpecification.1.Tag.1.Value",
		"template")
	w.Must("versionNumber", "CreateLaunchTemplateVersion", "LaunchTemplateId", template, "SourceVersion", "1",
		"LaunchTemplateData.KeyName", "")
	subnet = func(zone string) string {
		return w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", zone)
	}
	overrides = [][]string{
		{"InstanceType", "m5.large", "SubnetId", subnet("us-east-1a"), "ImageId", image, "AvailabilityZone", "us-east-1a"},
		{"InstanceType", "t3.small", "SubnetId", subnet("us-east-1b"), "ImageId", image, "AvailabilityZone", "us-east-1b"},
		{"InstanceType", "c5.large", "SubnetId", subnet("us-east-1c"), "ImageId", image, "AvailabilityZone", "us-east-1c"},
	}
	return image, template, overrides, subnet
}

func TestKarpentersFleet(t *testing.T) {
	w := apitest.New(t)
	image, template, overrides, subnet := karpenters(w)
	tags := []string{"ClientToken", "once"}
	for i, kind := range []string{"fleet", "instance", "volume"} {
		at := fmt.Sprintf("TagSpecification.%d.", i+1)
		tags = append(tags, at+"ResourceType", kind, at+"Tag.1.Key", "node", at+"Tag.1.Value", "pool")
	}
	params := append(apitest.FleetOf(template, 2, overrides...), tags...)
	if a := w.Call("CreateFleet", append(params, "DryRun", "true")...); a.Code != "DryRunOperation" {
		t.Fatalf("the dry run: %s", a.Body)
	}
	a := w.Call("CreateFleet", params...)
	made := items(apitest.First(a.Body, "fleetInstanceSet"))
	if len(made) != 1 || strings.Contains(a.Body, "errorCode") {
		t.Fatalf("want one set and no errors: %s", a.Body)
	}
	for element, want := range map[string]string{
		"launchTemplateId": template, "version": "2", "instanceType": "t3.small", "subnetId": subnet("us-east-1b"),
		"availabilityZone": "us-east-1b", "imageId": image, "lifecycle": "on-demand",
	} {
		apitest.Shows(t, made[0], element, want)
	}
	fleet, nodes := apitest.First(a.Body, "fleetId"), ids(a.Body)
	if len(nodes) != 2 {
		t.Fatalf("%d instances, want 2: %s", len(nodes), a.Body)
	}
	seen := w.Call("DescribeInstances", "InstanceId.1", nodes[0]).Body
	for _, want := range []string{
		"<key>aws:ec2:fleet-id</key><value>" + fleet, "<key>node</key><value>pool", "<key>of</key><value>template",
		"<key>aws:ec2launchtemplate:version</key><value>2",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("an instance lacks %s", want)
		}
	}
	if !strings.Contains(w.Call("DescribeVolumes", "Filter.1.Name", "tag:node", "Filter.1.Value.1", "pool").Body, nodes[1]) {
		t.Error("the volumes have no tags")
	}
	if again := w.Call("CreateFleet", params...); strings.Join(ids(again.Body), " ") != strings.Join(nodes, " ") ||
		apitest.First(again.Body, "fleetId") != fleet {
		t.Errorf("a retry: %s", again.Body)
	}
	scope := state.Scope{Account: w.Keys.Account, Region: w.Region}
	err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		return state.Fleets.Edit(tx, scope, fleet, func(f *slipway.Fleet) error { f.Done, f.Launched = false, nil; return nil })
	})
	if again := w.Call("CreateFleet", params...); err != nil || strings.Join(ids(again.Body), " ") != strings.Join(nodes, " ") {
		t.Errorf("a retry of what was cut short: %v %s", err, again.Body)
	}
	if other := w.Call("CreateFleet",
		append(apitest.FleetOf(template, 3, overrides...), tags...)...); other.Code != "IdempotentParameterMismatch" {
		t.Errorf("another request with the token: %s", other.Body)
	}
	endsAsAFleet(t, w, fleet, nodes)
}

// endsAsAFleet looks at a fleet of two through its life's end.
func endsAsAFleet(t *testing.T, w *apitest.Wire, fleet string, nodes []string) {
	t.Helper()
	shown := w.Call("DescribeFleets", "FleetId.1", fleet).Body
	for element, want := range map[string]string{
		"fleetState": "active", "activityStatus": "fulfilled", "fulfilledCapacity": "2", "type": "instant",
		"totalTargetCapacity": "2", "key": "node",
	} {
		apitest.Shows(t, shown, element, want)
	}
	if got := apitest.First(shown, "launchTemplateConfigs"); strings.Count(got, "<instanceType>") != 3 {
		t.Errorf("the overrides: %s", got)
	}
	if all := w.Call("DescribeFleets").Body; strings.Contains(all, fleet) {
		t.Error("an instant fleet is listed unasked")
	}
	if none := w.Call("DescribeFleets", "FleetId.1", fleet, "Filter.1.Name", "fleet-state", "Filter.1.Value.1",
		"deleted").Body; strings.Contains(none, fleet) {
		t.Error("the filter fleet-state takes what is active")
	}
	if got := ids(w.Call("DescribeFleetInstances", "FleetId", fleet).Body); len(got) != 2 {
		t.Errorf("the fleet's instances: %v", got)
	}
	gone := w.Call("DeleteFleets", "FleetId.1", fleet, "FleetId.2", "fleet-none", "TerminateInstances", "true").Body
	apitest.Shows(t, gone, "previousFleetState", "active")
	apitest.Shows(t, gone, "currentFleetState", "deleted_terminating")
	apitest.Shows(t, gone, "code", "fleetIdDoesNotExist")
	w.Await(nodes[0], "terminated")
	w.Await(nodes[1], "terminated")
	apitest.Shows(t, w.Call("DescribeFleets", "FleetId.1", fleet).Body, "fleetState", "deleted")
	apitest.Shows(t, w.Call("DeleteFleets", "FleetId.1", fleet, "TerminateInstances", "true").Body, "code",
		"fleetNotInDeletableState")
	for _, after := range []time.Duration{47 * time.Hour, 49 * time.Hour} {
		later := fleets.New(w.DB, w.API.Launches, w.API.Instances, func() time.Time { return time.Now().Add(after) })
		if err := later.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if code := w.Call("DescribeFleets", "FleetId.1", fleet).Code; (code == "") != (after < 48*time.Hour) {
			t.Errorf("after %s: %q", after, code)
		}
	}
}

// TestFleetsShortOfCapacity: what a pool does not give is an entry of the answer, and the next pool is asked.
func TestFleetsShortOfCapacity(t *testing.T) {
	w := apitest.New(t)
	template := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web",
		"LaunchTemplateData.ImageId", w.Image(), "LaunchTemplateData.InstanceType", "t3.micro")
	w.Edit("quota", "vcpus=4")
	a := w.Call("CreateFleet", apitest.FleetOf(template, 3)...)
	if a.Status != 200 || len(ids(a.Body)) != 2 {
		t.Fatalf("want two of three: %s", a.Body)
	}
	failed := apitest.First(a.Body, "errorSet")
	for element, want := range map[string]string{
		"errorCode": "VcpuLimitExceeded", "lifecycle": "on-demand", "instanceType": "t3.micro", "launchTemplateId": template,
	} {
		apitest.Shows(t, failed, element, want)
	}
	apitest.Shows(t, w.Call("DescribeFleets", "FleetId.1", apitest.First(a.Body, "fleetId")).Body, "activityStatus", "error")
	w.Edit("quota", "vcpus=0")
	w.SmallHosts()
	a = w.Call("CreateFleet",
		append(apitest.FleetOf(template, 1, []string{"ImageId", "ami-00000000", "Priority", "1"},
			[]string{"InstanceType", "r6i.4xlarge", "Priority", "2"}, []string{"InstanceType", "t3.small", "Priority", "3"}),
			"OnDemandOptions.AllocationStrategy", "prioritized")...)
	failed = apitest.First(a.Body, "errorSet")
	if len(ids(a.Body)) != 1 || strings.Count(failed, "<errorCode>") != 2 ||
		!strings.Contains(failed, "InvalidAMIID.NotFound") || !strings.Contains(failed, "InsufficientInstanceCapacity") {
		t.Fatalf("want the third pool's and two errors: %s", a.Body)
	}
	apitest.Shows(t, apitest.First(a.Body, "fleetInstanceSet"), "instanceType", "t3.small")
	protected := ids(a.Body)[0]
	w.Must("return", "ModifyInstanceAttribute", "InstanceId", protected, "DisableApiTermination.Value", "true")
	apitest.Shows(t,
		w.Call("DeleteFleets", "FleetId.1", apitest.First(a.Body, "fleetId"), "TerminateInstances", "true").Body,
		"code", "unexpectedError")
}

// TestFleetStrategies: which pools give how many, by type.
func TestFleetStrategies(t *testing.T) {
	w := apitest.New(t)
	template := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web",
		"LaunchTemplateData.ImageId", w.Image(),
		"LaunchTemplateData.NetworkInterface.1.DeviceIndex", "0",
		"LaunchTemplateData.NetworkInterface.1.AssociatePublicIpAddress", "true")
	inB := w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1b")
	micro, small, nano := []string{"InstanceType", "t3.micro"}, []string{"InstanceType", "t3.small"},
		[]string{"InstanceType", "t3.nano"}
	const capacity = "TargetCapacitySpecification."
	w.SmallHosts()
	spot := []string{capacity + "DefaultTargetCapacityType", "spot"}
	with := func(a []string, more ...string) []string { return append(slices.Clone(a), more...) }
	for _, tt := range []struct {
		name, want string // type/lifecycle=count
		count      int
		overrides  [][]string
		more       []string
	}{
		{"the cheapest", "t3.nano/on-demand=2", 2, [][]string{small, nano, micro}, nil},
		{"by priority", "t3.small/on-demand=2", 2,
			[][]string{nano, with(micro, "Priority", "2"), with(small, "Priority", "1")},
			[]string{"OnDemandOptions.AllocationStrategy", "prioritized"}},
		{"weights", "t3.small/on-demand=2", 5, [][]string{micro, with(small, "WeightedCapacity", "3")}, nil},
		{"spot", "t3.nano/spot=2", 2, [][]string{small, nano}, spot},
		{"both", "t3.nano/on-demand=1 t3.nano/spot=2", 3, [][]string{small, nano},
			[]string{capacity + "OnDemandTargetCapacity", "1", capacity + "SpotTargetCapacity", "2"}},
		{"spread", "t3.micro/spot=1 t3.nano/spot=1 t3.small/spot=1", 3, [][]string{small, nano, micro},
			with(spot, "SpotOptions.AllocationStrategy", "diversified")},
		{"spread over two", "t3.micro/spot=1 t3.nano/spot=2", 3, [][]string{small, nano, micro},
			with(spot, "SpotOptions.InstancePoolsToUseCount", "2")},
		{"where there is room", "t3.nano/spot=1", 1, [][]string{{"InstanceType", "r6i.4xlarge"}, small, nano},
			with(spot, "SpotOptions.AllocationStrategy", "price-capacity-optimized")},
		{"where there is most room", "t3.nano/spot=1", 1, [][]string{{"InstanceType", "m5.2xlarge"}, nano},
			with(spot, "SpotOptions.AllocationStrategy", "capacity-optimized")},
		{"where there is room, by priority", "t3.small/spot=1", 1, [][]string{nano, with(small, "Priority", "1")},
			with(spot, "SpotOptions.AllocationStrategy", "capacity-optimized-prioritized")},
		{"bids that are too low", "t3.small/spot=1", 1,
			[][]string{with(nano, "MaxPrice", "0.000001"), with(small, "MaxPrice", "9")}, spot},
		{"a subnet for the template's interface", "t3.nano/on-demand=1", 1, [][]string{with(nano, "SubnetId", inB)}, nil},
		{"one type", "t3.micro/spot=2", 2, [][]string{with(micro, "Priority", "1"), small},
			with(spot, "SpotOptions.SingleInstanceType", "true", "SpotOptions.InstancePoolsToUseCount", "2")},
		{"one zone", "t3.nano/on-demand=2", 2,
			[][]string{with(nano, "AvailabilityZone", "us-east-1c"), with(micro, "AvailabilityZone", "us-east-1a")},
			[]string{"OnDemandOptions.SingleAvailabilityZone", "true", "OnDemandOptions.SingleInstanceType", "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.Call("CreateFleet", append(apitest.FleetOf(template, tt.count, tt.overrides...), tt.more...)...)
			count := map[string]int{}
			for _, set := range items(apitest.First(a.Body, "fleetInstanceSet")) {
				count[apitest.First(set, "instanceType")+"/"+apitest.First(set, "lifecycle")] += len(ids(set))
			}
			var got []string
			for k, n := range count {
				got = append(got, fmt.Sprintf("%s=%d", k, n))
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s: %s", got, tt.want, a.Body)
			}
			w.Terminate(ids(apitest.First(a.Body, "fleetInstanceSet"))...)
		})
	}
}

func TestFleetRefusals(t *testing.T) {
	w := apitest.New(t)
	template := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web",
		"LaunchTemplateData.ImageId", w.Image())
	market := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "spot",
		"LaunchTemplateData.InstanceMarketOptions.MarketType", "spot")
	micro := []string{"InstanceType", "t3.micro"}
	with := func(more ...string) []string { return append(apitest.FleetOf(template, 1, micro), more...) }
	over := func(more ...string) []string {
		return apitest.FleetOf(template, 1, append(slices.Clone(micro), more...))
	}
	const config = "LaunchTemplateConfigs.1.LaunchTemplateSpecification."
	const capacity = "TargetCapacitySpecification."
	list := []apitest.Refusal{
		apitest.Case("no type", "UnsupportedOperation", "Type", "CreateFleet", with()[2:]),
		apitest.Case("a fleet that is kept up", "UnsupportedOperation", "Type", "CreateFleet",
			append([]string{"Type", "maintain"}, with()[2:]...)),
		apitest.Case("a request", "UnsupportedOperation", "Type", "CreateFleet",
			append([]string{"Type", "request"}, with()[2:]...)),
		apitest.Case("no target", "MissingParameter", "TotalTargetCapacity", "CreateFleet", []string{"Type", "instant"}),
		apitest.Case("no configuration", "MissingParameter", "LaunchTemplateConfigs", "CreateFleet", with()[:4]),
		apitest.Case("no instance type", "MissingParameter", "InstanceType", "CreateFleet", apitest.FleetOf(template, 1)),
		apitest.Case("a template that is not there", "InvalidLaunchTemplateName.NotFoundException", "gone",
			"CreateFleet", append(with()[:4], config+"LaunchTemplateName", "gone")),
		apitest.Case("an id that is not there", "InvalidLaunchTemplateId.NotFound", "lt-00000000", "CreateFleet",
			apitest.FleetOf("lt-00000000", 1, micro)),
		apitest.Case("a template that says spot", "InvalidParameterCombination", "InstanceMarketOptions", "CreateFleet",
			apitest.FleetOf(market, 1, micro)),
		apitest.Case("a target of nothing", "InvalidParameterValue", "TotalTargetCapacity", "CreateFleet",
			apitest.FleetOf(template, 0, micro)),
		apitest.Case("parts above the whole", "InvalidParameterValue", "SpotTargetCapacity", "CreateFleet",
			with(capacity+"SpotTargetCapacity", "2")),
		apitest.Case("a weight of nothing", "InvalidParameterValue", "weightedCapacity", "CreateFleet",
			over("WeightedCapacity", "0")),
		apitest.Case("a priority below nothing", "InvalidParameterValue", "priority", "CreateFleet", over("Priority", "-1")),
		apitest.Case("a price that is none", "InvalidParameterValue", "maxPrice", "CreateFleet", over("MaxPrice", "cheap")),
		apitest.Case("tags for a subnet", "InvalidParameterValue", "not a valid taggable", "CreateFleet",
			with("TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "a")),
		apitest.Case("a strategy for spot alone", "InvalidParameterValue", "diversified", "CreateFleet",
			with("OnDemandOptions.AllocationStrategy", "diversified")),
		apitest.Case("a strategy for on-demand alone", "InvalidParameterValue", "prioritized", "CreateFleet",
			with("SpotOptions.AllocationStrategy", "prioritized")),
		apitest.Case("pools without the cheapest", "InvalidParameterCombination", "InstancePoolsToUseCount",
			"CreateFleet", with("SpotOptions.AllocationStrategy", "diversified", "SpotOptions.InstancePoolsToUseCount", "2")),
		apitest.Case("a word for excess", "InvalidParameterValue", "excess", "CreateFleet",
			with("ExcessCapacityTerminationPolicy", "perhaps")),
		apitest.Case("a long token", "InvalidParameterValue", "clientToken", "CreateFleet",
			with("ClientToken", strings.Repeat("x", 65))),
		apitest.Case("a fleet that is not there", "InvalidFleetId.NotFound", "fleet-none", "DescribeFleets",
			[]string{"FleetId.1", "fleet-none"}),
		apitest.Case("instances of one that is not there", "InvalidFleetId.NotFound", "fleet-none",
			"DescribeFleetInstances", []string{"FleetId", "fleet-none"}),
		apitest.Case("instances of none", "MissingParameter", "FleetId", "DescribeFleetInstances", nil),
		apitest.Case("deletion of none", "MissingParameter", "FleetId", "DeleteFleets", nil),
		apitest.Case("deletion without a word on the instances", "MissingParameter", "TerminateInstances",
			"DeleteFleets", []string{"FleetId.1", "fleet-none"}),
		apitest.Case("deletion that leaves the instances", "UnsupportedOperation", "TerminateInstances", "DeleteFleets",
			[]string{"FleetId.1", "fleet-none", "TerminateInstances", "false"}),
	}
	for name, value := range map[string]string{
		"Context": "x", "ValidFrom": "2030-01-01T00:00:00Z", "ValidUntil": "2030-01-01T00:00:00Z",
		"ReplaceUnhealthyInstances": "true", "TerminateInstancesWithExpiration": "true",
		"ReservedCapacityOptions.ReservationType.1":                "x",
		"OnDemandOptions.CapacityReservationOptions.UsageStrategy": "use-capacity-reservations-first",
		"OnDemandOptions.MinTargetCapacity":                        "1",
		"OnDemandOptions.MaxTotalPrice":                            "1", "SpotOptions.MinTargetCapacity": "1",
		"SpotOptions.MaxTotalPrice": "1", "SpotOptions.MaintenanceStrategies.CapacityRebalance.ReplacementStrategy": "launch",
		"SpotOptions.InstanceInterruptionBehavior": "stop", capacity + "DefaultTargetCapacityType": "capacity-block",
		capacity + "TargetCapacityUnitType": "vcpu",
	} {
		last := strings.Split(name, ".")[min(1, strings.Count(name, "."))]
		if strings.HasPrefix(name, "Reserved") {
			last = "ReservedCapacityOptions"
		}
		list = append(list, apitest.Case(name, "UnsupportedOperation", last, "CreateFleet", with(name, value)))
	}
	for name, value := range map[string]string{
		"InstanceRequirements.VCpuCount.Min": "1", "BlockDeviceMapping.1.DeviceName": "/dev/sdf",
		"IamInstanceProfile.Name": "app", "MetadataOptions.HttpTokens": "required", "Placement.Affinity": "host",
		"Placement.GroupId": "pg-00000000", "Placement.HostId": "h-00000000", "Placement.HostResourceGroupArn": "arn:x",
		"Placement.PartitionNumber": "1", "Placement.SpreadDomain": "x",
	} {
		list = append(list,
			apitest.Case(name, "UnsupportedOperation", strings.Split(name, ".")[0][:8], "CreateFleet", over(name, value)))
	}
	w.Refuses(t, list)
}

// TestAFleetGivesNoRights: what a caller may not launch by itself, no fleet launches for them.
func TestAFleetGivesNoRights(t *testing.T) {
	w := apitest.New(t)
	w.Profiled("app", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	plain := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "plain",
		"LaunchTemplateData.ImageId", w.Image())
	profiled := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "profiled",
		"LaunchTemplateData.ImageId", w.Image(), "LaunchTemplateData.InstanceType", "t3.micro",
		"LaunchTemplateData.IamInstanceProfile.Name", "app")
	micro := []string{"InstanceType", "t3.micro"}
	for _, tt := range []struct{ name, policy, template, says string }{
		{"who may all but pass roles", `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`, plain, ""},
		{"a role", `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`, profiled, "iam:PassRole"},
		{"fleets alone", `{"Effect":"Allow","Action":"ec2:CreateFleet","Resource":"*"}`, plain, "ec2:RunInstances"},
		{"launches alone", `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}`, plain, "ec2:CreateFleet"},
	} {
		who := w.User(strings.ReplaceAll(tt.name, " ", "-"), apitest.Document(tt.policy))
		for _, overrides := range [][][]string{{micro}, nil} {
			if overrides == nil && tt.template == plain {
				continue // it has no instance type
			}
			a := w.By(who, "ec2", "CreateFleet", apitest.FleetOf(tt.template, 1, overrides...)...)
			if tt.says == "" && a.Status != 200 ||
				tt.says != "" && (a.Code != "UnauthorizedOperation" || !strings.Contains(a.Message, tt.says)) {
				t.Errorf("%s: %d %s %s", tt.name, a.Status, a.Code, a.Message)
			}
		}
	}
}

// TestKarpentersPolicy is the policy of Karpenter's own documentation in small: it may launch what carries its
// cluster's tag, from templates that do.
func TestKarpentersPolicy(t *testing.T) {
	w := apitest.New(t)
	const cluster = `"StringEquals":{"aws:%s/cluster":"owned"}`
	statement := func(resources, condition string) string {
		return `{"Effect":"Allow","Action":["ec2:RunInstances","ec2:CreateFleet"],"Resource":["arn:aws:ec2:*:*:` +
			strings.ReplaceAll(resources, " ", `/*","arn:aws:ec2:*:*:`) + `/*"]` + condition + `}`
	}
	who := w.User("karpenter", apitest.Document(
		statement("image snapshot security-group subnet", ""),
		statement("launch-template", `,"Condition":{`+fmt.Sprintf(cluster, "ResourceTag")+`}`),
		statement("fleet instance volume network-interface spot-instances-request",
			`,"Condition":{`+fmt.Sprintf(cluster, "RequestTag")+`}`),
		`{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:*/*","Condition":{`+
			fmt.Sprintf(cluster, "RequestTag")+`,"StringLike":{"ec2:CreateAction":["RunInstances","CreateFleet"]}}}`))
	tagged := func(prefix string, kinds ...string) []string {
		var out []string
		for i, kind := range kinds {
			at := fmt.Sprintf("%sTagSpecification.%d.", prefix, i+1)
			out = append(out, at+"ResourceType", kind, at+"Tag.1.Key", "cluster", at+"Tag.1.Value", "owned")
		}
		return out
	}
	template := func(name string, more ...string) string {
		return w.Must("launchTemplateId", "CreateLaunchTemplate",
			append(append(tagged("LaunchTemplateData.", "network-interface"), "LaunchTemplateName", name,
				"LaunchTemplateData.ImageId", w.Image()), more...)...)
	}
	own, foreign := template("own", tagged("", "launch-template")...), template("foreign")
	for _, tt := range []struct {
		name, template string
		tags           []string
		code           string
	}{
		{"all tagged", own, tagged("", "fleet", "instance", "volume"), ""},
		{"no tags", own, nil, "UnauthorizedOperation"},
		{"an instance without", own, tagged("", "fleet", "volume"), "UnauthorizedOperation"},
		{"a template of another's", foreign, tagged("", "fleet", "instance", "volume"), "UnauthorizedOperation"},
	} {
		if a := w.By(who, "ec2", "CreateFleet",
			append(apitest.FleetOf(tt.template, 1, []string{"InstanceType", "t3.micro"}), tt.tags...)...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s", tt.name, a.Status, a.Code, a.Message)
		}
	}
}

// TestAFleetsTagsOfNothing: tags for what a launch does not make are an entry of the errors.
func TestAFleetsTagsOfNothing(t *testing.T) {
	w := apitest.New(t)
	const at = "LaunchTemplateData.TagSpecification.1."
	template := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "tagged",
		"LaunchTemplateData.ImageId", w.Image(), at+"ResourceType", "spot-instances-request", at+"Tag.1.Key", "k",
		at+"Tag.1.Value", "v")
	params := apitest.FleetOf(template, 1, []string{"InstanceType", "t3.micro"})
	failed := apitest.First(w.Call("CreateFleet", params...).Body, "errorSet")
	apitest.Shows(t, failed, "errorCode", "InvalidParameterValue")
	if !strings.Contains(failed, "no Spot instances requests being created") {
		t.Errorf("the error does not say what the tags are for: %s", failed)
	}
	a := w.Call("CreateFleet", append(params, "TargetCapacitySpecification.DefaultTargetCapacityType", "spot")...)
	if len(ids(a.Body)) != 1 || strings.Contains(a.Body, "errorCode") {
		t.Errorf("of spot: %s", a.Body)
	}
}
