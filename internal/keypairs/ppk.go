package keypairs

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/ssh"
)

// ppk writes a private key as PuTTY's version 2 does without a passphrase, which every PuTTY reads (its manual, appendix C).
func ppk(key crypto.Signer, pub ssh.PublicKey, comment string) string {
	var private []byte
	switch k := key.(type) {
	case ed25519.PrivateKey:
		private = ssh.Marshal(struct{ Seed []byte }{k.Seed()})
	case *rsa.PrivateKey:
		private = ssh.Marshal(struct{ D, P, Q, IQMP *big.Int }{k.D, k.Primes[0], k.Primes[1], k.Precomputed.Qinv})
	}
	mac := hmac.New(sha1.New, sum("putty-private-key-file-mac-key"))
	mac.Write(ssh.Marshal(struct {
		Algorithm, Encryption, Comment string
		Public, Private                []byte
	}{pub.Type(), "none", comment, pub.Marshal(), private}))
	var b bytes.Buffer
	fmt.Fprintf(&b, "PuTTY-User-Key-File-2: %s\nEncryption: none\nComment: %s\n", pub.Type(), comment)
	lines(&b, "Public", pub.Marshal())
	lines(&b, "Private", private)
	fmt.Fprintf(&b, "Private-MAC: %s\n", hex.EncodeToString(mac.Sum(nil)))
	return b.String()
}

func sum(s string) []byte { h := sha1.Sum([]byte(s)); return h[:] }

// lines are the base64 of a blob, 64 characters each, after their number.
func lines(b *bytes.Buffer, name string, blob []byte) {
	text := base64.StdEncoding.EncodeToString(blob)
	fmt.Fprintf(b, "%s-Lines: %d\n", name, (len(text)+63)/64)
	for len(text) > 64 {
		b.WriteString(text[:64] + "\n")
		text = text[64:]
	}
	b.WriteString(strings.TrimSpace(text) + "\n")
}
