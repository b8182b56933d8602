// Package qemuargs is what QEMU is told of a machine: the words of its command line, and the same devices as arguments of
// the commands that plug them in while it runs. It is all computed from a hypervisor.Machine, and has no effect: the
// hypervisor's driver says it, by exec or by QMP.
package qemuargs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/hypervisor"
	"slipway/internal/qcow2"
)

// Launch is what a command line depends on besides the machine: the host's ways and the descriptors handed over.
type Launch struct {
	KVM                 bool
	TranslationCacheMiB int                                // of the emulator, without KVM
	Slots               map[string]int                     // device id -> slot
	Chains              map[slipway.VolumeID][]qcow2.Layer // each disk's file and what it is an overlay of
	Firmware, Variables string                             // OVMF's two files, for a machine with UEFI
	QMP                 int                                // descriptor of the listening QMP socket
	Taps                []int                              // descriptors, by NIC
	Secrets             map[string]string                  // secret's name -> file that holds it
	Resume              bool                               // wait for a saved state
}

// ConsoleRing is the size of the ring that catches the serial port's output inside QEMU: a power of two, and enough for
// the 64 KiB that GetConsoleOutput shows even when no driver empties it.
const ConsoleRing = 128 << 10

// Where devices sit on the root bus. Everything that can be plugged in later sits behind a root port.
const (
	addrScreen    = 0x1
	addrRandom    = 0x2
	addrRootPorts = 0x10
)

// A slot holds a disk or a network card. The first few are PCI Express root ports of their own, the others sit on one
// bridge: every root port costs an emulated boot some 30 ms, and 28 volumes and cards have to fit. Both can be plugged
// while the guest runs, by ACPI.
const (
	RootPorts = 2
	Bridge    = "bridge"
	Slots     = slipway.MachineSlots // all that a bridge has behind the root ports
)

// place is where a slot's device is plugged in.
func place(device map[string]any, slot int) map[string]any {
	if slot < RootPorts {
		device["bus"] = PortName(slot)
	} else {
		device["bus"], device["addr"] = Bridge, fmt.Sprintf("0x%x", slot-RootPorts+1)
		device["disable-legacy"] = "on" // as on a root port; a transitional device would want I/O space
	}
	return device
}

// Args is QEMU's command line for m, without the program's name.
func Args(m hypervisor.Machine, l Launch) []string {
	vcpus := m.Cores * m.ThreadsPerCore
	args := []string{
		"-name", string(m.ID) + ",debug-threads=on",
		"-no-user-config", "-nodefaults", "-display", "none",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-machine", "q35,vmport=off,memory-backend=ram0" + ifSet(l.Firmware != "", ",pflash0=firmware,pflash1=variables"),
	}
	if l.KVM {
		args = append(args, "-accel", "kvm", "-cpu", "host")
	} else {
		args = append(args, "-accel", fmt.Sprintf("tcg,thread=multi,tb-size=%d", l.TranslationCacheMiB), "-cpu", "max")
	}
	args = append(args,
		"-smp", fmt.Sprintf("%d,sockets=1,cores=%d,threads=%d", vcpus, m.Cores, m.ThreadsPerCore),
		"-m", fmt.Sprintf("%dM", m.MemoryMiB),
		"-object", fmt.Sprintf("memory-backend-ram,id=ram0,size=%dM,dump=off", m.MemoryMiB),
		"-uuid", m.UUID,
		"-smbios", "type=1,manufacturer=Amazon EC2,product="+escape(m.InstanceType)+",serial="+m.UUID,
		"-smbios", "type=2,manufacturer=Amazon EC2,asset="+string(m.ID),
		"-smbios", "type=3,manufacturer=Amazon EC2,asset=Amazon EC2",
		"-rtc", "base=utc,clock=host",
		"-action", "shutdown=pause,reboot=reset,panic=none,watchdog=reset",
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d,server=on,wait=off", l.QMP),
		"-mon", "chardev=qmp,mode=control",
		"-chardev", fmt.Sprintf("ringbuf,id=console,size=%d", ConsoleRing),
		"-device", "isa-serial,id=serial0,chardev=console",
		"-device", "pvpanic",
		"-device", "vmgenid,guid=auto",
		"-device", fmt.Sprintf("VGA,id=screen,bus=pcie.0,addr=0x%x,vgamem_mb=8", addrScreen),
		"-object", "rng-random,id=random,filename=/dev/urandom",
		"-device", fmt.Sprintf("virtio-rng-pci,bus=pcie.0,addr=0x%x,rng=random", addrRandom),
	)
	// Without io-reserve=0 each port takes 4 KiB of the 64 KiB of I/O space.
	for i := range RootPorts + 1 {
		args = append(args, "-device",
			fmt.Sprintf("pcie-root-port,id=%s,bus=pcie.0,addr=0x%x.%d,multifunction=on,chassis=%d,io-reserve=0",
				PortName(i), addrRootPorts, i, i+1))
	}
	args = append(args, "-device", "pcie-pci-bridge,id="+Bridge+",bus="+PortName(RootPorts))
	if l.Firmware != "" {
		args = append(args,
			"-blockdev", encode(map[string]any{"node-name": "firmware", "driver": "raw", "read-only": true,
				"file": map[string]any{"driver": "file", "filename": l.Firmware}}),
			"-blockdev", encode(map[string]any{"node-name": "variables", "driver": "raw",
				"file": map[string]any{"driver": "file", "filename": l.Variables}}))
	}
	for i, disk := range m.Disks {
		for _, key := range Secrets(disk, l.Chains[disk.Volume]) {
			args = append(args, "-object", "secret,id="+key.Name+",file="+escape(l.Secrets[key.Name]))
		}
		device := DiskDevice(disk.Volume, l.Slots[DiskID(disk.Volume)])
		if i == 0 {
			device["bootindex"] = 1
		}
		args = append(args, "-object", encode(ThrottleGroup(disk)), "-blockdev", encode(DiskNode(disk, l.Chains[disk.Volume])),
			"-device", encode(device))
	}
	for i, nic := range m.NICs {
		args = append(args, "-netdev", fmt.Sprintf("tap,id=%s,fd=%d", NetdevName(nic.Interface), l.Taps[i]),
			"-device", encode(NICDevice(nic, l.Slots[NICID(nic.Interface)])))
	}
	if m.Boot.Kernel != "" {
		args = append(args, "-kernel", m.Boot.Kernel)
		if m.Boot.Initrd != "" {
			args = append(args, "-initrd", m.Boot.Initrd)
		}
		args = append(args, "-append", m.Boot.Append)
	} else {
		args = append(args, "-boot", "strict=on")
	}
	if l.Resume {
		args = append(args, "-incoming", "defer")
	}
	return args
}

// escape doubles commas, which separate QEMU's options.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }

func ifSet(on bool, s string) string {
	if on {
		return s
	}
	return ""
}

func encode(v any) string {
	b, err := json.Marshal(v) // maps marshal with sorted keys, so the line is the same each time
	if err != nil {
		panic(err) // strings, numbers and booleans only
	}
	return string(b)
}

// PortName is the name of a root port.
func PortName(i int) string { return "port" + strconv.Itoa(i) }

// Names of a volume's and a card's parts inside QEMU, from which alone the driver finds them again.
func DiskID(v slipway.VolumeID) string { return string(v) }

func TopNode(v slipway.VolumeID) string { return string(v) + "-top" }

func FormatNode(v slipway.VolumeID) string { return string(v) + "-qcow" }

func ThrottleName(v slipway.VolumeID) string { return string(v) + "-limit" }

func SecretName(v slipway.VolumeID) string { return string(v) + "-key" }

func BaseSecret(v slipway.VolumeID) string { return string(v) + "-base" }

func NICID(e slipway.InterfaceID) string { return string(e) }

func NetdevName(e slipway.InterfaceID) string { return string(e) + "-tap" }

// serial is what the guest reads as the disk's serial number: at most 20 bytes, as the EBS of EC2 has it.
func serial(v slipway.VolumeID) string { return strings.ReplaceAll(string(v), "-", "") }

// DiskDevice is the disk that the guest sees, plugged into a slot.
func DiskDevice(v slipway.VolumeID, slot int) map[string]any {
	return place(map[string]any{"driver": "virtio-blk-pci", "id": DiskID(v), "drive": TopNode(v), "serial": serial(v)}, slot)
}

// NICDevice is the card that the guest sees, plugged into a slot.
func NICDevice(n hypervisor.NIC, slot int) map[string]any {
	dev := map[string]any{
		"driver": "virtio-net-pci", "id": NICID(n.Interface), "netdev": NetdevName(n.Interface), "mac": n.MAC, "romfile": "",
	}
	if n.MTU != 0 {
		dev["host_mtu"] = n.MTU
	}
	return place(dev, slot)
}

// ThrottleGroup is what holds a disk's limits.
func ThrottleGroup(d hypervisor.Disk) map[string]any {
	return map[string]any{"qom-type": "throttle-group", "id": ThrottleName(d.Volume), "limits": Limits(d.Limits)}
}

// Limits counts a request of up to 256 KiB as one operation, as EBS does for its SSD types.
func Limits(l hypervisor.Limits) map[string]any {
	m := map[string]any{
		"iops-total": l.IOPS, "iops-total-max": 0, "iops-total-max-length": 1, "iops-size": 0,
		"bps-total": l.ThroughputMiBps << 20,
	}
	if l.IOPS > 0 {
		m["iops-size"] = 256 << 10 // refused without iops-total
	}
	if l.BurstIOPS > l.IOPS {
		m["iops-total-max"], m["iops-total-max-length"] = l.BurstIOPS, hypervisor.BurstCredit/l.BurstIOPS // seconds
	}
	return m
}

// Secret is a passphrase under the name QEMU knows it by.
type Secret struct {
	Name  string
	Value []byte
}

// Secrets are those that a disk's encrypted layers need: one for its own file, one for what lies below.
func Secrets(d hypervisor.Disk, chain []qcow2.Layer) []Secret {
	var list []Secret
	for i, layer := range chain {
		switch {
		case !layer.Encrypted:
		case i == 0:
			list = append(list, Secret{SecretName(d.Volume), d.Secret})
		default:
			return append(list, Secret{BaseSecret(d.Volume), d.BaseSecret})
		}
	}
	return list
}

// DiskNode is a disk's block graph: throttle above qcow2 above file, with every overlay spelt out, because an encrypted
// layer anywhere needs to be told its secret and because QEMU shall open no file that the driver has not looked at.
func DiskNode(d hypervisor.Disk, chain []qcow2.Layer) map[string]any {
	var below map[string]any
	for i := len(chain) - 1; i >= 0; i-- {
		node := map[string]any{"driver": "qcow2", "discard": "unmap",
			"file": map[string]any{"driver": "file", "filename": chain[i].Path, "aio": "threads", "discard": "unmap"}}
		key := SecretName(d.Volume)
		if i == 0 {
			node["node-name"] = FormatNode(d.Volume)
		} else {
			key = BaseSecret(d.Volume)
			node["read-only"] = true
		}
		if chain[i].Encrypted {
			node["encrypt"] = map[string]any{"format": "luks", "key-secret": key}
		}
		if below != nil {
			node["backing"] = below
		}
		below = node
	}
	return map[string]any{
		"driver": "throttle", "node-name": TopNode(d.Volume), "throttle-group": ThrottleName(d.Volume), "file": below,
	}
}
