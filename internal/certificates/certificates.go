// Package certificates gives a TLS listener or client its certificate: of files that may be replaced while it runs, or
// of an authority of the installation's own, whose certificates it makes anew before they end. It knows neither HTTP nor etcd.
package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"slipway/internal/durable"
)

// Lifetimes of what an own authority makes. A certificate is made anew when a third of its time is left.
const (
	authorityFor = 10 * 365 * 24 * time.Hour
	serverFor    = 90 * 24 * time.Hour
)

// since is when they begin to be good: before any clock that is behind, or was ahead when they were made and is set
// right since.
var since = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Files is a certificate and its key in PEM files, which are read again when they have changed.
type Files struct {
	cert, key string
	log       *slog.Logger

	mu    sync.Mutex
	stamp [2]stamp
	have  *tls.Certificate
}

// stamp is by what a changed file is known.
type stamp struct {
	size    int64
	changed time.Time
}

// Open reads the files. The error names the one that is wrong.
func Open(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Files) stamps() (now [2]stamp, err error) {
	for i, path := range []string{f.cert, f.key} {
		fi, err := os.Stat(path)
		if err != nil {
			return now, err
		}
		now[i] = stamp{fi.Size(), fi.ModTime()}
	}
	return now, nil
}

func (f *Files) read() error {
	now, err := f.stamps()
	if err != nil || now == f.stamp {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	f.stamp, f.have = now, &pair
	return nil
}

// current is the certificate that the files hold; the last one that was whole while they are being replaced, or are damaged.
func (f *Files) current() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.read(); err != nil {
		f.log.Warn("certificate not read anew: the one from before is used", "error", err)
	}
	return f.have
}

// Server is tls.Config's GetCertificate.
func (f *Files) Server(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current(), nil }

// Client is tls.Config's GetClientCertificate.
func (f *Files) Client(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return f.current(), nil
}

// Authority makes certificates for one server, under a root of its own.
type Authority struct {
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	names []string
	now   func() time.Time

	mu   sync.Mutex
	have *tls.Certificate
}

// Root is the file of the authority's certificate in dir, which clients are to trust.
func Root(dir string) string { return filepath.Join(dir, "ca.pem") }

// Own is the authority in dir, made there if there is none or it is about to end. names are the DNS names and
// addresses that the server is called by.
func Own(dir string, names []string, now func() time.Time) (*Authority, error) {
	a := &Authority{names: names, now: now}
	keyFile := filepath.Join(dir, "ca.key")
	pair, err := tls.LoadX509KeyPair(Root(dir), keyFile)
	if err == nil {
		own, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("%s is not a key of the kind that slipway makes", keyFile)
		}
		a.root, a.key = pair.Leaf, own
		if a.root.NotAfter.Sub(now()) > 2*serverFor {
			return a, errors.Join(os.Chmod(dir, 0o755),
				os.Chmod(Root(dir), 0o644)) // clients read it, and a backup keeps no modes
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("own authority: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "slipway's own authority"}, IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true,
		KeyUsage:       x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, authorityFor, nil, &a.key.PublicKey)
	if err != nil {
		return nil, err
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	// The key first: a root without its key would be taken for damage.
	if err := write(keyFile, "PRIVATE KEY", private, 0o600); err != nil {
		return nil, err
	}
	return a, write(Root(dir), "CERTIFICATE", der, 0o644)
}

func write(path, kind string, der []byte, mode os.FileMode) error {
	return durable.Replace(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// sign makes a certificate; of the authority itself when parent is nil.
func (a *Authority) sign(
	c *x509.Certificate, lasts time.Duration, parent *x509.Certificate, public *ecdsa.PublicKey,
) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = serial, since, a.now().Add(lasts)
	if parent == nil {
		parent = c
	}
	return x509.CreateCertificate(rand.Reader, c, parent, public, a.key)
}

// Server is tls.Config's GetCertificate. The certificate is made anew when a third of its time is left.
func (a *Authority) Server(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.have != nil && a.have.Leaf.NotAfter.Sub(a.now()) > serverFor/3 {
		return a.have, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: "slipway"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range a.names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else if n != "" {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	der, err := a.sign(c, serverFor, a.root, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a.have = &tls.Certificate{Certificate: [][]byte{der, a.root.Raw}, PrivateKey: key, Leaf: leaf}
	return a.have, nil
}
