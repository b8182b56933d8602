// Package hostapi is all that a server and the agent of a host say to each other: the server says what is wanted, the agent
// what it observed. It is level-triggered: a Change only says where to look again. The agent must not read the store.
package hostapi

import (
	"context"
	"errors"
	"time"

	"slipway"
	"slipway/internal/dataplane"
	"slipway/internal/diskimage"
	"slipway/internal/imds"
)

// Kind is a kind of thing that an agent looks after.
type Kind string

const (
	InstanceKind Kind = "instance"
	NetworkKind  Kind = "network"
	VolumeKind   Kind = "volume"
	SnapshotKind Kind = "snapshot"
	ImportKind   Kind = "import"
)

// Ref names one thing.
type Ref struct {
	Kind Kind
	ID   string
}

// ErrUnknown says that the server has no record of an instance. That is no order to end it: a record may be lost, or the store
// another's. That an instance is gone, its record says for an hour after its host has ended it.
var ErrUnknown = errors.New("there is no record of this instance")

// Host is the server as one agent sees it.
type Host interface {
	// Join makes the host known, with what it can carry.
	Join(ctx context.Context, h slipway.Host) error
	// Changes reports what may have changed, beginning with everything there is, until ctx ends.
	Changes(ctx context.Context, host slipway.HostID, report func([]Ref)) error
	// Instance says what is wanted of an instance; found is false when its record says that this host has nothing to
	// do with it. Without a record it is ErrUnknown, and while records cannot be read, their error.
	Instance(ctx context.Context, host slipway.HostID, id slipway.InstanceID) (a Assignment, found bool, err error)
	// Network says what a VPC looks like from this host; found is false when no instance of it is here.
	Network(ctx context.Context, host slipway.HostID, id slipway.VPCID) (n dataplane.Network, found bool, err error)
	// Volume says what is wanted of a volume's file.
	Volume(ctx context.Context, host slipway.HostID, id slipway.VolumeID) (v Volume, found bool, err error)
	// Snapshot says what is wanted of a snapshot's file.
	Snapshot(ctx context.Context, host slipway.HostID, id slipway.SnapshotID) (s Snapshot, found bool, err error)
	// Import says what is wanted of an import; found is false when it has ended.
	Import(ctx context.Context, host slipway.HostID, id slipway.ImportTaskID) (t Import, found bool, err error)
	// Report tells what was observed. Reports about an earlier start are ignored.
	Report(ctx context.Context, host slipway.HostID, reports []Report) error
}

// Assignment is one instance as its host shall make it.
type Assignment struct {
	ID            slipway.InstanceID
	Account       string
	VPC           slipway.VPCID // the network it lives in
	Wanted        slipway.Wanted
	Boots         int
	Reboots       int
	Force         bool // stop without asking the guest
	Resume        bool // memory was saved: continue there
	Type          string
	UUID          string
	Cores         int
	Threads       int
	MemoryMiB     int
	Baseline      float64 // of a burstable type without unlimited credits: what each vCPU earns; 0: no credits are counted
	Boot          slipway.Boot
	Volumes       []Volume // the root first
	Interfaces    []dataplane.Port
	Metadata      imds.Instance
	AdmittedAt    time.Time
	DeleteVolumes []slipway.VolumeID // when terminated: these files go
	Refuse        *slipway.Reason    // the launch shall fail with this reason (rule R15)
}

// Volume is one volume's file as wanted.
type Volume struct {
	ID         slipway.VolumeID
	Device     string
	Snapshot   slipway.SnapshotID
	SizeGiB    int
	IOPS       int
	BurstIOPS  int
	Throughput int
	Secret     []byte
	BaseSecret []byte // of the snapshot, where that is encrypted
	Ephemeral  bool   // instance store: gone at every stop
	Attached   slipway.InstanceID
	Deleted    bool
}

// Snapshot is one snapshot's file as wanted.
type Snapshot struct {
	ID       slipway.SnapshotID
	Volume   slipway.VolumeID
	Instance slipway.InstanceID // runs with the volume attached; empty: the file lies still
	Source   slipway.SnapshotID // a copy of this one
	Import   string             // or a file to import
	Reboots  int                // the moment is after the instance's reboot of this number
	SizeGiB  int
	Done     bool
	Deleted  bool
	Awaited  bool // a volume that begins as a copy of it may not have been made yet: it is deleted afterwards
	// Secret is the snapshot's passphrase; SourceSecret that of the snapshot it is copied from or the volume is an overlay of.
	Secret, SourceSecret []byte
}

// Import is disk images that shall become snapshots, all of them or none.
type Import struct {
	ID        slipway.ImportTaskID
	Disks     []ImportDisk
	Cancelled bool // nothing of it shall be left
}

// ImportDisk is one image, or a snapshot to copy.
type ImportDisk struct {
	Source     slipway.DiskSource
	Format     diskimage.Format
	From       slipway.SnapshotID
	FromSecret []byte
	Snapshot   slipway.SnapshotID // which it becomes
	Secret     []byte
	MaxGiB     int
	Boots      bool // it must have a boot record
}

// Phase is what became of a thing.
type Phase string

const (
	PhaseRunning     Phase = "running"    // the machine runs
	PhaseStopped     Phase = "stopped"    // it does not, as wanted
	PhaseHibernated  Phase = "hibernated" // and its memory is saved
	PhaseRemoved     Phase = "removed"    // nothing of it is left
	PhasePowerOff    Phase = "power-off"  // the guest switched itself off
	PhaseDied        Phase = "died"       // the process ended without the guest's doing
	PhaseFailed      Phase = "failed"     // it cannot be made true
	PhaseReachable   Phase = "reachable"  // the status check passed
	PhaseUnreachable Phase = "unreachable"
	PhaseAttached    Phase = "attached" // volumes and interfaces of a running machine are as wanted
	PhaseMetadata    Phase = "metadata" // the guest asked for metadata, the first time in this boot
	PhaseDone        Phase = "done"     // of a snapshot, an import or a volume's change
	PhaseProgress    Phase = "progress" // of an import
)

// Report is one observation.
type Report struct {
	Ref    Ref
	Boots  int
	Phase  Phase
	At     time.Time
	Reason slipway.Reason     // of a failure
	Steps  []Step             // what happened on the way
	Disks  []slipway.VolumeID // attached, with PhaseAttached and PhaseRunning
	NICs   []slipway.InterfaceID
	// Options are those by which the metadata service answers, with PhaseRunning.
	Options slipway.MetadataOptions
	Size    int // in GiB: of a volume, as its host has made it
	Images  []ImportedDisk
}

// ImportedDisk is how far one disk of an import is; what is not known yet is 0.
type ImportedDisk struct {
	FileSize int64 // bytes
	SizeGiB  int
	Percent  int
}

// Step is one stretch of the way, for the timeline.
type Step struct {
	Name string
	At   time.Time
}
