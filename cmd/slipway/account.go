package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/vpcs"
)

const accountUsage = "account: say `slipway account create`, `list`, `quota ACCOUNT NAME=N`, `subscribe ACCOUNT " +
	"CODE`, `unsubscribe ACCOUNT CODE` or `classic ACCOUNT on|off`"

func accountCommand(ctx context.Context, args []string) error {
	var asJSON, classic bool
	var name string
	c, words, err := readConfig("account", args, os.Getenv, func(fs *flag.FlagSet) {
		fs.BoolVar(&asJSON, "json", false, "answer in JSON")
		fs.BoolVar(&classic, "classic", false, "the new account has EC2-Classic and no default VPCs")
		fs.StringVar(&name, "name", "", "a text for you")
	})
	if err != nil {
		return err
	}
	var change func(*slipway.Account) error
	switch {
	case len(words) == 1 && (words[0] == "create" || words[0] == "list"):
	case len(words) >= 3:
		if change, err = accounts.Change(words[0], words[2:]); err != nil {
			return accountFault(err)
		}
	default:
		return errors.New(accountUsage)
	}
	if words[0] != "create" { // who makes an account may begin with it
		if err := c.haveState(); err != nil {
			return err
		}
	}
	db, done, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	if change != nil {
		return db.Update(ctx, func(tx store.Tx) error {
			if state.Accounts.See(tx, state.Global, words[1]) == nil {
				return fmt.Errorf("account: there is no account %q: `slipway account list` shows them", words[1])
			}
			return state.Accounts.Edit(tx, state.Global, words[1], change)
		})
	}
	if words[0] == "list" {
		return listAccounts(ctx, db, asJSON)
	}
	a, k, err := accounts.New(db, time.Now, vpcs.EnsureDefault).Create(ctx, slipway.Account{Name: name, Classic: classic})
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(credentials{a.ID, k.ID, k.Secret})
	}
	fmt.Printf("# account %s\nexport AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", a.ID, k.ID, k.Secret)
	return nil
}

func listAccounts(ctx context.Context, db state.DB, asJSON bool) error {
	r, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	list := slices.Collect(state.Accounts.All(r, state.Global))
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(list)
	}
	for _, a := range list {
		notes := []string{a.Name}
		if a.Classic {
			notes = append(notes, "EC2-Classic")
		}
		for _, q := range slipway.QuotaNames() {
			if n, ok := a.Quotas[q]; ok {
				notes = append(notes, fmt.Sprintf("%s=%d", q, n))
			}
		}
		for _, code := range a.Subscriptions {
			notes = append(notes, "subscribed to "+code)
		}
		fmt.Printf("%s\t%s\t%s\n", a.ID, a.Created.Format(time.RFC3339), strings.TrimSpace(strings.Join(notes, " ")))
	}
	return nil
}

// accountFault says how to mend a change that is none.
func accountFault(err error) error {
	if errors.Is(err, accounts.ErrNoChange) {
		return errors.New(accountUsage)
	}
	return fmt.Errorf("account: %w", err)
}
