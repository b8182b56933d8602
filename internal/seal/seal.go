// Package seal makes secret values unreadable for whoever has the store's files and not the installation's keys. A Ring has the
// keys, which lie in a file; a value is sealed under one of them, bound to the place where it lies, so that it says nothing
// anywhere else. The stores seal on the way out and unseal on the way in. It knows no record and no store, and logs nothing.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed value is the mark, the form, the key's id, a random nonce and what XChaCha20-Poly1305 makes of the value. Everything
// before the nonce, and the place, is authenticated with it. No plain record begins with the mark: they are JSON.
const (
	mark   = 0x02
	form   = 0x01
	idSize = 8
	header = 2 + idSize
)

// Overhead is by how many bytes a sealed value is longer.
const Overhead = header + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// ID names a key without telling anything of it: 16 hexadecimal digits.
type ID string

// key is one of a Ring.
type key struct {
	id     ID
	secret [chacha20poly1305.KeySize]byte
	aead   cipher.AEAD
}

func newKey() *key {
	k := &key{}
	rand.Read(k.secret[:]) // it never fails
	k.ready()
	return k
}

func (k *key) ready() {
	k.id = idOf(k.secret[:])
	k.aead, _ = chacha20poly1305.NewX(k.secret[:]) // its only error is a key of another size
}

func idOf(secret []byte) ID {
	sum := sha256.Sum256(append([]byte("slipway key id\x00"), secret...))
	return ID(hex.EncodeToString(sum[:idSize]))
}

// UnknownKeyError is a value, or a store, that is sealed under a key which the file has not.
type UnknownKeyError struct {
	ID   ID
	File string
	Err  error // why the file could not be read just now; nil: it could
}

func (e *UnknownKeyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("it is sealed under the key %s, and %v", e.ID, e.Err)
	}
	return fmt.Sprintf("it is sealed under the key %s, which %s has not: bring the file that has it", e.ID, e.File)
}

func (e *UnknownKeyError) Unwrap() error { return e.Err }

// ErrDamaged is a sealed value that was changed, cut or moved to another place.
var ErrDamaged = errors.New("it is sealed, and was changed or moved since")

// Sealed says whether a value is sealed, and under which key; "" where its header is damaged.
func Sealed(value []byte) (ID, bool) {
	if len(value) == 0 || value[0] != mark {
		return "", false
	}
	if len(value) < Overhead || value[1] != form {
		return "", true
	}
	return ID(hex.EncodeToString(value[2:header])), true
}

// Seal seals a value for a place under the key id.
func (r *Ring) Seal(id ID, place string, value []byte) ([]byte, error) {
	k, err := r.find(id)
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(string(id))
	if err != nil {
		return nil, err
	}
	out := make([]byte, header+chacha20poly1305.NonceSizeX, Overhead+len(value))
	out[0], out[1] = mark, form
	copy(out[2:], raw)
	rand.Read(out[header:])
	return k.aead.Seal(out, out[header:], value, bound(out, place)), nil
}

// Unseal is the value of a sealed one that lies at place. The error is ErrDamaged or *UnknownKeyError.
func (r *Ring) Unseal(place string, sealed []byte) ([]byte, error) {
	id, ok := Sealed(sealed)
	if !ok || id == "" {
		return nil, ErrDamaged
	}
	k, err := r.find(id)
	if err != nil {
		return nil, err
	}
	body := sealed[header:]
	value, err := k.aead.Open([]byte{}, body[:chacha20poly1305.NonceSizeX], body[chacha20poly1305.NonceSizeX:],
		bound(sealed, place))
	if err != nil {
		return nil, ErrDamaged
	}
	return value, nil
}

// bound is what a sealed value is bound to.
func bound(sealed []byte, place string) []byte {
	return append(append(make([]byte, 0, header+len(place)), sealed[:header]...), place...)
}
