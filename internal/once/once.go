// Package once makes an action with a client token happen once: a room asks whether an equal request came before, and keeps
// what it made. It knows no action's meaning. Launches have their own tokens, whose scope may be a zone.
package once

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// maxToken is in characters.
const maxToken = 64

// Request is one call and its token; without a token every call is a new one.
type Request struct {
	Scope               state.Scope
	Action, Token, Hash string
}

// id keeps the tokens of each action apart, and apart from those of launches.
func (q Request) id() string { return q.Action + "/" + q.Token }

// Seen is what an equal request left before.
func (q Request) Seen(tx store.Tx) (*state.Token, error) {
	if q.Token == "" {
		return nil, nil
	}
	if len(q.Token) > maxToken {
		return nil, slipway.Errorf(slipway.InvalidClientToken, "The client token is longer than %d characters.", maxToken)
	}
	t := state.Tokens.See(tx, q.Scope, q.id())
	if t != nil && t.Hash != q.Hash {
		return nil, slipway.Errorf(slipway.IdempotentParameterMismatch, "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	return t, nil
}

// Keep remembers what the request made.
func (q Request) Keep(tx store.Tx, result string, now time.Time) error {
	if q.Token == "" {
		return nil
	}
	return state.Tokens.Put(tx, &state.Token{Scope: q.Scope, ID: q.id(), Hash: q.Hash, Result: result, Created: now})
}

// Hash is of what must be equal in a retry with the same token.
func Hash(parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
