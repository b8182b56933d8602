package slipway

import "time"

// Account is a customer.
type Account struct {
	ID            string // 12 digits
	Name          string `json:",omitempty"`
	Created       time.Time
	Classic       bool           `json:",omitempty"` // supported-platforms lists EC2: instances may run in EC2-Classic
	Quotas        map[string]int `json:",omitempty"`
	Subscriptions []string       `json:",omitempty"` // product codes
}

// QuotaNames are the bounds that an account may have, all per region: vCPUs and instances that run, volumes and their
// GiB, elastic addresses, launch templates and their versions, spot instances. 0 or none: the installation's own,
// which is none unless the operator gave one.
func QuotaNames() []string {
	return []string{
		"vcpus", "instances", "volumes", "volume-gib", "addresses", "launch-templates", "launch-template-versions",
		"placement-groups", "spot-instances",
	}
}

// AccessKey signs an account's calls.
type AccessKey struct {
	ID       string // AKIA… or ASIA…
	Secret   string
	Account  string
	User     string `json:",omitempty"` // IAM user; none: the account's root
	Role     string `json:",omitempty"` // ARN of the assumed role
	Owner    string `json:",omitempty"` // unique id of the user or role: another of the same name is somebody else
	Session  string `json:",omitempty"`
	Token    string `json:",omitempty"` // session token that must come with it
	Policy   string `json:",omitempty"` // of the session: what it leaves of the role's rights
	Instance string `json:",omitempty"` // whose metadata service gives it away
	Inactive bool   `json:",omitempty"`
	Created  time.Time
	Expires  time.Time `json:",omitzero"`
}

// Of says whether the key is that of the user or role with the unique id, made at that time.
func (k *AccessKey) Of(id string, made time.Time) bool {
	if k.Owner == "" { // written before keys had owners: it cannot be older than whose it is
		return !k.Created.Before(made)
	}
	return k.Owner == id
}

// Region is an account's presence in a region, made when it is first used.
type Region struct {
	Account, Name string
	DefaultVPC    VPCID          `json:",omitempty"`
	Settings      RegionSettings `json:",omitzero"`
}

// RegionSettings are an account's defaults in a region.
type RegionSettings struct {
	Metadata         MetadataOptions `json:",omitzero"` // HTTPTokens and others; empty members: no preference
	TokensEnforced   bool            `json:",omitempty"`
	EncryptByDefault bool            `json:",omitempty"`
	BlockPublicAMIs  bool            `json:",omitempty"` // images cannot be made public

	BlockPublicSnapshots string            `json:",omitempty"` // block-new-sharing, block-all-sharing
	Credits              map[string]string `json:",omitempty"` // by family of burstable types: standard, unlimited
}

// DefaultCredits is the CPU credit option of an instance of the type for which none was chosen; "" for types without.
func (s RegionSettings) DefaultCredits(t *InstanceType) string {
	if chosen := s.Credits[t.Family()]; chosen != "" && t.Burstable {
		return chosen
	}
	return t.DefaultCredits()
}

// Host is a machine that runs instances.
type Host struct {
	ID        HostID
	Zones     []string // suffix letters of the zones that it serves: in dev all
	VCPUs     int
	MemoryMiB int
	NoUEFI    string `json:",omitempty"` // what it lacks to boot a machine by UEFI; empty: nothing
	Simulated bool   `json:",omitempty"`
	Seen      time.Time
}

// Ledger is what is promised of one host: its own record, so that launches conflict only where they compete.
type Ledger struct {
	Host      HostID
	Instances int
	VCPUs     int
	MemoryMiB int
}
