package main

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// TestTheLockOfADeadServerIsWaitedFor: a child that a killed server had just begun holds the lock until it is another program.
func TestTheLockOfADeadServerIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	held, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		claim := func() error { return (&stateDir{path: dir, who: person{os.Geteuid(), os.Getegid()}}).claim() }
		if claim() == nil {
			t.Error("a directory that is served for good was claimed")
		}
		claimed := make(chan error, 1)
		go func() { claimed <- claim() }()
		synctest.Wait()
		if err := unix.Flock(int(held.Fd()), unix.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		if err := <-claimed; err != nil {
			t.Errorf("it was let go, and: %v", err)
		}
	})
}
