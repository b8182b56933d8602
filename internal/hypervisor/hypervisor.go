// Package hypervisor says what a host can do with a machine: start it, stop it, watch it, and change its disks and cards
// while it runs. qemu does it for real, fake does it in memory; hypervisortest holds both to one contract. It knows no
// account, no network and no API: the agent translates an instance into a Machine. It must not read the store.
package hypervisor

import (
	"context"
	"io"
	"os"
	"time"

	"slipway"
)

// Machine is everything a driver needs to run one instance.
type Machine struct {
	ID             slipway.InstanceID
	UUID           string // SMBIOS system UUID; begins with "ec2", which is how cloud-init knows EC2
	InstanceType   string // SMBIOS product
	Cores          int    // ≥ 1
	ThreadsPerCore int    // 1 or 2
	MemoryMiB      int
	CPUShare       float64 // of each vCPU, 0 < share ≤ 1; 0 means no limit
	Boot           Boot
	Disks          []Disk // the first is the root
	NICs           []NIC  // by device index
}

// Boot is how the guest comes up: a kernel handed over directly, or the disk's own loader.
type Boot struct {
	Kernel, Initrd, Append string // paths on the host and the kernel's command line; empty Kernel: by firmware
	UEFI                   bool   // firmware OVMF instead of SeaBIOS
}

// Disk is one attached volume.
type Disk struct {
	Volume     slipway.VolumeID // the guest sees it as serial "vol0123…", without the hyphen
	Device     string           // "/dev/xvda": the mapping's name
	Path       string           // qcow2 file
	Secret     []byte           // passphrase of a LUKS-encrypted qcow2; nil when it is plain
	BaseSecret []byte           // of the snapshot it is an overlay of, where that is encrypted
	Limits
	DeleteOnExit bool // instance store: gone when the machine stops
}

// Limits are how much a disk may do in a second; 0 is no limit.
type Limits struct {
	IOPS            int
	BurstIOPS       int // what it may do instead of IOPS until it has used up its credit of BurstCredit operations
	ThroughputMiBps int
}

// BurstCredit is the credit that a disk that may burst begins with. It is paid back with the operations that IOPS allows
// and the guest leaves undone.
const BurstCredit = 5_400_000

// NIC is one network card. OpenTap hands over the open tap device; the driver passes it to the machine and closes its copy.
type NIC struct {
	Interface slipway.InterfaceID
	MAC       string
	MTU       int // 0: 1500
	OpenTap   func() (*os.File, error)
}

// EventKind is what happened to a machine by itself.
type EventKind string

const (
	GuestShutdown EventKind = "guest-shutdown" // the guest powered itself off (or obeyed the power button); the process is gone
	GuestReset    EventKind = "guest-reset"    // the guest rebooted; it runs on
	GuestPanic    EventKind = "guest-panic"    // the guest's kernel panicked; the process lives
	Exited        EventKind = "exited"         // the process is gone without a word of the guest
)

// Event tells the agent of a change it did not ask for.
type Event struct {
	ID     slipway.InstanceID
	Kind   EventKind
	Detail string // last words of the process when it Exited
}

// Status is what a driver sees of a machine whose process lives.
type Status struct {
	ID    slipway.InstanceID
	PID   int
	Disks []slipway.VolumeID
	NICs  []slipway.InterfaceID
}

// Driver runs machines. Machines outlive the driver: a new Driver over the same directory finds those that still run.
// Every method is free to repeat; removing what is absent is nil.
type Driver interface {
	// UEFI is nil where machines can boot by UEFI, else what the host lacks. It may change while the driver lives.
	UEFI() error
	// Start runs the machine unless it runs already. An error is for the operator and, shortened, for StateReason.
	Start(ctx context.Context, m Machine) error
	// PowerButton asks the guest to stop; GuestShutdown follows if it obeys.
	PowerButton(ctx context.Context, id slipway.InstanceID) error
	// Kill ends the machine's process and waits until it is gone. No event follows.
	Kill(ctx context.Context, id slipway.InstanceID) error
	// Reboot asks the guest to restart (Ctrl-Alt-Del); GuestReset follows if it obeys.
	Reboot(ctx context.Context, id slipway.InstanceID) error
	// Reset restarts the guest in place without asking it. No event follows.
	Reset(ctx context.Context, id slipway.InstanceID) error
	// Interrupt delivers a non-maskable interrupt.
	Interrupt(ctx context.Context, id slipway.InstanceID) error
	// Running lists the machines whose processes live, having checked that they are ours.
	Running(ctx context.Context) ([]Status, error)
	// Forget removes what is left of a machine that does not run: logs, sockets, records.
	Forget(ctx context.Context, id slipway.InstanceID) error
	// Events never closes while the driver lives; it is read by one goroutine.
	Events() <-chan Event
	// Console is the last 64 KiB that the guest wrote to its serial port, kept over stop and start.
	Console(ctx context.Context, id slipway.InstanceID) ([]byte, error)
	// Serial is the guest's serial port, for someone who types. One at a time; what the guest writes still reaches Console.
	Serial(ctx context.Context, id slipway.InstanceID) (io.ReadWriteCloser, error)
	// Screen is the guest's screen as PNG; wake presses a harmless key first, lest the screen be blanked.
	Screen(ctx context.Context, id slipway.InstanceID, wake bool) ([]byte, error)

	// CPUTime is how much CPU time the machine's process has used since it began.
	CPUTime(ctx context.Context, id slipway.InstanceID) (time.Duration, error)
	// LimitCPU bounds a running machine to so many of the host's CPUs; 0 lifts the bound. Where the host has no control groups
	// it has no effect, which the driver said when it began.
	LimitCPU(ctx context.Context, id slipway.InstanceID, cpus float64) error

	AttachDisk(ctx context.Context, id slipway.InstanceID, d Disk) error
	DetachDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID) error
	// LimitDisk changes a running disk's throttles; GrowDisk tells the guest that the disk is now sizeGiB large.
	LimitDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, l Limits) error
	GrowDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, sizeGiB int) error
	// CopyDisk writes the disk's content at this moment to a new qcow2 file at target while the guest runs on, encrypted
	// with the disk's own secret if it has one. It returns when the point in time is fixed; done is called once the copy is
	// complete or has failed, and after a failure target is gone. A driver that is closed meanwhile never calls done, and
	// the next one abandons the copy when asked for another.
	CopyDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, target string, done func(error)) error
	AttachNIC(ctx context.Context, id slipway.InstanceID, n NIC) error
	DetachNIC(ctx context.Context, id slipway.InstanceID, eni slipway.InterfaceID) error

	// Suspend saves memory and devices to file and ends the process. No event follows.
	Suspend(ctx context.Context, id slipway.InstanceID, file string) error
	// Resume is Start from a file that Suspend wrote, which it removes once the guest runs.
	Resume(ctx context.Context, m Machine, file string) error

	// Close lets go of the machines, which run on, for the next Driver over the same directory.
	Close() error
}
