package slipway

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed instance-types.tsv
var instanceTypesTSV string

// InstanceType is one row of EC2's catalogue.
type InstanceType struct {
	Name              string
	MemoryMiB         int64
	Hypervisor        string // nitro | xen
	CurrentGeneration bool

	TypeCPU
	TypeNetwork
	TypeStorage
	TypeSupport
}

// TypeCPU is a type's processors.
type TypeCPU struct {
	VCPUs, Cores, ThreadsPerCore int32
	ValidThreads                 []int32
	Architectures                []string
	Burstable                    bool
	ClockGHz                     float64 // 0: not published
	Manufacturer                 string
}

// TypeNetwork is what its interfaces carry.
type TypeNetwork struct {
	MaxInterfaces      int32
	IPv4PerInterface   int32
	IPv6PerInterface   int32
	IPv6               bool
	ENA                string // required | supported | unsupported
	NetworkPerformance string
}

// TypeStorage is what its disks are.
type TypeStorage struct {
	EBSOptimized    string // default | supported | unsupported
	EBSNVMe         string
	MaxAttachments  int32
	InstanceStorage bool
	StorageTotalGB  int64
	Disks           []InstanceDisk
	RootDeviceTypes []string
}

// TypeSupport is where and how it may be launched.
type TypeSupport struct {
	VPCOnly, Classic    bool
	BootModes           []string
	Virtualization      []string
	UsageClasses        []string
	Hibernation         bool
	DedicatedHosts      bool
	PlacementStrategies []string
	Enclaves            string
	FreeTier            bool
}

// InstanceDisk is the instance store of a type.
type InstanceDisk struct {
	Count  int32
	SizeGB int64
	Type   string // ssd | hdd
}

// Family is the part of the name before the dot.
func (t *InstanceType) Family() string { f, _, _ := strings.Cut(t.Name, "."); return f }

// UEFI says whether the type can boot by UEFI.
func (t *InstanceType) UEFI() bool { return slices.Contains(t.BootModes, "uefi") }

// Stores are the type's instance store disks in order.
func (t *InstanceType) Stores() []InstanceStore {
	var out []InstanceStore
	for _, d := range t.Disks {
		for range d.Count {
			out = append(out, InstanceStore{Virtual: fmt.Sprintf("ephemeral%d", len(out)), SizeGB: d.SizeGB})
		}
	}
	return out
}

// NVMeStores says whether the stores are NVMe disks, which every instance of the type has without a mapping.
func (t *InstanceType) NVMeStores() bool { return t.Hypervisor == "nitro" || t.Family() == "i3" }

// Baseline is the share of each vCPU that a burstable type earns, as AWS publishes it; 1 for all others.
func (t *InstanceType) Baseline() float64 {
	if !t.Burstable {
		return 1
	}
	_, size, _ := strings.Cut(t.Name, ".")
	share := map[string]float64{
		"nano": 0.05, "micro": 0.10, "small": 0.20, "medium": 0.20, "large": 0.30, "xlarge": 0.40, "2xlarge": 0.40,
	}[size]
	if t.Family() == "t2" {
		share = map[string]float64{
			"nano": 0.05, "micro": 0.10, "small": 0.20, "medium": 0.20, "large": 0.30, "xlarge": 0.225, "2xlarge": 0.17,
		}[size]
	}
	if share == 0 {
		return 0.1
	}
	return share
}

// DefaultCredits is what a burstable type has when nobody says: T2 standard, later ones unlimited.
func (t *InstanceType) DefaultCredits() string {
	switch {
	case !t.Burstable:
		return ""
	case t.Family() == "t2":
		return "standard"
	}
	return "unlimited"
}

var catalogue = sync.OnceValue(func() map[string]*InstanceType {
	r := csv.NewReader(strings.NewReader(instanceTypesTSV))
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil {
		panic(fmt.Sprintf("instance-types.tsv: %v", err))
	}
	out := make(map[string]*InstanceType, len(rows))
	for _, row := range rows[1:] {
		cell := func(name string) string {
			v := row[slices.Index(rows[0], name)]
			if v == "-" {
				return ""
			}
			return v
		}
		list := func(name string) []string {
			if cell(name) == "" {
				return nil
			}
			return strings.Split(cell(name), ",")
		}
		num := func(name string) int64 { n, _ := strconv.ParseInt(cell(name), 10, 64); return n }
		yes := func(name string) bool { return cell(name) == "yes" }
		t := &InstanceType{
			Name: cell("instance_type"), MemoryMiB: num("memory_mib"), Hypervisor: cell("hypervisor"),
			CurrentGeneration: yes("current_generation"),
			TypeCPU: TypeCPU{
				VCPUs: int32(num("vcpus")), Cores: int32(num("cores")), ThreadsPerCore: int32(num("threads_per_core")),
				Architectures: list("arch"), Burstable: yes("burstable"), Manufacturer: cell("manufacturer"),
			},
			TypeNetwork: TypeNetwork{
				MaxInterfaces: int32(num("max_enis")), IPv4PerInterface: int32(num("ipv4_per_eni")),
				IPv6PerInterface: int32(num("ipv6_per_eni")), IPv6: yes("ipv6_supported"), ENA: cell("ena"),
				NetworkPerformance: cell("network_performance"),
			},
			TypeStorage: TypeStorage{
				EBSOptimized: cell("ebs_optimized_support"), EBSNVMe: cell("ebs_nvme"),
				MaxAttachments: int32(num("max_ebs_attachments")), InstanceStorage: yes("instance_storage"),
				StorageTotalGB: num("storage_total_gb"), RootDeviceTypes: list("root_device_types"),
			},
			TypeSupport: TypeSupport{
				VPCOnly: yes("vpc_only"), Classic: yes("classic_allowed"), BootModes: list("boot_modes"),
				Virtualization: list("virtualization"), UsageClasses: list("usage_classes"),
				Hibernation: yes("hibernation"), DedicatedHosts: yes("dedicated_hosts"),
				PlacementStrategies: list("placement_strategies"), Enclaves: cell("enclaves"), FreeTier: yes("free_tier"),
			},
		}
		t.ClockGHz, _ = strconv.ParseFloat(cell("clock_ghz"), 64)
		for _, v := range list("valid_threads_per_core") {
			n, _ := strconv.Atoi(v)
			t.ValidThreads = append(t.ValidThreads, int32(n))
		}
		if len(t.ValidThreads) == 0 {
			t.ValidThreads = []int32{t.ThreadsPerCore}
		}
		for _, d := range list("storage_disks") {
			var disk InstanceDisk
			fmt.Sscanf(d, "%dx%d%s", &disk.Count, &disk.SizeGB, &disk.Type)
			t.Disks = append(t.Disks, disk)
		}
		// The snapshot that the table was taken from calls these five families outdated; clients' documentation does not.
		if slices.Contains([]string{"m5", "c5", "r5", "m6i", "r6i"}, t.Family()) {
			t.CurrentGeneration = true
		}
		out[t.Name] = t
	}
	return out
})

// FindInstanceType looks a type up by name; nil if the catalogue lacks it.
func FindInstanceType(name string) *InstanceType { return catalogue()[name] }

// InstanceTypes are all types by name.
func InstanceTypes() []*InstanceType {
	all := make([]*InstanceType, 0, len(catalogue()))
	for _, t := range catalogue() {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *InstanceType) int { return strings.Compare(a.Name, b.Name) })
	return all
}
