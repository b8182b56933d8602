package instancetypes

import (
	"context"
	"maps"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
)

// FromRequirements answers GetInstanceTypesFromInstanceRequirements: the names of the types that have what is asked for.
func (s *Service) FromRequirements(
	_ context.Context, in *ec2wire.GetInstanceTypesFromInstanceRequirementsRequest,
) (*ec2wire.GetInstanceTypesFromInstanceRequirementsResult, error) {
	switch {
	case len(in.ArchitectureTypes) == 0:
		return nil, slipway.Missing("ArchitectureType")
	case len(in.VirtualizationTypes) == 0:
		return nil, slipway.Missing("VirtualizationType")
	case in.InstanceRequirements == nil:
		return nil, slipway.Missing("InstanceRequirements")
	case shape.Get(in.Context) != "":
		return nil, slipway.Refused("Context", "it is reserved.")
	}
	if err := known(in.ArchitectureTypes, "architectureType", "i386", "x86_64", "arm64", "x86_64_mac",
		"arm64_mac"); err != nil {
		return nil, err
	}
	if err := known(in.VirtualizationTypes, "virtualizationType", "hvm", "paravirtual"); err != nil {
		return nil, err
	}
	meets, err := requirements(in.InstanceRequirements)
	if err != nil {
		return nil, err
	}
	all := []ec2wire.InstanceTypeInfoFromInstanceRequirements{}
	for _, t := range slipway.InstanceTypes() {
		if common(t.Architectures, in.ArchitectureTypes) && common(t.Virtualization, in.VirtualizationTypes) && meets(t) {
			all = append(all, ec2wire.InstanceTypeInfoFromInstanceRequirements{InstanceType: &t.Name})
		}
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, false, 1)
	return &ec2wire.GetInstanceTypesFromInstanceRequirementsResult{InstanceTypes: page, NextToken: next}, err
}

// makers are the catalogue's manufacturers in the words of requirements.
var makers = map[string]string{"Intel": "intel", "AMD": "amd", "AWS": "amazon-web-services", "Apple": "apple",
	"NVIDIA": "nvidia", "Xilinx": "xilinx", "Habana": "habana", "Qualcomm": "qualcomm"}

// requirements reads what a type must have. What is not asked for excludes only what EC2 excludes unasked: bare metal
// and burstable types.
func requirements(q *ec2wire.InstanceRequirementsRequest) (func(*slipway.InstanceType) bool, error) {
	if err := unknowable(q); err != nil {
		return nil, err
	}
	switch {
	case q.VCpuCount == nil || q.VCpuCount.Min == nil:
		return nil, slipway.Missing("InstanceRequirements.VCpuCount.Min")
	case q.MemoryMiB == nil || q.MemoryMiB.Min == nil:
		return nil, slipway.Missing("InstanceRequirements.MemoryMiB.Min")
	case len(q.AllowedInstanceTypes) > 0 && len(q.ExcludedInstanceTypes) > 0:
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter AllowedInstanceTypes cannot be used with the parameter ExcludedInstanceTypes")
	}
	for _, w := range []struct {
		given []string
		name  string
		of    []string
	}{
		{q.CpuManufacturers, "cpuManufacturer", []string{"intel", "amd", "amazon-web-services", "apple"}},
		{q.AcceleratorTypes, "acceleratorType", []string{"gpu", "fpga", "inference", "media"}},
		{q.AcceleratorManufacturers, "acceleratorManufacturer", slices.Collect(maps.Values(makers))},
		{q.AcceleratorNames, "acceleratorName", acceleratorNames()},
		{q.InstanceGenerations, "instanceGeneration", []string{"current", "previous"}},
		{q.LocalStorageTypes, "localStorageType", []string{"hdd", "ssd"}},
		{shape.One(shape.Get(q.BareMetal)), "bareMetal", wanted},
		{shape.One(shape.Get(q.BurstablePerformance)), "burstablePerformance", wanted},
		{shape.One(shape.Get(q.LocalStorage)), "localStorage", wanted},
	} {
		if err := known(w.given, w.name, w.of...); err != nil {
			return nil, err
		}
	}
	var rules []func(*slipway.InstanceType) bool
	rule := func(r func(*slipway.InstanceType) bool) { rules = append(rules, r) }
	var failed error
	within := func(name string, low, high *float64, of func(*slipway.InstanceType) (float64, bool)) {
		if low != nil && *low < 0 || low != nil && high != nil && *low > *high {
			failed = slipway.Errorf(slipway.InvalidParameterValue,
				"The range of %s is invalid: the minimum must be at least 0 and not above the maximum.", name)
		}
		if low == nil && high == nil {
			return
		}
		rule(func(t *slipway.InstanceType) bool {
			v, ok := of(t)
			return ok && (low == nil || v >= *low) && (high == nil || v <= *high)
		})
	}
	is := func(of func(*slipway.InstanceType) float64) func(*slipway.InstanceType) (float64, bool) {
		return func(t *slipway.InstanceType) (float64, bool) { return of(t), true }
	}
	within("VCpuCount", real(q.VCpuCount.Min), real(q.VCpuCount.Max),
		is(func(t *slipway.InstanceType) float64 { return float64(t.VCPUs) }))
	within("MemoryMiB", real(q.MemoryMiB.Min), real(q.MemoryMiB.Max),
		is(func(t *slipway.InstanceType) float64 { return float64(t.MemoryMiB) }))
	if r := q.MemoryGiBPerVCpu; r != nil {
		within("MemoryGiBPerVCpu", r.Min, r.Max,
			is(func(t *slipway.InstanceType) float64 { return float64(t.MemoryMiB) / 1024 / float64(t.VCPUs) }))
	}
	if r := q.NetworkInterfaceCount; r != nil {
		within("NetworkInterfaceCount", real(r.Min), real(r.Max),
			is(func(t *slipway.InstanceType) float64 { return float64(t.MaxInterfaces) }))
	}
	if r := q.NetworkBandwidthGbps; r != nil {
		within("NetworkBandwidthGbps", r.Min, r.Max,
			is(func(t *slipway.InstanceType) float64 { return t.BandwidthGbps }))
	}
	if r := q.TotalLocalStorageGB; r != nil {
		within("TotalLocalStorageGB", r.Min, r.Max,
			is(func(t *slipway.InstanceType) float64 { return float64(t.StorageTotalGB) }))
	}
	if r := q.AcceleratorCount; r != nil {
		within("AcceleratorCount", real(r.Min), real(r.Max), is(accelerators(func(a slipway.Accelerator) int64 { return 1 })))
	}
	if r := q.AcceleratorTotalMemoryMiB; r != nil {
		within("AcceleratorTotalMemoryMiB", real(r.Min), real(r.Max),
			is(accelerators(func(a slipway.Accelerator) int64 { return a.MemoryMiB })))
	}
	if r := q.BaselineEbsBandwidthMbps; r != nil {
		within("BaselineEbsBandwidthMbps", real(r.Min), real(r.Max), func(t *slipway.InstanceType) (float64, bool) {
			return float64(t.EBSBaselineMbps), t.EBSBaselineMbps > 0
		})
	}
	if failed != nil {
		return nil, failed
	}
	rule(has(q.BareMetal, "excluded", func(t *slipway.InstanceType) bool { return t.BareMetal }))
	rule(has(q.BurstablePerformance, "excluded", func(t *slipway.InstanceType) bool { return t.Burstable }))
	rule(has(q.LocalStorage, "included", func(t *slipway.InstanceType) bool { return t.InstanceStorage }))
	if len(q.LocalStorageTypes) > 0 {
		rule(func(t *slipway.InstanceType) bool {
			return len(t.Disks) == 0 ||
				slices.ContainsFunc(t.Disks, func(d slipway.InstanceDisk) bool {
					return slices.Contains(q.LocalStorageTypes, d.Type)
				})
		})
	}
	if len(q.CpuManufacturers) > 0 {
		rule(func(t *slipway.InstanceType) bool { return slices.Contains(q.CpuManufacturers, makers[t.Manufacturer]) })
	}
	if len(q.InstanceGenerations) == 1 {
		rule(func(t *slipway.InstanceType) bool {
			return t.CurrentGeneration == (q.InstanceGenerations[0] == "current")
		})
	}
	if shape.Get(q.RequireHibernateSupport) {
		rule(func(t *slipway.InstanceType) bool { return t.Hibernation })
	}
	if shape.Get(q.RequireEncryptionInTransit) {
		rule(func(t *slipway.InstanceType) bool { return t.EncryptionInTransit })
	}
	rule(accelerated(q.AcceleratorTypes, func(a slipway.Accelerator) string { return a.Kind }))
	rule(accelerated(q.AcceleratorManufacturers, func(a slipway.Accelerator) string { return makers[a.Manufacturer] }))
	rule(accelerated(q.AcceleratorNames, acceleratorName))
	named := func(patterns []string) func(*slipway.InstanceType) bool {
		return func(t *slipway.InstanceType) bool {
			return slices.ContainsFunc(patterns, func(p string) bool { return filters.Wildcard(p, t.Name) })
		}
	}
	if allowed := named(q.AllowedInstanceTypes); len(q.AllowedInstanceTypes) > 0 {
		rule(allowed)
	}
	excluded := named(q.ExcludedInstanceTypes)
	rule(func(t *slipway.InstanceType) bool { return !excluded(t) })
	return func(t *slipway.InstanceType) bool {
		return !slices.ContainsFunc(rules, func(meets func(*slipway.InstanceType) bool) bool { return !meets(t) })
	}, nil
}

// unknowable refuses what the catalogue has no figures for.
func unknowable(q *ec2wire.InstanceRequirementsRequest) error {
	const none, prices = "the catalogue does not say it of its types.", "prices here are made up."
	for _, m := range []struct {
		name, why string
		given     bool
	}{
		{"BaselinePerformanceFactors", none, q.BaselinePerformanceFactors != nil},
		{"SpotMaxPricePercentageOverLowestPrice", prices, q.SpotMaxPricePercentageOverLowestPrice != nil},
		{"OnDemandMaxPricePercentageOverLowestPrice", prices, q.OnDemandMaxPricePercentageOverLowestPrice != nil},
		{"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice", prices, q.MaxSpotPriceAsPercentageOfOptimalOnDemandPrice != nil},
	} {
		if m.given {
			return slipway.Refused("InstanceRequirements."+m.name, m.why)
		}
	}
	return nil
}

var wanted = []string{"included", "required", "excluded"}

// has is a rule about something that types have or have not.
func has(word *string, unasked string, of func(*slipway.InstanceType) bool) func(*slipway.InstanceType) bool {
	w := shape.Get(word)
	if w == "" {
		w = unasked
	}
	return func(t *slipway.InstanceType) bool { return w == "included" || of(t) == (w == "required") }
}

// acceleratorName is an accelerator in the words of requirements: "radeon-pro-v520".
func acceleratorName(a slipway.Accelerator) string {
	return strings.ToLower(strings.ReplaceAll(a.Name, " ", "-"))
}

// acceleratorNames are those of all types.
func acceleratorNames() []string {
	var out []string
	for _, t := range slipway.InstanceTypes() {
		for _, a := range t.Accelerators {
			out = append(out, acceleratorName(a))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// accelerators sums something over a type's accelerators.
func accelerators(of func(slipway.Accelerator) int64) func(*slipway.InstanceType) float64 {
	return func(t *slipway.InstanceType) float64 {
		var sum int64
		for _, a := range t.Accelerators {
			sum += int64(a.Count) * of(a)
		}
		return float64(sum)
	}
}

// accelerated is a rule that a type's accelerators are among the words; no words ask nothing.
func accelerated(words []string, of func(slipway.Accelerator) string) func(*slipway.InstanceType) bool {
	return func(t *slipway.InstanceType) bool {
		return len(words) == 0 ||
			slices.ContainsFunc(t.Accelerators, func(a slipway.Accelerator) bool { return slices.Contains(words, of(a)) })
	}
}

func real(p *int32) *float64 {
	if p == nil {
		return nil
	}
	return shape.Of(float64(*p))
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

func known(given []string, name string, of ...string) error {
	for _, v := range given {
		if !slices.Contains(of, v) {
			return slipway.Invalid(v, name, "It must be one of "+strings.Join(of, ", ")+".")
		}
	}
	return nil
}
