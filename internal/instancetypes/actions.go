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
	"dedicated-hosts-supported", "ebs-info.attachment-limit-type",
	"ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps", "ebs-info.ebs-optimized-info.baseline-iops",
	"ebs-info.ebs-optimized-info.baseline-throughput-in-mbps",
	"ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps", "ebs-info.ebs-optimized-info.maximum-iops",
	"ebs-info.ebs-optimized-info.maximum-throughput-in-mbps", "ebs-info.ebs-optimized-support",
	"ebs-info.encryption-support", "ebs-info.maximum-ebs-attachments", "ebs-info.nvme-support", "free-tier-eligible",
	"hibernation-supported", "hypervisor", "instance-storage-info.disk.count",
	"instance-storage-info.disk.size-in-gb", "instance-storage-info.disk.type",
	"instance-storage-info.encryption-support", "instance-storage-info.nvme-support",
	"instance-storage-info.total-size-in-gb", "instance-storage-supported", "instance-type",
	"memory-info.size-in-mib", "network-info.bandwidth-weightings", "network-info.efa-info.maximum-efa-interfaces",
	"network-info.efa-supported", "network-info.ena-support", "network-info.encryption-in-transit-supported",
	"network-info.flexible-ena-queues-support", "network-info.ipv4-addresses-per-interface",
	"network-info.ipv6-addresses-per-interface", "network-info.ipv6-supported", "network-info.maximum-network-cards",
	"network-info.maximum-network-interfaces", "network-info.network-performance", "nitro-enclaves-support",
	"nitro-tpm-info.supported-versions", "nitro-tpm-support", "processor-info.supported-architecture",
	"processor-info.supported-features", "processor-info.sustained-clock-speed-in-ghz", "reboot-migration-support",
	"supported-boot-mode", "supported-root-device-type", "supported-usage-class", "supported-virtualization-type",
	"vcpu-info.default-cores", "vcpu-info.default-threads-per-core", "vcpu-info.default-vcpus",
	"vcpu-info.valid-cores", "vcpu-info.valid-threads-per-core",
}

var offeringsFilters = []string{
	"instance-type", "location",
}
