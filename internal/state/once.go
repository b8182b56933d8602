package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"time"

	"slipway"
	"slipway/internal/store"
)

// Once makes an action with a client token happen once. Action keeps the tokens of each apart; launches, whose tokens
// count in a zone or a region, have that name there.
type Once struct {
	Scope               Scope
	Action, Token, Hash string
}

// OnceOf is that of a request, a pointer to one of ec2wire's with a ClientToken: all that it holds must be equal in a
// retry.
func OnceOf(scope Scope, action string, request any) Once {
	o := Once{Scope: scope, Action: action, Hash: HashOfRequest(request)}
	if token, ok := reflect.ValueOf(request).Elem().FieldByName("ClientToken").Interface().(*string); ok && token != nil {
		o.Token = *token
	}
	return o
}

// HashOfRequest is of everything in a request (a pointer to one of ec2wire's) but its token and whether it is a dry run.
func HashOfRequest(request any) string {
	same := reflect.New(reflect.TypeOf(request).Elem()).Elem()
	same.Set(reflect.ValueOf(request).Elem())
	for _, member := range []string{"ClientToken", "DryRun"} {
		if f := same.FieldByName(member); f.IsValid() {
			f.SetZero()
		}
	}
	return HashOf(same.Interface())
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
	return o.KeepFor(tx, result, nil, now)
}

// KeepFor is Keep for as long as one of the instances lives, and as Keep after that.
func (o Once) KeepFor(tx store.Tx, result string, made []slipway.InstanceID, now time.Time) error {
	if o.Token == "" {
		return nil
	}
	return Tokens.Put(tx, &Token{Scope: o.Scope, ID: o.id(), Hash: o.Hash, Result: result, Instances: made, Created: now})
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
