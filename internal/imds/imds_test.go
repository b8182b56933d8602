package imds

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"slipway"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func example() Instance {
	return Instance{
		Options: slipway.MetadataOptions{
			HTTPTokens: "optional", HopLimit: 1, HTTPEndpoint: "enabled", HTTPIPv6: "disabled", Tags: "enabled",
		}, Groups: []string{"default", "web"}, Lifecycle: "on-demand",
		Devices: map[string]string{"ami": "/dev/xvda", "root": "/dev/xvda", "ebs1": "sdf"},
		Tags:    slipway.Tags{"Name": "web", "empty": ""}, Interfaces: []Interface{{
			ID: "eni-01111111111111117", MAC: "02:00:0a:00:00:05", Owner: "000000000001",
			Hostname: "ip-10-0-0-5.ec2.internal", Subnet: "subnet-0bbbbbbbbbbbbbbb2", VPC: "vpc-0fffffffffffffff6",
			Addresses: []slipway.PrivateAddress{
				{IP: netip.MustParseAddr("10.0.0.5"), Public: netip.MustParseAddr("127.100.0.5")},
				{IP: netip.MustParseAddr("10.0.0.6")},
			},
			IPv6:       []netip.Addr{netip.MustParseAddr("2001:db8::5")},
			SubnetCIDR: netip.MustParsePrefix("10.0.0.0/24"),
			VPCCIDRs:   []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.1.0.0/16")},
			Groups:     []string{"default", "web"},
		}},
		Facts: Facts{
			ID: "i-0eeeeeeeeeeeeeee5", Account: "000000000001", Region: "us-east-1", Zone: "us-east-1a",
			ZoneID: "use1-az1", Type: "t3.micro", Image: "ami-0aaaaaaaaaaaaaaa1", Reservation: "r-0ddddddddddddddd4",
			Launched: noon, Architecture: "x86_64",
		},
		Access: Access{
			KeyName: "ops", PublicKey: "ssh-ed25519 AAAA ops", UserData: []byte("\x1f\x8b\x00raw\n\n"),
			Profile: &Profile{
				ARN: "arn:aws:iam::000000000001:instance-profile/p", ID: "AIPA1", Role: "reader", AccessKey: "ASIA1",
				SecretKey: "s", Token: "t", Updated: noon, Expires: noon.Add(time.Hour),
			},
		},
		Names: Names{Hostname: "ip-10-0-0-5.ec2.internal", DomainSuffix: "amazonaws.com"},
	}
}

// guest asks the service as an instance does, over a socket.
type guest struct {
	t    *testing.T
	s    *Server
	time *clock
	url  string
	id   *Identity
	said map[slipway.InstanceID]int
}

func newGuest(t *testing.T, in Instance) *guest {
	t.Helper()
	id, err := OpenIdentity(t.TempDir(), noon)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, time: &clock{noon}, id: id, said: map[slipway.InstanceID]int{}}
	g.s = New(id, NewKey(), g.time.now, func(id slipway.InstanceID) { g.said[id]++ }, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.s.Serve(in.ID, []net.Listener{l}))
	g.url = "http://" + l.Addr().String()
	g.s.Publish(in)
	return g
}

func (g *guest) ask(method, path string, header ...string) (int, string, http.Header) {
	g.t.Helper()
	r, err := http.NewRequest(method, g.url+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, b.String(), resp.Header
}

func (g *guest) get(path string) string {
	g.t.Helper()
	status, body, _ := g.ask("GET", path)
	if status != 200 {
		g.t.Errorf("GET %s answers %d", path, status)
	}
	return body
}

const (
	ttlHeader   = "X-aws-ec2-metadata-token-ttl-seconds"
	tokenHeader = "X-aws-ec2-metadata-token"
)

func TestTokens(t *testing.T) {
	optional, required, off := example(), example(), example()
	required.Options.HTTPTokens = "required"
	off.Options.HTTPEndpoint = "disabled"
	g := newGuest(t, optional)
	status, token, header := g.ask("PUT", "/latest/api/token", ttlHeader, "60")
	if status != 200 || header.Get(ttlHeader) != "60" || token == "" {
		t.Fatalf("a token: %d, TTL %q", status, header.Get(ttlHeader))
	}
	other := newGuest(t, example())
	_, foreign, _ := other.ask("PUT", "/latest/api/token", ttlHeader, "60")
	for _, tt := range []struct {
		name, method, path string
		in                 Instance
		after              time.Duration
		header             []string
		want               int
	}{
		{"a read without a token", "GET", "/latest/meta-data/instance-id", optional, 0, nil, 200},
		{"a read with one", "GET", "/latest/meta-data/instance-id", optional, 0, []string{tokenHeader, token}, 200},
		{"one second before it ends", "GET", "/latest/meta-data/instance-id", required, 59 * time.Second,
			[]string{tokenHeader, token}, 200},
		{"when it has ended", "GET", "/latest/meta-data/instance-id", required, 60 * time.Second,
			[]string{tokenHeader, token}, 401},
		{"ended, where none is needed", "GET", "/latest/meta-data/instance-id", optional, 60 * time.Second,
			[]string{tokenHeader, token}, 401},
		{"another service's token", "GET", "/latest/meta-data/instance-id", optional, 0, []string{tokenHeader, foreign}, 401},
		{"no token where one is required", "GET", "/latest/meta-data/instance-id", required, 0, nil, 401},
		{"no token for user data where one is required", "GET", "/latest/user-data", required, 0, nil, 401},
		{"a token without a TTL", "PUT", "/latest/api/token", optional, 0, nil, 400},
		{"a TTL of 0", "PUT", "/latest/api/token", optional, 0, []string{ttlHeader, "0"}, 400},
		{"a TTL of 21601", "PUT", "/latest/api/token", optional, 0, []string{ttlHeader, "21601"}, 400},
		{"a TTL of 21600", "PUT", "/latest/api/token", optional, 0, []string{ttlHeader, "21600"}, 200},
		{"a TTL that is no number", "PUT", "/latest/api/token", optional, 0, []string{ttlHeader, "x"}, 400},
		{"a token through a proxy", "PUT", "/latest/api/token", optional, 0,
			[]string{ttlHeader, "60", "X-Forwarded-For", "10.0.0.9"}, 403},
		{"a token at a dated path", "PUT", "/2021-03-23/api/token", optional, 0, []string{ttlHeader, "60"}, 403},
		{"a switched-off endpoint", "GET", "/latest/meta-data/", off, 0, nil, 403},
		{"a switched-off endpoint's token", "PUT", "/latest/api/token", off, 0, []string{ttlHeader, "60"}, 403},
		{"another method", "DELETE", "/latest/meta-data/", optional, 0, nil, 405},
		{"HEAD", "HEAD", "/latest/meta-data/", optional, 0, nil, 200},
		{"an unknown path", "GET", "/latest/meta-data/nothing", optional, 0, nil, 404},
		{"an unknown version", "GET", "/1999-01-01/meta-data/", optional, 0, nil, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.time.at = noon.Add(tt.after)
			g.s.Publish(tt.in)
			if got, _, _ := g.ask(tt.method, tt.path, tt.header...); got != tt.want {
				t.Errorf("%s %s answers %d, want %d", tt.method, tt.path, got, tt.want)
			}
		})
	}
	if g.said[optional.ID] == 0 {
		t.Error("nobody was told that the guest asks")
	}
}

func TestTree(t *testing.T) {
	g := newGuest(t, example())
	const mac = "/latest/meta-data/network/interfaces/macs/02:00:0a:00:00:05/"
	for path, want := range map[string]string{
		"/latest/user-data":                                "\x1f\x8b\x00raw\n\n",
		"/latest/":                                         "dynamic\nmeta-data\nuser-data",
		"/2009-04-04/meta-data/instance-id":                "i-0eeeeeeeeeeeeeee5",
		"/latest/meta-data/public-keys/":                   "0=ops",
		"/latest/meta-data/public-keys/0/":                 "openssh-key",
		"/latest/meta-data/public-keys/0/openssh-key":      "ssh-ed25519 AAAA ops",
		"/latest/meta-data/services/domain/":               "amazonaws.com",
		"/latest/meta-data/block-device-mapping/ami":       "xvda",
		"/latest/meta-data/block-device-mapping/root":      "/dev/xvda",
		"/latest/meta-data/security-groups":                "default\nweb",
		"/latest/meta-data/tags/instance/":                 "Name\nempty",
		"/latest/meta-data/tags/instance/empty":            "",
		"/latest/meta-data/iam/security-credentials/":      "reader",
		"/latest/meta-data/ipv6":                           "2001:db8::5",
		mac + "local-ipv4s":                                "10.0.0.5\n10.0.0.6",
		mac + "ipv4-associations/127.100.0.5":              "10.0.0.5",
		mac + "subnet-ipv4-cidr-block":                     "10.0.0.0/24",
		mac + "vpc-ipv4-cidr-blocks":                       "10.0.0.0/16\n10.1.0.0/16",
		"/latest/dynamic/fws/instance-monitoring":          "disabled",
		"/latest/meta-data/placement/availability-zone-id": "use1-az1",
		"/latest/meta-data/network/interfaces/macs":        "02:00:0a:00:00:05/",
	} {
		if got := g.get(path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	var creds map[string]string
	if err := json.Unmarshal([]byte(g.get("/latest/meta-data/iam/security-credentials/reader")), &creds); err != nil ||
		creds["Code"] != "Success" || creds["Expiration"] != "2026-03-04T13:00:00Z" {
		t.Errorf("the role's credentials are %v (%v)", creds, err)
	}
}

func TestWhatIsNotThereIsNotListed(t *testing.T) {
	bare := example()
	bare.KeyName, bare.PublicKey, bare.UserData, bare.Profile, bare.Options.Tags = "", "", nil, nil, "disabled"
	g := newGuest(t, bare)
	list := "\n" + g.get("/latest/meta-data") + "\n"
	for _, name := range []string{"public-keys", "iam", "tags", "spot"} {
		if strings.Contains(list, "\n"+name+"/\n") {
			t.Errorf("%s/ is listed", name)
		}
		if status, _, _ := g.ask("GET", "/latest/meta-data/"+name+"/"); status != 404 {
			t.Errorf("%s/ answers %d, want 404", name, status)
		}
	}
	if status, _, _ := g.ask("GET", "/latest/user-data"); status != 404 {
		t.Errorf("user data that nobody gave answers %d, want 404", status)
	}
}

// TestEveryListedNameAnswers walks as cloud-init does: one listed name that answers 404 loses it the whole tree.
func TestEveryListedNameAnswers(t *testing.T) {
	g := newGuest(t, example())
	leaves := 0
	var walk func(string)
	walk = func(dir string) {
		for name := range strings.SplitSeq(g.get(dir), "\n") {
			switch {
			case strings.HasSuffix(dir, "public-keys/"):
				index, _, _ := strings.Cut(name, "=")
				g.get(dir + index + "/openssh-key")
			case strings.HasSuffix(name, "/"):
				walk(dir + name)
			default:
				g.get(dir + name)
				leaves++
			}
		}
	}
	walk("/latest/meta-data/")
	walk("/latest/dynamic/")
	if leaves < 40 {
		t.Errorf("the walk finds %d leaves", leaves)
	}
}

func TestIdentityDocumentIsSigned(t *testing.T) {
	g := newGuest(t, example())
	document := g.get("/latest/dynamic/instance-identity/document")
	var d map[string]any
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{
		"accountId": "000000000001", "privateIp": "10.0.0.5", "pendingTime": "2026-03-04T12:00:00Z",
		"version": "2017-09-30", "kernelId": nil,
	} {
		if got, there := d[k]; !there || got != want {
			t.Errorf("%s = %v, want %v", k, got, want)
		}
	}
	plain := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(s, "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sum := sha256.Sum256([]byte(document))
	key := g.id.Certificate().PublicKey.(*rsa.PublicKey)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:],
		plain(g.get("/latest/dynamic/instance-identity/signature"))); err != nil {
		t.Errorf("the signature: %v", err)
	}
	p, err := pkcs7.Parse(plain(g.get("/latest/dynamic/instance-identity/rsa2048")))
	if err != nil || p.Verify() != nil || string(p.Content) != document {
		t.Errorf("rsa2048 does not verify or holds another document: %v", err)
	}
}

func TestTokensOutliveARestart(t *testing.T) {
	key, at := NewKey(), func() time.Time { return noon }
	before := New(nil, key, at, nil, slog.New(slog.DiscardHandler))
	after := New(nil, key, at, nil, slog.New(slog.DiscardHandler))
	token := before.sign("i-1", noon.Add(time.Minute))
	if !after.valid("i-1", token) {
		t.Error("the token is worth nothing after a restart")
	}
	if after.valid("i-2", token) {
		t.Error("one instance's token is good for another")
	}
	if New(nil, NewKey(), at, nil, slog.New(slog.DiscardHandler)).valid("i-1", token) {
		t.Error("a token is good for an installation with another key")
	}
}
