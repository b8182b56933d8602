// Package admission is what a launch must pass and what it takes: it resolves a LaunchSpec rule by rule, chooses
// hosts, and writes the instances with their interfaces, addresses and volumes, all or nothing; and what an instance
// held is given back here when it ends. The rooms that launch (instances, spot, fleets) stand above it. It waits for no host.
package admission

import (
	"log/slog"
	"time"

	"slipway/internal/addresses"
	"slipway/internal/state"
)

// Config is what the operator decided.
type Config struct {
	// Overcommit is how many vCPUs of instances one vCPU of a host carries.
	Overcommit float64
	// SpreadPerHost is how many members of a spread group one host takes; on a single machine the host stands for many racks.
	SpreadPerHost int
	// Quotas bound an account where it has none of its own: "vcpus", "instances", "volumes". 0: no bound.
	Quotas map[string]int
}

// Service admits launches.
type Service struct {
	db   state.DB
	pool addresses.Pool
	cfg  Config
	log  *slog.Logger
	now  func() time.Time
}

// New makes it. The pool is of public addresses.
func New(db state.DB, pool addresses.Pool, cfg Config, log *slog.Logger, now func() time.Time) *Service {
	return &Service{db, pool, cfg, log, now}
}
