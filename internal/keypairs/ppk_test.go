package keypairs

import (
	"crypto"
	"crypto/ed25519"
	"os"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestPPK compares with what puttygen 0.78 made of the same keys: puttygen testdata/KIND.pem -O private --ppk-param
// version=2 -C "a key".
func TestPPK(t *testing.T) {
	for _, kind := range []string{"rsa", "ed25519"} {
		b, err := os.ReadFile("testdata/" + kind + ".pem")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := ssh.ParseRawPrivateKey(b)
		if err != nil {
			t.Fatal(err)
		}
		key := raw.(crypto.Signer)
		if k, ok := raw.(*ed25519.PrivateKey); ok {
			key = *k
		}
		pub, err := ssh.NewPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("testdata/" + kind + ".ppk")
		if err != nil {
			t.Fatal(err)
		}
		if got := ppk(key, pub, "a key"); got != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", kind, got, want)
		}
	}
}
