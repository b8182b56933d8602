package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"slipway/internal/diskimage"
)

// Config is all that an operator decides. It is read from defaults, a file, the environment and flags, in that order.
type Config struct {
	State         string   `yaml:"state"`          // directory of everything that must survive
	Listen        string   `yaml:"listen"`         // host:port of the API
	Hypervisor    string   `yaml:"hypervisor"`     // qemu | simulated
	Accel         string   `yaml:"accel"`          // auto | kvm | tcg
	EtcdEndpoints []string `yaml:"etcd_endpoints"` // none: embedded

	// Of a cluster: PEM files of the authority that signs its servers, and of a certificate for us; a user and the
	// file with its password.
	EtcdCA           string `yaml:"etcd_ca"`
	EtcdCert         string `yaml:"etcd_cert"`
	EtcdKey          string `yaml:"etcd_key"`
	EtcdUser         string `yaml:"etcd_user"`
	EtcdPasswordFile string `yaml:"etcd_password_file"`

	// file of the keys that secrets in the store are sealed by; "": secrets.key in the state directory
	SecretsKey string `yaml:"secrets_key"`

	Front `yaml:",inline"`

	PublicRange string  `yaml:"public_range"` // of public addresses; "": a slot of loopback
	Reach       string  `yaml:"reach"`        // public | private: whether guests with a way out reach the LAN around the host
	Images      string  `yaml:"images"`       // directory of built images
	Overcommit  float64 `yaml:"overcommit"`   // vCPUs of instances on one of the host's
	MemoryMiB   int     `yaml:"memory_mib"`   // for instances; 0: the host's, less a gibibyte
	Keep        bool    `yaml:"keep"`         // guests run on when slipway stops
	Log         string  `yaml:"log"`          // debug | info | warn | error
	Imports     Imports `yaml:"imports"`      // where ImportImage and ImportSnapshot may read
}

// Front is how the API listens to its callers.
type Front struct {
	TLS      bool   `yaml:"tls"`      // HTTPS, under an authority of the installation's own
	TLSCert  string `yaml:"tls_cert"` // HTTPS, with the certificate of these PEM files
	TLSKey   string `yaml:"tls_key"`
	Insecure bool   `yaml:"insecure"` // may listen without TLS where others can hear

	// SignatureV2 is on or off: signatures of version 2 are taken, in the regions where EC2 takes them.
	SignatureV2 string   `yaml:"signature_v2"`
	Throttle    Throttle `yaml:"throttle"` // EC2's request throttling
	Audit       string   `yaml:"audit"`    // on | off: a line of every call, below the state directory
}

// Throttle is EC2's request throttling: a bucket for each account, region and action.
type Throttle struct {
	Mode     string   `yaml:"mode"`     // off | on
	Actions  []string `yaml:"actions"`  // Action=size/refill: other buckets than EC2's, in calls and calls per second
	Accounts []string `yaml:"accounts"` // account=factor: by how much its buckets are larger
}

// Imports is where disk images may come from that API users name.
type Imports struct {
	Directory string `yaml:"directory"` // of file:// URLs; "": imports below the state directory
	MaxGiB    int    `yaml:"max_gib"`   // of a disk; a small file can claim to be a large one
	S3        S3     `yaml:"s3"`        // of s3:// and the endpoint's own URLs, and of buckets
}

// S3 is an S3-compatible endpoint, and the key that reads there.
type S3 struct {
	Endpoint      string `yaml:"endpoint"` // "": none
	Region        string `yaml:"region"`
	AccessKey     string `yaml:"access_key"`
	SecretKey     string `yaml:"secret_key"`
	SecretKeyFile string `yaml:"secret_key_file"` // which holds it instead
	PathStyle     bool   `yaml:"path_style"`      // endpoint/bucket/key; false: bucket.endpoint/key
}

func defaults() Config {
	return Config{
		State: ".slipway", Listen: "127.0.0.1:4566", Hypervisor: "qemu", Accel: "auto", Reach: "public", Overcommit: 32,
		Log: "warn", Front: Front{Audit: "on", SignatureV2: "on", Throttle: Throttle{Mode: "off"}},
		Imports: Imports{MaxGiB: 4096, S3: S3{Region: "us-east-1", PathStyle: true}},
	}
}

// readConfig also answers the arguments that are no flags.
func readConfig(name string, args []string, getenv func(string) string, extra func(*flag.FlagSet)) (Config, []string, error) {
	c := defaults()
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	file := fs.String("config", getenv("SLIPWAY_CONFIG"), "YAML or JSON file")
	state := fs.String("state", "", "directory of everything that must survive")
	listen := fs.String("listen", "", "host:port of the API")
	hypervisor := fs.String("hypervisor", "", "qemu or simulated")
	accel := fs.String("accel", "", "auto, kvm or tcg")
	etcd := fs.String("etcd-endpoints", "", "a running etcd cluster, comma-separated")
	etcdCA := fs.String("etcd-ca", "", "PEM file of the authority that signs the cluster's servers")
	etcdCert := fs.String("etcd-cert", "", "PEM file of the certificate that is shown to the cluster")
	etcdKey := fs.String("etcd-key", "", "PEM file of its key")
	etcdUser := fs.String("etcd-user", "", "user of the cluster")
	etcdPassword := fs.String("etcd-password-file", "", "file with the user's password")
	secretsKey := fs.String("secrets-key", "", "file of the keys that secrets in the store are sealed by")
	ownTLS := fs.Bool("tls", false, "HTTPS, under an authority of the installation's own")
	cert := fs.String("tls-cert", "", "HTTPS, with the certificate of this PEM file, which is read again when it changes")
	certKey := fs.String("tls-key", "", "PEM file of its key")
	insecure := fs.Bool("insecure", false, "listen without TLS where others can hear")
	public := fs.String("public-range", "", "range of public addresses")
	reach := fs.String("reach", "", "public, or private: guests reach the private ranges around the host")
	imageDir := fs.String("images", "", "directory of built images")
	importDir := fs.String("imports", "", "directory of disk images that the API may import")
	throttle := fs.String("throttle", "", "off, or on: calls are throttled as EC2 throttles them")
	version2 := fs.String("signature-v2", "", "on, or off: requests signed by version 2 are refused in every region")
	auditing := fs.String("audit", "", "on, or off: no line of every call is kept")
	level := fs.String("log", "", "debug, info, warn or error")
	keep := fs.Bool("keep", false, "guests run on when slipway stops")
	if extra != nil {
		extra(fs)
	}
	var rest []string
	for len(args) > 0 { // flags may stand before and after words
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fs.SetOutput(os.Stdout)
				fs.PrintDefaults()
			}
			return c, nil, fmt.Errorf("%s: %w", name, err)
		}
		args = fs.Args()
		if len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	if *file != "" {
		if err := c.readFile(*file); err != nil {
			return c, nil, err
		}
	}
	for _, o := range []struct {
		to   *string
		flag string
		env  string
	}{
		{&c.State, *state, "SLIPWAY_STATE"}, {&c.Listen, *listen, "SLIPWAY_LISTEN"},
		{&c.Hypervisor, *hypervisor, "SLIPWAY_HYPERVISOR"},
		{&c.Accel, *accel, "SLIPWAY_ACCEL"}, {&c.PublicRange, *public, "SLIPWAY_PUBLIC_RANGE"},
		{&c.Reach, *reach, "SLIPWAY_REACH"}, {&c.Images, *imageDir, "SLIPWAY_IMAGES"},
		{&c.Throttle.Mode, *throttle, "SLIPWAY_THROTTLE"}, {&c.Log, *level, "SLIPWAY_LOG"},
		{&c.Audit, *auditing, "SLIPWAY_AUDIT"}, {&c.SignatureV2, *version2, "SLIPWAY_SIGNATURE_V2"},
		{&c.EtcdCA, *etcdCA, "SLIPWAY_ETCD_CA"}, {&c.EtcdCert, *etcdCert, "SLIPWAY_ETCD_CERT"},
		{&c.EtcdKey, *etcdKey, "SLIPWAY_ETCD_KEY"},
		{&c.EtcdUser, *etcdUser, "SLIPWAY_ETCD_USER"}, {&c.EtcdPasswordFile, *etcdPassword, "SLIPWAY_ETCD_PASSWORD_FILE"},
		{&c.SecretsKey, *secretsKey, "SLIPWAY_SECRETS_KEY"},
		{&c.TLSCert, *cert, "SLIPWAY_TLS_CERT"}, {&c.TLSKey, *certKey, "SLIPWAY_TLS_KEY"},
		{&c.Imports.Directory, *importDir, "SLIPWAY_IMPORTS"}, {&c.Imports.S3.AccessKey, "", "SLIPWAY_S3_ACCESS_KEY"},
		{&c.Imports.S3.SecretKey, "", "SLIPWAY_S3_SECRET_KEY"},
	} {
		if v := getenv(o.env); v != "" {
			*o.to = v
		}
		if o.flag != "" {
			*o.to = o.flag
		}
	}
	if *etcd != "" {
		c.EtcdEndpoints = strings.Split(*etcd, ",")
	}
	c.Keep, c.TLS, c.Insecure = c.Keep || *keep, c.TLS || *ownTLS, c.Insecure || *insecure
	for _, path := range []*string{&c.State, &c.SecretsKey} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return c, nil, err
		}
		*path = abs
	}
	return c, rest, c.Validate()
}

// keys are the file's, for the hint beside an unknown one.
var keys = []string{
	"state", "listen", "hypervisor", "accel", "etcd_endpoints", "etcd_ca", "etcd_cert", "etcd_key", "etcd_user",
	"etcd_password_file",
	"secrets_key", "audit", "signature_v2", "tls", "tls_cert", "tls_key", "insecure", "public_range", "reach", "images", "overcommit",
	"memory_mib", "keep", "log", "throttle", "throttle.mode", "throttle.actions", "throttle.accounts",
	"imports", "imports.directory", "imports.max_gib", "imports.s3", "imports.s3.endpoint", "imports.s3.region",
	"imports.s3.access_key", "imports.s3.secret_key", "imports.s3.secret_key_file", "imports.s3.path_style",
}

func (c *Config) readFile(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	var found map[string]any
	if err := yaml.Unmarshal(b, &found); err != nil {
		return fmt.Errorf("config: %s: not YAML or JSON: %s", path, firstLine(err.Error()))
	}
	var faults []error
	for _, k := range names("", found) {
		if !slices.Contains(keys, k) {
			faults = append(faults, fmt.Errorf("config: %s: %s: unknown key (did you mean %s?)", path, k, nearest(k)))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if err := yaml.Unmarshal(b, c); err != nil {
		return fmt.Errorf("config: %s: %s", path, firstLine(err.Error()))
	}
	return nil
}

// names are a file's keys with all that lie below them, joined by dots.
func names(prefix string, found map[string]any) []string {
	var out []string
	for k, v := range found {
		out = append(out, prefix+k)
		if below, ok := v.(map[string]any); ok {
			out = append(out, names(prefix+k+".", below)...)
		}
	}
	return out
}

func firstLine(s string) string { s, _, _ = strings.Cut(s, "\n"); return s }

// nearest is the key with the smallest edit distance.
func nearest(word string) string {
	best, least := "", 1<<30
	for _, k := range keys {
		row := make([]int, len(k)+1)
		for j := range row {
			row[j] = j
		}
		for i := 1; i <= len(word); i++ {
			last := row[0]
			row[0] = i
			for j := 1; j <= len(k); j++ {
				cost := last
				if word[i-1] != k[j-1] {
					cost++
				}
				last, row[j] = row[j], min(cost, row[j]+1, row[j-1]+1)
			}
		}
		if row[len(k)] < least {
			best, least = k, row[len(k)]
		}
	}
	return best
}

// Validate finds all faults at once.
func (c *Config) Validate() error {
	var faults []error
	oneOf := func(key, value string, set ...string) {
		if !slices.Contains(set, value) {
			faults = append(faults, fmt.Errorf("config: %s: %q is none of %s", key, value, strings.Join(set, ", ")))
		}
	}
	if c.State == "" {
		faults = append(faults, errors.New("config: state: a directory is needed"))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("config: listen: %q is not host:port", c.Listen))
	}
	together := func(a, b, first, second string) {
		if (first == "") != (second == "") {
			faults = append(faults, fmt.Errorf("config: %s and %s are given together, or neither is", a, b))
		}
	}
	together("tls_cert", "tls_key", c.TLSCert, c.TLSKey)
	together("etcd_cert", "etcd_key", c.EtcdCert, c.EtcdKey)
	together("etcd_user", "etcd_password_file", c.EtcdUser, c.EtcdPasswordFile)
	if c.TLS && c.TLSCert != "" {
		faults = append(faults, errors.New("config: tls: the certificate is either slipway's own or that of tls_cert"))
	}
	if len(c.EtcdEndpoints) == 0 && (c.EtcdCA != "" || c.EtcdCert != "" || c.EtcdUser != "") {
		faults = append(faults,
			errors.New("config: etcd_endpoints: a cluster's certificates and user are given, and no cluster"))
	}
	oneOf("hypervisor", c.Hypervisor, "qemu", "simulated")
	oneOf("accel", c.Accel, "auto", "kvm", "tcg")
	oneOf("reach", c.Reach, "public", "private")
	oneOf("audit", c.Audit, "on", "off")
	oneOf("signature_v2", c.SignatureV2, "on", "off")
	oneOf("log", c.Log, "debug", "info", "warn", "error")
	if c.PublicRange != "" {
		if p, err := netip.ParsePrefix(c.PublicRange); err != nil || !p.Addr().Is4() || p.Bits() > 28 {
			faults = append(faults,
				fmt.Errorf("config: public_range: %q is not an IPv4 range of 16 addresses or more", c.PublicRange))
		}
	}
	if c.Overcommit <= 0 {
		faults = append(faults, fmt.Errorf("config: overcommit: %v is not above 0", c.Overcommit))
	}
	if c.MemoryMiB < 0 {
		faults = append(faults, fmt.Errorf("config: memory_mib: %d is below 0", c.MemoryMiB))
	}
	if c.Imports.MaxGiB < 1 || c.Imports.MaxGiB > diskimage.MaxSize>>30 {
		faults = append(faults,
			fmt.Errorf("config: imports.max_gib: %d is not within 1 and %d", c.Imports.MaxGiB, int64(diskimage.MaxSize)>>30))
	}
	oneOf("throttle.mode", c.Throttle.Mode, "off", "on")
	if _, err := c.Throttle.read(); err != nil {
		faults = append(faults, err)
	}
	faults = append(faults, c.Imports.S3.validate()...)
	return errors.Join(faults...)
}
