package imds

import (
	"bufio"
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"slipway"
)

func FuzzRequest(f *testing.F) {
	for _, line := range []string{
		"GET /latest/meta-data/ HTTP/1.1",
		"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600",
		"GET /2021-01-03/dynamic/instance-identity/document HTTP/1.0",
		"GET /latest/meta-data/../user-data HTTP/1.1\r\nX-Forwarded-For: x",
	} {
		f.Add([]byte(line + "\r\nHost: 169.254.169.254\r\n\r\n"))
	}
	s := New(nil, NewKey(), func() time.Time { return noon }, func(slipway.InstanceID) {}, slog.New(slog.DiscardHandler))
	in := example()
	in.Options.HTTPTokens = "required"
	s.Publish(in)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		r.RemoteAddr = "10.0.0.5:1000"
		w := httptest.NewRecorder()
		s.answer(in.ID, w, r)
		if w.Code == http.StatusOK && r.Method == http.MethodGet {
			t.Errorf("%s %s is answered without a token: %.100q", r.Method, r.URL, w.Body)
		}
	})
}
