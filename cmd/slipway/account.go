package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/vpcs"
)

const accountUsage = "account: say `slipway account create`, `list`, `quota ACCOUNT NAME=N`, `subscribe ACCOUNT CODE`, `unsubscribe ACCOUNT CODE` or `classic ACCOUNT on|off`"

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
		if change, err = accountChange(words[0], words[2:]); err != nil {
			return err
		}
	default:
		return errors.New(accountUsage)
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
	a, k, err := accounts.New(db, time.Now, vpcs.Settle).Create(ctx, slipway.Account{Name: name, Classic: classic})
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

// accountChange is what an operator may change of an account.
func accountChange(verb string, words []string) (func(*slipway.Account) error, error) {
	switch verb {
	case "quota":
		quotas := map[string]int{}
		for _, w := range words {
			name, value, _ := strings.Cut(w, "=")
			n, err := strconv.Atoi(value)
			if !slices.Contains(slipway.QuotaNames(), name) || err != nil || n < 0 {
				return nil, fmt.Errorf("account: quota: %q is not NAME=N with a name of %s", w, strings.Join(slipway.QuotaNames(), ", "))
			}
			quotas[name] = n
		}
		return func(a *slipway.Account) error {
			if a.Quotas == nil {
				a.Quotas = map[string]int{}
			}
			for k, n := range quotas {
				a.Quotas[k] = n
			}
			return nil
		}, nil
	case "subscribe", "unsubscribe":
		return func(a *slipway.Account) error {
			for _, code := range words {
				a.Subscriptions = slices.DeleteFunc(a.Subscriptions, func(c string) bool { return c == code })
				if verb == "subscribe" {
					a.Subscriptions = append(a.Subscriptions, code)
				}
			}
			return nil
		}, nil
	case "classic":
		if len(words) == 1 && (words[0] == "on" || words[0] == "off") {
			return func(a *slipway.Account) error { a.Classic = words[0] == "on"; return nil }, nil
		}
	}
	return nil, errors.New(accountUsage)
}
