// Package await waits in tests for what comes by itself, and never without a limit. It is for tests only.
package await

import (
	"testing"
	"time"
)

// Pauses between two looks: short at first, for what is nearly there, and then not so as to keep a guest from booting.
const (
	first   = 5 * time.Millisecond
	longest = 100 * time.Millisecond
)

// Success tries until it succeeds or the time is up, which ends the test with the last error.
func Success(t testing.TB, limit time.Duration, try func() error) {
	t.Helper()
	until := time.Now().Add(limit)
	for pause := first; ; pause = min(2*pause, longest) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("after %v: %v", limit, err)
		}
		time.Sleep(pause)
	}
}
