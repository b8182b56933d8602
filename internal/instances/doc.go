// Package instances is the room of instances: RunInstances and everything that is done to an instance afterwards. It writes
// what is wanted; the hosts room turns that into assignments, and an agent makes it so. It must not wait for a host.
package instances

import (
	"context"
	"log/slog"
	"time"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/state"
)

// Machines are the running machines, wherever their hosts are, for the actions that look into one: its console, its screen, an interrupt.
type Machines interface {
	Console(ctx context.Context, in *slipway.Instance) ([]byte, error)
	Screen(ctx context.Context, in *slipway.Instance, wake bool) ([]byte, error)
	Interrupt(ctx context.Context, in *slipway.Instance) error
}

// Config is what the operator decided.
type Config struct {
	// TerminatedFor is how long a terminated instance stays visible.
	TerminatedFor time.Duration
	// Overcommit is how many vCPUs of instances one vCPU of a host carries.
	Overcommit float64
	// SpreadPerHost is how many members of a spread group one host takes; on a single machine the host stands for many racks.
	SpreadPerHost int
	// Quotas bound an account where it has none of its own: "vcpus", "instances", "volumes". 0: no bound.
	Quotas map[string]int
}

// Service answers the instance actions.
type Service struct {
	db       state.DB
	pool     addresses.Pool
	machines Machines
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
}

// New makes the room.
func New(db state.DB, pool addresses.Pool, machines Machines, cfg Config, log *slog.Logger, now func() time.Time) *Service {
	return &Service{db, pool, machines, cfg, log, now}
}
