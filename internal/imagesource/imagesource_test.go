package imagesource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/diskimage"
	"slipway/internal/sigv4"
)

func endpoint(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestWhereImagesMayComeFrom: below the directory and at the endpoint, and from nowhere else.
func TestWhereImagesMayComeFrom(t *testing.T) {
	s := New(Config{Directory: "/srv/images", S3: &S3{Endpoint: endpoint(t, "https://s3.example:9000"), Region: "eu-west-1"}})
	none := New(Config{})
	at := func(url string) slipway.DiskSource { return slipway.DiskSource{URL: url} }
	for _, tt := range []struct {
		name    string
		sources *Sources
		from    slipway.DiskSource
		code    slipway.Code // "": allowed
		says    string
	}{
		{"a file below the directory", s, at("file:///srv/images/a/disk.qcow2"), "", ""},
		{"a file of this host, said aloud", s, at("file://localhost/srv/images/disk.qcow2"), "", ""},
		{"an object", s, at("s3://bucket/a/disk.raw"), "", ""},
		{"an object whose key has what URLs escape", s, at("s3://bucket/a b?c#d%20"), "", ""},
		{"an object by bucket and key", s, slipway.DiskSource{Bucket: "bucket", Key: "disk"}, "", ""},
		{"an object by the endpoint's path", s, at("https://s3.example:9000/bucket/disk"), "", ""},
		{"an object by the endpoint's virtual host", s, at("https://bucket.s3.example:9000/disk"), "", ""},

		{"a file elsewhere", s, at("file:///etc/passwd"), slipway.UnsupportedOperation, "imports.directory"},
		{"a file above the directory", s, at("file:///srv/images/../secret"), slipway.UnsupportedOperation,
			"imports.directory"},
		{"an escaped way up", s, at("file:///srv/images/%2e%2e/secret"), slipway.UnsupportedOperation, "imports.directory"},
		{"a directory with a like name", s, at("file:///srv/images2/disk"), slipway.UnsupportedOperation, "imports.directory"},
		{"the directory itself", s, at("file:///srv/images"), slipway.UnsupportedOperation, "imports.directory"},
		{"two slashes", s, at("file://srv/images/disk"), slipway.InvalidParameterValue, "three slashes"},
		{"another host", s, at("https://169.254.169.254/latest/meta-data"), slipway.UnsupportedOperation,
			"imports.s3.endpoint"},
		{"another port", s, at("https://s3.example:9001/bucket/disk"), slipway.UnsupportedOperation, "imports.s3.endpoint"},
		{"another scheme", s, at("http://s3.example:9000/bucket/disk"), slipway.UnsupportedOperation, "imports.s3.endpoint"},
		{"a host that ends like the endpoint", s, at("https://evils3.example:9000/bucket/disk"),
			slipway.UnsupportedOperation, "imports.s3.endpoint"},
		{"the endpoint as a user", s, at("https://s3.example:9000@evil.example/bucket/disk"),
			slipway.InvalidParameterValue, "no user"},
		{"a query", s, at("https://s3.example:9000/bucket/disk?X-Amz-Signature=0"), slipway.InvalidParameterValue, "no query"},
		{"a bucket that is a path", s, slipway.DiskSource{Bucket: "a/b", Key: "disk"}, slipway.InvalidParameterValue, "bucket"},
		{"a bucket that would be a host", s, slipway.DiskSource{Bucket: "evil.example#", Key: "disk"},
			slipway.InvalidParameterValue, "bucket"},
		{"no key", s, at("s3://bucket"), slipway.InvalidParameterValue, "key"},
		{"another scheme altogether", s, at("ftp://s3.example/disk"), slipway.InvalidParameterValue, "scheme"},
		{"qemu's own notation", s, at("nbd:127.0.0.1:10809"), slipway.InvalidParameterValue, "nothing else"},
		{"no URL", s, at("://"), slipway.InvalidParameterValue, "no URL"},

		{"a file, without a directory", none, at("file:///srv/images/disk"), slipway.UnsupportedOperation, "imports.directory"},
		{"an object, without an endpoint", none, at("s3://bucket/disk"), slipway.UnsupportedOperation, "imports.s3.endpoint"},
		{"a bucket, without an endpoint", none, slipway.DiskSource{Bucket: "bucket", Key: "disk"},
			slipway.UnsupportedOperation, "imports.s3.endpoint"},
		{"the web, without an endpoint", none, at("https://s3.example/bucket/disk"), slipway.UnsupportedOperation,
			"imports.s3.endpoint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.sources.Check(tt.from)
			if tt.code == "" {
				if err != nil {
					t.Errorf("Check = %v", err)
				}
				return
			}
			if err == nil || slipway.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Check = %v, want %s naming %q", err, tt.code, tt.says)
			}
		})
	}
}

// fetched is what Fetch brings.
func fetched(t *testing.T, s *Sources, from slipway.DiskSource) ([]byte, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = s.Fetch(t.Context(), from, f, func(int64, int64) {})
	b, _ := os.ReadFile(f.Name())
	return b, err
}

func refused(t *testing.T, what string, err error, says string) {
	t.Helper()
	if _, ours := errors.AsType[*diskimage.Refusal](err); !ours || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v, want a refusal naming %q", what, err, says)
	}
}

func TestFiles(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	s := New(Config{Directory: dir})
	content := append(bytes.Repeat([]byte("disk"), 40_000), make([]byte, 300_000)...)
	for path, b := range map[string][]byte{filepath.Join(dir, "disk"): content, outside: []byte("secret")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"inside": "disk", "out": outside, "up": "../" + filepath.Base(filepath.Dir(outside)) + "/secret",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
		os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	at := func(name string) slipway.DiskSource {
		return slipway.DiskSource{URL: "file://" + filepath.Join(dir, name)}
	}
	for _, name := range []string{"disk", "inside"} {
		if got, err := fetched(t, s, at(name)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(content))
		}
	}
	for name, says := range map[string]string{
		"out": "cannot be opened", "up": "cannot be opened", "pipe": "no regular file", "folder": "no regular file",
		"none": "no file",
	} {
		got, err := fetched(t, s, at(name))
		refused(t, name, err, says)
		if len(got) > 0 {
			t.Errorf("%s: %q was read", name, got)
		}
	}
}

// TestZerosWithoutEnd take no room, and are bounded all the same.
func TestZerosWithoutEnd(t *testing.T) {
	w := &sparse{at: diskimage.MaxSize + slack + 1, heard: func(int64) {}}
	_, err := w.Write(make([]byte, block))
	refused(t, "Write", err, "largest volume")
}

// bucket is an S3-compatible endpoint with one object, which verifies signatures.
type bucket struct {
	content  []byte
	requests []*http.Request
	answer   func(n int, w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

func (b *bucket) Key(_ context.Context, id string) (sigv4.Key, bool, error) {
	return sigv4.Key{Secret: "secret"}, id == "AKIAREADER", nil
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.requests = append(b.requests, r)
	v, err := sigv4.New(b, time.Now).Verify(r, nil)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusForbidden)
	case v.Service != "s3" || v.Region != "eu-west-1":
		http.Error(w, fmt.Sprintf("signed for %s in %s", v.Service, v.Region), http.StatusForbidden)
	case b.answer != nil && b.answer(len(b.requests), w, r):
	case r.URL.Path != "/bucket/a/disk.raw":
		http.NotFound(w, r)
	default:
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.content))
	}
}

func TestObjects(t *testing.T) {
	content := append(bytes.Repeat([]byte("disk"), 100_000), make([]byte, 200_000)...)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("another server was asked")
	}))
	defer elsewhere.Close()
	half := func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:len(content)/2])
		panic(http.ErrAbortHandler)
	}
	for _, tt := range []struct {
		name, key, says string // says "": it is fetched
		requests        int
		secret          string
		answer          func(n int, w http.ResponseWriter, r *http.Request) bool
	}{
		{"an object", "a/disk.raw", "", 1, "secret", nil},
		{"a broken connection is taken up", "a/disk.raw", "", 2, "secret", half},
		{"a broken connection begins anew where nothing names the version", "a/disk.raw", "", 2, "secret",
			func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(len(content)))
					w.Write(bytes.Repeat([]byte("old"), len(content)/6))
					panic(http.ErrAbortHandler)
				}
				return false
			}},
		{"an object that changes meanwhile", "a/disk.raw", "has changed", 2, "secret",
			func(n int, w http.ResponseWriter, r *http.Request) bool {
				if half(n, w, r) {
					return true
				}
				w.WriteHeader(http.StatusPreconditionFailed)
				return true
			}},
		{"an endpoint that is busy", "a/disk.raw", "", 2, "secret", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n == 1
		}},
		{"no such object", "b", "404 Not Found", 1, "secret", nil},
		{"a key that may not", "a/disk.raw", "403 Forbidden", 1, "wrong", nil},
		{"a redirection", "a/disk.raw", "redirection", 1, "secret", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			return true
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &bucket{content: content, answer: tt.answer}
			server := httptest.NewServer(b)
			defer server.Close()
			s := New(Config{
				Now: time.Now,
				S3:  &S3{Endpoint: endpoint(t, server.URL), Region: "eu-west-1", AccessKey: "AKIAREADER", SecretKey: tt.secret},
			})
			got, err := fetched(t, s, slipway.DiskSource{Bucket: "bucket", Key: tt.key})
			if tt.says != "" {
				refused(t, "Fetch", err, tt.says)
			} else if err != nil || !bytes.Equal(got, content) {
				t.Errorf("Fetch = %d bytes, %v, want %d", len(got), err, len(content))
			}
			if len(b.requests) != tt.requests {
				t.Errorf("%d requests were made, want %d", len(b.requests), tt.requests)
			}
		})
	}
}

// TestKeysAreEncodedOnce: what the server decodes is the key.
func TestKeysAreEncodedOnce(t *testing.T) {
	for _, hosts := range []bool{false, true} {
		d := &download{
			Sources: New(Config{S3: &S3{Endpoint: endpoint(t, "https://s3.example/base"), VirtualHosts: hosts}}),
			place:   place{bucket: "bucket", key: "a b/c+d%20é&=?#.raw"},
		}
		want := "https://s3.example/base/bucket/a%20b/c%2Bd%2520%C3%A9%26%3D%3F%23.raw"
		if hosts {
			want = "https://bucket.s3.example/base/a%20b/c%2Bd%2520%C3%A9%26%3D%3F%23.raw"
		}
		if got := d.address().String(); got != want {
			t.Errorf("the address is %s, want %s", got, want)
		}
	}
}
