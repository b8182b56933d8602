// Package thread runs functions on threads of their own, which may enter namespaces, give up rights or change their root: the
// thread ends with the function, so that nothing else ever runs there. dataplane and jail need it; it must know neither.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"

	"slipway/internal/guard"
)

// Run runs fn on a thread of its own and waits for it. What fn opens stays open; what it does to its thread ends with it.
// A panic of fn comes back as an error.
func Run(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The main thread outlives its goroutine, and /proc/self speaks of it: another one. This one is occupied meanwhile.
			done <- Run(fn)
			runtime.UnlockOSThread()
			return
		}
		done <- guard.Call(fn)
	}()
	return <-done
}
