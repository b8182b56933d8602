package agent

import (
	"context"
	"time"

	"slipway"
	"slipway/internal/guard"
	"slipway/internal/hostapi"
)

// Status checks ask the guest by ARP, as EC2's do: often until it answers for the first time, then each minute.
const (
	probeYoung = time.Second
	probeOld   = time.Minute
)

func (a *Agent) probe(ctx context.Context) error {
	guard.Every(ctx, probeYoung, a.log, "status checks", func(ctx context.Context) error {
		if !a.joined || a.lacksUEFI() != a.host.NoUEFI { // the operator has installed it, or removed it
			if err := a.Join(ctx); err != nil {
				a.log.Warn("host not announced", "error", err)
			}
		}
		machines, err := a.vmm.Running(ctx)
		for _, m := range machines {
			if len(m.NICs) > 0 {
				a.probeOne(ctx, m.ID, m.NICs[0])
			}
		}
		return err
	})
	return nil
}

func (a *Agent) probeOne(ctx context.Context, id slipway.InstanceID, eni slipway.InterfaceID) {
	l := a.seen(id)
	rec, known, err := a.record.Get(id)
	if err != nil || !known || l.reported.phase != hostapi.PhaseRunning || l.reachable && a.now().Sub(l.probed) < probeOld {
		return
	}
	ok := a.wires.Reachable(ctx, rec.VPC, eni)
	first := l.probed.IsZero()
	a.with(id, func(l *liveState) { l.probed, l.reachable = a.now(), ok })
	if ok == l.reachable && !(first && ok) {
		return
	}
	phase := hostapi.PhaseUnreachable
	if ok {
		phase = hostapi.PhaseReachable
	}
	if err := a.report(ctx, hostapi.Report{Ref: ref(id), Boots: rec.Boots, Phase: phase, At: a.now()}); err != nil {
		a.with(id, func(l *liveState) { l.reachable = !ok })
	}
}
