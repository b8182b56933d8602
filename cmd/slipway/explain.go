package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slipway/internal/timelines"
)

func explainCommand(ctx context.Context, args []string) error {
	asJSON := false
	c, words, err := readConfig("explain", args, os.Getenv, func(fs *flag.FlagSet) {
		fs.BoolVar(&asJSON, "json", false, "answer in JSON")
	})
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return errors.New("explain: name one instance (i-…), reservation (r-…) or request id")
	}
	r, done, err := openSnapshot(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	e := timelines.Explain(r, words[0])
	if e.Instance == nil && len(e.Trails) == 0 {
		return fmt.Errorf("explain: nothing is known of %q in %s", words[0], c.State)
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(e)
	}
	e.Print(os.Stdout)
	return nil
}
