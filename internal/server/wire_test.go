package server_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"slipway/internal/apitest"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestTheWireTakesWhatClientsSend: forms in the body and the query, compressed bodies, lists that begin at 0.
func TestTheWireTakesWhatClientsSend(t *testing.T) {
	w := apitest.New(t)
	const regions = "Action=DescribeRegions&Version=2016-11-15&RegionName.0=eu-west-1"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(regions))
	z.Close()
	for name, r := range map[string]*http.Request{
		"a form":                  w.Request(http.MethodPost, regions, nil),
		"a query":                 w.Request(http.MethodGet, regions, nil),
		"a compressed form":       w.Request(http.MethodPost, packed.String(), http.Header{"Content-Encoding": {"gzip"}}),
		"a form after a question": w.Request(http.MethodPost, regions, http.Header{"Expect": {"100-continue"}}),
		"an old version":          w.Request(http.MethodPost, strings.Replace(regions, "2016-11-15", "2014-10-01", 1), nil),
	} {
		a := w.Do(r)
		if a.Status != http.StatusOK || apitest.First(a.Body, "regionName") != "eu-west-1" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		if id := apitest.First(a.Body, "requestId"); id == "" || id != a.Header.Get("x-amzn-RequestId") {
			t.Errorf("%s: the answer's id is %q, the header's %q", name, id, a.Header.Get("x-amzn-RequestId"))
		}
		if !strings.Contains(a.Body, `xmlns="http://ec2.amazonaws.com/doc/20`) || !strings.Contains(a.Body, `/">`) {
			t.Errorf("%s: the namespace is not EC2's: %s", name, a.Body)
		}
	}
}

// TestTheWireRefuses names what is wrong with a request before it is anybody's matter.
func TestTheWireRefuses(t *testing.T) {
	w := apitest.New(t)
	const v = "&Version=2016-11-15"
	post := func(body string) *http.Request { return w.Request(http.MethodPost, body, nil) }
	for _, tt := range []struct {
		name, code, says string
		status           int
		request          *http.Request
	}{
		{"no action", "MissingAction", "Action", 400, post("Version=2016-11-15")},
		{"an action nobody has", "InvalidAction", "LaunchRocket", 400, post("Action=LaunchRocket" + v)},
		{"an action that is not here yet", "UnsupportedOperation", "CreateTransitGateway", 400,
			post("Action=CreateTransitGateway" + v)},
		{"no version", "MissingParameter", "Version", 400, post("Action=DescribeVpcs")},
		{"a version of the future", "NoSuchVersion", "2030-01-01", 400, post("Action=DescribeVpcs&Version=2030-01-01")},
		{"an unknown parameter", "UnknownParameter", "VpcIdd.1", 400, post("Action=DescribeVpcs&VpcIdd.1=x" + v)},
		{"a member of a text", "UnknownParameter", "ImageId.Foo", 400,
			post("Action=RunInstances&ImageId.Foo=x&MinCount=1&MaxCount=1" + v)},
		{"a list that is no list", "UnknownParameter", "VpcId.first", 400, post("Action=DescribeVpcs&VpcId.first=x" + v)},
		{"a parameter twice", "InvalidParameterValue", "MinCount", 400,
			post("Action=RunInstances&MinCount=1&MinCount=2&MaxCount=1" + v)},
		{"a number that is none", "InvalidParameterValue", "minCount", 400,
			post("Action=RunInstances&ImageId=ami-12345678&MinCount=one&MaxCount=1" + v)},
		{"a boolean that is none", "InvalidParameterValue", "ebsOptimized", 400,
			post("Action=RunInstances&ImageId=ami-12345678&EbsOptimized=perhaps&MinCount=1&MaxCount=1" + v)},
		{"a broken escape", "MalformedQueryString", "form", 400, post("Action=DescribeVpcs&X=%zz" + v)},
		{"another method", "InvalidRequest", "PUT", 400, w.Request(http.MethodPut, "Action=DescribeVpcs"+v, nil)},
		{"JSON", "InvalidRequest", "content type", 400,
			w.Request(http.MethodPost, "{}", http.Header{"Content-Type": {"application/json"}})},
		{"gzip that is none", "InvalidRequest", "gzip", 400,
			w.Request(http.MethodPost, "Action=DescribeVpcs"+v, http.Header{"Content-Encoding": {"gzip"}})},
		{"a body without end", "RequestEntityTooLarge", "bytes", 413,
			post("Action=DescribeVpcs" + v + "&X=" + strings.Repeat("x", 5<<20))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.Do(tt.request)
			if a.Code != tt.code || a.Status != tt.status || !strings.Contains(a.Message, tt.says) {
				t.Errorf("got %d %s %q, want %d %s naming %q", a.Status, a.Code, a.Message, tt.status, tt.code, tt.says)
			}
			if id := apitest.First(a.Body, "RequestID"); id == "" || id != a.Header.Get("x-amzn-RequestId") {
				t.Errorf("the refusal's id is %q, the header's %q", id, a.Header.Get("x-amzn-RequestId"))
			}
		})
	}
}

func TestASignatureForNowhereIsRefused(t *testing.T) {
	w := apitest.New(t)
	r := w.Request(http.MethodPost, "Action=DescribeVpcs&Version=2016-11-15", nil)
	r.Header.Del("X-Amz-Date")
	sum := sha256.Sum256([]byte("Action=DescribeVpcs&Version=2016-11-15"))
	who := aws.Credentials{AccessKeyID: w.Keys.ID, SecretAccessKey: w.Keys.Secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hex.EncodeToString(sum[:]), "ec2", "mars-north-1",
		time.Now()); err != nil {
		t.Fatal(err)
	}
	if a := w.Do(r); a.Code != "AuthFailure" || !strings.Contains(a.Message, "mars-north-1") {
		t.Errorf("a region that AWS lacks: %d %s %q", a.Status, a.Code, a.Message)
	}
}

// newFront serves a front until the test ends, and says where.
func newFront(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
