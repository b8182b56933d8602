package keypairs_test

import (
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"testing"

	"golang.org/x/crypto/ssh"

	"slipway/internal/apitest"
)

// TestRSAKeysOfTheirBits: also those that ssh-keygen makes unasked, whose 3,072 no list of EC2's has.
func TestRSAKeysOfTheirBits(t *testing.T) {
	w := apitest.New(t)
	for bits, code := range map[uint]string{
		768: "InvalidKey.Format", 1023: "InvalidKey.Format", 1024: "", 2048: "", 3072: "", 4096: "", 8192: "",
		8193: "InvalidKey.Format",
	} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		key, err := ssh.NewPublicKey(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
		if err != nil {
			t.Fatal(err)
		}
		text := base64.StdEncoding.EncodeToString(ssh.MarshalAuthorizedKey(key))
		a := w.Call("ImportKeyPair", "KeyName", n.Text(16)[:1]+big.NewInt(int64(bits)).String(), "PublicKeyMaterial", text)
		if a.Code != code {
			t.Errorf("%d bits: %s %s, want %q", bits, a.Code, a.Message, code)
		}
	}
}
