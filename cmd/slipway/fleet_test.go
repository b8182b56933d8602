package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/fleets"
	"slipway/internal/state"
	"slipway/internal/store"
)

// fleetDryRuns are parameters with which each of the fleets' actions would succeed.
func (o world) fleetDryRuns(w *wire) map[string][]string {
	template := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "fleet", "LaunchTemplateData.ImageId", o.image)
	fleet := w.must("fleetId", "CreateFleet", fleetOf(template, 1, []string{"InstanceType", "t3.micro"})...)
	return map[string][]string{
		"CreateFleet":            fleetOf(template, 1, []string{"InstanceType", "t3.micro"}),
		"DeleteFleets":           {"FleetId.1", fleet, "TerminateInstances", "true"},
		"DescribeFleetInstances": {"FleetId", fleet},

		"GetInstanceTypesFromInstanceRequirements": requirements(),
	}
}

// requirements are those for at least two processors and 4 GiB, and more.
func requirements(more ...string) []string {
	return append([]string{"ArchitectureType.1", "x86_64", "VirtualizationType.1", "hvm", "InstanceRequirements.VCpuCount.Min", "2", "InstanceRequirements.MemoryMiB.Min", "4096"}, more...)
}

// TestTypesByRequirements: each requirement takes away what lacks it and leaves what has it.
func TestTypesByRequirements(t *testing.T) {
	w := newWire(t)
	const of = "InstanceRequirements."
	for _, tt := range []struct {
		name, has, lacks string // space-separated types
		more             []string
	}{
		{"nothing more", "m5.large m6a.large m4.large i3.large", "t3.medium m6g.large c5.large.metal t3.micro", nil},
		{"a range of processors", "m5.large", "m5.xlarge", []string{of + "VCpuCount.Max", "2"}},
		{"a range of memory", "c5.large", "m5.large", []string{of + "MemoryMiB.Max", "4096"}},
		{"memory by processor", "c5.large", "m5.large r5.large", []string{of + "MemoryGiBPerVCpu.Min", "1.5", of + "MemoryGiBPerVCpu.Max", "2.5"}},
		{"a maker", "m5a.large m6a.large", "m5.large", []string{of + "CpuManufacturer.1", "amd"}},
		{"two makers", "m5a.large m5.large", "", []string{of + "CpuManufacturer.1", "amd", of + "CpuManufacturer.2", "intel"}},
		{"no such families", "m5.large", "c5.large c5a.large", []string{of + "ExcludedInstanceType.1", "c*"}},
		{"only such families", "c5.large c5a.large", "m5.large", []string{of + "AllowedInstanceType.1", "c*"}},
		{"a generation", "m5.large", "m4.large", []string{of + "InstanceGeneration.1", "current"}},
		{"the older generation", "m4.large", "m5.large", []string{of + "InstanceGeneration.1", "previous"}},
		{"burstable too", "t3.medium m5.large", "", []string{of + "BurstablePerformance", "included"}},
		{"burstable", "t3.medium", "m5.large", []string{of + "BurstablePerformance", "required"}},
		{"bare metal", "", "m5.large", []string{of + "BareMetal", "required"}},
		{"stores", "i3.large", "m5.large", []string{of + "LocalStorage", "required"}},
		{"no stores", "m5.large", "i3.large", []string{of + "LocalStorage", "excluded"}},
		{"stores of a kind", "d2.xlarge", "i3.large m5.large", []string{of + "LocalStorage", "required", of + "LocalStorageType.1", "hdd"}},
		{"much store", "d2.xlarge", "m5.large i3.large", []string{of + "TotalLocalStorageGB.Min", "2000.5"}},
		{"interfaces", "m5.xlarge", "m5.large", []string{of + "NetworkInterfaceCount.Min", "4"}},
		{"a network", "m6i.large", "m5.large m4.large", []string{of + "NetworkBandwidthGbps.Min", "12.5"}},
		{"accelerators", "", "m5.large", []string{of + "AcceleratorCount.Min", "1"}},
		{"no accelerators", "m5.large", "", []string{of + "AcceleratorCount.Max", "0"}},
		{"hibernation", "m5.large", "d2.xlarge", []string{of + "RequireHibernateSupport", "true"}},
		{"encryption in transit", "", "m5.large", []string{of + "RequireEncryptionInTransit", "true"}},
		{"another architecture", "m6g.large m5.large", "", []string{"ArchitectureType.2", "arm64"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.must("instanceTypeSet", "GetInstanceTypesFromInstanceRequirements", requirements(tt.more...)...)
			for name := range strings.FieldsSeq(tt.has) {
				if !strings.Contains(got, ">"+name+"<") {
					t.Errorf("%s is missing", name)
				}
			}
			for name := range strings.FieldsSeq(tt.lacks) {
				if strings.Contains(got, ">"+name+"<") {
					t.Errorf("%s is there", name)
				}
			}
		})
	}
	page := w.call("GetInstanceTypesFromInstanceRequirements", requirements("MaxResults", "1")...).body
	next := w.call("GetInstanceTypesFromInstanceRequirements", requirements("MaxResults", "1", "NextToken", first(page, "nextToken"))...).body
	if a, b := first(page, "instanceType"), first(next, "instanceType"); strings.Count(page, "<item>") != 1 || a == "" || a >= b {
		t.Errorf("pages: %q, then %q", a, b)
	}
	const action = "GetInstanceTypesFromInstanceRequirements"
	refused := func(name, code, says string, more ...string) refusal {
		return refusal{name, code, says, action, requirements(more...)}
	}
	w.refuses(t, []refusal{
		{"no architecture", "MissingParameter", "ArchitectureType", action, nil},
		{"no virtualization", "MissingParameter", "VirtualizationType", action, requirements()[:2]},
		{"no requirements", "MissingParameter", "InstanceRequirements", action, requirements()[:4]},
		{"no processors", "MissingParameter", "VCpuCount", action, slices.Delete(requirements(), 4, 6)},
		{"no memory", "MissingParameter", "MemoryMiB", action, requirements()[:6]},
		refused("an architecture of old", "InvalidParameterValue", "vax", "ArchitectureType.2", "vax"),
		refused("an unknown maker", "InvalidParameterValue", "acorn", of+"CpuManufacturer.1", "acorn"),
		refused("a word for metal", "InvalidParameterValue", "perhaps", of+"BareMetal", "perhaps"),
		refused("a range upside down", "InvalidParameterValue", "VCpuCount", of+"VCpuCount.Max", "1"),
		refused("allowed and excluded", "InvalidParameterCombination", "AllowedInstanceTypes", of+"AllowedInstanceType.1", "c*", of+"ExcludedInstanceType.1", "m*"),
		refused("an accelerator", "UnsupportedOperation", "AcceleratorNames", of+"AcceleratorName.1", "t4"),
		refused("a makers' accelerator", "UnsupportedOperation", "AcceleratorManufacturers", of+"AcceleratorManufacturer.1", "nvidia"),
		refused("a kind of accelerator", "UnsupportedOperation", "AcceleratorTypes", of+"AcceleratorType.1", "gpu"),
		refused("an accelerator's memory", "UnsupportedOperation", "AcceleratorTotalMemoryMiB", of+"AcceleratorTotalMemoryMiB.Min", "1"),
		refused("a baseline", "UnsupportedOperation", "BaselineEbsBandwidthMbps", of+"BaselineEbsBandwidthMbps.Min", "1"),
		refused("performance factors", "UnsupportedOperation", "BaselinePerformanceFactors", of+"BaselinePerformanceFactors.Cpu.Reference.1.InstanceFamily", "c6i"),
		refused("a spot price", "UnsupportedOperation", "SpotMaxPricePercentageOverLowestPrice", of+"SpotMaxPricePercentageOverLowestPrice", "10"),
		refused("a price", "UnsupportedOperation", "OnDemandMaxPricePercentageOverLowestPrice", of+"OnDemandMaxPricePercentageOverLowestPrice", "10"),
		refused("an optimal price", "UnsupportedOperation", "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice", of+"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice", "10"),
		refused("a context", "UnsupportedOperation", "Context", "Context", "x"),
	})
}

// fleetOf are the parameters of an instant fleet of on-demand instances with the overrides.
func fleetOf(template string, count int, overrides ...[]string) []string {
	out := []string{"Type", "instant", "TargetCapacitySpecification.TotalTargetCapacity", fmt.Sprint(count),
		"LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateId", template, "LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version", "$Latest"}
	for i, o := range overrides {
		for j := 0; j < len(o); j += 2 {
			out = append(out, fmt.Sprintf("LaunchTemplateConfigs.1.Overrides.%d.%s", i+1, o[j]), o[j+1])
		}
	}
	return out
}

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

// TestKarpentersFleet is the client's way: it dry-runs, launches over types and zones, and reads the place of each node from the overrides.
func TestKarpentersFleet(t *testing.T) {
	w := newWire(t)
	image := w.image()
	template := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "karpenter.k8s.aws/1", "LaunchTemplateData.ImageId", "ami-00000000",
		"LaunchTemplateData.TagSpecification.1.ResourceType", "instance", "LaunchTemplateData.TagSpecification.1.Tag.1.Key", "of", "LaunchTemplateData.TagSpecification.1.Tag.1.Value", "template")
	w.must("versionNumber", "CreateLaunchTemplateVersion", "LaunchTemplateId", template, "SourceVersion", "1", "LaunchTemplateData.KeyName", "")
	subnet := func(zone string) string {
		return w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", zone)
	}
	overrides := [][]string{
		{"InstanceType", "m5.large", "SubnetId", subnet("us-east-1a"), "ImageId", image, "AvailabilityZone", "us-east-1a"},
		{"InstanceType", "t3.small", "SubnetId", subnet("us-east-1b"), "ImageId", image, "AvailabilityZone", "us-east-1b"},
		{"InstanceType", "c5.large", "SubnetId", subnet("us-east-1c"), "ImageId", image, "AvailabilityZone", "us-east-1c"},
	}
	tags := []string{"ClientToken", "once"}
	for i, kind := range []string{"fleet", "instance", "volume"} {
		at := fmt.Sprintf("TagSpecification.%d.", i+1)
		tags = append(tags, at+"ResourceType", kind, at+"Tag.1.Key", "node", at+"Tag.1.Value", "pool")
	}
	params := append(fleetOf(template, 2, overrides...), tags...)
	if a := w.call("CreateFleet", append(params, "DryRun", "true")...); a.code != "DryRunOperation" {
		t.Fatalf("the dry run: %s", a.body)
	}
	a := w.call("CreateFleet", params...)
	made := items(first(a.body, "fleetInstanceSet"))
	if len(made) != 1 || strings.Contains(a.body, "errorCode") {
		t.Fatalf("want one set and no errors: %s", a.body)
	}
	for element, want := range map[string]string{
		"launchTemplateId": template, "version": "2", "instanceType": "t3.small", "subnetId": subnet("us-east-1b"), "availabilityZone": "us-east-1b", "imageId": image, "lifecycle": "on-demand",
	} {
		shows(t, made[0], element, want)
	}
	fleet, nodes := first(a.body, "fleetId"), ids(a.body)
	if len(nodes) != 2 {
		t.Fatalf("%d instances, want 2: %s", len(nodes), a.body)
	}
	seen := w.call("DescribeInstances", "InstanceId.1", nodes[0]).body
	for _, want := range []string{"<key>aws:ec2:fleet-id</key><value>" + fleet, "<key>node</key><value>pool", "<key>of</key><value>template", "<key>aws:ec2launchtemplate:version</key><value>2"} {
		if !strings.Contains(seen, want) {
			t.Errorf("an instance lacks %s", want)
		}
	}
	if !strings.Contains(w.call("DescribeVolumes", "Filter.1.Name", "tag:node", "Filter.1.Value.1", "pool").body, nodes[1]) {
		t.Error("the volumes have no tags")
	}
	if again := w.call("CreateFleet", params...); strings.Join(ids(again.body), " ") != strings.Join(nodes, " ") || first(again.body, "fleetId") != fleet {
		t.Errorf("a retry: %s", again.body)
	}
	scope := state.Scope{Account: w.keys.Account, Region: w.region}
	err := w.db.Update(t.Context(), func(tx store.Tx) error {
		return state.Fleets.Edit(tx, scope, fleet, func(f *slipway.Fleet) error { f.Done, f.Launched = false, nil; return nil })
	})
	if again := w.call("CreateFleet", params...); err != nil || strings.Join(ids(again.body), " ") != strings.Join(nodes, " ") {
		t.Errorf("a retry of what was cut short: %v %s", err, again.body)
	}
	if other := w.call("CreateFleet", append(fleetOf(template, 3, overrides...), tags...)...); other.code != "IdempotentParameterMismatch" {
		t.Errorf("another request with the token: %s", other.body)
	}
	shown := w.call("DescribeFleets", "FleetId.1", fleet).body
	for element, want := range map[string]string{"fleetState": "active", "activityStatus": "fulfilled", "fulfilledCapacity": "2", "type": "instant", "totalTargetCapacity": "2", "key": "node"} {
		shows(t, shown, element, want)
	}
	if got := first(shown, "launchTemplateConfigs"); strings.Count(got, "<instanceType>") != 3 {
		t.Errorf("the overrides: %s", got)
	}
	if all := w.call("DescribeFleets").body; strings.Contains(all, fleet) {
		t.Error("an instant fleet is listed unasked")
	}
	if none := w.call("DescribeFleets", "FleetId.1", fleet, "Filter.1.Name", "fleet-state", "Filter.1.Value.1", "deleted").body; strings.Contains(none, fleet) {
		t.Error("the filter fleet-state takes what is active")
	}
	if got := ids(w.call("DescribeFleetInstances", "FleetId", fleet).body); len(got) != 2 {
		t.Errorf("the fleet's instances: %v", got)
	}
	gone := w.call("DeleteFleets", "FleetId.1", fleet, "FleetId.2", "fleet-none", "TerminateInstances", "true").body
	shows(t, gone, "previousFleetState", "active")
	shows(t, gone, "currentFleetState", "deleted_terminating")
	shows(t, gone, "code", "fleetIdDoesNotExist")
	w.await(nodes[0], "terminated")
	w.await(nodes[1], "terminated")
	shows(t, w.call("DescribeFleets", "FleetId.1", fleet).body, "fleetState", "deleted")
	shows(t, w.call("DeleteFleets", "FleetId.1", fleet, "TerminateInstances", "true").body, "code", "fleetNotInDeletableState")
	for _, after := range []time.Duration{47 * time.Hour, 49 * time.Hour} {
		later := fleets.New(w.db, w.api.Instances, func() time.Time { return time.Now().Add(after) })
		if err := later.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if code := w.call("DescribeFleets", "FleetId.1", fleet).code; (code == "") != (after < 48*time.Hour) {
			t.Errorf("after %s: %q", after, code)
		}
	}
}

// smallHosts leaves 8 GiB to each host.
func (w *wire) smallHosts() {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx store.Tx) error {
		for h := range state.Hosts.All(tx, state.Global) {
			if err := state.Hosts.Edit(tx, state.Global, string(h.ID), func(h *slipway.Host) error { h.MemoryMiB = 8192; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestFleetsShortOfCapacity: what a pool does not give is an entry of the answer, and the next pool is asked.
func TestFleetsShortOfCapacity(t *testing.T) {
	w := newWire(t)
	template := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web", "LaunchTemplateData.ImageId", w.image(), "LaunchTemplateData.InstanceType", "t3.micro")
	w.edit("quota", "vcpus=4")
	a := w.call("CreateFleet", fleetOf(template, 3)...)
	if a.status != 200 || len(ids(a.body)) != 2 {
		t.Fatalf("want two of three: %s", a.body)
	}
	failed := first(a.body, "errorSet")
	for element, want := range map[string]string{"errorCode": "VcpuLimitExceeded", "lifecycle": "on-demand", "instanceType": "t3.micro", "launchTemplateId": template} {
		shows(t, failed, element, want)
	}
	shows(t, w.call("DescribeFleets", "FleetId.1", first(a.body, "fleetId")).body, "activityStatus", "error")
	w.edit("quota", "vcpus=0")
	w.smallHosts()
	a = w.call("CreateFleet", append(fleetOf(template, 1, []string{"ImageId", "ami-00000000", "Priority", "1"}, []string{"InstanceType", "r6i.4xlarge", "Priority", "2"}, []string{"InstanceType", "t3.small", "Priority", "3"}),
		"OnDemandOptions.AllocationStrategy", "prioritized")...)
	failed = first(a.body, "errorSet")
	if len(ids(a.body)) != 1 || strings.Count(failed, "<errorCode>") != 2 || !strings.Contains(failed, "InvalidAMIID.NotFound") || !strings.Contains(failed, "InsufficientInstanceCapacity") {
		t.Fatalf("want the third pool's and two errors: %s", a.body)
	}
	shows(t, first(a.body, "fleetInstanceSet"), "instanceType", "t3.small")
	protected := ids(a.body)[0]
	w.must("return", "ModifyInstanceAttribute", "InstanceId", protected, "DisableApiTermination.Value", "true")
	shows(t, w.call("DeleteFleets", "FleetId.1", first(a.body, "fleetId"), "TerminateInstances", "true").body, "code", "unexpectedError")
}

// TestFleetStrategies: which pools give how many, by type.
func TestFleetStrategies(t *testing.T) {
	w := newWire(t)
	template := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web", "LaunchTemplateData.ImageId", w.image(),
		"LaunchTemplateData.NetworkInterface.1.DeviceIndex", "0", "LaunchTemplateData.NetworkInterface.1.AssociatePublicIpAddress", "true")
	inB := w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1b")
	micro, small, nano := []string{"InstanceType", "t3.micro"}, []string{"InstanceType", "t3.small"}, []string{"InstanceType", "t3.nano"}
	const capacity = "TargetCapacitySpecification."
	w.smallHosts()
	spot := []string{capacity + "DefaultTargetCapacityType", "spot"}
	with := func(a []string, more ...string) []string { return append(slices.Clone(a), more...) }
	for _, tt := range []struct {
		name, want string // type/lifecycle=count
		count      int
		overrides  [][]string
		more       []string
	}{
		{"the cheapest", "t3.nano/on-demand=2", 2, [][]string{small, nano, micro}, nil},
		{"by priority", "t3.small/on-demand=2", 2, [][]string{nano, with(micro, "Priority", "2"), with(small, "Priority", "1")}, []string{"OnDemandOptions.AllocationStrategy", "prioritized"}},
		{"weights", "t3.small/on-demand=2", 5, [][]string{micro, with(small, "WeightedCapacity", "3")}, nil},
		{"spot", "t3.nano/spot=2", 2, [][]string{small, nano}, spot},
		{"both", "t3.nano/on-demand=1 t3.nano/spot=2", 3, [][]string{small, nano}, []string{capacity + "OnDemandTargetCapacity", "1", capacity + "SpotTargetCapacity", "2"}},
		{"spread", "t3.micro/spot=1 t3.nano/spot=1 t3.small/spot=1", 3, [][]string{small, nano, micro}, with(spot, "SpotOptions.AllocationStrategy", "diversified")},
		{"spread over two", "t3.micro/spot=1 t3.nano/spot=2", 3, [][]string{small, nano, micro}, with(spot, "SpotOptions.InstancePoolsToUseCount", "2")},
		{"where there is room", "t3.nano/spot=1", 1, [][]string{{"InstanceType", "r6i.4xlarge"}, small, nano}, with(spot, "SpotOptions.AllocationStrategy", "price-capacity-optimized")},
		{"where there is most room", "t3.nano/spot=1", 1, [][]string{{"InstanceType", "m5.2xlarge"}, nano}, with(spot, "SpotOptions.AllocationStrategy", "capacity-optimized")},
		{"where there is room, by priority", "t3.small/spot=1", 1, [][]string{nano, with(small, "Priority", "1")}, with(spot, "SpotOptions.AllocationStrategy", "capacity-optimized-prioritized")},
		{"bids that are too low", "t3.small/spot=1", 1, [][]string{with(nano, "MaxPrice", "0.000001"), with(small, "MaxPrice", "9")}, spot},
		{"a subnet for the template's interface", "t3.nano/on-demand=1", 1, [][]string{with(nano, "SubnetId", inB)}, nil},
		{"one type", "t3.micro/spot=2", 2, [][]string{with(micro, "Priority", "1"), small}, with(spot, "SpotOptions.SingleInstanceType", "true", "SpotOptions.InstancePoolsToUseCount", "2")},
		{"one zone", "t3.nano/on-demand=2", 2, [][]string{with(nano, "AvailabilityZone", "us-east-1c"), with(micro, "AvailabilityZone", "us-east-1a")}, []string{"OnDemandOptions.SingleAvailabilityZone", "true", "OnDemandOptions.SingleInstanceType", "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.call("CreateFleet", append(fleetOf(template, tt.count, tt.overrides...), tt.more...)...)
			count := map[string]int{}
			for _, set := range items(first(a.body, "fleetInstanceSet")) {
				count[first(set, "instanceType")+"/"+first(set, "lifecycle")] += len(ids(set))
			}
			var got []string
			for k, n := range count {
				got = append(got, fmt.Sprintf("%s=%d", k, n))
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s: %s", got, tt.want, a.body)
			}
			w.terminate(ids(first(a.body, "fleetInstanceSet"))...)
		})
	}
}

func TestFleetRefusals(t *testing.T) {
	w := newWire(t)
	template := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "web", "LaunchTemplateData.ImageId", w.image())
	market := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "spot", "LaunchTemplateData.InstanceMarketOptions.MarketType", "spot")
	micro := []string{"InstanceType", "t3.micro"}
	with := func(more ...string) []string { return append(fleetOf(template, 1, micro), more...) }
	over := func(more ...string) []string {
		return fleetOf(template, 1, append(slices.Clone(micro), more...))
	}
	const config = "LaunchTemplateConfigs.1.LaunchTemplateSpecification."
	const capacity = "TargetCapacitySpecification."
	list := []refusal{
		{"no type", "UnsupportedOperation", "Type", "CreateFleet", with()[2:]},
		{"a fleet that is kept up", "UnsupportedOperation", "Type", "CreateFleet", append([]string{"Type", "maintain"}, with()[2:]...)},
		{"a request", "UnsupportedOperation", "Type", "CreateFleet", append([]string{"Type", "request"}, with()[2:]...)},
		{"no target", "MissingParameter", "TotalTargetCapacity", "CreateFleet", []string{"Type", "instant"}},
		{"no configuration", "MissingParameter", "LaunchTemplateConfigs", "CreateFleet", with()[:4]},
		{"no instance type", "MissingParameter", "InstanceType", "CreateFleet", fleetOf(template, 1)},
		{"a template that is not there", "InvalidLaunchTemplateName.NotFoundException", "gone", "CreateFleet", append(with()[:4], config+"LaunchTemplateName", "gone")},
		{"an id that is not there", "InvalidLaunchTemplateId.NotFound", "lt-00000000", "CreateFleet", fleetOf("lt-00000000", 1, micro)},
		{"a template that says spot", "InvalidParameterCombination", "InstanceMarketOptions", "CreateFleet", fleetOf(market, 1, micro)},
		{"a target of nothing", "InvalidParameterValue", "TotalTargetCapacity", "CreateFleet", fleetOf(template, 0, micro)},
		{"parts above the whole", "InvalidParameterValue", "SpotTargetCapacity", "CreateFleet", with(capacity+"SpotTargetCapacity", "2")},
		{"a weight of nothing", "InvalidParameterValue", "weightedCapacity", "CreateFleet", over("WeightedCapacity", "0")},
		{"a priority below nothing", "InvalidParameterValue", "priority", "CreateFleet", over("Priority", "-1")},
		{"a price that is none", "InvalidParameterValue", "maxPrice", "CreateFleet", over("MaxPrice", "cheap")},
		{"tags for a subnet", "InvalidParameterValue", "not a valid taggable", "CreateFleet", with("TagSpecification.1.ResourceType", "subnet", "TagSpecification.1.Tag.1.Key", "a")},
		{"a strategy for spot alone", "InvalidParameterValue", "diversified", "CreateFleet", with("OnDemandOptions.AllocationStrategy", "diversified")},
		{"a strategy for on-demand alone", "InvalidParameterValue", "prioritized", "CreateFleet", with("SpotOptions.AllocationStrategy", "prioritized")},
		{"pools without the cheapest", "InvalidParameterCombination", "InstancePoolsToUseCount", "CreateFleet", with("SpotOptions.AllocationStrategy", "diversified", "SpotOptions.InstancePoolsToUseCount", "2")},
		{"a word for excess", "InvalidParameterValue", "excess", "CreateFleet", with("ExcessCapacityTerminationPolicy", "perhaps")},
		{"a long token", "InvalidParameterValue", "clientToken", "CreateFleet", with("ClientToken", strings.Repeat("x", 65))},
		{"a fleet that is not there", "InvalidFleetId.NotFound", "fleet-none", "DescribeFleets", []string{"FleetId.1", "fleet-none"}},
		{"instances of one that is not there", "InvalidFleetId.NotFound", "fleet-none", "DescribeFleetInstances", []string{"FleetId", "fleet-none"}},
		{"instances of none", "MissingParameter", "FleetId", "DescribeFleetInstances", nil},
		{"deletion of none", "MissingParameter", "FleetId", "DeleteFleets", nil},
		{"deletion without a word on the instances", "MissingParameter", "TerminateInstances", "DeleteFleets", []string{"FleetId.1", "fleet-none"}},
		{"deletion that leaves the instances", "UnsupportedOperation", "TerminateInstances", "DeleteFleets", []string{"FleetId.1", "fleet-none", "TerminateInstances", "false"}},
	}
	for name, value := range map[string]string{
		"Context": "x", "ValidFrom": "2030-01-01T00:00:00Z", "ValidUntil": "2030-01-01T00:00:00Z", "ReplaceUnhealthyInstances": "true", "TerminateInstancesWithExpiration": "true",
		"ReservedCapacityOptions.ReservationType.1": "x", "OnDemandOptions.CapacityReservationOptions.UsageStrategy": "use-capacity-reservations-first", "OnDemandOptions.MinTargetCapacity": "1",
		"OnDemandOptions.MaxTotalPrice": "1", "SpotOptions.MinTargetCapacity": "1", "SpotOptions.MaxTotalPrice": "1", "SpotOptions.MaintenanceStrategies.CapacityRebalance.ReplacementStrategy": "launch",
		"SpotOptions.InstanceInterruptionBehavior": "stop", capacity + "DefaultTargetCapacityType": "capacity-block", capacity + "TargetCapacityUnitType": "vcpu",
	} {
		last := strings.Split(name, ".")[min(1, strings.Count(name, "."))]
		if strings.HasPrefix(name, "Reserved") {
			last = "ReservedCapacityOptions"
		}
		list = append(list, refusal{name, "UnsupportedOperation", last, "CreateFleet", with(name, value)})
	}
	for name, value := range map[string]string{
		"InstanceRequirements.VCpuCount.Min": "1", "BlockDeviceMapping.1.DeviceName": "/dev/sdf", "IamInstanceProfile.Name": "app", "MetadataOptions.HttpTokens": "required", "Placement.Affinity": "host",
		"Placement.GroupId": "pg-00000000", "Placement.HostId": "h-00000000", "Placement.HostResourceGroupArn": "arn:x", "Placement.PartitionNumber": "1", "Placement.SpreadDomain": "x",
	} {
		list = append(list, refusal{name, "UnsupportedOperation", strings.Split(name, ".")[0][:8], "CreateFleet", over(name, value)})
	}
	w.refuses(t, list)
}

// TestAFleetGivesNoRights: what a caller may not launch by itself, no fleet launches for them.
func TestAFleetGivesNoRights(t *testing.T) {
	w := newWire(t)
	w.profiled("app", document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	plain := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "plain", "LaunchTemplateData.ImageId", w.image())
	profiled := w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "profiled", "LaunchTemplateData.ImageId", w.image(), "LaunchTemplateData.InstanceType", "t3.micro", "LaunchTemplateData.IamInstanceProfile.Name", "app")
	micro := []string{"InstanceType", "t3.micro"}
	for _, tt := range []struct{ name, policy, template, says string }{
		{"who may all but pass roles", `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`, plain, ""},
		{"a role", `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`, profiled, "iam:PassRole"},
		{"fleets alone", `{"Effect":"Allow","Action":"ec2:CreateFleet","Resource":"*"}`, plain, "ec2:RunInstances"},
		{"launches alone", `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}`, plain, "ec2:CreateFleet"},
	} {
		who := w.user(strings.ReplaceAll(tt.name, " ", "-"), document(tt.policy))
		for _, overrides := range [][][]string{{micro}, nil} {
			if overrides == nil && tt.template == plain {
				continue // it has no instance type
			}
			a := w.by(who, "ec2", "CreateFleet", fleetOf(tt.template, 1, overrides...)...)
			if tt.says == "" && a.status != 200 || tt.says != "" && (a.code != "UnauthorizedOperation" || !strings.Contains(a.message, tt.says)) {
				t.Errorf("%s: %d %s %s", tt.name, a.status, a.code, a.message)
			}
		}
	}
}

// TestKarpentersPolicy is the policy of Karpenter's own documentation in small: it may launch what carries its cluster's tag, from templates that do.
func TestKarpentersPolicy(t *testing.T) {
	w := newWire(t)
	const cluster = `"StringEquals":{"aws:%s/cluster":"owned"}`
	statement := func(resources, condition string) string {
		return `{"Effect":"Allow","Action":["ec2:RunInstances","ec2:CreateFleet"],"Resource":["arn:aws:ec2:*:*:` + strings.ReplaceAll(resources, " ", `/*","arn:aws:ec2:*:*:`) + `/*"]` + condition + `}`
	}
	who := w.user("karpenter", document(
		statement("image snapshot security-group subnet", ""),
		statement("launch-template", `,"Condition":{`+fmt.Sprintf(cluster, "ResourceTag")+`}`),
		statement("fleet instance volume network-interface spot-instances-request", `,"Condition":{`+fmt.Sprintf(cluster, "RequestTag")+`}`),
		`{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:*/*","Condition":{`+fmt.Sprintf(cluster, "RequestTag")+`,"StringLike":{"ec2:CreateAction":["RunInstances","CreateFleet"]}}}`))
	tagged := func(prefix string, kinds ...string) []string {
		var out []string
		for i, kind := range kinds {
			at := fmt.Sprintf("%sTagSpecification.%d.", prefix, i+1)
			out = append(out, at+"ResourceType", kind, at+"Tag.1.Key", "cluster", at+"Tag.1.Value", "owned")
		}
		return out
	}
	template := func(name string, more ...string) string {
		return w.must("launchTemplateId", "CreateLaunchTemplate", append(append(tagged("LaunchTemplateData.", "network-interface"), "LaunchTemplateName", name, "LaunchTemplateData.ImageId", w.image()), more...)...)
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
		if a := w.by(who, "ec2", "CreateFleet", append(fleetOf(tt.template, 1, []string{"InstanceType", "t3.micro"}), tt.tags...)...); a.code != tt.code {
			t.Errorf("%s: %d %s %s", tt.name, a.status, a.code, a.message)
		}
	}
}
