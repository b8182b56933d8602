package accounts

import (
	"errors"
	"fmt"
	"slices"
	"slipway"
	"strconv"
	"strings"
)

// ErrNoChange says that an operator asked for a change that there is none of.
var ErrNoChange = errors.New("no such change of an account")

// Change is what an operator may change of an account: "quota" NAME=N …, "subscribe" and "unsubscribe" CODE …,
// "classic" on or off. The error is ErrNoChange for another verb or other words, or names the word that is wrong.
func Change(verb string, words []string) (func(*slipway.Account) error, error) {
	switch verb {
	case "quota":
		quotas := map[string]int{}
		for _, w := range words {
			name, value, _ := strings.Cut(w, "=")
			n, err := strconv.Atoi(value)
			if !slices.Contains(slipway.QuotaNames(), name) || err != nil || n < 0 {
				return nil, fmt.Errorf("quota: %q is not NAME=N with a name of %s", w, strings.Join(slipway.QuotaNames(), ", "))
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
	return nil, ErrNoChange
}
