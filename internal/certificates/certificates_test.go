package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"testing"
	"time"
)

// served is the leaf that a server would show now.
func served(t *testing.T, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *x509.Certificate {
	t.Helper()
	c, err := get(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func roots(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	b, err := os.ReadFile(Root(dir))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		t.Fatal("the root's file holds no certificate")
	}
	return pool
}

// TestOwnCertificatesAreRenewed before they end, under a root that stays the same over restarts and is itself made
// anew in time.
func TestOwnCertificatesAreRenewed(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "tls"), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	open := func() *Authority {
		t.Helper()
		a, err := Own(dir, []string{"localhost", "127.0.0.1"}, clock)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	pool, first := roots(t, dir), served(t, a.Server)
	if again := served(t, a.Server); !again.Equal(first) {
		t.Error("every handshake makes a certificate")
	}
	for _, name := range []string{"localhost", "127.0.0.1"} {
		if _, err := first.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := first.Verify(x509.VerifyOptions{DNSName: "example.org", Roots: pool, CurrentTime: now}); err == nil {
		t.Error("it is good for any name")
	}
	now = now.Add(61 * 24 * time.Hour)
	second := served(t, a.Server)
	if second.Equal(first) || !first.NotAfter.After(now) {
		t.Errorf("not made anew before its end: %v", second.NotAfter)
	}
	if _, err := served(t, open().Server).Verify(x509.VerifyOptions{
		DNSName: "localhost", Roots: pool, CurrentTime: now,
	}); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	fi, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the authority's key: %v %v", fi.Mode(), err)
	}
	now = now.Add(authorityFor - 120*24*time.Hour)
	third := served(t, open().Server)
	if _, err := third.Verify(x509.VerifyOptions{
		DNSName: "localhost", Roots: roots(t, dir), CurrentTime: now,
	}); err != nil || third.CheckSignatureFrom(a.root) == nil {
		t.Errorf("an authority that is about to end goes on: %v", err)
	}
}

// pair writes a certificate of the authority's and its key, as an operator's tool would.
func pair(t *testing.T, a *Authority, cert, key string, when time.Time) *x509.Certificate {
	t.Helper()
	a.have = nil
	c, err := a.Server(nil)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	return c.Leaf
}

// TestFilesAreReadAnew when both have been replaced; half a replacement leaves what was there before.
func TestFilesAreReadAnew(t *testing.T) {
	dir := t.TempDir()
	a, err := Own(filepath.Join(dir, "ca"), []string{"localhost"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, when := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"), time.Now().Truncate(time.Second)
	first := pair(t, a, cert, key, when)
	f, err := Open(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got := served(t, f.Server); !got.Equal(first) {
		t.Error("another certificate than the file's")
	}
	old, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	second := pair(t, a, cert, key, when.Add(time.Minute))
	fresh, _ := os.ReadFile(key)
	if err := os.WriteFile(key, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := served(t, f.Server); !got.Equal(first) {
		t.Error("a certificate without its key is shown")
	}
	if err := os.WriteFile(key, fresh, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(key, when.Add(2*time.Minute), when.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := served(t, f.Server); !got.Equal(second) {
		t.Error("what replaced the files is not shown")
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if got := served(t, f.Server); !got.Equal(second) {
		t.Error("files that are gone end the service")
	}
	if _, err := Open(cert, key, slog.New(slog.DiscardHandler)); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("files that are not there: %v", err)
	}
}

// TestCertificatesAreGoodWhenTheClockIsSetBack: what was made while it was ahead, of the authority and of the server.
func TestCertificatesAreGoodWhenTheClockIsSetBack(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "tls"), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	a, err := Own(dir, []string{"localhost"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []time.Duration{0, -20 * 24 * time.Hour, -400 * 24 * time.Hour} {
		now = now.Add(by)
		if _, err := served(t, a.Server).Verify(x509.VerifyOptions{
			DNSName: "localhost", Roots: roots(t, dir), CurrentTime: now,
		}); err != nil {
			t.Errorf("set back by %v: %v", by, err)
		}
	}
}
