// Package store keeps records under keys: transactions that commit wholly or not at all, snapshots that are never older
// than the last answered commit, and watches that say which keys changed. etcd keeps them durably, memory for tests;
// storetest holds both to one contract. It knows no record's meaning: state gives it a Schema.
package store

import (
	"context"
	"errors"
	"iter"
)

// Item is one key's value at one revision. Items are shared between readers and must not be changed.
type Item struct {
	Key     string
	Value   []byte
	Rev     int64    // the revision of its last change, for preconditions
	Object  any      // what Schema made of Value; nil where it could not
	Err     error    // why Schema could not read Value: the record is there and says nothing
	indexed []string // its keys in the index
}

// Schema is what the store must know of its values' meaning.
type Schema struct {
	// Decode reads a value once, when it enters the cache, and names the index terms that it is found under. Its error
	// marks the item as damaged: it stays where it is, is said loudly, and is never taken for absent.
	Decode func(key string, value []byte) (object any, terms []string, err error)
	// Covers is the prefix that all of a term's items lie under; "" where they may lie anywhere.
	Covers func(term string) string
	// Secret says whether what lies under key must be sealed wherever it is kept. nil: nothing is.
	Secret func(key string) bool
}

// Reader sees one consistent state.
type Reader interface {
	// Get returns nil for an absent key.
	Get(key string) *Item
	// Range yields the items whose keys begin with prefix, in key order.
	Range(prefix string) iter.Seq[*Item]
	// Indexed yields the items that Schema gave the term, in key order.
	Indexed(term string) iter.Seq[*Item]
	// Damaged yields the items under prefix that Schema could not read. They are in no index.
	Damaged(prefix string) iter.Seq[*Item]
}

// Tx reads and writes. Everything it read, by whichever method, holds at commit, what was absent included: nothing came,
// went or changed under a prefix or a term that it looked at. Otherwise its function runs again. A function's error rests
// on what it read just as a commit does.
type Tx interface {
	Reader
	// Put and Delete take effect at commit, and at once for this Tx's own Get. Range and Indexed see the state before.
	Put(key string, value []byte)
	Delete(key string)
}

// Snapshot is a Reader that says how new it is.
type Snapshot interface {
	Reader
	Revision() int64
}

// Store is a set of keys with atomic transactions of any size.
type Store interface {
	// Update runs fn until its reads hold at commit. fn may run several times; an error from it commits nothing. fn must not
	// call Update of the same store: transactions of one process take turns.
	Update(ctx context.Context, fn func(Tx) error) error
	// Snapshot is at least as new as every Update, of any server, that returned before this call.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Local is what this process knows without asking: for loops that will look again.
	Local() Snapshot
	// Watch reports changed keys that begin with prefix, from now on.
	Watch(prefix string) *Watcher
	Close() error
}

// ErrConflict is what Update answers when its reads never held until ctx ended.
var ErrConflict = errors.New("store: too many conflicting transactions")

// ErrFull is what Update answers while there is no room for more. Nothing was written, and reads go on.
var ErrFull = errors.New("store: there is no room for more")
