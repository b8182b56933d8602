// Package instances is the room of instances: RunInstances and everything that is done to an instance afterwards. It writes
// what is wanted; the hosts room turns that into assignments, and an agent makes it so. It must not wait for a host.
package instances

import (
	"context"
	"log/slog"
	"time"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/admission"
	"slipway/internal/state"
)

// Machines are the running machines, wherever their hosts are, for the actions that look into one: its console, its
// screen, an interrupt.
type Machines interface {
	Console(ctx context.Context, in *slipway.Instance) ([]byte, error)
	Screen(ctx context.Context, in *slipway.Instance, wake bool) ([]byte, error)
	Interrupt(ctx context.Context, in *slipway.Instance) error
}

// terminatedFor is how long EC2 shows a terminated instance.
const terminatedFor = time.Hour

// Service answers the instance actions.
type Service struct {
	db        state.DB
	admission *admission.Service
	pool      addresses.Pool
	machines  Machines
	log       *slog.Logger
	now       func() time.Time
}

// New makes the room.
func New(db state.DB, a *admission.Service, pool addresses.Pool, m Machines, log *slog.Logger, now func() time.Time) *Service {
	return &Service{db, a, pool, m, log, now}
}
