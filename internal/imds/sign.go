package imds

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/smallstep/pkcs7"

	"slipway/internal/durable"
)

// Signer signs identity documents: file name below instance-identity to content.
type Signer interface {
	Sign(document []byte) map[string][]byte
}

// Identity signs with a key of this installation's own. Verifiers need its certificate, which lies in the state directory;
// it cannot be AWS's.
type Identity struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

// OpenIdentity reads the key and certificate from dir, or makes them.
func OpenIdentity(dir string, now time.Time) (*Identity, error) {
	keyFile, certFile := filepath.Join(dir, "identity.key"), filepath.Join(dir, "identity.crt")
	keyPEM, err := os.ReadFile(keyFile)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeIdentity(keyFile, certFile, now); err != nil {
			return nil, err
		}
		keyPEM, err = os.ReadFile(keyFile)
	}
	if err != nil {
		return nil, err
	}
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	keyBlock, _ := pem.Decode(keyPEM)
	certBlock, _ := pem.Decode(certPEM)
	if keyBlock == nil || certBlock == nil {
		return nil, fmt.Errorf("%s or %s is damaged: remove both, and new ones are made", keyFile, certFile)
	}
	key, err := x509.ParsePKCS1PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certFile, err)
	}
	return &Identity{key, cert}, nil
}

func makeIdentity(keyFile, certFile string, now time.Time) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "slipway instance identity"},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: now.AddDate(30, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	if err := durable.Replace(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return err
	}
	// The key last: its being there says that both are.
	return durable.Replace(keyFile,
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600)
}

// Certificate is what verifiers need.
func (id *Identity) Certificate() *x509.Certificate { return id.cert }

// Sign makes signature (RSA over SHA-256), rsa2048 and pkcs7 (PKCS#7 of the same key; EC2's pkcs7 is DSA with SHA-1, which
// nobody should make any more).
func (id *Identity) Sign(document []byte) map[string][]byte {
	out := map[string][]byte{}
	sum := sha256.Sum256(document)
	if sig, err := rsa.SignPKCS1v15(rand.Reader, id.key, crypto.SHA256, sum[:]); err == nil {
		out["signature"] = wrapped(sig)
	}
	signed, err := pkcs7.NewSignedData(document)
	if err != nil {
		return out
	}
	signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := signed.AddSigner(id.cert, id.key, pkcs7.SignerInfoConfig{}); err != nil {
		return out
	}
	der, err := signed.Finish()
	if err != nil {
		return out
	}
	out["pkcs7"], out["rsa2048"] = wrapped(der), wrapped(der)
	return out
}

// wrapped is base64 in lines of 64.
func wrapped(b []byte) []byte {
	s := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(s) > 64 {
		out.WriteString(s[:64] + "\n")
		s = s[64:]
	}
	out.WriteString(s)
	return []byte(out.String())
}
