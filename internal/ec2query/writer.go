package ec2query

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"slipway"
)

// Writer makes an XML answer. A nil value writes nothing: absent members are left out, as clients expect.
type Writer struct {
	buf     []byte
	without string // a list that is left out where it is empty; "": none
}

// written are the buffers of answers that went out. A page of a thousand instances is 4 MB: growing and zeroing one for each
// answer took longer than writing it.
var written = sync.Pool{New: func() any { return &Writer{buf: make([]byte, 0, 4096)} }}

// tooBig, in bytes, is what no one keeps for the next answer.
const tooBig = 16 << 20

func fresh() *Writer {
	w := written.Get().(*Writer)
	w.buf, w.without = w.buf[:0], ""
	return w
}

// Free gives the writer back. Neither it nor its bytes may be used afterwards.
func (w *Writer) Free() {
	if cap(w.buf) <= tooBig {
		written.Put(w)
	}
}

// Encoder is an answer, or a part of one.
type Encoder interface{ EncodeXML(*Writer) }

// Bytes is what was written.
func (w *Writer) Bytes() []byte { return w.buf }

// Raw writes s as it is.
func (w *Writer) Raw(s string) { w.buf = append(w.buf, s...) }

// Open begins an element.
func (w *Writer) Open(name string) {
	b := append(w.buf, '<')
	b = append(b, name...)
	w.buf = append(b, '>')
}

// Close ends an element.
func (w *Writer) Close(name string) {
	if name == w.without && bytes.HasSuffix(w.buf, []byte("<"+name+">")) {
		w.buf = w.buf[:len(w.buf)-len(name)-2]
		return
	}
	b := append(w.buf, '<', '/')
	b = append(b, name...)
	w.buf = append(b, '>')
}

// Text writes an element with a text.
func (w *Writer) Text(name, value string) {
	if !ordinary(value) {
		w.Open(name)
		w.escape(value)
		w.Close(name)
		return
	}
	b := append(w.buf, '<') // one slice all along: nearly every element is such a text
	b = append(b, name...)
	b = append(b, '>')
	b = append(b, value...)
	b = append(b, '<', '/')
	b = append(b, name...)
	w.buf = append(b, '>')
}

// String writes a text.
func (w *Writer) String(name string, v *string) {
	if v != nil {
		w.Text(name, *v)
	}
}

// Bool writes true or false.
func (w *Writer) Bool(name string, v *bool) {
	if v != nil {
		w.Text(name, strconv.FormatBool(*v))
	}
}

// Int32 writes a whole number.
func (w *Writer) Int32(name string, v *int32) {
	if v != nil {
		w.number(name, int64(*v))
	}
}

// Int64 writes a whole number.
func (w *Writer) Int64(name string, v *int64) {
	if v != nil {
		w.number(name, *v)
	}
}

func (w *Writer) number(name string, n int64) {
	w.Open(name)
	w.buf = strconv.AppendInt(w.buf, n, 10)
	w.Close(name)
}

// Float writes a number.
func (w *Writer) Float(name string, v *float64) {
	if v != nil {
		w.Open(name)
		w.buf = strconv.AppendFloat(w.buf, *v, 'f', -1, 64)
		w.Close(name)
	}
}

// TimeForm is how EC2 writes a moment: always with milliseconds.
const TimeForm = "2006-01-02T15:04:05.000Z"

// Time writes a moment.
func (w *Writer) Time(name string, v *time.Time) {
	if v != nil {
		w.Open(name)
		w.buf = v.UTC().AppendFormat(w.buf, TimeForm)
		w.Close(name)
	}
}

// Second writes a moment as IAM and STS write it, without fractions.
func (w *Writer) Second(name string, v *time.Time) {
	if v != nil {
		w.Open(name)
		w.buf = v.UTC().AppendFormat(w.buf, "2006-01-02T15:04:05Z")
		w.Close(name)
	}
}

// Blob writes base64.
func (w *Writer) Blob(name string, v []byte) {
	if v != nil {
		w.Open(name)
		w.buf = base64.StdEncoding.AppendEncode(w.buf, v)
		w.Close(name)
	}
}

// ordinary is a text that stands for itself, as nearly all do: ids, addresses, words.
func ordinary(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '&' || c == '<' || c == '>' || c == '"' || c == '\'' {
			return false
		}
	}
	return true
}

// escape leaves out what XML 1.0 cannot hold.
func (w *Writer) escape(s string) {
	if ordinary(s) {
		w.buf = append(w.buf, s...)
		return
	}
	plain := 0
	for i, r := range s {
		var with string
		switch {
		case r == '&':
			with = "&amp;"
		case r == '<':
			with = "&lt;"
		case r == '>':
			with = "&gt;"
		case r == '"':
			with = "&#34;"
		case r == '\r':
			with = "&#xD;"
		case r == '\n' || r == '\t' || r >= 0x20 && r < 0xfffe && r != utf8.RuneError || r > 0xffff:
			continue
		}
		w.buf = append(w.buf, s[plain:i]...)
		w.buf = append(w.buf, with...)
		_, size := utf8.DecodeRuneInString(s[i:])
		plain = i + size
	}
	w.buf = append(w.buf, s[plain:]...)
}

const header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// leftOut are the lists that EC2 leaves out of an action's answer where they are empty, by its documented examples. Elsewhere
// an empty list is shown, as in the answers of CreateVolume, CreateSnapshot and CreateVpc, whose examples have one.
var leftOut = map[string]string{
	"RunInstances": "tagSet", "DescribeInstances": "tagSet", "DescribeVolumes": "tagSet", "DescribeImages": "tagSet",
	"DescribeInstanceImageMetadata": "tagSet",
	"DescribeSnapshots":             "tagSet", "DescribeVpcs": "tagSet", "DescribeSubnets": "tagSet", "CreateSubnet": "tagSet",
	"CreateDefaultSubnet": "tagSet", "DescribeSecurityGroups": "tagSet", "CreateSecurityGroup": "tagSet",
	"DescribeAddresses": "tagSet", "CreateLaunchTemplate": "tagSet", "DescribeLaunchTemplates": "tagSet",
	"ModifyLaunchTemplate": "tagSet", "DeleteLaunchTemplate": "tagSet",
}

// Answer is an action's answer: the members stand directly under the root. out is nil for an action that only succeeds.
func Answer(action, version, requestID string, out Encoder) *Writer {
	w := fresh()
	w.without = leftOut[action]
	w.Raw(header + "<" + action + `Response xmlns="http://ec2.amazonaws.com/doc/` + version + `/">`)
	w.Text("requestId", requestID)
	if out != nil {
		out.EncodeXML(w)
	} else {
		w.Text("return", "true")
	}
	w.Close(action + "Response")
	return w
}

// Refusal is EC2's error document.
func Refusal(err *slipway.Error, requestID string) *Writer {
	w := fresh()
	w.Raw(header + "<Response><Errors><Error>")
	w.Text("Code", string(err.Code))
	w.Text("Message", err.Message)
	w.Raw("</Error></Errors>")
	w.Text("RequestID", requestID)
	w.Raw("</Response>")
	return w
}

// MemberAnswer is an answer of IAM or STS: a result inside the root, then the metadata.
func MemberAnswer(action, namespace, requestID string, out Encoder) []byte {
	w := &Writer{}
	w.Raw(header + "<" + action + `Response xmlns="` + namespace + `">`)
	if out != nil {
		w.Open(action + "Result")
		out.EncodeXML(w)
		w.Close(action + "Result")
	}
	w.Open("ResponseMetadata")
	w.Text("RequestId", requestID)
	w.Close("ResponseMetadata")
	w.Close(action + "Response")
	return w.buf
}

// MemberRefusal is the error document of IAM and STS.
func MemberRefusal(err *slipway.Error, namespace, requestID string) []byte {
	w := &Writer{}
	w.Raw(header + `<ErrorResponse xmlns="` + namespace + `"><Error>`)
	kind := "Sender"
	if err.Code.Status() >= 500 {
		kind = "Receiver"
	}
	w.Text("Type", kind)
	w.Text("Code", string(err.Code))
	w.Text("Message", err.Message)
	w.Raw("</Error>")
	w.Text("RequestId", requestID)
	w.Raw("</ErrorResponse>")
	return w.buf
}
