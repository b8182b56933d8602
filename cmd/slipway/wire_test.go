package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
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
	"slipway"
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

// hostID is the one host of a wire.
const hostID slipway.HostID = "local"

// options are what a test has otherwise than everybody.
type options struct {
	Public   netip.Prefix // of public addresses; the zero one: a wide range
	S3       *imagesource.S3
	Throttle server.Throttle
	Audit    func(audit.Record)
}

// wire is the whole API over a store that conflicts, and simulated machines, behind a real socket.
type wire struct {
	t    testing.TB
	url  string
	keys slipway.AccessKey // of the account's root user

	db      state.DB
	api     *controlplane.ControlPlane
	host    *computehost.Host
	hosts   *hosts.Service
	sources *imagesource.Sources

	region string
}

// newWire serves until the test ends.
func newWire(t testing.TB) *wire { t.Helper(); return newWireWith(t, options{}) }

// newWireWith is newWire with another configuration.
func newWireWith(t testing.TB, o options) *wire {
	t.Helper()
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the store's seed was %d", seed)
		}
	})
	w := &wire{t: t, db: state.DB{Store: adversary.New(state.Schema(), seed)}, region: "us-east-1"}
	w.sources = imagesource.New(imagesource.Config{Directory: t.TempDir(), S3: o.S3})
	if !o.Public.IsValid() {
		o.Public = computehost.SimulatedPool
	}
	pool, log := addresses.Pool{Range: o.Public}, slog.New(slog.DiscardHandler)
	w.hosts = hosts.New(w.db, pool, log, time.Now)
	w.host = computehost.Simulated(computehost.Config{ID: hostID, Log: log, Now: time.Now}, w.hosts, w.sources)
	w.api = controlplane.New(w.db, controlplane.Config{
		Pool: pool, Machines: w.host, Sources: w.sources, Overcommit: 32, Throttle: o.Throttle, Audit: o.Audit, Log: log, Now: time.Now,
	})
	ctx, stop := context.WithCancel(context.Background())
	_, key, err := w.api.Accounts.Create(ctx, slipway.Account{Name: "dev"})
	if err == nil {
		w.keys, err = key, w.api.Images.Provide(ctx, w.host.Disks, hostID, guestimage.Simulated())
	}
	if err == nil {
		err = w.host.Agent.Join(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { w.host.Agent.Run(ctx) })
	running.Go(func() { w.api.Tick(ctx) })
	s := httptest.NewUnstartedServer(nil)
	s.Config = server.New(w.wiring()).HTTP()
	s.Start()
	w.url = s.URL
	t.Cleanup(func() { s.Close(); stop(); running.Wait(); w.host.Close(context.Background(), false) })
	return w
}

// actions are those that are served.
func (w *wire) actions() action.Table {
	w.t.Helper()
	served, err := w.api.Actions()
	if err != nil {
		w.t.Fatal(err)
	}
	return served
}

// wiring is the front's.
func (w *wire) wiring() server.Config {
	w.t.Helper()
	front, err := w.api.Front()
	if err != nil {
		w.t.Fatal(err)
	}
	return front
}

// request is a signed form; change may alter it after it was signed.
func (w *wire) request(method, body string, header http.Header) *http.Request {
	w.t.Helper()
	target := w.url + "/"
	if method == http.MethodGet {
		target, body = target+"?"+body, ""
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	for k, v := range header {
		r.Header[k] = v
	}
	sum := sha256.Sum256([]byte(body))
	who := aws.Credentials{AccessKeyID: w.keys.ID, SecretAccessKey: w.keys.Secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), who, r, hex.EncodeToString(sum[:]), "ec2", w.region, time.Now()); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// answer is what came back: the code is empty for a success.
type answer struct {
	status        int
	code, message string
	body          string
	header        http.Header
}

func (w *wire) do(r *http.Request) answer {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, body: string(b), header: resp.Header}
	var refusal struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
		// The other services have one error, straight under the root.
		OtherCode    string `xml:"Error>Code"`
		OtherMessage string `xml:"Error>Message"`
	}
	if resp.StatusCode != http.StatusOK && xml.Unmarshal(b, &refusal) == nil {
		a.code, a.message = cmp.Or(refusal.Code, refusal.OtherCode), cmp.Or(refusal.Message, refusal.OtherMessage)
	}
	return a
}

// call sends an action with parameters, given as name, value, name, value …
func (w *wire) call(action string, params ...string) answer {
	w.t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Add(params[i], params[i+1])
	}
	return w.do(w.request(http.MethodPost, form.Encode(), nil))
}

// must is call that has to succeed; it answers what stands in the first element of the name.
func (w *wire) must(element, action string, params ...string) string {
	w.t.Helper()
	a := w.call(action, params...)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s %v: %d %s", action, params, a.status, a.body)
	}
	return first(a.body, element)
}

func first(body, element string) string {
	_, after, _ := strings.Cut(body, "<"+element+">")
	text, _, _ := strings.Cut(after, "</"+element+">")
	return text
}

func (w *wire) image() string { return w.must("imageId", "DescribeImages", "Owner.1", "amazon") }

// TestTheWireTakesWhatClientsSend: forms in the body and the query, compressed bodies, lists that begin at 0.
func TestTheWireTakesWhatClientsSend(t *testing.T) {
	w := newWire(t)
	const regions = "Action=DescribeRegions&Version=2016-11-15&RegionName.0=eu-west-1"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(regions))
	z.Close()
	for name, r := range map[string]*http.Request{
		"a form":                  w.request(http.MethodPost, regions, nil),
		"a query":                 w.request(http.MethodGet, regions, nil),
		"a compressed form":       w.request(http.MethodPost, packed.String(), http.Header{"Content-Encoding": {"gzip"}}),
		"a form after a question": w.request(http.MethodPost, regions, http.Header{"Expect": {"100-continue"}}),
		"an old version":          w.request(http.MethodPost, strings.Replace(regions, "2016-11-15", "2014-10-01", 1), nil),
	} {
		a := w.do(r)
		if a.status != http.StatusOK || first(a.body, "regionName") != "eu-west-1" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if id := first(a.body, "requestId"); id == "" || id != a.header.Get("x-amzn-RequestId") {
			t.Errorf("%s: the answer's id is %q, the header's %q", name, id, a.header.Get("x-amzn-RequestId"))
		}
		if !strings.Contains(a.body, `xmlns="http://ec2.amazonaws.com/doc/20`) || !strings.Contains(a.body, `/">`) {
			t.Errorf("%s: the namespace is not EC2's: %s", name, a.body)
		}
	}
}

// TestTheWireRefuses names what is wrong with a request before it is anybody's matter.
func TestTheWireRefuses(t *testing.T) {
	w := newWire(t)
	const v = "&Version=2016-11-15"
	post := func(body string) *http.Request { return w.request(http.MethodPost, body, nil) }
	for _, tt := range []struct {
		name, code, says string
		status           int
		request          *http.Request
	}{
		{"no action", "MissingAction", "Action", 400, post("Version=2016-11-15")},
		{"an action nobody has", "InvalidAction", "LaunchRocket", 400, post("Action=LaunchRocket" + v)},
		{"an action that is not here yet", "UnsupportedOperation", "CreateTransitGateway", 400, post("Action=CreateTransitGateway" + v)},
		{"no version", "MissingParameter", "Version", 400, post("Action=DescribeVpcs")},
		{"a version of the future", "NoSuchVersion", "2030-01-01", 400, post("Action=DescribeVpcs&Version=2030-01-01")},
		{"an unknown parameter", "UnknownParameter", "VpcIdd.1", 400, post("Action=DescribeVpcs&VpcIdd.1=x" + v)},
		{"a member of a text", "UnknownParameter", "ImageId.Foo", 400, post("Action=RunInstances&ImageId.Foo=x&MinCount=1&MaxCount=1" + v)},
		{"a list that is no list", "UnknownParameter", "VpcId.first", 400, post("Action=DescribeVpcs&VpcId.first=x" + v)},
		{"a parameter twice", "InvalidParameterValue", "MinCount", 400, post("Action=RunInstances&MinCount=1&MinCount=2&MaxCount=1" + v)},
		{"a number that is none", "InvalidParameterValue", "minCount", 400, post("Action=RunInstances&ImageId=ami-12345678&MinCount=one&MaxCount=1" + v)},
		{"a boolean that is none", "InvalidParameterValue", "ebsOptimized", 400, post("Action=RunInstances&ImageId=ami-12345678&EbsOptimized=perhaps&MinCount=1&MaxCount=1" + v)},
		{"a broken escape", "MalformedQueryString", "form", 400, post("Action=DescribeVpcs&X=%zz" + v)},
		{"another method", "InvalidRequest", "PUT", 400, w.request(http.MethodPut, "Action=DescribeVpcs"+v, nil)},
		{"JSON", "InvalidRequest", "content type", 400, w.request(http.MethodPost, "{}", http.Header{"Content-Type": {"application/json"}})},
		{"gzip that is none", "InvalidRequest", "gzip", 400, w.request(http.MethodPost, "Action=DescribeVpcs"+v, http.Header{"Content-Encoding": {"gzip"}})},
		{"a body without end", "RequestEntityTooLarge", "bytes", 413, post("Action=DescribeVpcs" + v + "&X=" + strings.Repeat("x", 5<<20))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(tt.request)
			if a.code != tt.code || a.status != tt.status || !strings.Contains(a.message, tt.says) {
				t.Errorf("got %d %s %q, want %d %s naming %q", a.status, a.code, a.message, tt.status, tt.code, tt.says)
			}
			if id := first(a.body, "RequestID"); id == "" || id != a.header.Get("x-amzn-RequestId") {
				t.Errorf("the refusal's id is %q, the header's %q", id, a.header.Get("x-amzn-RequestId"))
			}
		})
	}
}

func TestASignatureForNowhereIsRefused(t *testing.T) {
	w := newWire(t)
	r := w.request(http.MethodPost, "Action=DescribeVpcs&Version=2016-11-15", nil)
	r.Header.Del("X-Amz-Date")
	sum := sha256.Sum256([]byte("Action=DescribeVpcs&Version=2016-11-15"))
	who := aws.Credentials{AccessKeyID: w.keys.ID, SecretAccessKey: w.keys.Secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hex.EncodeToString(sum[:]), "ec2", "mars-north-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if a := w.do(r); a.code != "AuthFailure" || !strings.Contains(a.message, "mars-north-1") {
		t.Errorf("a region that AWS lacks: %d %s %q", a.status, a.code, a.message)
	}
}

// newFront serves a front until the test ends, and says where.
func newFront(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
