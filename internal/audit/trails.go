package audit

import (
	"errors"
	"log/slog"
	"time"
)

// OpenTrails is where a front's records go: to the trail "calls", and to "strangers" what nobody signed, lest
// strangers crowd out what was done. done closes both.
func OpenTrails(
	dir string, limits Limits, log *slog.Logger, now func() time.Time,
) (write func(Record), done func() error, err error) {
	calls, err := Open(dir, "calls", limits, log, now)
	if err != nil {
		return nil, nil, err
	}
	strangers, err := Open(dir, "strangers", limits, log, now)
	if err != nil {
		return nil, nil, errors.Join(err, calls.Close())
	}
	write = func(r Record) {
		if r.UserIdentity.AccountID == "" {
			strangers.Write(r)
		} else {
			calls.Write(r)
		}
	}
	return write, func() error { return errors.Join(calls.Close(), strangers.Close()) }, nil
}
