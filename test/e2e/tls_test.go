package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// TestHTTPS: the Go SDK and Debian's AWS CLI reach an API that has an authority of its own, when they are told to
// trust it, and no other way.
func TestHTTPS(t *testing.T) {
	r := start(t, "--hypervisor", "simulated", "--tls")
	if !strings.HasPrefix(r.endpoint, "https://127.0.0.1:") {
		t.Fatalf("ready at %s", r.endpoint)
	}
	root := filepath.Join(r.state, "tls", "ca.pem")
	client := func(trusted *x509.CertPool) *ec2.Client {
		return ec2.New(ec2.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(r.endpoint),
			Credentials:      credentials.NewStaticCredentialsProvider(r.keys.AccessKeyID, r.keys.SecretAccessKey, ""),
			RetryMaxAttempts: 1,
			HTTPClient:       &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}},
		})
	}
	b, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b)
	if out, err := client(pool).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}); err != nil || len(out.Vpcs) != 1 {
		t.Errorf("the Go SDK: %v", err)
	}
	if _, err := client(x509.NewCertPool()).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}); err == nil ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("the Go SDK, which trusts nobody: %v", err)
	}
	if resp, err := http.Get(strings.Replace(r.endpoint, "https", "http", 1)); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %d", resp.StatusCode)
		}
	}
	if _, err := os.Stat("/usr/bin/aws"); err != nil {
		t.Skip("/usr/bin/aws is missing: `make test-deps` installs it")
	}
	for bundle, well := range map[string]bool{"AWS_CA_BUNDLE=" + root: true, "AWS_MAX_ATTEMPTS=1": false} {
		cmd := exec.Command("/usr/bin/aws", "--endpoint-url="+r.endpoint, "--output", "text", "ec2", "describe-vpcs",
			"--query", "Vpcs[].CidrBlock")
		cmd.Env = append(os.Environ(), bundle, "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+r.keys.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY="+r.keys.SecretAccessKey)
		if out, err := cmd.CombinedOutput(); (err == nil) != well || well != strings.Contains(string(out), "172.31.0.0/16") {
			t.Errorf("Debian's AWS CLI with %s: %v %s", bundle, err, out)
		}
	}
}

// TestListeningToTheNetworkNeedsTLS, or a word that it is meant.
func TestListeningToTheNetworkNeedsTLS(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state")
	fails(t, exec.Command(bin, "dev", "--hypervisor", "simulated", "--state", state, "--listen", "0.0.0.0:0"), "--insecure")
	if _, err := os.Stat(state); err == nil {
		t.Error("the state directory was made all the same")
	}
	fails(t,
		exec.Command(bin, "dev", "--hypervisor", "simulated", "--state", state, "--listen", "127.0.0.1:0", "--tls-cert",
			"x.pem"), "tls_key")
	fails(t,
		exec.Command(bin, "dev", "--hypervisor", "simulated", "--state", state, "--listen", "127.0.0.1:0", "--tls-cert",
			"/none.pem", "--tls-key", "/none.key"), "/none.pem")
}
