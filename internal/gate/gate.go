// Package gate has those who want the same thing pass one at a time. Drivers use it where an operation may take long and
// whoever waits must be able to give up, which a mutex does not allow. It knows nothing of what is behind it.
package gate

import "context"

// Gate lets one through at a time; who waits at it can give up, unlike at a mutex.
type Gate chan struct{}

// New is a gate that nobody is behind.
func New() Gate { return make(Gate, 1) }

// Enter waits until nobody else is behind the gate. Its error is ctx's.
func (g Gate) Enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	default:
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave lets the next one in.
func (g Gate) Leave() { <-g }
