// Package apitest serves the whole API to a test of any room: both halves over a store that conflicts, behind a real
// socket, with calls by their forms and answers by their XML. World furnishes what every action needs, and knows a
// call of each that succeeds. Only tests import it.
package apitest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slipway"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"slipway/internal/action"
	"slipway/internal/addresses"
	"slipway/internal/audit"
	"slipway/internal/computehost"
	"slipway/internal/controlplane"
	"slipway/internal/guestimage"
	"slipway/internal/hosts"
	"slipway/internal/imagesource"
	"slipway/internal/server"
	"slipway/internal/state"
	"slipway/internal/store/adversary"
)

// HostID is the one host of a wire.
const HostID slipway.HostID = "local"

// Options are what a test has otherwise than everybody.
type Options struct {
	Public   netip.Prefix // of public addresses; the zero one: a wide range
	S3       *imagesource.S3
	Throttle server.Throttle
	Audit    func(audit.Record)
}

// Wire is the whole API over a store that conflicts, and simulated machines, behind a real socket.
type Wire struct {
	T    testing.TB
	URL  string
	Keys slipway.AccessKey // of the account's root user

	DB      state.DB
	API     *controlplane.ControlPlane
	Host    *computehost.Host
	Hosts   *hosts.Service
	Sources *imagesource.Sources

	Region string
}

// Seed decides what a test leaves to chance: another each time, or the one that SLIPWAY_SEED names. A failure says how to
// give it again.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if named := os.Getenv("SLIPWAY_SEED"); named != "" {
		n, err := strconv.ParseUint(named, 10, 64)
		if err != nil {
			t.Fatalf("SLIPWAY_SEED: %v", err)
		}
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			test, _, _ := strings.Cut(t.Name(), "/")
			t.Logf("again: SLIPWAY_SEED=%d go test -count=1 -run '^%s$'", seed, test)
		}
	})
	return seed
}

// drawn is a pool's dice, which transactions throw at the same time.
func drawn(seed uint64) func(n uint32) uint32 {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 1))
	return func(n uint32) uint32 {
		mu.Lock()
		defer mu.Unlock()
		return dice.Uint32N(n)
	}
}

// New serves until the test ends.
func New(t testing.TB) *Wire { t.Helper(); return NewWith(t, Options{}) }

// NewWith is newWire with another configuration.
func NewWith(t testing.TB, o Options) *Wire {
	t.Helper()
	seed := Seed(t)
	w := &Wire{T: t, DB: state.DB{Store: adversary.New(state.Schema(), seed)}, Region: "us-east-1"}
	w.Sources = imagesource.New(imagesource.Config{Directory: t.TempDir(), S3: o.S3, Now: time.Now})
	if !o.Public.IsValid() {
		o.Public = computehost.SimulatedPool
	}
	pool, log := addresses.Pool{Range: o.Public, Draw: drawn(seed)}, slog.New(slog.DiscardHandler)
	w.Hosts = hosts.New(w.DB, pool, log, time.Now)
	w.Host = computehost.Simulated(computehost.Config{ID: HostID, Log: log, Now: time.Now}, w.Hosts, w.Sources)
	w.API = controlplane.New(w.DB, controlplane.Config{
		Pool: pool, Machines: w.Host, Sources: w.Sources, Overcommit: 32, Throttle: o.Throttle, Audit: o.Audit,
		Log: log, Now: time.Now,
	})
	ctx, stop := context.WithCancel(context.Background())
	_, key, err := w.API.Accounts.Create(ctx, slipway.Account{Name: "dev"})
	if err == nil {
		w.Keys, err = key, w.API.Images.Provide(ctx, w.Host.Disks, HostID, guestimage.Simulated())
	}
	if err == nil {
		err = w.Host.Agent.Join(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { w.Host.Agent.Run(ctx) })
	running.Go(func() { w.API.Tick(ctx) })
	s := httptest.NewUnstartedServer(nil)
	front := server.New(w.Wiring())
	s.Config = front.HTTP()
	s.Start()
	w.URL = s.URL
	t.Cleanup(func() { s.Close(); front.Close(); stop(); running.Wait(); w.Host.Close(context.Background(), false) })
	return w
}

// Actions are those that are served.
func (w *Wire) Actions() action.Table {
	w.T.Helper()
	served, err := w.API.Actions()
	if err != nil {
		w.T.Fatal(err)
	}
	return served
}

// Wiring is the front's.
func (w *Wire) Wiring() server.Config {
	w.T.Helper()
	front, err := w.API.Front()
	if err != nil {
		w.T.Fatal(err)
	}
	return front
}

// Request is a signed form; change may alter it after it was signed.
func (w *Wire) Request(method, body string, header http.Header) *http.Request {
	w.T.Helper()
	target := w.URL + "/"
	if method == http.MethodGet {
		target, body = target+"?"+body, ""
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	for k, v := range header {
		r.Header[k] = v
	}
	sum := sha256.Sum256([]byte(body))
	who := aws.Credentials{AccessKeyID: w.Keys.ID, SecretAccessKey: w.Keys.Secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), who, r, hex.EncodeToString(sum[:]), "ec2", w.Region,
		time.Now()); err != nil {
		w.T.Fatal(err)
	}
	return r
}

// Answer is what came back: the code is empty for a success.
type Answer struct {
	Status        int
	Code, Message string
	Body          string
	Header        http.Header
}

func (w *Wire) Do(r *http.Request) Answer {
	w.T.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	a := Answer{Status: resp.StatusCode, Body: string(b), Header: resp.Header}
	var refusal struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
		// The other services have one error, straight under the root.
		OtherCode    string `xml:"Error>Code"`
		OtherMessage string `xml:"Error>Message"`
	}
	if resp.StatusCode != http.StatusOK && xml.Unmarshal(b, &refusal) == nil {
		a.Code, a.Message = cmp.Or(refusal.Code, refusal.OtherCode), cmp.Or(refusal.Message, refusal.OtherMessage)
	}
	return a
}

// Call sends an action with parameters, given as name, value, name, value …
func (w *Wire) Call(action string, params ...string) Answer {
	w.T.Helper()
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Add(params[i], params[i+1])
	}
	return w.Do(w.Request(http.MethodPost, form.Encode(), nil))
}

// Must is call that has to succeed; it answers what stands in the first element of the name.
func (w *Wire) Must(element, action string, params ...string) string {
	w.T.Helper()
	a := w.Call(action, params...)
	if a.Status != http.StatusOK {
		w.T.Fatalf("%s %v: %d %s", action, params, a.Status, a.Body)
	}
	return First(a.Body, element)
}

func First(body, element string) string {
	_, after, _ := strings.Cut(body, "<"+element+">")
	text, _, _ := strings.Cut(after, "</"+element+">")
	return text
}

func (w *Wire) Image() string { return w.Must("imageId", "DescribeImages", "Owner.1", "amazon") }
