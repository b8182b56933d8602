package apitest

import (
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Ledger is what the one host has promised, in instances, vCPUs and MiB.
func (w *Wire) Ledger() [3]int {
	b := state.Ledgers.See(w.DB.Local(), state.Global, string(HostID))
	if b == nil {
		return [3]int{}
	}
	return [3]int{b.Instances, b.VCPUs, b.MemoryMiB}
}

// Launch runs one instance of a type with further parameters.
func (w *Wire) Launch(kind string, more ...string) string {
	w.T.Helper()
	return w.Must("instanceId", "RunInstances",
		append([]string{"ImageId", w.Image(), "InstanceType", kind, "MinCount", "1", "MaxCount", "1"}, more...)...)
}

func (w *Wire) Terminate(ids ...string) {
	w.T.Helper()
	for _, id := range ids {
		w.Must("instanceId", "TerminateInstances", "InstanceId.1", id)
		w.Await(id, "terminated")
	}
}

// Change edits a system image, as only its owner may.
func (w *Wire) Change(image string, edit func(*slipway.Image)) {
	w.T.Helper()
	err := w.DB.Update(w.T.Context(), func(tx store.Tx) error {
		return state.Images.Edit(tx, state.Global, image, func(im *slipway.Image) error { edit(im); return nil })
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// Reason is an instance's state reason.
func (w *Wire) Reason(id string) string {
	return First(First(w.Call("DescribeInstances", "InstanceId.1", id).Body, "stateReason"), "code")
}

// Gone is one more instance.
func (o World) Gone(w *Wire) string {
	id := w.Launch("t3.micro")
	w.Await(id, "running")
	return id
}

// BootingBy registers an image of the boot mode.
func (w *Wire) BootingBy(snapshot, mode string) string {
	w.T.Helper()
	return w.Must("imageId", "RegisterImage", "Name", "boots by "+mode, "BootMode", mode, "RootDeviceName", "/dev/xvda",
		"BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId", snapshot)
}

// Firmware is what DescribeInstances says of an instance's boot mode, and what its machine is given.
func (w *Wire) Firmware(id string) (mode, current string, machine bool) {
	w.T.Helper()
	body := w.Call("DescribeInstances", "InstanceId.1", id).Body
	a, found, err := w.Hosts.Instance(w.T.Context(), HostID, slipway.InstanceID(id))
	if err != nil || !found {
		w.T.Fatalf("%s on its host: %v %v", id, found, err)
	}
	return First(body, "bootMode"), First(body, "currentInstanceBootMode"), a.Boot.UEFI
}
