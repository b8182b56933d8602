package instancetypes_test

import (
	"slices"
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// TestTypesByRequirements: each requirement takes away what lacks it and leaves what has it.
func TestTypesByRequirements(t *testing.T) {
	w := apitest.New(t)
	const of = "InstanceRequirements."
	for _, tt := range []struct {
		name, has, lacks string // space-separated types
		more             []string
	}{
		{"nothing more", "m5.large m6a.large m4.large i3.large", "t3.medium m6g.large c5.large.metal t3.micro", nil},
		{"a range of processors", "m5.large", "m5.xlarge", []string{of + "VCpuCount.Max", "2"}},
		{"a range of memory", "c5.large", "m5.large", []string{of + "MemoryMiB.Max", "4096"}},
		{"memory by processor", "c5.large", "m5.large r5.large",
			[]string{of + "MemoryGiBPerVCpu.Min", "1.5", of + "MemoryGiBPerVCpu.Max", "2.5"}},
		{"a maker", "m5a.large m6a.large", "m5.large", []string{of + "CpuManufacturer.1", "amd"}},
		{"two makers", "m5a.large m5.large", "", []string{of + "CpuManufacturer.1", "amd", of + "CpuManufacturer.2", "intel"}},
		{"no such families", "m5.large", "c5.large c5a.large", []string{of + "ExcludedInstanceType.1", "c*"}},
		{"only such families", "c5.large c5a.large", "m5.large", []string{of + "AllowedInstanceType.1", "c*"}},
		{"a generation", "m5.large", "m4.large", []string{of + "InstanceGeneration.1", "current"}},
		{"the older generation", "m4.large", "m5.large", []string{of + "InstanceGeneration.1", "previous"}},
		{"burstable too", "t3.medium m5.large", "", []string{of + "BurstablePerformance", "included"}},
		{"burstable", "t3.medium", "m5.large", []string{of + "BurstablePerformance", "required"}},
		{"bare metal", "m5.metal", "m5.large", []string{of + "BareMetal", "required"}},
		{"stores", "i3.large", "m5.large", []string{of + "LocalStorage", "required"}},
		{"no stores", "m5.large", "i3.large", []string{of + "LocalStorage", "excluded"}},
		{"stores of a kind", "d2.xlarge", "i3.large m5.large",
			[]string{of + "LocalStorage", "required", of + "LocalStorageType.1", "hdd"}},
		{"much store", "d2.xlarge", "m5.large i3.large", []string{of + "TotalLocalStorageGB.Min", "2000.5"}},
		{"interfaces", "m5.xlarge", "m5.large", []string{of + "NetworkInterfaceCount.Min", "4"}},
		{"a network", "m5.24xlarge", "m6i.large m5.large", []string{of + "NetworkBandwidthGbps.Min", "12.5"}},
		{"accelerators", "g5.xlarge", "m5.large", []string{of + "AcceleratorCount.Min", "1"}},
		{"no accelerators", "m5.large", "g5.xlarge", []string{of + "AcceleratorCount.Max", "0"}},
		{"hibernation", "m5.large", "d2.xlarge", []string{of + "RequireHibernateSupport", "true"}},
		{"encryption in transit", "m6i.large", "m5.large", []string{of + "RequireEncryptionInTransit", "true"}},
		{"another architecture", "m6g.large m5.large", "", []string{"ArchitectureType.2", "arm64"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.Must("instanceTypeSet", "GetInstanceTypesFromInstanceRequirements", apitest.Requirements(tt.more...)...)
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
	page := w.Call("GetInstanceTypesFromInstanceRequirements", apitest.Requirements("MaxResults", "1")...).Body
	next := w.Call("GetInstanceTypesFromInstanceRequirements",
		apitest.Requirements("MaxResults", "1", "NextToken", apitest.First(page, "nextToken"))...).Body
	if a, b := apitest.First(page, "instanceType"),
		apitest.First(next, "instanceType"); strings.Count(page, "<item>") != 1 || a == "" || a >= b {
		t.Errorf("pages: %q, then %q", a, b)
	}
	const action = "GetInstanceTypesFromInstanceRequirements"
	refused := func(name, code, says string, more ...string) apitest.Refusal {
		return apitest.Case(name, code, says, action, apitest.Requirements(more...))
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("no architecture", "MissingParameter", "ArchitectureType", action, nil),
		apitest.Case("no virtualization", "MissingParameter", "VirtualizationType", action, apitest.Requirements()[:2]),
		apitest.Case("no requirements", "MissingParameter", "InstanceRequirements", action, apitest.Requirements()[:4]),
		apitest.Case("no processors", "MissingParameter", "VCpuCount", action, slices.Delete(apitest.Requirements(), 4, 6)),
		apitest.Case("no memory", "MissingParameter", "MemoryMiB", action, apitest.Requirements()[:6]),
		refused("an architecture of old", "InvalidParameterValue", "vax", "ArchitectureType.2", "vax"),
		refused("an unknown maker", "InvalidParameterValue", "acorn", of+"CpuManufacturer.1", "acorn"),
		refused("a word for metal", "InvalidParameterValue", "perhaps", of+"BareMetal", "perhaps"),
		refused("a range upside down", "InvalidParameterValue", "VCpuCount", of+"VCpuCount.Max", "1"),
		refused("allowed and excluded", "InvalidParameterCombination", "AllowedInstanceTypes",
			of+"AllowedInstanceType.1", "c*", of+"ExcludedInstanceType.1", "m*"),
		refused("a kind of accelerator of old", "InvalidParameterValue", "abacus", of+"AcceleratorType.1", "abacus"),
		refused("its unknown maker", "InvalidParameterValue", "acorn", of+"AcceleratorManufacturer.1", "acorn"),
		refused("its unknown name", "InvalidParameterValue", "voodoo", of+"AcceleratorName.1", "voodoo"),
		refused("performance factors", "UnsupportedOperation", "BaselinePerformanceFactors",
			of+"BaselinePerformanceFactors.Cpu.Reference.1.InstanceFamily", "c6i"),
		refused("a spot price", "UnsupportedOperation", "SpotMaxPricePercentageOverLowestPrice",
			of+"SpotMaxPricePercentageOverLowestPrice", "10"),
		refused("a price", "UnsupportedOperation", "OnDemandMaxPricePercentageOverLowestPrice",
			of+"OnDemandMaxPricePercentageOverLowestPrice", "10"),
		refused("an optimal price", "UnsupportedOperation", "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice",
			of+"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice", "10"),
		refused("a context", "UnsupportedOperation", "Context", "Context", "x"),
	})
}
