package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRoomIsBoundedInBothVersions of control groups.
func TestRoomIsBoundedInBothVersions(t *testing.T) {
	r := Room{CPUs: 0.5, MemoryMiB: 1280, Tasks: 258}
	for _, tt := range []struct {
		unified          bool
		controller, file string
		want             string
	}{
		{true, "cpu", "cpu.max", "50000 100000"}, {true, "memory", "memory.max", "1342177280"},
		{true, "pids", "pids.max", "258"},
		{false, "cpu", "cpu.cfs_quota_us", "50000"}, {false, "memory", "memory.limit_in_bytes", "1342177280"},
		{false, "pids", "pids.max", "258"},
	} {
		group := t.TempDir()
		if err := os.WriteFile(filepath.Join(group, tt.file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (Groups{unified: tt.unified}).limit(tt.controller, group, r); err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
		if b, _ := os.ReadFile(filepath.Join(group, tt.file)); string(b) != tt.want {
			t.Errorf("%s is %q, want %q", tt.file, b, tt.want)
		}
	}
}
