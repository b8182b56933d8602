// Package instancetypes is the room of the catalogue: which types there are and where.
package instancetypes

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// Service answers the catalogue's actions. It has no state.
type Service struct{}

// New makes the room.
func New() *Service { return &Service{} }

// Describe answers DescribeInstanceTypes.
func (s *Service) Describe(
	_ context.Context, in *ec2wire.DescribeInstanceTypesRequest,
) (*ec2wire.DescribeInstanceTypesResult, error) {
	match, err := slipway.Matcher(describe.Filters(in.Filters), fields, nil)
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, n := range in.InstanceTypes {
		if slipway.FindInstanceType(n) == nil {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) > 0 {
		return nil, slipway.Errorf(slipway.InvalidInstanceType,
			"The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
	}
	all := []ec2wire.InstanceTypeInfo{}
	for _, t := range slipway.InstanceTypes() {
		if (len(in.InstanceTypes) == 0 || slices.Contains(in.InstanceTypes, t.Name)) && match(t) {
			all = append(all, wire(t))
		}
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, len(in.InstanceTypes) > 0, 5)
	return &ec2wire.DescribeInstanceTypesResult{InstanceTypes: page, NextToken: next}, err
}

// Offerings answers DescribeInstanceTypeOfferings: every type is in every zone.
func (s *Service) Offerings(
	ctx context.Context, in *ec2wire.DescribeInstanceTypeOfferingsRequest,
) (*ec2wire.DescribeInstanceTypeOfferingsResult, error) {
	region := slipway.CallFrom(ctx).Region
	kind := shape.Get(in.LocationType)
	var places []string
	switch kind {
	case "", "region":
		kind, places = "region", []string{region}
	case "availability-zone":
		for _, z := range slipway.Zones(region) {
			places = append(places, z.Name)
		}
	case "availability-zone-id":
		for _, z := range slipway.Zones(region) {
			places = append(places, z.ID)
		}
	default:
		return nil, slipway.Invalid(kind, "locationType", "It must be region, availability-zone or availability-zone-id.")
	}
	type offering struct{ name, place string }
	match, err := slipway.Matcher(describe.Filters(in.Filters), slipway.Fields[offering]{
		"instance-type": func(o offering) []string { return []string{o.name} },
		"location":      func(o offering) []string { return []string{o.place} },
	}, nil)
	if err != nil {
		return nil, err
	}
	all := []ec2wire.InstanceTypeOffering{}
	for _, t := range slipway.InstanceTypes() {
		for _, p := range places {
			if match(offering{t.Name, p}) {
				all = append(all,
					ec2wire.InstanceTypeOffering{
						InstanceType: shape.Of(t.Name), LocationType: shape.Of(kind), Location: shape.Of(p),
					})
			}
		}
	}
	page, next, err := describe.Page(all, in.MaxResults, in.NextToken, false, 5)
	return &ec2wire.DescribeInstanceTypeOfferingsResult{InstanceTypeOfferings: page, NextToken: next}, err
}

func num[T int32 | int64](v T) []string { return []string{strconv.FormatInt(int64(v), 10)} }

var fields = slipway.Fields[*slipway.InstanceType]{
	"instance-type":                           func(t *slipway.InstanceType) []string { return []string{t.Name} },
	"current-generation":                      func(t *slipway.InstanceType) []string { return shape.Yes(t.CurrentGeneration) },
	"free-tier-eligible":                      func(t *slipway.InstanceType) []string { return shape.Yes(t.FreeTier) },
	"bare-metal":                              func(*slipway.InstanceType) []string { return shape.Yes(false) },
	"burstable-performance-supported":         func(t *slipway.InstanceType) []string { return shape.Yes(t.Burstable) },
	"dedicated-hosts-supported":               func(t *slipway.InstanceType) []string { return shape.Yes(t.DedicatedHosts) },
	"hibernation-supported":                   func(t *slipway.InstanceType) []string { return shape.Yes(t.Hibernation) },
	"hypervisor":                              func(t *slipway.InstanceType) []string { return []string{t.Hypervisor} },
	"instance-storage-supported":              func(t *slipway.InstanceType) []string { return shape.Yes(t.InstanceStorage) },
	"memory-info.size-in-mib":                 func(t *slipway.InstanceType) []string { return num(t.MemoryMiB) },
	"vcpu-info.default-vcpus":                 func(t *slipway.InstanceType) []string { return num(t.VCPUs) },
	"vcpu-info.default-cores":                 func(t *slipway.InstanceType) []string { return num(t.Cores) },
	"vcpu-info.default-threads-per-core":      func(t *slipway.InstanceType) []string { return num(t.ThreadsPerCore) },
	"processor-info.supported-architecture":   func(t *slipway.InstanceType) []string { return t.Architectures },
	"supported-virtualization-type":           func(t *slipway.InstanceType) []string { return t.Virtualization },
	"supported-root-device-type":              func(t *slipway.InstanceType) []string { return t.RootDeviceTypes },
	"supported-usage-class":                   func(t *slipway.InstanceType) []string { return t.UsageClasses },
	"supported-boot-mode":                     func(t *slipway.InstanceType) []string { return t.BootModes },
	"network-info.ena-support":                func(t *slipway.InstanceType) []string { return []string{t.ENA} },
	"network-info.ipv6-supported":             func(t *slipway.InstanceType) []string { return shape.Yes(t.IPv6) },
	"network-info.efa-supported":              func(*slipway.InstanceType) []string { return shape.Yes(false) },
	"network-info.maximum-network-interfaces": func(t *slipway.InstanceType) []string { return num(t.MaxInterfaces) },
	"network-info.network-performance":        func(t *slipway.InstanceType) []string { return []string{t.NetworkPerformance} },
	"ebs-info.ebs-optimized-support":          func(t *slipway.InstanceType) []string { return []string{t.EBSOptimized} },
	"ebs-info.nvme-support":                   func(t *slipway.InstanceType) []string { return []string{t.EBSNVMe} },
	"ebs-info.encryption-support":             func(*slipway.InstanceType) []string { return []string{"supported"} },
	"auto-recovery-supported":                 func(*slipway.InstanceType) []string { return shape.Yes(false) },
	"nitro-enclaves-support":                  func(*slipway.InstanceType) []string { return []string{"unsupported"} },
}

func wire(t *slipway.InstanceType) ec2wire.InstanceTypeInfo {
	nitro := t.Hypervisor == "nitro"
	w := ec2wire.InstanceTypeInfo{
		InstanceType: &t.Name, CurrentGeneration: &t.CurrentGeneration, FreeTierEligible: &t.FreeTier,
		SupportedUsageClasses:    t.UsageClasses,
		SupportedRootDeviceTypes: t.RootDeviceTypes, SupportedVirtualizationTypes: t.Virtualization,
		BareMetal: shape.Of(false), Hypervisor: &t.Hypervisor,
		ProcessorInfo: &ec2wire.ProcessorInfo{
			SupportedArchitectures: t.Architectures, SustainedClockSpeedInGhz: shape.Some(t.ClockGHz),
			Manufacturer: shape.Text(t.Manufacturer),
		},
		VCpuInfo: &ec2wire.VCpuInfo{
			DefaultVCpus: &t.VCPUs, DefaultCores: &t.Cores, DefaultThreadsPerCore: &t.ThreadsPerCore,
			ValidThreadsPerCore: t.ValidThreads,
		},
		MemoryInfo: &ec2wire.MemoryInfo{SizeInMiB: &t.MemoryMiB}, InstanceStorageSupported: &t.InstanceStorage,
		EbsInfo: &ec2wire.EbsInfo{
			EbsOptimizedSupport: &t.EBSOptimized, EncryptionSupport: shape.Of("supported"), NvmeSupport: &t.EBSNVMe,
			MaximumEbsAttachments: &t.MaxAttachments,
			AttachmentLimitType:   shape.Of("shared"),
		},
		NetworkInfo: &ec2wire.NetworkInfo{
			NetworkPerformance: &t.NetworkPerformance, MaximumNetworkInterfaces: &t.MaxInterfaces,
			MaximumNetworkCards: shape.Of(int32(1)), DefaultNetworkCardIndex: shape.Of(int32(0)),
			NetworkCards: []ec2wire.NetworkCardInfo{
				{NetworkCardIndex: shape.Of(int32(0)), NetworkPerformance: &t.NetworkPerformance,
					MaximumNetworkInterfaces: &t.MaxInterfaces},
			},
			Ipv4AddressesPerInterface: &t.IPv4PerInterface, Ipv6AddressesPerInterface: &t.IPv6PerInterface,
			Ipv6Supported: &t.IPv6, EnaSupport: &t.ENA,
			EfaSupported: shape.Of(false), EncryptionInTransitSupported: shape.Of(false), EnaSrdSupported: shape.Of(false),
		},
		PlacementGroupInfo:            &ec2wire.PlacementGroupInfo{SupportedStrategies: t.PlacementStrategies},
		HibernationSupported:          &t.Hibernation,
		BurstablePerformanceSupported: &t.Burstable, DedicatedHostsSupported: &t.DedicatedHosts,
		AutoRecoverySupported: &nitro, SupportedBootModes: t.BootModes,
		NitroEnclavesSupport: shape.Of("unsupported"), NitroTpmSupport: shape.Of("unsupported"),
		PhcSupport: shape.Of("unsupported"),
	}
	if t.InstanceStorage {
		info := &ec2wire.InstanceStorageInfo{TotalSizeInGB: &t.StorageTotalGB}
		for i := range t.Disks {
			d := &t.Disks[i]
			info.Disks = append(info.Disks, ec2wire.DiskInfo{SizeInGB: &d.SizeGB, Count: &d.Count, Type: &d.Type})
		}
		w.InstanceStorageInfo = info
	}
	return w
}
