package instancetypes

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"GetInstanceTypesFromInstanceRequirements": action.Read(s.FromRequirements).On(action.Nothing),
		"DescribeInstanceTypes": action.Read(s.Describe).Filters(documentedFilters...).
			On(action.Nothing),
		"DescribeInstanceTypeOfferings": action.Read(s.Offerings).Filters(offeringsFilters...).
			On(action.Nothing),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"auto-recovery-supported", "bare-metal", "burstable-performance-supported", "current-generation",
	"dedicated-hosts-supported", "ebs-info.ebs-optimized-support", "ebs-info.encryption-support",
	"ebs-info.nvme-support", "free-tier-eligible", "hibernation-supported", "hypervisor",
	"instance-storage-supported", "instance-type", "memory-info.size-in-mib", "network-info.efa-supported",
	"network-info.ena-support", "network-info.ipv6-supported", "network-info.maximum-network-interfaces",
	"network-info.network-performance", "nitro-enclaves-support", "processor-info.supported-architecture",
	"supported-boot-mode", "supported-root-device-type", "supported-usage-class", "supported-virtualization-type",
	"vcpu-info.default-cores", "vcpu-info.default-threads-per-core", "vcpu-info.default-vcpus",
}

var offeringsFilters = []string{
	"instance-type", "location",
}
