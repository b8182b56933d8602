package admission

import (
	"fmt"
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
	"time"
)

// launch is one launch on its way: what was asked for, the plan that the rules make of it, where it is placed, and
// what is made.
type launch struct {
	s     *Service
	tx    store.Tx
	scope state.Scope
	call  slipway.Call
	spec  slipway.LaunchSpec
	now   time.Time
	notes map[string]string // for the one who asks why

	region  *slipway.Region
	account *slipway.Account
	passed  map[string]bool // zones that have been tried
	plan
	placed
	made []*slipway.Instance
}

// launch begins one.
func (s *Service) launch(tx store.Tx, scope state.Scope, call slipway.Call, spec slipway.LaunchSpec) *launch {
	return &launch{s: s, tx: tx, scope: scope, call: call, spec: spec, now: s.now(), notes: map[string]string{}}
}

// plan is what the launch's names stand for, rule by rule.
type plan struct {
	machine
	network
	storage
	tenancy
}

// machine is what runs: an image on a type, and who may log in to it or act as it.
type machine struct {
	image *slipway.Image
	// parameter is the name of the account's own parameter that named the image; "": none did.
	parameter string
	kind      *slipway.InstanceType
	boot      slipway.Boot
	options   slipway.MetadataOptions
	key       *slipway.KeyPair
	profile   *slipway.InstanceProfile
}

// network is where it lands.
type network struct {
	zone   slipway.Zone
	chosen string // the zone, where nobody asked for one
	fixed  bool   // the zone was fixed by the request: the token's scope is zonal
	vpc    *slipway.VPC
	ports  []port // by device index; none in EC2-Classic
	groups []slipway.SecurityGroupID
}

// storage is its volumes, the root first, and what the account has of them.
type storage struct {
	devices []device
	stores  []slipway.InstanceStore
	fault   *slipway.Reason // why the instances will end as soon as they begin (rule R15)
	have    *[2]int         // volumes of the account before, and their GiB, where a quota asks
	volumes int             // made by this launch
	gib     int             // of them
}

// tenancy is beside whom it runs.
type tenancy struct {
	group     *slipway.PlacementGroup
	dedicated *slipway.DedicatedHost
}

// placed is the choice of hosts, one for each instance.
type placed struct {
	hosts      []slipway.HostID
	partitions []int32                         // the hosts' counterparts in a group of partitions
	reserved   []slipway.CapacityReservationID // the first hosts' capacity reservations
	full       bool                            // nothing but reserved capacity will do
}

// rules is the order in which a launch's names are looked up, with the reason for each one's place. The first that
// refuses is the answer, so the order is seen by callers: docs/order-of-checks.md has it in their words.
var rules = []struct {
	name, because string
	check         func(*launch) error
}{
	{"image", "whose image it is, decides what else the caller may hear", (*launch).findImage},
	{"instance type", "must suit the image's architecture and boot mode", (*launch).findType},
	{"key pair", "needs nothing else", (*launch).findKey},
	{"instance profile", "needs nothing else", (*launch).findProfile},
	{"zone", "the network is looked for in it", (*launch).findZone},
	{"placement group", "a cluster that has begun fixes the zone, where the request does not", (*launch).findGroup},
	{"network", "fixes the zone for all that follows", (*launch).findNetwork},
	{"firmware", "some host of the zone must have it", (*launch).findFirmware},
	{"capacity", "a dedicated host and a reservation lie in one zone; the VPC has a say in the tenancy",
		(*launch).findCapacity},
	{"devices", "snapshots and types; how many fit is the type's to say", (*launch).findDevices},
	{"options", "against the type and the image, with the interfaces and volumes counted", (*launch).fits},
	{"hibernation", "needs the root volume", (*launch).fitsHibernation},
	{"spot price", "what could never run is refused before what is too dear", (*launch).affords},
	{"product codes", "last: who accepts the terms shall not learn of another fault afterwards", (*launch).subscribed},
}

// resolve turns names into records, rule by rule.
func (l *launch) resolve() error {
	l.region = state.Regions.See(l.tx, l.scope, "-")
	l.account = state.Accounts.See(l.tx, state.Global, l.scope.Account)
	if l.region == nil || l.account == nil {
		return fmt.Errorf("account %s has not been furnished in %s", l.scope.Account, l.scope.Region)
	}
	for _, rule := range rules {
		if err := rule.check(l); err != nil {
			return err
		}
	}
	return nil
}
