package etcd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"slipway/internal/certificates"
	"slipway/internal/store"
	"slipway/internal/store/storetest"
)

// issue writes a certificate for both ends of a connection, signed by the authority in dir, and answers its files.
func issue(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	ca, err := tls.LoadX509KeyPair(certificates.Root(dir), filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ca.Leaf, &private.PublicKey, ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, b := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: encoded},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func authority(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := certificates.Own(dir, nil, time.Now); err != nil {
		t.Fatal(err)
	}
	return dir
}

// closedCluster asks for a client's certificate, and for a user, who may touch nothing but what begins with one of the
// prefixes.
func closedCluster(t *testing.T, prefixes ...string) Cluster {
	t.Helper()
	dir := authority(t)
	serverCert, serverKey := issue(t, dir, "server")
	clientCert, clientKey := issue(t, dir, "client")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := url.URL{Scheme: "https", Host: l.Addr().String()}
	l.Close()
	peer := url.URL{Scheme: "unix", Path: filepath.Join(shortDir(t), "p")}
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = "default=" + peer.String()
	cfg.ClientTLSInfo = transport.TLSInfo{
		CertFile: serverCert, KeyFile: serverKey, TrustedCAFile: certificates.Root(dir), ClientCertAuth: true,
	}
	cfg.BcryptCost = 4 // a password is looked at whenever somebody logs in
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	<-e.Server.ReadyNotify()

	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Cluster{Endpoints: []string{client.String()}, CA: certificates.Root(dir), Cert: clientCert, Key: clientKey}
	admin, err := c.client(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	var steps []func() error
	for user, secret := range map[string]string{"root": "of all", "slipway": "open sesame"} {
		steps = append(steps, func() error { _, err := admin.UserAdd(t.Context(), user, secret); return err },
			func() error { _, err := admin.RoleAdd(t.Context(), user); return err },
			func() error { _, err := admin.UserGrantRole(t.Context(), user, user); return err })
	}
	for _, p := range prefixes {
		steps = append(steps, func() error {
			_, err := admin.RoleGrantPermission(t.Context(), "slipway", p, clientv3.GetPrefixRangeEnd(p),
				clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		})
	}
	steps = append(steps, func() error { _, err := admin.AuthEnable(t.Context()); return err })
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	c.User, c.PasswordFile = "slipway", password
	return c
}

// TestClusterWithTLSAndAUser: what one server writes, at once or in stages, the other has, on a cluster that asks for
// a certificate and a user's password, with rights to our prefix alone; who lacks one of them is told what is wrong.
func TestClusterWithTLSAndAUser(t *testing.T) {
	c, log := closedCluster(t, "/t/"), slog.New(slog.DiscardHandler)
	open := func() *Store {
		s, err := c.Dial(t.Context(), "/t/", DefaultLimits, Sealed(storetest.Schema, nil), log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	a, b := open(), open()
	for _, n := range []int{1, 400} {
		if err := a.Update(t.Context(), func(tx store.Tx) error {
			for i := range n {
				tx.Put(fmt.Sprintf("k%d/%d", n, i), []byte("v"))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		v, err := b.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(slices.Collect(v.Range(fmt.Sprintf("k%d/", n)))); got != n {
			t.Errorf("%d keys written and %d read", n, got)
		}
	}
	wrong := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(wrong, []byte("guess"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Cluster)
		says   string
	}{
		"another authority": {func(c *Cluster) { c.CA = certificates.Root(authority(t)) }, "certificate"},
		"a wrong password":  {func(c *Cluster) { c.PasswordFile = wrong }, "authentication failed"},
		"no password":       {func(c *Cluster) { c.PasswordFile = wrong + "x" }, "password"},
		"no user":           {func(c *Cluster) { c.User = "" }, "permission denied"},
		"no certificate":    {func(c *Cluster) { c.Cert, c.Key, c.User = "", "", "" }, ""},
		"no TLS in an endpoint": {func(c *Cluster) {
			c.Endpoints = []string{strings.Replace(c.Endpoints[0], "https", "http", 1)}
		}, "write https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := c
			tt.change(&bad)
			s, err := bad.Dial(t.Context(), "/t/", DefaultLimits, Sealed(storetest.Schema, nil), log)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want an error with %q", err, tt.says)
			}
		})
	}
}
