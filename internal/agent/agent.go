// Package agent makes one host match what is assigned to it. It hears through hostapi what may have changed, looks at what is
// wanted and at what is there, acts, and reports what it observed. It decides nothing about who may have what, and never
// reads the store: all that it needs to continue after a crash is in the drivers' own records and in its own.
package agent

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/dataplane"
	"slipway/internal/guard"
	"slipway/internal/hostapi"
	"slipway/internal/hypervisor"
	"slipway/internal/imds"
	"slipway/internal/reconcile"
)

// Wires is the data plane.
type Wires interface {
	// Ensure makes the kernel match the network.
	Ensure(ctx context.Context, n dataplane.Network) error
	// Remove takes away all of a network.
	Remove(ctx context.Context, id slipway.VPCID) error
	// Networks are those that exist on this host.
	Networks() ([]slipway.VPCID, error)
	// OpenTap opens the interface's tap, which Ensure has made.
	OpenTap(vpc slipway.VPCID, eni slipway.InterfaceID) (*os.File, error)
	// Reachable asks the interface's guest by ARP.
	Reachable(ctx context.Context, vpc slipway.VPCID, eni slipway.InterfaceID) bool
	// Publish and Withdraw say what the metadata service answers to the instance.
	Publish(vpc slipway.VPCID, in imds.Instance)
	Withdraw(vpc slipway.VPCID, id slipway.InstanceID)
}

// Limits are how long the agent waits for guests.
type Limits struct {
	Stop      time.Duration // from the power button to force, at a stop
	Terminate time.Duration // the same at a termination
	Reboot    time.Duration // from asking for a reboot to a reset
	Workers   int
	ImportGiB int // the largest disk that an import takes, below what EC2 takes; 0: as EC2
}

// DefaultLimits suit guests under software emulation.
var DefaultLimits = Limits{Stop: 90 * time.Second, Terminate: 15 * time.Second, Reboot: 60 * time.Second, Workers: 4}

// maxStarts is how often a machine is tried before its launch has failed.
const maxStarts = 3

// Agent is one host's.
type Agent struct {
	host    slipway.Host
	api     hostapi.Host
	vmm     hypervisor.Driver
	disks   blockstore.Store
	wires   Wires
	sources Sources
	record  Records
	limits  Limits
	log     *slog.Logger
	now     func() time.Time
	joined  bool // the host is known; before Run and by its probe only

	queue    *reconcile.Queue[hostapi.Ref]
	networks networks

	copies    sync.WaitGroup // of files, which take longer than a step may
	importing chan struct{}  // holds one for each import that works
	ending    chan struct{}  // closed when Run ends

	mu       sync.Mutex
	live     map[slipway.InstanceID]*liveState
	consoles []lastConsole                  // of machines that are gone, the latest last
	copying  map[slipway.SnapshotID]copying // snapshots that are being made
	imports  map[slipway.ImportTaskID]*importing
	held     map[slipway.VolumeID]bool // volumes that one step has for itself: a machine that starts, or a copy of the still file
}

// liveState is what the agent has learnt since it began: losing it costs nothing but a repetition.
type liveState struct {
	exit      *hypervisor.Event // the machine ended by itself, not yet reported
	starts    int               // failed tries of this boot
	asked     time.Time         // when the guest was asked to stop
	pressed   time.Time         // when the power button was pressed last
	rebooting time.Time         // when the guest was asked to reboot
	reported  reported
	missing   time.Time // when the machine was first found gone without an event
	heard     bool      // the guest has asked for metadata in this boot
	probed    time.Time
	reachable bool
	silent    time.Time // since when the guest of this boot has been asked in vain
	judged    bool      // the outcome of a check has been reported in this boot

	// CPU credits, of a burstable type without unlimited ones.
	baseline float64 // what each vCPU earns; 0: none are counted
	vcpus    int
	balance  time.Duration // CPU time that may be used beyond what is earned
	used     time.Duration // when last looked at
	looked   time.Time
	limited  bool
}

type reported struct {
	boots    int
	phase    hostapi.Phase
	shape    string                  // of the attached disks and cards
	metadata slipway.MetadataOptions // in force
}

// New makes an agent. Nothing may be nil.
func New(
	host slipway.Host, api hostapi.Host, vmm hypervisor.Driver, disks blockstore.Store, wires Wires, sources Sources,
	records Records, limits Limits, log *slog.Logger, now func() time.Time,
) *Agent {
	a := &Agent{
		host: host, api: api, vmm: vmm, disks: disks, wires: wires, sources: sources, record: records, limits: limits,
		log: log, now: now,
		live: map[slipway.InstanceID]*liveState{}, copying: map[slipway.SnapshotID]copying{},
		imports: map[slipway.ImportTaskID]*importing{}, importing: make(chan struct{}, maxImports),
		held: map[slipway.VolumeID]bool{}, ending: make(chan struct{}),
	}
	a.networks.of = map[slipway.VPCID]*network{}
	a.queue = reconcile.New(a.step, 3*time.Minute, log)
	return a
}

// Join makes the host known, so that launches find it. It comes before Run, which does it again if there was no success.
func (a *Agent) Join(ctx context.Context) error {
	a.host.NoUEFI = a.lacksUEFI()
	err := a.api.Join(ctx, a.host)
	a.joined = err == nil
	return err
}

func (a *Agent) lacksUEFI() string {
	if err := a.vmm.UEFI(); err != nil {
		return err.Error()
	}
	return ""
}

// Run works until ctx ends. Machines run on. What ends before its time, the stream of changes above all, is begun anew
// and said.
func (a *Agent) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer a.copies.Wait()
	defer close(a.ending)
	for what, work := range map[string]func(context.Context) error{
		"the agent's queue":         func(ctx context.Context) error { a.queue.Run(ctx, a.limits.Workers); return nil },
		"machines' events":          a.listen,
		"status checks":             a.probe,
		"CPU credits":               a.meter,
		"changes of what is wanted": a.follow,
	} {
		guard.Group(&wg, a.log, what, func() { guard.Loop(ctx, a.log, what, work) })
	}
	wg.Wait()
}

// follow queues what may have changed, beginning with all that there is.
func (a *Agent) follow(ctx context.Context) error {
	a.lookAround(ctx)
	return a.api.Changes(ctx, a.host.ID, func(refs []hostapi.Ref) {
		for _, r := range refs {
			a.queue.Add(r)
		}
	})
}

// lookAround queues what is on this host, wanted or not.
func (a *Agent) lookAround(ctx context.Context) {
	machines, err := a.vmm.Running(ctx)
	if err != nil {
		a.log.Warn("running machines not listed", "error", err)
	}
	for _, m := range machines {
		a.queue.Add(hostapi.Ref{Kind: hostapi.InstanceKind, ID: string(m.ID)})
	}
	for _, id := range a.record.IDs() {
		a.queue.Add(hostapi.Ref{Kind: hostapi.InstanceKind, ID: string(id)})
	}
	nets, err := a.wires.Networks()
	if err != nil {
		a.log.Warn("networks not listed", "error", err)
	}
	for _, id := range nets {
		a.queue.Add(hostapi.Ref{Kind: hostapi.NetworkKind, ID: string(id)})
	}
}

// listen turns the driver's events into looks at their instances.
func (a *Agent) listen(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev := <-a.vmm.Events():
			a.log.Info("machine event", "instance", ev.ID, "event", string(ev.Kind), "detail", ev.Detail)
			if ev.Kind == hypervisor.GuestShutdown || ev.Kind == hypervisor.Exited {
				a.with(ev.ID, func(l *liveState) { l.exit = &ev })
			}
			if ev.Kind == hypervisor.GuestReset {
				a.with(ev.ID, func(l *liveState) { l.rebooting = time.Time{} })
			}
			a.queue.Add(hostapi.Ref{Kind: hostapi.InstanceKind, ID: string(ev.ID)})
		}
	}
}

// Heard is called when a guest has asked for metadata.
func (a *Agent) Heard(ctx context.Context, id slipway.InstanceID) {
	first, boots := false, 0
	a.with(id, func(l *liveState) { first, l.heard, boots = !l.heard, true, l.reported.boots })
	if first && boots > 0 {
		a.report(ctx, hostapi.Report{Ref: ref(id), Boots: boots, Phase: hostapi.PhaseMetadata, At: a.now()})
	}
}

func (a *Agent) with(id slipway.InstanceID, fn func(*liveState)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.live[id]
	if l == nil {
		l = &liveState{}
		a.live[id] = l
	}
	fn(l)
}

// seen is a copy of what is known of an instance.
func (a *Agent) seen(id slipway.InstanceID) liveState {
	var out liveState
	a.with(id, func(l *liveState) { out = *l })
	return out
}

func (a *Agent) step(ctx context.Context, r hostapi.Ref) (time.Duration, error) {
	switch r.Kind {
	case hostapi.InstanceKind:
		return a.instance(ctx, slipway.InstanceID(r.ID))
	case hostapi.NetworkKind:
		return 0, a.network(ctx, slipway.VPCID(r.ID))
	case hostapi.VolumeKind:
		return a.volume(ctx, slipway.VolumeID(r.ID))
	case hostapi.SnapshotKind:
		return a.snapshot(ctx, slipway.SnapshotID(r.ID))
	case hostapi.ImportKind:
		return a.importTask(ctx, slipway.ImportTaskID(r.ID))
	}
	return 0, nil
}

func (a *Agent) report(ctx context.Context, r hostapi.Report) error {
	return a.api.Report(ctx, a.host.ID, []hostapi.Report{r})
}

func ref(id slipway.InstanceID) hostapi.Ref {
	return hostapi.Ref{Kind: hostapi.InstanceKind, ID: string(id)}
}
