package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"slipway"
	"slipway/internal/store"
)

// Once makes an action with a client token happen once.
type Once struct {
	Scope               Scope
	Action, Token, Hash string
}

// id keeps the tokens of each action apart, and apart from those of launches.
func (o Once) id() string { return o.Action + "/" + o.Token }

// Seen is what an equal request left before.
func (o Once) Seen(tx store.Tx) (*Token, error) {
	if o.Token == "" {
		return nil, nil
	}
	t := Tokens.See(tx, o.Scope, o.id())
	if t != nil && t.Hash != o.Hash {
		return nil, slipway.Errorf(slipway.IdempotentParameterMismatch,
			"Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	return t, nil
}

// Keep remembers what the request made.
func (o Once) Keep(tx store.Tx, result string, now time.Time) error {
	if o.Token == "" {
		return nil
	}
	return Tokens.Put(tx, &Token{Scope: o.Scope, ID: o.id(), Hash: o.Hash, Result: result, Created: now})
}

// HashOf is of what must be equal in a retry with the same token.
func HashOf(parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
