// Package prefixlists is the room of managed prefix lists: named sets of ranges that rules of security groups and
// routes refer to. It must not know what a rule or a route means: the data plane follows the records.
package prefixlists

import (
	"time"

	"slipway/internal/state"
)

// Service answers the prefix list actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }
