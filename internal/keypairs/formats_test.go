package keypairs_test

import (
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// TestKeyFormats: the private half comes as OpenSSH or PuTTY reads it.
func TestKeyFormats(t *testing.T) {
	w := apitest.New(t)
	for i, tt := range [][3]string{
		{"rsa", "", "-----BEGIN RSA PRIVATE KEY-----"}, {"ed25519", "pem", "-----BEGIN OPENSSH PRIVATE KEY-----"},
		{"rsa", "ppk", "PuTTY-User-Key-File-2: ssh-rsa"}, {"ed25519", "ppk", "PuTTY-User-Key-File-2: ssh-ed25519"},
	} {
		if got := w.Must("keyMaterial", "CreateKeyPair", "KeyName", strings.Repeat("k", i+1), "KeyType", tt[0],
			"KeyFormat", tt[1]); !strings.HasPrefix(got, tt[2]) {
			t.Errorf("%v: %.60s", tt, got)
		}
	}
	w.Refuses(t,
		[]apitest.Refusal{
			apitest.Case("a format that is none", "InvalidParameterValue", "der", "CreateKeyPair",
				[]string{"KeyName", "k", "KeyFormat", "der"}),
		})
}
