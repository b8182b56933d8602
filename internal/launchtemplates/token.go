package launchtemplates

import (
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// once makes an action with a client token happen once.
type once struct {
	scope               state.Scope
	action, token, hash string
}

// id keeps the tokens of each action apart, and apart from those of launches.
func (o once) id() string { return o.action + "/" + o.token }

// seen is what an equal request left before.
func (o once) seen(tx store.Tx) (*state.Token, error) {
	if o.token == "" {
		return nil, nil
	}
	t := state.Tokens.See(tx, o.scope, o.id())
	if t != nil && t.Hash != o.hash {
		return nil, slipway.Errorf(slipway.IdempotentParameterMismatch, "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	return t, nil
}

func (o once) keep(tx store.Tx, result string, now time.Time) error {
	if o.token == "" {
		return nil
	}
	return state.Tokens.Put(tx, &state.Token{Scope: o.scope, ID: o.id(), Hash: o.hash, Result: result, Created: now})
}
