package admission

import (
	"os"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/placement"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// TestALaunchIntoAGroupChangesItsRecord: that is what makes two launches into one group, or a launch and the group's deletion,
// see each other. On one host they would meet at its ledger; on several they would not.
func TestALaunchIntoAGroupChangesItsRecord(t *testing.T) {
	db := state.DB{Store: memory.New(state.Schema())}
	defer db.Close()
	scope := state.Scope{Account: "123456789012", Region: "us-east-1"}
	for _, strategy := range []string{"cluster", "spread", "partition"} {
		g := &slipway.PlacementGroup{
			ID: "pg-00000001", Account: scope.Account, Region: scope.Region, Name: strategy, Strategy: strategy, Partitions: 2,
		}
		if err := db.Update(t.Context(), func(tx store.Tx) error { return state.PlacementGroups.Put(tx, g) }); err != nil {
			t.Fatal(err)
		}
		tx := store.NewOverlay(db.Local())
		l := &launch{
			s: &Service{cfg: Config{SpreadPerHost: 7}}, tx: tx, scope: scope, plan: plan{tenancy: tenancy{group: g}},
			spec: slipway.LaunchSpec{Min: 1, Max: 1},
		}
		if err := l.join(&placement.Request{Max: 1}); err != nil {
			t.Fatal(err)
		}
		if _, written := tx.Writes[state.PlacementGroups.Key(scope, strategy)]; !written {
			t.Errorf("a launch into a group of strategy %s leaves its record as it was", strategy)
		}
	}
}

// TestTheDocumentHasTheRulesInTheirOrder: docs/order-of-checks.md lists what is looked up as the rules do.
func TestTheDocumentHasTheRulesInTheirOrder(t *testing.T) {
	b, err := os.ReadFile("../../docs/order-of-checks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "**Existence and fitness**")
	for _, rule := range rules {
		_, after, found := strings.Cut(text, rule.name)
		if !found || rule.because == "" {
			t.Errorf("%q is not in its place in docs/order-of-checks.md, or has no reason", rule.name)
			continue
		}
		text = after
	}
}
