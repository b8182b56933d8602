package agent

import (
	"testing"
	"time"
)

// TestCreditsAreEarnedAndSpent follows a t2.micro: one vCPU that earns a tenth.
func TestCreditsAreEarnedAndSpent(t *testing.T) {
	at := time.Unix(0, 0)
	l := accrue(liveState{baseline: 0.1, vcpus: 1}, 0, at)
	if l.balance != 30*time.Minute || l.limited {
		t.Fatalf("it begins with %v, limited %v", l.balance, l.limited)
	}
	used := time.Duration(0)
	run := func(span time.Duration, share float64) {
		for range int(span / creditEvery) {
			at, used = at.Add(creditEvery), used+time.Duration(share*float64(creditEvery))
			l = accrue(l, used, at)
		}
	}
	run(33*time.Minute, 1)
	if l.limited {
		t.Errorf("after 33 minutes at full speed it is limited with %v left; 30 saved and 3 earned make 33", l.balance)
	}
	run(time.Minute, 1)
	if !l.limited {
		t.Errorf("after 34 minutes at full speed it is not limited; %v are left", l.balance)
	}
	run(time.Hour, 0)
	if l.limited || l.balance < 5*time.Minute {
		t.Errorf("after an idle hour it has %v, limited %v; it has earned 6 minutes", l.balance, l.limited)
	}
	run(30*24*time.Hour, 0)
	if most := 24*time.Hour/10 + 30*time.Minute; l.balance != most {
		t.Errorf("after an idle month it has %v, want a day's earnings and what it began with, %v", l.balance, most)
	}
	l.limited, l.baseline = true, 0
	if l = accrue(l, used, at); l.limited {
		t.Error("with unlimited credits it is still limited")
	}
}
