package slipway

import "time"

// User is an IAM user: somebody of an account with keys and policies of their own.
type User struct {
	Account, Name, ID, Path string
	Created                 time.Time
	Policies                Policies
	Tags                    Tags `json:",omitempty"`
}

// ARN names the user.
func (u *User) ARN() string { return IAMARN(u.Account, "user", u.Path, u.Name) }

// Role is what somebody or something may become for a while.
type Role struct {
	Account, Name, ID, Path string
	Description             string `json:",omitempty"`
	Trust                   string // the policy document that says who may
	MaxSession              int32  // seconds
	// Trusted are the unique ids of the users and roles that Trust names, by ARN, as they were when it was written.
	Trusted  map[string]string `json:",omitempty"`
	Created  time.Time
	Policies Policies
	Tags     Tags `json:",omitempty"`
}

// ARN names the role.
func (r *Role) ARN() string { return IAMARN(r.Account, "role", r.Path, r.Name) }

// Policies are a user's or a role's.
type Policies struct {
	Inline   map[string]string `json:",omitempty"` // name to document
	Attached []string          `json:",omitempty"` // ARNs
}

// ManagedPolicy is a policy that several may have attached.
type ManagedPolicy struct {
	Account, Name, ID, Path string
	Description             string `json:",omitempty"`
	Versions                []PolicyVersion
	Next                    int // number of the next version
	Created, Updated        time.Time
	Tags                    Tags `json:",omitempty"`
}

// PolicyVersion is one text of a managed policy.
type PolicyVersion struct {
	ID       string // v1
	Document string
	Default  bool
	Created  time.Time
}

// ARN names the policy.
func (p *ManagedPolicy) ARN() string { return IAMARN(p.Account, "policy", p.Path, p.Name) }

// Document is the default version's text.
func (p *ManagedPolicy) Document() string {
	for _, v := range p.Versions {
		if v.Default {
			return v.Document
		}
	}
	return ""
}

// InstanceProfile carries a role into an instance.
type InstanceProfile struct {
	Account, Name, ID, Path string
	Role                    string `json:",omitempty"` // name
	Created                 time.Time
	Tags                    Tags `json:",omitempty"`
}

// ARN names the profile.
func (p *InstanceProfile) ARN() string { return IAMARN(p.Account, "instance-profile", p.Path, p.Name) }

// IAMARN names an IAM resource.
func IAMARN(account, kind, path, name string) string {
	return "arn:aws:iam::" + account + ":" + kind + path + name
}
