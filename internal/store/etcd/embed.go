package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"slipway/internal/certificates"
	"slipway/internal/durable"
	"slipway/internal/store"
)

// EmbeddedLimits are what our own server accepts: a launch of 1,000 instances is one transaction.
var EmbeddedLimits = Limits{Ops: 20000, Bytes: 60 << 20}

// ErrRunning says that another process serves the directory; Dial its socket instead.
var ErrRunning = errors.New("another slipway serves this state directory")

// Embed starts an etcd of one member in dir. It serves the in-process client and, for slipway's own commands and etcdctl,
// the unix socket, which only its owner can open.
func Embed(ctx context.Context, dir, socket, prefix string, schema Schema, log *slog.Logger) (*Store, error) {
	if served(socket) {
		return nil, ErrRunning
	}
	if err := found(ctx, dir, socket, log); err != nil {
		return nil, err
	}
	e, err := begin(ctx, dir, socket, log)
	if err != nil {
		return nil, err
	}
	stop := func() error { e.Close(); return nil }
	s, err := open(ctx, v3client.New(e.Server), prefix, EmbeddedLimits, schema, log, stop, func() error { return room(dir) })
	if err != nil {
		stop()
	}
	return s, err
}

// found makes dir the etcd's, unless it is already. An etcd that is killed while it begins for the first time never
// comes up again: it begins beside, and dir is there when it has begun.
func found(ctx context.Context, dir, socket string, log *slog.Logger) error {
	if _, err := os.Stat(filepath.Join(dir, "member")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	next := beginning(dir)
	if err := errors.Join(os.RemoveAll(next), os.MkdirAll(next, 0o700)); err != nil {
		return err
	}
	e, err := begin(ctx, next, socket, log)
	if err != nil {
		return err
	}
	e.Close()
	if err := unix.Rename(next, dir); err != nil { // also over an empty one
		return fmt.Errorf("%s: %w", dir, err)
	}
	return durable.Sync(filepath.Dir(dir))
}

// beginning is where an etcd begins that will lie in dir.
func beginning(dir string) string { return dir + ".new" }

// Begun is how many bytes of the disk an etcd has that was killed while it began for the first time: the next one to begin
// in dir takes their place.
func Begun(dir string) (bytes uint64) {
	filepath.WalkDir(beginning(dir), func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile, or never there
		}
		if info, err := d.Info(); err == nil {
			bytes += uint64(info.Sys().(*syscall.Stat_t).Blocks) * 512
		}
		return nil
	})
	return bytes
}

// slow is after what time a word is said of an etcd that is not ready: it may have much to read.
const slow = 20 * time.Second

// begin starts the etcd, and waits until it is ready.
func begin(ctx context.Context, dir, socket string, log *slog.Logger) (*embed.Etcd, error) {
	os.Remove(socket)
	cfg := embed.NewConfig()
	cfg.Name = "slipway"
	cfg.Dir = dir
	client := url.URL{Scheme: "unix", Path: socket}
	peer := url.URL{Scheme: "unix", Path: socket + ".peer"}
	os.Remove(peer.Path)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.TickMs, cfg.ElectionMs = 20, 200 // one member: nobody to be late
	cfg.MaxTxnOps = uint(EmbeddedLimits.Ops)
	cfg.MaxRequestBytes = uint(EmbeddedLimits.Bytes)
	cfg.QuotaBackendBytes = 8 << 30
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, "5m"
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(lastWords{log: log}))
	cfg.UnsafeNoFsync = false
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("embedded etcd in %s: %w", dir, err)
	}
	word := time.NewTimer(slow)
	defer word.Stop()
	for {
		select {
		case <-e.Server.ReadyNotify():
			os.Chmod(socket, 0o600)
			os.Chmod(peer.Path, 0o600)
			return e, nil
		case <-word.C:
			log.Warn("the etcd is not ready yet", "directory", dir, "after", slow)
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		case err = <-e.Err():
		}
		go e.Close() // one that never was ready may not end either
		return nil, fmt.Errorf("embedded etcd in %s: %w", dir, err)
	}
}

// reserve is what must be free on the disk of an embedded etcd for it to take a write: the next piece of its log has
// 64 MiB, and where that cannot be made, etcd ends its process.
const reserve = 160 << 20

// room is store.ErrFull while the disk of dir has less than the reserve.
func room(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < reserve {
		return fmt.Errorf("%w: %d MiB are free on the disk of %s, and %d are kept for what must be written",
			store.ErrFull, free>>20, dir, reserve>>20)
	}
	return nil
}

// lastWords passes on what etcd says of its errors, above all before it ends the process.
type lastWords struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func (l lastWords) Enabled(level zapcore.Level) bool { return level >= zapcore.ErrorLevel }

func (l lastWords) With(fields []zapcore.Field) zapcore.Core {
	return lastWords{l.log, append(slices.Clip(l.fields), fields...)}
}

func (l lastWords) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if l.Enabled(e.Level) {
		return c.AddCore(e, l)
	}
	return c
}

func (l lastWords) Write(e zapcore.Entry, fields []zapcore.Field) error {
	said := zapcore.NewMapObjectEncoder()
	for _, f := range append(slices.Clip(l.fields), fields...) {
		f.AddTo(said)
	}
	if e.Level > zapcore.ErrorLevel {
		l.log.Error("etcd ends this process: "+e.Message, "details", fmt.Sprint(said.Fields))
		return nil
	}
	l.log.Info("etcd: "+e.Message, "details", fmt.Sprint(said.Fields)) // it goes on; some come with every new state
	return nil
}

func (l lastWords) Sync() error { return nil }

func served(socket string) bool {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// Dial opens a cluster that asks for nothing ("127.0.0.1:2379", "unix:///…").
func Dial(
	ctx context.Context, endpoints []string, prefix string, limits Limits, schema Schema, log *slog.Logger,
) (*Store, error) {
	return Cluster{Endpoints: endpoints}.Dial(ctx, prefix, limits, schema, log)
}

// Cluster is an etcd that somebody else runs, and what it asks for.
type Cluster struct {
	Endpoints    []string // "127.0.0.1:2379", "https://…", "unix:///…"
	CA           string   // PEM file of the authority that signs its servers; "": one that the system trusts
	Cert, Key    string   // PEM files, read again when they change; "": none is shown
	User         string   // "": nobody logs in
	PasswordFile string
}

// client asks for TLS where there is a certificate of any kind, or an endpoint says https.
func (c Cluster) client(log *slog.Logger) (*clientv3.Client, error) {
	cfg := clientv3.Config{
		Endpoints: c.Endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		MaxCallSendMsgSize: 64 << 20, MaxCallRecvMsgSize: 1 << 30, Username: c.User,
	}
	if c.User != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("etcd's password: %w", err)
		}
		cfg.Password = strings.TrimRight(string(b), "\r\n")
	}
	if c.CA == "" && c.Cert == "" {
		return clientv3.New(cfg)
	}
	for _, e := range c.Endpoints {
		if strings.HasPrefix(e, "http://") {
			return nil, fmt.Errorf("%s would be reached without TLS, in spite of the certificates: write https", e)
		}
	}
	cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		b, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("etcd's authority: %w", err)
		}
		cfg.TLS.RootCAs = x509.NewCertPool()
		if !cfg.TLS.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("etcd's authority: %s holds no certificate", c.CA)
		}
	}
	if c.Cert != "" {
		files, err := certificates.Open(c.Cert, c.Key, log)
		if err != nil {
			return nil, fmt.Errorf("etcd: %w", err)
		}
		cfg.TLS.GetClientCertificate = files.Client
	}
	client, err := clientv3.New(cfg)
	if err != nil {
		err = errors.Join(err, c.handshake(cfg.TLS))
	}
	return client, err
}

// handshake is what is wrong with the TLS of an endpoint: the client says only that its time is over. nil where nothing is.
func (c Cluster) handshake(cfg *tls.Config) error {
	for _, e := range c.Endpoints {
		host, ok := strings.CutPrefix(e, "https://")
		if !ok {
			continue
		}
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Second}, "tcp", strings.TrimSuffix(host, "/"), cfg)
		if err != nil {
			return err
		}
		conn.Close()
	}
	return nil
}

// Dial opens the cluster.
func (c Cluster) Dial(
	ctx context.Context, prefix string, limits Limits, schema Schema, log *slog.Logger,
) (*Store, error) {
	endpoints := c.Endpoints
	client, err := c.client(log)
	if err != nil {
		return nil, fmt.Errorf("etcd at %s: %w", strings.Join(endpoints, ", "), err)
	}
	// The client would try for ever; an operator who mistyped an endpoint wants to hear of it.
	first, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	if _, err := client.Get(first, prefix, clientv3.WithCountOnly()); err != nil {
		client.Close()
		return nil, fmt.Errorf("etcd at %s does not answer: %w", strings.Join(endpoints, ", "), err)
	}
	s, err := Open(ctx, client, prefix, limits, schema, log, func() error { return nil })
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("etcd at %s: %w", strings.Join(endpoints, ", "), err)
	}
	return s, nil
}

// firstAnswer is how long a cluster may take to answer for the first time.
const firstAnswer = 10 * time.Second

// OpenDir is for commands: the server's etcd over its socket if one runs, else an embedded one for as long as it takes.
func OpenDir(ctx context.Context, dir, socket, prefix string, schema Schema, log *slog.Logger) (*Store, error) {
	if served(socket) {
		return Dial(ctx, []string{"unix://" + filepath.ToSlash(socket)}, prefix, EmbeddedLimits, schema, log)
	}
	return Embed(ctx, dir, socket, prefix, schema, log)
}
