// Package ec2query reads requests of EC2's Query protocol and writes its answers. It knows shapes, not meaning: ec2wire's
// generated code says which names there are.
package ec2query

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway"
)

// MaxParameters bounds a form that somebody meant, in parameters.
const MaxParameters = 10000 // as many as net/url takes

// Others of its bounds.
const (
	maxDepth = 12
	maxIndex = 100000
)

// Reader is a form, or a part of it below a name, as a tree: "Filter.1.Value.2" is four levels. It remembers what was asked
// for, so that what nobody asked for can be refused.
type Reader struct {
	parent   *Reader
	name     string // below parent
	value    string
	has      bool // a value stands here
	used     bool
	children map[string]*Reader
	members  bool // lists are "Name.member.1", as IAM and STS write them
	faults   *[]fault
}

type fault struct {
	path string
	err  *slipway.Error
}

// ignored are the names that belong to the protocol, in its past and present forms.
func ignored(name string) bool {
	switch name {
	case "Action", "Version", "AWSAccessKeyId", "SignatureMethod", "SignatureVersion", "Signature", "Timestamp",
		"Expires", "SecurityToken", "DryRun":
		return true
	}
	return strings.HasPrefix(name, "X-Amz-")
}

// NewReader takes a form apart. It refuses repeated parameters and forms out of bounds.
func NewReader(form url.Values) (*Reader, error) { return newReader(form, false) }

// NewMemberReader is NewReader for the services that write lists as "Name.member.1".
func NewMemberReader(form url.Values) (*Reader, error) { return newReader(form, true) }

func newReader(form url.Values, members bool) (*Reader, error) {
	if len(form) > MaxParameters {
		return nil, slipway.Errorf(slipway.MalformedQueryString,
			"The request has %d parameters; at most %d are accepted", len(form), MaxParameters)
	}
	root := &Reader{members: members, faults: new([]fault)}
	for name, values := range form {
		if ignored(name) {
			continue
		}
		if len(values) > 1 {
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "The parameter %s is given %d times", name, len(values))
		}
		if strings.Count(name, ".") >= maxDepth {
			return nil, slipway.Errorf(slipway.UnknownParameter, "The parameter %s is not recognized", name)
		}
		at := root
		for part := range strings.SplitSeq(name, ".") {
			next := at.children[part]
			if next == nil {
				next = &Reader{parent: at, name: part, members: members, faults: root.faults}
				if at.children == nil {
					at.children = map[string]*Reader{}
				}
				at.children[part] = next
			}
			at = next
		}
		at.value, at.has = values[0], true
	}
	return root, nil
}

// path is the parameter's whole name.
func (r *Reader) path() string {
	if r.parent == nil || r.parent.parent == nil {
		return r.name
	}
	return r.parent.path() + "." + r.name
}

// Err is the first thing wrong with the form once it has been read: a name that nothing asked for, then a value that is none.
func (r *Reader) Err() error {
	if name := r.stranger(); name != "" {
		return slipway.Errorf(slipway.UnknownParameter, "The parameter %s is not recognized", name)
	}
	if len(*r.faults) == 0 {
		return nil
	}
	return slices.MinFunc(*r.faults, func(a, b fault) int { return strings.Compare(a.path, b.path) }).err
}

// Sent is the form below this point as it came, by names relative to it: the inverse of Resend.
func (r *Reader) Sent() map[string]string {
	out := map[string]string{}
	for name, c := range r.children {
		c.sent(name, out)
	}
	return out
}

func (r *Reader) sent(name string, out map[string]string) {
	if r.has {
		out[name] = r.value
	}
	for part, c := range r.children {
		c.sent(name+"."+part, out)
	}
}

// Resend is a reader of what Sent gave.
func Resend(sent map[string]string) (*Reader, error) {
	form := make(url.Values, len(sent))
	for name, value := range sent {
		form[name] = []string{value}
	}
	return NewReader(form)
}

// stranger is the first name in order that stands in the form and was not asked for.
func (r *Reader) stranger() string {
	if r.has && !r.used {
		return r.path()
	}
	first := ""
	for _, c := range r.children {
		if s := c.stranger(); s != "" && (first == "" || s < first) {
			first = s
		}
	}
	return first
}

func (r *Reader) leaf(name string) (string, bool) {
	c := r.children[name]
	if c == nil || !c.has {
		return "", false
	}
	c.used = true
	return c.value, true
}

func (r *Reader) fault(name, value, why string) {
	c := r.children[name]
	*r.faults = append(*r.faults, fault{c.path(), slipway.Invalid(value, LowerCamel(name), why)})
}

// LowerCamel is how EC2's messages spell a parameter.
func LowerCamel(name string) string {
	if name == "" {
		return name
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// String is nil when absent; an empty text is not the same, and what it means is the caller's matter.
func (r *Reader) String(name string) *string {
	c := r.children[name]
	if c == nil || !c.has {
		return nil
	}
	c.used = true
	r.bound(name, c.value)
	return &c.value
}

// What a text may have, in bytes: whatever is kept of it has an end. What has more words of its own about its length
// checks them.
const (
	maxText  = 4096
	maxToken = 128 // EC2's longest, of ASCII characters; most actions have less
)

// bound refuses a text that no parameter of its name has.
func (r *Reader) bound(name, value string) {
	switch name {
	case "ClientToken":
		why := ""
		if len(value) > maxToken {
			why = fmt.Sprintf("The client token is longer than %d characters.", maxToken)
		} else if strings.ContainsFunc(value, func(c rune) bool { return c > 0x7e || c < 0x20 }) {
			why = "The client token may hold only ASCII characters."
		}
		if why != "" {
			*r.faults = append(*r.faults, fault{r.children[name].path(), slipway.Errorf(slipway.InvalidClientToken, "%s", why)})
		}
	case "UserData", "UefiData", "PolicyDocument", "AssumeRolePolicyDocument", "Policy":
	default:
		if len(value) > maxText {
			r.fault(name, value[:32]+"…", fmt.Sprintf("It is longer than %d characters.", maxText))
		}
	}
}

func scalar[T any](r *Reader, name, why string, parse func(string) (T, error)) *T {
	s, ok := r.leaf(name)
	if !ok || s == "" {
		return nil
	}
	v, err := parse(s)
	if err != nil {
		r.fault(name, s, why)
		return nil
	}
	return &v
}

// Int32 is nil when absent or empty; so are the others of this kind.
func (r *Reader) Int32(name string) *int32 {
	return scalar(r, name, "It must be a whole number.", func(s string) (int32, error) {
		n, err := strconv.ParseInt(s, 10, 32)
		return int32(n), err
	})
}

// Int64 reads a whole number of 64 bits.
func (r *Reader) Int64(name string) *int64 {
	return scalar(r, name, "It must be a whole number.", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

// Float reads a number.
func (r *Reader) Float(name string) *float64 {
	return scalar(r, name, "It must be a number.", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
}

// Bool reads true or false, in any case, and 1 or 0.
func (r *Reader) Bool(name string) *bool {
	return scalar(r, name, "It must be true or false.", func(s string) (bool, error) {
		switch strings.ToLower(s) {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
		return false, strconv.ErrSyntax
	})
}

// Time reads ISO 8601.
func (r *Reader) Time(name string) *time.Time {
	return scalar(r, name, "It must be a time in ISO 8601.", func(s string) (time.Time, error) {
		for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02", "20060102T150405Z"} {
			if t, err := time.Parse(form, s); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, strconv.ErrSyntax
	})
}

// Blob reads base64; an empty text is an empty blob.
func (r *Reader) Blob(name string) []byte {
	s, ok := r.leaf(name)
	if !ok {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "", " ", "+").Replace(s))
	if err != nil {
		r.fault(name, s, "It must be base64.")
		return nil
	}
	if b == nil {
		b = []byte{}
	}
	return b
}

// Struct is the part of the form below name; nil when there is none.
func (r *Reader) Struct(name string) *Reader {
	c := r.children[name]
	if c == nil || len(c.children) == 0 && !(c.has && c.value == "") {
		return nil
	}
	if c.has && c.value == "" && len(c.children) == 0 {
		c.used = true // an empty structure is one not given
		return nil
	}
	return c
}

// List is the entries below name by number; the numbers may begin at 0 or 1 and leave gaps.
func (r *Reader) List(name string) []*Reader {
	c := r.children[name]
	if c == nil {
		return nil
	}
	if c.has && c.value == "" {
		c.used = true // an empty list
	}
	if r.members && c.children["member"] != nil {
		c = c.children["member"]
	}
	type entry struct {
		n int
		r *Reader
	}
	entries := make([]entry, 0, len(c.children))
	for k, v := range c.children {
		n, err := strconv.Atoi(k)
		if err != nil || n < 0 || n > maxIndex || k != strconv.Itoa(n) {
			continue // left over, and so refused as unknown
		}
		entries = append(entries, entry{n, v})
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.n - b.n })
	out := make([]*Reader, len(entries))
	for i, e := range entries {
		out[i] = e.r
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Strings is a list of texts.
func (r *Reader) Strings(name string) []string {
	in := r.List(name)
	if in == nil {
		return nil
	}
	out := make([]string, 0, len(in))
	for _, e := range in {
		if e.has {
			e.used = true
			out = append(out, e.value)
		}
	}
	return out
}

// Int32s is a list of whole numbers.
func (r *Reader) Int32s(name string) []int32 {
	in := r.List(name)
	if in == nil {
		return nil
	}
	out := make([]int32, 0, len(in))
	for _, e := range in {
		if !e.has {
			continue
		}
		e.used = true
		n, err := strconv.ParseInt(e.value, 10, 32)
		if err != nil {
			*r.faults = append(*r.faults,
				fault{e.path(), slipway.Invalid(e.value, LowerCamel(name), "It must be a whole number.")})
			continue
		}
		out = append(out, int32(n))
	}
	return out
}
