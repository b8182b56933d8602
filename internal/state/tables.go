package state

import (
	"strings"

	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"slipway"
	"slipway/internal/store"
)

func notFound(code slipway.Code, form string) func(...string) error {
	return func(ids ...string) error { return slipway.NotFound(code, form, ids...) }
}

func each[T any](list []T, term func(T) string) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, term(v))
	}
	return out
}

func tagTerms(t slipway.Tags) []string {
	out := make([]string, 0, len(t))
	for k, v := range t {
		out = append(out, TagTerm(k, v))
	}
	return out
}

// TagTerm is the index term of one tag.
func TagTerm(key, value string) string { return "tag\x01" + key + "\x01" + value }

// The tables. Their refusals are EC2's words, said once.
var (
	Accounts   = &Table[slipway.Account]{kind: "account", key: func(a *slipway.Account) (Scope, string) { return Global, a.ID }}
	AccessKeys = &Table[slipway.AccessKey]{kind: "accesskey", secret: true,
		key: func(k *slipway.AccessKey) (Scope, string) { return Global, k.ID },
		terms: func(k *slipway.AccessKey) []string {
			terms := []string{"user/" + k.Account + "/" + k.User}
			switch {
			case k.Instance != "":
				terms = append(terms, "/instance/"+k.Instance)
			case k.Token != "":
				terms = append(terms, "session/"+k.Account)
			}
			if !k.Expires.IsZero() {
				terms = append(terms, "/expires/"+Hour(k.Expires))
			}
			return terms
		}}
	Regions = &Table[slipway.Region]{
		kind: "region", key: func(r *slipway.Region) (Scope, string) { return Scope{r.Account, r.Name}, "-" },
	}
	Hosts   = &Table[slipway.Host]{kind: "host", key: func(h *slipway.Host) (Scope, string) { return Global, string(h.ID) }}
	Ledgers = &Table[slipway.Ledger]{
		kind: "ledger", key: func(l *slipway.Ledger) (Scope, string) { return Global, string(l.Host) },
	}

	Instances = &Table[slipway.Instance]{kind: "instance", secret: true,
		key: func(in *slipway.Instance) (Scope, string) { return Scope{in.Account, in.Region}, string(in.ID) },
		terms: func(in *slipway.Instance) []string {
			terms := append(tagTerms(in.Tags), "/id/"+string(in.ID), "reservation/"+string(in.Reservation),
				"state/"+string(in.State), "type/"+in.Type)
			if in.State != slipway.Terminated {
				terms = append(terms, "/host/"+string(in.Host))
			} else {
				terms = append(terms, "/terminated")
			}
			if in.State != slipway.Terminated {
				terms = append(terms, commitments(in)...)
			}
			if in.Placement.GroupID != "" && in.State != slipway.Terminated {
				terms = append(terms, "pg/"+string(in.Placement.GroupID))
			}
			if in.VPC == "" && in.State != slipway.Terminated {
				terms = append(terms, "/classic/"+in.Region)
				terms = append(terms,
					each(in.ClassicGroups, func(g slipway.SecurityGroupID) string { return "group/" + string(g) })...)
			}
			if in.VPC != "" {
				terms = append(terms, "vpc/"+string(in.VPC), "subnet/"+string(in.Subnet))
			}
			return terms
		},
		absent: notFound(slipway.InvalidInstanceIDNotFound, "The instance ID '%s' does not exist")}

	Images = &Table[slipway.Image]{kind: "image",
		key: func(im *slipway.Image) (Scope, string) {
			if im.Region == "" {
				return Global, string(im.ID)
			}
			return Shared(im.Region), string(im.ID)
		},
		terms:  func(im *slipway.Image) []string { return tagTerms(im.Tags) },
		absent: notFound(slipway.InvalidAMIIDNotFound, "The image id '[%s]' does not exist")}
	Snapshots = &Table[slipway.Snapshot]{kind: "snapshot", secret: true,
		key: func(s *slipway.Snapshot) (Scope, string) {
			if s.Region == "" {
				return Global, string(s.ID)
			}
			return Shared(s.Region), string(s.ID)
		},
		terms: func(s *slipway.Snapshot) []string {
			terms := append(tagTerms(s.Tags), "volume/"+string(s.Volume), "state/"+string(s.State), "/id/"+string(s.ID))
			if s.State == slipway.SnapshotStatePending || s.State == slipway.SnapshotStateDeleting {
				terms = append(terms, "/todo/"+string(s.Host))
			}
			if s.State == slipway.SnapshotStatePending && s.Source != "" {
				terms = append(terms, "/source/"+string(s.Source))
			}
			return terms
		},
		absent: notFound(slipway.InvalidSnapshotNotFound, "The snapshot '%s' does not exist.")}
	ImportTasks = &Table[slipway.ImportTask]{kind: "import", secret: true,
		key: func(t *slipway.ImportTask) (Scope, string) { return Scope{t.Account, t.Region}, string(t.ID) },
		terms: func(t *slipway.ImportTask) []string {
			if t.State == slipway.ImportStateActive || t.State == slipway.ImportStateDeleting {
				return []string{"/id/" + string(t.ID), "/todo/" + string(t.Host)}
			}
			return []string{"/ended"}
		},
		absent: notFound(slipway.InvalidConversionTaskID, "The import task '%s' does not exist")}
	KeyPairs = &Table[slipway.KeyPair]{kind: "keypair",
		key:    func(k *slipway.KeyPair) (Scope, string) { return Scope{k.Account, k.Region}, k.Name },
		absent: notFound(slipway.InvalidKeyPairNotFound, "The key pair '%s' does not exist")}

	VPCs = &Table[slipway.VPC]{kind: "vpc",
		key:    func(v *slipway.VPC) (Scope, string) { return Scope{v.Account, v.Region}, string(v.ID) },
		terms:  func(v *slipway.VPC) []string { return append(tagTerms(v.Tags), "/id/"+string(v.ID)) },
		absent: notFound(slipway.InvalidVpcIDNotFound, "The vpc ID '%s' does not exist")}
	Subnets = &Table[slipway.Subnet]{kind: "subnet",
		key:    func(s *slipway.Subnet) (Scope, string) { return Scope{s.Account, s.Region}, string(s.ID) },
		terms:  func(s *slipway.Subnet) []string { return append(tagTerms(s.Tags), "vpc/"+string(s.VPC)) },
		absent: notFound(slipway.InvalidSubnetIDNotFound, "The subnet ID '%s' does not exist")}
	Interfaces = &Table[slipway.Interface]{kind: "eni",
		key: func(n *slipway.Interface) (Scope, string) { return Scope{n.Account, n.Region}, string(n.ID) },
		terms: func(n *slipway.Interface) []string {
			terms := append(tagTerms(n.Tags), "vpc/"+string(n.VPC), "subnet/"+string(n.Subnet))
			terms = append(terms, each(n.Groups, func(g slipway.SecurityGroupID) string { return "group/" + string(g) })...)
			if n.Attachment != nil {
				terms = append(terms, "instance/"+string(n.Attachment.Instance), "attachment/"+string(n.Attachment.ID))
			}
			for _, a := range n.Addresses {
				terms = append(terms, "ip/"+a.IP.String())
				if a.Public.IsValid() {
					terms = append(terms, "public/"+a.Public.String())
				}
			}
			return terms
		},
		absent: notFound(slipway.InvalidNetworkInterfaceIDNotFound, "The networkInterface ID '%s' does not exist")}
	SecurityGroups = &Table[slipway.SecurityGroup]{kind: "group",
		key: func(g *slipway.SecurityGroup) (Scope, string) { return Scope{g.Account, g.Region}, string(g.ID) },
		terms: func(g *slipway.SecurityGroup) []string {
			terms := append(tagTerms(g.Tags), "vpc/"+string(g.VPC), "name/"+g.Name)
			for _, r := range g.Rules {
				terms = append(terms, "rule/"+string(r.ID))
				if r.Group != "" {
					terms = append(terms, "refers/"+string(r.Group))
				}
				if r.PrefixList != "" {
					terms = append(terms, "refers/"+r.PrefixList)
				}
			}
			return terms
		},
		absent: notFound(slipway.InvalidGroupNotFound, "The security group '%s' does not exist")}
	RouteTables = &Table[slipway.RouteTable]{kind: "rtb", prefix: "rtb", formed: slipway.InvalidRouteTableIDMalformed,
		key:    func(r *slipway.RouteTable) (Scope, string) { return Scope{r.Account, r.Region}, string(r.ID) },
		terms:  func(r *slipway.RouteTable) []string { return append(tagTerms(r.Tags), "vpc/"+string(r.VPC)) },
		absent: notFound(slipway.InvalidRouteTableIDNotFound, "The routeTable ID '%s' does not exist")}
	InternetGateways = &Table[slipway.InternetGateway]{kind: "igw", prefix: "igw", formed: slipway.InvalidInternetGatewayIDMalformed,
		key:    func(g *slipway.InternetGateway) (Scope, string) { return Scope{g.Account, g.Region}, string(g.ID) },
		terms:  func(g *slipway.InternetGateway) []string { return append(tagTerms(g.Tags), "vpc/"+string(g.VPC)) },
		absent: notFound(slipway.InvalidInternetGatewayIDNotFound, "The internetGateway ID '%s' does not exist")}
	NetworkACLs = &Table[slipway.NetworkACL]{kind: "acl", prefix: "acl", formed: slipway.InvalidNetworkAclIDMalformed,
		key:    func(a *slipway.NetworkACL) (Scope, string) { return Scope{a.Account, a.Region}, string(a.ID) },
		terms:  func(a *slipway.NetworkACL) []string { return append(tagTerms(a.Tags), "vpc/"+string(a.VPC)) },
		absent: notFound(slipway.InvalidNetworkAclIDNotFound, "The networkAcl ID '%s' does not exist")}
	EgressOnlyGateways = &Table[slipway.EgressOnlyGateway]{kind: "eigw",
		key:    func(g *slipway.EgressOnlyGateway) (Scope, string) { return Scope{g.Account, g.Region}, g.ID },
		terms:  func(g *slipway.EgressOnlyGateway) []string { return append(tagTerms(g.Tags), "vpc/"+string(g.VPC)) },
		absent: notFound(slipway.InvalidGatewayIDNotFound, "The gateway ID '%s' does not exist")}
	NATGateways = &Table[slipway.NATGateway]{kind: "nat", prefix: "nat", formed: slipway.NatGatewayMalformed,
		key: func(g *slipway.NATGateway) (Scope, string) { return Scope{g.Account, g.Region}, string(g.ID) },
		terms: func(g *slipway.NATGateway) []string {
			terms := tagTerms(g.Tags)
			if g.Ended.IsZero() {
				terms = append(terms, "vpc/"+string(g.VPC))
			} else {
				terms = append(terms, "/ended")
			}
			return terms
		},
		absent: notFound(slipway.NatGatewayNotFound, "NatGateway %s was not found")}

	// Peerings belong to two accounts and lie in neither's scope.
	Peerings = &Table[slipway.Peering]{kind: "pcx", prefix: "pcx", formed: slipway.InvalidVpcPeeringConnectionIDMalformed,
		key: func(p *slipway.Peering) (Scope, string) { return Shared(p.Region), string(p.ID) },
		terms: func(p *slipway.Peering) []string {
			terms := append(tagTerms(p.Tags), "vpc/"+string(p.Requester.VPC), "vpc/"+string(p.Accepter.VPC))
			switch {
			case !p.Ended.IsZero():
				terms = append(terms, "/ended")
			case p.Status == slipway.PeeringStatePending:
				terms = append(terms, "/asked")
			}
			return terms
		},
		absent: notFound(slipway.InvalidVpcPeeringConnectionIDNotFound, "The vpcPeeringConnection ID '%s' does not exist")}
	PrefixLists = &Table[slipway.PrefixList]{kind: "pl", prefix: "pl", formed: slipway.InvalidPrefixListIDMalformed,
		key:    func(l *slipway.PrefixList) (Scope, string) { return Scope{l.Account, l.Region}, string(l.ID) },
		terms:  func(l *slipway.PrefixList) []string { return tagTerms(l.Tags) },
		given:  AWSPrefixLists,
		absent: notFound(slipway.InvalidPrefixListIDNotFound, "The prefix list ID '%s' does not exist")}
	DHCPOptions = &Table[slipway.DHCPOptions]{kind: "dopt", prefix: "dopt", formed: slipway.InvalidDhcpOptionsIDMalformed,
		key:    func(d *slipway.DHCPOptions) (Scope, string) { return Scope{d.Account, d.Region}, string(d.ID) },
		absent: notFound(slipway.InvalidDhcpOptionIDNotFound, "The dhcpOption ID '%s' does not exist")}
	Addresses = &Table[slipway.Address]{kind: "eip",
		key: func(a *slipway.Address) (Scope, string) { return Scope{a.Account, a.Region}, string(a.ID) },
		terms: func(a *slipway.Address) []string {
			return append(tagTerms(a.Tags), "ip/"+a.IP.String(), "association/"+string(a.Association))
		},
		absent: func(ids ...string) error { // the one list whose ids stand in quotes each
			return slipway.NotFound(slipway.InvalidAllocationIDNotFound, "The allocation ID '%s' does not exist",
				strings.Split(strings.Join(ids, "'\n'"), "\n")...)
		}}
	Volumes = &Table[slipway.Volume]{kind: "volume", secret: true,
		key: func(v *slipway.Volume) (Scope, string) { return Scope{v.Account, v.Region}, string(v.ID) },
		terms: func(v *slipway.Volume) []string {
			terms := append(tagTerms(v.Tags), "state/"+string(v.State), "/host/"+string(v.Host), "/id/"+string(v.ID))
			if v.Attachment != nil {
				terms = append(terms, "instance/"+string(v.Attachment.Instance))
			}
			if v.Snapshot != "" &&
				(v.State == slipway.VolumeStateCreating ||
					v.Attachment != nil && v.Attachment.State == slipway.VolumeAttachmentStateAttaching) {
				terms = append(terms, "/awaits/"+string(v.Snapshot)) // its file may not have been made
			}
			return terms
		},
		absent: notFound(slipway.InvalidVolumeNotFound, "The volume '%s' does not exist.")}

	PlacementGroups = &Table[slipway.PlacementGroup]{kind: "pg",
		key:    func(g *slipway.PlacementGroup) (Scope, string) { return Scope{g.Account, g.Region}, g.Name },
		terms:  func(g *slipway.PlacementGroup) []string { return tagTerms(g.Tags) },
		absent: notFound(slipway.InvalidPlacementGroupUnknown, "The Placement Group '%s' is unknown.")}

	// LaunchTemplates are kept by name, so that a name is there once.
	LaunchTemplates = &Table[slipway.LaunchTemplate]{kind: "lt",
		key:   func(t *slipway.LaunchTemplate) (Scope, string) { return Scope{t.Account, t.Region}, t.Name },
		terms: func(t *slipway.LaunchTemplate) []string { return append(tagTerms(t.Tags), "id/"+string(t.ID)) },
		absent: notFound(slipway.InvalidLaunchTemplateNameNotFoundException,
			"The specified launch template, with template name %s, does not exist.")}
	LaunchTemplateVersions = &Table[slipway.LaunchTemplateVersion]{kind: "ltversion", secret: true,
		key: func(v *slipway.LaunchTemplateVersion) (Scope, string) {
			return Scope{v.Account, v.Region}, VersionKey(v.Template, v.Number)
		},
		terms: func(v *slipway.LaunchTemplateVersion) []string { return []string{"template/" + string(v.Template)} }}

	Users = &Table[slipway.User]{kind: "iamuser", key: func(u *slipway.User) (Scope, string) { return IAM(u.Account), u.Name },
		absent: notFound(slipway.NoSuchEntity, "The user with name %s cannot be found.")}
	Roles = &Table[slipway.Role]{kind: "iamrole", key: func(r *slipway.Role) (Scope, string) { return IAM(r.Account), r.Name },
		absent: notFound(slipway.NoSuchEntity, "The role with name %s cannot be found.")}
	ManagedPolicies = &Table[slipway.ManagedPolicy]{
		kind: "iampolicy", key: func(p *slipway.ManagedPolicy) (Scope, string) { return IAM(p.Account), p.ARN() },
		absent: notFound(slipway.NoSuchEntity, "Policy %s does not exist or is not attachable."),
	}
	InstanceProfiles = &Table[slipway.InstanceProfile]{
		kind: "iamprofile", key: func(p *slipway.InstanceProfile) (Scope, string) { return IAM(p.Account), p.Name },
		absent: notFound(slipway.NoSuchEntity, "Instance Profile %s cannot be found."),
	}

	CapacityReservations = &Table[slipway.CapacityReservation]{kind: "capacity",
		key: func(c *slipway.CapacityReservation) (Scope, string) { return Scope{c.Account, c.Region}, string(c.ID) },
		terms: func(c *slipway.CapacityReservation) []string {
			if c.State == slipway.CapacityReservationStateActive && !c.Ends.IsZero() {
				return append(tagTerms(c.Tags), "/ends")
			}
			return tagTerms(c.Tags)
		},
		absent: notFound(slipway.InvalidCapacityReservationIDNotFound, "The capacity reservation '%s' does not exist")}
	DedicatedHosts = &Table[slipway.DedicatedHost]{kind: "dedicated",
		key: func(h *slipway.DedicatedHost) (Scope, string) { return Scope{h.Account, h.Region}, string(h.ID) },
		terms: func(h *slipway.DedicatedHost) []string {
			if !h.Released.IsZero() {
				return append(tagTerms(h.Tags), "/released")
			}
			return tagTerms(h.Tags)
		},
		absent: notFound(slipway.InvalidHostIDNotFound, "The host ID '%s' does not exist")}
	SSMParameters = &Table[slipway.SSMParameter]{kind: "parameter", secret: true,
		key:    func(p *slipway.SSMParameter) (Scope, string) { return Scope{p.Account, p.Region}, p.Name },
		absent: notFound(slipway.ParameterNotFound, "The parameter %s was not found."),
	}
	SpotRequests = &Table[slipway.SpotRequest]{kind: "spot", secret: true,
		prefix: "sir", formed: slipway.InvalidSpotInstanceRequestIDMalformed,
		key: func(r *slipway.SpotRequest) (Scope, string) { return Scope{r.Account, r.Region}, string(r.ID) },
		terms: func(r *slipway.SpotRequest) []string {
			terms := append(tagTerms(r.Tags), "state/"+string(r.State))
			if r.State == slipway.SpotRequestStateOpen {
				terms = append(terms, "/open")
			}
			if r.State == slipway.SpotRequestStateActive && !r.Options.ValidUntil.IsZero() {
				terms = append(terms, "/until")
			}
			return terms
		},
		absent: notFound(slipway.InvalidSpotInstanceRequestIDNotFound, "The spot instance request ID '%s' does not exist")}
	Fleets = &Table[slipway.Fleet]{kind: "fleet",
		key:    func(f *slipway.Fleet) (Scope, string) { return Scope{f.Account, f.Region}, string(f.ID) },
		terms:  func(*slipway.Fleet) []string { return []string{"/all"} },
		absent: notFound(slipway.InvalidFleetIDNotFound, "The fleet ID '%s' does not exist")}

	Timelines = &Table[Timeline]{
		kind: "timeline", key: func(t *Timeline) (Scope, string) { return t.Scope, t.ID }, terms: func(t *Timeline) []string {
			if t.Day == "" {
				return []string{"/id/" + t.ID}
			}
			return []string{"/id/" + t.ID, "/day/" + t.Day}
		},
	}
	Tokens = &Table[Token]{
		kind: "token", key: func(t *Token) (Scope, string) { return t.Scope, t.ID },
		terms: func(t *Token) []string { return []string{"/due/" + t.Due()} },
	}
	InUse = &Table[Use]{kind: "addr", key: func(u *Use) (Scope, string) { return u.Scope, u.ID }}
)

// commitments are the index terms by which capacity is accounted for.
func commitments(in *slipway.Instance) []string {
	var terms []string
	if in.CapacityReservation != "" {
		terms = append(terms, "cr/"+string(in.CapacityReservation))
	}
	if in.Placement.DedicatedHost != "" {
		terms = append(terms, "dedicated/"+string(in.Placement.DedicatedHost))
	}
	if in.Placement.Tenancy == "dedicated" || in.Placement.Tenancy == "host" {
		terms = append(terms, "/alone/"+string(in.Host))
	}
	if in.Lifecycle == "spot" {
		terms = append(terms, "spot")
	}
	if in.Profile != "" {
		terms = append(terms, "/profile")
	}
	if in.Interruption != nil {
		terms = append(terms, "/interrupted")
	}
	return terms
}

// all is every table, for Schema.
var all = []described{
	Users, Roles, ManagedPolicies, InstanceProfiles, Accounts, AccessKeys, Regions, Hosts, Ledgers, Instances, Images,
	Snapshots, ImportTasks, KeyPairs, VPCs, Subnets, SubnetReservations, Interfaces,
	SecurityGroups, RouteTables, InternetGateways, NetworkACLs, EgressOnlyGateways, NATGateways, Peerings, PrefixLists,
	DHCPOptions, Addresses, Volumes, PlacementGroups, CapacityReservations, DedicatedHosts, SpotRequests, Fleets,
	LaunchTemplates, LaunchTemplateVersions, SSMParameters, Timelines, Tokens, InUse,
}

// VersionKey is the id of a launch template's version: keys are in order of numbers.
func VersionKey(t slipway.LaunchTemplateID, number int64) string {
	return fmt.Sprintf("%s/%019d", t, number)
}

// Timeline is what happened on the way of a launch, and why it went where it went. Its id is the instance's or the request's.
type Timeline struct {
	Scope  Scope
	ID     string
	Events []Event
	Notes  map[string]string `json:",omitempty"` // choices: subnet, zone, host; parameters and their origin
	Error  string            `json:",omitempty"`
	Day    string            `json:",omitempty"` // of a call or reservation, by which it is forgotten; an instance's goes with the instance
}

// maxEvents bounds one timeline; the first event stays.
const maxEvents = 60

// Add appends events.
func (t *Timeline) Add(events ...Event) {
	t.Events = append(t.Events, events...)
	if n := len(t.Events); n > maxEvents {
		t.Events = slices.Delete(t.Events, 1, n-maxEvents+1)
	}
}

// AddEvent adds an event to a timeline that there is.
func AddEvent(tx store.Tx, s Scope, id string, e Event) error {
	if Timelines.See(tx, s, id) == nil {
		return nil
	}
	return Timelines.Edit(tx, s, id, func(t *Timeline) error { t.Add(e); return nil })
}

// Day is a moment's day, for Timeline.
func Day(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// Event is one step and its moment.
type Event struct {
	Step string // accepted, admitted, assigned, disk, network, started, running, metadata
	At   time.Time
	Note string `json:",omitempty"`
}

// Token remembers an idempotent request (rule token-scope). Its id is the zone or region, a slash and the client's
// token.
type Token struct {
	Scope     Scope
	ID        string
	Hash      string               // of the parameters
	Result    string               // what was made: a reservation's or resource's id
	Instances []slipway.InstanceID `json:",omitempty"`
	Created   time.Time
	Keep      string `json:",omitempty"` // the day through which it is kept, where that is not its creation's to say
}

// TokenLife is how long a client token is remembered after its call, and after the last of its instances is gone: EC2
// says a day at least.
const TokenLife = 48 * time.Hour

// Due is the day on which nothing but a living instance keeps the token any more.
func (t *Token) Due() string { return cmp.Or(t.Keep, Day(t.Created.Add(TokenLife+24*time.Hour))) }

// Hour is a moment's hour, for index terms by which what has ended is found.
func Hour(at time.Time) string { return at.UTC().Format("2006-01-02T15") }

// Use is one address in use; that its key must be new is what keeps two launches from the same address. The id is the
// subnet, or "public", a slash and the address.
type Use struct {
	Scope Scope
	ID    string
	By    string
}

// AddressKey is the id of an address's Use.
func AddressKey(of string, ip netip.Addr) string { return of + "/" + ip.String() }

// InstanceKey is the newest of the credentials that an instance's metadata give away; nil for none.
func InstanceKey(r store.Reader, id slipway.InstanceID) *slipway.AccessKey {
	var newest *slipway.AccessKey
	for k := range AccessKeys.By(r, Global, "/instance/"+string(id)) {
		if newest == nil || k.Expires.After(newest.Expires) {
			newest = k
		}
	}
	return newest
}

// FindImage looks among the region's images and the system's.
func FindImage(r store.Reader, region, id string) *slipway.Image {
	if im := Images.See(r, Shared(region), id); im != nil {
		return im
	}
	return Images.See(r, Global, id)
}

// FindSnapshot looks among the region's snapshots and the system's.
func FindSnapshot(r store.Reader, region, id string) *slipway.Snapshot {
	if s := Snapshots.See(r, Shared(region), id); s != nil {
		return s
	}
	return Snapshots.See(r, Global, id)
}
