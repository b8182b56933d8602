package controlplane_test

import (
	"slipway/internal/apitest"
	"testing"
)

// TestDryRunOnEveryAction: each answers DryRunOperation where it would succeed, and nothing changes.
func TestDryRunOnEveryAction(t *testing.T) {
	w := apitest.New(t)
	params := apitest.WorldAtRest(w)
	w.DryRun(params)
	// A host may report something of its own meanwhile; a dry run that changes something does so each time.
	changed := []string{"?"}
	for tries := 0; len(changed) > 0 && tries < 4; tries++ {
		watch := w.DB.Watch("")
		w.DryRun(params)
		changed = watch.Drain()
		watch.Close()
	}
	if len(changed) > 0 {
		t.Errorf("dry runs changed the state: %v", changed)
	}
	for action := range params {
		if _, served := w.Actions()[action]; !served {
			t.Errorf("dryRuns names %s, which is not served", action)
		}
	}
}
