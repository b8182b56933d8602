// Package securitygroups is the room of security groups and their rules. It must not know who uses a group: interfaces refer
// to groups, and the data plane enforces them.
package securitygroups

import (
	"time"

	"slipway/internal/state"
)

// Service answers the security group actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }
