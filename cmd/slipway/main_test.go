package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoImageOfMemoryIsLeft, to a file or to a program that collects them.
func TestNoImageOfMemoryIsLeft(t *testing.T) {
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	if err := keepMemory(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &after); err != nil || after.Max != 1 && before.Max != 0 || after.Cur > 1 {
		t.Errorf("%+v of %+v: %v", after, before, err)
	}
}
