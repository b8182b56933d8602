// Package accounts is the room of accounts and their keys, and of what an account finds in a region when it first comes
// there. It stands below all others: who calls is known before what is called.
package accounts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"slipway"
	"slipway/internal/sigv4"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service makes accounts and finds keys.
type Service struct {
	db  state.DB
	now func() time.Time
	// ensureDefault makes the contents of a region for an account: its default VPC.
	ensureDefault func(store.Tx, state.Scope) (slipway.VPCID, error)
}

// New makes the room. ensureDefault makes what a region holds from the start.
func New(db state.DB, now func() time.Time, ensureDefault func(store.Tx, state.Scope) (slipway.VPCID, error)) *Service {
	return &Service{db, now, ensureDefault}
}

// Draft chooses an account's id and its root access key; in all else it is like a. Nothing is made yet: who keeps both
// before Make has the keys of what is made, whatever comes between.
func (s *Service) Draft(a slipway.Account) (slipway.Account, slipway.AccessKey) {
	a.ID, a.Created = newAccountID(), s.now()
	return a, NewKey(a.ID, a.Created)
}

// ErrTaken says that there is an account of a draft's id, and that nothing was made.
var ErrTaken = errors.New("the account's id is taken")

// Make makes an account with its root access key.
func (s *Service) Make(ctx context.Context, a slipway.Account, k slipway.AccessKey) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		if tx.Get(state.Accounts.Key(state.Global, a.ID)) != nil {
			return ErrTaken
		}
		if err := state.Accounts.Put(tx, &a); err != nil {
			return err
		}
		return state.AccessKeys.Put(tx, &k)
	})
}

// Create makes an account with a root access key, like a in all but its id and age.
func (s *Service) Create(ctx context.Context, a slipway.Account) (slipway.Account, slipway.AccessKey, error) {
	for {
		a, k := s.Draft(a)
		if err := s.Make(ctx, a, k); !errors.Is(err, ErrTaken) {
			return a, k, err
		}
	}
}

// Key finds an access key for the verification of a signature, on a state that is at least as new as the call: a key
// that another server has deleted does not sign, and what the call looks at from then on (state.Fresh) is no older.
func (s *Service) Key(ctx context.Context, id string) (sigv4.Key, bool, error) {
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return sigv4.Key{}, false, err
	}
	k := live(r, id)
	if k == nil {
		return sigv4.Key{}, false, nil
	}
	return sigv4.Key{Secret: k.Secret, Token: k.Token, Expires: k.Expires, Caller: Caller(r, k)}, true, nil
}

// live is a key that signs; nil when there is none, or whose it was is not any more.
func live(r store.Reader, id string) *slipway.AccessKey {
	k := state.AccessKeys.See(r, state.Global, id)
	if k == nil || k.Inactive || k.Role != "" && Role(r, k) == nil || k.Role == "" && k.User != "" && User(r, k) == nil {
		return nil
	}
	return k
}

// Caller is whom a key speaks for. A role's session goes without the role's path, as in STS.
func Caller(r store.Reader, k *slipway.AccessKey) slipway.Caller {
	c := slipway.Caller{Account: k.Account, AccessKey: k.ID}
	switch {
	case k.Role != "":
		name := k.Role[strings.LastIndexByte(k.Role, '/')+1:]
		c.ARN = slipway.IAMARN(k.Account, "assumed-role", "/", name+"/"+k.Session)
		c.ARN = strings.Replace(c.ARN, ":iam:", ":sts:", 1)
		if role := Role(r, k); role != nil {
			c.UserID = role.ID + ":" + k.Session
		}
	case k.User != "":
		if u := User(r, k); u != nil {
			c.ARN, c.UserID = u.ARN(), u.ID
		}
	default:
		c.ARN = "arn:aws:iam::" + k.Account + ":root"
		c.UserID = k.Account
	}
	return c
}

// Role is the role whose session a key is for; nil when it is gone, though another may have its name by now.
func Role(r store.Reader, k *slipway.AccessKey) *slipway.Role {
	role := state.Roles.See(r, state.IAM(k.Account), k.Role[strings.LastIndexByte(k.Role, '/')+1:])
	if role == nil || !k.Of(role.ID, role.Created) {
		return nil
	}
	return role
}

// User is the user whose key it is; nil when they are gone, though another may have their name by now.
func User(r store.Reader, k *slipway.AccessKey) *slipway.User {
	u := state.Users.See(r, state.IAM(k.Account), k.User)
	if u == nil || !k.Of(u.ID, u.Created) {
		return nil
	}
	return u
}

// Prepare makes the region's contents for the caller's account if it has not been there yet.
func (s *Service) Prepare(ctx context.Context) error {
	c := slipway.CallFrom(ctx)
	if !slipway.KnownRegion(c.Region) {
		return slipway.Errorf(slipway.AuthFailure, "Credential should be scoped to a valid region, not '%s'.", c.Region)
	}
	scope := state.Of(ctx)
	if state.Regions.See(s.db.Local(), scope, "-") != nil {
		return nil
	}
	// Straight on the store: a dry run, too, finds its region furnished.
	err := s.db.UpdateAlways(ctx, func(tx store.Tx) error {
		if state.Regions.See(tx, scope, "-") != nil {
			return nil
		}
		vpc, err := s.ensureDefault(tx, scope)
		if err != nil {
			return err
		}
		return state.Regions.Put(tx, &slipway.Region{Account: c.Account, Name: c.Region, DefaultVPC: vpc})
	})
	if err != nil {
		return fmt.Errorf("furnish %s for %s: %w", c.Region, c.Account, err)
	}
	return nil
}

// NewKey makes a long-term key of an account's root.
func NewKey(account string, now time.Time) slipway.AccessKey {
	return slipway.AccessKey{ID: "AKIA" + rand.Text()[:16], Secret: newSecret(), Account: account, Created: now}
}

// NewSecret is 40 characters, as AWS's are.
func newSecret() string {
	var b [30]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

func newAccountID() string {
	var b [8]byte
	rand.Read(b[:])
	return fmt.Sprintf("%012d", 100000000000+binary.BigEndian.Uint64(b[:])%900000000000)
}
