// Package server is the HTTP front: it listens, numbers requests, verifies signatures, finds the action and writes its answer
// or its refusal. What an action means is the rooms' matter.
package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/audit"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/sigv4"
	"slipway/internal/state"
)

// Bounds of one request.
const (
	maxBody     = 4 << 20
	maxTime     = 2 * time.Minute
	gzipFrom    = 4 << 10 // answers from this size are compressed for clients that ask for it
	ec2Version  = "2016-11-15"
	formContent = "application/x-www-form-urlencoded"
)

// Service is another API on the same listener: the credential scope's service name picks it.
type Service interface {
	// Serve answers a verified request.
	Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte)
	// Refuse answers a request whose signature is not good.
	Refuse(w http.ResponseWriter, err *slipway.Error, requestID string)
}

// Config is what a Server needs.
type Config struct {
	Keys     sigv4.Keys
	Actions  action.Table
	Services map[string]Service // sts, iam, ssm
	// Prepare runs before each action: it furnishes a region on its first use.
	Prepare func(ctx context.Context) error
	// Admit says whether the caller may do what a request concerns, and puts into the context what judges its transactions.
	Admit func(ctx context.Context, rules action.Rules, of action.Request) (context.Context, error)
	// Explain remembers a refused call for the one who asks why.
	Explain func(ctx context.Context, err error)
	// Audit hears of every call, refused ones too, and of those that were turned away unread by their number; nil:
	// nobody does.
	Audit func(audit.Record)
	// Throttle is EC2's request throttling.
	Throttle Throttle
	// Version4Only refuses signatures of version 2.
	Version4Only bool
	Log          *slog.Logger
	Now          func() time.Time
}

// Server answers HTTP.
type Server struct {
	Config
	verifier *sigv4.Verifier
	load     *load
	buckets  *buckets
	away     *away
}

// New makes a server. No field but Audit may be nil.
func New(c Config) *Server {
	verifier := sigv4.New(c.Keys, c.Now)
	verifier.Version4Only = c.Version4Only
	return &Server{
		Config: c, verifier: verifier, load: newLoad(), buckets: newBuckets(c.Throttle, c.Now),
		away: newAway(c.Audit, c.Now),
	}
}

// Close tells the audit what it has not heard yet. Call it when no request is served any more.
func (s *Server) Close() { s.away.flush() }

// HTTP is a server with bounds on how long a client may take.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: maxTime + 30*time.Second,
		IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog:  slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		ConnState: newConnectionLimit(maxConnections, s.away.connection).state,
	}
}

// NewRequestID is a UUID.
func NewRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ServeHTTP answers one request, whatever it is.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.Now()
	id := NewRequestID()
	if !s.load.enter() {
		s.turnAway(w, r, id)
		return
	}
	defer s.load.leave()
	h := w.Header()
	h.Set("x-amzn-RequestId", id)
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Server", "AmazonEC2")
	call := slipway.Call{
		RequestID: id, Origin: slipway.Origin{UserAgent: r.UserAgent(), Referer: r.Referer(), TLS: r.TLS != nil},
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		call.Origin.IP = from.Addr()
	}
	if name := scopeService(r); s.foreign(name) {
		status, body := s.notServed(w, r, name, id)
		s.record(call, name, r, nil, status, body, began)
		s.Log.Info("request", "service", name, "status", status, "request", id)
		return
	}
	ctx, cancel := context.WithTimeout(slipway.WithCall(r.Context(), call), maxTime)
	defer cancel()

	held := &holding{l: s.load}
	defer held.release()
	body, who, err := s.accept(ctx, w, r, held)
	call.Caller, call.Region = who.Caller, who.Region
	if ctx = slipway.WithCall(ctx, call); err == nil {
		ctx = state.Fresh(ctx)
	}
	name := cmp.Or(who.Service, scopeService(r))
	if service := s.Services[name]; service != nil {
		seen := &responseRecorder{ResponseWriter: w, status: http.StatusOK}
		if err == nil &&
			s.buckets.draw(who.Caller.Account, who.Region, name, action.Services[name],
				min(action.Services[name].Size, 1)) != nil {
			err = slipway.Errorf(slipway.Throttling, "Rate exceeded")
		}
		s.other(ctx, service, seen, r, body, err, id)
		s.record(call, name, r, body.plain, seen.status, seen.body, began)
		return
	}
	if err == nil && who.Service != "ec2" {
		err = slipway.Errorf(slipway.SignatureDoesNotMatch, "Credential should be scoped to a service, not '%s'.", who.Service)
	}
	var answer *ec2query.Writer
	if err == nil {
		waiting := ctx
		if late := s.load.run(waiting, who.Caller.Account, func() {
			ctx, answer, err = s.call(waiting, r, body)
		}); late != nil {
			err = late
		}
	}
	status := http.StatusOK
	if err != nil {
		refusal := s.refusal(ctx, err)
		answer, status = ec2query.Refusal(refusal, id), refusal.Code.Status()
	}
	h.Set("Content-Type", "text/xml;charset=UTF-8")
	size := min(int64(len(answer.Bytes())), maxSent)
	if late := acquire(ctx, s.load.sent, size); late != nil {
		refusal := s.refusal(ctx, late)
		answer.Free()
		answer, status, size, err = ec2query.Refusal(refusal, id), refusal.Code.Status(), 0, late
	}
	http.NewResponseController(w).SetWriteDeadline(s.Now().Add(within(size))) // what cannot be bounded is bounded by the server
	s.write(w, r, status, answer.Bytes())
	s.load.sent.Release(size)
	s.record(call, "ec2", r, body.plain, status, answer.Bytes(), began)
	answer.Free()
	done := slipway.CallFrom(ctx)
	s.Log.Info("request", "action", done.Action, "status", status, "code", codeText(err), "took", s.Now().Sub(began),
		"account", done.Account, "request", id)
}

// turnAway answers what there is no room for, without having read it.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, id string) {
	refusal := s.refusal(context.Background(), busy())
	s.away.add(r.RemoteAddr, refusal.Code)
	answer := ec2query.Refusal(refusal, id)
	defer answer.Free()
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.Header().Set("Connection", "close")
	w.WriteHeader(refusal.Code.Status())
	w.Write(answer.Bytes())
}

func codeText(err error) string {
	if err == nil {
		return ""
	}
	return string(slipway.CodeOf(err))
}

// scopeService is the service that a request means, though its signature may be bad.
func scopeService(r *http.Request) string {
	if parts := strings.Split(scope(r), "/"); len(parts) == 5 {
		return parts[3]
	}
	return ""
}

func (s *Server) other(
	ctx context.Context, service Service, w http.ResponseWriter, r *http.Request, b payload, err error, id string,
) {
	defer s.catch(ctx, func() {
		service.Refuse(w, slipway.Errorf(slipway.InternalFailure, "An internal error has occurred"), id)
	})
	http.NewResponseController(w).SetWriteDeadline(s.Now().Add(maxTime + within(maxBody)))
	if err == nil {
		err = s.load.run(ctx, slipway.CallFrom(ctx).Account, func() { service.Serve(ctx, w, r, b.plain) })
	}
	if err != nil {
		service.Refuse(w, s.refusal(ctx, err), id)
	}
}

func (s *Server) catch(ctx context.Context, then func()) {
	if p := recover(); p != nil {
		s.Log.ErrorContext(ctx, "panic", "request", slipway.CallFrom(ctx).RequestID, "panic", p, "stack", string(debug.Stack()))
		then()
	}
}

// payload is a body as it was signed and as it is meant.
type payload struct{ signed, plain []byte }

// accept reads a request and says whose it is. A stranger's body is not read, and nothing is unpacked before its
// signature is good.
func (s *Server) accept(
	ctx context.Context, w http.ResponseWriter, r *http.Request, held *holding,
) (payload, sigv4.Verified, error) {
	var nobody sigv4.Verified
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return payload{}, nobody, slipway.Errorf(slipway.InvalidRequest,
			"The method %s is not allowed: send GET or POST", r.Method)
	}
	most, err := s.verifier.Foresee(r)
	if err != nil {
		return payload{}, nobody, err
	}
	if most == 0 {
		most = maxBody
	}
	tooLarge := slipway.Errorf(slipway.RequestEntityTooLarge, "The request's body exceeds %d bytes", most)
	if r.ContentLength > int64(most) {
		return payload{}, nobody, tooLarge
	}
	connection := http.NewResponseController(w)
	connection.SetReadDeadline(s.Now().Add(within(max(r.ContentLength, 0)))) // as with writing
	signed, over, err := held.read(ctx, r.Body, most)
	connection.SetReadDeadline(time.Time{}) // of the body alone: when it passes later, net/http takes it for the client's going away
	switch told, _ := errors.AsType[*slipway.Error](err); {
	case told != nil:
		return payload{}, nobody, told
	case err != nil:
		return payload{}, nobody, slipway.Errorf(slipway.InvalidRequest, "The request's body broke off")
	case over:
		return payload{}, nobody, tooLarge
	}
	who, err := s.verifier.Verify(r, signed)
	if err != nil || !strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		return payload{signed, signed}, who, err
	}
	z, err := gzip.NewReader(bytes.NewReader(signed))
	if err != nil {
		return payload{}, who, slipway.Errorf(slipway.InvalidRequest,
			"The request's body is not gzip, as its Content-Encoding says")
	}
	plain, over, err := held.read(ctx, z, maxBody)
	switch told, _ := errors.AsType[*slipway.Error](err); {
	case told != nil:
		return payload{}, who, told
	case err != nil:
		return payload{}, who, slipway.Errorf(slipway.InvalidRequest, "The request's gzip body is damaged")
	case over:
		return payload{}, who, tooLarge
	}
	return payload{signed, plain}, who, nil
}

// Form joins the query's and the body's parameters.
func Form(r *http.Request, body []byte) (url.Values, error) {
	// Counted before they are taken apart: a map of a million names is much larger than their text.
	if n := strings.Count(r.URL.RawQuery, "&") + bytes.Count(body, []byte("&")); n >= ec2query.MaxParameters {
		return nil, slipway.Errorf(slipway.MalformedQueryString,
			"The request has %d parameters; at most %d are accepted", n+1, ec2query.MaxParameters)
	}
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, slipway.Errorf(slipway.MalformedQueryString, "The query string is not well formed")
	}
	if r.Method == http.MethodPost && len(body) > 0 {
		if ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(ct), formContent) {
			return nil, slipway.Errorf(slipway.InvalidRequest, "The content type must be %s", formContent)
		}
		more, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, slipway.Errorf(slipway.MalformedQueryString, "The form is not well formed")
		}
		for k, v := range more {
			form[k] = append(form[k], v...)
		}
	}
	return form, nil
}

var versionForm = regexp.MustCompile(`^20[01][0-9]-[01][0-9]-[0-3][0-9]$`)

// call finds and runs the action.
func (s *Server) call(
	ctx context.Context, r *http.Request, b payload,
) (called context.Context, answer *ec2query.Writer, err error) {
	form, err := Form(r, b.plain)
	if err != nil {
		return ctx, nil, err
	}
	call := slipway.CallFrom(ctx)
	call.Action = form.Get("Action")
	// Read here and not by the action's shape: a few lack it, and a dry run that is misread launches.
	switch v := form.Get("DryRun"); strings.ToLower(v) {
	case "true", "1":
		call.DryRun = true
	case "", "false", "0":
	default:
		return ctx, nil, slipway.Invalid(v, "dryRun", "It must be true or false.")
	}
	ctx = slipway.WithCall(ctx, call)
	declared, ok := s.Actions[call.Action]
	switch {
	case call.Action == "":
		return ctx, nil, slipway.Errorf(slipway.MissingAction, "The request must contain the parameter Action")
	case !ok && ec2wire.KnownActions[call.Action]:
		return ctx, nil, slipway.Errorf(slipway.UnsupportedOperation, "The action %s is not supported: %s.",
			call.Action, WhyNot(call.Action))
	case !ok:
		return ctx, nil, slipway.Errorf(slipway.InvalidAction, "The action %s is not valid for this web service.", call.Action)
	}
	version := form.Get("Version")
	switch {
	case version == "":
		return ctx, nil, slipway.Missing("Version")
	case !versionForm.MatchString(version) || version > ec2Version:
		return ctx, nil, slipway.Errorf(slipway.NoSuchVersion, "The requested version (%s) is not valid.", version)
	}
	if err := s.buckets.draw(call.Account, call.Region, call.Action, declared.Rules().Bucket, 1); err != nil {
		return ctx, nil, err
	}
	defer s.catch(ctx, func() { called, err = ctx, errors.New("panic in the action") })
	if err := s.Prepare(ctx); err != nil {
		return ctx, nil, err
	}
	reader, err := ec2query.NewReader(form)
	if err != nil {
		return ctx, nil, err
	}
	asked, err := declared.Read(reader)
	if err != nil {
		return ctx, nil, err
	}
	more, n := asked.Also()
	if err := s.buckets.draw(call.Account, call.Region, call.Action, more, n); err != nil {
		return ctx, nil, err
	}
	judged, err := s.Admit(ctx, declared.Rules(), asked)
	if err != nil {
		return ctx, nil, err
	}
	out, err := asked.Do(judged)
	if err == nil && call.DryRun {
		err = slipway.Errorf(slipway.DryRunOperation, "Request would have succeeded, but DryRun flag is set.")
	}
	if err != nil {
		s.Explain(ctx, err)
		return ctx, nil, err
	}
	return ctx, ec2query.Answer(call.Action, version, call.RequestID, out), nil
}

// refusal is what the caller may know of an error.
func (s *Server) refusal(ctx context.Context, err error) *slipway.Error {
	if e, ok := errors.AsType[*slipway.Error](err); ok {
		return e
	}
	c := slipway.CallFrom(ctx)
	if errors.Is(err, context.Canceled) {
		return slipway.Errorf(slipway.RequestExpired, "The client went away")
	}
	s.Log.ErrorContext(ctx, "internal error", "action", c.Action, "account", c.Account, "request", c.RequestID, "error", err)
	return slipway.Errorf(slipway.InternalError, "An internal error has occurred")
}

// compressors are kept: each has more than half a megabyte of tables.
var compressors = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
	return z
}}

func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	if len(body) >= gzipFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z := compressors.Get().(*gzip.Writer)
		z.Reset(w)
		z.Write(body)
		z.Close()
		compressors.Put(z)
		return
	}
	w.WriteHeader(status)
	w.Write(body)
}
