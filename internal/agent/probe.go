package agent

import (
	"context"
	"strings"
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

// bootPatience is how long a guest may take until it answers for the first time; then its checks are impaired. A slow one
// under software emulation takes some minutes.
const bootPatience = 10 * time.Minute

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
		a.silent(ctx, id, rec)
		return
	}
	phase := hostapi.PhaseUnreachable
	if ok {
		phase = hostapi.PhaseReachable
	}
	err = a.report(ctx, hostapi.Report{Ref: ref(id), Boots: rec.Boots, Phase: phase, At: a.now()})
	a.with(id, func(l *liveState) {
		if l.judged = true; err != nil {
			l.reachable, l.judged = !ok, false
		}
	})
}

// silent reports, once in a boot, a guest that has never answered for as long as a boot may take, with the last that it wrote
// to its console.
func (a *Agent) silent(ctx context.Context, id slipway.InstanceID, rec Record) {
	l := a.seen(id)
	switch {
	case l.judged:
		return
	case l.silent.IsZero():
		a.with(id, func(l *liveState) { l.silent = a.now() })
		return
	case a.now().Sub(l.silent) < bootPatience:
		return
	}
	last := "its console cannot be read"
	if text, err := a.vmm.Console(ctx, id); err == nil {
		last = lastWords(text)
	}
	err := a.report(ctx, hostapi.Report{
		Ref: ref(id), Boots: rec.Boots, Phase: hostapi.PhaseUnreachable, At: a.now(),
		Reason: slipway.Reason{Message: "no sign of life for " + bootPatience.String() + "; " + last},
	})
	if err == nil {
		a.with(id, func(l *liveState) { l.judged = true })
	}
}

// lastWords are a console's last three lines, or that it has none.
func lastWords(console []byte) string {
	text := strings.TrimSpace(string(console))
	if text == "" {
		return "its console is empty"
	}
	lines := strings.Split(strings.ToValidUTF8(text[max(0, len(text)-consoleNote):], "?"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return "its console ends: " + strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// consoleNote is how much of a console, in bytes, is looked at for its last lines.
const consoleNote = 400
