package apitest_test

import (
	"testing"

	"slipway/internal/apitest"
)

// TestASeedIsGivenAgain: what a failure printed decides the next run, and without it no two runs are the same.
func TestASeedIsGivenAgain(t *testing.T) {
	t.Setenv("SLIPWAY_SEED", "")
	if a, b := apitest.Seed(t), apitest.Seed(t); a == b {
		t.Errorf("two seeds are %d", a)
	}
	t.Setenv("SLIPWAY_SEED", "18446744073709551615")
	if got := apitest.Seed(t); got != 1<<64-1 {
		t.Errorf("the seed that was named came as %d", got)
	}
}
