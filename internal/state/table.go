// Package state says which record lives under which key, account and region first, and under which few index terms it is
// found. It stands between the rooms, which know the records' meaning, and the store, which does not. It decides nothing.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/store"
)

// Scope is whose records: an account's in a region. What belongs to nobody in particular lives in Global.
type Scope struct{ Account, Region string }

// Global holds accounts, keys, hosts and the system's images.
var Global = Scope{"-", "-"}

// IAM is an account's scope for what belongs to no region.
func IAM(account string) Scope { return Scope{account, "-"} }

// Shared holds what accounts may share in a region: images and snapshots.
func Shared(region string) Scope { return Scope{"-", region} }

// Of is the scope of the call in ctx.
func Of(ctx context.Context) Scope {
	c := slipway.CallFrom(ctx)
	return Scope{c.Account, c.Region}
}

func (s Scope) prefix(kind string) string {
	return "s/" + s.Account + "/" + s.Region + "/" + kind + "/"
}

// Table is one kind of record.
type Table[T any] struct {
	kind   string
	key    func(*T) (Scope, string)
	terms  func(*T) []string // index terms within the scope; those that begin with "/" are global
	absent func(ids ...string) error
	prefix string       // of the ids whose form EC2 checks by the table's own code; "" where the domain's parsers do, or none
	formed slipway.Code // the refusal of an id that has not that form
	// secret says that its records hold, or may hold, what whoever has the store's files must not read: keys,
	// passphrases, user data.
	secret bool
	// given are records of a region that every account sees and nobody wrote: no transaction changes them.
	given func(region string) []*T
}

// Kind names the table in keys.
func (t *Table[T]) Kind() string { return t.kind }

// Key is where the record with the id lives.
func (t *Table[T]) Key(s Scope, id string) string { return s.prefix(t.kind) + id }

// Prefix is where all of the scope's records live: for guards and watches.
func (t *Table[T]) Prefix(s Scope) string { return s.prefix(t.kind) }

// Get returns a copy that the caller may change, or the table's own refusal. Its error says that there is none, and
// nothing else.
func (t *Table[T]) Get(r store.Reader, s Scope, id string) (*T, error) {
	it := r.Get(t.Key(s, id))
	if it == nil {
		return nil, t.Absent(id)
	}
	v, err := t.decode(it)
	if err != nil {
		panic(err) // see shared
	}
	return v, nil
}

// Absent is the table's refusal for ids that are not there, which it names all; for one that could never be there, the
// refusal of its form.
func (t *Table[T]) Absent(ids ...string) error {
	for _, id := range ids {
		if err := t.Form(id); err != nil {
			return err
		}
	}
	if t.absent == nil {
		return fmt.Errorf("no %s %q", t.kind, ids)
	}
	return t.absent(ids...)
}

// Form refuses an id that has not the form of the table's, where EC2 has a code for that.
func (t *Table[T]) Form(id string) error {
	if t.prefix == "" || slipway.WellFormed(t.prefix, id) {
		return nil
	}
	return slipway.Errorf(t.formed, "Invalid id: %q (expecting \"%s-...\")", id, t.prefix)
}

// RequireAll is Require for several ids, each once: those that are not there are named all together.
func (t *Table[T]) RequireAll(r store.Reader, s Scope, ids []string) ([]*T, error) {
	var found []*T
	var missing []string
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		if v := t.See(r, s, id); v != nil {
			found = append(found, v)
		} else {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return nil, t.Absent(missing...)
	}
	return found, nil
}

// See returns the shared record, which must not be changed, or nil.
func (t *Table[T]) See(r store.Reader, s Scope, id string) *T {
	if it := r.Get(t.Key(s, id)); it != nil {
		return t.shared(it)
	}
	return t.givenOne(s, id)
}

// Require is See with the table's refusal.
func (t *Table[T]) Require(r store.Reader, s Scope, id string) (*T, error) {
	if v := t.See(r, s, id); v != nil {
		return v, nil
	}
	return nil, t.Absent(id)
}

// All yields the scope's shared records by key.
func (t *Table[T]) All(r store.Reader, s Scope) iter.Seq[*T] {
	return t.each(r, r.Range(t.Prefix(s)))
}

// givenOne is the record with the id that nobody wrote, or nil.
func (t *Table[T]) givenOne(s Scope, id string) *T {
	for _, v := range t.Given(s) {
		if _, own := t.key(v); own == id {
			return v
		}
	}
	return nil
}

// Given are the scope's records that nobody wrote: See finds them, All leaves them out.
func (t *Table[T]) Given(s Scope) []*T {
	if t.given == nil {
		return nil
	}
	return t.given(s.Region)
}

// By yields the scope's shared records under an index term.
func (t *Table[T]) By(r store.Reader, s Scope, term string) iter.Seq[*T] {
	t.readable(r, s, term)
	return t.each(r, r.Indexed(t.term(s, term)))
}

// readable stops a transaction that looks for records by a term while one that may have it cannot be read: what it would
// decide, it would decide without that record.
func (t *Table[T]) readable(r store.Reader, s Scope, term string) {
	if _, decides := r.(store.Tx); !decides {
		return
	}
	prefix := t.Prefix(s)
	if strings.HasPrefix(term, "/") {
		prefix = ""
	}
	for it := range r.Damaged(prefix) {
		if _, _, kind, _ := Split(it.Key); kind == t.kind {
			panic(&Unreadable{it.Key, it.Err})
		}
	}
}

func (t *Table[T]) term(s Scope, term string) string {
	if strings.HasPrefix(term, "/") {
		return t.kind + term
	}
	return t.kind + "|" + s.Account + "|" + s.Region + "|" + term
}

// each leaves out what cannot be read, unless a transaction asks.
func (t *Table[T]) each(r store.Reader, items iter.Seq[*store.Item]) iter.Seq[*T] {
	_, decides := r.(store.Tx)
	return func(yield func(*T) bool) {
		for it := range items {
			if it.Err != nil && !decides {
				continue
			}
			if !yield(t.shared(it)) {
				return
			}
		}
	}
}

// Put writes the record under its own key.
func (t *Table[T]) Put(tx store.Tx, v *T) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", t.kind, err)
	}
	s, id := t.key(v)
	tx.Put(t.Key(s, id), b)
	return nil
}

// Delete removes the record.
func (t *Table[T]) Delete(tx store.Tx, s Scope, id string) { tx.Delete(t.Key(s, id)) }

// Edit changes one record in place.
func (t *Table[T]) Edit(tx store.Tx, s Scope, id string, change func(*T) error) error {
	v, err := t.Get(tx, s, id)
	if err != nil {
		return err
	}
	if err := change(v); err != nil {
		return err
	}
	return t.Put(tx, v)
}

func (t *Table[T]) decode(it *store.Item) (*T, error) {
	if it.Err != nil {
		return nil, &Unreadable{it.Key, it.Err}
	}
	v := new(T)
	if err := json.Unmarshal(it.Value, v); err != nil {
		return nil, &Unreadable{it.Key, err}
	}
	return v, nil
}

// shared panics with Unreadable: a record that cannot be read must not be taken for an absent one, and most who ask for a
// record can hear of nothing else. DB.Update and Catch make an error of it.
func (t *Table[T]) shared(it *store.Item) *T {
	if v, ok := it.Object.(*T); ok {
		return v
	}
	v, err := t.decode(it)
	if err != nil {
		panic(err)
	}
	return v
}

// Unreadable is a record that is there and cannot be read.
type Unreadable struct {
	Key string // without the store's prefix
	Err error
}

func (u *Unreadable) Error() string {
	return fmt.Sprintf("the record under %s cannot be read, and nothing that depends on it is done until it is mended: %v",
		u.Key, u.Err)
}

func (u *Unreadable) Unwrap() error { return u.Err }

// Catch makes an error of a panic with Unreadable; defer it where records are read outside of DB.Update.
func Catch(err *error) {
	p := recover()
	if u, ok := p.(*Unreadable); ok {
		*err = u
	} else if p != nil {
		panic(p)
	}
}

// Whole is nil where every record can be read: only then does a record that is not found say that there is none.
func Whole(r store.Reader) error { return whole(r, "") }

// WholeScope is Whole of one account's records in a region.
func WholeScope(r store.Reader, s Scope) error { return whole(r, "s/"+s.Account+"/"+s.Region+"/") }

func whole(r store.Reader, prefix string) error {
	for it := range r.Damaged(prefix) {
		return &Unreadable{it.Key, it.Err}
	}
	return nil
}

// schema is the table's part in Schema.
func (t *Table[T]) schema(it *store.Item) (any, []string, error) {
	v, err := t.decode(it)
	if err != nil {
		return nil, nil, errors.Unwrap(err)
	}
	s, id := t.key(v)
	if own := t.Key(s, id); own != it.Key {
		return nil, nil, fmt.Errorf("it says that it belongs under %s", own)
	}
	var terms []string
	if t.terms != nil {
		terms = t.terms(v)
		for i := range terms {
			terms[i] = t.term(s, terms[i])
		}
	}
	return v, terms, nil
}

func (t *Table[T]) isSecret() bool { return t.secret }

type described interface {
	schema(*store.Item) (any, []string, error)
	Kind() string
	isSecret() bool
}

// Schema decodes every table's records for the store's cache, and says which are secret. A store that outlives its
// process wants it Sealed.
func Schema() store.Schema {
	tables := map[string]described{}
	for _, t := range all {
		tables[t.Kind()] = t
	}
	return store.Schema{
		Decode: func(key string, value []byte) (any, []string, error) {
			_, _, kind, ok := Split(key)
			if t := tables[kind]; ok && t != nil {
				return t.schema(&store.Item{Key: key, Value: value})
			}
			return nil, nil, nil
		},
		Covers: covers,
		Secret: func(key string) bool {
			_, _, kind, ok := Split(key)
			t := tables[kind]
			return ok && t != nil && t.isSecret()
		},
	}
}

// covers is where a term's records lie (see Table.term).
func covers(term string) string {
	parts := strings.SplitN(term, "|", 4)
	if len(parts) != 4 || strings.Contains(parts[0], "/") {
		return ""
	}
	return Scope{parts[1], parts[2]}.prefix(parts[0])
}

// Split takes a key apart: the scope, the id and the kind of its record.
func Split(key string) (s Scope, id, kind string, ok bool) {
	parts := strings.SplitN(key, "/", 5)
	if len(parts) != 5 || parts[0] != "s" {
		return Scope{}, "", "", false
	}
	return Scope{parts[1], parts[2]}, parts[4], parts[3], true
}

// DB is the store as the rooms use it: under a dry run nothing commits, what a request does is judged on the records that it
// does it to, and a record that cannot be read is an error.
type DB struct{ store.Store }

// Judge is asked by each transaction of a request, so that what was judged is what is done. An error of its ends the
// transaction.
type Judge interface {
	// Before is asked ahead of the work, of the records that the work will find.
	Before(r store.Reader) error
	// After is asked behind it: whether all that had to be judged was.
	After() error
	// Done hears that a transaction has committed.
	Done()
}

type judgeKey struct{}

// WithJudge puts the judge of a request into ctx.
func WithJudge(ctx context.Context, j Judge) context.Context {
	return context.WithValue(ctx, judgeKey{}, j)
}

// JudgeFrom is the judge of the request that ctx belongs to; nil where nothing binds the caller.
func JudgeFrom(ctx context.Context) Judge {
	j, _ := ctx.Value(judgeKey{}).(Judge)
	return j
}

// Update runs fn and commits; a dry run ends with EC2's answer in place of the commit, after every check has passed.
func (d DB) Update(ctx context.Context, fn func(store.Tx) error) error {
	j := JudgeFrom(ctx)
	err := d.UpdateAlways(ctx, func(tx store.Tx) error {
		if j != nil {
			if err := j.Before(tx); err != nil {
				return err
			}
		}
		if err := fn(tx); err != nil {
			return err
		}
		if j != nil {
			if err := j.After(); err != nil {
				return err
			}
		}
		if slipway.CallFrom(ctx).DryRun {
			return slipway.Errorf(slipway.DryRunOperation, "Request would have succeeded, but DryRun flag is set.")
		}
		return nil
	})
	if err == nil && j != nil {
		j.Done()
	}
	return err
}

type freshKey struct{}

// Fresh marks a call whose key was looked up on the newest state: since then this process knows all that was answered
// before the call began, and need not ask again.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

// Snapshot is the store's, judged before anybody reads it.
func (d DB) Snapshot(ctx context.Context) (r store.Snapshot, err error) {
	if ctx.Value(freshKey{}) != nil {
		r, err = d.Local(), context.Cause(ctx)
	} else {
		r, err = d.Store.Snapshot(ctx)
	}
	if j := JudgeFrom(ctx); err == nil && j != nil {
		err = j.Before(r)
	}
	return r, err
}

// UpdateAlways is Update for what is kept whether or not the call is a dry run: its refusal, a region's furniture.
func (d DB) UpdateAlways(ctx context.Context, fn func(store.Tx) error) error {
	err := d.Store.Update(ctx, func(tx store.Tx) (err error) {
		defer Catch(&err)
		return fn(tx)
	})
	if errors.Is(err, store.ErrFull) {
		return slipway.Errorf(slipway.Unavailable,
			"The request was not carried out, because there is no room to record it. What is recorded can be read. "+
				"Try again when the operator has made room.")
	}
	return err
}
