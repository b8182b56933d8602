package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"slipway/internal/consistency"
)

// stateCommand is `slipway state check`: do the records contradict each other? It works beside a running server.
func stateCommand(ctx context.Context, args []string, out io.Writer) error {
	c, words, err := readConfig("state", args, os.Getenv, nil)
	if err != nil {
		return err
	}
	if len(words) != 1 || words[0] != "check" {
		return errors.New("state: say `slipway state check --state DIR`")
	}
	if err := c.haveState(); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	r, done, err := openSnapshot(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	faults := consistency.Faults(r)
	for _, f := range faults {
		fmt.Fprintln(out, f)
	}
	switch n := len(faults); n {
	case 0:
		fmt.Fprintf(out, "the records in %s agree with each other\n", c.State)
		return nil
	case 1:
		return fmt.Errorf("state: the line above contradicts the other records of %s", c.State)
	default:
		return fmt.Errorf("state: the %d lines above contradict other records of %s", n, c.State)
	}
}
