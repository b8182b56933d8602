package slipway

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// publishedTypes are EC2's instance types, a JSON object a line, with the members of DescribeInstanceTypes.
//
//go:embed instance-types.jsonl.gz
var publishedTypes []byte

// InstanceType is one row of EC2's catalogue.
type InstanceType struct {
	Name              string
	MemoryMiB         int64
	Hypervisor        string // nitro | xen; "" on bare metal
	CurrentGeneration bool
	// Published is the whole description, as JSON with the members of DescribeInstanceTypes.
	Published json.RawMessage

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
	Manufacturer                 string
	Accelerators                 []Accelerator
}

// Accelerator is a device beside the processors, of which a type has a number.
type Accelerator struct {
	Kind         string // gpu | fpga | inference | media
	Manufacturer string
	Name         string
	Count        int32
	MemoryMiB    int64 // of one
}

// TypeNetwork is what its interfaces carry.
type TypeNetwork struct {
	MaxInterfaces       int32
	IPv4PerInterface    int32
	IPv6PerInterface    int32
	IPv6                bool
	ENA                 string // required | supported | unsupported
	NetworkPerformance  string
	BandwidthGbps       float64 // the baseline of all its cards
	EncryptionInTransit bool
}

// TypeStorage is what its disks are.
type TypeStorage struct {
	EBSOptimized    string // default | supported | unsupported
	EBSNVMe         string
	EBSBaselineMbps int32 // 0: not published
	MaxAttachments  int32
	InstanceStorage bool
	StorageTotalGB  int64
	Disks           []InstanceDisk
	RootDeviceTypes []string
}

// TypeSupport is where and how it may be launched.
type TypeSupport struct {
	Classic             bool
	BareMetal           bool
	BootModes           []string
	Virtualization      []string
	UsageClasses        []string
	Hibernation         bool
	DedicatedHosts      bool
	PlacementStrategies []string
	FreeTier            bool
}

// InstanceDisk is the instance store of a type.
type InstanceDisk struct {
	Count  int32
	SizeGB int64  `json:"SizeInGB"`
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

// Launchable says whether an instance of the type can be: what it has beside processors, memory, disks and interfaces is
// hardware that no virtual machine of slipway gets. The error is Unsupported and names it.
func (t *InstanceType) Launchable() error {
	lacking := ""
	switch {
	case t.BareMetal:
		lacking = "a machine of its own (bare metal)"
	case len(t.Accelerators) > 0:
		a := t.Accelerators[0]
		lacking = fmt.Sprintf("%d %s %s (%s)", a.Count, a.Manufacturer, a.Name, a.Kind)
	default:
		return nil
	}
	return Errorf(Unsupported, "The instance type %s is described here and cannot be launched: it needs %s, which "+
		"slipway's virtual machines do not get.", t.Name, lacking)
}

// published is how EC2 writes a type, as far as launching reads it.
type published struct {
	InstanceType                                           string
	Hypervisor                                             string
	CurrentGeneration, FreeTierEligible, BareMetal         bool
	BurstablePerformanceSupported, DedicatedHostsSupported bool
	HibernationSupported, InstanceStorageSupported         bool
	SupportedBootModes, SupportedRootDeviceTypes           []string
	SupportedUsageClasses, SupportedVirtualizationTypes    []string
	MemoryInfo                                             struct{ SizeInMiB int64 }
	PlacementGroupInfo                                     struct{ SupportedStrategies []string }
	GpuInfo                                                struct{ Gpus []device }
	FpgaInfo                                               struct{ Fpgas []device }
	InferenceAcceleratorInfo, MediaAcceleratorInfo         struct{ Accelerators []device }
	NeuronInfo                                             struct{ NeuronDevices []device }
	VCpuInfo                                               struct {
		DefaultVCpus, DefaultCores, DefaultThreadsPerCore int32
		ValidThreadsPerCore                               []int32
	}
	ProcessorInfo struct {
		SupportedArchitectures []string
		Manufacturer           string
	}
	NetworkInfo struct {
		MaximumNetworkInterfaces, Ipv4AddressesPerInterface, Ipv6AddressesPerInterface int32
		Ipv6Supported, EncryptionInTransitSupported                                    bool
		EnaSupport, NetworkPerformance                                                 string
		NetworkCards                                                                   []struct{ BaselineBandwidthInGbps float64 }
	}
	EbsInfo struct {
		EbsOptimizedSupport, NvmeSupport string
		MaximumEbsAttachments            int32
		EbsOptimizedInfo                 struct{ BaselineBandwidthInMbps int32 }
	}
	InstanceStorageInfo struct {
		TotalSizeInGB int64
		Disks         []InstanceDisk
	}
}

type device struct {
	Count              int32
	Manufacturer, Name string
	MemoryInfo         struct{ SizeInMiB int64 }
}

// classicFamilies could be launched in EC2-Classic.
var classicFamilies = []string{"t1", "m1", "m3", "c1", "c3", "r3", "i2", "d2"}

// undisputed are families that the published descriptions call outdated and the documentation for clients does not.
var undisputed = []string{"m5", "c5", "r5", "m6i", "r6i"}

func (p *published) instanceType(line []byte) *InstanceType {
	n, e, s := &p.NetworkInfo, &p.EbsInfo, &p.InstanceStorageInfo
	t := &InstanceType{
		Name: p.InstanceType, MemoryMiB: p.MemoryInfo.SizeInMiB, Hypervisor: p.Hypervisor,
		CurrentGeneration: p.CurrentGeneration, Published: line,
		TypeCPU: TypeCPU{
			VCPUs: p.VCpuInfo.DefaultVCpus, Cores: p.VCpuInfo.DefaultCores, ThreadsPerCore: p.VCpuInfo.DefaultThreadsPerCore,
			ValidThreads: p.VCpuInfo.ValidThreadsPerCore, Architectures: p.ProcessorInfo.SupportedArchitectures,
			Burstable: p.BurstablePerformanceSupported, Manufacturer: p.ProcessorInfo.Manufacturer,
		},
		TypeNetwork: TypeNetwork{
			MaxInterfaces: n.MaximumNetworkInterfaces, IPv4PerInterface: n.Ipv4AddressesPerInterface,
			IPv6PerInterface: n.Ipv6AddressesPerInterface, IPv6: n.Ipv6Supported, ENA: n.EnaSupport, NetworkPerformance: n.NetworkPerformance,
			EncryptionInTransit: n.EncryptionInTransitSupported,
		},
		TypeStorage: TypeStorage{
			EBSOptimized: e.EbsOptimizedSupport, EBSNVMe: e.NvmeSupport, MaxAttachments: e.MaximumEbsAttachments,
			EBSBaselineMbps: e.EbsOptimizedInfo.BaselineBandwidthInMbps, InstanceStorage: p.InstanceStorageSupported,
			StorageTotalGB: s.TotalSizeInGB, Disks: s.Disks, RootDeviceTypes: p.SupportedRootDeviceTypes,
		},
		TypeSupport: TypeSupport{
			BareMetal: p.BareMetal, BootModes: p.SupportedBootModes, Virtualization: p.SupportedVirtualizationTypes,
			UsageClasses: p.SupportedUsageClasses, Hibernation: p.HibernationSupported,
			DedicatedHosts: p.DedicatedHostsSupported, PlacementStrategies: p.PlacementGroupInfo.SupportedStrategies,
			FreeTier: p.FreeTierEligible,
		},
	}
	if len(t.ValidThreads) == 0 {
		t.ValidThreads = []int32{t.ThreadsPerCore}
	}
	for _, c := range n.NetworkCards {
		t.BandwidthGbps += c.BaselineBandwidthInGbps
	}
	neuron := p.NeuronInfo.NeuronDevices
	if len(p.InferenceAcceleratorInfo.Accelerators) > 0 {
		neuron = nil // the same devices by another name
	}
	for _, group := range []struct {
		kind    string
		devices []device
	}{
		{"gpu", p.GpuInfo.Gpus}, {"fpga", p.FpgaInfo.Fpgas}, {"inference", p.InferenceAcceleratorInfo.Accelerators},
		{"inference", neuron}, {"media", p.MediaAcceleratorInfo.Accelerators},
	} {
		for _, d := range group.devices {
			t.Accelerators = append(t.Accelerators, Accelerator{group.kind, d.Manufacturer, d.Name, d.Count, d.MemoryInfo.SizeInMiB})
		}
	}
	t.Classic = slices.Contains(classicFamilies, t.Family())
	t.CurrentGeneration = t.CurrentGeneration || slices.Contains(undisputed, t.Family())
	return t
}

var catalogue = sync.OnceValue(func() map[string]*InstanceType {
	out := map[string]*InstanceType{}
	z, err := gzip.NewReader(bytes.NewReader(publishedTypes))
	if err != nil {
		panic(fmt.Sprintf("instance-types.jsonl.gz: %v", err))
	}
	for d := json.NewDecoder(z); d.More(); {
		var line json.RawMessage
		var p published
		if err := d.Decode(&line); err != nil {
			panic(fmt.Sprintf("instance-types.jsonl.gz: %v", err))
		}
		if err := json.Unmarshal(line, &p); err != nil {
			panic(fmt.Sprintf("instance-types.jsonl.gz: %s: %v", p.InstanceType, err))
		}
		out[p.InstanceType] = p.instanceType(line)
	}
	return out
})

// FindInstanceType looks a type up by name; nil if the catalogue lacks it.
func FindInstanceType(name string) *InstanceType { return catalogue()[name] }

// InstanceTypes are all types by name.
var InstanceTypes = sync.OnceValue(func() []*InstanceType {
	return slices.SortedFunc(maps.Values(catalogue()), func(a, b *InstanceType) int { return strings.Compare(a.Name, b.Name) })
})
