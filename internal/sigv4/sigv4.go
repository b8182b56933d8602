// Package sigv4 verifies who is calling: AWS Signature Version 4, in the header or presigned in the query, and version 2 in
// the regions that are old enough. It knows keys only through an interface and reads no state of its own.
package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"slipway"
)

// Skew is how far a caller's clock may be off (rule clock-skew).
const Skew = 15 * time.Minute

const (
	algorithm  = "AWS4-HMAC-SHA256"
	stampForm  = "20060102T150405Z"
	terminator = "aws4_request"
	maxExpires = 604800 // seconds, of a presigned URL
)

// Key is an access key as verification needs it.
type Key struct {
	Secret  string
	Token   string    // must come with the request; "" for a long-term key
	Expires time.Time // zero: never
	Caller  slipway.Caller
}

// Keys finds access keys.
type Keys interface {
	Key(ctx context.Context, id string) (key Key, found bool, err error)
}

// Verified is what a good signature proves.
type Verified struct {
	Caller  slipway.Caller
	Region  string
	Service string
}

// Verifier checks signatures.
type Verifier struct {
	keys Keys
	now  func() time.Time
	// Version4Only refuses signatures of version 2.
	Version4Only bool

	mu      sync.Mutex
	derived map[string][]byte // signing keys by secret and scope; a few hundred at most
}

// New makes a verifier.
func New(keys Keys, now func() time.Time) *Verifier {
	return &Verifier{keys: keys, now: now, derived: map[string][]byte{}}
}

// claim is what a request says of its signature.
type claim struct {
	key, date, region, service string
	signed                     []string // header names
	signature                  string
	stamp                      time.Time
	stampText                  string
	token                      string
	expires                    time.Duration // of a presigned URL
	presigned                  bool
}

func incomplete(why string) error { return slipway.Errorf(slipway.IncompleteSignature, "%s", why) }

// Foresee refuses what Verify would refuse without having read the body: a claim that is none, a clock that is off, a
// key that nobody has. Strangers' bodies are then not read. most is how many bytes may be read to know who is calling:
// 0, as many as one likes; Version2, since a claim of that version stands in the form.
func (v *Verifier) Foresee(r *http.Request) (most int, err error) {
	switch query := r.URL.Query(); {
	case asks2(r):
		return Version2, nil
	case r.Header.Get("Authorization") == "" && is2(query):
		c, err := read2(r, query)
		if err == nil {
			_, err = v.find(r.Context(), c.key, c.service)
		}
		return 0, err
	}
	_, _, err = v.claimed(r)
	return 0, err
}

// claimed is what a request says of its signature, and the key that it names.
func (v *Verifier) claimed(r *http.Request) (claim, Key, error) {
	c, err := read(r)
	if err != nil {
		return c, Key{}, err
	}
	if err := c.timely(v.now()); err != nil {
		return c, Key{}, err
	}
	key, err := v.find(r.Context(), c.key, c.service)
	return c, key, err
}

// find is the key of an id, or the refusal that a service has for a key that there is not.
func (v *Verifier) find(ctx context.Context, id, service string) (Key, error) {
	key, found, err := v.keys.Key(ctx, id)
	switch {
	case err != nil:
		return Key{}, err
	case !found && service == "ec2":
		return Key{}, slipway.Errorf(slipway.AuthFailure, "AWS was not able to validate the provided access credentials")
	case !found:
		return Key{}, slipway.Errorf(slipway.InvalidClientTokenID, "The security token included in the request is invalid.")
	}
	return key, nil
}

// prove is what a good signature by a key proves, if the request has the key's token and the key has not ended.
func (v *Verifier) prove(key Key, token, region, service string) (Verified, error) {
	if subtle.ConstantTimeCompare([]byte(key.Token), []byte(token)) != 1 {
		return Verified{}, slipway.Errorf(slipway.AuthFailure, "AWS was not able to validate the provided access credentials")
	}
	if !key.Expires.IsZero() && !v.now().Before(key.Expires) {
		return Verified{}, slipway.Errorf(slipway.RequestExpired, "Request has expired.")
	}
	return Verified{Caller: key.Caller, Region: region, Service: service}, nil
}

// Verify answers for a request whose body has been read. The errors are EC2's: AuthFailure (InvalidClientTokenId for other
// services), SignatureDoesNotMatch, IncompleteSignature, MissingAuthenticationToken, RequestExpired.
func (v *Verifier) Verify(r *http.Request, body []byte) (Verified, error) {
	if query := r.URL.Query(); r.Header.Get("Authorization") == "" && is2(query) {
		return v.verify2(r.Context(), r, query)
	}
	if asks2(r) {
		form, err := url.ParseQuery(string(body[:min(len(body), Version2)]))
		if err == nil && is2(form) {
			return v.verify2(r.Context(), r, form)
		}
	}
	c, key, err := v.claimed(r)
	if err != nil {
		return Verified{}, err
	}
	hash := hex.EncodeToString(sum(body))
	if given := r.Header.Get("X-Amz-Content-Sha256"); given != "" && given != hash {
		return Verified{}, mismatch()
	}
	good := slices.ContainsFunc(hosts(r.Host), func(host string) bool {
		want := v.sign(c, key.Secret, canonical(r, c, host, hash))
		return subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) == 1
	})
	if !good {
		return Verified{}, mismatch()
	}
	return v.prove(key, c.token, c.region, c.service)
}

func mismatch() error {
	return slipway.Errorf(slipway.SignatureDoesNotMatch,
		"The request signature we calculated does not match the signature you provided. Check your AWS Secret "+
			"Access Key and signing method. Consult the service documentation for details.")
}

// read finds the claim, in the header or in the query.
func read(r *http.Request) (claim, error) {
	auth := r.Header.Get("Authorization")
	query := r.URL.Query()
	switch {
	case auth != "":
		return readHeader(r, auth)
	case query.Get("X-Amz-Algorithm") != "" || query.Get("X-Amz-Signature") != "":
		return readQuery(query)
	}
	return claim{}, slipway.Errorf(slipway.MissingAuthenticationToken, "Request is missing Authentication Token")
}

func readHeader(r *http.Request, auth string) (claim, error) {
	rest, ok := strings.CutPrefix(auth, algorithm)
	if !ok || rest == "" || rest[0] != ' ' {
		return claim{}, incomplete("Authorization must begin with " + algorithm + ".")
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, val, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return claim{}, incomplete("'" + strings.TrimSpace(part) +
				"' not a valid key=value pair (missing equal-sign) in Authorization header.")
		}
		fields[k] = val
	}
	c := claim{
		signature: fields["Signature"], signed: strings.Split(fields["SignedHeaders"], ";"),
		token: r.Header.Get("X-Amz-Security-Token"),
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if fields[name] == "" {
			return claim{}, incomplete("Authorization header requires '" + name + "' parameter.")
		}
	}
	if err := c.scope(fields["Credential"]); err != nil {
		return claim{}, err
	}
	stamp := r.Header.Get("X-Amz-Date")
	if stamp == "" {
		if at, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			stamp = at.UTC().Format(stampForm)
		}
	}
	if stamp == "" {
		return claim{}, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if c.token != "" && !slices.Contains(c.signed, "x-amz-security-token") {
		return claim{}, incomplete("X-Amz-Security-Token must be a signed header.")
	}
	return c, c.at(stamp)
}

func readQuery(q url.Values) (claim, error) {
	for _, name := range []string{
		"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
	} {
		if q.Get(name) == "" {
			return claim{}, incomplete("The query requires '" + name + "'.")
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return claim{}, incomplete("X-Amz-Algorithm must be " + algorithm + ".")
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || seconds < 1 || seconds > maxExpires {
		return claim{}, incomplete("X-Amz-Expires must be 1 to 604800 seconds.")
	}
	c := claim{
		presigned: true, expires: time.Duration(seconds) * time.Second, signature: q.Get("X-Amz-Signature"),
		signed: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"), token: q.Get("X-Amz-Security-Token"),
	}
	if err := c.scope(q.Get("X-Amz-Credential")); err != nil {
		return claim{}, err
	}
	return c, c.at(q.Get("X-Amz-Date"))
}

func (c *claim) scope(credential string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || slices.Contains(parts, "") {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	if parts[4] != terminator {
		return slipway.Errorf(slipway.SignatureDoesNotMatch,
			"Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, parts[4])
	}
	c.key, c.date, c.region, c.service = parts[0], parts[1], parts[2], parts[3]
	if !slices.Contains(c.signed, "host") {
		return incomplete("'Host' must be a signed header.")
	}
	return nil
}

func (c *claim) at(stamp string) error {
	at, err := time.Parse(stampForm, stamp)
	if err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '" + stamp + "'.")
	}
	c.stamp, c.stampText = at, stamp
	if c.date != stamp[:8] {
		return slipway.Errorf(slipway.SignatureDoesNotMatch,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.",
			c.date, stamp[:8])
	}
	return nil
}

func (c *claim) timely(now time.Time) error {
	last := c.stamp.Add(Skew)
	if c.presigned {
		last = c.stamp.Add(c.expires)
	}
	if now.After(last) || c.stamp.Sub(now) > Skew {
		return slipway.Errorf(slipway.RequestExpired, "Request has expired.")
	}
	return nil
}

// canonical is the request as both sides write it down before signing.
func canonical(r *http.Request, c claim, host, hash string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path(r.URL) + "\n" + query(r.URL, c.presigned) + "\n")
	for _, name := range c.signed {
		b.WriteString(name + ":" + header(r, name, host) + "\n")
	}
	b.WriteString("\n" + strings.Join(c.signed, ";") + "\n" + hash)
	return b.String()
}

func path(u *url.URL) string {
	p := u.EscapedPath()
	if p == "" {
		return "/"
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = escape(s) // twice encoded, as for every service but S3
	}
	return strings.Join(segments, "/")
}

func query(u *url.URL, presigned bool) string {
	type pair struct{ k, v string }
	var pairs []pair
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		k, err1 := url.QueryUnescape(k)
		v, err2 := url.QueryUnescape(v)
		if errors.Join(err1, err2) != nil || presigned && k == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, pair{escape(k), escape(v)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if n := strings.Compare(a.k, b.k); n != 0 {
			return n
		}
		return strings.Compare(a.v, b.v)
	})
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		parts[i] = p.k + "=" + p.v
	}
	return strings.Join(parts, "&")
}

func header(r *http.Request, name, host string) string {
	switch name {
	case "host":
		return host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

// escape percent-encodes all but the unreserved characters of RFC 3986.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		ch := s[i]
		if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.IndexByte("-_.~", ch) >= 0 {
			b.WriteByte(ch)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[ch>>4])
		b.WriteByte(digits[ch&15])
	}
	return b.String()
}

func (v *Verifier) sign(c claim, secret, canonical string) string {
	scope := c.date + "/" + c.region + "/" + c.service + "/" + terminator
	text := algorithm + "\n" + c.stampText + "\n" + scope + "\n" + hex.EncodeToString(sum([]byte(canonical)))
	return hex.EncodeToString(mac(v.key(secret, c.date, c.region, c.service), text))
}

// maxDerived bounds the cache of signing keys.
const maxDerived = 1000

func (v *Verifier) key(secret, date, region, service string) []byte {
	name := secret + "\x00" + date + "\x00" + region + "\x00" + service
	v.mu.Lock()
	defer v.mu.Unlock()
	if k, ok := v.derived[name]; ok {
		return k
	}
	k := mac(mac(mac(mac([]byte("AWS4"+secret), date), region), service), terminator)
	if len(v.derived) >= maxDerived {
		clear(v.derived)
	}
	v.derived[name] = k
	return k
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}
