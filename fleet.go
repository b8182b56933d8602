package slipway

import (
	"crypto/rand"
	"fmt"
	"time"
)

// FleetID names a fleet: "fleet-0a1b2c3d-0123-4567-89ab-0123456789ab".
type FleetID string

// NewFleetID issues a fresh id, whose digits stand in groups as those of no other resource do.
func NewFleetID() FleetID {
	var b [16]byte
	rand.Read(b[:])
	return FleetID(fmt.Sprintf("fleet-%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

// Fleet is one request for capacity out of several pools, served at once and not kept up: EC2's type "instant".
type Fleet struct {
	ID              FleetID
	Account, Region string
	Created         time.Time
	Deleted         time.Time `json:",omitzero"`
	ClientToken     string    `json:",omitempty"`
	// Done says that every pool has been asked: a retry of a request that was cut short goes on until it is.
	Done     bool
	Target   FleetTarget
	OnDemand FleetOptions
	Spot     FleetOptions
	Excess   string `json:",omitempty"` // ExcessCapacityTerminationPolicy, which says what to do when a target sinks; this one's never does
	Pools    []FleetPool
	Tags     map[string]Tags `json:",omitempty"` // by resource type
	Launched []FleetLaunch   `json:",omitempty"`
	Failed   []FleetFailure  `json:",omitempty"`
}

// FleetTarget is how much is wanted, in units of the pools' weights.
type FleetTarget struct {
	Total, OnDemand, Spot int32
	Default               string // on-demand | spot: what the rest of Total is
}

// FleetOptions say how one lifecycle's capacity is found.
type FleetOptions struct {
	Strategy   string
	SingleType bool  `json:",omitempty"`
	SingleZone bool  `json:",omitempty"`
	Pools      int32 `json:",omitempty"` // how many of the cheapest to spread over
}

// FleetPool is a launch template with one override: where capacity may come from.
type FleetPool struct {
	Config       int // which of the request's configurations
	Template     TemplateRef
	TemplateName string `json:",omitempty"` // if it was given by name
	TemplateType string `json:",omitempty"` // the type, where no override names one
	Interfaces   bool   `json:",omitempty"` // the template has interfaces of its own: the subnet is the first one's
	Override     FleetOverride
}

// FleetOverride is what goes over the template.
type FleetOverride struct {
	Type         string
	MaxPrice     string   `json:",omitempty"` // for each unit of weight
	Subnet       SubnetID `json:",omitempty"`
	Zone, ZoneID string   `json:",omitempty"`
	Weight       *float64 `json:",omitempty"`
	Priority     *float64 `json:",omitempty"`
	Image        ImageID  `json:",omitempty"`
	Group        string   `json:",omitempty"` // placement group
	Tenancy      string   `json:",omitempty"`
	KeyName      string   `json:",omitempty"`
}

// Units are what one instance counts.
func (o *FleetOverride) Units() float64 {
	if o.Weight == nil {
		return 1
	}
	return *o.Weight
}

// FleetLaunch is what one pool gave in one zone. Override says where it came to be.
type FleetLaunch struct {
	Pool      int
	Lifecycle string // on-demand | spot
	Override  FleetOverride
	Platform  string `json:",omitempty"`
	Instances []InstanceID
}

// FleetFailure is why a pool did not give what was asked of it.
type FleetFailure struct {
	Pool      int
	Lifecycle string
	Code      Code
	Message   string
}

// Fulfilled is the capacity that was launched, of one lifecycle or, with "", of both.
func (f *Fleet) Fulfilled(lifecycle string) float64 {
	n := 0.0
	for _, l := range f.Launched {
		if lifecycle == "" || l.Lifecycle == lifecycle {
			n += float64(len(l.Instances)) * l.Override.Units()
		}
	}
	return n
}

// Instances are all that it launched.
func (f *Fleet) Instances() []InstanceID {
	var out []InstanceID
	for _, l := range f.Launched {
		out = append(out, l.Instances...)
	}
	return out
}
