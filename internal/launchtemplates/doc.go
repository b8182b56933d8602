// Package launchtemplates is the room of launch templates: parameters of a launch under a name, in versions that never change.
// What a launch makes of them is the instances room's matter, which finds its template by Find and Pick. It must not look
// whether what a template names exists: EC2 says that at the launch.
package launchtemplates

import (
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// The quotas of an account that has none of its own under these names.
const (
	quotaTemplates, maxTemplates = "launch-templates", 5000
	quotaVersions, maxVersions   = "launch-template-versions", 10000
)

// Launches is what the room needs to know of launches, which stand above it.
type Launches struct {
	// Check says what would refuse a launch from the parameters: the caller is warned.
	Check func(slipway.Parameters) error
	// Image is the image that a parameter names now, the account's own or a public one.
	Image func(r store.Reader, s state.Scope, parameter string) (slipway.ImageID, error)
}

// Service answers the launch template actions.
type Service struct {
	db       state.DB
	launches Launches
	now      func() time.Time
}

// New makes the room.
func New(db state.DB, launches Launches, now func() time.Time) *Service {
	return &Service{db, launches, now}
}
