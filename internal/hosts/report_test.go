package hosts

import (
	"log/slog"
	"testing"
	"time"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/hostapi"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// TestMachinesAreRecoveredWhenTheClockIsSetBack: one that dies soon after it was recovered is not recovered again, and
// one that was recovered in what is now the future is.
func TestMachinesAreRecoveredWhenTheClockIsSetBack(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		by   time.Duration
		want slipway.State
	}{
		{"a minute later", time.Minute, slipway.Stopped},
		{"an hour later", time.Hour, slipway.Running},
		{"ten hours earlier", -10 * time.Hour, slipway.Running},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := state.DB{Store: memory.New(state.Schema())}
			s := New(db, addresses.Pool{}, slog.New(slog.DiscardHandler), func() time.Time { return now.Add(tt.by) })
			in := &slipway.Instance{
				InstanceIdentity:   slipway.InstanceIdentity{ID: "i-1", Account: "111111111111", Region: "us-east-1"},
				InstanceHardware:   slipway.InstanceHardware{Type: "t3.nano"},
				InstanceStatus:     slipway.InstanceStatus{State: slipway.Running, Recovered: now},
				InstanceAssignment: slipway.InstanceAssignment{Host: "local", Wanted: slipway.WantRunning, Boots: 2},
			}
			if err := db.Update(t.Context(), func(tx store.Tx) error { return state.Instances.Put(tx, in) }); err != nil {
				t.Fatal(err)
			}
			r := hostapi.Report{
				Ref: hostapi.Ref{Kind: hostapi.InstanceKind, ID: "i-1"}, Boots: 2, Phase: hostapi.PhaseDied, At: now,
			}
			if err := s.Report(t.Context(), "local", []hostapi.Report{r}); err != nil {
				t.Fatal(err)
			}
			if got := state.Instances.See(db.Local(), state.Scope{Account: in.Account, Region: in.Region},
				"i-1"); got.State != tt.want {
				t.Errorf("it is %s, want %s", got.State, tt.want)
			}
		})
	}
}
