package keypairs

import "testing"

func FuzzPublicKey(f *testing.F) {
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA8xjPZ6sPoRvqF2wKnE+7wWk0sxHyJY6ZyTnG0y8kZr me@here"))
	f.Add([]byte("---- BEGIN SSH2 PUBLIC KEY ----\nComment: " +
		"x\nAAAAC3NzaC1lZDI1NTE5AAAAIA8xjPZ6sPoRvqF2wKnE+7wWk0sxHyJY6ZyTnG0y8kZr\n---- END SSH2 PUBLIC KEY ----"))
	f.Add([]byte("MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ=="))
	f.Fuzz(func(t *testing.T, b []byte) {
		pair, err := parse(b)
		if err != nil {
			return
		}
		if again, err := parse([]byte(pair.PublicKey)); err != nil || again.Fingerprint != pair.Fingerprint {
			t.Errorf("what is kept of a key is no key: %q: %v", pair.PublicKey, err)
		}
	})
}
