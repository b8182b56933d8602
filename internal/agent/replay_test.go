package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway"
	blocks "slipway/internal/blockstore/fake"
	"slipway/internal/dataplane"
	"slipway/internal/hostapi"
	"slipway/internal/hypervisor/fake"
)

// fakeServer is a server of one host, as far as its agent sees it: what is wanted, and what was reported.
type fakeServer struct {
	mu        sync.Mutex
	instances map[slipway.InstanceID]hostapi.Assignment
	volumes   map[slipway.VolumeID]hostapi.Volume
	snapshots map[slipway.SnapshotID]hostapi.Snapshot
	reports   []hostapi.Report
	tell      func([]hostapi.Ref)
	streams   int
	broken    chan error // ends the present stream of changes
	deaf      func() bool
}

func newFakeServer() *fakeServer {
	return &fakeServer{
		instances: map[slipway.InstanceID]hostapi.Assignment{}, volumes: map[slipway.VolumeID]hostapi.Volume{},
		snapshots: map[slipway.SnapshotID]hostapi.Snapshot{},
		broken:    make(chan error), deaf: func() bool { return false },
	}
}

func (o *fakeServer) Join(context.Context, slipway.Host) error { return nil }

func (o *fakeServer) Changes(ctx context.Context, _ slipway.HostID, report func([]hostapi.Ref)) error {
	o.mu.Lock()
	var all []hostapi.Ref
	for id := range o.instances {
		all = append(all, ref(id))
	}
	for id := range o.volumes {
		all = append(all, volumeRef(id))
	}
	for id := range o.snapshots {
		all = append(all, snapshotRef(id))
	}
	o.tell = report
	o.streams++
	o.mu.Unlock()
	report(all)
	select {
	case err := <-o.broken:
		o.mu.Lock()
		o.tell = nil
		o.mu.Unlock()
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func volumeRef(id slipway.VolumeID) hostapi.Ref {
	return hostapi.Ref{Kind: hostapi.VolumeKind, ID: string(id)}
}

// change alters what is wanted, and says so.
func (o *fakeServer) change(alter func(), refs ...hostapi.Ref) {
	o.mu.Lock()
	alter()
	tell := o.tell
	o.mu.Unlock()
	if tell != nil {
		tell(refs)
	}
}

func (o *fakeServer) Instance(_ context.Context, _ slipway.HostID, id slipway.InstanceID) (hostapi.Assignment, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a, ok := o.instances[id]
	return a, ok, nil
}

func (o *fakeServer) Network(context.Context, slipway.HostID, slipway.VPCID) (dataplane.Network, bool, error) {
	return dataplane.Network{}, false, nil
}

func (o *fakeServer) Volume(_ context.Context, _ slipway.HostID, id slipway.VolumeID) (hostapi.Volume, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.volumes[id]
	return v, ok, nil
}

func (o *fakeServer) Snapshot(_ context.Context, _ slipway.HostID, id slipway.SnapshotID) (hostapi.Snapshot, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.snapshots[id]
	return s, ok, nil
}

func (o *fakeServer) Import(context.Context, slipway.HostID, slipway.ImportTaskID) (hostapi.Import, bool, error) {
	return hostapi.Import{}, false, nil
}

func (o *fakeServer) Report(_ context.Context, _ slipway.HostID, reports []hostapi.Report) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.deaf() {
		return errors.New("the link to the server is cut")
	}
	o.reports = append(o.reports, reports...)
	return nil
}

// heard says whether something was reported.
func (o *fakeServer) heard(like func(hostapi.Report) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.reports, like)
}

type noSources struct{}

func (noSources) Fetch(context.Context, slipway.DiskSource, *os.File, func(int64, int64)) error {
	return errors.New("there is nothing to import")
}

// site is one host's world, which outlives its agents.
type site struct {
	*testing.T
	fakeServer *fakeServer
	machine    *fake.Host
	disks      *blocks.Store
	records    *Memory
	end        func() // of the present agent
	// crash says that the present agent is to be replaced by the next.
	crash func() bool
}

func newSite(t *testing.T) *site {
	s := &site{
		T: t, fakeServer: newFakeServer(),
		machine: fake.NewHost(fake.Delays{
			Start: 20 * time.Millisecond, Shutdown: 50 * time.Millisecond, Copy: 30 * time.Millisecond,
		}),
		disks: blocks.New(), records: NewMemory(), crash: func() bool { return false },
	}
	s.begin()
	return s
}

func (s *site) begin() { s.end = s.start(s.fakeServer, NoWires{}) }

// start starts an agent on the world, and answers what ends it.
func (s *site) start(api hostapi.Host, wires Wires) (end func()) {
	d := s.machine.Driver()
	a := New(slipway.Host{ID: "local"}, api, d, s.disks, wires, noSources{}, s.records, DefaultLimits,
		slog.New(slog.DiscardHandler), time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	return func() { cancel(); <-done; d.Close() }
}

// until waits, in the bubble's time, and exchanges the agent when it is to crash.
func (s *site) until(what string, ok func() bool) {
	s.Helper()
	for range 20 * 60 * 10 {
		if s.crash() {
			s.crash = func() bool { return false }
			s.end()
			s.fakeServer.mu.Lock()
			s.fakeServer.deaf = func() bool { return false }
			s.fakeServer.mu.Unlock()
			s.begin()
		}
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.fakeServer.mu.Lock()
	defer s.fakeServer.mu.Unlock()
	s.Fatalf("not within 20 minutes: %s; reported: %+v", what, s.fakeServer.reports)
}

const (
	theInstance = slipway.InstanceID("i-00000000000000001")
	theRoot     = slipway.VolumeID("vol-00000000000000001")
	theData     = slipway.VolumeID("vol-00000000000000002")
	theCopy     = slipway.SnapshotID("snap-00000000000000001")
	theStill    = slipway.SnapshotID("snap-00000000000000002")
)

// life takes an instance through its life: launched, given a disk, copied from while it runs and while it does not,
// rebooted, relieved of the disk, stopped, started, terminated.
func (s *site) life() {
	o := s.fakeServer
	root, data := hostapi.Volume{ID: theRoot, Device: "/dev/xvda", SizeGiB: 1, Attached: theInstance},
		hostapi.Volume{ID: theData, Device: "/dev/sdf", SizeGiB: 1, Attached: theInstance}
	alter := func(fn func(a *hostapi.Assignment)) {
		o.change(func() {
			a := o.instances[theInstance]
			fn(&a)
			o.instances[theInstance] = a
		}, ref(theInstance))
	}
	phase := func(p hostapi.Phase, boots, disks int) {
		s.Helper()
		s.until(fmt.Sprintf("%s, start %d, with %d disks", p, boots, disks), func() bool {
			return o.heard(func(r hostapi.Report) bool {
				return r.Ref == ref(theInstance) && r.Phase == p && r.Boots == boots && (disks == 0 || len(r.Disks) == disks)
			})
		})
	}
	of := func(r hostapi.Ref, p hostapi.Phase) {
		s.Helper()
		s.until(fmt.Sprintf("%s of %s", p, r.ID), func() bool {
			return o.heard(func(got hostapi.Report) bool { return got.Ref == r && got.Phase == p })
		})
	}
	alter(func(a *hostapi.Assignment) {
		*a = hostapi.Assignment{
			ID: theInstance, VPC: "vpc-1", Wanted: slipway.WantRunning, Boots: 1, Type: "t3.nano", UUID: "ec20",
			Cores: 1, Threads: 1, MemoryMiB: 128,
			Boot: slipway.Boot{Kernel: "k"}, Volumes: []hostapi.Volume{root},
			Interfaces: []dataplane.Port{{Interface: "eni-1", MAC: "02:00:00:00:00:01"}},
		}
	})
	phase(hostapi.PhaseRunning, 1, 1)
	o.change(func() { o.volumes[theData] = data }, volumeRef(theData))
	of(volumeRef(theData), hostapi.PhaseDone)
	alter(func(a *hostapi.Assignment) { a.Volumes = []hostapi.Volume{root, data} })
	phase(hostapi.PhaseRunning, 1, 2)
	o.change(func() {
		o.snapshots[theCopy] = hostapi.Snapshot{ID: theCopy, Volume: theData, Instance: theInstance, SizeGiB: 1}
	}, snapshotRef(theCopy))
	of(snapshotRef(theCopy), hostapi.PhaseDone)
	alter(func(a *hostapi.Assignment) { a.Reboots = 1 })
	s.until("the reboot", func() bool { r, _, _ := s.records.Get(theInstance); return r.Reboots == 1 })
	s.fakeServer.mu.Lock()
	o.reports = nil // the shape of the first start comes again
	s.fakeServer.mu.Unlock()
	alter(func(a *hostapi.Assignment) { a.Volumes = []hostapi.Volume{root} })
	phase(hostapi.PhaseRunning, 1, 1)
	o.change(func() {
		o.snapshots[theStill] = hostapi.Snapshot{ID: theStill, Volume: theData, SizeGiB: 1}
		v := o.volumes[theData]
		v.Attached = ""
		o.volumes[theData] = v
	}, snapshotRef(theStill))
	of(snapshotRef(theStill), hostapi.PhaseDone)
	alter(func(a *hostapi.Assignment) { a.Wanted = slipway.WantStopped })
	phase(hostapi.PhaseStopped, 1, 0)
	alter(func(a *hostapi.Assignment) { a.Wanted, a.Boots = slipway.WantRunning, 2 })
	phase(hostapi.PhaseRunning, 2, 1)
	o.change(func() {
		v := o.volumes[theData]
		v.Deleted = true
		o.volumes[theData] = v
		for id, n := range o.snapshots {
			n.Deleted = true
			o.snapshots[id] = n
		}
	}, volumeRef(theData), snapshotRef(theCopy), snapshotRef(theStill))
	of(volumeRef(theData), hostapi.PhaseRemoved)
	of(snapshotRef(theCopy), hostapi.PhaseRemoved)
	of(snapshotRef(theStill), hostapi.PhaseRemoved)
	alter(func(a *hostapi.Assignment) {
		a.Wanted, a.DeleteVolumes = slipway.WantTerminated, []slipway.VolumeID{theRoot}
	})
	phase(hostapi.PhaseRemoved, 2, 0)
	o.change(func() { delete(o.instances, theInstance) }, ref(theInstance))
	s.until("nothing is left", func() bool { return s.left() == "" })
}

// left is what of the instance is still on the host.
func (s *site) left() string {
	if _, runs := s.machine.Spec(theInstance); runs {
		return "the machine"
	}
	ctx := context.Background()
	if v, err := s.disks.Volumes(ctx); err == nil && len(v) > 0 {
		return fmt.Sprint("volumes ", v)
	}
	if n, err := s.disks.Snapshots(ctx); err == nil && len(n) > 0 {
		return fmt.Sprint("snapshots ", n)
	}
	if r := s.records.IDs(); len(r) > 0 {
		return fmt.Sprint("records ", r)
	}
	return ""
}

// replay runs a life in which a fault may be planted, and says how many calls there were in which it could have been.
func replay(t *testing.T, plant func(*site)) (machine, disk int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer func() { s.end() }()
		plant(s)
		s.life()
		machine, disk = s.machine.Calls(), s.disks.Calls()
	})
	return machine, disk
}

// TestReplay fails each call of the drivers once, before it has done anything or after, and lets the agent die of it:
// the next agent on the same world comes to the same end, with nothing left over. An agent that lives on does, too.
func TestReplay(t *testing.T) {
	machine, disk := replay(t, func(*site) {})
	if machine < 20 || disk < 8 {
		t.Fatalf("a life has %d and %d calls: that is too few to be one", machine, disk)
	}
	cut := errors.New("cut")
	for name, kind := range map[string]struct {
		calls int
		plant func(s *site, n int)
		done  func(s *site) int
	}{
		"the machine's call is refused": {machine, func(s *site, n int) { s.machine.FailCall(n, cut) },
			func(s *site) int { return s.machine.Calls() }},
		"the machine's answer is lost": {machine, func(s *site, n int) { s.machine.FailCallAfter(n, cut) },
			func(s *site) int { return s.machine.Calls() }},
		"the block store's call is refused": {disk, func(s *site, n int) { s.disks.FailCall(n, cut) },
			func(s *site) int { return s.disks.Calls() }},
	} {
		for n := 1; n <= kind.calls; n++ {
			t.Run(fmt.Sprintf("%s, call %d, and the agent lives on", name, n), func(t *testing.T) {
				replay(t, func(s *site) { kind.plant(s, n) })
			})
			t.Run(fmt.Sprintf("%s, call %d, and the agent dies", name, n), func(t *testing.T) {
				replay(t, func(s *site) {
					at := kind.done(s) + n
					kind.plant(s, n)
					// Nothing that the dying agent says is heard any more.
					s.fakeServer.deaf = func() bool { return kind.done(s) >= at }
					s.crash = func() bool { return kind.done(s) >= at }
				})
			})
		}
	}
}

// TestADeafAgentHearsAgain: when its stream of changes fails, it begins another.
func TestADeafAgentHearsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer func() { s.end() }()
		for _, why := range []error{errors.New("the watch is gone"), nil} {
			s.until("the stream", func() bool {
				s.fakeServer.mu.Lock()
				defer s.fakeServer.mu.Unlock()
				return s.fakeServer.tell != nil
			})
			s.fakeServer.broken <- why
		}
		s.life()
		if s.fakeServer.streams < 3 {
			t.Errorf("%d streams, want 3", s.fakeServer.streams)
		}
	})
}
