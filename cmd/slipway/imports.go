package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/internal/imagesource"
)

func (s S3) validate() (faults []error) {
	fault := func(form string, args ...any) {
		faults = append(faults, fmt.Errorf("config: imports.s3."+form, args...))
	}
	u, err := url.Parse(s.Endpoint)
	switch {
	case s.Endpoint == "" && (s.SecretKeyFile != "" || s.AccessKey != "" || s.SecretKey != ""):
		fault("endpoint: is missing, though there is a key for it")
	case s.Endpoint == "":
		return nil
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "":
		fault("endpoint: %q is not like https://s3.example.com", s.Endpoint)
	}
	if s.Region == "" {
		fault("region: is missing")
	}
	if s.AccessKey == "" {
		fault("access_key: is missing (SLIPWAY_S3_ACCESS_KEY may hold it)")
	}
	if (s.SecretKey == "") == (s.SecretKeyFile == "") {
		fault("secret_key: one of secret_key, secret_key_file and SLIPWAY_S3_SECRET_KEY must hold it")
	}
	return faults
}

// open is what API users may import from. The directory is made if it is slipway's own: who may put files there lets
// them be read by every account.
func (c Imports) open(dir stateDir) (*imagesource.Sources, error) {
	from := imagesource.Config{Directory: c.Directory, Now: time.Now, Pause: time.Second / 2}
	if c.Directory == "" {
		from.Directory = dir.join("imports")
		if err := os.MkdirAll(from.Directory, 0o700); err != nil {
			return nil, fmt.Errorf("imports: %w", err)
		}
		if err := dir.who.give(from.Directory); err != nil {
			return nil, fmt.Errorf("imports: %w", err)
		}
	}
	abs, err := filepath.Abs(from.Directory)
	if err != nil {
		return nil, err
	}
	from.Directory = abs
	if c.S3.Endpoint != "" {
		secret := c.S3.SecretKey
		if c.S3.SecretKeyFile != "" {
			b, err := os.ReadFile(c.S3.SecretKeyFile)
			if err != nil {
				return nil, fmt.Errorf("config: imports.s3.secret_key_file: %w", err)
			}
			if secret = strings.TrimSpace(string(b)); secret == "" {
				return nil, errors.New("config: imports.s3.secret_key_file: the file is empty")
			}
		}
		u, err := url.Parse(c.S3.Endpoint)
		if err != nil {
			return nil, err
		}
		from.S3 = &imagesource.S3{
			Endpoint: u, Region: c.S3.Region, AccessKey: c.S3.AccessKey, SecretKey: secret, VirtualHosts: !c.S3.PathStyle,
		}
	}
	return imagesource.New(from), nil
}
