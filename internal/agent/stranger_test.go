package agent

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"slipway"
	"slipway/internal/hostapi"
)

// amnesiac is a server that has lost its records.
type amnesiac struct {
	*office
	lost bool
}

func (o *amnesiac) Instance(ctx context.Context, host slipway.HostID, id slipway.InstanceID) (hostapi.Assignment, bool, error) {
	if o.lost {
		return hostapi.Assignment{}, false, hostapi.ErrUnknown
	}
	return o.office.Instance(ctx, host, id)
}

// lasting is a data plane that remembers what was taken away.
type lasting struct {
	NoWires
	removed []slipway.VPCID
}

func (l *lasting) Networks() ([]slipway.VPCID, error) { return []slipway.VPCID{"vpc-1"}, nil }
func (l *lasting) Remove(_ context.Context, id slipway.VPCID) error {
	l.removed = append(l.removed, id)
	return nil
}

// A store that is empty or another's, or a record that is gone, is no order to end a guest: neither it nor its network goes.
func TestAMachineWithoutARecordIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer func() { s.end() }()
		s.office.change(func() {
			s.office.instances[theInstance] = hostapi.Assignment{ID: theInstance, VPC: "vpc-1", Wanted: slipway.WantRunning, Boots: 1, Type: "t3.nano", UUID: "ec20",
				Cores: 1, Threads: 1, MemoryMiB: 128, Boot: slipway.Boot{Kernel: "k"}, Volumes: []hostapi.Volume{{ID: theRoot, Device: "/dev/xvda", SizeGiB: 1, Attached: theInstance}}}
		}, ref(theInstance))
		s.until("it runs", func() bool {
			return s.office.heard(func(r hostapi.Report) bool { return r.Phase == hostapi.PhaseRunning })
		})
		s.end()

		forgetful, wires := &amnesiac{office: s.office, lost: true}, &lasting{}
		end := s.start(forgetful, wires)
		time.Sleep(time.Hour)
		end()
		if _, runs := s.machine.Spec(theInstance); !runs {
			t.Error("the machine was ended because its record was missing")
		}
		if len(wires.removed) > 0 {
			t.Errorf("its network was taken away: %v", wires.removed)
		}
		if v, _ := s.disks.Volumes(t.Context()); len(v) != 1 {
			t.Errorf("volumes %v, want its root", v)
		}
		if _, known := s.records.Get(theInstance); !known {
			t.Error("the agent has forgotten it")
		}

		// The record says that it is gone: now it goes.
		forgetful.lost = false
		s.office.change(func() { delete(s.office.instances, theInstance) })
		s.end = s.start(forgetful, wires)
		s.until("it is gone", func() bool { _, runs := s.machine.Spec(theInstance); return !runs && len(wires.removed) > 0 })
	})
}
