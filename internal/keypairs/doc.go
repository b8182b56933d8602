// Package keypairs is the room of key pairs: public keys that instances let in. The private half of a created pair is given
// away once and never stored.
package keypairs

import (
	"time"

	"slipway/internal/state"
)

// Service answers the key pair actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }
