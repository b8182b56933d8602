package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"slipway/internal/store"
)

// installationKey holds, in a store, whose records it has. Before it is read, nothing of them is believed.
const installationKey = "installation"

// identify makes sure that the store and the state directory belong together: a store that is empty or another's would know
// nothing of the guests that run here. Whichever of the two is new takes the other's identity.
func identify(ctx context.Context, db store.Store, dir stateDir, where string) error {
	file := dir.join("installation")
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("state directory: %w", err)
	}
	own, theirs := strings.TrimSpace(string(b)), ""
	err = db.Update(ctx, func(tx store.Tx) error {
		if it := tx.Get(installationKey); it != nil {
			theirs = string(it.Value)
			return nil
		}
		if own != "" {
			return fmt.Errorf("%s is empty, and state directory %s belongs to the installation %s, whose records it "+
				"should have: name the etcd that has them, bring them back from a backup, or name another directory with --state",
				where, dir.path, own)
		}
		theirs = rand.Text()
		tx.Put(installationKey, []byte(theirs))
		return nil
	})
	switch {
	case err != nil:
		return err
	case own == theirs:
		return nil
	case own != "":
		return fmt.Errorf("%s has the records of the installation %s, and state directory %s belongs to %s: name "+
			"the etcd that belongs to it, or another directory with --state",
			where, theirs, dir.path, own)
	}
	if err := dir.who.write(file, []byte(theirs+"\n")); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}
