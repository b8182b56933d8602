package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"slipway"
)

// Version2 is the most that a body with a claim of version 2 may have, in bytes: it is read before anybody is known.
const Version2 = 128 << 10

// oldRegions are older than 2014: there EC2 takes version 2.
var oldRegions = []string{
	"us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "sa-east-1",
	"us-gov-west-1",
}

// claim2 is what a request says of its signature of version 2: it stands among the parameters.
type claim2 struct {
	params                 url.Values
	key, signature, method string
	region, service        string
}

// asks2 says whether a request has no claim but perhaps one in its form.
func asks2(r *http.Request) bool {
	if r.Header.Get("Authorization") != "" || r.URL.RawQuery != "" || r.Method != http.MethodPost {
		return false
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/x-www-form-urlencoded"
}

// is2 says whether parameters make a claim of version 2.
func is2(params url.Values) bool {
	return params.Get("SignatureVersion") != "" || params.Get("Signature") != ""
}

// read2 reads the claim. A service and a region are not in it: the version of the API says the service, the host's name the
// region, us-east-1 where it is a name of the operator's own.
func read2(r *http.Request, params url.Values) (claim2, error) {
	c := claim2{
		params: params, key: params.Get("AWSAccessKeyId"), signature: params.Get("Signature"),
		method: params.Get("SignatureMethod"), region: "us-east-1", service: "ec2",
	}
	switch v := params.Get("SignatureVersion"); {
	case v != "2":
		return c, incomplete("SignatureVersion must be 2, or the request be signed with version 4. Got '" + v + "'.")
	case c.key == "" || c.signature == "":
		return c, incomplete("A request of signature version 2 requires 'AWSAccessKeyId' and 'Signature'.")
	case c.method != "HmacSHA256" && c.method != "HmacSHA1":
		return c, incomplete("SignatureMethod must be HmacSHA256 or HmacSHA1. Got '" + c.method + "'.")
	case (params.Get("Timestamp") == "") == (params.Get("Expires") == ""):
		return c, incomplete("A request of signature version 2 requires either 'Timestamp' or 'Expires'.")
	}
	for name, values := range params {
		if len(values) > 1 {
			return c, incomplete("'" + name + "' stands in the request more than once.")
		}
	}
	switch params.Get("Version") {
	case "2010-05-08":
		c.service = "iam"
	case "2011-06-15":
		c.service = "sts"
	}
	if labels := strings.Split(r.Host, "."); len(labels) > 2 && slipway.KnownRegion(labels[1]) {
		c.region = labels[1]
	}
	if !slices.Contains(oldRegions, c.region) {
		return c, incomplete("Signature version 2 is not accepted in the region " + c.region + ". Sign with version 4.")
	}
	return c, nil
}

// timely holds the request's time against the clock: a Timestamp counts for 15 minutes, Expires says its own end.
func (c *claim2) timely(now time.Time) error {
	text, ends := c.params.Get("Timestamp"), false
	if text == "" {
		text, ends = c.params.Get("Expires"), true
	}
	var at time.Time
	var err error
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} { // old clients leave the zone out
		if at, err = time.Parse(form, text); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		return incomplete("Timestamp and Expires must be in ISO-8601 form. Got '" + text + "'.")
	case ends && now.After(at), !ends && now.Sub(at).Abs() > Skew:
		return slipway.Errorf(slipway.RequestExpired, "Request has expired.")
	}
	return nil
}

// verify2 is Verify for a claim of version 2.
func (v *Verifier) verify2(ctx context.Context, r *http.Request, params url.Values) (Verified, error) {
	c, err := read2(r, params)
	if err != nil {
		return Verified{}, err
	}
	if v.Version4Only {
		return Verified{}, incomplete("Signature version 2 is not accepted by this installation. Sign with version 4.")
	}
	if err := c.timely(v.now()); err != nil {
		return Verified{}, err
	}
	key, err := v.find(ctx, c.key, c.service)
	if err != nil {
		return Verified{}, err
	}
	good := slices.ContainsFunc(hosts(r.Host), func(host string) bool {
		return subtle.ConstantTimeCompare([]byte(c.sign(key.Secret, r, host)), []byte(c.signature)) == 1
	})
	if !good {
		return Verified{}, mismatch()
	}
	return v.prove(key, params.Get("SecurityToken"), c.region, c.service)
}

// hosts are the names that a client may have signed for a host: some leave out the port, which EC2's has not.
func hosts(host string) []string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return []string{host, name}
	}
	return []string{host}
}

func (c *claim2) sign(secret string, r *http.Request, host string) string {
	var pairs []string
	for name, values := range c.params {
		if name != "Signature" {
			pairs = append(pairs, escape(name)+"="+escape(values[0]))
		}
	}
	// In the order of the names' bytes: an escaped "=" would come elsewhere.
	slices.SortFunc(pairs, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		x, _ := url.QueryUnescape(a)
		y, _ := url.QueryUnescape(b)
		return strings.Compare(x, y)
	})
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	var digest func() hash.Hash = sha256.New
	if c.method == "HmacSHA1" {
		digest = sha1.New
	}
	h := hmac.New(digest, []byte(secret))
	h.Write([]byte(r.Method + "\n" + strings.ToLower(host) + "\n" + path + "\n" + strings.Join(pairs, "&")))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
