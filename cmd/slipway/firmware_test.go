package main

import (
	"errors"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/guestimage"
	"slipway/internal/hypervisor/fake"
	"slipway/internal/state"
	"slipway/internal/store"
)

// bootingBy registers an image of the boot mode.
func (w *wire) bootingBy(snapshot, mode string) string {
	w.t.Helper()
	return w.must("imageId", "RegisterImage", "Name", "boots by "+mode, "BootMode", mode, "RootDeviceName", "/dev/xvda",
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", snapshot)
}

// firmware is what DescribeInstances says of an instance's boot mode, and what its machine is given.
func (w *wire) firmware(id string) (mode, current string, machine bool) {
	w.t.Helper()
	body := w.call("DescribeInstances", "InstanceId.1", id).body
	a, found, err := w.hosts.Instance(w.t.Context(), hostID, slipway.InstanceID(id))
	if err != nil || !found {
		w.t.Fatalf("%s on its host: %v %v", id, found, err)
	}
	return first(body, "bootMode"), first(body, "currentInstanceBootMode"), a.Boot.UEFI
}

// TestBootModes: an image's mode and the instance type decide the firmware, at the launch and when the type changes.
func TestBootModes(t *testing.T) {
	w := newWire(t)
	snapshot := newWorld(w).snapshot
	images := map[string]string{}
	for _, mode := range []string{"legacy-bios", "uefi", "uefi-preferred"} {
		images[mode] = w.bootingBy(snapshot, mode)
	}
	for _, tt := range []struct{ mode, kind, current string }{
		{"legacy-bios", "t3.micro", "legacy-bios"},
		{"uefi", "t3.micro", "uefi"},
		{"uefi", "t2.micro", ""},
		{"uefi-preferred", "t3.micro", "uefi"},
		{"uefi-preferred", "t2.micro", "legacy-bios"},
	} {
		t.Run(tt.mode+" on "+tt.kind, func(t *testing.T) {
			params := []string{"ImageId", images[tt.mode], "InstanceType", tt.kind, "MinCount", "1", "MaxCount", "1"}
			if tt.current == "" {
				w.refuses(t, []refusal{{"refused", "InvalidParameterValue", "'uefi'", "RunInstances", params}})
				return
			}
			id := w.must("instanceId", "RunInstances", params...)
			if mode, current, machine := w.firmware(id); mode != tt.mode || current != tt.current || machine != (current == "uefi") {
				t.Errorf("bootMode %s, currentInstanceBootMode %s, the machine's UEFI %v; want %s by %s", mode, current, machine, tt.mode, tt.current)
			}
			w.await(id, "running")
			w.must("instanceId", "StopInstances", "InstanceId.1", id)
			w.await(id, "stopped")
			older := []string{"InstanceId", id, "InstanceType.Value", "t2.nano"}
			if tt.mode == "uefi" {
				w.refuses(t, []refusal{{"to an older type", "InvalidInstanceAttributeValue", "uefi", "ModifyInstanceAttribute", older}})
				return
			}
			w.must("return", "ModifyInstanceAttribute", older...)
			if mode, current, machine := w.firmware(id); mode != tt.mode || current != "legacy-bios" || machine {
				t.Errorf("as t2.nano: bootMode %s, currentInstanceBootMode %s, the machine's UEFI %v", mode, current, machine)
			}
		})
	}
}

// TestAnImportedDiskThatWantsUEFI is none for what boots by BIOS only.
func TestAnImportedDiskThatWantsUEFI(t *testing.T) {
	w := newWire(t)
	err := w.api.Images.Provide(t.Context(), w.host.Disks, hostID, guestimage.Built{Name: "theirs", Digest: "1", Architecture: "x86_64", RootDevice: "/dev/xvda", SizeGiB: 1, UEFI: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.must("bootMode", "DescribeImages", "Filter.1.Name", "name", "Filter.1.Value.1", "theirs-*"); got != "uefi" {
		t.Errorf("its boot mode is %q", got)
	}
}

// TestAHostWithoutUEFI: what boots by UEFI is refused with the name of what is missing, until it is there.
func TestAHostWithoutUEFI(t *testing.T) {
	w := newWire(t)
	snapshot := newWorld(w).snapshot
	image, bios := w.bootingBy(snapshot, "uefi"), w.bootingBy(snapshot, "legacy-bios")
	launch := func(image string, more ...string) []string {
		return append([]string{"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "Placement.AvailabilityZone", "us-east-1a"}, more...)
	}
	id := w.must("instanceId", "RunInstances", launch(image)...)
	w.await(id, "running")
	w.must("instanceId", "StopInstances", "InstanceId.1", id)
	w.await(id, "stopped")
	w.must("capacityReservationId", "CreateCapacityReservation", "InstanceType", "t3.micro", "InstancePlatform", "Linux/UNIX", "InstanceCount", "1", "AvailabilityZone", "us-east-1a")

	host := w.host.VMM.(*fake.Driver)
	host.WithoutUEFI(errors.New("the firmware is not installed"))
	w.eventually("a launch is refused", func() bool { return w.call("RunInstances", launch(image, "DryRun", "true")...).code == "Unsupported" })
	w.refuses(t, []refusal{
		{"a launch", "Unsupported", "the firmware is not installed", "RunInstances", launch(image)},
		{"a start", "Unsupported", "the firmware is not installed", "StartInstances", []string{"InstanceId.1", id}},
		{"the store of one that has it", "UnsupportedOperation", "cannot be read", "GetInstanceUefiData", []string{"InstanceId", id}},
	})
	other := w.must("instanceId", "RunInstances", launch(bios, "CapacityReservationSpecification.CapacityReservationPreference", "none")...)
	w.await(other, "running")
	w.refuses(t, []refusal{{"the store of one that has none", "UnsupportedOperation", "legacy-bios", "GetInstanceUefiData", []string{"InstanceId", other}}})

	const second slipway.HostID = "second"
	err := w.db.Update(t.Context(), func(tx store.Tx) error {
		return state.Hosts.Put(tx, &slipway.Host{ID: second, Zones: []string{"a"}, VCPUs: 4, MemoryMiB: 4096})
	})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := w.must("instanceId", "RunInstances", launch(image)...)
	in := state.Instances.See(w.db.Local(), state.Scope{Account: w.keys.Account, Region: w.region}, elsewhere)
	if in.Host != second {
		t.Errorf("with another host that has it, the instance is on %s", in.Host)
	}

	host.WithoutUEFI(nil)
	w.eventually("the instance may start again", func() bool { return w.call("StartInstances", "InstanceId.1", id).status == 200 })
	w.await(id, "running")
	if why := w.call("DescribeInstances", "InstanceId.1", id).body; !strings.Contains(why, "<currentInstanceBootMode>uefi<") {
		t.Errorf("it boots otherwise now: %s", why)
	}
}
