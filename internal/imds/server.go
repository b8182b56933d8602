package imds

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/guard"
)

// Bounds of a token's life, in seconds.
const (
	minTTL = 1
	maxTTL = 21600
)

// maxConns is how many connections a guest may have to each of its listeners; more wait in the kernel, and cost us nothing.
const maxConns = 32

// Server answers the guests of one host.
type Server struct {
	signer Signer
	log    *slog.Logger
	now    func() time.Time
	key    [32]byte // of the tokens
	heard  func(slipway.InstanceID)

	mu        sync.Mutex
	instances map[slipway.InstanceID]*published
}

// published is an instance as it is now, with its tree, made when first asked for.
type published struct {
	in   Instance
	once sync.Once
	tree map[string][]byte
}

// New makes a server; heard is told of every guest that asks. The key of the tokens is the installation's, so that tokens
// outlive a restart.
func New(signer Signer, key [32]byte, now func() time.Time, heard func(slipway.InstanceID), log *slog.Logger) *Server {
	return &Server{signer: signer, log: log, now: now, key: key, heard: heard, instances: map[slipway.InstanceID]*published{}}
}

// NewKey makes a key for tokens.
func NewKey() (key [32]byte) { rand.Read(key[:]); return key }

// Publish says what the instance sees from now on; Withdraw, that it sees nothing.
func (s *Server) Publish(in Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instances[in.ID] = &published{in: in}
}

// Withdraw forgets an instance.
func (s *Server) Withdraw(id slipway.InstanceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.instances, id)
}

func (s *Server) find(id slipway.InstanceID) *published {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instances[id]
}

func (s *Server) content(p *published) map[string][]byte {
	p.once.Do(func() { p.tree = Tree(&p.in, s.signer) })
	return p.tree
}

type connKey struct{}

// Serve answers one instance on listeners that only it can reach. The function returned ends it.
func (s *Server) Serve(id slipway.InstanceID, listeners []net.Listener) (stop func()) {
	h := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(id, w, r) }),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	ctx, cancel := context.WithCancel(context.Background())
	for _, l := range listeners { // net/http recovers from a handler's panic
		guard.Go(s.log, "metadata", func() {
			l := netutil.LimitListener(l, maxConns)
			guard.Loop(ctx, s.log, "metadata of "+string(id), func(context.Context) error { return h.Serve(l) })
		})
	}
	return func() { cancel(); h.Close() }
}

// answer follows rule metadata-protocol.
func (s *Server) answer(id slipway.InstanceID, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "EC2ws")
	p := s.find(id)
	if p == nil {
		http.Error(w, "not published yet", http.StatusServiceUnavailable)
		return
	}
	s.heard(id)
	if p.in.Options.HTTPEndpoint == "disabled" || isIPv6(r) && p.in.Options.HTTPIPv6 != "enabled" {
		refuse(w, http.StatusForbidden)
		return
	}
	if r.Method == http.MethodPut {
		s.token(p, w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	hopLimit(r, 64)
	token := r.Header.Get("X-aws-ec2-metadata-token")
	switch {
	case token == "" && p.in.Options.HTTPTokens == "required", token != "" && !s.valid(id, token):
		refuse(w, http.StatusUnauthorized)
		return
	}
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case version == "":
		send(w, []byte(strings.Join(Versions, "\n")), "text/plain")
		return
	case !slices.Contains(Versions, version):
		refuse(w, http.StatusNotFound)
		return
	}
	body, ok := Lookup(s.content(p), p.in.KeyName, path)
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	kind := "text/plain"
	if strings.Trim(path, "/") == "user-data" {
		kind = "application/octet-stream"
	}
	send(w, body, kind)
}

func isIPv6(r *http.Request) bool { return strings.HasPrefix(r.RemoteAddr, "[") }

// token answers PUT /latest/api/token. Only this answer carries the instance's hop limit: a forwarder one hop away never
// gets it.
func (s *Server) token(p *published, w http.ResponseWriter, r *http.Request) {
	hopLimit(r, int(p.in.Options.HopLimit))
	if r.URL.Path != "/latest/api/token" || r.Header.Get("X-Forwarded-For") != "" {
		refuse(w, http.StatusForbidden)
		return
	}
	ttl, err := strconv.Atoi(r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds"))
	if err != nil || ttl < minTTL || ttl > maxTTL {
		refuse(w, http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", strconv.Itoa(ttl))
	send(w, []byte(s.sign(p.in.ID, s.now().Add(time.Duration(ttl)*time.Second))), "text/plain")
}

// sign makes a token that says for itself until when it is good: nothing is stored, and a restart loses none.
func (s *Server) sign(id slipway.InstanceID, until time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	b = append(b, rand.Text()[:8]...)
	return base64.URLEncoding.EncodeToString(append(b, s.mac(id, b)...))
}

func (s *Server) mac(id slipway.InstanceID, b []byte) []byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write([]byte(id))
	h.Write(b)
	return h.Sum(nil)
}

func (s *Server) valid(id slipway.InstanceID, token string) bool {
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) != 16+sha256.Size {
		return false
	}
	return hmac.Equal(b[16:], s.mac(id, b[:16])) && s.now().Unix() < int64(binary.BigEndian.Uint64(b))
}

func send(w http.ResponseWriter, body []byte, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	text := fmt.Sprintf("%d - %s", status, http.StatusText(status))
	fmt.Fprintf(w,
		"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n",
		text, text)
}

// hopLimit sets how far the answers on the request's connection may travel.
func hopLimit(r *http.Request, hops int) {
	c, ok := r.Context().Value(connKey{}).(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, hops),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops))
	})
}
