package qemu

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/hypervisor"
	"slipway/internal/processes"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

// A damaged record must not cost a guest. What it held can be had from the process: who it is from its command line,
// what is plugged into it from QEMU.

// salvage puts a machine's books in order whose record cannot be read.
func (d *Driver) salvage(m *machine, why error) error {
	d.log.Error("a machine's record is damaged", "instance", m.id, "directory", m.dir, "error", why)
	lock, err := takeLock(m.dir)
	if err == nil { // no process
		defer lock.Close()
		m.rec = record{ID: m.id, Phase: ended, Why: "its record was damaged"}
		d.cleanUp(m)
		d.sink.send(hypervisor.Event{ID: m.id, Kind: hypervisor.Exited, Detail: m.rec.Why})
		return m.rec.write(m.dir)
	}
	if err != errHeld {
		return err
	}
	pid, err := d.processOf(m.id)
	if err != nil {
		return fmt.Errorf("%w, and %w", why, err)
	}
	words, err := processes.CommandLine(pid)
	if err != nil {
		return err
	}
	uuid := slices.Index(words, "-uuid") + 1
	if uuid == 0 || uuid >= len(words) {
		return fmt.Errorf("process %d has no UUID", pid)
	}
	m.rec = record{
		ID: m.id, UUID: words[uuid], Phase: running, UID: processes.Owner(pid), Version: d.version, Args: words[1:],
		Slots: map[string]int{}, Unknown: true,
	}
	p, err := openProcess(pid, nil)
	if err != nil {
		return err
	}
	d.log.Warn("machine taken over without its record", "instance", m.id, "pid", pid)
	return d.own(m, p)
}

// processOf finds the process that runs a machine by what it says of itself.
func (d *Driver) processOf(id slipway.InstanceID) (int, error) {
	found := slices.DeleteFunc(add(d.cgroups.Members()[string(id)], d.marked()...), func(pid int) bool {
		return machineOf(pid) != string(id)
	})
	if len(found) != 1 {
		return 0, fmt.Errorf("%d processes say that they run %s", len(found), id)
	}
	return found[0], nil
}

// pciDevice is what QEMU says of one of its devices.
type pciDevice struct {
	ID     string `json:"qdev_id"`
	Slot   int    `json:"slot"`
	Bridge *struct {
		Devices []pciDevice `json:"devices"`
	} `json:"pci_bridge"`
}

// plugged adds to a record what sits below a device, which is itself in slot at (-1: in none).
func (r *record) plugged(devices []pciDevice, below string) {
	for _, dev := range devices {
		slot := -1
		for i := range qemuargs.RootPorts {
			if below == qemuargs.PortName(i) {
				slot = i
			}
		}
		if below == qemuargs.Bridge {
			slot = dev.Slot - 1 + qemuargs.RootPorts
		}
		switch {
		case slot < 0:
		case strings.HasPrefix(dev.ID, "vol-"):
			r.Slots[dev.ID] = slot
			r.Disks = add(r.Disks, slipway.VolumeID(dev.ID))
		case strings.HasPrefix(dev.ID, "eni-"):
			r.Slots[dev.ID] = slot
			r.NICs = add(r.NICs, slipway.InterfaceID(dev.ID))
		}
		if dev.Bridge != nil {
			r.plugged(dev.Bridge.Devices, dev.ID)
		}
	}
}

// learn asks a machine what is plugged into it, where its record does not say.
func (m *machine) learn(ctx context.Context, mon *qmp.Monitor) error {
	m.mu.Lock()
	unknown := m.rec.Unknown
	m.mu.Unlock()
	if !unknown {
		return nil
	}
	var buses []struct {
		Devices []pciDevice `json:"devices"`
	}
	if err := mon.Run(ctx, "query-pci", nil, &buses); err != nil {
		return err
	}
	return m.update(func(r *record) {
		for _, b := range buses {
			r.plugged(b.Devices, "")
		}
		r.Unknown = false
	})
}
