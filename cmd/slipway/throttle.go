package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/server"
)

// read is the throttling that the configuration asks for. The error names all entries that are none.
func (t Throttle) read() (server.Throttle, error) {
	out := server.Throttle{On: t.Mode == "on", Actions: map[string]action.Bucket{}, Accounts: map[string]float64{}}
	var faults []error
	for _, entry := range t.Actions {
		name, bucket, _ := strings.Cut(entry, "=")
		size, refill, _ := strings.Cut(bucket, "/")
		n, err1 := strconv.Atoi(size)
		r, err2 := strconv.ParseFloat(refill, 64)
		if err1 != nil || err2 != nil || n < 1 || r <= 0 || !ec2wire.KnownActions[name] {
			faults = append(faults,
				fmt.Errorf("config: throttle.actions: %q is not Action=size/refill, like RunInstances=5/2", entry))
			continue
		}
		out.Actions[name] = action.Bucket{Size: n, Refill: r}
	}
	for _, entry := range t.Accounts {
		account, factor, _ := strings.Cut(entry, "=")
		by, err := strconv.ParseFloat(factor, 64)
		if err != nil || by <= 0 || len(account) != 12 {
			faults = append(faults,
				fmt.Errorf("config: throttle.accounts: %q is not account=factor, like 123456789012=2.5", entry))
			continue
		}
		out.Accounts[account] = by
	}
	return out, errors.Join(faults...)
}
