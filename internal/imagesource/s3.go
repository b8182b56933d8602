package imagesource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/diskimage"
)

const (
	stall = time.Minute // without a byte, a connection is given up
	tries = 5           // in a row that bring nothing
)

// client follows no redirection: where it leads, the operator has not said.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// errPassing is a failure that another try may not meet.
var errPassing = errors.New("the connection to the endpoint failed")

// download is an object on its way. A broken connection is taken up where it ended, as long as the object is the same.
type download struct {
	*Sources
	place place
	to    *sparse
	size  int64
	etag  string
}

func (s *Sources) fetchObject(ctx context.Context, p place, to *os.File, heard func(done, of int64)) error {
	d := &download{Sources: s, place: p}
	d.to = &sparse{to: to, heard: func(n int64) { heard(n, d.size) }}
	for failures := 0; ; {
		before := d.to.at
		err := d.run(ctx)
		switch {
		case err == nil:
			return d.to.finish()
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errPassing):
			return err
		case d.to.at > before:
			failures = 0
		}
		if failures++; failures >= tries {
			return &diskimage.Refusal{Why: err.Error()}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(failures) * d.Pause):
		}
	}
}

// address is the object's, its key encoded as S3 wants it signed.
func (d *download) address() *url.URL {
	u := *d.S3.Endpoint
	path := "/" + d.place.key
	if d.S3.VirtualHosts {
		u.Host = d.place.bucket + "." + u.Host
	} else {
		path = "/" + d.place.bucket + path
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	u.RawPath = escape(u.Path)
	return &u
}

// escape encodes all but the unreserved characters and the slash.
func escape(path string) string {
	return strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(path))
}

// run reads on from where the file ends.
func (d *download) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	idle := time.AfterFunc(stall, cancel)
	defer idle.Stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address().String(), nil)
	if err != nil {
		return err
	}
	if d.etag == "" && d.to.at > 0 { // nothing says that it still is the same object
		if err := d.to.to.Truncate(0); err != nil {
			return err
		}
		d.to.at = 0
	}
	if d.to.at > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.to.at))
		r.Header.Set("If-Match", d.etag)
	}
	nothing := sha256.Sum256(nil)
	hash := hex.EncodeToString(nothing[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	who := aws.Credentials{AccessKeyID: d.S3.AccessKey, SecretAccessKey: d.S3.SecretKey}
	if err := d.signer.SignHTTP(ctx, who, r, hash, "s3", d.S3.Region, d.Now()); err != nil {
		return err
	}
	r.Header.Set("Accept-Encoding", "identity") // the bytes as they are stored; not signed, because proxies change it
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", errPassing, err)
	}
	defer answer.Body.Close()
	if err := d.accept(answer); err != nil {
		return err
	}
	body := readFunc(func(b []byte) (int, error) { idle.Reset(stall); return answer.Body.Read(b) })
	n, err := io.Copy(&failing{w: d.to}, body)
	if lost, ours := errors.AsType[*writeError](err); ours {
		return lost.error
	}
	if err != nil || answer.ContentLength >= 0 && n < answer.ContentLength {
		return fmt.Errorf("%w: %w", errPassing, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return nil
}

// accept looks at an answer's head.
func (d *download) accept(a *http.Response) error {
	resumed := d.to.at > 0
	switch {
	case a.StatusCode == http.StatusPartialContent && resumed:
		return nil
	case a.StatusCode == http.StatusOK && !resumed:
		d.size, d.etag = max(a.ContentLength, 0), a.Header.Get("ETag")
		return nil
	case a.StatusCode == http.StatusOK, a.StatusCode == http.StatusPreconditionFailed,
		a.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return &diskimage.Refusal{
			Why: "The object has changed while it was read, or the endpoint cannot go on where a connection broke",
		}
	case a.StatusCode >= 500 || a.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%w: it answered %s", errPassing, a.Status)
	case a.StatusCode >= 300 && a.StatusCode < 400:
		return &diskimage.Refusal{
			Why: "The endpoint answered with a redirection, which is not followed: imports.s3.endpoint and " +
				"imports.s3.region must be the bucket's own",
		}
	}
	return &diskimage.Refusal{Why: "We do not have access to the given resource. Reason " + a.Status}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// failing tells a failure to write from one to read.
type failing struct{ w io.Writer }

type writeError struct{ error }

func (f *failing) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}
