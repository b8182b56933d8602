package agent

import (
	"context"
	"time"

	"slipway"
	"slipway/internal/guard"
)

// A burstable machine earns CPU time at its type's baseline and may save up what it earns in a day; with nothing saved it
// runs at the baseline. It begins with half an hour for each vCPU, so that a boot is as quick as any other type's. The
// balance is forgotten at a restart of the agent, which is to the guest's good.
const (
	creditEvery  = 10 * time.Second
	creditSaved  = 24 * time.Hour
	creditLaunch = 30 * time.Minute
)

func launchCredit(vcpus int) time.Duration { return time.Duration(vcpus) * creditLaunch }

func (a *Agent) meter(ctx context.Context) error {
	guard.Every(ctx, creditEvery, a.log, "CPU credits", func(ctx context.Context) error {
		machines, err := a.vmm.Running(ctx)
		for _, m := range machines {
			a.meterOne(ctx, m.ID)
		}
		return err
	})
	return nil
}

// meterOne settles a machine's account, and limits it or sets it free.
func (a *Agent) meterOne(ctx context.Context, id slipway.InstanceID) {
	l := a.seen(id)
	if l.baseline == 0 && !l.limited {
		return
	}
	used, err := a.vmm.CPUTime(ctx, id)
	if err != nil {
		return
	}
	now := a.now()
	next := accrue(l, used, now)
	cpus := 0.0
	if next.limited {
		cpus = next.baseline * float64(next.vcpus)
	}
	if next.limited != l.limited {
		if err := a.vmm.LimitCPU(ctx, id, cpus); err != nil {
			a.log.Warn("CPU credits", "instance", id, "error", err)
			return
		}
		a.log.Info("CPU credits", "instance", id, "limited", next.limited, "cpus", cpus)
	}
	a.with(id, func(l *liveState) {
		l.balance, l.used, l.looked, l.limited = next.balance, next.used, next.looked, next.limited
	})
}

// accrue is a pure function from what was known of an account to what is.
func accrue(l liveState, used time.Duration, now time.Time) liveState {
	if l.baseline == 0 { // unlimited, or of another type by now
		l.limited, l.looked, l.used = false, now, used
		return l
	}
	if l.looked.IsZero() || used < l.used { // the first look, or another process
		if l.looked.IsZero() && l.balance == 0 {
			l.balance = launchCredit(l.vcpus)
		}
		l.looked, l.used = now, used
		return l
	}
	earned := func(span time.Duration) time.Duration {
		return time.Duration(float64(span) * l.baseline * float64(l.vcpus))
	}
	l.balance = max(min(l.balance+earned(now.Sub(l.looked))-(used-l.used), earned(creditSaved)+launchCredit(l.vcpus)), 0)
	l.looked, l.used = now, used
	l.limited = l.balance == 0 || l.limited && l.balance < earned(creditEvery)/2
	return l
}
