package slipway

import (
	"strings"
	"time"
)

// SSMParameter is a parameter of the SSM service's parameter store.
type SSMParameter struct {
	Account, Region string
	Name            string // as it was put: with or without a slash before it
	Type            string // String | StringList | SecureString
	Description     string `json:",omitempty"`
	KeyID           string `json:",omitempty"` // of a SecureString
	AllowedPattern  string `json:",omitempty"`
	Tier            string // Standard | Advanced
	Tags            Tags   `json:",omitempty"`
	// Versions are the last ones in order, at most MaxParameterVersions.
	Versions []SSMParameterVersion
}

// MaxParameterVersions is how many versions of a parameter are kept, as in SSM.
const MaxParameterVersions = 100

// SSMParameterVersion is a value that a parameter has or had.
type SSMParameterVersion struct {
	Number   int64
	Secret   string // the value, which is sealed in the store whatever the type
	DataType string // text | aws:ec2:image
	By       string // ARN of who put it
	At       time.Time
}

// Latest is the version that counts where none is asked for.
func (p *SSMParameter) Latest() *SSMParameterVersion { return &p.Versions[len(p.Versions)-1] }

// Version is the version of a number; nil: it is not there, or no more.
func (p *SSMParameter) Version(number int64) *SSMParameterVersion {
	for i := range p.Versions {
		if p.Versions[i].Number == number {
			return &p.Versions[i]
		}
	}
	return nil
}

// PublicParameters is the path below which parameters belong to nobody.
const PublicParameters = "/aws/service/"

// ParameterARN names a parameter; the public ones are of no account.
func ParameterARN(region, account, name string) string {
	name = "/" + strings.TrimPrefix(name, "/")
	if strings.HasPrefix(name+"/", PublicParameters) {
		account = ""
	}
	return "arn:" + Partition(region) + ":ssm:" + region + ":" + account + ":parameter" + name
}
