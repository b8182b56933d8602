// Package qemu is the hypervisor.Driver that runs real machines: one QEMU process each, spoken to over QMP.
//
// A machine outlives its driver. Its process has a session, a cgroup and a user of its own, and four things in its
// directory let the next driver find it:
//
//	lock         held (flock) by the process itself through an inherited descriptor, from before exec until it is gone:
//	             whoever cannot take the lock knows that the machine runs, whatever else was lost
//	record.json  who it is: pid and start time, UUID, arguments, which device sits in which port
//	console.log  what the guest wrote to its serial port, at least the last 64 KiB
//	qemu.log     what the process itself said
//
// The serial port ends in a ring inside QEMU, which a flooding guest cannot grow and which needs no reader; the driver
// moves its content to console.log every second. A guest that powers off leaves its process paused until a driver has
// fetched the last of it and knows why the machine ended; only then does the process go. So a console and a reason
// survive hours without slipway, and no second process per machine is needed.
//
// What QEMU is told of a machine is computed in qemuargs and said over qmp; cgroup, hostusers, processes and screenshot
// each know one matter of the host's.
//
// The package knows nothing of accounts, networks or where disks come from; it must not read the store.
package qemu
