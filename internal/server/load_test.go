package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/action"
	"slipway/internal/apitest"
	"slipway/internal/await"
	"slipway/internal/server"
)

// peak watches the heap until it is told to stop, and says by how much it grew at most, in MiB.
func peak() (stop func() uint64) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	base, most, done := heap(), uint64(0), make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				most = max(most, heap())
			}
		}
	})
	return func() uint64 {
		close(done)
		watching.Wait()
		return (most - min(base, most)) >> 20
	}
}

// TestStrangersBodiesAreNotRead: a hundred bodies of 4 MiB that nobody signed cost what their headers cost.
func TestStrangersBodiesAreNotRead(t *testing.T) {
	w := apitest.New(t)
	body := bytes.Repeat([]byte("a"), 4<<20)
	stop := peak()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			r, err := http.NewRequest(http.MethodPost, w.URL+"/", io.NopCloser(bytes.NewReader(body)))
			if err != nil {
				t.Error(err)
				return
			}
			r.ContentLength = int64(len(body))
			r.Header.Set("Authorization",
				"AWS4-HMAC-SHA256 Credential=AKIANOBODY/"+time.Now().UTC().Format("20060102")+
					"/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00")
			r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
			if resp, err := http.DefaultClient.Do(r); err == nil { // else the connection ended under the body
				if resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("a stranger got %d", resp.StatusCode)
				}
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	grown := stop()
	t.Logf("heap grew by %d MiB", grown)
	if grown > 64 {
		t.Errorf("a hundred strangers took %d MiB", grown)
	}
	w.Must("vpcId", "DescribeVpcs")
}

func squeezed(t *testing.T, size int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.CopyN(z, zeros{}, int64(size)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

// TestHostileFormsCostLittle: each gets a refusal that is well formed, and the next caller an answer.
func TestHostileFormsCostLittle(t *testing.T) {
	w := apitest.New(t)
	const start = "Action=DescribeInstances&Version=2016-11-15"
	filters := func(n int) string {
		var b strings.Builder
		b.WriteString(start)
		for i := range n {
			fmt.Fprintf(&b, "&Filter.%d.Name=a", i)
		}
		return b.String()
	}
	list := func(n int) string {
		var b strings.Builder
		b.WriteString(start)
		for i := range n {
			fmt.Fprintf(&b, "&InstanceId.%d=i-%08x", i, i)
		}
		return b.String()
	}
	stop := peak()
	for _, tt := range []struct {
		name, body string
		header     http.Header
		code       string
	}{
		{"100,000 filters", filters(100000), nil, "MalformedQueryString"},
		{"filters as many as fit", filters(9000), nil, "FilterLimitExceeded"},
		{"an endless list", list(140000), nil, "MalformedQueryString"},
		{"a list as long as it may be", list(9000), nil, "InvalidInstanceID.NotFound"},
		{"an index beyond reason", start + "&InstanceId.4000000000=i-12345678", nil, "UnknownParameter"},
		{"names without end", start + strings.Repeat("&"+strings.Repeat("A.", 11)+"B=1", 1), nil, "UnknownParameter"},
		{"nothing but separators", start + strings.Repeat("&", 3<<20), nil, "MalformedQueryString"},
		{"control characters in a value", start + "&InstanceId.1=" + url.QueryEscape("i-\x00\x01\x1b[31m\x7f\ufffe"),
			nil, "InvalidInstanceID.Malformed"},
		{"control characters in a name", start + "&" + url.QueryEscape("\x00\x1b]0;x\x07") + "=1", nil, "UnknownParameter"},
		{"control characters in a filter",
			start + "&Filter.1.Name=" + url.QueryEscape("\x00\n") + "&Filter.1.Value.1=1", nil, "InvalidParameterValue"},
		{"bytes that are no text", start + "&InstanceId.1=%ff%fe%80", nil, "InvalidInstanceID.Malformed"},
		{"a gzip bomb", squeezed(t, 64<<20), http.Header{"Content-Encoding": {"gzip"}}, "RequestEntityTooLarge"},
		{"gzip that is none", "nothing", http.Header{"Content-Encoding": {"gzip"}}, "InvalidRequest"},
		{"more than a body may be", start + "&UserData=" + strings.Repeat("a", 4<<20), nil, "RequestEntityTooLarge"},
	} {
		a := w.Signed(w.Root(), "ec2", tt.body, tt.header)
		if a.Code != tt.code {
			t.Errorf("%s: %d %s %.200s, want %s", tt.name, a.Status, a.Code, a.Message, tt.code)
		}
		if err := xml.Unmarshal([]byte(a.Body), new(struct{})); err != nil {
			t.Errorf("%s: the answer is no XML: %v", tt.name, err)
		}
	}
	grown := stop()
	t.Logf("heap grew by %d MiB", grown)
	if grown > 256 {
		t.Errorf("they took %d MiB", grown)
	}
	w.Must("vpcId", "DescribeVpcs")
}

// TestOverload: ten times as many callers as actions may run, among them slow ones, silent ones and those who do not
// read. Memory stays within bounds, refusals are RequestLimitExceeded, and when it is over, the next call is answered.
func TestOverload(t *testing.T) {
	w := apitest.New(t)
	w.Launch("t3.micro")
	address := strings.TrimPrefix(w.URL, "http://")
	var hostile []net.Conn
	dial := func(text string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		hostile = append(hostile, c)
		io.WriteString(c, text)
	}
	for range 100 {
		dial("")                                       // says nothing
		dial("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ") // does not end its headers
		dial("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + w.Keys.ID + "/" +
			time.Now().UTC().Format("20060102") +
			// does not end its body
			"/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00\r\nX-Amz-Date: " +
			time.Now().UTC().Format("20060102T150405Z") + "\r\nContent-Length: 4000000\r\n\r\nAction=")
	}
	for range 100 { // more than are let in with the rest
		dial("")
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	defer client.CloseIdleConnections()
	stop := peak()
	var all sync.WaitGroup
	var answered, shed, other atomic.Int64
	began := time.Now()
	for i := range 640 {
		all.Go(func() {
			for range 5 {
				body := "Action=DescribeInstances&Version=2016-11-15"
				if i%4 == 0 {
					body += "&DryRun=false&Padding=" + strings.Repeat("a", 256<<10)
				}
				resp, err := client.Do(w.Request(http.MethodPost, body, nil))
				if err != nil {
					other.Add(1)
					continue
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				switch resp.StatusCode {
				case http.StatusOK, http.StatusBadRequest: // Padding is no parameter
					answered.Add(1)
				case http.StatusServiceUnavailable:
					shed.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	all.Wait()
	took, grown := time.Since(began), stop()
	over := time.Now()
	await.Success(t, 30*time.Second, func() error {
		if a := w.Call("DescribeVpcs"); a.Status != http.StatusOK {
			return fmt.Errorf("%d %s", a.Status, a.Code)
		}
		return nil
	})
	t.Logf("%d answered, %d shed, %d other in %v; the heap grew by %d MiB; back after %v", answered.Load(), shed.Load(),
		other.Load(), took, grown, time.Since(over))
	if answered.Load() == 0 || other.Load() > 0 {
		t.Errorf("%d answered, %d shed, %d neither", answered.Load(), shed.Load(), other.Load())
	}
	if grown > 512 {
		t.Errorf("the heap grew by %d MiB", grown)
	}
	for _, c := range hostile {
		c.Close()
	}
}

// TestTheServicesBesideEC2AreThrottled: each by a bucket of its own, for each account by itself.
func TestTheServicesBesideEC2AreThrottled(t *testing.T) {
	still := time.Now()
	w := apitest.NewWith(t, apitest.Options{Throttle: server.Throttle{On: true}})
	front := w.Wiring()
	front.Now = func() time.Time { return still }
	w.URL = newFront(t, server.New(front))
	for service, call := range map[string]string{"iam": "ListUsers", "sts": "GetCallerIdentity"} {
		size := action.Services[service].Size
		for i := range size + 1 {
			a := w.By(w.Root(), service, call)
			if i < size && a.Status != http.StatusOK {
				t.Fatalf("%s, call %d of %d: %d %s", service, i+1, size, a.Status, a.Code)
			}
			if i == size && (a.Code != "Throttling" || a.Status != http.StatusBadRequest) {
				t.Errorf("%s, one call too many: %d %s, want 400 Throttling", service, a.Status, a.Code)
			}
		}
	}
	if a := w.Call("DescribeRegions"); a.Status != http.StatusOK {
		t.Errorf("EC2 beside them: %d %s", a.Status, a.Code)
	}
	for name := range front.Services {
		if action.Services[name].Size == 0 {
			t.Errorf("the service %s has no bucket", name)
		}
	}
}

// TestThrottlingIsAsked: off unless the operator asks for it; then EC2's buckets, or the operator's.
func TestThrottlingIsAsked(t *testing.T) {
	launch := func(w *apitest.Wire, who aws.Credentials) int {
		calls := 0
		for calls < 20 {
			a := w.By(who, "ec2", "RunInstances", "DryRun", "true", "ImageId", w.Image(), "InstanceType", "t3.micro",
				"MinCount", "1", "MaxCount", "1")
			if a.Code != "DryRunOperation" {
				if a.Code != "RequestLimitExceeded" || a.Status != http.StatusServiceUnavailable {
					t.Errorf("%d %s %s", a.Status, a.Code, a.Message)
				}
				break
			}
			calls++
		}
		return calls
	}
	off := apitest.New(t)
	if n := launch(off, off.Root()); n != 20 {
		t.Errorf("switched off: %d calls", n)
	}
	still := time.Now()
	on := apitest.NewWith(t,
		apitest.Options{
			Throttle: server.Throttle{On: true, Actions: map[string]action.Bucket{"DescribeRegions": {Size: 2, Refill: 1}}},
		})
	front := on.Wiring()
	front.Now = func() time.Time { return still } // buckets do not fill while the test is slow
	s := newFront(t, server.New(front))
	on.URL = s
	if n := launch(on, on.Root()); n != 5 {
		t.Errorf("EC2's bucket: %d calls, want 5", n)
	}
	for i, want := range []int{200, 200, 503} {
		if a := on.Call("DescribeRegions"); a.Status != want {
			t.Errorf("call %d of the operator's bucket: %d %s", i+1, a.Status, a.Code)
		}
	}
}
