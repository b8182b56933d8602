package agent

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway"
	blocks "slipway/internal/blockstore/fake"
	"slipway/internal/hostapi"
	"slipway/internal/hypervisor"
	"slipway/internal/hypervisor/fake"
)

// amnesiac is a server that has lost its records.
type amnesiac struct {
	*fakeServer
	lost bool
}

func (o *amnesiac) Instance(ctx context.Context, host slipway.HostID, id slipway.InstanceID) (hostapi.Assignment, bool, error) {
	if o.lost {
		return hostapi.Assignment{}, false, hostapi.ErrUnknown
	}
	return o.fakeServer.Instance(ctx, host, id)
}

// lasting is a data plane that remembers what was taken away.
type lasting struct {
	NoWires
	mu      sync.Mutex
	removed []slipway.VPCID
}

func (l *lasting) gone() []slipway.VPCID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.removed
}

func (l *lasting) Networks() ([]slipway.VPCID, error) { return []slipway.VPCID{"vpc-1"}, nil }
func (l *lasting) Remove(_ context.Context, id slipway.VPCID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removed = append(l.removed, id)
	return nil
}

// A store that is empty or another's, or a record that is gone, is no order to end a guest: neither it nor its network goes.
func TestAMachineWithoutARecordIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer func() { s.end() }()
		s.fakeServer.change(func() {
			s.fakeServer.instances[theInstance] = hostapi.Assignment{
				ID: theInstance, VPC: "vpc-1", Wanted: slipway.WantRunning, Boots: 1, Type: "t3.nano", UUID: "ec20",
				Cores: 1, Threads: 1, MemoryMiB: 128, Boot: slipway.Boot{Kernel: "k"},
				Volumes: []hostapi.Volume{{ID: theRoot, Device: "/dev/xvda", SizeGiB: 1, Attached: theInstance}},
			}
		}, ref(theInstance))
		s.until("it runs", func() bool {
			return s.fakeServer.heard(func(r hostapi.Report) bool { return r.Phase == hostapi.PhaseRunning })
		})
		s.end()

		forgetful, wires := &amnesiac{fakeServer: s.fakeServer, lost: true}, &lasting{}
		end := s.start(forgetful, wires)
		time.Sleep(time.Hour)
		end()
		if _, runs := s.machine.Spec(theInstance); !runs {
			t.Error("the machine was ended because its record was missing")
		}
		if gone := wires.gone(); len(gone) > 0 {
			t.Errorf("its network was taken away: %v", gone)
		}
		if v, _ := s.disks.Volumes(t.Context()); len(v) != 1 {
			t.Errorf("volumes %v, want its root", v)
		}
		if _, known, _ := s.records.Get(theInstance); !known {
			t.Error("the agent has forgotten it")
		}

		// The record says that it is gone: now it goes.
		forgetful.lost = false
		s.fakeServer.change(func() { delete(s.fakeServer.instances, theInstance) })
		s.end = s.start(forgetful, wires)
		s.until("it is gone", func() bool { _, runs := s.machine.Spec(theInstance); return !runs && len(wires.gone()) > 0 })
	})
}

// A record of the agent's own that cannot be read is not absent: a guest that may have ended itself is not started
// again, and nothing is thrown away. One whose machine runs is written anew.
func TestADamagedRecordOfTheAgentIsNotAnAbsentOne(t *testing.T) {
	dir := Files(t.TempDir())
	if err := dir.Put(theInstance, Record{Boots: 1, VPC: "vpc-1"}); err != nil {
		t.Fatal(err)
	}
	if r, known, err := dir.Get(theInstance); !known || err != nil || r.Boots != 1 {
		t.Fatalf("a record: %v %v %v", r, known, err)
	}
	if err := os.WriteFile(dir.path(theInstance), []byte(`{"Boots":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, known, err := dir.Get(theInstance); known || err == nil || !strings.Contains(err.Error(), string(theInstance)) {
		t.Errorf("a damaged record: %v, %v, want an error that names it", known, err)
	}
	if _, known, err := dir.Get("i-2"); known || err != nil {
		t.Errorf("no record: %v, %v", known, err)
	}

	vmm := fake.NewHost(fake.Delays{}).Driver()
	defer vmm.Close()
	a := New(slipway.Host{ID: "local"}, newFakeServer(), vmm, blocks.New(), NoWires{}, noSources{}, dir, DefaultLimits,
		slog.New(slog.DiscardHandler), time.Now)
	want := hostapi.Assignment{
		ID: theInstance, VPC: "vpc-1", Wanted: slipway.WantRunning, Boots: 1, Type: "t3.nano", UUID: "ec20", Cores: 1,
		Threads: 1, MemoryMiB: 128, Boot: slipway.Boot{Kernel: "k"},
	}
	if _, err := a.run(t.Context(), want, nil); err == nil {
		t.Error("a guest of which it is not known whether it has run is started")
	}
	if err := a.forget(t.Context(), theInstance, false); err == nil {
		t.Error("what cannot be read is thrown away")
	}
	if _, err := a.run(t.Context(), want, &hypervisor.Status{ID: theInstance}); err != nil {
		t.Error(err)
	}
	if r, known, err := dir.Get(theInstance); !known || err != nil || r.Boots != 1 {
		t.Errorf("the record of a machine that runs is not written anew: %v %v %v", r, known, err)
	}
}
