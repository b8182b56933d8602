package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"slipway"
)

// TestVersion2IsAWSs: the example that AWS gave for it.
func TestVersion2IsAWSs(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://elasticmapreduce.amazonaws.com/", nil)
	c := claim2{method: "HmacSHA256", params: url.Values{
		"AWSAccessKeyId": {"AKIAIOSFODNN7EXAMPLE"}, "Action": {"DescribeJobFlows"}, "SignatureMethod": {"HmacSHA256"},
		"SignatureVersion": {"2"}, "Timestamp": {"2011-10-03T15:19:30"}, "Version": {"2009-03-31"},
	}}
	const want = "i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs="
	if got := c.sign("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", r, r.Host); got != want {
		t.Errorf("the signature is %s, want %s", got, want)
	}
}

func TestVersion2(t *testing.T) {
	type asked struct {
		params  url.Values
		host    string // of the request
		signs   string // what the client takes for the host
		secret  string
		post    bool
		claimed func(url.Values) // after signing
		only4   bool
	}
	change := func(edit func(*asked)) asked {
		a := asked{
			host: "127.0.0.1:4566", signs: "127.0.0.1:4566", secret: "secret", params: url.Values{
				"Action": {"DescribeInstances"}, "Version": {"2012-08-15"}, "AWSAccessKeyId": {"AKIAGOOD"},
				"SignatureVersion": {"2"}, "SignatureMethod": {"HmacSHA256"}, "Timestamp": {"2026-03-04T12:00:00Z"},
				"Filter.1.Name": {"tag:a b/c~"}, "Filter.10.Name": {"é=&"},
			},
		}
		edit(&a)
		return a
	}
	set := func(name, value string) func(*asked) { return func(a *asked) { a.params.Set(name, value) } }
	for name, tt := range map[string]struct {
		asked
		code slipway.Code // "": good
		says string
	}{
		"in the query":           {change(func(*asked) {}), "", ""},
		"in the form":            {change(func(a *asked) { a.post = true }), "", ""},
		"SHA-1":                  {change(set("SignatureMethod", "HmacSHA1")), "", ""},
		"a time without a zone":  {change(set("Timestamp", "2026-03-04T12:00:00")), "", ""},
		"a time of milliseconds": {change(set("Timestamp", "2026-03-04T12:00:00.000Z")), "", ""},
		"an end": {change(func(a *asked) {
			a.params.Del("Timestamp")
			a.params.Set("Expires", "2026-03-04T18:00:00Z")
		}), "", ""},
		"a host without its port": {change(func(a *asked) { a.signs = "127.0.0.1" }), "", ""},
		"a host in capitals": {change(func(a *asked) {
			a.host = "EC2.us-west-2.amazonaws.com"
			a.signs = "ec2.us-west-2.amazonaws.com"
		}), "", ""},
		"a session": {change(func(a *asked) {
			a.params.Set("AWSAccessKeyId", "ASIATEMP")
			a.params.Set("SecurityToken", "token")
		}), "", ""},
		"a session without token": {change(set("AWSAccessKeyId", "ASIATEMP")), slipway.AuthFailure, ""},
		"another secret":          {change(func(a *asked) { a.secret = "other" }), slipway.SignatureDoesNotMatch, ""},
		"another host":            {change(func(a *asked) { a.signs = "example.com" }), slipway.SignatureDoesNotMatch, ""},
		"a parameter changed": {change(func(a *asked) {
			a.claimed = func(v url.Values) { v.Set("Action", "TerminateInstances") }
		}), slipway.SignatureDoesNotMatch, ""},
		"a parameter more": {change(func(a *asked) { a.claimed = func(v url.Values) { v.Set("X", "y") } }),
			slipway.SignatureDoesNotMatch, ""},
		"a parameter twice": {change(func(a *asked) {
			a.claimed = func(v url.Values) { v.Add("Action", "TerminateInstances") }
		}), slipway.IncompleteSignature, "more than once"},
		"no such key":             {change(set("AWSAccessKeyId", "AKIANONE")), slipway.AuthFailure, ""},
		"a clock 16 minutes fast": {change(set("Timestamp", "2026-03-04T12:16:00Z")), slipway.RequestExpired, ""},
		"past its end": {change(func(a *asked) {
			a.params.Del("Timestamp")
			a.params.Set("Expires", "2026-03-04T11:59:59Z")
		}), slipway.RequestExpired, ""},
		"neither time nor end": {change(func(a *asked) { a.params.Del("Timestamp") }),
			slipway.IncompleteSignature, "Timestamp"},
		"both": {change(set("Expires", "2026-03-04T18:00:00Z")), slipway.IncompleteSignature,
			"Timestamp"},
		"a time of words": {change(set("Timestamp", "noon")), slipway.IncompleteSignature, "noon"},
		"another method":  {change(set("SignatureMethod", "HmacMD5")), slipway.IncompleteSignature, "HmacMD5"},
		"version 1":       {change(set("SignatureVersion", "1")), slipway.IncompleteSignature, "SignatureVersion"},
		"no key": {change(func(a *asked) { a.params.Del("AWSAccessKeyId") }),
			slipway.IncompleteSignature, "AWSAccessKeyId"},
		"a region that is too young": {change(func(a *asked) {
			a.host = "ec2.eu-central-1.amazonaws.com"
			a.signs = a.host
		}), slipway.IncompleteSignature, "eu-central-1"},
		"an installation without": {change(func(a *asked) { a.only4 = true }), slipway.IncompleteSignature,
			"this installation"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://"+tt.host+"/", nil)
			if tt.post {
				r.Method = http.MethodPost
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			}
			c := claim2{method: tt.params.Get("SignatureMethod"), params: tt.params}
			tt.params.Set("Signature", c.sign(tt.secret, r, tt.signs))
			if tt.claimed != nil {
				tt.claimed(tt.params)
			}
			var body []byte
			if tt.post {
				body = []byte(tt.params.Encode())
			} else {
				r.URL.RawQuery = tt.params.Encode()
			}
			v := New(ring, func() time.Time { return noon })
			v.Version4Only = tt.only4
			if most, err := v.Foresee(r); err != nil && slipway.CodeOf(err) != tt.code || tt.post != (most == Version2) {
				t.Errorf("foreseen: %d bytes, %v", most, err)
			}
			who, err := v.Verify(r, body)
			if slipway.CodeOf(err) != tt.code && err != nil || (err == nil) != (tt.code == "") ||
				err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want %q", err, tt.code)
			}
			if region := "us-east-1"; err == nil {
				if strings.Contains(tt.host, "us-west-2") {
					region = "us-west-2"
				}
				if who.Region != region || who.Service != "ec2" || who.Caller.Account == "" {
					t.Errorf("it proves %+v", who)
				}
			}
		})
	}
}

// TestVersion4WithoutPort: a client may have signed the host without its port.
func TestVersion4WithoutPort(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", strings.NewReader(form))
	sum := sha256.Sum256([]byte(form))
	who := aws.Credentials{AccessKeyID: "AKIAGOOD", SecretAccessKey: "secret"}
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hex.EncodeToString(sum[:]), "ec2", "eu-west-1", noon); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]slipway.Code{
		"127.0.0.1": "", "127.0.0.1:4566": "", "127.0.0.2:4566": slipway.SignatureDoesNotMatch,
	} {
		r.Host = host
		_, err := New(ring, func() time.Time { return noon }).Verify(r, []byte(form))
		if (err == nil) != (want == "") || err != nil && slipway.CodeOf(err) != want {
			t.Errorf("sent to %s, signed for 127.0.0.1: %v", host, err)
		}
	}
}
