// Package imagesource fetches disk images for imports: out of one directory of the operator's, or from one
// S3-compatible endpoint. Nothing else is ever opened, because the names come from whoever may call the API. What an
// image holds is not its matter.
package imagesource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/diskimage"
)

// Config is where images may come from.
type Config struct {
	Directory string // "": no files
	S3        *S3    // nil: no endpoint
	Now       func() time.Time
	Pause     time.Duration // after a connection that broke; one more of it after each further one
}

// S3 is an endpoint and who reads there.
type S3 struct {
	Endpoint             *url.URL
	Region               string
	AccessKey, SecretKey string
	VirtualHosts         bool // the bucket is part of the host's name, not of the path
}

// Sources fetches images.
type Sources struct {
	Config
	signer *v4.Signer // its cache of keys is for one secret
}

// New makes the sources.
func New(c Config) *Sources {
	// S3's paths are encoded once, those of all other services twice.
	return &Sources{c, v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
}

// place is where an image lies: in a file below the directory, or in a bucket.
type place struct{ file, bucket, key string }

// Check says whether images may come from there; the image itself may still be missing.
func (s *Sources) Check(from slipway.DiskSource) error {
	_, err := s.place(from)
	return err
}

func unsupported(form string, args ...any) error {
	return slipway.Refused("DiskContainer.Url", fmt.Sprintf(form, args...))
}

func invalid(from, why string) error { return slipway.Invalid(from, "url", why) }

const noS3 = "no S3-compatible endpoint is configured: the operator sets imports.s3.endpoint in slipway's configuration."

func (s *Sources) place(from slipway.DiskSource) (place, error) {
	if from.URL == "" {
		if s.S3 == nil {
			return place{}, slipway.Refused("DiskContainer.UserBucket", noS3)
		}
		return object(from.Bucket, from.Key, from.Bucket+"/"+from.Key)
	}
	if name, ok := strings.CutPrefix(from.URL, "s3://"); ok { // a key may hold anything, unescaped
		if s.S3 == nil {
			return place{}, unsupported(noS3)
		}
		bucket, key, _ := strings.Cut(name, "/")
		return object(bucket, key, from.URL)
	}
	u, err := url.Parse(from.URL)
	if err != nil {
		return place{}, invalid(from.URL, "It is no URL.")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Opaque != "" {
		return place{}, invalid(from.URL, "It must name a file or an object, and nothing else: no query, no fragment, no user.")
	}
	switch strings.ToLower(u.Scheme) {
	case "file":
		return s.local(u, from.URL)
	case "http", "https":
		return s.web(u, from.URL)
	}
	return place{}, invalid(from.URL, "Its scheme must be file, s3, http or https.")
}

func object(bucket, key, said string) (place, error) {
	if bucket == "" || key == "" || strings.ContainsAny(bucket, "/?#%@:\\ ") || bucket == "." || bucket == ".." {
		return place{}, invalid(said, "It must name a bucket and a key.")
	}
	return place{bucket: bucket, key: key}, nil
}

func (s *Sources) local(u *url.URL, said string) (place, error) {
	if s.Directory == "" {
		return place{}, unsupported("no files may be imported: the operator sets imports.directory in slipway's configuration.")
	}
	if u.Host != "" && u.Host != "localhost" {
		return place{}, invalid(said, "A file's URL has three slashes: file:///directory/disk.qcow2")
	}
	rel, err := filepath.Rel(s.Directory, filepath.Clean(u.Path))
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return place{}, unsupported("a file must lie below %s, which is imports.directory in slipway's configuration.",
			s.Directory)
	}
	return place{file: rel}, nil
}

// web takes URLs of the endpoint's own objects, in either style. Any other host is none of the caller's business: it
// may be one that only this machine can reach.
func (s *Sources) web(u *url.URL, said string) (place, error) {
	if s.S3 == nil {
		return place{}, unsupported(noS3)
	}
	e := s.S3.Endpoint
	path, below := strings.CutPrefix(u.Path, strings.TrimSuffix(e.Path, "/")+"/")
	bucket, hosted := strings.CutSuffix(u.Host, "."+e.Host)
	switch {
	case !strings.EqualFold(u.Scheme, e.Scheme) || !below:
	case strings.EqualFold(u.Host, e.Host):
		bucket, key, _ := strings.Cut(path, "/")
		return object(bucket, key, said)
	case hosted:
		return object(bucket, path, said)
	}
	return place{}, unsupported("it must lie below %s, which is imports.s3.endpoint in slipway's configuration.", e)
}

// Fetch writes an image to a file; heard is told how much of how much is there, the latter 0 where nobody says. What
// is wrong with the source is a diskimage.Refusal.
func (s *Sources) Fetch(ctx context.Context, from slipway.DiskSource, to *os.File, heard func(done, of int64)) error {
	p, err := s.place(from)
	if e, ours := errors.AsType[*slipway.Error](err); ours { // the configuration has changed since the request
		return &diskimage.Refusal{Why: e.Message}
	}
	if err != nil {
		return err
	}
	if p.file != "" {
		return s.fetchFile(ctx, p.file, to, heard)
	}
	return s.fetchObject(ctx, p, to, heard)
}

// fetchFile reads below the directory: no symbolic link leads out of it.
func (s *Sources) fetchFile(ctx context.Context, name string, to *os.File, heard func(done, of int64)) error {
	root, err := os.OpenRoot(s.Directory)
	if err != nil {
		return fmt.Errorf("imports.directory: %w", err)
	}
	defer root.Close()
	// A named pipe would wait for a writer.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &diskimage.Refusal{Why: "There is no file " + name}
	case err != nil:
		return &diskimage.Refusal{Why: "The file " + name + " cannot be opened: " + reason(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &diskimage.Refusal{Why: name + " is no regular file"}
	}
	if unix.IoctlFileClone(int(to.Fd()), int(f.Fd())) == nil { // on one file system that can, a copy costs nothing
		heard(info.Size(), info.Size())
		return nil
	}
	w := &sparse{to: to, heard: func(n int64) { heard(n, info.Size()) }}
	if _, err := io.Copy(w, &reader{ctx, f}); err != nil {
		return err
	}
	return w.finish()
}

// reason is an error without the path, which is the operator's.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// sparse writes a file with holes where the content is zero.
type sparse struct {
	to    *os.File
	at    int64
	heard func(written int64)
}

const block = 64 << 10

var zeros [block]byte

// slack is what a file may be larger than its disk.
const slack = 1 << 30

func (w *sparse) Write(b []byte) (int, error) {
	n := len(b)
	if w.at > diskimage.MaxSize+slack { // zeros without end fill no disk
		return 0, &diskimage.Refusal{Why: "The image is larger than the largest volume"}
	}
	for len(b) > 0 {
		part := b[:min(len(b), block)]
		if string(part) != string(zeros[:len(part)]) {
			if _, err := w.to.WriteAt(part, w.at); err != nil {
				return 0, err
			}
		}
		w.at, b = w.at+int64(len(part)), b[len(part):]
	}
	w.heard(w.at)
	return n, nil
}

func (w *sparse) finish() error { return w.to.Truncate(w.at) }
