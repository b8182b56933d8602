package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slipway/internal/await"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/crypto/ssh"
)

// actionKey is of the action in a request's context, for the counter.
type actionKey struct{}

// service is one `slipway dev` with real machines, and a counter of calls before it.
type service struct {
	t        *testing.T
	state    string
	endpoint string // the counter's, which is what clients are given
	keys     struct{ AccountID, AccessKeyID, SecretAccessKey string }

	mu              sync.Mutex
	calls           int
	called, refused map[string]bool // actions, those that slipway does not have apart
}

func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("SLIPWAY_CONFORMANCE") == "" {
		t.Skip("slow: `make conformance` runs it")
	}
}

// serve runs slipway over a fresh state directory until the test ends.
func serve(t *testing.T) *service {
	t.Helper()
	slow(t)
	bin, err := filepath.Abs("../../bin/slipway")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "sw")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, state: dir, called: map[string]bool{}, refused: map[string]bool{}}
	var log bytes.Buffer
	config := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(config, []byte("memory_mib: 16384\n"),
		0o600); err != nil { // of any host, so that the same cannot be had
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "dev", "--config", config, "--state", dir, "--listen", "127.0.0.1:0", "--log", "info",
		"--accel", "tcg")
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("slipway said:\n%s", log.String())
		}
		os.RemoveAll(dir)
	})
	for lines := bufio.NewScanner(out); s.endpoint == "" && lines.Scan(); {
		if e, ready := strings.CutPrefix(lines.Text(), "ready "); ready {
			s.endpoint = e
		}
	}
	if s.endpoint == "" {
		t.Fatalf("slipway ended before it was ready:\n%s", log.String())
	}
	go io.Copy(io.Discard, out)
	b, err := os.ReadFile(filepath.Join(dir, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &s.keys); err != nil {
		t.Fatal(err)
	}
	s.count()
	return s
}

// count puts the counter in front of the endpoint. It alters nothing: the host that a client signed stays in the request.
func (s *service) count() {
	target, err := url.Parse(s.endpoint)
	if err != nil {
		s.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			r.Body = io.NopCloser(bytes.NewReader(body))
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls++
			action := r.Request.Context().Value(actionKey{}).(string)
			if bytes.Contains(body, []byte("<Message>The action "+action+" is not supported: ")) ||
				bytes.Contains(body, []byte("is not served by slipway")) {
				s.refused[action] = true
			} else {
				s.called[action] = true
			}
			return err
		},
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if form, err := url.ParseQuery(string(body)); err == nil && action == "" {
			action = form.Get("Action")
		}
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), actionKey{}, action)))
	}))
	s.t.Cleanup(front.Close)
	s.endpoint = front.URL
}

// env is what a client finds in its environment.
func (s *service) env(more ...string) []string {
	return append(append(os.Environ(), "AWS_ENDPOINT_URL="+s.endpoint, "AWS_ACCESS_KEY_ID="+s.keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+s.keys.SecretAccessKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"ENDPOINT="+s.endpoint), more...)
}

func (s *service) client() *ec2.Client {
	return ec2.New(ec2.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(s.keys.AccessKeyID, s.keys.SecretAccessKey, ""),
	})
}

// newKey is a key pair of Ed25519.
func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// image is the newest of a name.
func (s *service) image(c *ec2.Client, owner, name string) types.Image {
	s.t.Helper()
	out, err := c.DescribeImages(s.t.Context(),
		&ec2.DescribeImagesInput{
			Owners: []string{owner}, Filters: []types.Filter{{Name: aws.String("name"), Values: []string{name}}},
		})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(out.Images) != 1 {
		s.t.Fatalf("%d images named %s, want 1", len(out.Images), name)
	}
	return out.Images[0]
}

// command runs a client and answers what it says; its failure ends the test.
func (s *service) command(cmd *exec.Cmd) string {
	s.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// version is what a client says of itself, without its system.
func version(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		t.Fatalf("%v: %v: `make conformance` installs it", args, err)
	}
	return regexp.MustCompile(`\d+\.\d+\.\d+`).FindString(string(out))
}

// eventually tries until it succeeds or the time is up.
var eventually = await.Success
