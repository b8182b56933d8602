package qemu

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

// consoleRing is the size of the ring that catches the serial port's output inside QEMU: a power of two, and enough for
// the 64 KiB that GetConsoleOutput shows even when no driver empties it.
const consoleRing = 128 << 10

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
	rootPorts = 2
	bridge    = "bridge"
	slots     = slipway.MachineSlots // all that a bridge has behind the root ports
)

// place is where a slot's device is plugged in.
func place(device map[string]any, slot int) map[string]any {
	if slot < rootPorts {
		device["bus"] = portName(slot)
	} else {
		device["bus"], device["addr"] = bridge, fmt.Sprintf("0x%x", slot-rootPorts+1)
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
		"-chardev", fmt.Sprintf("ringbuf,id=console,size=%d", consoleRing),
		"-device", "isa-serial,id=serial0,chardev=console",
		"-device", "pvpanic",
		"-device", "vmgenid,guid=auto",
		"-device", fmt.Sprintf("VGA,id=screen,bus=pcie.0,addr=0x%x,vgamem_mb=8", addrScreen),
		"-object", "rng-random,id=random,filename=/dev/urandom",
		"-device", fmt.Sprintf("virtio-rng-pci,bus=pcie.0,addr=0x%x,rng=random", addrRandom),
	)
	// Without io-reserve=0 each port takes 4 KiB of the 64 KiB of I/O space.
	for i := range rootPorts + 1 {
		args = append(args, "-device",
			fmt.Sprintf("pcie-root-port,id=%s,bus=pcie.0,addr=0x%x.%d,multifunction=on,chassis=%d,io-reserve=0",
				portName(i), addrRootPorts, i, i+1))
	}
	args = append(args, "-device", "pcie-pci-bridge,id="+bridge+",bus="+portName(rootPorts))
	if l.Firmware != "" {
		args = append(args,
			"-blockdev", encode(map[string]any{"node-name": "firmware", "driver": "raw", "read-only": true,
				"file": map[string]any{"driver": "file", "filename": l.Firmware}}),
			"-blockdev", encode(map[string]any{"node-name": "variables", "driver": "raw",
				"file": map[string]any{"driver": "file", "filename": l.Variables}}))
	}
	for i, disk := range m.Disks {
		for _, key := range secrets(disk, l.Chains[disk.Volume]) {
			args = append(args, "-object", "secret,id="+key.name+",file="+escape(l.Secrets[key.name]))
		}
		device := diskDevice(disk.Volume, l.Slots[diskID(disk.Volume)])
		if i == 0 {
			device["bootindex"] = 1
		}
		args = append(args, "-object", encode(throttleGroup(disk)), "-blockdev", encode(diskNode(disk, l.Chains[disk.Volume])),
			"-device", encode(device))
	}
	for i, nic := range m.NICs {
		args = append(args, "-netdev", fmt.Sprintf("tap,id=%s,fd=%d", netdevName(nic.Interface), l.Taps[i]),
			"-device", encode(nicDevice(nic, l.Slots[nicID(nic.Interface)])))
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

func portName(i int) string { return "port" + strconv.Itoa(i) }

// Names of a volume's and a card's parts inside QEMU, from which alone the driver finds them again.
func diskID(v slipway.VolumeID) string        { return string(v) }
func topNode(v slipway.VolumeID) string       { return string(v) + "-top" }
func formatNode(v slipway.VolumeID) string    { return string(v) + "-qcow" }
func throttleName(v slipway.VolumeID) string  { return string(v) + "-limit" }
func secretName(v slipway.VolumeID) string    { return string(v) + "-key" }
func baseSecret(v slipway.VolumeID) string    { return string(v) + "-base" }
func nicID(e slipway.InterfaceID) string      { return string(e) }
func netdevName(e slipway.InterfaceID) string { return string(e) + "-tap" }

// serial is what the guest reads as the disk's serial number: at most 20 bytes, as the EBS of EC2 has it.
func serial(v slipway.VolumeID) string { return strings.ReplaceAll(string(v), "-", "") }

func diskDevice(v slipway.VolumeID, slot int) map[string]any {
	return place(map[string]any{"driver": "virtio-blk-pci", "id": diskID(v), "drive": topNode(v), "serial": serial(v)}, slot)
}

func nicDevice(n hypervisor.NIC, slot int) map[string]any {
	dev := map[string]any{
		"driver": "virtio-net-pci", "id": nicID(n.Interface), "netdev": netdevName(n.Interface), "mac": n.MAC, "romfile": "",
	}
	if n.MTU != 0 {
		dev["host_mtu"] = n.MTU
	}
	return place(dev, slot)
}

func throttleGroup(d hypervisor.Disk) map[string]any {
	return map[string]any{"qom-type": "throttle-group", "id": throttleName(d.Volume), "limits": limits(d.Limits)}
}

// limits counts a request of up to 256 KiB as one operation, as EBS does for its SSD types.
func limits(l hypervisor.Limits) map[string]any {
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

// secret is a passphrase under the name QEMU knows it by.
type secret struct {
	name  string
	value []byte
}

// secrets are those that a disk's encrypted layers need: one for its own file, one for what lies below.
func secrets(d hypervisor.Disk, chain []qcow2.Layer) []secret {
	var list []secret
	for i, layer := range chain {
		switch {
		case !layer.Encrypted:
		case i == 0:
			list = append(list, secret{secretName(d.Volume), d.Secret})
		default:
			return append(list, secret{baseSecret(d.Volume), d.BaseSecret})
		}
	}
	return list
}

// diskNode is a disk's block graph: throttle above qcow2 above file, with every overlay spelt out, because an encrypted
// layer anywhere needs to be told its secret and because QEMU shall open no file that the driver has not looked at.
func diskNode(d hypervisor.Disk, chain []qcow2.Layer) map[string]any {
	var below map[string]any
	for i := len(chain) - 1; i >= 0; i-- {
		node := map[string]any{"driver": "qcow2", "discard": "unmap",
			"file": map[string]any{"driver": "file", "filename": chain[i].Path, "aio": "threads", "discard": "unmap"}}
		key := secretName(d.Volume)
		if i == 0 {
			node["node-name"] = formatNode(d.Volume)
		} else {
			key = baseSecret(d.Volume)
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
		"driver": "throttle", "node-name": topNode(d.Volume), "throttle-group": throttleName(d.Volume), "file": below,
	}
}
