package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"slipway/internal/certificates"
	"slipway/internal/store/etcd"
)

// secured is how the API's listener is protected; the zero secured is plain HTTP.
type secured struct {
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	root        string // file of an own authority, which clients have to be told of
}

func (c *Config) encrypted() bool { return c.TLS || c.TLSCert != "" }

// cluster is the etcd that runs already.
func (c *Config) cluster() etcd.Cluster {
	return etcd.Cluster{
		Endpoints: c.EtcdEndpoints, CA: c.EtcdCA, Cert: c.EtcdCert, Key: c.EtcdKey, User: c.EtcdUser,
		PasswordFile: c.EtcdPasswordFile,
	}
}

// secure finds or makes what the listener at an address shows.
func (d *devRun) secure(at *net.TCPAddr) (secured, error) {
	switch {
	case d.cfg.TLSCert != "":
		files, err := certificates.Open(d.cfg.TLSCert, d.cfg.TLSKey, d.log)
		if err != nil {
			return secured{}, err
		}
		return secured{certificate: files.Server}, nil
	case d.cfg.TLS:
		dir := d.dir.join("tls")
		own, err := certificates.Own(dir, callable(at), time.Now)
		if err != nil {
			return secured{}, err
		}
		return secured{own.Server, certificates.Root(dir)}, nil
	}
	return secured{}, nil
}

// callable is what clients may call a listener by.
func callable(at *net.TCPAddr) []string {
	out := []string{"localhost", at.IP.String()}
	if name, err := os.Hostname(); err == nil {
		out = append(out, name)
	}
	if !at.IP.IsUnspecified() {
		return out
	}
	all, _ := net.InterfaceAddrs() // without them there is the name
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP.String())
		}
	}
	return out
}

func (s secured) scheme() string {
	if s.certificate == nil {
		return "http"
	}
	return "https"
}

// serve answers until the server is shut down. HTTP/1.1 alone, as at Amazon's: the bounds on connections and slow
// clients are made for it.
func (s secured) serve(front *http.Server, l net.Listener) error {
	if s.certificate == nil {
		return front.Serve(l)
	}
	front.TLSConfig = &tls.Config{GetCertificate: s.certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	front.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	return front.ServeTLS(l, "", "")
}

// client is one in this process, which trusts the very certificate that is served and no other.
func (s secured) client() *http.Client {
	if s.certificate == nil {
		return http.DefaultClient
	}
	own := func(c tls.ConnectionState) error {
		ours, err := s.certificate(nil)
		if err != nil {
			return err
		}
		if leaf, err := x509.ParseCertificate(ours.Certificate[0]); err != nil || !leaf.Equal(c.PeerCertificates[0]) {
			return errors.New("somebody else answers at the API's address")
		}
		return nil
	}
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: own}},
	}
}
