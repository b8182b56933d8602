package images_test

import (
	"errors"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/guestimage"
	"slipway/internal/hypervisor/fake"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestBootModes: an image's mode and the instance type decide the firmware, at the launch and when the type changes.
func TestBootModes(t *testing.T) {
	w := apitest.New(t)
	snapshot := apitest.NewWorld(w).Snapshot
	images := map[string]string{}
	for _, mode := range []string{"legacy-bios", "uefi", "uefi-preferred"} {
		images[mode] = w.BootingBy(snapshot, mode)
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
				w.Refuses(t,
					[]apitest.Refusal{apitest.Case("refused", "InvalidParameterValue", "'uefi'", "RunInstances", params)})
				return
			}
			id := w.Must("instanceId", "RunInstances", params...)
			if mode, current, machine := w.Firmware(id); mode != tt.mode || current != tt.current ||
				machine != (current == "uefi") {
				t.Errorf("bootMode %s, currentInstanceBootMode %s, the machine's UEFI %v; want %s by %s", mode, current,
					machine, tt.mode, tt.current)
			}
			w.Await(id, "running")
			w.Must("instanceId", "StopInstances", "InstanceId.1", id)
			w.Await(id, "stopped")
			older := []string{"InstanceId", id, "InstanceType.Value", "t2.nano"}
			if tt.mode == "uefi" {
				w.Refuses(t,
					[]apitest.Refusal{
						apitest.Case("to an older type", "InvalidInstanceAttributeValue", "uefi",
							"ModifyInstanceAttribute", older),
					})
				return
			}
			w.Must("return", "ModifyInstanceAttribute", older...)
			if mode, current, machine := w.Firmware(id); mode != tt.mode || current != "legacy-bios" || machine {
				t.Errorf("as t2.nano: bootMode %s, currentInstanceBootMode %s, the machine's UEFI %v", mode, current, machine)
			}
		})
	}
}

// TestAnImportedDiskThatWantsUEFI is none for what boots by BIOS only.
func TestAnImportedDiskThatWantsUEFI(t *testing.T) {
	w := apitest.New(t)
	err := w.API.Images.Provide(t.Context(), w.Host.Disks, apitest.HostID,
		guestimage.Built{Name: "theirs", Digest: "1", Architecture: "x86_64", RootDevice: "/dev/xvda", SizeGiB: 1, UEFI: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Must("bootMode", "DescribeImages", "Filter.1.Name", "name", "Filter.1.Value.1", "theirs-*"); got != "uefi" {
		t.Errorf("its boot mode is %q", got)
	}
}

// TestAHostWithoutUEFI: what boots by UEFI is refused with the name of what is missing, until it is there.
func TestAHostWithoutUEFI(t *testing.T) {
	w := apitest.New(t)
	snapshot := apitest.NewWorld(w).Snapshot
	image, bios := w.BootingBy(snapshot, "uefi"), w.BootingBy(snapshot, "legacy-bios")
	launch := func(image string, more ...string) []string {
		return append([]string{
			"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1",
			"Placement.AvailabilityZone", "us-east-1a",
		}, more...)
	}
	id := w.Must("instanceId", "RunInstances", launch(image)...)
	w.Await(id, "running")
	w.Must("instanceId", "StopInstances", "InstanceId.1", id)
	w.Await(id, "stopped")
	w.Must("capacityReservationId", "CreateCapacityReservation", "InstanceType", "t3.micro", "InstancePlatform",
		"Linux/UNIX", "InstanceCount", "1", "AvailabilityZone", "us-east-1a")

	host := w.Host.VMM.(*fake.Driver)
	host.WithoutUEFI(errors.New("the firmware is not installed"))
	w.Eventually("a launch is refused", func() bool {
		return w.Call("RunInstances", launch(image, "DryRun", "true")...).Code == "Unsupported"
	})
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a launch", "Unsupported", "the firmware is not installed", "RunInstances", launch(image)),
		apitest.Case("a start", "Unsupported", "the firmware is not installed", "StartInstances", []string{"InstanceId.1", id}),
		apitest.Case("the store of one that has it", "UnsupportedOperation", "cannot be read", "GetInstanceUefiData",
			[]string{"InstanceId", id}),
	})
	other := w.Must("instanceId", "RunInstances",
		launch(bios, "CapacityReservationSpecification.CapacityReservationPreference", "none")...)
	w.Await(other, "running")
	w.Refuses(t,
		[]apitest.Refusal{
			apitest.Case("the store of one that has none", "UnsupportedOperation", "legacy-bios", "GetInstanceUefiData",
				[]string{"InstanceId", other}),
		})

	const second slipway.HostID = "second"
	err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		return state.Hosts.Put(tx, &slipway.Host{ID: second, Zones: []string{"a"}, VCPUs: 4, MemoryMiB: 4096})
	})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := w.Must("instanceId", "RunInstances", launch(image)...)
	in := state.Instances.See(w.DB.Local(), state.Scope{Account: w.Keys.Account, Region: w.Region}, elsewhere)
	if in.Host != second {
		t.Errorf("with another host that has it, the instance is on %s", in.Host)
	}

	host.WithoutUEFI(nil)
	w.Eventually("the instance may start again", func() bool {
		return w.Call("StartInstances", "InstanceId.1", id).Status == 200
	})
	w.Await(id, "running")
	if why := w.Call("DescribeInstances", "InstanceId.1", id).Body; !strings.Contains(why, "<currentInstanceBootMode>uefi<") {
		t.Errorf("it boots otherwise now: %s", why)
	}
}
