package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestWhoCalledSudo: the ancestors decide, and the variables alone prove nothing.
func TestWhoCalledSudo(t *testing.T) {
	proc := t.TempDir()
	process := func(pid, parent, uid, effective, gid int, exe string) {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(exe, filepath.Join(dir, "exe")); err != nil {
			t.Fatal(err)
		}
		status := fmt.Sprintf("Name:\tx\nPPid:\t%d\nUid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\n", parent, uid,
			effective, uid, uid, gid, gid, gid, gid)
		if err := os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	process(10, 1, 1000, 1000, 1001, "/usr/bin/bash")
	process(11, 10, 0, 0, 0, "/usr/bin/sudo")
	process(12, 11, 0, 0, 0, "/usr/bin/sudo") // with a terminal of its own
	process(13, 12, 0, 0, 0, "/usr/bin/dash")
	process(20, 1, 0, 0, 0, "/usr/bin/bash")           // root's own shell
	process(30, 10, 1000, 1000, 1001, "/home/me/sudo") // no sudo: it is not root
	for _, tt := range []struct {
		name   string
		parent int
		want   person
		ok     bool
	}{
		{"the one above sudo", 13, person{1000, 1001}, true},
		{"sudo itself is the parent", 11, person{1000, 1001}, true},
		{"no sudo above", 20, person{}, false},
		{"a program that is only called sudo", 30, person{}, false},
		{"an ancestor that is gone", 99, person{}, false},
	} {
		if got, ok := aboveSudo(proc, tt.parent); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
	claim := func(name string) string { return map[string]string{"SUDO_UID": "1000", "SUDO_GID": "1001"}[name] }
	if got := invoker(claim); got != (person{os.Geteuid(), os.Getegid()}) {
		t.Errorf("variables alone make %v the invoker", got)
	}
}

// TestAFolderOutOfReachIsSaid before somebody tries the ssh line.
func TestAFolderOutOfReachIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if why := (person{uid: os.Geteuid() + 12345, gid: 12345}).cannotReach(filepath.Join(dir, "state")); why == "" {
		t.Error("a stranger is told nothing about a folder of mode 0700")
	}
	if why := (person{uid: os.Geteuid(), gid: os.Getegid()}).cannotReach(dir); why != "" {
		t.Errorf("its owner is told %q", why)
	}
}
