package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/internal/durable"
)

// heading is the first line of a Ring's file.
const heading = "# Keys of slipway's secrets in its store. Who has this file can read them; without it they are lost.\n"

// Ring is the keys of an installation, in the order in which they were made. Its file is read again when a key is asked for
// that it has not.
type Ring struct {
	file string

	mu    sync.RWMutex
	keys  []*key
	stamp fs.FileInfo // of the file as it was read; nil: it was not there
}

// Load reads the file; one that is not there is a ring without keys. A file that others may read, or that is damaged, is an
// error that names it and says what helps.
func Load(file string) (*Ring, error) {
	r := &Ring{file: file}
	return r, r.reload()
}

// Parse is a ring of a file's content, without a file.
func Parse(content []byte) (*Ring, error) {
	keys, err := parse(content)
	return &Ring{keys: keys}, err
}

// File is where the keys lie.
func (r *Ring) File() string { return r.file }

// IDs are the keys', the newest last.
func (r *Ring) IDs() []ID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	ids := make([]ID, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.id
	}
	return ids
}

// Has is nil if the ring, or by now its file, has the key; else *UnknownKeyError.
func (r *Ring) Has(id ID) error {
	_, err := r.find(id)
	return err
}

// Content is what the file holds.
func (r *Ring) Content() []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return content(r.keys)
}

func (r *Ring) find(id ID) (*key, error) {
	if k := r.held(id); k != nil {
		return k, nil
	}
	err := r.reload()
	if k := r.held(id); k != nil {
		return k, nil
	}
	return nil, &UnknownKeyError{ID: id, File: r.file, Err: err}
}

func (r *Ring) held(id ID) *key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, k := range r.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

// reload reads the file if it is another than before. Where it cannot be read, the keys stay as they were.
func (r *Ring) reload() error {
	if r.file == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fi, err := os.Stat(r.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the key file cannot be read: %w", err)
	case !fi.Mode().IsRegular():
		return fmt.Errorf("the key file %s is no file", r.file)
	case fi.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the key file %[1]s may be read by others: `chmod 600 %[1]s`, and think of who has read it", r.file)
	case r.stamp != nil && os.SameFile(fi, r.stamp) && fi.ModTime().Equal(r.stamp.ModTime()) && fi.Size() == r.stamp.Size():
		return nil
	}
	b, err := os.ReadFile(r.file)
	if err != nil {
		return fmt.Errorf("the key file cannot be read: %w", err)
	}
	keys, err := parse(b)
	if err != nil {
		return fmt.Errorf("the key file %s is damaged: %w: bring it back from a copy", r.file, err)
	}
	r.keys, r.stamp = keys, fi
	return nil
}

// parse reads lines of an id and a key. The id shows that the key is whole.
func parse(b []byte) ([]*key, error) {
	var keys []*key
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		k := &key{}
		var secret []byte
		var err error
		if len(words) == 2 {
			secret, err = base64.StdEncoding.DecodeString(words[1])
		}
		if err != nil || len(secret) != len(k.secret) || ID(words[0]) != idOf(secret) {
			return nil, fmt.Errorf("line %d is no key", n) // which is not repeated here
		}
		copy(k.secret[:], secret)
		k.ready()
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key")
	}
	return keys, nil
}

func content(keys []*key) []byte {
	var b bytes.Buffer
	b.WriteString(heading)
	for _, k := range keys {
		fmt.Fprintf(&b, "%s %s\n", k.id, base64.StdEncoding.EncodeToString(k.secret[:]))
	}
	return b.Bytes()
}

// Lock keeps other processes from changing the file, until unlock; the ring has what the file has. It waits for one
// that changes it.
func (r *Ring) Lock() (unlock func(), err error) {
	d, err := os.Open(filepath.Dir(r.file))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("key file: lock %s: %w", d.Name(), err)
	}
	if err := r.reload(); err != nil {
		d.Close()
		return nil, err
	}
	return func() { d.Close() }, nil
}

// First is the newest key, which is made, with its file, if there is none.
func (r *Ring) First() (ID, error) {
	if ids := r.IDs(); len(ids) > 0 {
		return ids[len(ids)-1], nil
	}
	unlock, err := r.Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if ids := r.IDs(); len(ids) > 0 { // another process was faster
		return ids[len(ids)-1], nil
	}
	return r.Add()
}

// Add makes a key and keeps it in the file, behind the others. The caller has the lock.
func (r *Ring) Add() (ID, error) {
	k := newKey()
	return k.id, r.replace(func(keys []*key) []*key { return append(keys[:len(keys):len(keys)], k) })
}

// Keep drops all keys but one. The caller has the lock, and knows that nothing is sealed under the others.
func (r *Ring) Keep(id ID) error {
	if err := r.Has(id); err != nil {
		return err
	}
	return r.replace(func(keys []*key) []*key {
		for _, k := range keys {
			if k.id == id {
				return []*key{k}
			}
		}
		return keys
	})
}

// replace writes the file anew, whole or not at all, and outlives a loss of power.
func (r *Ring) replace(change func([]*key) []*key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := change(r.keys)
	err := durable.Sweep(r.file) // what a process left that was killed may hold a key that was dropped
	if err == nil {
		err = durable.Replace(r.file, content(keys), 0o600)
	}
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	r.keys, r.stamp = keys, nil // read again when a key is missing
	return nil
}
