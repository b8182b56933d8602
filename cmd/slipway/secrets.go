package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"slipway/internal/seal"
	"slipway/internal/state"
	"slipway/internal/store/etcd"
)

// secretsFile is the file of the keys, in a state directory, that secrets in the store are sealed by.
const secretsFile = "secrets.key"

// schema is the records' with the installation's keys.
func (c Config) schema(dir stateDir) (etcd.Schema, error) {
	keys, err := seal.Load(cmp.Or(c.SecretsKey, dir.join(secretsFile)))
	return etcd.Sealed(state.Schema(), keys), err
}

const secretsUsage = "secrets: say `slipway secrets status`, `prepare` or `rotate`, with --state DIR"

// secretsCommand tells of the keys and gives the store a new one. It works beside a running server.
func secretsCommand(ctx context.Context, args []string, out io.Writer) error {
	c, words, err := readConfig("secrets", args, os.Getenv, nil)
	if err != nil {
		return err
	}
	if len(words) != 1 || !slices.Contains([]string{"status", "prepare", "rotate"}, words[0]) {
		return errors.New(secretsUsage)
	}
	if err := c.haveState(); err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	s, done, err := openEtcd(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	file := cmp.Or(c.SecretsKey, stateDir{path: c.State}.join(secretsFile))
	switch words[0] {
	case "prepare":
		id, err := s.Prepare(ctx)
		if err != nil {
			return fmt.Errorf("secrets: %w", err)
		}
		fmt.Fprintf(out, "the key %s is in %s: give every server this file, then say `slipway secrets rotate`\n", id, file)
		return nil
	case "rotate":
		id, err := s.Rotate(ctx)
		if err != nil {
			return fmt.Errorf("secrets: the rotation is not ended, and nothing is lost: say it again when this is mended: %w",
				err)
		}
		fmt.Fprintf(out, "all secrets are sealed under the key %s, which alone is in %s: take a backup\n", id, file)
		return nil
	}
	return secretsStatus(ctx, s, out)
}

// secretsStatus says under which keys how many records are sealed.
func secretsStatus(ctx context.Context, s *etcd.Store, out io.Writer) error {
	seals, err := s.Seals(ctx)
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	if seals.Under == "" {
		fmt.Fprintln(out, "nothing has been sealed yet")
	}
	for _, id := range slices.Sorted(maps.Keys(seals.Values)) {
		note := "an older key"
		if id == seals.Under {
			note = "the key of what is written now"
		}
		fmt.Fprintf(out, "%s\t%d records\t%s\n", id, seals.Values[id], note)
	}
	if seals.Plain > 0 {
		fmt.Fprintf(out, "plain text\t%d records\t`slipway secrets rotate` seals them\n", seals.Plain)
	}
	return nil
}
