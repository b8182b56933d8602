package keypairs

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// maxKeyPairs is the quota of a region.
const maxKeyPairs = 5000

// Create makes a pair and hands out its private half.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateKeyPairRequest) (*ec2wire.KeyPair, error) {
	name, err := checkName(in.KeyName)
	if err != nil {
		return nil, err
	}
	format := cmp.Or(shape.Get(in.KeyFormat), "pem")
	if format != "pem" && format != "ppk" {
		return nil, slipway.Invalid(format, "keyFormat", "It must be pem or ppk.")
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "key-pair")
	if err != nil {
		return nil, err
	}
	pair, key, pub, err := generate(shape.Get(in.KeyType))
	if err != nil {
		return nil, err
	}
	material := ppk(key, pub, name)
	if format == "pem" {
		if material, err = inPEM(key); err != nil {
			return nil, err
		}
	}
	pair.Name, pair.Tags = name, tags
	pair.PublicKey += " " + name
	if err := s.put(ctx, &pair); err != nil {
		return nil, err
	}
	return &ec2wire.KeyPair{
		KeyName: &pair.Name, KeyPairId: shape.Text(pair.ID), KeyFingerprint: &pair.Fingerprint, KeyMaterial: &material,
		Tags: shape.Tags(tags),
	}, nil
}

// Import takes a public key that somebody already has.
func (s *Service) Import(ctx context.Context, in *ec2wire.ImportKeyPairRequest) (*ec2wire.ImportKeyPairResult, error) {
	name, err := checkName(in.KeyName)
	if err != nil {
		return nil, err
	}
	if len(in.PublicKeyMaterial) == 0 {
		return nil, slipway.Missing("PublicKeyMaterial")
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "key-pair")
	if err != nil {
		return nil, err
	}
	pair, err := parse(in.PublicKeyMaterial)
	if err != nil {
		return nil, err
	}
	pair.Name, pair.Tags = name, tags
	if !strings.Contains(strings.TrimSpace(pair.PublicKey), " "+name) {
		pair.PublicKey = strings.TrimSpace(pair.PublicKey) + " " + name
	}
	if err := s.put(ctx, &pair); err != nil {
		return nil, err
	}
	return &ec2wire.ImportKeyPairResult{
		KeyName: &pair.Name, KeyPairId: shape.Text(pair.ID), KeyFingerprint: &pair.Fingerprint, Tags: shape.Tags(tags),
	}, nil
}

func (s *Service) put(ctx context.Context, pair *slipway.KeyPair) error {
	scope := state.Of(ctx)
	pair.ID, pair.Account, pair.Region, pair.Created = slipway.NewKeyPairID(), scope.Account, scope.Region, s.now()
	return s.db.Update(ctx, func(tx store.Tx) error {
		if tx.Get(state.KeyPairs.Key(scope, pair.Name)) != nil {
			return slipway.Errorf(slipway.InvalidKeyPairDuplicate, "The keypair '%s' already exists.", pair.Name)
		}
		n := 0
		for range state.KeyPairs.All(tx, scope) {
			n++
		}
		if n >= maxKeyPairs {
			return slipway.Errorf(slipway.KeyPairLimitExceeded, "You have reached the limit of %d key pairs.", maxKeyPairs)
		}
		return state.KeyPairs.Put(tx, pair)
	})
}

func checkName(p *string) (string, error) {
	name := shape.Get(p)
	switch {
	case name == "":
		return "", slipway.Missing("KeyName")
	case strings.TrimSpace(name) != name:
		return "", slipway.Invalid(name, "keyName", "It may not begin or end with a space.")
	}
	for _, r := range name {
		if r < 0x20 || r > 0x7e {
			return "", slipway.Invalid(name, "keyName", "It may hold only printable ASCII characters.")
		}
	}
	return name, nil
}

// generate makes a key. An RSA key's fingerprint is the SHA-1 of its PKCS#8 form.
func generate(kind string) (pair slipway.KeyPair, key crypto.Signer, pub ssh.PublicKey, err error) {
	switch kind {
	case "", "rsa":
		kind = "rsa"
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = slipway.Invalid(kind, "keyType", "It must be rsa or ed25519.")
	}
	if err != nil {
		return pair, nil, nil, err
	}
	if pub, err = ssh.NewPublicKey(key.Public()); err != nil {
		return pair, nil, nil, err
	}
	pair = slipway.KeyPair{Type: kind, Fingerprint: fingerprint(pub), PublicKey: line(pub)}
	if kind == "rsa" {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return pair, nil, nil, err
		}
		sum := sha1.Sum(der)
		pair.Fingerprint = colons(sum[:])
	}
	return pair, key, pub, nil
}

// inPEM is a private key as EC2 gives it out: RSA as PKCS#1, Ed25519 as OpenSSH writes it.
func inPEM(key crypto.Signer) (string, error) {
	if k, ok := key.(*rsa.PrivateKey); ok {
		return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})), nil
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(block)), nil
}

func line(pub ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub))) }

// fingerprint of an ED25519 key is the SHA-256 of its SSH form in base64, padded, without a prefix.
func fingerprint(pub ssh.PublicKey) string {
	sum := sha256.Sum256(pub.Marshal())
	return base64.StdEncoding.EncodeToString(sum[:])
}

func colons(b []byte) string {
	parts := make([]string, len(b))
	for i, v := range b {
		parts[i] = hex.EncodeToString([]byte{v})
	}
	return strings.Join(parts, ":")
}

// parse takes an OpenSSH line, RFC 4716, or base64 DER.
func parse(material []byte) (slipway.KeyPair, error) {
	bad := slipway.Errorf(slipway.InvalidKeyFormat, "Key is not in valid OpenSSH public key format")
	text := strings.TrimSpace(string(material))
	pub, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		if pub, err = parseOther(text); err != nil {
			return slipway.KeyPair{}, bad
		}
	}
	pair := slipway.KeyPair{PublicKey: strings.TrimSpace(line(pub) + " " + comment)}
	switch pub.Type() {
	case ssh.KeyAlgoED25519:
		pair.Type, pair.Fingerprint = "ed25519", fingerprint(pub)
	case ssh.KeyAlgoRSA:
		key, ok := pub.(ssh.CryptoPublicKey).CryptoPublicKey().(*rsa.PublicKey)
		if !ok {
			return slipway.KeyPair{}, bad
		}
		if bits := key.N.BitLen(); bits < 1024 || bits > 8192 {
			return slipway.KeyPair{}, slipway.Errorf(slipway.InvalidKeyFormat,
				"The key has %d bits; RSA keys must have 1024 to 8192", bits)
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return slipway.KeyPair{}, fmt.Errorf("encode public key: %w", err)
		}
		sum := md5.Sum(der)
		pair.Type, pair.Fingerprint = "rsa", colons(sum[:])
	default:
		return slipway.KeyPair{}, slipway.Errorf(slipway.InvalidKeyFormat,
			"Keys of type %s are not accepted: use RSA or ED25519", pub.Type())
	}
	return pair, nil
}

func parseOther(text string) (ssh.PublicKey, error) {
	var body strings.Builder
	rfc4716 := strings.HasPrefix(text, "---- BEGIN SSH2 PUBLIC KEY ----")
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "----") || strings.Contains(l, ":") {
			continue
		}
		body.WriteString(l)
	}
	raw, err := base64.StdEncoding.DecodeString(body.String())
	if err != nil {
		return nil, err
	}
	if rfc4716 {
		return ssh.ParsePublicKey(raw)
	}
	key, err := x509.ParsePKIXPublicKey(raw)
	if err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(key)
}
