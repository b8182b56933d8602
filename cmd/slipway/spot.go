package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slipway/internal/spot"
	"time"

	"slipway"
)

// spotCommand interrupts a spot instance: software that must live with it is tested so.
func spotCommand(ctx context.Context, args []string) error {
	var notice, away time.Duration
	c, words, err := readConfig("spot", args, os.Getenv, func(fs *flag.FlagSet) {
		fs.DurationVar(&notice, "notice", 2*time.Minute, "from the notice in the metadata to the action")
		fs.DurationVar(&away, "away", time.Minute,
			"how long the capacity stays away: a persistent request comes back after that")
	})
	if err != nil {
		return err
	}
	if len(words) != 2 || words[0] != "interrupt" || notice < 0 || away < 0 {
		return errors.New("spot: say `slipway spot interrupt i-… [--notice 2m] [--away 1m]`")
	}
	id, err := slipway.ParseInstanceID(words[1])
	if err != nil {
		return fmt.Errorf("spot: %q is no instance id", words[1])
	}
	if err := c.haveState(); err != nil {
		return err
	}
	db, done, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	if err := spot.GiveNotice(ctx, db, id, time.Now(), notice, away); err != nil {
		return fmt.Errorf("spot: %w", err)
	}
	fmt.Printf("%s has its notice; the interruption comes in %v\n", id, notice)
	return nil
}
