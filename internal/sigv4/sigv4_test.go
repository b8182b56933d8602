package sigv4

import (
	"bytes"
	"context"
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

type keys map[string]Key

func (k keys) Key(_ context.Context, id string) (Key, bool, error) {
	key, ok := k[id]
	return key, ok, nil
}

var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	ring = keys{
		"AKIAGOOD": {Secret: "secret", Caller: slipway.Caller{Account: "000000000001"}},
		"ASIATEMP": {Secret: "secret", Token: "token", Expires: noon.Add(time.Hour),
			Caller: slipway.Caller{Account: "000000000002"}},
	}
)

const form = "Action=DescribeVpcs&Version=2016-11-15"

// signed is a request as AWS's own client signs it.
func signed(t testing.TB, who aws.Credentials, service string, at time.Time) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Odd", "  two   blanks ")
	sum := sha256.Sum256([]byte(form))
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hex.EncodeToString(sum[:]), service, "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	return r
}

func presigned(t testing.TB, who aws.Credentials, at time.Time, seconds string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet,
		"http://127.0.0.1:4566/?"+form+"&Filter.1.Name=a+b%2Fc&X-Amz-Expires="+seconds, nil)
	sum := sha256.Sum256(nil)
	uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), who, r, hex.EncodeToString(sum[:]), "ec2", "eu-west-1", at)
	if err != nil {
		t.Fatal(err)
	}
	return httptest.NewRequest(http.MethodGet, uri, nil)
}

func TestVerify(t *testing.T) {
	good := aws.Credentials{AccessKeyID: "AKIAGOOD", SecretAccessKey: "secret"}
	temp := aws.Credentials{AccessKeyID: "ASIATEMP", SecretAccessKey: "secret", SessionToken: "token"}
	with := func(c aws.Credentials, change func(*aws.Credentials)) aws.Credentials { change(&c); return c }
	for _, tt := range []struct {
		name    string
		request func(t *testing.T) *http.Request
		body    string
		want    slipway.Code // "": good
	}{
		{"a good signature", func(t *testing.T) *http.Request { return signed(t, good, "ec2", noon) }, form, ""},
		{"a clock 14 minutes slow",
			func(t *testing.T) *http.Request { return signed(t, good, "ec2", noon.Add(-14*time.Minute)) }, form, ""},
		{"a clock 16 minutes slow",
			func(t *testing.T) *http.Request { return signed(t, good, "ec2", noon.Add(-16*time.Minute)) }, form,
			slipway.RequestExpired},
		{"a clock 16 minutes fast",
			func(t *testing.T) *http.Request { return signed(t, good, "ec2", noon.Add(16*time.Minute)) }, form,
			slipway.RequestExpired},
		{"another secret", func(t *testing.T) *http.Request {
			return signed(t, with(good, func(c *aws.Credentials) { c.SecretAccessKey = "wrong" }), "ec2", noon)
		}, form, slipway.SignatureDoesNotMatch},
		{"an unknown key", func(t *testing.T) *http.Request {
			return signed(t, with(good, func(c *aws.Credentials) { c.AccessKeyID = "AKIANOBODY" }), "ec2", noon)
		}, form, slipway.AuthFailure},
		{"an unknown key, for STS", func(t *testing.T) *http.Request {
			return signed(t, with(good, func(c *aws.Credentials) { c.AccessKeyID = "AKIANOBODY" }), "sts", noon)
		}, form, slipway.InvalidClientTokenID},
		{"a body that was changed", func(t *testing.T) *http.Request { return signed(t, good, "ec2", noon) },
			form + "&DryRun=false", slipway.SignatureDoesNotMatch},
		{"a signed header that was changed", func(t *testing.T) *http.Request {
			r := signed(t, good, "ec2", noon)
			r.Header.Set("X-Odd", "three")
			return r
		}, form, slipway.SignatureDoesNotMatch},
		{"another host", func(t *testing.T) *http.Request {
			r := signed(t, good, "ec2", noon)
			r.Host = "127.0.0.1:9999"
			return r
		}, form, slipway.SignatureDoesNotMatch},
		{"a query that was added", func(t *testing.T) *http.Request {
			r := signed(t, good, "ec2", noon)
			r.URL.RawQuery = "DryRun=false"
			return r
		}, form, slipway.SignatureDoesNotMatch},
		{"no signature", func(t *testing.T) *http.Request {
			r := signed(t, good, "ec2", noon)
			r.Header.Del("Authorization")
			return r
		}, form, slipway.MissingAuthenticationToken},
		{"signature version 2", func(t *testing.T) *http.Request {
			return httptest.NewRequest(http.MethodGet, "http://127.0.0.1/?Signature=x&SignatureVersion=2", nil)
		}, "", slipway.IncompleteSignature},
		{"half an Authorization", func(t *testing.T) *http.Request {
			r := signed(t, good, "ec2", noon)
			auth, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature")
			r.Header.Set("Authorization", auth)
			return r
		}, form, slipway.IncompleteSignature},
		{"temporary credentials", func(t *testing.T) *http.Request { return signed(t, temp, "ec2", noon) }, form, ""},
		{"temporary credentials without their token", func(t *testing.T) *http.Request {
			return signed(t, with(temp, func(c *aws.Credentials) { c.SessionToken = "" }), "ec2", noon)
		}, form, slipway.AuthFailure},
		{"a presigned URL",
			func(t *testing.T) *http.Request { return presigned(t, good, noon.Add(-30*time.Minute), "3600") }, "", ""},
		{"a presigned URL replayed past its expiry",
			func(t *testing.T) *http.Request { return presigned(t, good, noon.Add(-61*time.Second), "60") }, "",
			slipway.RequestExpired},
		{"a presigned URL for longer than a week",
			func(t *testing.T) *http.Request { return presigned(t, good, noon, "604801") }, "", slipway.IncompleteSignature},
		{"a presigned URL whose expiry was changed", func(t *testing.T) *http.Request {
			r := presigned(t, good, noon, "60")
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Expires=60", "X-Amz-Expires=6000", 1)
			return r
		}, "", slipway.SignatureDoesNotMatch},
		{"a presigned URL with another action", func(t *testing.T) *http.Request {
			r := presigned(t, good, noon, "60")
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "DescribeVpcs", "RunInstances", 1)
			return r
		}, "", slipway.SignatureDoesNotMatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.request(t)
			got, err := New(ring, func() time.Time { return noon }).Verify(r, []byte(tt.body))
			if tt.want == "" {
				if err != nil || got.Region != "eu-west-1" || got.Service != "ec2" || got.Caller.Account == "" {
					t.Errorf("got %+v, %v; want it accepted", got, err)
				}
				return
			}
			if slipway.CodeOf(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestTemporaryCredentialsExpire(t *testing.T) {
	later := noon.Add(2 * time.Hour)
	r := signed(t, aws.Credentials{AccessKeyID: "ASIATEMP", SecretAccessKey: "secret", SessionToken: "token"}, "ec2", later)
	if _, err := New(ring, func() time.Time { return later }).Verify(r,
		[]byte(form)); slipway.CodeOf(err) != slipway.RequestExpired {
		t.Errorf("got %v, want RequestExpired", err)
	}
}

// FuzzVerify: no request is accepted that was not signed, and none makes the verifier fall over.
func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIAGOOD/20260304/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=00",
		"20260304T120000Z", "a=b", "x")
	f.Add("", "",
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAGOOD/20260304/eu-west-1/ec2/aws4_request&X-Amz-Date=20260304T120000Z&X-Amz-Expires=9&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
		"")
	v := New(ring, func() time.Time { return noon })
	f.Fuzz(func(t *testing.T, auth, date, query, body string) {
		r := &http.Request{
			Method: http.MethodPost, Host: "h", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{},
			Body: http.NoBody,
		}
		if auth != "" {
			r.Header["Authorization"] = []string{auth}
		}
		r.Header["X-Amz-Date"] = []string{date}
		if got, err := v.Verify(r, bytes.Clone([]byte(body))); err == nil {
			t.Errorf("an unsigned request is accepted as %+v", got)
		}
	})
}
